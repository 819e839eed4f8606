"""What a conversation says, read again on every turn: question, services, results, what people said, what is due.

Everything here comes from `TurnRequest`, so a run that was interrupted, or begun by another model, is understood the
same way. Results count only with the tool that they were asked from: text inside one never poses as another's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from agents.model import TurnRequest

CALL_PREFIX: Final = "toolu_offline_"
_HEADER: Final = re.compile(r"\[(A\d{1,4})\] [^\n]{1,200}, \d\d:\d\d:\d\d UTC(?:\n|$)")
_SERVICE: Final = re.compile(r"- ([a-z0-9][a-z0-9._-]{0,39})(?: \([^)]*\))?(?:, calls (.+))?")
_NOTE: Final = "A person in the thread says:"
_HURRY: Final = ("Conclude now", "Call `conclude` now")


@dataclass(frozen=True, kw_only=True)
class Result:
    """One answered call. `id` is what a claim cites, empty where nothing was stored; `place` orders the history."""

    id: str
    tool: str
    arguments: Mapping[str, Any]
    text: str
    is_error: bool
    place: int


@dataclass(frozen=True, kw_only=True)
class Note:
    """What a person said while the run was going on."""

    text: str
    place: int


@dataclass(frozen=True, kw_only=True)
class Transcript:
    """`calls` go from caller to callees. `turn` numbers the answer that is due, `own_turns` those given offline."""

    question: str
    said: str
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

    def of(self, tool: str) -> list[Result]:
        """Usable results of one tool, oldest first."""
        return [r for r in self.results if r.tool == tool and not r.is_error and r.id]

    def failed(self) -> list[Result]:
        """The last answer of each reading tool whose last answer was an error."""
        last = {(r.tool, str(sorted(r.arguments.items()))): r for r in self.results if r.tool != "conclude"}
        return [r for r in last.values() if r.is_error]

    def corpus(self) -> str:
        return "\n".join(r.text for r in self.results if r.id and not r.is_error)

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
    opening: str = ""
    results: list[Result] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    asked: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    calls: dict[str, tuple[str, Mapping[str, Any]]] = field(default_factory=dict)
    hurried: bool = False
    turns: int = 0
    own_turns: int = 0


def read_transcript(request: TurnRequest) -> Transcript:
    """Never raises on odd content: what is not understood is left out."""
    reading = _Reading()
    for place, message in enumerate(request.messages):
        role, content = message.get("role"), message.get("content")
        if role == "assistant":
            _read_answer(reading, content)
        elif role == "system":
            _read_system(reading, _text(content), place)
        elif role == "user":
            if not reading.opening and not reading.turns:
                reading.opening = _text(content)
            reading.results.extend(_results(reading, content, place))
    opening = _read_opening(reading.opening)
    return Transcript(
        **opening,
        tools={str(t.get("name")): _arguments(t) for t in request.tools},
        results=tuple(reading.results),
        asked=tuple(reading.asked),
        notes=tuple(reading.notes),
        hurried=reading.hurried,
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


def _read_system(reading: _Reading, text: str, place: int) -> None:
    if text.startswith(_NOTE):
        reading.notes.append(Note(text=text.removeprefix(_NOTE).strip(), place=place))
    elif text.startswith(_HURRY):
        reading.hurried = True


def _results(reading: _Reading, content: object, place: int) -> Iterator[Result]:
    for block in _blocks(content):
        if block.get("type") != "tool_result":
            continue
        tool, arguments = reading.calls.get(str(block.get("tool_use_id", "")), ("", {}))
        text = _text(block.get("content"))
        header = _HEADER.match(text)
        yield Result(
            id=header.group(1) if header else "",
            tool=tool,
            arguments=arguments,
            text=text[header.end() :] if header else text,
            is_error=bool(block.get("is_error")),
            place=place,
        )


def _read_opening(text: str) -> dict[str, Any]:
    parts = text.split("\n\n")
    declared = next((p for p in parts if p.startswith("Declared services:")), "")
    calls: dict[str, tuple[str, ...]] = {}
    for line in declared.splitlines()[1:]:
        if match := _SERVICE.fullmatch(line.strip()):
            calls[match.group(1)] = tuple(c.strip() for c in (match.group(2) or "").split(",") if c.strip())
    sources = next((p for p in parts if p.startswith("Connected:")), "")
    connected, _, missing = sources.partition(". Not connected:")
    said_at = text.rfind("Said in the thread so far:")
    question = text[: text.find("\n\nDeclared services:")] if declared else text
    return {
        "question": question.removeprefix("Question from the thread:").strip(),
        "said": text[said_at:].partition(":")[2].strip() if said_at >= 0 else "",
        "calls": calls,
        "connected": _words(connected.removeprefix("Connected:"), "nothing"),
        "missing": _words(missing.rstrip("."), "nothing missing"),
    }


def _words(text: str, nothing: str) -> tuple[str, ...]:
    return tuple(w.strip() for w in text.split(",") if w.strip() and w.strip() != nothing)


def _arguments(schema: Mapping[str, Any]) -> frozenset[str]:
    wanted = schema.get("input_schema")
    properties = wanted.get("properties") if isinstance(wanted, Mapping) else None
    return frozenset(map(str, properties)) if isinstance(properties, Mapping) else frozenset()


def _blocks(content: object) -> list[Mapping[str, Any]]:
    if isinstance(content, str) or not isinstance(content, Sequence):
        return []
    return [b for b in content if isinstance(b, Mapping)]


def _text(content: object) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(str(b.get("text", "")) for b in _blocks(content) if b.get("type") == "text")
