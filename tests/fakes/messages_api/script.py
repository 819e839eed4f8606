"""What a test tells the fake: the turns of the scripted model, and what goes wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Json = dict[str, Any]
Block = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One turn of the scripted model. Signatures and missing tool call ids are filled in by the fake.

    A thought at which `max_tokens` cut the answer gets no signature. `declined` is the category of a refusal.
    """

    content: Sequence[Block]
    stop_reason: str
    declined: str | None = None

    @property
    def stop_details(self) -> Json | None:
        if self.stop_reason != "refusal":
            return None
        return {"type": "refusal", "category": self.declined, "explanation": "Declined, says the stand-in."}


def say(text: str) -> Block:
    return {"type": "text", "text": text}


def think(text: str) -> Block:
    return {"type": "thinking", "thinking": text}


def call(name: str, arguments: Mapping[str, Any] | None = None, *, call_id: str | None = None) -> Block:
    block: Block = {"type": "tool_use", "name": name, "input": dict(arguments or {})}
    return block if call_id is None else {**block, "id": call_id}


def answer(*blocks: Block, stop_reason: str | None = None, declined: str | None = None) -> Answer:
    """Stops for tools where a call is among the blocks, else ends the turn, unless told otherwise."""
    calls = any(block["type"] == "tool_use" for block in blocks)
    reason = stop_reason or ("tool_use" if calls else "end_turn")
    return Answer(content=blocks, stop_reason=reason, declined=declined)


# A list is indexed by the number of assistant messages in the request: a repeated request gets the same turn, and
# concurrent conversations each follow the whole list. A callable sees the request, and sees a repeated one again.
Script = Sequence[Answer] | Callable[[Json], Answer]


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What goes wrong with one request. `after` counts the stream events (pings too) that are still sent."""

    kind: Literal["status", "error_event", "hang", "drop", "cut"]
    after: int = 0
    status: int = 529
    error_type: str = "overloaded_error"
    message: str = "scripted failure"
    retry_after_s: float | None = None


TYPE_OF_STATUS = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}


def status(code: int, *, retry_after_s: float | None = None, message: str = "scripted failure") -> Fault:
    kind = TYPE_OF_STATUS.get(code, "api_error")
    return Fault(kind="status", status=code, error_type=kind, retry_after_s=retry_after_s, message=message)


def error_event(*, after: int = 4, error_type: str = "overloaded_error") -> Fault:
    """An `error` event in mid-stream, under status 200."""
    return Fault(kind="error_event", after=after, error_type=error_type)


def hang(*, after: int = 0) -> Fault:
    """Silence until the client goes away."""
    return Fault(kind="hang", after=after)


def drop(*, after: int = 4) -> Fault:
    """The connection dies in the middle of the body."""
    return Fault(kind="drop", after=after)


def cut(*, after: int = 4) -> Fault:
    """The body ends properly but the message does not."""
    return Fault(kind="cut", after=after)
