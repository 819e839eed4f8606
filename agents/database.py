"""The read tools of a managed database, over anything that can read its metrics and events.

A connector implements `ManagedDatabase` and hands out `DatabaseTools(database)`. What is shown is a digest: metrics
that left their usual range, events, and the statements that cause most load.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from agents.evidence.database.digest import tell_events, tell_metrics
from agents.evidence.database.types import Series
from agents.tool import NoArguments, ToolOutput, tool


class ManagedDatabase(Protocol):
    """One instance with its replicas."""

    @property
    def instance(self) -> str: ...

    async def read_metrics(self) -> Sequence[Series]:
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
        text = tell_metrics(await self._database.read_metrics(), self._database.instance)
        return ToolOutput(text=text, summary=text.splitlines()[0])

    @tool()
    async def database_events(self, _arguments: NoArguments) -> ToolOutput:
        """The database's events in their order, and the statements that cause most load with what they wait for."""
        text = tell_events(await self._database.read_events())
        return ToolOutput(text=text, summary=f"{len(text.splitlines())} lines")
