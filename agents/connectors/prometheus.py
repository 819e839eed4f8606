"""Reads a Prometheus server (or Thanos, Mimir, VictoriaMetrics behind the same API) over its HTTP API.

https://prometheus.io/docs/prometheus/latest/querying/api/ -- the evidence engine gets raw counters, gauges and buckets
by range queries. A range query repeats a sample for up to five minutes, so the step is never finer than the job's
scrape interval.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import numpy as np
from pydantic import AwareDatetime, Field, HttpUrl

from agents.connector import Check, Connector, ConnectorConfig, ConnectorContext, SeriesRead
from agents.connectors.openmetrics.exposition import kind_of
from agents.errors import AgentError, BadArguments, Unavailable
from agents.evidence.types import RawSeries, Window, as_utc
from agents.promql import Bound, bounded, concerns
from agents.rows import Row, Sampled, Searched, State
from agents.tool import Arguments, ToolOutput, tool

_SHOWN = 50
_NAMES_PER_QUERY = 100


class PrometheusConfig(ConnectorConfig):
    """`service_label` holds the service's name; `names` maps a declared service to another value of that label."""

    url: HttpUrl
    service_label: str = Field(default="job", pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$")
    names: Mapping[str, str] = Field(default_factory=dict)
    max_series: int = Field(default=1_000, ge=1, le=20_000)
    max_points: int = Field(default=360, ge=10, le=5_000)


class Query(Arguments):
    promql: str = Field(min_length=1, max_length=2_000, description="A PromQL expression.")
    at: AwareDatetime | None = Field(default=None, description="Moment with time zone; now when left out.")


class QueryRange(Arguments):
    promql: str = Field(min_length=1, max_length=2_000, description="A PromQL expression.")
    start: AwareDatetime | None = Field(default=None, description="With time zone; 30 minutes before end if left out.")
    end: AwareDatetime | None = Field(default=None, description="With time zone; now when left out.")
    step_s: float | None = Field(default=None, ge=1, description="Seconds between points; fitted when left out.")


class ListMetrics(Arguments):
    service: str = Field(description="A declared service.")
    contains: str = Field(default="", description="Only names that contain this.")


class ListAlerts(Arguments):
    state: Literal["firing", "pending", "any"] = "any"


class ListRules(Arguments):
    contains: str = Field(default="", description="Only rules whose name contains this.")


class Prometheus(Connector):
    name = "prometheus"
    title = "Prometheus"
    config_model = PrometheusConfig
    credential_fields = ("token", "username", "password")

    def __init__(self, config: Any, context: ConnectorContext) -> None:
        super().__init__(config, context)
        context.require_declared(config.names, key="connectors.prometheus.names")
        self._service_of = {config.names.get(name, name): name for name in context.names}

    async def check(self) -> Check:
        try:
            build = await self._ask("status/buildinfo")
            found = {
                row["metric"].get(self.config.service_label) for row in await self._vector(self._count_query("5m"))
            }
        except AgentError as exc:
            return Check(
                ok=False, detail=str(exc), next_action="Correct connectors.prometheus.url or its token, and test again."
            )
        silent = sorted(name for value, name in self._service_of.items() if value not in found)
        if silent:
            return Check(
                ok=False,
                detail=f"Prometheus {build['version']} answers, but knows no series of {', '.join(silent)}",
                next_action="Set connectors.prometheus.service_label, or map the services under names.",
            )
        return Check(ok=True, detail=f"Prometheus {build['version']}, {len(self._service_of)} services seen")

    async def read_series(self, window: Window) -> SeriesRead:
        """Raw series of every declared service. Raises an AgentError when the server cannot be asked at all."""
        span_s = max(math.ceil((window.end - window.start).total_seconds()), 1)
        found = await self._vector(self._count_query(f"{span_s}s"), at=window.end)
        names, gaps = self._within_cap(found)
        types = await self._types()
        step_s = max(await self._scrape_interval_s(), span_s / self.config.max_points)
        series: list[RawSeries] = []
        for start in range(0, len(names), _NAMES_PER_QUERY):
            chosen = "|".join(re.escape(name) for name in names[start : start + _NAMES_PER_QUERY])
            selector = self._selector(f"__name__=~{_quoted(chosen)}")
            rows = await self._matrix(selector, window, step_s)
            series += await self.context.clean_series([self._raw(row, types) for row in rows])
        seen = {raw.labels["service"] for raw in series}
        gaps += [f"{name}: Prometheus has no series of it" for name in self.context.names if name not in seen]
        return SeriesRead(series=tuple(series), gaps=tuple(gaps))

    @tool()
    async def query(self, arguments: Query) -> ToolOutput:
        """Ask Prometheus for the value of a PromQL expression at one moment. Only series of declared services are
        read; selectors, rates, quantiles, aggregations, ratios and factors between units are understood.
        """
        promql = bounded(arguments.promql, self._bound)
        rows = await self._shown(await self._vector(promql, at=arguments.at))
        found = [self._value(row) for row in rows]
        return _listing(found, f"{len(rows)} series", {"rows": rows[:_SHOWN]})

    @tool()
    async def query_range(self, arguments: QueryRange) -> ToolOutput:
        """Ask Prometheus how a PromQL expression moved over time, as `query` does. Wrap counters in rate()."""
        end = arguments.end or self.context.now()
        start = arguments.start or end - timedelta(minutes=30)
        if end <= start:
            raise BadArguments("query_range: start must be before end")
        span_s = (end - start).total_seconds()
        step_s = max(arguments.step_s or span_s / 60, span_s / 500, 1.0)
        promql = bounded(arguments.promql, self._bound)
        rows = await self._shown(await self._matrix(promql, Window(start=start, end=end), step_s))
        found = [self._course(row) for row in rows]
        return _listing(found, f"{len(rows)} series over {span_s / 60:.0f} min", {"rows": rows[:_SHOWN]})

    @tool()
    async def list_metrics(self, arguments: ListMetrics) -> ToolOutput:
        """The names of the metrics that Prometheus has of a service, with their number of series."""
        self.context.require_declared([arguments.service], key="service")
        rows = await self._shown(await self._vector(self._count_query("15m", service=arguments.service)))
        counts = {row["metric"]["__name__"]: int(float(row["value"][1])) for row in rows}
        counts = {name: n for name, n in sorted(counts.items()) if arguments.contains in name}
        found = [
            State(service=arguments.service, name=name, value=f"{n} series", line=f"{name} ({n} series)")
            for name, n in counts.items()
        ]
        return _listing(found, f"{len(counts)} metrics of {arguments.service}", {"metrics": counts}, shown=300)

    @tool()
    async def list_alerts(self, arguments: ListAlerts) -> ToolOutput:
        """The alerts of declared services that are pending or firing in Prometheus now."""
        every = [a for a in (await self._ask("alerts"))["alerts"] if arguments.state in {"any", a["state"]}]
        alerts = [a for a in every if a["labels"].get(self.config.service_label) in self._service_of]
        others = len(every) - len(alerts)
        for part in ("labels", "annotations"):
            rows = await self.context.clean_rows([a.get(part) or {} for a in alerts])
            alerts = [{**a, part: row} for a, row in zip(alerts, rows, strict=True)]
        found = [self._alert(a) for a in alerts]
        listed = _listing(found, f"{len(alerts)} alerts", {"alerts": alerts[:_SHOWN]})
        return _without(others, "alerts of no declared service", listed)

    @tool()
    async def list_rules(self, arguments: ListRules) -> ToolOutput:
        """The alerting and recording rules of Prometheus that concern declared services, with their expressions and
        health.
        """
        groups = (await self._ask("rules"))["groups"]
        known = [r for g in groups for r in g["rules"]]
        every = [r for r in known if concerns(r["query"], self._bound)]
        others = len(known) - len(every)
        words = await self.context.clean_rows([{"name": r["name"], "query": r["query"]} for r in every])
        rules = [{**r, **row} for r, row in zip(every, words, strict=True) if arguments.contains in row["name"]]
        found = [
            State(name=r["name"], value=r["query"], line=f"{r['name']} [{r['type']}, {r['health']}]: {r['query']}")
            for r in rules
        ]
        listed = _listing(found, f"{len(rules)} rules", {})
        return _without(others, "rules of no declared service, or in words that are not understood here,", listed)

    @property
    def _bound(self) -> Bound:
        """The declared services, as this server names them: nothing else is asked about."""
        return Bound(label=self.config.service_label, values=tuple(self._service_of))

    def _value(self, row: Mapping[str, Any]) -> Sampled:
        at, value = row["value"]
        return self._sampled(row["metric"], [(at, value)], f"{_title(row['metric'])} {value}")

    def _course(self, row: Mapping[str, Any]) -> Sampled:
        return self._sampled(row["metric"], row["values"], f"{_title(row['metric'])}: {_points(row['values'])}")

    def _sampled(self, metric: Mapping[str, str], points: Iterable[Sequence[Any]], line: str) -> Sampled:
        """Of a series that an expression made there is no name; whether its values are rates only the expression says.

        Samples without a number (NaN) are left out.
        """
        moments = ((as_utc(float(at)), float(value)) for at, value in points)
        return Sampled(
            service=self._service_of.get(metric.get(self.config.service_label, ""), ""),
            name=metric.get("__name__", ""),
            labels={key: value for key, value in metric.items() if key != "__name__"},
            points=tuple((at, value) for at, value in moments if math.isfinite(value)),
            line=line,
        )

    def _alert(self, alert: Mapping[str, Any]) -> State:
        labels = alert["labels"]
        return State(
            service=self._service_of.get(labels.get(self.config.service_label, ""), ""),
            name=labels.get("alertname", ""),
            value=alert["state"],
            line=f"{alert['state']} since {alert['activeAt']}: {_title(labels)} value {alert['value']}",
        )

    async def _shown(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Rows of an answer with cleaned labels: what the model chooses from and reads."""
        metrics = await self.context.clean_rows([row["metric"] for row in rows])
        return [{**row, "metric": metric} for row, metric in zip(rows, metrics, strict=True)]

    def _selector(self, *more: str, service: str | None = None) -> str:
        values = [v for v, name in self._service_of.items() if service in {None, name}]
        pattern = "|".join(re.escape(value) for value in values)
        return "{" + ",".join([f"{self.config.service_label}=~{_quoted(pattern)}", *more]) + "}"

    def _count_query(self, span: str, service: str | None = None) -> str:
        chosen = self._selector(service=service)
        return f"count by (__name__, {self.config.service_label}) (last_over_time({chosen}[{span}]))"

    def _within_cap(self, found: Iterable[Mapping[str, Any]]) -> tuple[list[str], list[str]]:
        """Metric names, small families first, whose series together stay below the cap; and the gap otherwise."""
        sizes: dict[str, int] = {}
        for row in found:
            name = row["metric"]["__name__"]
            sizes[name] = sizes.get(name, 0) + int(float(row["value"][1]))
        kept: list[str] = []
        total = 0
        for name in sorted(sizes, key=lambda n: (sizes[n], n)):
            total += sizes[name]
            if total > self.config.max_series:
                left = len(sizes) - len(kept)
                return kept, [f"Prometheus: {left} metrics are left out; max_series is {self.config.max_series}"]
            kept.append(name)
        return kept, []

    def _raw(self, row: Mapping[str, Any], types: Mapping[str, str]) -> RawSeries:
        metric = dict(row["metric"])
        name = metric.pop("__name__")
        service = self._service_of[metric[self.config.service_label]]
        if self.config.service_label != "service" and "service" in metric:
            metric["exported_service"] = metric["service"]
        labels = {**metric, "service": service}
        points = np.array([[float(at), float(value)] for at, value in row["values"]], dtype=np.float64)
        return RawSeries(
            name=name, labels=labels, kind=kind_of(name, labels, types), times=points[:, 0], values=points[:, 1]
        )

    async def _types(self) -> dict[str, str]:
        """Type by metric name. OpenMetrics counters are listed without their `_total`."""
        metadata = await self._ask("metadata", {"limit_per_metric": "1"})
        return {name: entries[0]["type"] for name, entries in metadata.items() if entries}

    async def _scrape_interval_s(self) -> float:
        """The longest scrape interval among the declared services' targets; 1 s at least."""
        targets = (await self._ask("targets", {"state": "active"}))["activeTargets"]
        ours = [t for t in targets if t["labels"].get(self.config.service_label) in self._service_of]
        return max([1.0, *(_seconds(t.get("scrapeInterval", "")) for t in ours)])

    async def _vector(self, promql: str, at: datetime | None = None) -> list[dict[str, Any]]:
        data = await self._ask("query", {"query": promql, "time": f"{(at or self.context.now()).timestamp():.3f}"})
        if data["resultType"] == "vector":
            return list(data["result"])
        if data["resultType"] in {"scalar", "string"}:
            return [{"metric": {}, "value": data["result"]}]
        raise BadArguments("query: the expression gives a range of samples; use query_range, or wrap it in rate()")

    async def _matrix(self, promql: str, window: Window, step_s: float) -> list[dict[str, Any]]:
        span = {"start": f"{window.start.timestamp():.3f}", "end": f"{window.end.timestamp():.3f}"}
        data = await self._ask("query_range", {"query": promql, "step": f"{step_s:.3f}", **span})
        return list(data["result"])

    async def _ask(self, path: str, params: Mapping[str, str] | None = None) -> Any:
        """The `data` of an answer. A refused expression becomes BadArguments with the server's own words."""
        answer = await self.context.outbound.get(
            f"{str(self.config.url).rstrip('/')}/api/v1/{path}",
            params=params,
            headers=self.context.authorization(),
            max_bytes=32_000_000,
            timeout_s=15.0,
            accept={400, 422},
        )
        document = answer.json()
        if not isinstance(document, dict) or "status" not in document:
            raise Unavailable("the answer is not one of Prometheus' API; is the URL right?")
        if document["status"] != "success":
            said = await self.context.clean(str(document.get("error", "no reason given")))
            raise BadArguments(f"Prometheus refused it: {said[:300]}")
        return document["data"]


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _seconds(duration: str) -> float:
    """A Prometheus duration such as `1m30s`; 0 for an empty one."""
    units = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
    return sum(float(number) * units[unit] for number, unit in re.findall(r"(\d+)(ms|[smhd])", duration))


def _title(labels: Mapping[str, str]) -> str:
    rest = ",".join(f'{key}="{value}"' for key, value in sorted(labels.items()) if key != "__name__")
    return f"{labels.get('__name__', '')}{{{rest}}}"


def _points(values: list[list[Any]], limit: int = 20) -> str:
    every = max(1, math.ceil(len(values) / limit))
    return " ".join(f"{datetime.fromtimestamp(float(at), tz=UTC):%H:%M:%S}={float(v):.4g}" for at, v in values[::every])


def _without(others: int, what: str, listed: ToolOutput) -> ToolOutput:
    if not others:
        return listed
    gap = f"{others} {what} are not shown"
    return replace(listed, gap=f"{listed.gap}; {gap}" if listed.gap else gap)


def _listing(found: Sequence[Row], summary: str, facts: dict[str, Any], shown: int = _SHOWN) -> ToolOutput:
    gap = f"{len(found) - shown} further lines are not shown; narrow the query" if len(found) > shown else None
    absent = "" if found else "nothing found"
    searched = Searched(what="series or alerts", found=len(found), whole=gap is None, line=absent)
    return ToolOutput(
        text="\n".join(row.line for row in found[:shown]) or searched.line,
        rows=(searched, *found[:shown]),
        summary=summary,
        facts=facts,
        gap=gap,
    )


CONNECTOR = Prometheus
