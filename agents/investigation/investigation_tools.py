"""The tools that every investigation has, over whatever sources are connected. All of them read.

Their docstrings are prompts. Times are UTC. Results are stored as artifacts before the model sees them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import re2
from pydantic import Field

from agents.connecting.connector import ChangeSource, Diff, altered_row
from agents.connecting.toolbox import Toolbox
from agents.english import counted
from agents.errors import AgentError, BadArguments
from agents.evidence.types import Change, Edge, Window
from agents.investigation import analysis
from agents.investigation.analysis import AnalysisFinding, Symptom, Told
from agents.investigation.scope import rings, unread
from agents.investigation.telemetry import Gathered, gather
from agents.processes.evidence_pool import TenantTurns
from agents.processes.evidence_worker import Overran
from agents.rows import Suspect, Unread
from agents.tool import Arguments, Tool, ToolOutput, tool, tools_of
from agents.verdict import DraftHypothesis

STRANGERS: Final = "strangers"
"""Under this fact stand names of services in traces that nobody declared."""
_MOST_STRANGERS: Final = 20
_PAGE_CHARACTERS: Final = 6_000
_PATIENCE_S: Final = 90.0  # on a machine with ten programs a core; on a quiet one an answer takes a second
_SHARED: Final = timedelta(seconds=4)
_LEAST_USUAL_MINUTES: Final = 10  # read before an incident that began a while ago,
_MOST_USUAL_MINUTES: Final = 60  # or as long as it lasts, up to this
_MOST_MINUTES: Final = 11_520  # eight days: this hour yesterday, and a week ago
_DAY_MINUTES: Final = 1_440
_DAYS_GAP: Final = "logs and traces are not read over more than a day: only metrics were compared"


@dataclass(frozen=True, kw_only=True)
class StoredResult:
    """A result of this run, as `fetch_more` reads it."""

    id: str
    text: str


class WindowArguments(Arguments):
    """How far back to look."""

    minutes: int = Field(
        default=10,
        ge=1,
        le=_MOST_MINUTES,
        description="How far back from now, in minutes. With days (2880 and more) the last hours are also compared "
        "with the days before, by metrics alone: for what is wrong without a plain beginning.",
    )
    symptom_service: str | None = Field(default=None, description="Where people notice it, if known.")
    symptom: Symptom | None = Field(
        default=None, description="What they notice there, if known: requests that fail, or that take long."
    )
    since_minutes: int | None = Field(
        default=None,
        ge=1,
        le=1440,
        description="How many minutes ago it began, if somebody or an alert says so; may be a few minutes wrong. "
        "Left out, it is looked for in the last ten minutes.",
    )
    wait_s: int = Field(default=0, ge=0, le=10, description="Seconds to wait first: a report may come before the data.")


class LogArguments(WindowArguments):
    """Which service's logs."""

    service: str | None = Field(default=None, description="One service; all when left out.")


class BreakdownArguments(WindowArguments):
    """Whose requests."""

    service: str = Field(description="A declared service.")
    operation: str | None = Field(
        default=None, max_length=200, description="Only requests with this operation, as traces name it."
    )


class SiblingArguments(WindowArguments):
    """Whose pods or instances."""

    service: str = Field(description="A declared service.")


class CompareArguments(Arguments):
    """Two windows of the same length: the last minutes, and an earlier stretch."""

    minutes: int = Field(default=10, ge=1, le=240, description="Length of each window; the later one ends now.")
    ago_minutes: int = Field(
        default=60,
        ge=1,
        le=20160,
        description="When the earlier window ended; 1440 is the same time yesterday.",
    )
    service: str | None = Field(default=None, description="One service; all when left out.")


class DiffArguments(Arguments):
    """Which change to read."""

    change: str = Field(description="Id of a change exactly as the change tools print it.")


class MoreArguments(Arguments):
    """Which part of an earlier result."""

    artifact: str = Field(pattern=r"^A\d{1,4}$", description="Id of an earlier result, such as A3.")
    grep: str | None = Field(
        default=None, max_length=200, description="Regular expression; only matching lines are returned."
    )
    offset: int = Field(default=0, ge=0, description="Character to start from.")


class HypothesesArguments(Arguments):
    """All hypotheses with their present state."""

    hypotheses: tuple[DraftHypothesis, ...] = Field(min_length=1, max_length=8)


class InvestigationTools:
    """Bound to one run of one tenant. `stored` answers the run's artifacts."""

    def __init__(
        self,
        *,
        toolbox: Toolbox,
        pool: TenantTurns,
        now: Callable[[], datetime],
        stored: Callable[[], Awaitable[Sequence[StoredResult]]],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._toolbox = toolbox
        self._pool = pool
        self._now = now
        self._stored = stored
        self._sleep = sleep
        self._reads: dict[tuple[int, int, tuple[str, ...] | None], tuple[datetime, asyncio.Task[Gathered]]] = {}

    def tools(self) -> list[Tool]:
        """Those that the connected sources can answer, in name order."""
        unanswered = set() if self._toolbox.traces else {"trace_breakdown"}
        return [tool for tool in tools_of(self, source="evidence") if tool.name not in unanswered]

    @tool(timeout_s=_PATIENCE_S)
    async def rank_causes(self, arguments: WindowArguments) -> ToolOutput:
        """Rank the likely causes of what is abnormal now, from all connected metrics, traces, logs and changes at once.

        Start here. Answers the onset, the symptom, suspects best first with their strongest metric, log pattern and
        nearby change, or that nothing is abnormal. Numbers and log examples in the answer can be quoted. The ranking is
        statistics, not proof: check the first suspect with its logs and, when a change is suspected, read its diff.
        """
        for place in range(len(self._rings(arguments))):
            gathered = await self._gather(arguments, ring=place)
            if not gathered.can_judge:
                return _unread("metric, log line or trace", gathered)
            found = await self._weighed(analysis.rank, arguments, gathered)
            if any(isinstance(row, Suspect) for row in found.rows):
                break  # it explains something: further away there is no better place to look
            arguments = arguments.model_copy(update={"wait_s": 0})  # it has waited
        recorded = gathered.spans.services if gathered.spans is not None else ()
        strangers = sorted(set(recorded) - set(self._toolbox.service_names()))[:_MOST_STRANGERS]
        return replace(found, facts={**found.facts, STRANGERS: strangers}) if strangers else found

    @tool(timeout_s=_PATIENCE_S)
    async def log_patterns(self, arguments: LogArguments) -> ToolOutput:
        """Log patterns that are new, grew or vanished since the onset, rarest first, each with one verbatim example
        line.
        """
        if arguments.service is not None:
            self._known(arguments.service)
        gathered = await self._gather(arguments)
        if "logs" not in gathered.kinds:
            return _unread("log line", gathered)
        found = await self._pool.run(
            analysis.log_shifts, gathered, self._toolbox.edges, self._told(arguments, gathered), arguments.service
        )
        return _output(found, gathered)

    @tool(timeout_s=_PATIENCE_S)
    async def what_changed(self, arguments: WindowArguments) -> ToolOutput:
        """Deployments and other changes, each with its time before or after the onset and whether it reaches the
        symptom.
        """
        gathered = await self._gather(arguments)
        if "changes" not in gathered.kinds:
            return _unread("change", gathered)
        return await self._weighed(analysis.changes, arguments, gathered)

    @tool(timeout_s=_PATIENCE_S)
    async def trace_breakdown(self, arguments: BreakdownArguments) -> ToolOutput:
        """Where the time of one service's requests goes now and before the onset: its own work and each service it
        calls, with ids of slow traces.

        Follow the part that took the added time: call this again for the called service, or read its logs and changes.
        """
        self._known(arguments.service)
        gathered = await self._gather(arguments)
        if "traces" not in gathered.kinds:
            return _unread("trace", gathered)
        told = self._told(arguments, gathered)
        found = await self._pool.run(
            analysis.breakdown, gathered, self._toolbox.edges, told, arguments.service, arguments.operation
        )
        return _output(found, gathered)

    @tool(timeout_s=_PATIENCE_S)
    async def compare_siblings(self, arguments: SiblingArguments) -> ToolOutput:
        """Compare the pods, instances or hosts of one service with one another: one bad replica, a bad node, or all
        of them alike.

        Needs no time before the incident. Ask it about the first suspect, above all before a change is blamed that
        reached every replica.
        """
        self._known(arguments.service)
        end = self._now()
        window = Window(start=end - timedelta(minutes=_minutes(arguments)), end=end)
        gathered = await gather(self._toolbox, window, logs=False, traces=False, services=(arguments.service,))
        if "metrics" not in gathered.kinds:
            return _unread("metric", gathered)
        told = self._told(arguments, gathered)
        found = await self._pool.run(analysis.siblings, gathered, self._toolbox.edges, told, arguments.service)
        return _output(found, gathered)

    @tool(timeout_s=_PATIENCE_S)
    async def compare_windows(self, arguments: CompareArguments) -> ToolOutput:
        """Compare the last minutes with an earlier stretch of the same length, metrics and log patterns.

        For what has no clear onset: worse than before a deployment, than an hour ago, than yesterday at this time.
        """
        if arguments.service is not None:
            self._known(arguments.service)
        length, end = timedelta(minutes=arguments.minutes), self._now()
        ended = end - timedelta(minutes=max(arguments.ago_minutes, arguments.minutes))
        then, now = await asyncio.gather(
            gather(self._toolbox, Window(start=ended - length, end=ended), traces=False),
            gather(self._toolbox, Window(start=end - length, end=end), traces=False),
        )
        for one in (then, now):
            if not one.can_judge:
                return _unread("metric or log line", one)
        found = await self._pool.run(analysis.compare, then, now, arguments.service)
        return _output(found, replace(now, gaps=tuple(dict.fromkeys((*then.gaps, *now.gaps)))))

    @tool()
    async def read_diff(self, arguments: DiffArguments) -> ToolOutput:
        """What a change altered, line by line. A change may be called a cause only after its diff was read in this
        run.
        """
        change, diff = await self._diff(arguments.change)
        others = "".join(f"\nalso contains: {other}" for other in diff.others)
        migrations = "".join(f"\nmigration in between: {path}" for path in diff.migrations)
        versions = f"{diff.from_version[:12]} -> {diff.to_version[:12]}"
        header = f"{change.service} {versions} at {change.at:%H:%M:%S} UTC: {change.summary}"
        facts = {"diff_of": change.id, "paths": list(diff.paths), "link": diff.link}
        altered = replace(altered_row(diff), change=change.id, at=change.at, summary=change.summary, line=header)
        return ToolOutput(
            text=f"{header}{others}{migrations}\n{diff.text}",
            rows=(altered,),
            facts=facts,
            gap=None if diff.whole else f"the diff of {change.id} was cut: files that machines write come last in it",
            summary=f"{counted(len(diff.paths), 'file')} changed",
        )

    @tool()
    async def fetch_more(self, arguments: MoreArguments) -> ToolOutput:
        """Read another part of an earlier result of this run, by offset or filtered by a regular expression."""
        result = next((r for r in await self._stored() if r.id == arguments.artifact), None)
        if result is None:
            raise BadArguments(f"{arguments.artifact} is not a result of this run")
        text = _matching(result.text, arguments.grep) if arguments.grep else result.text
        page = text[arguments.offset : arguments.offset + _PAGE_CHARACTERS]
        rest = len(text) - arguments.offset - len(page)
        return ToolOutput(
            text=f"{page}\n({rest} more characters)" if rest > 0 else page,
            summary=f"{counted(len(page), 'character')} of {result.id}",
        )

    @tool()
    async def state_hypotheses(self, arguments: HypothesesArguments) -> ToolOutput:
        """Show the people in the thread which explanations you consider and how each stands. Always send the whole
        list.
        """
        lines = [f"{h.id} {h.text}: {h.state}. {h.reason}".strip() for h in arguments.hypotheses]
        return ToolOutput(
            text="shown", summary=lines[0], facts={"hypotheses": [h.model_dump() for h in arguments.hypotheses]}
        )

    async def _weighed(
        self,
        analyse: Callable[[Gathered, Sequence[Edge], Told], AnalysisFinding],
        arguments: WindowArguments,
        gathered: Gathered,
    ) -> ToolOutput:
        """What all sources say together; where that is too much to work out, what metrics and changes say."""
        told = self._told(arguments, gathered)
        try:
            found = await self._pool.run(analyse, gathered, self._toolbox.edges, told)
        except Overran as exc:
            gathered = replace(gathered, logs=(), spans=None, gaps=(*gathered.gaps, f"logs and traces not used: {exc}"))
            found = await self._pool.run(analyse, gathered, self._toolbox.edges, told)
        return _output(found, gathered)

    def _known(self, service: str) -> None:
        names = self._toolbox.service_names()
        if service not in names:
            raise BadArguments(f"{service!r} is not a declared service; known: {', '.join(names) or 'none'}")

    def _told(self, arguments: WindowArguments, gathered: Gathered) -> Told:
        ago = arguments.since_minutes
        return Told(
            service=arguments.symptom_service if arguments.symptom_service in self._toolbox.service_names() else None,
            symptom=arguments.symptom,
            since=None if ago is None else gathered.window.end - timedelta(minutes=ago),
        )

    def _rings(self, arguments: WindowArguments) -> list[tuple[str, ...] | None]:
        about = getattr(arguments, "service", None) or arguments.symptom_service
        return rings(self._toolbox.service_names(), self._toolbox.edges, about)

    async def _gather(self, arguments: WindowArguments, *, ring: int = 0) -> Gathered:
        """Calls made together share one read: parsing ten minutes of logs is most of an investigation's work.

        Of a large fleet, a ring around the service that it is about.
        """
        services = self._rings(arguments)[ring]
        key, now = (_minutes(arguments), arguments.wait_s, services), self._now()
        began, read = self._reads.get(key, (None, None))
        if read is None or began is None or read.cancelled() or now - began > _SHARED:
            read = asyncio.create_task(self._read(arguments, services))
            self._reads[key] = (now + timedelta(seconds=arguments.wait_s), read)
        return await asyncio.shield(read)

    async def _read(self, arguments: WindowArguments, services: tuple[str, ...] | None) -> Gathered:
        await self._sleep(arguments.wait_s)
        end = self._now()
        window = Window(start=end - timedelta(minutes=_minutes(arguments)), end=end)
        days = arguments.minutes > _DAY_MINUTES
        found = await gather(self._toolbox, window, services=services, logs=not days, traces=not days)
        if days and (self._toolbox.logs or self._toolbox.traces):
            found = replace(found, gaps=(*found.gaps, _DAYS_GAP))
        about = getattr(arguments, "service", None) or arguments.symptom_service
        left = unread(self._toolbox.service_names(), services, about)
        return found if left is None else replace(found, gaps=(*found.gaps, left))

    async def _diff(self, change_id: str) -> tuple[Change, Diff]:
        end = self._now()
        window = Window(start=end - timedelta(days=14), end=end)
        for source in self._toolbox.changes:
            for change in (await source.read_changes(window)).changes:
                if change.id == change_id:
                    if not change.version or not change.previous_version:
                        raise BadArguments(f"{change_id} has no earlier version to compare with")
                    diff = await self._compared(source, change.service, change.previous_version, change.version)
                    return change, await self._with_code(change, diff)
        raise BadArguments(f"no change {change_id!r} is known; use an id exactly as the change tools print it")

    async def _with_code(self, change: Change, diff: Diff) -> Diff:
        """With what of the code changed, before what the rollout itself altered, where a source holds it."""
        if not change.commit or not change.previous_commit or change.commit == change.previous_commit:
            return diff
        commits = f"{change.previous_commit[:12]} to {change.commit[:12]}"
        for source in self._toolbox.changes:
            try:
                code = await source.read_diff(change.service, change.previous_commit, change.commit)
            except AgentError:
                continue  # another one may hold it; that none does is said below
            return replace(
                code,
                from_version=diff.from_version,
                to_version=diff.to_version,
                text=f"{code.text}\n{diff.text}",
                paths=(*code.paths, *diff.paths),
                whole=code.whole and diff.whole,
            )
        return replace(diff, text=f"{diff.text}\nNo source told what of the code changed from commit {commits}.")

    async def _compared(self, first: ChangeSource, service: str, old: str, new: str) -> Diff:
        """From the source that told of the change, or from another one that knows both versions: what sees that
        something was deployed seldom has its code. Raises what the first said.
        """
        failure: AgentError | None = None
        for source in (first, *(one for one in self._toolbox.changes if one is not first)):
            try:
                return await source.read_diff(service, old, new)
            except AgentError as exc:
                failure = failure or exc
        raise failure or BadArguments(f"nobody knows {old[:12]} and {new[:12]} of {service}")


def _minutes(arguments: WindowArguments) -> int:
    """How far back to read: before what somebody says there must be enough to compare with."""
    ago = arguments.since_minutes
    if ago is None:
        return arguments.minutes
    usual = min(max(ago, _LEAST_USUAL_MINUTES), _MOST_USUAL_MINUTES)
    return max(arguments.minutes, ago + usual)


def _output(found: AnalysisFinding, gathered: Gathered) -> ToolOutput:
    gap = "; ".join(gathered.gaps) or None
    facts = {**found.facts, "looked": [look.as_fact() for look in gathered.looks]}
    return ToolOutput(text=found.text, rows=found.rows, facts=facts, summary=found.summary, gap=gap)


def _unread(what: str, gathered: Gathered) -> ToolOutput:
    """Nothing to judge: neither "nothing is wrong" nor a fault of the tool."""
    span = f"{gathered.window.start:%d %b %H:%M:%S} to {gathered.window.end:%H:%M:%S} UTC"
    reasons = [f"could not look: no {what} of {span} was read", *(f"gap: {gap}" for gap in gathered.gaps)]
    rows = tuple(Unread(reason=reason.removeprefix("gap: "), line=reason) for reason in reasons)
    summary = f"no {what} could be read"
    return _output(AnalysisFinding(text="\n".join(reasons), rows=rows, facts={}, summary=summary), gathered)


def _matching(text: str, pattern: str) -> str:
    try:
        options = re2.Options()
        options.log_errors = False  # it would write the pattern to the console
        compiled = re2.compile(pattern, options)
    except re2.error as exc:
        raise BadArguments(f"the regular expression cannot be used: {exc}") from exc
    return "\n".join(line for line in text.splitlines() if compiled.search(line))
