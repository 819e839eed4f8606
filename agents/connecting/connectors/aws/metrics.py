"""Metrics of CloudWatch that are about a declared service: requests of its target group, function or API first, then
what fills up.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html -- which metrics there are is
asked by the dimension that names the service; GetMetricData takes 500 of them at a time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import numpy as np

from agents.connecting.connector import ConnectorContext, SeriesRead
from agents.connecting.connectors.aws.ecs import EcsReader, EcsService
from agents.connecting.connectors.aws.session import AwsSession
from agents.connecting.connectors.aws.settings import AwsConfig
from agents.connecting.counted_requests import at_times, request_totals
from agents.errors import AgentError
from agents.evidence.metrics.meaning import read_name
from agents.evidence.types import FloatArray, RawSeries, Window

_DIMENSIONS: Final = (
    "ServiceName",
    "FunctionName",
    "DBInstanceIdentifier",
    "QueueName",
    "TableName",
    "ApiName",
    "CacheClusterId",
)
_PERIOD_S: Final = 60
_MOST_SERVICES: Final = 10
_MOST_METRICS: Final = 60
_AT_ONCE: Final = 4
_QUERIES: Final = 500
_KEPT_FOR: Final = timedelta(minutes=10)
_SUMMED: Final = frozenset({"requests", "errors", "throttling", "restarts"})


@dataclass(frozen=True, kw_only=True)
class RequestMetrics:
    """Which metrics of a namespace count requests, how long they took (`scale` makes seconds of it), and failures."""

    namespace: str
    hits: str
    errors: str
    duration: str
    scale: float

    @property
    def base(self) -> str:
        return f"{self.namespace.removeprefix('AWS/').lower()}_request"


REQUESTS: Final = (
    RequestMetrics(
        namespace="AWS/ApplicationELB",
        hits="RequestCount",
        errors="HTTPCode_Target_5XX_Count",
        duration="TargetResponseTime",
        scale=1.0,
    ),
    RequestMetrics(namespace="AWS/ApiGateway", hits="Count", errors="5XXError", duration="Latency", scale=1e-3),
    RequestMetrics(namespace="AWS/Lambda", hits="Invocations", errors="Errors", duration="Duration", scale=1e-3),
)
Metric = Mapping[str, Any]
Points = tuple[FloatArray, FloatArray]


class CloudWatchReader:
    """Of one connection."""

    def __init__(self, session: AwsSession, config: AwsConfig, context: ConnectorContext, ecs: EcsReader) -> None:
        self._session, self._config, self._context, self._ecs = session, config, context, ecs
        self._kept: dict[str, tuple[datetime, list[Metric]]] = {}

    async def read(self, window: Window, services: Sequence[str]) -> SeriesRead:
        """Raises an AgentError when no service's could be read."""
        chosen, gaps, failures = services[:_MOST_SERVICES], list[str](), list[AgentError]()
        if len(services) > len(chosen):
            gaps.append(f"CloudWatch: metrics of {len(chosen)} of {len(services)} services were read")
        balanced = await self._balanced(gaps)
        series: list[RawSeries] = []
        for service in chosen:
            try:
                metrics = await self.metrics(service, balanced.get(service, ()))
                found = await self._series(service, metrics[:_MOST_METRICS], window)
            except AgentError as exc:
                failures.append(exc)
                gaps.append(f"{service}: CloudWatch: {exc}")
                continue
            if len(metrics) > _MOST_METRICS:
                gaps.append(f"{service}: {len(metrics) - _MOST_METRICS} metrics of CloudWatch are left out")
            if not found:
                gaps.append(f"{service}: CloudWatch has no metric of it")
            series += found
        if failures and len(failures) == len(chosen):
            raise failures[0]
        cleaned = await self._context.clean_series(series)
        return SeriesRead(series=tuple(cleaned), gaps=tuple(dict.fromkeys(gaps)))

    async def metrics(self, service: str, balanced: Iterable[EcsService] = ()) -> list[Metric]:
        """Those whose dimensions name the service, or its target group; the most telling first."""
        now = self._context.now()
        at, found = self._kept.get(service, (None, []))
        if at is None or not timedelta(0) <= now - at < _KEPT_FOR:
            found = await self._listed(service, balanced)
            self._kept[service] = (now, found)
        return found

    async def values(
        self, metrics: Sequence[tuple[Metric, str]], window: Window, *, what: str, period_s: int = _PERIOD_S
    ) -> list[Points]:
        """Times and values of each metric by its statistic, ascending."""
        answered: dict[str, tuple[list[float], list[float]]] = {}
        for start in range(0, len(metrics), _QUERIES):
            queries = [
                {
                    "Id": f"m{start + n}",
                    "MetricStat": {"Metric": dict(metric), "Period": period_s, "Stat": statistic},
                    "ReturnData": True,
                }
                for n, (metric, statistic) in enumerate(metrics[start : start + _QUERIES])
            ]
            read = await self._session.pages(
                "cloudwatch",
                "get_metric_data",
                "MetricDataResults",
                what=what,
                MetricDataQueries=queries,
                StartTime=window.start,
                EndTime=window.end,
                ScanBy="TimestampAscending",
            )
            for one in read.items:
                times, values = answered.setdefault(one["Id"], ([], []))
                times += [at.timestamp() for at in one.get("Timestamps") or ()]
                values += [float(value) for value in one.get("Values") or ()]
        empty: tuple[list[float], list[float]] = ([], [])
        return [
            (np.array(times, dtype=np.float64), np.array(values, dtype=np.float64))
            for times, values in (answered.get(f"m{n}", empty) for n in range(len(metrics)))
        ]

    async def _balanced(self, gaps: list[str]) -> dict[str, list[EcsService]]:
        try:
            found = await self._ecs.services(gaps)
        except AgentError as exc:
            gaps.append(f"ECS: which load balancers belong to which services is not known: {exc}")
            return {}
        by_service: dict[str, list[EcsService]] = {}
        for one in found:
            by_service.setdefault(one.service, []).append(one)
        return by_service

    async def _listed(self, service: str, balanced: Iterable[EcsService]) -> list[Metric]:
        declared = next(one for one in self._context.services if one.name == service)
        names = self._config.names.get(service) or tuple(n for n in declared.names_for("aws") if "*" not in n)
        asked = [(dimension, name) for name in names for dimension in _DIMENSIONS]
        asked += [("TargetGroup", group) for one in balanced for group in one.target_groups()]
        turns = asyncio.Semaphore(_AT_ONCE)

        async def of(dimension: str, value: str) -> list[Metric]:
            async with turns:
                read = await self._session.pages(
                    "cloudwatch",
                    "list_metrics",
                    "Metrics",
                    what=f"metrics of {service}",
                    most_pages=2,
                    Dimensions=[{"Name": dimension, "Value": value}],
                    RecentlyActive="PT3H",
                )
                return read.items

        found = [metric for one in await asyncio.gather(*(of(*pair) for pair in asked)) for metric in one]
        unique = {(m["Namespace"], m["MetricName"], str(m.get("Dimensions"))): m for m in found}
        kept = [m for m in unique.values() if not any(d["Name"] == "AvailabilityZone" for d in m.get("Dimensions", ()))]
        return sorted(kept, key=lambda m: (_worth(m), m["Namespace"], m["MetricName"], str(m.get("Dimensions"))))

    async def _series(self, service: str, metrics: Sequence[Metric], window: Window) -> list[RawSeries]:
        if not metrics:
            return []
        asked = [(metric, statistic_of(str(metric["MetricName"]))) for metric in metrics]
        slow = [m for m in metrics if _is_duration(m)]
        whole = [*asked, *((metric, "p95") for metric in slow)]
        values = await self.values(whole, window, what=f"metrics of {service}")
        read = list(zip(whole, values, strict=True))
        series = self._requests(service, read)
        counted = {one.namespace for one in REQUESTS if any(s.name.startswith(one.base) for s in series)}
        for (metric, statistic), (times, found) in read:
            if not times.size or _is_counted(metric, counted, statistic):
                continue
            name = str(metric["MetricName"]) + (".p95" if statistic == "p95" else "")
            scale = next((one.scale for one in REQUESTS if _is_of(metric, one, one.duration)), 1.0)
            per_s = 1.0 / _PERIOD_S if statistic == "Sum" else 1.0
            unit = "%" if name.endswith("Utilization") else "Hz" if statistic == "Sum" else ""
            series.append(
                RawSeries(
                    name=f"{str(metric['Namespace']).removeprefix('AWS/')}.{name}",
                    labels={"service": service, "name": _others(metric, service)},
                    kind="gauge",
                    times=times,
                    values=found * scale * per_s,
                    unit="s" if _is_duration(metric) else unit,
                )
            )
        return series

    def _requests(self, service: str, read: Sequence[tuple[tuple[Metric, str], Points]]) -> list[RawSeries]:
        """Of the first namespace that counted any: a load balancer sees more than the function behind it."""
        for one in REQUESTS:
            hits = _together(read, one, one.hits, "Sum")
            if hits is None:
                continue
            times, count = hits
            errors = _together(read, one, one.errors, "Sum")
            mean = _together(read, one, one.duration, "Average")
            return request_totals(
                one.base,
                service,
                times,
                _PERIOD_S,
                hits=count,
                errors=np.zeros(times.size) if errors is None else at_times(times, *errors),
                spent_s=None if mean is None else at_times(times, *mean) * one.scale * count,
            )
        return []


def statistic_of(name: str) -> str:
    """How the values of a minute are put together: what counts is added."""
    kind = read_name(name).kind
    counts = any(name in (one.hits, one.errors) for one in REQUESTS)
    return "Sum" if counts or (kind in _SUMMED and "Latency" not in name and "Time" not in name) else "Average"


def _together(
    read: Sequence[tuple[tuple[Metric, str], Points]], of: RequestMetrics, name: str, statistic: str
) -> Points | None:
    """Of the metric with the fewest dimensions: the others are its parts."""
    found = [
        (len(metric.get("Dimensions") or ()), points)
        for (metric, how), points in read
        if how == statistic and _is_of(metric, of, name) and points[0].size
    ]
    return min(found, key=lambda one: one[0])[1] if found else None


def _is_of(metric: Metric, of: RequestMetrics, name: str) -> bool:
    return bool(metric["Namespace"] == of.namespace and metric["MetricName"] == name)


def _is_duration(metric: Metric) -> bool:
    return any(_is_of(metric, one, one.duration) for one in REQUESTS)


def _is_counted(metric: Metric, namespaces: set[str], statistic: str) -> bool:
    """Whether it is a part of the requests already."""
    of = next((one for one in REQUESTS if one.namespace == metric["Namespace"]), None)
    if of is None or of.namespace not in namespaces or statistic == "p95":
        return False
    return metric["MetricName"] in (of.hits, of.errors, of.duration)


def _worth(metric: Metric) -> int:
    if any(metric["MetricName"] in (one.hits, one.errors, one.duration) for one in REQUESTS):
        return 0
    kind = read_name(str(metric["MetricName"])).kind
    return 1 if kind in ("errors", "latency", "requests") else 3 if kind in ("other", "runtime", "identity") else 2


def _others(metric: Metric, service: str) -> str:
    """Its other dimensions, so that two series of one metric are told apart."""
    values = (str(d["Value"]) for d in metric.get("Dimensions") or ())
    return " ".join(value for value in values if value != service)
