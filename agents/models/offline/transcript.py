"""What a conversation holds, taken anew on every turn: question, services, results, what people said, what is due.

Everything here comes from `TurnRequest`: its calls and its briefing, never a text that was printed for a model. So a
run that was interrupted, or begun by another model, is understood the same way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from agents.gate.claims import Run
from agents.gate.evidence import Evidence
from agents.models.model import Note, TurnRequest
from agents.rows import Row, Unread

CALL_PREFIX: Final = "toolu_offline_"
R = TypeVar("R", bound=Row)


@dataclass(frozen=True, kw_only=True)
class Result:
    """One answered call. `evidence` is what was stored of it, None where nothing was; `place` orders the history."""

    tool: str
    arguments: Mapping[str, Any]
    evidence: Evidence | None
    is_error: bool
    place: int

    @property
    def id(self) -> str:
        """What a claim cites, empty where nothing was stored."""
        return self.evidence.id if self.evidence else ""

    @property
    def rows(self) -> tuple[Row, ...]:
        return self.evidence.rows if self.evidence else ()

    def of(self, kind: type[R]) -> list[R]:
        """Its rows of one kind, in their order."""
        return [row for row in self.rows if isinstance(row, kind)]

    @property
    def failure(self) -> str:
        """Why it failed, in one line."""
        return next((row.reason.partition("\n")[0] for row in self.of(Unread)), "no answer")


@dataclass(frozen=True, kw_only=True)
class Transcript:
    """`calls` go from caller to callees. `turn` numbers the answer that is due, `own_turns` those given offline."""

    question: str
    said: tuple[str, ...]
    calls: Mapping[str, tuple[str, ...]]
    connected: tuple[str, ...]
    missing: tuple[str, ...]
    tools: Mapping[str, frozenset[str]]
    results: tuple[Result, ...]
    asked: tuple[tuple[str, Mapping[str, Any]], ...]
    notes: tuple[Note, ...]
    hurried: bool
    turn: int
    own_turns: int
    aliases: Mapping[str, str] = field(default_factory=dict)
    remedies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    namespaces: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By tool, where it takes the name of one of several namespaces."""

    def of(self, tool: str) -> list[Result]:
        """Usable results of one tool, oldest first."""
        return [r for r in self.results if r.tool == tool and not r.is_error and r.id]

    def failed(self) -> list[Result]:
        """The last answer of each reading tool whose last answer was an error."""
        last = {(r.tool, str(sorted(r.arguments.items()))): r for r in self.results if r.tool != "conclude"}
        return [r for r in last.values() if r.is_error]

    def evidence(self) -> list[Evidence]:
        """All that was read."""
        return [r.evidence for r in self.results if r.evidence is not None and not r.is_error]

    def run(self) -> Run:
        """All that was read, as the gate takes it."""
        return Run(evidence={item.id: item for item in self.evidence()}, services=tuple(self.calls))

    def was_asked(self, tool: str, arguments: Mapping[str, Any]) -> bool:
        return any(name == tool and dict(given) == dict(arguments) for name, given in self.asked)

    def takes(self, tool: str, *arguments: str) -> bool:
        """Whether the tool is there and takes these arguments."""
        return tool in self.tools and set(arguments) <= self.tools[tool]

    def reach(self, service: str) -> set[str]:
        """The service and all that it calls, directly or not."""
        found, due = set[str](), [service]
        while due:
            one = due.pop()
            if one not in found:
                found.add(one)
                due.extend(self.calls.get(one, ()))
        return found


@dataclass(kw_only=True)
class _Reading:
    results: list[Result] = field(default_factory=list)
    asked: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    calls: dict[str, tuple[str, Mapping[str, Any]]] = field(default_factory=dict)
    turns: int = 0
    own_turns: int = 0


def read_transcript(request: TurnRequest) -> Transcript:
    """Never raises on odd content: what is not understood is left out."""
    reading, told = _Reading(), request.briefing
    for place, message in enumerate(request.messages):
        if message.get("role") == "assistant":
            _read_answer(reading, message.get("content"))
        elif message.get("role") == "user":
            _read_results(reading, message.get("content"), place, told.reads)
    return Transcript(
        question=told.question.strip(),
        said=told.said,
        calls=told.services,
        aliases=told.aliases,
        remedies=told.remedies,
        connected=told.connected,
        missing=told.missing,
        tools={str(t.get("name")): _arguments(t) for t in request.tools},
        namespaces={str(t.get("name")): found for t in request.tools if (found := _namespaces(t))},
        results=tuple(reading.results),
        asked=tuple(reading.asked),
        notes=told.notes,
        hurried=told.hurried,
        turn=reading.turns,
        own_turns=reading.own_turns,
    )


def _read_answer(reading: _Reading, content: object) -> None:
    reading.turns += 1
    uses = [b for b in _blocks(content) if b.get("type") == "tool_use"]
    if any(str(b.get("id", "")).startswith(CALL_PREFIX) for b in uses):
        reading.own_turns += 1
    for block in uses:
        given = block.get("input")
        call = (str(block.get("name", "")), given if isinstance(given, Mapping) else {})
        reading.calls[str(block.get("id", ""))] = call
        reading.asked.append(call)


def _read_results(reading: _Reading, content: object, place: int, reads: Mapping[str, Evidence]) -> None:
    for block in _blocks(content):
        if block.get("type") != "tool_result":
            continue
        answered = str(block.get("tool_use_id", ""))
        tool, arguments = reading.calls.get(answered, ("", {}))
        evidence, is_error = reads.get(answered), bool(block.get("is_error"))
        found = Result(tool=tool, arguments=arguments, evidence=evidence, is_error=is_error, place=place)
        reading.results.append(found)


def _arguments(schema: Mapping[str, Any]) -> frozenset[str]:
    wanted = schema.get("input_schema")
    properties = wanted.get("properties") if isinstance(wanted, Mapping) else None
    return frozenset(map(str, properties)) if isinstance(properties, Mapping) else frozenset()


def _namespaces(schema: Mapping[str, Any]) -> tuple[str, ...]:
    wanted = schema.get("input_schema")
    properties = wanted.get("properties") if isinstance(wanted, Mapping) else None
    field_ = properties.get("namespace") if isinstance(properties, Mapping) else None
    given = field_.get("enum") if isinstance(field_, Mapping) else None
    return tuple(map(str, given)) if isinstance(given, list) else ()


def _blocks(content: object) -> list[Mapping[str, Any]]:
    if isinstance(content, str) or not isinstance(content, Sequence):
        return []
    return [b for b in content if isinstance(b, Mapping)]
