"""Metrics of services: what their requests do, from the metrics that APM makes, then what fills up.

https://docs.datadoghq.com/tracing/metrics/metrics_namespace/ -- APM counts `hits`, `errors` and the whole `duration` of
each kind of span, an interval at a time. The engine knows them as running totals, like those of a metrics page.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import numpy as np

from agents.connecting.connector import ConnectorContext, SeriesRead
from agents.connecting.connectors.datadog.client import DatadogClient, listed
from agents.connecting.connectors.datadog.settings import DatadogConfig
from agents.connecting.connectors.datadog.tags import ServiceTags
from agents.connecting.counted_requests import at_times, request_totals
from agents.english import counted
from agents.errors import AgentError, BadArguments, Unavailable
from agents.evidence.metrics.meaning import read_name
from agents.evidence.types import FloatArray, RawKind, RawSeries, Window

NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.]{0,199}")
_MOST_SERVICES: Final = 20
_AT_ONCE: Final = 4
_IN_ONE: Final = 10  # queries of one question
_KEPT_FOR: Final = timedelta(minutes=10)
_ORDER: Final = ("requests", "errors", "availability", "latency", "queue", "pool", "cpu", "memory", "throttling")
_HITS: Final = re.compile(r"trace\.(.+)\.hits")
_ENTRY: Final = re.compile(r"(^|[._])(request|server|handler|consume|process|invocation|lambda)$")
_CALLS: Final = re.compile(r"(^|[._])(client|requests\.request|urllib\d?|okhttp|httpx|query|command|outbound)([._]|$)")


@dataclass(frozen=True, kw_only=True)
class Course:
    """One series of an answer. `name` is the metric's; `place` is which query of the question it answers."""

    name: str
    place: int
    scope: str
    interval_s: float
    times: FloatArray
    values: FloatArray
    unit: str
    factor: float


@dataclass(kw_only=True)
class _OfService:
    series: list[RawSeries] = field(default_factory=list)
    gaps: list[str] = field(default_factory=list)
    failure: AgentError | None = None


class MetricReader:
    """Of one connection."""

    def __init__(
        self, client: DatadogClient, config: DatadogConfig, context: ConnectorContext, tags: ServiceTags
    ) -> None:
        self._client, self._config, self._context, self._tags = client, config, context, tags
        self._kept: dict[str, tuple[datetime, Any]] = {}

    async def read(self, window: Window, services: Sequence[str]) -> SeriesRead:
        """Raises an AgentError when no service's could be read."""
        chosen, turns = services[:_MOST_SERVICES], asyncio.Semaphore(_AT_ONCE)

        async def of(service: str) -> _OfService:
            one = _OfService()
            async with turns:
                try:
                    one.series = await self._of_service(service, window, one.gaps)
                except AgentError as exc:
                    one.failure = exc
                    one.gaps.append(f"{service}: Datadog: {exc}")
                    return one
            if not one.series:
                one.gaps.append(f"{service}: Datadog has no metric of it")
            return one

        read = await asyncio.gather(*(of(service) for service in chosen))
        failures = [one.failure for one in read if one.failure is not None]
        if failures and len(failures) == len(chosen):
            raise failures[0]
        gaps = [gap for one in read for gap in one.gaps]
        if len(services) > len(chosen):
            gaps.append(f"Datadog: metrics of {len(chosen)} of {len(services)} services were read")
        series = await self._context.clean_series([raw for one in read for raw in one.series])
        return SeriesRead(series=tuple(series), gaps=tuple(dict.fromkeys(gaps)))

    async def names(self, service: str, since: datetime) -> list[str]:
        """The metrics that were reported with the service's tag since then, or in the ten minutes before."""
        found: dict[str, None] = {}
        for value in self._tags.values(service):
            answer = await self._slowly(
                f"names {value} {int(since.timestamp()) // 3600}",
                "/api/v1/metrics",
                {"from": str(int(since.timestamp())), "tag_filter": self._tags.scope(value).replace(",", " AND ")},
                what=f"metrics of {service}",
            )
            names = answer.get("metrics") if isinstance(answer, dict) else None
            if not isinstance(names, list):
                raise Unavailable("Datadog answered the list of metrics in a form that it does not document")
            found |= dict.fromkeys(str(name) for name in names)
        return sorted(found)

    async def courses(self, queries: Sequence[str], window: Window, *, what: str) -> list[Course]:
        """The answers to several queries in one question."""
        span = {"from": str(int(window.start.timestamp())), "to": str(int(window.end.timestamp()))}
        document = await self._client.get(
            "/api/v1/query", {**span, "query": ",".join(queries)}, what=what, timeout_s=15.0
        )
        if isinstance(document, dict) and document.get("status") == "error":
            said = await self._context.clean(str(document.get("error") or document.get("message") or ""))
            raise BadArguments(f"Datadog refused the query of {what}: {said[:300]}")
        try:
            return [_course(one) for one in listed(document, "series", what)]
        except (KeyError, TypeError, ValueError) as exc:
            raise Unavailable(f"Datadog answered {what} in a form that it does not document") from exc

    async def aggregator(self, name: str) -> tuple[str, str]:
        """How values of several hosts are put together, and what is put behind: what counts is added, per second."""
        if read_name(name).kind not in ("requests", "errors"):
            return "avg", ""
        try:
            told = await self._slowly(f"type {name}", f"/api/v1/metrics/{name}", None, what=f"the type of {name}")
        except AgentError:
            return "avg", ""  # without the scope for it, the mean of the hosts is right but for its size
        return ("sum", ".as_rate()") if told.get("type") in ("count", "rate") else ("avg", "")

    async def _of_service(self, service: str, window: Window, gaps: list[str]) -> list[RawSeries]:
        names = [name for name in await self.names(service, window.start) if NAME.fullmatch(name)]
        found = await self._requests(service, names, window)
        others = sorted((n for n in names if not n.startswith("trace.")), key=_worth)
        for start in range(0, min(len(others), self._config.max_metrics), _IN_ONE):
            part = others[start : min(start + _IN_ONE, self._config.max_metrics)]
            found += await self._gauges(service, part, window, gaps)
        if len(others) > self._config.max_metrics:
            left = len(others) - self._config.max_metrics
            gaps.append(f"{service}: {left} metrics of Datadog are left out; max_metrics is {self._config.max_metrics}")
        return found

    async def _requests(self, service: str, names: Sequence[str], window: Window) -> list[RawSeries]:
        """What APM measures of the requests that the service answered."""
        found: list[RawSeries] = []
        operations = self.operations(service, names)
        for value in self._tags.values(service) if operations else ():
            read = [await self._operation(service, value, one, window) for one in operations]
            busiest = max(read, key=lambda one: one[0])  # inner spans of a request are as many, or fewer
            found += busiest[1]
        return found

    def operations(self, service: str, names: Sequence[str]) -> list[str]:
        """The spans by which a service's requests can be measured; calls to others are none."""
        if service in self._config.operations:
            return [self._config.operations[service]]
        known = [found[1] for name in names if (found := _HITS.fullmatch(name)) is not None]
        entries = [one for one in known if _ENTRY.search(one) and not _CALLS.search(one)]
        return (entries or [one for one in known if not _CALLS.search(one)])[:3]

    async def _operation(
        self, service: str, value: str, operation: str, window: Window
    ) -> tuple[float, list[RawSeries]]:
        """The number of requests, and their series."""
        scope = f"{{{self._tags.scope(value)}}}"
        queries = [f"sum:trace.{operation}.{part}{scope}.as_count()" for part in ("hits", "errors", "duration")]
        courses = await self.courses([*queries, f"p95:trace.{operation}{scope}"], window, what=f"requests of {service}")
        by_place = {one.place: one for one in courses}
        hits = by_place.get(0)
        if hits is None:
            return 0.0, []
        lasted = by_place.get(2)
        series = request_totals(
            operation.replace(".", "_"),
            service,
            hits.times,
            hits.interval_s,
            hits=hits.values,
            errors=_aligned(by_place.get(1), hits.times),
            spent_s=None if lasted is None else _aligned(lasted, hits.times) * lasted.factor,
        )
        if (slow := by_place.get(3)) is not None:
            series.append(as_gauge(slow, service, name=f"{operation}.latency.p95"))
        return float(hits.values.sum()), series

    async def _gauges(self, service: str, names: Sequence[str], window: Window, gaps: list[str]) -> list[RawSeries]:
        asked = []
        for name in names:
            how, behind = await self.aggregator(name)
            asked += [(name, f"{how}:{name}{{{self._tags.scope(v)}}}{behind}") for v in self._tags.values(service)]
        try:
            courses = await self.courses([query for _, query in asked], window, what=f"metrics of {service}")
        except BadArguments as exc:
            gaps.append(f"{service}: {counted(len(names), 'metric')} of Datadog could not be read: {exc}")
            return []
        return [as_gauge(one, service) for one in courses]

    async def _slowly(self, key: str, path: str, params: dict[str, str] | None, *, what: str) -> Any:
        """What changes seldom: asked again after some minutes."""
        now = self._context.now()
        at, answer = self._kept.get(key, (None, None))
        if at is None or not timedelta(0) <= now - at < _KEPT_FOR:
            answer = await self._client.get(path, params, what=what)
            self._kept = {k: kept for k, kept in self._kept.items() if now - kept[0] < _KEPT_FOR}
            self._kept[key] = (now, answer)
        return answer


def as_gauge(course: Course, service: str, *, name: str = "") -> RawSeries:
    kind: RawKind = "gauge"
    return RawSeries(
        name=name or course.name,
        labels={"service": service},
        kind=kind,
        times=course.times,
        values=course.values * course.factor,
        unit=course.unit,
    )


def _worth(name: str) -> tuple[int, str]:
    kind = read_name(name).kind
    return (_ORDER.index(kind) if kind in _ORDER else len(_ORDER) + (kind in ("other", "runtime", "identity")), name)


def _aligned(course: Course | None, times: FloatArray) -> FloatArray:
    return np.zeros(times.size) if course is None else at_times(times, course.times, course.values)


def _course(one: dict[str, Any]) -> Course:
    points = [
        (float(at) / 1000.0, float(value)) for at, value in one["pointlist"] if at is not None and value is not None
    ]
    whole = np.array(points, dtype=np.float64).reshape(-1, 2)
    unit, factor = _unit(one.get("unit"))
    return Course(
        name=str(one["metric"]),
        place=int(one.get("query_index", 0)),
        scope=str(one.get("scope", "")),
        interval_s=float(one.get("interval") or 1),
        times=whole[:, 0],
        values=whole[:, 1],
        unit=unit,
        factor=factor,
    )


def _unit(told: Any) -> tuple[str, float]:
    """Datadog's unit, and per what, as a unit of the engine with its factor. https://docs.datadoghq.com/metrics/units/"""
    known = [one for one in told if isinstance(one, dict)] if isinstance(told, list) else []
    if not known or (len(known) > 1 and known[1].get("family") != "time"):
        return "", 1.0
    family, factor = str(known[0].get("family", "")), float(known[0].get("scale_factor") or 1.0)
    percent = ("%", 1.0) if known[0].get("name") == "percent" else ("1", 1.0)
    if len(known) == 1:
        told_units = {"time": ("s", factor), "bytes": ("By", factor), "percentage": percent, "cpu": ("cores", factor)}
        return told_units.get(family, ("", 1.0))
    per_s = float(known[1].get("scale_factor") or 1.0)
    rates = {"time": ("", 1.0), "bytes": ("By/s", factor / per_s), "percentage": percent, "cpu": ("cores", factor)}
    return rates.get(family, ("Hz", 1.0 / per_s))
