"""Readings over all connected sources that a model asks for by service: one metric, the calls to others, log patterns.

Their docstrings are prompts. Times are UTC.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from difflib import get_close_matches
from typing import Final

from pydantic import Field

from agents.connecting.toolbox import Toolbox
from agents.errors import BadArguments
from agents.evidence.metrics.windowed import Shown, WantedMetric
from agents.evidence.types import Window
from agents.investigation import reading
from agents.investigation.analysis import AnalysisFinding
from agents.investigation.telemetry import Gathered, gather
from agents.processes.evidence_pool import TenantTurns
from agents.rows import Unread
from agents.tool import Arguments, Moment, Tool, ToolOutput, tool, tools_of

_PATIENCE_S: Final = 60.0
_LONGEST: Final = timedelta(days=1)


class ReadArguments(Arguments):
    """Of which service, and when: the last minutes, or from `start` to `end`."""

    service: str = Field(description="A declared service.")
    minutes: int = Field(default=15, ge=1, le=1440, description="How far back from now, or from `end`.")
    start: Moment | None = Field(default=None, description="Instead of minutes, with its time zone.")
    end: Moment | None = Field(default=None, description="Now when left out.")


class MetricArguments(ReadArguments):
    """Which metric, and how it is shown."""

    name: str = Field(min_length=1, max_length=200, description="Its name; a histogram's without _bucket or _count.")
    labels: dict[str, str] = Field(default_factory=dict, description="Only series with these labels.")
    shown: Shown = Field(
        default="rate",
        description="count: events in each cell; rate: per second; mean and p95: of a gauge or a histogram.",
    )


class CallArguments(ReadArguments):
    """Since when the calls are to be compared."""

    since_minutes: int = Field(default=5, ge=1, le=720, description="How many minutes before the end it began.")


class GroupArguments(ReadArguments):
    """Which lines."""

    level: str = Field(default="", max_length=20, description="This level and worse: error, warning, info.")
    grep: str = Field(default="", max_length=200, description="Only lines that hold this text; case does not matter.")


class ReadingTools:
    """Over one tenant's sources; `now` is the run's clock."""

    def __init__(self, *, toolbox: Toolbox, pool: TenantTurns, now: Callable[[], datetime]) -> None:
        self._toolbox = toolbox
        self._pool = pool
        self._now = now

    def tools(self) -> list[Tool]:
        """Those that a connected source can answer."""
        metrics, logs = self._toolbox.metrics, self._toolbox.logs
        needs = {"metric_window": metrics, "call_health": metrics, "log_groups": logs}
        return [one for one in tools_of(self, source="evidence") if needs[one.name]]

    @tool(timeout_s=_PATIENCE_S)
    async def metric_window(self, arguments: MetricArguments) -> ToolOutput:
        """One metric of a service over a window, in full precision, all its series on one grid.

        Use it to see when a metric moved, or to compare its series. Not for what is abnormal: that is rank_causes.
        A name that does not exist answers with those that do.
        Example: {"service": "checkout", "name": "http_requests_total", "labels": {"status": "500"}, "shown": "rate"}
        """
        gathered = await self._gather(arguments, logs=False)
        if "metrics" not in gathered.kinds:
            return _unread("metric", arguments.service, gathered)
        wanted = WantedMetric(
            service=arguments.service, name=arguments.name, labels=dict(arguments.labels), shown=arguments.shown
        )
        return _output(await self._pool.run(reading.metric, gathered, wanted), gathered)

    @tool(timeout_s=_PATIENCE_S)
    async def call_health(self, arguments: CallArguments) -> ToolOutput:
        """What a service measures of its calls to each other service or outside party: rate, errors, latency and
        time-outs, before and since a moment.

        Use it to tell whether a service is slow by itself or waits for somebody. Not for who calls it.
        Example: {"service": "checkout", "minutes": 30, "since_minutes": 10}
        """
        gathered = await self._gather(arguments, logs=False)
        if "metrics" not in gathered.kinds:
            return _unread("metric", arguments.service, gathered)
        since = gathered.window.end - timedelta(minutes=arguments.since_minutes)
        if since <= gathered.window.start:
            raise BadArguments("call_health: since_minutes must be less than the window, or there is nothing before it")
        return _output(await self._pool.run(reading.calls, gathered, arguments.service, since), gathered)

    @tool(timeout_s=_PATIENCE_S)
    async def log_groups(self, arguments: GroupArguments) -> ToolOutput:
        """A service's log lines grouped by pattern: level, how many, first, last, one example line; a stack trace once.

        Use it before search_logs, to see what is logged at all. Not for what is new since the onset: log_patterns.
        Example: {"service": "checkout", "level": "warning"}
        """
        gathered = await self._gather(arguments, metrics=False)
        if "logs" not in gathered.kinds:
            return _unread("log line", arguments.service, gathered)
        given = (arguments.service, arguments.level, arguments.grep)
        return _output(await self._pool.run(reading.log_groups, gathered, *given), gathered)

    async def _gather(self, arguments: ReadArguments, *, metrics: bool = True, logs: bool = True) -> Gathered:
        names = self._toolbox.service_names()
        if arguments.service not in names:
            near = get_close_matches(arguments.service, names, n=1)
            hint = f"; did you mean {near[0]}?" if near else f"; known: {', '.join(names) or 'none'}"
            raise BadArguments(f"{arguments.service!r} is not a declared service{hint}")
        end = arguments.end or self._now()
        window = Window(start=arguments.start or end - timedelta(minutes=arguments.minutes), end=end)
        if not timedelta(0) < window.end - window.start <= _LONGEST:
            raise BadArguments("start must be before end, and no more than a day before it")
        return await gather(
            self._toolbox, window, metrics=metrics, logs=logs, traces=False, services=(arguments.service,)
        )


def _output(finding: AnalysisFinding, gathered: Gathered) -> ToolOutput:
    facts = {**finding.facts, "looked": [look.as_fact() for look in gathered.looks]}
    gap = "; ".join(gathered.gaps) or None
    return ToolOutput(text=finding.text, rows=finding.rows, facts=facts, summary=finding.summary, gap=gap)


def _unread(what: str, service: str, gathered: Gathered) -> ToolOutput:
    """Nothing was read: no absence."""
    text = f"could not look: no {what} of {service} was read"
    rows = (Unread(service=service, reason=text, line=text),)
    return _output(AnalysisFinding(text=text, rows=rows, facts={}, summary=f"no {what} could be read"), gathered)
