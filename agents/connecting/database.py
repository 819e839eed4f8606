"""The read tools of a managed database, over anything that can read its metrics and events.

A connector implements `ManagedDatabase` and hands out `DatabaseTools(database)`. What is shown is a digest: metrics
that left their usual range, events, and the statements that cause most load.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from agents.english import counted
from agents.evidence.database.digest import tell_events, tell_metrics
from agents.evidence.database.types import DatabaseSeries, Shape
from agents.rows import Logged, Moved, Searched
from agents.tool import NoArguments, ToolOutput, tool


class ManagedDatabase(Protocol):
    """One instance with its replicas."""

    @property
    def instance(self) -> str: ...

    async def read_metrics(self) -> Sequence[DatabaseSeries]:
        """All metrics of the last minutes. Raises AgentError."""

    async def read_events(self) -> Sequence[str]:
        """Events in time order, then `top statement: ... | load ... | waits: ...` lines. Raises AgentError."""


class DatabaseTools:
    """Each docstring is a prompt. Both read."""

    def __init__(self, database: ManagedDatabase) -> None:
        self._database = database

    @tool()
    async def database_metrics(self, _arguments: NoArguments) -> ToolOutput:
        """The database's metrics that left their usual range, each with first, lowest, highest and last value."""
        text, shapes = tell_metrics(await self._database.read_metrics(), self._database.instance)
        rows = tuple(_moved(self._database.instance, shape) for shape in shapes)
        return ToolOutput(text=text, rows=rows or (self._nothing(text),), summary=text.splitlines()[0])

    @tool()
    async def database_events(self, _arguments: NoArguments) -> ToolOutput:
        """The database's events in their order, and the statements that cause most load with what they wait for."""
        lines = tell_events(await self._database.read_events())
        rows = tuple(Logged(service=self._database.instance, example=line, line=line) for line in lines)
        text = "\n".join(lines) or "no events"
        return ToolOutput(text=text, rows=rows or (self._nothing(text),), summary=counted(len(lines), "line"))

    def _nothing(self, line: str) -> Searched:
        what = "metrics that left their usual range" if line != "no events" else "events"
        return Searched(service=self._database.instance, what=what, found=0, line=line.partition("\n")[0])


def _moved(instance: str, shape: Shape) -> Moved:
    return Moved(
        service=instance,
        indicator=shape.name,
        unit=shape.unit,
        before=shape.first,
        now=shape.last,
        lowest=shape.lowest,
        highest=shape.highest,
        line=shape.line,
    )
