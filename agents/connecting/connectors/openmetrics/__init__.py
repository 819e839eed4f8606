"""Scrapes the `/metrics` pages of declared services itself, for teams without a Prometheus server.

Samples live in bounded ring buffers in memory (see `ring.py` for the bound); each scrape is kept in a file as well, so
that a restart in the middle of an incident goes on with what was measured before. A target that does not answer is
evidence too: each scrape adds an `up` sample of 1 or 0.
Formats: https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from pydantic import Field

from agents.connecting.connector import (
    Check,
    Connector,
    ConnectorConfig,
    ConnectorContext,
    Discovered,
    Discovery,
    SeriesRead,
)
from agents.connecting.connectors.openmetrics.exposition import MalformedMetrics, Sample, parse_metrics
from agents.connecting.connectors.openmetrics.kept import Journal
from agents.connecting.connectors.openmetrics.ring import Ring
from agents.connecting.fields import Field as Asked
from agents.connecting.fields import Form
from agents.english import counted
from agents.errors import AgentError, BadArguments
from agents.evidence.types import RawSeries, Window, as_utc
from agents.rows import Sampled, Searched
from agents.tool import Arguments, ToolOutput, tool

_LOG = logging.getLogger(__name__)
_ACCEPT = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.9,*/*;q=0.1"
_SHOWN = 200
_HISTORIES = 10
_HOLE_S = 15.0  # a busy machine is late by as much


class OpenMetricsConfig(ConnectorConfig):
    """`targets` maps a declared service to the URL of its metrics page."""

    targets: Mapping[str, str] = Field(min_length=1)
    interval_s: float = Field(default=5.0, ge=0.2, le=300)
    retention_s: float = Field(default=3600.0, ge=60)
    max_series: int = Field(default=500, ge=1, le=10_000)
    max_samples: int = Field(default=2_000, ge=10, le=20_000)


class LatestMetrics(Arguments):
    service: str = Field(description="A declared service.")
    contains: str = Field(default="", description="Only metrics whose name contains this.")


class MetricHistory(Arguments):
    service: str = Field(description="A declared service.")
    name: str = Field(description="Exact metric name, as latest_metrics lists it.")
    minutes: int = Field(default=15, ge=1, le=720, description="How far back from now.")


@dataclass(kw_only=True)
class _Target:
    service: str
    url: str
    ring: Ring
    journal: Journal
    failing_since: datetime | None = None
    problem: str = ""


class OpenMetrics(Connector):
    name = "openmetrics"
    title = "Metrics pages"
    config_model = OpenMetricsConfig
    keeps_memory = True
    about = "Metrics pages that your services show themselves, for teams without a metrics server."
    docs_url = "https://prometheus.io/docs/instrumenting/exposition_formats/"
    form = Form(
        fields=(
            Asked(
                name="targets",
                label="Pages",
                help="One service a line with the address of its metrics page. A new name becomes a service.",
                example="checkout = https://checkout.example.com/metrics",
                required=True,
                long=True,
                kind="pairs",
            ),
        )
    )

    @classmethod
    def hosts(cls, config: Any) -> tuple[str, ...]:
        return tuple(dict.fromkeys(filter(None, (urlsplit(url).hostname for url in config.targets.values()))))

    async def discover(self) -> Discovery:
        """The services whose pages are named."""
        return Discovery(services=tuple(Discovered(name=name) for name in self._targets))

    def __init__(self, config: Any, context: ConnectorContext) -> None:
        super().__init__(config, context)
        if not context.label:  # a connection's own targets make services of them
            context.require_declared(config.targets, key="connectors.openmetrics.targets")
        capacity = min(int(config.retention_s / config.interval_s) + 1, config.max_samples)
        self._targets = {
            service: _Target(
                service=service,
                url=url,
                ring=Ring(capacity=capacity, max_series=config.max_series),
                journal=Journal(context, f"{self.key} {service}", most=capacity),
            )
            for service, url in config.targets.items()
        }
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Take up what was scraped before a restart, and scrape every target from now on, each at its own pace."""
        await self.recall()
        for target in self._targets.values():
            task = asyncio.create_task(self._keep_scraping(target), name=f"scrape {target.service}")
            task.add_done_callback(_log_death)
            self._tasks.append(task)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()

    async def check(self) -> Check:
        await self.scrape()
        failing = [t for t in self._targets.values() if t.failing_since is not None]
        if failing:
            return Check(
                ok=False,
                detail="; ".join(f"{t.service}: {t.problem}" for t in failing),
                next_action="Correct the address of the page, and connect it again."
                if self.context.label
                else "Open the URL from this host, and correct connectors.openmetrics.targets.",
                answers=len(failing) < len(self._targets),
                lacks=tuple(f"no metrics of {t.service}" for t in failing),
                has_data=len(failing) < len(self._targets),
            )
        detail = f"{counted(len(self._targets), 'metrics page')} read"
        return Check(ok=True, detail=detail, has_data=True)

    async def scrape(self) -> None:
        """Scrape every target once."""
        await asyncio.gather(*(self._scrape(target) for target in self._targets.values()))

    async def recall(self) -> None:
        """What was scraped before a restart and is not too old, into the memory of each target."""
        since = self.context.now() - timedelta(seconds=self.config.retention_s)
        for target in self._targets.values():
            async for at, samples in target.journal.since(since):
                target.ring.add(at, samples)

    async def read_series(self, window: Window, services: Sequence[str] | None = None) -> SeriesRead:
        """What the scrapes of the window found; a gap for each target that failed.

        How far back the samples reach, the samples say themselves.
        """
        series: list[RawSeries] = []
        gaps: list[str] = []
        for target in self._targets.values():
            if services is not None and target.service not in services:
                continue
            series += [_of_service(raw, target.service) for raw in await self._series(target, window)]
            gaps += [*self._gaps(target), *self._holes(target, window)]
        return SeriesRead(series=tuple(series), gaps=tuple(gaps))

    @tool()
    async def latest_metrics(self, arguments: LatestMetrics) -> ToolOutput:
        """The newest values of a service's own metrics page, one series a line.

        Use it to learn which metrics exist; counters are totals since the process started.
        """
        target = self._target(arguments.service)
        now = self.context.now()
        window = Window(start=now - timedelta(seconds=3 * self.config.interval_s + 5), end=now)
        rows = [raw for raw in await self._series(target, window) if arguments.contains in raw.name]
        found = [_latest(raw, target.service) for raw in rows[:_SHOWN]]
        searched = _searched(target.service, {"contains": arguments.contains}, len(rows), _SHOWN, window)
        gaps = [*self._reaches_back(target, window), *self._gaps(target)]
        if len(rows) > _SHOWN:
            gaps.append(f"{len(rows) - _SHOWN} further series are not shown; narrow with `contains`")
        return ToolOutput(
            text="\n".join(row.line for row in found) or searched.line,
            rows=(searched, *found),
            summary=f"{len(rows)} series of {arguments.service}",
            facts={"latest": {_title(raw): float(raw.values[-1]) for raw in rows[:_SHOWN]}},
            gap="; ".join(gaps) or None,
        )

    @tool()
    async def metric_history(self, arguments: MetricHistory) -> ToolOutput:
        """How one metric of a service moved in the last minutes: up to 20 points for up to 10 series.

        Counters are shown as increase per second between the points, everything else as the value.
        """
        target = self._target(arguments.service)
        now = self.context.now()
        window = Window(start=now - timedelta(minutes=arguments.minutes), end=now)
        rows = [raw for raw in await self._series(target, window) if raw.name == arguments.name]
        shown = {_title(raw): _points(raw) for raw in rows[:_HISTORIES]}
        found = [_moving(raw, target.service) for raw in rows[:_HISTORIES]]
        searched = _searched(target.service, {"name": arguments.name}, len(rows), _HISTORIES, window)
        gaps = [*self._reaches_back(target, window), *self._gaps(target), *self._holes(target, window)]
        if len(rows) > _HISTORIES:
            gaps.append(f"{len(rows) - _HISTORIES} further series are not shown")
        return ToolOutput(
            text="\n".join(row.line for row in found) or searched.line,
            rows=(searched, *found),
            summary=f"{arguments.name} of {arguments.service}: {len(rows)} series",
            facts={"series": {t: [[at.isoformat(), value] for at, value in p] for t, p in shown.items()}},
            gap="; ".join(gaps) or None,
        )

    async def _keep_scraping(self, target: _Target) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            await self._scrape(target)
            # A late scrape is skipped, not caught up with.
            due = max(due + self.config.interval_s, loop.time())
            await asyncio.sleep(due - loop.time())

    async def _scrape(self, target: _Target) -> None:
        at = self.context.now()
        samples: list[Sample] = []
        try:
            answer = await self.context.outbound.get(
                target.url,
                headers={"accept": _ACCEPT},
                timeout_s=min(max(self.config.interval_s, 1.0), 5.0),
                max_bytes=4_000_000,
                retries=0,
            )
            samples = [s for s in parse_metrics(answer.text()) if s.name != "up"]
        except (AgentError, MalformedMetrics) as exc:
            target.failing_since = target.failing_since or at
            target.problem = await self._told(exc)
        else:
            target.failing_since = None
        up = Sample(name="up", labels={}, kind="gauge", value=float(target.failing_since is None))
        target.ring.add(at, [up, *samples])
        await target.journal.write(at, [up, *samples])

    async def _told(self, problem: Exception) -> str:
        """It may quote the page."""
        try:
            return await self.context.clean(str(problem), keep=200)
        except AgentError as exc:
            return str(exc)

    async def _series(self, target: _Target, window: Window) -> list[RawSeries]:
        return await self.context.clean_series(list(target.ring.series(window)))

    def _target(self, service: str) -> _Target:
        self.context.require_declared([service], key="service")
        if service not in self._targets:
            raise BadArguments(f"{service} has no metrics page; those that have one: {', '.join(self._targets)}")
        return self._targets[service]

    def _reaches_back(self, target: _Target, window: Window) -> list[str]:
        oldest = target.ring.oldest
        if oldest is None or oldest <= window.start.timestamp() + 2 * self.config.interval_s:
            return []
        since = datetime.fromtimestamp(oldest, tz=window.start.tzinfo)
        return [f"{target.service}: metrics are kept only since {since:%H:%M:%S}"]

    def _holes(self, target: _Target, window: Window) -> list[str]:
        """The longest time in the window in which nobody scraped, as while Autoheal was not running."""
        hole = target.ring.longest_hole(window)
        if hole is None or hole[1] - hole[0] <= max(3 * self.config.interval_s, _HOLE_S):
            return []
        start, end = (datetime.fromtimestamp(at, tz=window.start.tzinfo) for at in hole)
        return [f"{target.service}: nobody read its metrics page from {start:%H:%M:%S} to {end:%H:%M:%S}"]

    def _gaps(self, target: _Target) -> list[str]:
        if target.ring.oldest is None:
            return [f"{target.service}: its metrics page was not read yet"]
        gaps = []
        if target.failing_since is not None:
            gaps.append(f"{target.service}: no metrics since {target.failing_since:%H:%M:%S}: {target.problem}")
        if target.ring.dropped:
            gaps.append(f"{target.service}: {target.ring.dropped} series above max_series are not kept")
        if target.ring.forgotten:
            gaps.append(f"{target.service}: {target.ring.forgotten} series that ended made room for new ones")
        return gaps


def _of_service(raw: RawSeries, service: str) -> RawSeries:
    """The same series under the declared name; a label `service` of the page itself becomes `exported_service`."""
    labels = {("exported_service" if key == "service" else key): value for key, value in raw.labels.items()}
    return RawSeries(
        name=raw.name,
        labels={**labels, "service": service},
        kind=raw.kind,
        times=raw.times,
        values=raw.values,
    )


def _title(raw: RawSeries) -> str:
    labels = ",".join(f'{key}="{value}"' for key, value in sorted(raw.labels.items()))
    return f"{raw.name}{{{labels}}}" if labels else raw.name


def _latest(raw: RawSeries, service: str) -> Sampled:
    """The newest sample as a row with its line."""
    value = float(raw.values[-1])
    total = raw.kind in {"counter", "histogram_bucket"}
    return Sampled(
        service=service,
        name=raw.name,
        labels=_own_labels(raw),
        points=((as_utc(float(raw.times[-1])), value),),
        counted="total" if total else "value",
        line=f"{_title(raw)} {value:g} ({raw.kind})",
    )


def _moving(raw: RawSeries, service: str) -> Sampled:
    """How a series moved, as a row with its line."""
    points = _points(raw)
    return Sampled(
        service=service,
        name=raw.name,
        labels=_own_labels(raw),
        points=tuple(points),
        counted="rate" if raw.kind in {"counter", "histogram_bucket"} else "value",
        line=f"{_title(raw)}: " + " ".join(f"{at:%H:%M:%S}={value:.4g}" for at, value in points),
    )


def _own_labels(raw: RawSeries) -> dict[str, str]:
    return {key: value for key, value in raw.labels.items() if key != "service"}


def _searched(service: str, wanted: Mapping[str, str], found: int, shown: int, window: Window) -> Searched:
    return Searched(
        service=service,
        what="series",
        found=found,
        start=window.start,
        end=window.end,
        wanted={key: value for key, value in wanted.items() if value},
        whole=found <= shown,
        line="" if found else "no samples",
    )


def _points(raw: RawSeries, limit: int = 20) -> list[tuple[datetime, float]]:
    """At most `limit` points in time order; of counters the increase per second (a drop is a restart)."""
    picked = np.unique(np.linspace(0, len(raw.times) - 1, min(limit + 1, len(raw.times))).astype(int))
    times, values = raw.times[picked], raw.values[picked]
    if raw.kind in {"counter", "histogram_bucket"}:
        steps = np.diff(values)
        values = np.where(steps < 0, values[1:], steps) / np.maximum(np.diff(times), 1e-9)
        times = times[1:]
    return [(datetime.fromtimestamp(at, tz=UTC), float(value)) for at, value in zip(times, values, strict=True)]


def _log_death(task: asyncio.Task[None]) -> None:
    """The outer guard of a scraping task: a bug there must not pass in silence."""
    if not task.cancelled() and task.exception() is not None:
        _LOG.error("action=scrape_ended task=%s", task.get_name(), exc_info=task.exception())


CONNECTOR = OpenMetrics
