"""A typed function becomes a tool that the model may call.

The risk class is set here, in code, and never read from the model. Only `Risk.READ` tools run inside an investigation;
everything that writes is a remediation and goes through an approval.
"""

from __future__ import annotations

import inspect
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from difflib import SequenceMatcher
from enum import StrEnum
from typing import Annotated, Any, TypeVar, get_type_hints

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, ValidationError

from agents.errors import BadArguments
from agents.rows import Row

JsonValue = Any  # a JSON document; parsed where it is used
_MARK = "__autoheal_tool__"
_NEAR = 0.83  # of SequenceMatcher, 1 the same: `servce` and `minute` are, `start` and `state` are not


class Risk(StrEnum):
    """How much harm a wrong call can do. Set in code only."""

    READ = "read"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


_FIRST_YEAR, _LAST_YEAR = 2000, 2099


def _within_a_lifetime(at: datetime) -> datetime:
    if not _FIRST_YEAR <= at.year <= _LAST_YEAR:
        raise ValueError(f"a date from {_FIRST_YEAR} to {_LAST_YEAR}")
    return at


Moment = Annotated[AwareDatetime, AfterValidator(_within_a_lifetime)]
"""With a time zone, and far enough from either end of the calendar to be computed with."""


class Arguments(BaseModel):
    """Base of tool arguments: unknown fields are refused, strings are stripped."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class NoArguments(Arguments):
    """A tool without arguments."""


@dataclass(frozen=True, kw_only=True)
class ToolOutput:
    """What a tool found.

    `rows` are the findings as data: what code judges, renders and goes on from. `text` is printed from them for the
    model, and quotes are checked against it (after redaction); code never reads it back. `facts` is what else code
    needs: chart, symptom, ids. `summary` is one line for the thread. `gap` names what could not be read, in words for
    the report.
    """

    text: str
    summary: str
    rows: tuple[Row, ...] = ()
    facts: Mapping[str, JsonValue] = field(default_factory=dict)
    gap: str | None = None


ToolFunction = Callable[[Any], Awaitable[ToolOutput]]


@dataclass(frozen=True, kw_only=True)
class Tool:
    """One callable of the model: name, prompt, argument model, risk and where it reads."""

    name: str
    description: str
    arguments: type[Arguments]
    risk: Risk
    source: str
    timeout: timedelta
    function: ToolFunction
    foreign: bool = False
    """Whether others made it, so that what it says of itself is no word of ours."""

    def schema(self) -> dict[str, JsonValue]:
        """The tool as the Messages API wants it."""
        schema = self.arguments.model_json_schema()
        schema.pop("title", None)
        schema.pop("description", None)
        return {"name": self.name, "description": self.description, "input_schema": schema}

    def mended(self, raw: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
        """The arguments with names that were only just missed put right, where one alone can be meant."""
        known, free = self.arguments.model_fields, set(self.arguments.model_fields) - set(raw)
        found = {name: name if name in known else _meant(name, free) for name in raw}
        taken = Counter(found.values())
        return {right if right and taken[right] == 1 else name: raw[name] for name, right in found.items()}

    def parse(self, raw: Mapping[str, JsonValue]) -> Arguments:
        """Arguments as the model sent them, checked. Raises BadArguments with what is accepted."""
        try:
            return self.arguments.model_validate(self.mended(raw))
        except ValidationError as exc:
            problems = "; ".join(self._problem(e["loc"], e["type"], e["msg"]) for e in exc.errors())
            raise BadArguments(f"{self.name}: {problems}") from exc

    def _problem(self, where: tuple[int | str, ...], kind: str, message: str) -> str:
        name = ".".join(map(str, where)) or "input"
        if kind != "extra_forbidden" or len(where) != 1:
            return f"{name}: {message}"
        likely = next((field for field in self.arguments.model_fields if _short_for(name, field)), None)
        right = f"did you mean {likely}? " if likely else ""
        return f"{name} is no argument; {right}There are: {', '.join(self.arguments.model_fields) or 'none'}"

    async def run(self, arguments: Arguments) -> ToolOutput:
        """Call the function. The caller sets the time-out and catches `AgentError`."""
        return await self.function(arguments)


def _meant(name: str, free: Collection[str]) -> str | None:
    """The one argument that a name stands for but for its spelling: case, hyphens, a plural, one slip."""
    plain = {field: field.replace("_", "") for field in free}
    wanted = re.sub(r"[^a-z0-9]", "", name.lower())
    near = [f for f, letters in plain.items() if letters == wanted] or [
        f for f, letters in plain.items() if SequenceMatcher(a=letters, b=wanted).ratio() >= _NEAR
    ]
    return near[0] if len(near) == 1 else None


def _short_for(name: str, field: str) -> bool:
    """Whether a name abbreviates an argument's (`svc` for `service`)."""
    letters = iter(field)
    return bool(name) and name[0].lower() == field[0] and all(letter in letters for letter in name.lower())


F = TypeVar("F", bound=Callable[..., Awaitable[ToolOutput]])


def tool(*, risk: Risk = Risk.READ, timeout_s: float = 20.0, name: str | None = None) -> Callable[[F], F]:
    """Mark an async method `(self, arguments: SomeArguments) -> ToolOutput` as a tool; its docstring is the prompt."""

    def mark(function: F) -> F:
        setattr(function, _MARK, (risk, timeout_s, name or function.__name__))
        return function

    return mark


def tools_of(owner: object, *, source: str) -> list[Tool]:
    """The marked methods of `owner`, in name order. Raises TypeError without a docstring or argument model."""
    found = [
        _as_tool(owner, member, source)
        for _, member in inspect.getmembers(owner, inspect.ismethod)
        if hasattr(member, _MARK)
    ]
    return sorted(found, key=lambda t: t.name)


def _as_tool(owner: object, method: Callable[..., Awaitable[ToolOutput]], source: str) -> Tool:
    risk, timeout_s, name = getattr(method, _MARK)
    hints = get_type_hints(method)
    hints.pop("return", None)
    models = [h for h in hints.values() if isinstance(h, type) and issubclass(h, Arguments)]
    if len(models) != 1 or not (method.__doc__ or "").strip():
        raise TypeError(f"{type(owner).__name__}.{name}: a tool takes one Arguments model and has a docstring")
    return Tool(
        name=name,
        description=inspect.cleandoc(method.__doc__ or ""),
        arguments=models[0],
        risk=risk,
        source=source,
        timeout=timedelta(seconds=timeout_s),
        function=method,
    )
