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
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from urllib.parse import urlencode

import numpy as np
from pydantic import Field, HttpUrl, field_validator

from agents.connecting.connector import (
    Check,
    Connector,
    ConnectorConfig,
    ConnectorContext,
    Discovered,
    Discovery,
    SeriesRead,
)
from agents.connecting.connectors.openmetrics.exposition import kind_of
from agents.connecting.fields import HTTP_LOGIN, HTTP_LOGIN_WAYS, Form, plain_headers, plain_labels
from agents.connecting.fields import Field as Asked
from agents.connecting.promql import Bound, bounded, concerns, matching
from agents.english import counted
from agents.errors import AgentError, BadArguments, Unavailable
from agents.evidence.metrics.meaning import Kind, read_name
from agents.evidence.types import RawSeries, Window, as_utc
from agents.rows import Row, Sampled, Searched, State
from agents.tool import Arguments, Moment, ToolOutput, tool

_SHOWN = 50
_NAMES_PER_QUERY = 100
_CONFIGURED_FOR = timedelta(minutes=5)
_MONITORING = re.compile(
    r"exporter|^(prometheus|alertmanager|pushgateway|grafana|loki|tempo|jaeger|thanos|mimir)", re.IGNORECASE
)
_LONGEST_URL = 1_500
_ABSENT = frozenset((404, 405, 501))
_USUAL_INTERVAL_S = 60.0  # https://prometheus.io/docs/prometheus/latest/configuration/configuration/
_COUNTED_S = 600
_CLASSIC_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_FELT: frozenset[Kind] = frozenset(("requests", "errors", "availability", "latency"))
_UNTELLING: frozenset[Kind] = frozenset(("other", "identity"))
_RUNTIMES = ("go", "jvm", "python", "nodejs", "dotnet", "clr", "ruby", "erlang", "beam")
_INTERNAL: frozenset[Kind] = frozenset(("runtime", "clock", "certificate", "limit"))


class PrometheusConfig(ConnectorConfig):
    """`service_label` holds the service's name; `names` maps a declared service to another value, or several, of that
    label. `headers` are sent with every question, such as the tenant that Mimir wants in `X-Scope-OrgID`.
    """

    url: HttpUrl
    service_label: str = Field(default="job", min_length=1, max_length=200, pattern=r"^[^\s\"'{}\\]+$")
    names: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)
    headers: Mapping[str, str] = Field(default_factory=dict)
    max_series: int = Field(default=2_000, ge=1, le=20_000)
    max_points: int = Field(default=360, ge=10, le=5_000)
    only: Mapping[str, str] = Field(default_factory=dict)
    """Labels that every series read must carry: one cluster or environment of a server that many share."""

    @field_validator("only")
    @classmethod
    def _labels(cls, only: Mapping[str, str]) -> Mapping[str, str]:
        plain_labels(only)
        return only

    @field_validator("names", mode="before")
    @classmethod
    def _one_or_several(cls, names: object) -> object:
        if not isinstance(names, Mapping):
            return names
        return {name: (value,) if isinstance(value, str) else value for name, value in names.items()}

    @field_validator("headers")
    @classmethod
    def _plain(cls, headers: Mapping[str, str]) -> Mapping[str, str]:
        plain_headers(headers)
        return headers


class Query(Arguments):
    promql: str = Field(min_length=1, max_length=2_000, description="A PromQL expression.")
    at: Moment | None = Field(default=None, description="Moment with time zone; now when left out.")


class QueryRange(Arguments):
    promql: str = Field(min_length=1, max_length=2_000, description="A PromQL expression.")
    start: Moment | None = Field(default=None, description="With time zone; 30 minutes before end if left out.")
    end: Moment | None = Field(default=None, description="With time zone; now when left out.")
    step_s: float | None = Field(
        default=None, ge=1, le=86_400, description="Seconds between points; fitted when left out."
    )


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
    about = "Metrics: Prometheus, or Thanos, Mimir, VictoriaMetrics and others behind the same API."
    docs_url = "https://prometheus.io/docs/prometheus/latest/querying/api/"
    form = Form(
        fields=(
            Asked(
                name="url",
                label="Address",
                help="Where its web page is, without /api. A hosted one says it under remote read or HTTP API.",
                example="https://prometheus.example.com",
                required=True,
                pattern=r"https?://\S+",
            ),
            Asked(
                name="service_label",
                label="Label with the service",
                help="The label by which series tell services apart. Leave it empty for job.",
                example="job",
            ),
            Asked(
                name="only",
                label="Only series with",
                help="Where many share a server: labels that yours carry, one a line.",
                example="cluster = eu-1",
                kind="pairs",
                long=True,
            ),
            Asked(
                name="headers",
                label="Headers",
                help="Sent with every question, such as the tenant that Mimir wants. No secrets.",
                example="X-Scope-OrgID = acme",
                kind="pairs",
                long=True,
            ),
            *HTTP_LOGIN,
        ),
        ways=HTTP_LOGIN_WAYS,
        open=True,
    )
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
        self._kept: dict[str, tuple[datetime, Any]] = {}

    @classmethod
    def hosts(cls, config: Any) -> tuple[str, ...]:
        return (config.url.host,)

    async def check(self) -> Check:
        try:
            build = await self._have("status/buildinfo")
            query = f"count by ({self._label()}) (last_over_time({self._selector()}[5m]))"
            rows = await self._vector(query) if self.context.names else []
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
                detail=f"Prometheus {version} answers, but knows no series of {_some(silent)}",
                next_action=f"Set {self._place('service_label')}, or map the services under names."
                if not self.context.label
                else "Say in /autoheal services what they are called there, or which label tells services apart.",
                answers=True,
                lacks=(f"no series of {_some(silent)}",),
                has_data=bool(found),
            )
        detail = f"Prometheus {version}, {counted(len(self.context.names), 'service')} seen"
        return Check(ok=True, detail=detail, has_data=bool(found) if self.context.names else None)

    async def discover(self) -> Discovery:
        """The values that the service's label has, without those of monitoring itself."""
        path = f"label/{self.config.service_label}/values"
        listed = await self._ask(path, {"match[]": self._matchers()} if self.config.only else None)
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
        found = await self._vector(query, at=window.end, told=told)
        names, gaps = self._within_cap(found)
        types = await self._types()
        interval_s = await self._scrape_interval_s(names, window.end)
        if interval_s is None:
            gaps.append(f"Prometheus does not say how often it scrapes; {_USUAL_INTERVAL_S:.0f} s are assumed")
        step_s = max(interval_s or _USUAL_INTERVAL_S, span_s / self.config.max_points)
        series: list[RawSeries] = []
        for start in range(0, len(names), _NAMES_PER_QUERY):
            wanted = "|".join(re.escape(name) for name in names[start : start + _NAMES_PER_QUERY])
            selector = self._selector(f"__name__=~{_quoted(wanted)}", services=services)
            rows = await self._matrix(selector, window, step_s, told)
            series += await self.context.clean_series([one for row in rows for one in self._raw(row, types)])
        seen = {raw.labels["service"] for raw in series}
        gaps += [f"Prometheus warns: {warning}" for warning in dict.fromkeys(told)]
        gaps += [f"{name}: Prometheus has no series of it" for name in chosen if name not in seen]
        return SeriesRead(series=tuple(series), gaps=tuple(gaps))

    @tool()
    async def query(self, arguments: Query) -> ToolOutput:
        """Ask Prometheus for the value of a PromQL expression at one moment. Only series of declared services are
        read; selectors, rates, quantiles, aggregations, ratios and factors between units are understood.
        """
        promql = bounded(arguments.promql, self._bound)
        told: list[str] = []
        rows = await self._shown(await self._vector(promql, at=arguments.at, told=told))
        found = [self._value(row) for row in rows]
        return _listing(found, f"{len(rows)} series", {"rows": rows[:_SHOWN]}, told=told)

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
        rows = await self._shown(await self._matrix(promql, Window(start=start, end=end), step_s, told))
        found = [self._course(row) for row in rows]
        return _listing(found, f"{len(rows)} series over {span_s / 60:.0f} min", {"rows": rows[:_SHOWN]}, told=told)

    @tool()
    async def list_metrics(self, arguments: ListMetrics) -> ToolOutput:
        """The names of the metrics that Prometheus has of a service, with their number of series."""
        self.context.require_declared([arguments.service], key="service")
        rows = await self._shown(await self._vector(self._count_query("15m", services=[arguments.service])))
        counts = {row["metric"]["__name__"]: int(float(row["value"][1])) for row in rows}
        counts = {name: n for name, n in sorted(counts.items()) if arguments.contains in name}
        found = [
            State(service=arguments.service, name=name, value=f"{n} series", line=f"{name} ({n} series)")
            for name, n in counts.items()
        ]
        return _listing(
            found, f"{counted(len(counts), 'metric')} of {arguments.service}", {"metrics": counts}, shown=300
        )

    @tool()
    async def list_alerts(self, arguments: ListAlerts) -> ToolOutput:
        """The alerts of declared services that are pending or firing in Prometheus now."""
        every = [a for a in (await self._ask("alerts"))["alerts"] if arguments.state in {"any", a["state"]}]
        alerts = [a for a in every if self._service(a["labels"].get(self.config.service_label, ""))]
        others = len(every) - len(alerts)
        for part in ("labels", "annotations"):
            rows = await self.context.clean_rows([a.get(part) or {} for a in alerts])
            alerts = [{**a, part: row} for a, row in zip(alerts, rows, strict=True)]
        found = [self._alert(a) for a in alerts]
        listed = _listing(found, counted(len(alerts), "alert"), {"alerts": alerts[:_SHOWN]})
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
        listed = _listing(found, counted(len(rules), "rule"), {})
        return _without(others, "rules of no declared service, or in words that are not understood here,", listed)

    @property
    def _bound(self) -> Bound:
        """The declared services, as this server names them: nothing else is asked about."""
        values = [value for values in self._values.values() for value in values]
        return Bound(label=self.config.service_label, values=tuple(values))

    def _value(self, row: Mapping[str, Any]) -> Sampled:
        at, value = _one_point(row)
        return self._sampled(row["metric"], [(at, value)], f"{_title(row['metric'])} {value}")

    def _course(self, row: Mapping[str, Any]) -> Sampled:
        points = row.get("values") or [[at, _counted(histogram)] for at, histogram in row.get("histograms", ())]
        return self._sampled(row["metric"], points, f"{_title(row['metric'])}: {_points(points)}")

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
            line=f"{alert['state']} since {alert['activeAt']}: {_title(labels)} value {alert['value']}",
        )

    async def _shown(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Rows of an answer with cleaned labels: what the model chooses from and reads."""
        metrics = await self.context.clean_rows([row["metric"] for row in rows])
        return [{**row, "metric": metric} for row, metric in zip(rows, metrics, strict=True)]

    def _selector(self, *more: str, services: Sequence[str] | None = None) -> str:
        values = [v for name, values in self._values.items() if services is None or name in services for v in values]
        pattern = "|".join(matching(value) for value in values)
        only = [f"{label}={_quoted(value)}" for label, value in self.config.only.items()]
        return "{" + ",".join([f"{self._label()}=~{_quoted(pattern)}", *only, *more]) + "}"

    def _matchers(self) -> str:
        return "{" + ",".join(f"{label}={_quoted(value)}" for label, value in self.config.only.items()) + "}"

    def _service(self, value: str) -> str:
        """The service that a value of the label means; "" for none."""
        if value in self._service_of:
            return self._service_of[value]
        return next((name for pattern, name in self._patterns if pattern.fullmatch(value)), "")

    def _place(self, key: str) -> str:
        """Where a setting is changed, in words."""
        return f"the {key.replace('_', ' ')}" if self.context.label else f"connectors.prometheus.{key}"

    def _label(self) -> str:
        """The service's label as an expression spells it: in quotation marks where it has dots."""
        label = self.config.service_label
        return label if _CLASSIC_NAME.fullmatch(label) else _quoted(label)

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
        for name in sorted(sizes, key=lambda n: (_worth(n), sizes[n], n)):
            if total + sizes[name] <= self.config.max_series:
                total += sizes[name]
                kept.append(name)
        left = len(sizes) - len(kept)
        told = f"Prometheus: {left} metrics are left out; max_series is {self.config.max_series}"
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
        metadata = await self._slowly("metadata", {"limit_per_metric": "1"}) or {}
        return {name: entries[0]["type"] for name, entries in metadata.items() if entries}

    async def _scrape_interval_s(self, names: Sequence[str], at: datetime) -> float | None:
        """The longest scrape interval among the declared services' targets, 1 s at least.

        Mimir, Thanos and the managed ones have no targets: there the samples of one metric are counted; None where
        they do not tell either.
        """
        answer = await self._slowly("targets", {"state": "active"})
        if answer is not None:
            ours = [t for t in answer["activeTargets"] if self._service(t["labels"].get(self.config.service_label, ""))]
            return max([1.0, *(_seconds(t.get("scrapeInterval", "")) for t in ours)])
        if not names:
            return None
        chosen = self._selector(f"__name__=~{_quoted(re.escape(names[0]))}")
        rows = await self._vector(f"max(count_over_time({chosen}[{_COUNTED_S}s]))", at=at)
        most = max((float(row["value"][1]) for row in rows if "value" in row), default=0.0)
        return max(1.0, _COUNTED_S / most) if most > 1 else None

    async def _vector(
        self, promql: str, at: datetime | None = None, told: list[str] | None = None
    ) -> list[dict[str, Any]]:
        moment = f"{(at or self.context.now()).timestamp():.3f}"
        data = await self._ask("query", {"query": promql, "time": moment}, told)
        if data["resultType"] == "vector":
            return list(data["result"])
        if data["resultType"] in {"scalar", "string"}:
            return [{"metric": {}, "value": data["result"]}]
        raise BadArguments("query: the expression gives a range of samples; use query_range, or wrap it in rate()")

    async def _matrix(
        self, promql: str, window: Window, step_s: float, told: list[str] | None = None
    ) -> list[dict[str, Any]]:
        span = {"start": f"{window.start.timestamp():.3f}", "end": f"{window.end.timestamp():.3f}"}
        data = await self._ask("query_range", {"query": promql, "step": f"{step_s:.3f}", **span}, told)
        return list(data["result"])

    async def _have(self, path: str, params: Mapping[str, str] | None = None) -> Any:
        """The same as `_ask`, and None where the server has no such page."""
        return await self._ask(path, params, absent=_ABSENT)

    async def _slowly(self, path: str, params: Mapping[str, str]) -> Any:
        """The same for what changes with the server's configuration only: asked again after some minutes."""
        now = self.context.now()
        at, answer = self._kept.get(path, (None, None))
        if at is None or not timedelta(0) <= now - at < _CONFIGURED_FOR:
            answer = await self._have(path, params)
            self._kept[path] = (now, answer)
        return answer

    async def _ask(
        self,
        path: str,
        params: Mapping[str, str] | None = None,
        told: list[str] | None = None,
        *,
        absent: frozenset[int] = frozenset(),
    ) -> Any:
        """The `data` of an answer. A refused expression becomes BadArguments with the server's own words.

        Warnings, as of a store that did not answer, are put into `told`. A long expression is sent as a form: proxies
        refuse long URLs.
        """
        form = urlencode(params or {})
        is_long = len(form) > _LONGEST_URL
        typed = {"content-type": "application/x-www-form-urlencoded"} if is_long else {}
        answer = await self.context.outbound.request(
            "POST" if is_long else "GET",
            f"{str(self.config.url).rstrip('/')}/api/v1/{path}",
            params=None if is_long else params,
            content=form.encode() if is_long else None,
            headers={**self.config.headers, **self.context.authorization(), **typed},
            max_bytes=32_000_000,
            timeout_s=15.0,
            accept={400, 422, *absent},
        )
        if answer.status in absent:
            return None
        document = answer.json()
        if not isinstance(document, dict) or "status" not in document:
            raise Unavailable("the answer is not one of Prometheus' API; is the URL right?")
        if document["status"] != "success":
            said = await self.context.clean(str(document.get("error", "no reason given")))
            raise BadArguments(f"Prometheus refused it: {said[:300]}")
        if told is not None:
            told += [(await self.context.clean(str(warning)))[:200] for warning in document.get("warnings") or ()]
            told += ["the answer is partial"] if document.get("isPartial") else []
        return document["data"]


def _some(names: Sequence[str], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{', '.join(names[:most])}{more}"


def _worth(name: str) -> int:
    """In which order metrics are kept: what users feel, what fills up, the rest, a runtime's internals."""
    kind = read_name(name).kind
    if kind in _FELT or kind in _INTERNAL:
        return 0 if kind in _FELT else 3
    return 2 if kind in _UNTELLING or name.split("_", 1)[0] in _RUNTIMES else 1


def _one_point(row: Mapping[str, Any]) -> tuple[Any, Any]:
    """The sample of an instant answer; a native histogram's number of observations."""
    if "value" in row:
        return row["value"][0], row["value"][1]
    at, histogram = row["histogram"]
    return at, _counted(histogram)


def _counted(histogram: Mapping[str, Any]) -> Any:
    return histogram.get("count", "0")


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
    kept = values[::-every][::-1]  # the newest is one of them
    return " ".join(f"{datetime.fromtimestamp(float(at), tz=UTC):%H:%M:%S}={float(v):.4g}" for at, v in kept)


def _without(others: int, what: str, listed: ToolOutput) -> ToolOutput:
    if not others:
        return listed
    gap = f"{others} {what} are not shown"
    return replace(listed, gap=f"{listed.gap}; {gap}" if listed.gap else gap)


def _listing(
    found: Sequence[Row], summary: str, facts: dict[str, Any], shown: int = _SHOWN, *, told: Sequence[str] = ()
) -> ToolOutput:
    gaps = [f"Prometheus warns: {warning}" for warning in dict.fromkeys(told)]
    if len(found) > shown:
        gaps.append(f"{len(found) - shown} further lines are not shown; narrow the query")
    gap = "; ".join(gaps) or None
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
