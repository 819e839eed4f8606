"""Datadog: what it tells of a service, in whose words it refuses, and one downtime that comes and goes."""

import ipaddress
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from agents.connecting.active_alerts import AlertSource, Silencer
from agents.connecting.connector import (
    ChangeSource,
    ConnectorContext,
    Discovers,
    LogSource,
    MetricSource,
    Service,
    TraceSource,
)
from agents.connecting.connectors.datadog import CONNECTOR, Datadog
from agents.connecting.connectors.datadog.asked import (
    DatadogEvents,
    DatadogLogs,
    DatadogNames,
    DatadogQuery,
    DatadogSpans,
    DatadogTrace,
    OfDatadogService,
)
from agents.connecting.connectors.datadog.settings import SITES, DatadogConfig
from agents.connecting.outbound import EgressPolicy, Outbound
from agents.errors import AgentError, BadArguments, NeedsReauthorisation, TooLarge, Unavailable
from agents.evidence.metrics.indicators import derive_indicators
from agents.evidence.types import Window
from agents.rows import Changed, Logged, Sampled, Searched, State, Traced
from store.secrets.redaction import Secret
from tests.fakes.datadog import (
    API_KEY,
    APPLICATION_KEY,
    NOW,
    FakeDatadog,
    a_log,
    a_monitor,
    a_span,
    fake_datadog,
    points,
)
from tests.fakes.openapi import Description

SERVICES = (Service(name="checkout", aliases=("service:shop-checkout",)), Service(name="payments"))
SECRET = "ghp_0123456789abcdefghijABCDEFGHIJ012345"
HOUR = Window(start=NOW - timedelta(hours=1), end=NOW)
MS = [{"family": "time", "name": "millisecond", "scale_factor": 0.001}, None]
Connect = Callable[..., Datadog]


@pytest.fixture
async def server() -> AsyncIterator[FakeDatadog]:
    async with fake_datadog() as fake:
        yield fake


@pytest.fixture(autouse=True)
def documented(server: FakeDatadog) -> Iterator[None]:
    """After each test: nothing was asked or answered that Datadog does not document."""
    yield
    folder = Path(__file__).resolve().parents[5] / "shared" / "specs"
    if not (folder / "datadog-v1.json.gz").exists():
        return
    described: dict[str, Description] = {}
    for asked in server.asked:
        description = _described(described, folder, asked.path)
        assert description.problems(asked) == []
    for asked, status, document in server.given:
        assert _described(described, folder, asked.path).answer_problems(asked, status, document) == []


def _described(known: dict[str, Description], folder: Path, path: str) -> Description:
    version = path.split("/")[2]
    if version not in known:
        known[version] = Description(folder / f"datadog-{version}.json.gz")
    return known[version]


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
async def connect(server: FakeDatadog, waits: list[float]) -> AsyncIterator[Connect]:
    async def pause(seconds: float) -> None:
        waits.append(seconds)

    outbound = Outbound(EgressPolicy(allow_networks=(ipaddress.ip_network("127.0.0.0/8"),)), sleep=pause)

    def make(*, api_key: str = API_KEY, now: Callable[[], datetime] = lambda: NOW, **config: Any) -> Datadog:
        keys = {"api_key": Secret(api_key), "application_key": Secret(APPLICATION_KEY)}
        context = ConnectorContext(services=SERVICES, outbound=outbound, now=now, credentials=keys)
        return CONNECTOR(DatadogConfig.model_validate({"api": server.url, **config}), context)

    yield make
    await outbound.close()


@pytest.mark.parametrize(
    ("told", "host"),
    [
        ("US1", "api.datadoghq.com"),
        ("app.datadoghq.com", "api.datadoghq.com"),
        ("us3", "api.us3.datadoghq.com"),
        ("us5.datadoghq.com", "api.us5.datadoghq.com"),
        ("eu", "api.datadoghq.eu"),
        ("AP1", "api.ap1.datadoghq.com"),
        ("ap2", "api.ap2.datadoghq.com"),
        ("gov", "api.ddog-gov.com"),
    ],
)
def test_sites_are_known_by_name(told: str, host: str) -> None:
    config = DatadogConfig(site=told)
    assert CONNECTOR.hosts(config) == (host,)
    assert config.where.page.startswith("https://")


def test_an_unknown_site_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(ValidationError, match="US1, US3, US5, EU1"):
        DatadogConfig(site="datadog.example")
    assert len({one.name for one in SITES.values()}) >= 7


def test_it_is_a_source_of_everything(connect: Connect) -> None:
    source = connect()
    for kind in (AlertSource, Silencer, MetricSource, LogSource, TraceSource, ChangeSource, Discovers):
        assert isinstance(source, kind), kind


async def test_triggered_monitors_by_group_with_what_mutes_them(server: FakeDatadog, connect: Connect) -> None:
    server.monitors = [
        a_monitor(
            1,
            "Errors",
            query="sum(last_5m):x{env:prod} by {service}",
            groups={"service:shop-checkout": "Alert", "service:web": "Alert", "service:payments": "OK"},
        ),
        a_monitor(2, "Slow", tags=("service:payments",), overall_state="No Data"),
        a_monitor(3, "Not ours", tags=("service:warehouse",)),
        a_monitor(4, "Fine", tags=("service:checkout",), overall_state="OK"),
    ]
    server.downtimes["77"] = {
        "id": "77",
        "type": "downtime",
        "attributes": {
            "message": "load test",
            "monitor_identifier": {"monitor_id": 2},
            "scope": "*",
            "status": "active",
        },
    }
    read = await connect().read_alerts()
    assert [(one.service, one.name, one.state, one.severity) for one in read.alerts] == [
        ("checkout", "Errors", "firing", "critical"),
        ("payments", "Slow", "silenced", "no data"),
    ]
    first = read.alerts[0]
    assert (first.key, first.since) == ("1:service:shop-checkout", NOW - timedelta(minutes=10))
    assert first.link == "https://app.datadoghq.com/monitors/1"
    assert read.alerts[1].silenced_by == ("77",)
    assert not any(one.path.endswith("/monitor/3") for one in server.asked), "other services' are not read"
    listed = await connect().datadog_monitors(OfDatadogService(service="payments"))
    (state,) = [row for row in listed.rows if isinstance(row, State)]
    assert (state.name, state.value) == ("Slow", "No Data")


async def test_more_pages_of_monitors_are_read_and_broken_ones_told(server: FakeDatadog, connect: Connect) -> None:
    server.monitors = [a_monitor(n, f"M{n}", tags=("service:checkout",)) for n in range(1, 131)]
    read = await connect().read_alerts()
    assert len(read.alerts) == 60
    assert read.gaps == ("Datadog: 60 of 130 triggered monitors were read",)


async def test_requests_of_a_service_become_its_indicators(server: FakeDatadog, connect: Connect) -> None:
    quiet, bad = [100.0] * 120, [100.0] * 60
    server.series = {
        "trace.flask.request.hits": [points(quiet + bad)],
        "trace.flask.request.errors": [points([0.0] * 120 + [50.0] * 60)],
        "trace.flask.request.duration": [points([10.0] * 120 + [40.0] * 60)],
        "trace.flask.request": [points([0.1] * 120 + [0.4] * 60)],
        "trace.postgres.query.hits": [points([900.0] * 180)],
        "container.memory.usage": [
            points([2048.0] * 180, unit=[{"family": "bytes", "name": "kibibyte", "scale_factor": 1024.0}, None])
        ],
        "shop.queue.wait": [points([12.0] * 180, unit=MS)],
        "shop.requests.rejected": [points([1.0] * 180)],
    }
    server.types["shop.requests.rejected"] = "count"
    read = await connect().read_series(HOUR, ["payments"])
    assert {raw.labels["service"] for raw in read.series} == {"payments"}
    found = {one.indicator: one for one in derive_indicators(read.series, lambda raw: raw.labels["service"])}
    assert found["error ratio"].values[-1] == pytest.approx(0.5)
    assert np.nanmax(found["error ratio"].values[:-65]) == pytest.approx(0.0)
    assert found["latency mean"].values[-1] == pytest.approx(0.4)
    assert found["requests rate"].values[-1] == pytest.approx(5.0)
    assert found["container.memory.usage"].unit == "bytes"
    assert found["container.memory.usage"].values[-1] == pytest.approx(2048 * 1024)
    assert found["shop.queue.wait"].unit == "s"
    asked = [one.query["query"] for one in server.asked if one.path == "/api/v1/query"]
    assert any("sum:shop.requests.rejected{service:payments}.as_rate()" in one for one in asked)
    assert not any("postgres" in one for one in asked), "calls to a database are no requests of the service"


async def test_services_without_metrics_and_metrics_above_the_cap_are_gaps(
    server: FakeDatadog, connect: Connect
) -> None:
    read = await connect().read_series(HOUR)
    assert read.gaps == ("checkout: Datadog has no metric of it", "payments: Datadog has no metric of it")
    server.series = {f"shop.m{n}": [points([1.0, 2.0])] for n in range(5)}
    read = await connect(max_metrics=2).read_series(HOUR, ["payments"])
    assert len(read.series) == 2
    assert "3 metrics of Datadog are left out; max_metrics is 2" in read.gaps[0]


async def test_a_metric_is_queried_with_its_unit(server: FakeDatadog, connect: Connect) -> None:
    server.series = {"shop.wait": [points([5.0, 7.0], unit=MS)], f"shop.{SECRET}": [points([1.0])]}
    shown = await connect().datadog_query(DatadogQuery(service="payments", metric="shop.wait"))
    (sampled,) = [row for row in shown.rows if isinstance(row, Sampled)]
    assert [value for _, value in sampled.points] == pytest.approx([0.005, 0.007])
    nothing = await connect().datadog_query(DatadogQuery(service="payments", metric="shop.other"))
    assert nothing.text == "nothing found: no samples of payments"
    names = await connect().datadog_metrics(DatadogNames(service="payments"))
    assert "shop.wait" in names.text
    assert SECRET not in repr(names)
    with pytest.raises(BadArguments, match="not a declared service"):
        await connect().datadog_query(DatadogQuery(service="nobody", metric="shop.wait"))


async def test_logs_of_the_asked_tier_redacted_and_counted(server: FakeDatadog, connect: Connect) -> None:
    server.logs = [
        a_log("payment took 12 ms", seconds_ago=300),
        a_log(
            "pool exhausted", status="error", service="shop-checkout", attributes={"pool": {"size": 5}, "key": SECRET}
        ),
        a_log(f"token {SECRET} refused", seconds_ago=30),
        a_log("long ago", seconds_ago=20, tier="flex"),
        a_log("not ours", service="web"),
    ]
    found = await connect().datadog_logs(DatadogLogs(service="checkout"))
    rows = [row for row in found.rows if isinstance(row, Logged)]
    assert [row.level for row in rows] == ["info", "error", "info"]
    assert rows[1].fields["pool.size"] == "5"
    assert SECRET not in repr(found)
    only = await connect().datadog_logs(DatadogLogs(service="checkout", contains="pool exhausted", level="error"))
    assert [row.example for row in only.rows if isinstance(row, Logged)] == ["pool exhausted"]
    secret = await connect().datadog_logs(DatadogLogs(service="checkout", contains=SECRET[5:20]))
    assert secret.text.startswith("nothing found"), "a search must not tell of what was taken out"
    cold = await connect().datadog_logs(DatadogLogs(service="checkout", tier="flex"))
    assert "long ago" in cold.text
    read = await connect(tiers=["indexes", "flex"]).read_logs(HOUR)
    assert [line.text for line in read.lines][-1] == "long ago"
    assert len(read.lines) == 4
    server.page = 1
    cut = await connect().read_logs(HOUR, ["checkout"])
    assert cut.gaps == ("Datadog: only a part of the lines was read of checkout",)


async def test_whole_traces_feed_the_ranking_and_are_shown(server: FakeDatadog, connect: Connect) -> None:
    server.spans = [
        a_span("7f", "1", "web", ms=90),
        a_span("7f", "2", "shop-checkout", parent="1", ms=80, error={"type": "Timeout"}),
        a_span("7f", "3", "payments", parent="2", ms=70, status="error"),
        a_span("8f", "4", "shop-checkout", ms=5),
    ]
    read = await connect().read_spans(HOUR, ["checkout"])
    spans = read.spans
    assert set(spans.services) == {"web", "checkout", "payments"}
    assert sorted(spans.trace_ids) == ["7f", "8f"]
    assert spans.failed is not None
    assert int(spans.failed.sum()) == 2
    assert (spans.parent >= 0).sum() == 2
    listed = await connect().datadog_spans(DatadogSpans(service="checkout", failed=False))
    traced = [row for row in listed.rows if isinstance(row, Traced)]
    assert [row.trace for row in traced] == ["7f", "8f"]
    assert traced[0].link == "https://app.datadoghq.com/apm/trace/7f"
    tree = await connect().datadog_trace(DatadogTrace(trace="7f"))
    assert "    payments GET /payments" in tree.text
    with pytest.raises(BadArguments, match="kept no span"):
        await connect().datadog_trace(DatadogTrace(trace="99"))
    none = await connect().read_spans(HOUR, ["payments"])
    assert none.gaps == ()
    server.spans = []
    assert (await connect().read_spans(HOUR, ["payments"])).gaps == ("payments: Datadog kept no spans of it",)


async def test_deployments_from_requests_events_and_dora_are_told_once(server: FakeDatadog, connect: Connect) -> None:
    at = NOW - timedelta(minutes=20)
    server.series = {
        "trace.flask.request.hits": [
            points([9.0] * 180, by=1, scope="service:payments,version:1a2b3c4"),
            points([0.0] * 120 + [9.0] * 60, by=1, scope="service:payments,version:5d6e7f8"),
        ]
    }
    sha = "5d6e7f8" + "0" * 33
    seconds = int(at.timestamp()) + 30
    server.deployments = [
        {
            "type": "dora_deployment",
            "id": "d1",
            "attributes": {
                "service": "payments",
                "env": "prod",
                "started_at": seconds * 1000,
                "finished_at": seconds * 1000,
                "git": {"commit_sha": sha, "repository_id": "r"},
                "version": "5d6e7f8",
            },
        }
    ]

    def event(title: str, number: int) -> Any:
        inner = {"title": title, "evt": {"id": str(number)}, "service": "payments"}
        stamp = (at + timedelta(minutes=number)).isoformat(timespec="milliseconds")
        return {
            "type": "event",
            "id": str(number),
            "attributes": {"timestamp": stamp, "message": title, "tags": ["service:payments"], "attributes": inner},
        }

    server.events = [event("Feature flag new-tax enabled", 1), event("Autoscaling looked", 2)]
    read = await connect().read_changes(HOUR, ["payments"])
    assert [(one.kind, one.version, one.previous_version) for one in read.changes] == [
        ("deployment", "5d6e7f8", "1a2b3c4"),
        ("config", None, None),
    ]
    assert read.gaps == ()
    shown = await connect().datadog_events(DatadogEvents(service="payments"))
    assert [row.kind for row in shown.rows if isinstance(row, Changed)] == ["other", "config", "deployment"]
    with pytest.raises(BadArguments, match="connect its repository"):
        await connect().read_diff("payments", "1a2b3c4", "5d6e7f8")
    nothing = await connect(names={"payments": "none"}).datadog_events(DatadogEvents(service="checkout"))
    assert isinstance(nothing.rows[0], Searched)


@pytest.mark.parametrize(
    ("refusal", "error", "told"),
    [
        ((401, {}, b""), NeedsReauthorisation, "is it of this site"),
        ((403, {}, b"{}"), NeedsReauthorisation, "lacks the scope"),
        ((404, {}, b"{}"), BadArguments, "404"),
        ((400, {}, b'{"errors": ["bad monitor query"]}'), BadArguments, "bad monitor query"),
        (
            (429, {"x-ratelimit-reset": "900", "x-ratelimit-name": "monitors"}, b""),
            Unavailable,
            "limit monitors is used up for 900 s",
        ),
        ((503, {}, b"down"), Unavailable, "answered 503"),
        ((200, {}, b"<html>sign in</html>"), Unavailable, "is not JSON"),
        ((200, {}, b"[]"), Unavailable, "a form that it does not document"),
        ((200, {}, b"[" + b" " * 32_000_001 + b"]"), TooLarge, "more than 32000000 bytes"),
    ],
)
async def test_what_it_refuses_is_said_and_never_nothing_found(
    refusal: Any, error: type[AgentError], told: str, server: FakeDatadog, connect: Connect
) -> None:
    server.refuse = refusal
    with pytest.raises(error, match=told):
        await connect().read_alerts()
    if refusal[0] >= 400:
        check = await connect().check()
        assert not check.ok
        assert check.next_action
        for source in ("read_series", "read_logs", "read_spans", "read_changes"):
            with pytest.raises(error):
                await getattr(connect(), source)(HOUR)


async def test_a_short_wait_for_a_rate_limit_is_waited_for_a_long_one_kept(
    server: FakeDatadog, connect: Connect, waits: list[float]
) -> None:
    path = "/api/v1/monitor/search"
    server.refused[path] = [(429, {"x-ratelimit-reset": "3"}, b"")]
    assert (await connect().read_alerts()).alerts == ()
    assert waits == [3.0]
    clock = [NOW]
    source = connect(now=lambda: clock[0])
    server.refused[path] = [(429, {"x-ratelimit-reset": "120"}, b"")]
    for _ in range(2):
        with pytest.raises(Unavailable, match="rate limit"):
            await source.read_alerts()
    assert sum(one.path == path for one in server.asked) == 3, "it is not asked again before the limit begins anew"
    clock[0] += timedelta(seconds=121)
    assert (await source.read_alerts()).alerts == ()


async def test_one_that_does_not_answer_is_given_up(
    server: FakeDatadog, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.refuse = "hang"
    asked = Outbound.request

    async def soon(self: Outbound, method: str, url: str, **options: Any) -> Any:
        return await asked(self, method, url, **{**options, "timeout_s": 0.05})

    monkeypatch.setattr(Outbound, "request", soon)
    with pytest.raises(Unavailable, match=r"did not answer within 0\.05 s"):
        await connect().read_alerts()


async def test_the_check_names_what_is_missing_and_discovery_lists_services(
    server: FakeDatadog, connect: Connect
) -> None:
    assert (await connect().check()).ok
    server.refused = {"/api/v2/logs/events/search": [(403, {}, b"{}")]}
    check = await connect().check()
    assert (check.ok, check.usable) == (False, True)
    assert check.lacks[0].startswith("logs_read_data: no log can be read")
    assert "logs_read_data" in check.next_action
    found = await connect().discover()
    assert [one.name for one in found.services] == ["checkout", "web", "payments"]
    assert not (await connect(api_key="c" * 32).check()).usable
    with pytest.raises(BadArguments, match="api_key is missing"):
        Datadog(DatadogConfig(), ConnectorContext(services=(), outbound=connect().context.outbound, now=lambda: NOW))


async def test_one_part_that_is_refused_is_a_gap(server: FakeDatadog, connect: Connect) -> None:
    server.series = {"trace.flask.request.hits": []}
    server.refused = {"/api/v2/events/search": [(403, {}, b"{}")]}
    read = await connect().read_changes(HOUR)
    assert [gap.split(" could not")[0] for gap in read.gaps] == ["Datadog: events"]
