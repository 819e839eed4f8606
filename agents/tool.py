"""A typed function becomes a tool that the model may call.

The risk class is set here, in code, and never read from the model. Only `Risk.READ` tools run inside an investigation;
everything that writes is a remediation and goes through an approval.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, TypeVar, get_type_hints

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, ValidationError

from agents.errors import BadArguments
from agents.rows import Row

JsonValue = Any  # a JSON document; parsed where it is used
_MARK = "__autoheal_tool__"


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

    def schema(self) -> dict[str, JsonValue]:
        """The tool as the Messages API wants it."""
        schema = self.arguments.model_json_schema()
        schema.pop("title", None)
        schema.pop("description", None)
        return {"name": self.name, "description": self.description, "input_schema": schema}

    def parse(self, raw: Mapping[str, JsonValue]) -> Arguments:
        """Arguments as the model sent them, checked. Raises BadArguments with what is accepted."""
        try:
            return self.arguments.model_validate(raw)
        except ValidationError as exc:
            problems = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'input'}: {e['msg']}" for e in exc.errors())
            raise BadArguments(f"{self.name}: {problems}") from exc

    async def run(self, arguments: Arguments) -> ToolOutput:
        """Call the function. The caller sets the time-out and catches `AgentError`."""
        return await self.function(arguments)


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
