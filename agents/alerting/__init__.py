"""From single alerts to what is told and looked into: groups of one cause, their life, rules and hygiene."""
