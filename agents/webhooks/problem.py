"""What cannot be set of a webhook."""


class BadWebhook(ValueError):
    """It cannot be made so; the message says what is accepted."""
