"""A strict stand-in for the Messages API, as an ASGI app: in memory through `httpx2.ASGITransport`, or on loopback.

It refuses what a recording would let pass: an unanswered tool call, an edited history, a changed signature, a sampling
parameter. It remembers each answer under the exact prefix that it answered, so that "append-only" is checked for all
conversations at once. The wording of its errors is like the real one only as far as clients may depend on it.
Source: https://platform.claude.com/docs/en/api/messages
"""

from fakes.messages_api.script import (
    Answer,
    Fault,
    Script,
    answer,
    call,
    cut,
    drop,
    error_event,
    hang,
    say,
    status,
    think,
)
from fakes.messages_api.server import ConnectionDropped, Logged, MessagesApi, serving

__all__ = [
    "Answer",
    "ConnectionDropped",
    "Fault",
    "Logged",
    "MessagesApi",
    "Script",
    "answer",
    "call",
    "cut",
    "drop",
    "error_event",
    "hang",
    "say",
    "serving",
    "status",
    "think",
]
