"""What can go wrong outside, in four fates.

A connector translates each vendor exception once, `from exc`, into one of these. The loop turns the first three into
tool results that the model sees and into gaps of the report; anything else is our bug and is logged with a reference
id.
"""


class AgentError(Exception):
    """Base of the expected failures of this package."""


class BadArguments(AgentError):
    """The call cannot be made as asked; the message says what would be accepted. The model may try again."""


class NeedsReauthorisation(AgentError):
    """The credential was refused. Somebody must connect the integration again; retrying does not help."""


class Unavailable(AgentError):
    """The source cannot be reached or is overloaded for now. A later retry may help."""


class TooLarge(Unavailable):
    """The answer is larger than the cap. Asking for less at a time helps, asking again does not."""


class NotPermitted(AgentError):
    """Policy forbids the call: tenant, declared root, egress list or risk class."""
