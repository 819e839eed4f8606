"""The tool that searches the logs of a service, wherever they are kept.

It stands beside the other tools of an investigation only where something that can search logs is connected.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from agents.connecting.log_search import LogSearch, SearchLogs, lines_found
from agents.connecting.toolbox import Toolbox
from agents.errors import Unavailable
from agents.evidence.types import Window
from agents.investigation.coverage import Look
from agents.investigation.telemetry import Attempt, ask_all
from agents.rows import Logged
from agents.tool import Tool, ToolOutput, tool, tools_of

_TIMEOUT_S: Final = 40.0


class LogTools:
    """Bound to one tenant's sources; `now` is the run's clock."""

    def __init__(self, toolbox: Toolbox, *, now: Callable[[], datetime]) -> None:
        self._toolbox, self._now = toolbox, now

    def tools(self) -> list[Tool]:
        return tools_of(self, source="evidence") if self._sources() else []

    @tool(timeout_s=_TIMEOUT_S)
    async def search_logs(self, arguments: SearchLogs) -> ToolOutput:
        """The newest log lines of a service that match, oldest first. Quote them verbatim."""
        sources = [one for one in self._sources() if one.keeps_log_of(arguments.service)] or self._sources()
        if len(sources) == 1:
            return await sources[0].search_logs(arguments)
        window = arguments.window(self._now())
        asked = arguments.model_copy(update={"start": window.start, "end": window.end})
        return _together(asked, window, await ask_all(sources, lambda source: source.search_logs(asked)))

    def _sources(self) -> list[LogSearch]:
        return [one for one in self._toolbox.connectors if isinstance(one, LogSearch)]


def _together(arguments: SearchLogs, window: Window, reads: Sequence[Attempt[ToolOutput]]) -> ToolOutput:
    """The newest lines of all that answered. Raises Unavailable where none did."""
    answers = [one.answer for one in reads if one.answer is not None]
    gaps = [Look(source=one.source, why=one.why).gap for one in reads if one.why]
    if not answers:
        raise Unavailable("; ".join(gaps))
    found = sorted(
        (row for answer in answers for row in answer.rows if isinstance(row, Logged)),
        key=lambda row: row.first or window.start,
    )
    gaps += [answer.gap for answer in answers if answer.gap]
    if len(found) > arguments.limit:
        gaps.append(f"only the newest {arguments.limit} of more lines are shown")
    return lines_found(arguments.service, window, arguments.wanted, found[-arguments.limit :], gaps)
