"""The seam to a language model: one turn in, one turn out, in the shapes of the Messages API.

`ClaudeModel` (claude_model.py) asks Claude; `OfflineModel` (offline_model.py) is the deterministic investigator. Both
emit the same tool calls, so that loop, budgets, gate and approvals are one path.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, Literal, Protocol

from agents.errors import AgentError
from agents.gate.evidence import Evidence

MAX_TOKENS: Final = 32_000
Block = dict[str, Any]  # one content block, exactly as the API returned or wants it
StopReason = Literal[
    "tool_use",
    "end_turn",
    "max_tokens",
    "pause_turn",
    "refusal",
    "compaction",
    "model_context_window_exceeded",
    "stop_sequence",
]


@dataclass(frozen=True, kw_only=True)
class Usage:
    """Tokens of one turn. Total input = input + cache_read + cache_write."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0

    @property
    def total_input(self) -> int:
        return self.input + self.cache_read + self.cache_write


@dataclass(frozen=True, kw_only=True)
class Note:
    """What a person said while the run was going on; `place` is the message that says it."""

    text: str
    place: int


@dataclass(frozen=True, kw_only=True)
class Briefing:
    """What `messages` say in words, as data: for an investigator that is code, and reads no text back.

    `services` go from caller to callees, `aliases` from their other names to them. `said` are the people's words before
    the run. `reads` are the stored results by the id of their call.
    """

    question: str = ""
    said: tuple[str, ...] = ()
    services: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)
    remedies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """What can be carried out, by service."""
    connected: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()
    hurried: bool = False
    reads: Mapping[str, Evidence] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class TurnRequest:
    """All that a model sees. `system` and `tools` are frozen for a run; `messages` only ever grow.

    `max_tokens` holds thoughts and answer together. `patience` is how long an overloaded model is waited for in all.
    `briefing` says the same as data; a language model does not get it.
    """

    system: str
    tools: Sequence[dict[str, Any]]
    messages: Sequence[dict[str, Any]]
    max_tokens: int = MAX_TOKENS
    patience: timedelta = timedelta(seconds=90)
    briefing: Briefing = field(default_factory=Briefing)


@dataclass(frozen=True, kw_only=True)
class Turn:
    """One finished answer. `content` is what goes into the history byte for byte. `cost_usd` is 0 for the offline
    model. `declined` is the kind of refusal where the model declined and said which.
    """

    content: list[Block]
    stop_reason: StopReason
    usage: Usage = field(default_factory=Usage)
    cost_usd: float = 0.0
    model: str
    declined: str | None = None


class ModelUnavailable(AgentError):
    """The model cannot be asked: no connection, refused key, overload past all patience. The offline model may go on.

    `passes`: it may be there again at a later turn, without anybody doing anything.
    """

    def __init__(self, text: str, *, passes: bool = False) -> None:
        super().__init__(text)
        self.passes = passes


class ModelBug(AgentError):
    """The API refused the request as malformed (400): our bug. The offline model may go on; the report says so.

    `where` is the path of the field, where the API named one; `request_id` is what the provider's support asks for.
    """

    def __init__(self, text: str, *, where: str | None = None, request_id: str | None = None) -> None:
        super().__init__(text)
        self.where = where
        self.request_id = request_id


OnText = Callable[[str], Awaitable[None]]


class ChatModel(Protocol):
    """`ask` returns a whole turn or raises ModelUnavailable / ModelBug; it keeps nothing between calls."""

    @property
    def name(self) -> str: ...

    @property
    def offline(self) -> bool: ...

    async def ask(self, request: TurnRequest, *, on_text: OnText | None = None) -> Turn: ...
