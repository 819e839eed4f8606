"""Reads a Prometheus server (or Thanos, Mimir, VictoriaMetrics behind the same API) over its HTTP API. What such a
server does not have, targets or metadata, is done without.

https://prometheus.io/docs/prometheus/latest/querying/api/ -- the evidence engine gets raw counters, gauges and buckets
by range queries. A range query repeats a sample for up to five minutes, so the step is never finer than the job's
scrape interval.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from agents.connecting.connector import (
    Check,
    Connector,
    ConnectorContext,
    Discovered,
    Discovery,
    SeriesRead,
)
from agents.connecting.connectors.openmetrics.exposition import kind_of
from agents.connecting.connectors.prometheus.client import PrometheusClient
from agents.connecting.connectors.prometheus.reading import (
    SHOWN,
    listing,
    observations,
    one_point,
    points_line,
    quoted,
    seconds,
    some,
    title_of,
    without,
    worth,
)
from agents.connecting.connectors.prometheus.settings import (
    FORM,
    ListAlerts,
    ListMetrics,
    ListRules,
    PrometheusConfig,
    Query,
    QueryRange,
)
from agents.connecting.promql import Bound, bounded, concerns, matching
from agents.english import counted
from agents.errors import AgentError, BadArguments
from agents.evidence.types import RawSeries, Window, as_utc
from agents.rows import Sampled, State
from agents.tool import ToolOutput, tool

_NAMES_PER_QUERY = 100
_HALVINGS = 4  # times that a question over a limit of the server is cut in half
_LIMIT = re.compile(r"limit|exceed|too many|err-mimir-max", re.IGNORECASE)
_MONITORING = re.compile(
    r"exporter|^(prometheus|alertmanager|pushgateway|grafana|loki|tempo|jaeger|thanos|mimir)", re.IGNORECASE
)
_USUAL_INTERVAL_S = 60.0  # https://prometheus.io/docs/prometheus/latest/configuration/configuration/
_COUNTED_S = 600
_CLASSIC_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


@dataclass(frozen=True, kw_only=True)
class _Span:
    """A window on a grid, of some services or, where None, of all."""

    window: Window
    step_s: float
    services: Sequence[str] | None


class Prometheus(Connector):
    name = "prometheus"
    title = "Prometheus"
    config_model = PrometheusConfig
    about = "Metrics: Prometheus, or Thanos, Mimir, VictoriaMetrics and others behind the same API."
    docs_url = "https://prometheus.io/docs/prometheus/latest/querying/api/"
    form = FORM
    leaves_behind = "A token stays valid at Prometheus' proxy until it is deleted there."

    def __init__(self, config: Any, context: ConnectorContext) -> None:
        super().__init__(config, context)
        context.require_declared(config.names, key="connectors.prometheus.names")
        self._values = {
            one.name: config.names.get(one.name) or one.names_for(config.service_label) for one in context.services
        }
        self._service_of = {v: name for name, values in self._values.items() for v in values if "*" not in v}
        self._patterns = [
            (re.compile(matching(v)), name) for name, values in self._values.items() for v in values if "*" in v
        ]
        self.names_are = config.service_label if _CLASSIC_NAME.fullmatch(config.service_label) else "job"
        self._server = type(self).title
        self._client = PrometheusClient(config, context, self._server)

    @classmethod
    def hosts(cls, config: Any) -> tuple[str, ...]:
        return (config.url.host,)

    async def check(self) -> Check:
        try:
            build = await self._client.have("status/buildinfo")
            query = f"count by ({self._label()}) (last_over_time({self._selector()}[5m]))"
            rows = await self._client.vector(query) if self.context.names else []
            found = {self._service(row["metric"].get(self.config.service_label, "")) for row in rows}
        except AgentError as exc:
            return Check(
                ok=False,
                detail=str(exc),
                next_action=f"Correct {self._place('url')}, its headers or its token, and test again.",
            )
        version = (build or {}).get("version", "of unknown version")
        silent = sorted(set(self.context.names) - found)
        if silent:
            return Check(
                ok=False,
                detail=f"{self._server} {version} answers, but knows no series of {some(silent)}",
                next_action=f"Set {self._place('service_label')}, or map the services under names."
                if not self.context.label
                else "Say in /autoheal services what they are called there, or which label tells services apart.",
                answers=True,
                lacks=(f"no series of {some(silent)}",),
                has_data=bool(found),
            )
        detail = f"{self._server} {version}, {counted(len(self.context.names), 'service')} seen"
        return Check(ok=True, detail=detail, has_data=bool(found) if self.context.names else None)

    async def discover(self) -> Discovery:
        """The values that the service's label has, without those of monitoring itself."""
        path = f"label/{self.config.service_label}/values"
        listed = await self._client.ask(path, {"match[]": self._matchers()} if self.config.only else None)
        names = await self.context.clean_words([str(name) for name in listed])
        services = [name for name in names if name and not _MONITORING.search(name)]
        left = len(names) - len(services)
        gaps = (f"{left} names belong to monitoring itself and are left out",) if left else ()
        return Discovery(services=tuple(Discovered(name=name) for name in services), gaps=gaps)

    async def read_series(self, window: Window, services: Sequence[str] | None = None) -> SeriesRead:
        """Raw series of the services. Raises an AgentError when the server cannot be asked at all."""
        chosen = self.context.names if services is None else tuple(services)
        span_s = max(math.ceil((window.end - window.start).total_seconds()), 1)
        told: list[str] = []
        query = self._count_query(f"{span_s}s", services=services)
        found = await self._client.vector(query, at=window.end, told=told)
        names, gaps = self._within_cap(found)
        types = await self._types()
        interval_s = await self._scrape_interval_s(names, window.end)
        if interval_s is None:
            gaps.append(f"{self._server} does not say how often it scrapes; {_USUAL_INTERVAL_S:.0f} s are assumed")
        step_s = max(interval_s or _USUAL_INTERVAL_S, span_s / self.config.max_points)
        series: list[RawSeries] = []
        span = _Span(window=window, step_s=step_s, services=services)
        for start in range(0, len(names), _NAMES_PER_QUERY):
            rows = await self._samples(names[start : start + _NAMES_PER_QUERY], span, told, gaps)
            series += await self.context.clean_series([one for row in rows for one in self._raw(row, types)])
        seen = {raw.labels["service"] for raw in series}
        gaps += [f"{self._server} warns: {warning}" for warning in dict.fromkeys(told)]
        gaps += [f"{name}: {self._server} has no series of it" for name in chosen if name not in seen]
        return SeriesRead(series=tuple(series), gaps=tuple(gaps))

    async def _samples(
        self, names: Sequence[str], span: _Span, told: list[str], gaps: list[str], halvings: int = _HALVINGS
    ) -> list[dict[str, Any]]:
        """Of these metrics. What is over a limit of the server is asked in halves, and what is so still a gap."""
        wanted = "|".join(re.escape(name) for name in names)
        selector = self._selector(f"__name__=~{quoted(wanted)}", services=span.services)
        try:
            return await self._client.matrix(selector, span.window, span.step_s, told)
        except BadArguments as exc:
            if not _LIMIT.search(str(exc)):
                raise
            if not halvings or len(names) == 1:
                gaps.append(f"{some(names, 3)}: not read. {exc}")
                return []
        middle = len(names) // 2
        return [
            *await self._samples(names[:middle], span, told, gaps, halvings - 1),
            *await self._samples(names[middle:], span, told, gaps, halvings - 1),
        ]

    @tool()
    async def query(self, arguments: Query) -> ToolOutput:
        """Ask Prometheus for the value of a PromQL expression at one moment. Only series of declared services are
        read; selectors, rates, quantiles, aggregations, ratios and factors between units are understood.
        """
        promql = bounded(arguments.promql, self._bound)
        told: list[str] = []
        rows = await self._shown(await self._client.vector(promql, at=arguments.at, told=told))
        found = [self._value(row) for row in rows]
        return listing(found, f"{len(rows)} series", {"rows": rows[:SHOWN]}, told=told)

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
        told: list[str] = []
        rows = await self._shown(await self._client.matrix(promql, Window(start=start, end=end), step_s, told))
        found = [self._course(row) for row in rows]
        return listing(found, f"{len(rows)} series over {span_s / 60:.0f} min", {"rows": rows[:SHOWN]}, told=told)

    @tool()
    async def list_metrics(self, arguments: ListMetrics) -> ToolOutput:
        """The names of the metrics that Prometheus has of a service, with their number of series."""
        self.context.require_declared([arguments.service], key="service")
        rows = await self._shown(await self._client.vector(self._count_query("15m", services=[arguments.service])))
        counts = {row["metric"]["__name__"]: int(float(row["value"][1])) for row in rows}
        counts = {name: n for name, n in sorted(counts.items()) if arguments.contains in name}
        found = [
            State(service=arguments.service, name=name, value=f"{n} series", line=f"{name} ({n} series)")
            for name, n in counts.items()
        ]
        return listing(
            found, f"{counted(len(counts), 'metric')} of {arguments.service}", {"metrics": counts}, shown=300
        )

    @tool()
    async def list_alerts(self, arguments: ListAlerts) -> ToolOutput:
        """The alerts of declared services that are pending or firing in Prometheus now."""
        every = [a for a in (await self._client.ask("alerts"))["alerts"] if arguments.state in {"any", a["state"]}]
        alerts = [a for a in every if self._service(a["labels"].get(self.config.service_label, ""))]
        others = len(every) - len(alerts)
        for part in ("labels", "annotations"):
            rows = await self.context.clean_rows([a.get(part) or {} for a in alerts])
            alerts = [{**a, part: row} for a, row in zip(alerts, rows, strict=True)]
        found = [self._alert(a) for a in alerts]
        listed = listing(found, counted(len(alerts), "alert"), {"alerts": alerts[:SHOWN]})
        return without(others, "alerts of no declared service", listed)

    @tool()
    async def list_rules(self, arguments: ListRules) -> ToolOutput:
        """The alerting and recording rules of Prometheus that concern declared services, with their expressions and
        health.
        """
        groups = (await self._client.ask("rules"))["groups"]
        known = [r for g in groups for r in g["rules"]]
        every = [r for r in known if concerns(r["query"], self._bound)]
        others = len(known) - len(every)
        words = await self.context.clean_rows([{"name": r["name"], "query": r["query"]} for r in every])
        rules = [{**r, **row} for r, row in zip(every, words, strict=True) if arguments.contains in row["name"]]
        found = [
            State(name=r["name"], value=r["query"], line=f"{r['name']} [{r['type']}, {r['health']}]: {r['query']}")
            for r in rules
        ]
        listed = listing(found, counted(len(rules), "rule"), {})
        return without(others, "rules of no declared service, or in words that are not understood here,", listed)

    @property
    def _bound(self) -> Bound:
        """The declared services, as this server names them: nothing else is asked about."""
        values = [value for values in self._values.values() for value in values]
        return Bound(label=self.config.service_label, values=tuple(values))

    def _value(self, row: Mapping[str, Any]) -> Sampled:
        at, value = one_point(row)
        return self._sampled(row["metric"], [(at, value)], f"{title_of(row['metric'])} {value}")

    def _course(self, row: Mapping[str, Any]) -> Sampled:
        points = row.get("values") or [[at, observations(histogram)] for at, histogram in row.get("histograms", ())]
        return self._sampled(row["metric"], points, f"{title_of(row['metric'])}: {points_line(points)}")

    def _sampled(self, metric: Mapping[str, str], points: Iterable[Sequence[Any]], line: str) -> Sampled:
        """Of a series that an expression made there is no name; whether its values are rates only the expression says.

        Samples without a number (NaN) are left out.
        """
        moments = ((as_utc(float(at)), float(value)) for at, value in points)
        return Sampled(
            service=self._service(metric.get(self.config.service_label, "")),
            name=metric.get("__name__", ""),
            labels={key: value for key, value in metric.items() if key != "__name__"},
            points=tuple((at, value) for at, value in moments if math.isfinite(value)),
            line=line,
        )

    def _alert(self, alert: Mapping[str, Any]) -> State:
        labels = alert["labels"]
        return State(
            service=self._service(labels.get(self.config.service_label, "")),
            name=labels.get("alertname", ""),
            value=alert["state"],
            line=f"{alert['state']} since {alert['activeAt']}: {title_of(labels)} value {alert['value']}",
        )

    async def _shown(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Rows of an answer with cleaned labels: what the model chooses from and reads."""
        metrics = await self.context.clean_rows([row["metric"] for row in rows])
        return [{**row, "metric": metric} for row, metric in zip(rows, metrics, strict=True)]

    def _selector(self, *more: str, services: Sequence[str] | None = None) -> str:
        values = [v for name, values in self._values.items() if services is None or name in services for v in values]
        pattern = "|".join(matching(value) for value in values)
        only = [f"{label}={quoted(value)}" for label, value in self.config.only.items()]
        return "{" + ",".join([f"{self._label()}=~{quoted(pattern)}", *only, *more]) + "}"

    def _matchers(self) -> str:
        return "{" + ",".join(f"{label}={quoted(value)}" for label, value in self.config.only.items()) + "}"

    def _service(self, value: str) -> str:
        """The service that a value of the label means; "" for none."""
        if value in self._service_of:
            return self._service_of[value]
        return next((name for pattern, name in self._patterns if pattern.fullmatch(value)), "")

    def _place(self, key: str) -> str:
        """Where a setting is changed, in words."""
        return f"the {key.replace('_', ' ')}" if self.context.label else f"connectors.{self.name}.{key}"

    def _label(self) -> str:
        """The service's label as an expression spells it: in quotation marks where it has dots."""
        label = self.config.service_label
        return label if _CLASSIC_NAME.fullmatch(label) else quoted(label)

    def _count_query(self, span: str, services: Sequence[str] | None = None) -> str:
        chosen = self._selector(services=services)
        return f"count by (__name__, {self._label()}) (last_over_time({chosen}[{span}]))"

    def _within_cap(self, found: Iterable[Mapping[str, Any]]) -> tuple[list[str], list[str]]:
        """Metric names whose series together stay below the cap, and the gap otherwise.

        What tells of requests, errors and latencies comes first, then what fills up, a runtime's internals last; of
        equals the small families.
        """
        sizes: dict[str, int] = {}
        for row in found:
            name = row["metric"]["__name__"]
            sizes[name] = sizes.get(name, 0) + int(float(row["value"][1]))
        kept: list[str] = []
        total = 0
        for name in sorted(sizes, key=lambda n: (worth(n), sizes[n], n)):
            if total + sizes[name] <= self.config.max_series:
                total += sizes[name]
                kept.append(name)
        left = len(sizes) - len(kept)
        told = f"{self._server}: {left} metrics are left out; max_series is {self.config.max_series}"
        return kept, [told] if left else []

    def _raw(self, row: Mapping[str, Any], types: Mapping[str, str]) -> Iterator[RawSeries]:
        """The samples of a row as one series; a native histogram's as its count and its sum.

        https://prometheus.io/docs/prometheus/latest/querying/api/#native-histograms
        """
        if values := row.get("values"):
            yield self._series(row["metric"], row["metric"]["__name__"], values, types)
        if histograms := row.get("histograms"):
            for part in ("count", "sum"):
                samples = [[at, histogram[part]] for at, histogram in histograms if part in histogram]
                if samples:
                    yield self._series(row["metric"], f"{row['metric']['__name__']}_{part}", samples, {})

    def _series(
        self, row_metric: Mapping[str, str], name: str, values: Sequence[Sequence[Any]], types: Mapping[str, str]
    ) -> RawSeries:
        metric = {key: value for key, value in row_metric.items() if key != "__name__"}
        service = self._service(metric[self.config.service_label])
        if self.config.service_label != "service" and "service" in metric:
            metric["exported_service"] = metric["service"]
        labels = {**metric, "service": service}
        points = np.array([[float(at), float(value)] for at, value in values], dtype=np.float64)
        return RawSeries(
            name=name, labels=labels, kind=kind_of(name, labels, types), times=points[:, 0], values=points[:, 1]
        )

    async def _types(self) -> dict[str, str]:
        """Type by metric name. OpenMetrics counters are listed without their `_total`."""
        metadata = await self._client.slowly("metadata", {"limit_per_metric": "1"}) or {}
        return {name: entries[0]["type"] for name, entries in metadata.items() if entries}

    async def _scrape_interval_s(self, names: Sequence[str], at: datetime) -> float | None:
        """The longest scrape interval among the declared services' targets, 1 s at least.

        Mimir, Thanos and the managed ones have no targets: there the samples of one metric are counted; None where
        they do not tell either.
        """
        answer = await self._client.slowly("targets", {"state": "active"})
        if answer is not None:
            ours = [t for t in answer["activeTargets"] if self._service(t["labels"].get(self.config.service_label, ""))]
            return max([1.0, *(seconds(t.get("scrapeInterval", "")) for t in ours)])
        if not names:
            return None
        chosen = self._selector(f"__name__=~{quoted(re.escape(names[0]))}")
        rows = await self._client.vector(f"max(count_over_time({chosen}[{_COUNTED_S}s]))", at=at)
        most = max((float(row["value"][1]) for row in rows if "value" in row), default=0.0)
        return max(1.0, _COUNTED_S / most) if most > 1 else None


CONNECTOR = Prometheus
