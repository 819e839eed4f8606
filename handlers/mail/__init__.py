"""E-mail: incident updates and system alerts, to people with an account who did not opt out. No marketing.

`writing` decides and stores, `post` sends what is stored, `smtp` is the line to the server.
"""
