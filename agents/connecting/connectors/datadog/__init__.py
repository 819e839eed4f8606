"""Reads Datadog: monitors, metrics, logs by tier, recorded requests, events and deployments. Mutes one monitor, or one
group of it, for a while where a person approved it, and takes that back.

https://docs.datadoghq.com/api/latest/ -- by an API key and the application key of a service account. A question that
the keys may not ask is a gap: a 403 proves nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final
from urllib.parse import quote, urlsplit

from agents.connecting.active_alerts import ActiveAlert, AlertsRead, Silence
from agents.connecting.connector import (
    ActionResult,
    ChangesRead,
    Check,
    Connector,
    ConnectorContext,
    Diff,
    Discovery,
    LogsRead,
    SeriesRead,
    SpansRead,
    TargetState,
)
from agents.connecting.connectors.datadog.asked import (
    DatadogEvents,
    DatadogLogs,
    DatadogNames,
    DatadogQuery,
    DatadogSpans,
    DatadogTrace,
    OfDatadogService,
)
from agents.connecting.connectors.datadog.changes import ChangeReader
from agents.connecting.connectors.datadog.checking import check_scopes, discover_services
from agents.connecting.connectors.datadog.client import DatadogClient
from agents.connecting.connectors.datadog.metrics import MetricReader
from agents.connecting.connectors.datadog.monitors import TRIGGERED, MonitorReader
from agents.connecting.connectors.datadog.muting import MonitorMuting
from agents.connecting.connectors.datadog.reading import LOGS, PAGE, SPANS, SearchReader, within
from agents.connecting.connectors.datadog.settings import FORM, SCOPES, DatadogConfig
from agents.connecting.connectors.datadog.spans import render_items, render_tree
from agents.connecting.connectors.datadog.tags import ServiceTags, phrase
from agents.english import counted
from agents.errors import AgentError, BadArguments
from agents.evidence.types import LogLine, Window, as_utc
from agents.rows import Changed, Logged, Row, Sampled, Searched, State
from agents.tool import ToolOutput, tool

_SHOWN: Final = 50
_NAMES_SHOWN: Final = 300
_POINTS: Final = 20
_LONGEST_WORDS: Final = 300


class Datadog(Connector):
    name = "datadog"
    title = "Datadog"
    config_model = DatadogConfig
    names_are = "service"
    about = "Monitors, metrics, logs, recorded requests, events and deployments of Datadog."
    docs_url = "https://docs.datadoghq.com/account_management/api-app-keys/"
    form = FORM
    scopes = SCOPES
    instructions = (
        "Datadog keeps only the spans that a retention filter chose, and only logs of some tiers are read: none there "
        "does not say that nothing happened. A monitor without data may be the outage itself. A version that began to "
        "answer requests was deployed just before."
    )
    leaves_behind = (
        "Both keys stay valid: delete the application key under Organization Settings, Service Accounts, and the API "
        "key under API Keys. Downtimes that were made end at their time."
    )

    def __init__(self, config: Any, context: ConnectorContext) -> None:
        super().__init__(config, context)
        for names, key in ((config.names, "names"), (config.operations, "operations")):
            context.require_declared(names, key=f"connectors.datadog.{key}")
        for key in ("api_key", "application_key"):
            if key not in context.credentials:
                raise BadArguments(f"connectors.datadog: {key} is missing; api_key and application_key are both needed")
        self._page = config.where.page
        self._tags = ServiceTags(context.services, config.names, config.environment)
        self._client = DatadogClient(config, context)
        self._metrics = MetricReader(self._client, config, context, self._tags)
        self._searches = SearchReader(self._client, context, self._tags)
        self._monitors = MonitorReader(self._client, context, self._tags, page=self._page)
        self._changes = ChangeReader(self._client, context, self._tags, self._metrics, page=self._page)
        self._muting = MonitorMuting(self._client, self._monitors, context, base=config.base)

    @classmethod
    def hosts(cls, config: Any) -> tuple[str, ...]:
        return (urlsplit(config.base).hostname or "",)

    async def check(self) -> Check:
        """Asks one small question of each kind, so that a missing scope is told before an incident."""
        return await check_scopes(self._client, self.config, self.context.now())

    async def discover(self) -> Discovery:
        """The services that APM knows, and what is defined in the software catalog."""
        return await discover_services(self._client, self.config, self.context)

    # Sources

    async def read_series(self, window: Window, services: Sequence[str] | None = None) -> SeriesRead:
        """Metrics of the services. Raises an AgentError when none could be read."""
        return await self._metrics.read(window, self._chosen(services))

    async def read_logs(self, window: Window, services: Sequence[str] | None = None) -> LogsRead:
        """Lines of the services in the configured tiers. Raises an AgentError when none could be read."""
        return await self._searches.logs(window, self._chosen(services), self.config.tiers)

    async def read_spans(self, window: Window, services: Sequence[str] | None = None) -> SpansRead:
        """Traces through the services. Raises an AgentError when none could be read."""
        return await self._searches.spans(window, self._chosen(services))

    async def read_changes(self, window: Window, services: Sequence[str] | None = None) -> ChangesRead:
        """Deployments and changes of settings, oldest first. Raises an AgentError when none could be read."""
        return await self._changes.read(window, self._chosen(services))

    async def read_diff(self, service: str, from_version: str, to_version: str) -> Diff:
        raise BadArguments(
            f"Datadog has no diff of {service} {from_version[:12]}..{to_version[:12]}: connect its repository"
        )

    async def read_alerts(self, services: Sequence[str] | None = None) -> AlertsRead:
        """Monitors, by their groups, that are triggered now. Raises an AgentError when it cannot be asked."""
        return await self._monitors.alerts(self._chosen(services))

    # Tools

    @tool()
    async def datadog_monitors(self, arguments: OfDatadogService) -> ToolOutput:
        """Monitors of Datadog about a service in whatever state, triggered ones first: what each measures, its
        thresholds as part of its query, and since when it is as it is. One without data judges nothing.
        """
        self.context.require_declared([arguments.service], key="service")
        found, gaps = await self._monitors.of_service(arguments.service)
        rows = [
            State(
                service=arguments.service,
                name=one.name,
                value=one.overall_state,
                line=f"{one.overall_state or 'state not told'}: {one.name} [{one.id}]: {one.query}",
                link=self._monitors.link(one.id),
            )
            for one in found
        ]
        triggered = sum(1 for one in found if one.overall_state in TRIGGERED)
        told = f"{counted(len(found), 'monitor')} of {arguments.service}, {triggered} triggered"
        return _output(rows, "monitors", arguments.service, told, gaps)

    @tool()
    async def datadog_metrics(self, arguments: DatadogNames) -> ToolOutput:
        """The names of the metrics that Datadog has of a service from the last hour."""
        self.context.require_declared([arguments.service], key="service")
        names = await self._metrics.names(arguments.service, self.context.now() - timedelta(hours=1))
        cleaned = [one for one in await self.context.clean_words(names) if arguments.contains in one]
        rows = [State(service=arguments.service, name=name, value="reported", line=name) for name in cleaned]
        told = f"{counted(len(rows), 'metric')} of {arguments.service}"
        wanted = {"contains": arguments.contains} if arguments.contains else {}
        return _output(rows, "metrics", arguments.service, told, [], shown=_NAMES_SHOWN, wanted=wanted)

    @tool()
    async def datadog_query(self, arguments: DatadogQuery) -> ToolOutput:
        """How one metric of a service moved in Datadog: up to 20 points for each series. What counts is shown per
        second.
        """
        self.context.require_declared([arguments.service], key="service")
        end = self.context.now()
        window = Window(start=end - timedelta(minutes=arguments.minutes), end=end)
        by = f" by {{{arguments.by}}}" if arguments.by else ""
        added, behind = await self._metrics.aggregator(arguments.metric)
        how = added if behind and arguments.how == "avg" else arguments.how
        queries = [
            f"{how}:{arguments.metric}{{{self._tags.scope(value)}}}{by}{behind}"
            for value in self._tags.values(arguments.service)
        ]
        courses = await self._metrics.courses(queries, window, what=arguments.metric)
        scopes = await self.context.clean_words([one.scope for one in courses])
        rows = []
        for one, scope in zip(courses, scopes, strict=True):
            points = [
                (as_utc(float(at)), float(value) * one.factor) for at, value in zip(one.times, one.values, strict=True)
            ]
            step = max(1, -(-len(points) // _POINTS))
            shown = points[::-step][::-1]
            unit = f" {one.unit}" if one.unit else ""
            told = " ".join(f"{at:%H:%M:%S}={value:.4g}" for at, value in shown)
            rows.append(
                Sampled(
                    service=arguments.service,
                    name=arguments.metric,
                    labels={"scope": scope},
                    points=tuple(points),
                    counted="rate" if behind else "value",
                    line=f"{how} {arguments.metric}{{{scope}}}{unit}: {told}",
                )
            )
        told = f"{len(rows)} series of {arguments.metric} over {arguments.minutes} min"
        return _output(rows, "samples", arguments.service, told, [], window=window)

    @tool()
    async def datadog_logs(self, arguments: DatadogLogs) -> ToolOutput:
        """Log lines of a service in Datadog, newest first, with their status and attributes."""
        self.context.require_declared([arguments.service], key="service")
        end = self.context.now()
        window = Window(start=end - timedelta(minutes=arguments.minutes), end=end)
        tier = arguments.tier or self.config.tiers[0]
        words = " ".join(arguments.contains.split())
        query = " ".join(
            filter(
                None,
                (
                    self._tags.clause([arguments.service]),
                    f"status:{arguments.level}" if arguments.level else "",
                    phrase(words) if words else "",
                ),
            )
        )
        filters = {**within(window), "query": query, "storage_tier": tier}
        read = await self._client.search(LOGS, filters, what=f"logs of {arguments.service}", limit=PAGE)
        gaps = [f"Datadog: {one}" for one in read.warnings]
        lines = [one for one in await self._searches.lines(read.items, gaps) if one.service == arguments.service]
        # Once more among what is shown: a search must not tell by what it finds what was taken out.
        lines = [one for one in lines if words.casefold() in " ".join(_printed(one).split()).casefold()]
        lines.sort(key=lambda line: line.time, reverse=True)
        if read.more:
            gaps.append(f"only the newest {len(read.items)} lines were looked at; narrow the question")
        link = f"{self._page}/logs?query={quote(self._tags.clause([arguments.service]), safe='')}"
        rows = [
            Logged(
                service=one.service,
                example=one.text,
                level=one.level,
                first=one.time,
                last=one.time,
                fields=one.fields,
                line=f"{one.time:%Y-%m-%d %H:%M:%S} UTC {_printed(one)}"[: 2 * _LONGEST_WORDS],
                link=link,
            )
            for one in lines
        ]
        told = f"{counted(len(rows), 'line')} of {arguments.service} in {tier}"
        wanted = {key: value for key, value in (("contains", words), ("level", arguments.level)) if value}
        return _output(
            rows, "log lines", arguments.service, told, gaps, shown=arguments.limit, window=window, wanted=wanted
        )

    @tool()
    async def datadog_spans(self, arguments: DatadogSpans) -> ToolOutput:
        """Recorded requests that passed through a service, slowest of the newest first: id, time, length, where they
        failed.
        """
        self.context.require_declared([arguments.service], key="service")
        end = self.context.now()
        window = Window(start=end - timedelta(minutes=arguments.minutes), end=end)
        query = self._tags.clause([arguments.service])
        query += " status:error" if arguments.failed else ""
        query += f" @duration:>={arguments.min_ms * 1_000_000}" if arguments.min_ms else ""
        filters = {**within(window), "query": query}
        read = await self._client.search(SPANS, filters, what=f"spans of {arguments.service}", limit=PAGE, wrapped=True)
        redactor = await self.context.portable_redactor()
        names = self._searches.names(read.items)
        rows = await self.context.compute(render_items, read.items, names, arguments.limit, redactor)
        gaps = [f"Datadog: {one}" for one in read.warnings]
        gaps += [f"only the newest {len(read.items)} spans were looked at"] if read.more else []
        gaps += [f"only the slowest {len(rows)} are shown"] if len(rows) >= arguments.limit else []
        told = f"{counted(len(rows), 'recorded request')} of {arguments.service}"
        wanted = {n: str(v) for n, v in arguments.model_dump(include={"failed", "min_ms"}).items() if v}
        linked = [replace(row, link=f"{self._page}/apm/trace/{row.trace}") for row in rows]
        return _output(
            linked, "recorded requests", arguments.service, told, gaps, shown=100, window=window, wanted=wanted
        )

    @tool()
    async def datadog_trace(self, arguments: DatadogTrace) -> ToolOutput:
        """One recorded request of Datadog as a tree: each step with its service, length, own time, and whether it
        failed.
        """
        end = self.context.now()
        window = Window(start=end - timedelta(hours=arguments.hours), end=end)
        read = await self._searches.whole([arguments.trace], window)
        names, redactor = self._searches.names(read.items), await self.context.portable_redactor()
        lines, rows = await self.context.compute(render_tree, read.items, names, redactor)
        if not lines:
            raise BadArguments(f"Datadog kept no span of trace {arguments.trace} in the last {arguments.hours} h")
        gap = f"only {len(read.items)} of its spans were read" if read.more else None
        return ToolOutput(
            text="\n".join(lines), rows=rows, summary=f"trace {arguments.trace[:16]}: {lines[0][:80]}", gap=gap
        )

    @tool()
    async def datadog_events(self, arguments: DatadogEvents) -> ToolOutput:
        """Deployments, changes of settings and other events of a service as Datadog was told of them, newest first; a
        version that began to answer requests counts as a deployment.
        """
        self.context.require_declared([arguments.service], key="service")
        end = self.context.now()
        window = Window(start=end - timedelta(hours=arguments.hours), end=end)
        read = await self._changes.read(window, [arguments.service])
        gaps = list(read.gaps)
        found = {one.id: one for one in read.changes}
        try:
            others = await self._changes.events(window, [arguments.service], gaps)
        except AgentError:
            others = []  # said already by the reading before
        found |= {one.id: one for one in others if one.id not in found}
        rows = [
            Changed(
                service=one.service,
                change=one.id,
                at=one.at,
                kind=one.kind,
                version=one.version or "",
                previous_version=one.previous_version or "",
                summary=one.summary,
                link=one.link,
                line=f"{one.at:%Y-%m-%d %H:%M:%S} UTC {one.kind} {one.version or ''} {one.summary}".replace("  ", " "),
            )
            for one in sorted(found.values(), key=lambda change: change.at, reverse=True)
        ]
        told = f"{counted(len(rows), 'event')} of {arguments.service} in {arguments.hours} h"
        return _output(rows, "events", arguments.service, told, list(dict.fromkeys(gaps)), window=window)

    # Muting, and its end

    def can(self, action: str, service: str) -> bool:
        return self._muting.can(action, service)

    def argv(self, action: str, parameters: Mapping[str, str]) -> tuple[str, ...]:
        return self._muting.argv(action, parameters)

    def silence_parameters(self, alert: ActiveAlert, *, minutes: int, comment: str) -> Mapping[str, str]:
        return self._muting.parameters(alert, minutes=minutes, comment=comment)

    async def own_silence(self, labels: Mapping[str, str]) -> Silence | None:
        return await self._muting.own(labels)

    async def read_target(self, service: str) -> TargetState:
        read = await self.read_alerts([service])
        firing = sum(1 for one in read.alerts if one.state == "firing")
        return TargetState(
            service=service,
            version="",
            previous_version=None,
            state=f"{counted(firing, 'alert')} firing, {len(read.alerts) - firing} kept quiet",
            instances=0,
            started_at=None,
            read_at=self.context.now(),
        )

    async def act(self, action: str, parameters: Mapping[str, str], *, idempotency_key: str) -> ActionResult:
        """Mutes a monitor's group that is triggered, unless that was done; or cancels that downtime."""
        del idempotency_key  # the API knows none: what is there is looked at first
        return await self._muting.act(action, parameters)

    def _chosen(self, services: Sequence[str] | None) -> list[str]:
        return [name for name in self.context.names if services is None or name in services]


def _printed(line: LogLine) -> str:
    fields = " ".join(f"{name}={value}" for name, value in line.fields.items())
    return f"{line.level} {line.text} {fields}".strip()


def _output(
    rows: Sequence[Row],
    what: str,
    service: str,
    told: str,
    gaps: Sequence[str],
    *,
    shown: int = _SHOWN,
    window: Window | None = None,
    wanted: Mapping[str, str] | None = None,
) -> ToolOutput:
    """The first rows with what was looked for; with none of them, that there is none."""
    left = len(rows) - shown
    gaps = [*gaps, *([f"{left} further ones are not shown"] if left > 0 else [])]
    searched = Searched(
        service=service,
        what=what,
        found=len(rows),
        start=window.start if window else None,
        end=window.end if window else None,
        wanted=wanted or {},
        whole=not gaps,
        line="" if rows else f"nothing found: no {what} of {service}",
    )
    return ToolOutput(
        text="\n".join(row.line for row in rows[:shown]) or searched.line,
        rows=(searched, *rows[:shown]),
        summary=told,
        gap="; ".join(gaps) or None,
    )


CONNECTOR = Datadog
