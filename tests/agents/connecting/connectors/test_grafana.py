"""Grafana: what lies behind it is read by the native connectors and nothing else is reached; what it lacks is told."""

import ipaddress
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from agents.connecting.active_alerts import AlertSource, Silencer
from agents.connecting.connector import (
    ChangeSource,
    Connector,
    ConnectorContext,
    LogSource,
    MetricSource,
    Service,
    TraceSource,
)
from agents.connecting.connectors.grafana import CONNECTOR, Grafana
from agents.connecting.connectors.grafana.settings import DashboardsOfService, GrafanaConfig, RulesOfService
from agents.connecting.log_search import SearchLogs
from agents.connecting.outbound import EgressPolicy, Outbound
from agents.connecting.toolbox import Toolbox
from agents.errors import AgentError, BadArguments, NeedsReauthorisation, Unavailable
from agents.evidence.types import Window
from agents.investigation.log_tools import LogTools
from agents.rows import State
from store.secrets.redaction import Secret
from tests.agents.connecting.connectors.conftest import NOW
from tests.fakes.alertmanager import TOKEN, an_alert
from tests.fakes.grafana import PERMISSIONS, FakeGrafana, fake_grafana
from tests.fakes.loki import FakeLoki
from tests.fakes.prometheus import FakePrometheus
from tests.fakes.tempo import FakeSpan, FakeTempo

SERVICES = (Service(name="checkout", aliases=("job:shop-checkout",)), Service(name="payments"))
LAST = Window(start=NOW - timedelta(minutes=30), end=NOW)
SECRET = "ghp_0123456789abcdefghijABCDEFGHIJ012345"
ALL = {"metrics": ("prom",), "logs": ("loki-eu",), "traces": ("tempo-eu",)}
Connect = Callable[..., Grafana]


@pytest.fixture
async def server() -> AsyncIterator[FakeGrafana]:
    async with fake_grafana() as fake:
        loki, tempo = FakeLoki(), FakeTempo()
        for name in ("checkout", "payments"):
            loki.add({"app": name}, (NOW - timedelta(minutes=1), f"{name} level=error failed"))
        at = NOW - timedelta(minutes=2)
        tempo.traces = {
            "ab" * 16: [
                FakeSpan(id=1, service="checkout", name="POST /order", at=at, ms=90),
                FakeSpan(id=2, parent=1, service="payments", name="charge", at=at, ms=50),
            ]
        }
        fake.put("prom", FakePrometheus())
        fake.put("loki-eu", loki)
        fake.put("tempo-eu", tempo)
        fake.put("loki-of-another-team", FakeLoki())
        yield fake


async def _no_pause(_seconds: float) -> None:
    return


@pytest.fixture
async def connect(server: FakeGrafana) -> AsyncIterator[Connect]:
    outbound = Outbound(EgressPolicy(allow_networks=(ipaddress.ip_network("127.0.0.0/8"),)), sleep=_no_pause)
    made: list[Connector] = []

    def make(*, token: str = TOKEN, **config: Any) -> Grafana:
        context = ConnectorContext(
            services=SERVICES,
            outbound=outbound,
            now=lambda: NOW,
            credentials={"token": Secret(token)},
            label="watch",
        )
        grafana = CONNECTOR(GrafanaConfig(url=server.url, **(config or ALL)), context)
        made.append(grafana)
        return grafana

    yield make
    for one in made:
        await one.close()
    await outbound.close()


def one_of(grafana: Grafana, kind: type[Any]) -> Any:
    (found,) = [one for one in grafana.behind() if isinstance(one, kind)]
    return found


async def test_what_lies_behind_is_read_as_if_it_were_connected_by_itself(
    server: FakeGrafana, connect: Connect
) -> None:
    grafana = connect()
    logs = await one_of(grafana, LogSource).read_logs(LAST)
    assert sorted(line.service for line in logs.lines) == ["checkout", "payments"]
    spans = (await one_of(grafana, TraceSource).read_spans(LAST)).spans
    assert sorted(spans.services) == ["checkout", "payments"]
    metrics = one_of(grafana, MetricSource)
    assert (await metrics.check()).ok
    server.alerts.alerts = [an_alert("HighErrors", service_name="checkout"), an_alert("Other", service_name="x")]
    alerts = one_of(grafana, AlertSource)
    (alert,) = (await alerts.read_alerts()).alerts
    assert (alert.service, alert.name) == ("checkout", "HighErrors")
    assert str(alert.link).startswith(f"{server.url}/alerting/groups?queryString=")
    assert isinstance(alerts, Silencer)
    toolbox = Toolbox(connectors=(grafana, *grafana.behind()), services=SERVICES)
    assert toolbox.missing() == []
    found = await LogTools(toolbox, now=lambda: NOW).search_logs(SearchLogs(service="checkout", grep="failed"))
    assert "checkout" in found.text
    names = [tool.name for tool in toolbox.connector_tools()]
    assert len(set(names)) == len(names)
    assert {"watch__grafana_rules", "watch-logs__log_volume", "watch-traces__search_traces"} <= set(names)
    assert all(len(name) <= 64 for name in names)
    paths = {one.path.split("/")[5] for one in server.asked if "/proxy/" in one.path}
    assert paths == {"prom", "loki-eu", "tempo-eu"}


async def test_no_data_source_is_reached_that_the_form_did_not_name(server: FakeGrafana, connect: Connect) -> None:
    grafana = connect(logs=("loki-eu",))
    await grafana.check()
    await grafana.discover()
    await one_of(grafana, LogSource).read_logs(LAST)
    assert not [one for one in grafana.behind() if isinstance(one, MetricSource | TraceSource)]
    assert {one.path.split("/")[5] for one in server.asked if "/proxy/" in one.path} == {"loki-eu"}
    for uid in ("../../admin", "a/b", "x" * 41, ""):
        with pytest.raises(ValidationError):
            GrafanaConfig(url=server.url, logs=(uid,))
    with pytest.raises(BadArguments, match="twice"):
        connect(logs=("a",), traces=("a",))


async def test_the_check_names_what_is_missing(server: FakeGrafana, connect: Connect) -> None:
    check = await connect().check()
    assert check.ok
    assert check.detail == (
        "Grafana 11.6.0 answers for Example Shop, 3 data sources may be read; "
        "not named in the form, so not read: The loki (logs, uid loki-of-another-team)"
    )
    server.permissions = PERMISSIONS - {"datasources:read"}
    viewer = await connect().check()
    assert viewer.ok, "a viewer may query what it may not list"
    assert viewer.detail == "Grafana 11.6.0 answers for Example Shop, 3 data sources may be read"
    server.permissions = PERMISSIONS
    theirs = FakeLoki()
    theirs.add({"app": "warehouse"}, (NOW - timedelta(seconds=9), "not ours"))
    server.put("loki-of-another-team", theirs)
    silent = await connect(logs=("loki-of-another-team",)).check()
    assert silent.usable
    assert "it has no lines of checkout, payments in the last hour" in silent.lacks[0]
    server.permissions = PERMISSIONS - {"annotations:read"}
    server.ill = {"tempo-eu"}
    check = await connect(metrics=("loki-eu", "gone"), traces=("tempo-eu",)).check()
    assert (check.ok, check.usable) == (False, True)
    assert check.lacks[0] == ("annotations:read is missing: Deployments that are annotated are not seen as changes.")
    assert "data source loki-eu is of type loki and not prometheus" in check.lacks
    assert "Grafana knows no data source gone (404); is the address right?" in check.lacks
    assert "Grafana refused data source tempo-eu (it is not healthy): connection refused" in check.lacks
    refused = await connect(token="another-token").check()
    assert not refused.usable
    assert "does not accept the token (401)" in refused.detail


async def test_annotations_of_deployments_are_changes_of_the_service_that_they_name(
    server: FakeGrafana, connect: Connect
) -> None:
    def noted(number: int, ago: int, text: str, *tags: str) -> dict[str, Any]:
        at = round((NOW - timedelta(minutes=ago)).timestamp() * 1_000)
        return {"id": number, "time": at, "timeEnd": at, "text": text, "tags": list(tags), "dashboardUID": "abc"}

    server.annotations = [
        noted(1, 5, f"rolled out v1.4.2 with {SECRET}", "deploy", "service:checkout"),
        noted(2, 15, "deployed payments 4f2a91b0", "release"),
        noted(3, 10, "deployed somewhere", "deploy"),
        noted(4, 10, "checkout and payments together", "deploy"),
        noted(5, 10, "a note on checkout", "note"),
        noted(6, 90, "long ago", "deploy", "checkout"),
    ]
    grafana = connect()
    assert isinstance(grafana, ChangeSource)
    read = await grafana.read_changes(LAST)
    assert [(one.id, one.service, one.version) for one in read] == [
        ("grafana-annotation-2", "payments", "4f2a91b0"),
        ("grafana-annotation-1", "checkout", "v1.4.2"),
    ]
    assert read[1].link == f"{server.url}/d/abc"
    assert SECRET not in repr(read)
    assert read.gaps == ("Grafana: 2 annotations of deployments named no declared service",)
    assert [one.service for one in await grafana.read_changes(LAST, ["payments"])] == ["payments"]
    with pytest.raises(BadArguments, match="connect its repository"):
        await grafana.read_diff("checkout", "a", "b")


async def test_rules_and_dashboards_of_a_service_have_links(server: FakeGrafana, connect: Connect) -> None:
    rule = {"type": "alerting", "health": "ok", "query": "rate(errors[5m]) > 1", "uid": "r1"}
    server.rules = [
        {**rule, "name": "Slow", "state": "inactive", "labels": {"service": "checkout"}},
        {
            **rule,
            "name": "Errors",
            "state": "firing",
            "labels": {},
            "alerts": [{"labels": {"job": "shop-checkout"}, "state": "Alerting"}],
        },
        {**rule, "name": "Other", "state": "firing", "labels": {"service": "warehouse"}},
    ]
    found = await connect().grafana_rules(RulesOfService(service="checkout"))
    states = [row for row in found.rows if isinstance(row, State)]
    assert [(row.name, row.value, row.link) for row in states] == [
        ("Errors", "firing", f"{server.url}/alerting/grafana/r1/view"),
        ("Slow", "inactive", f"{server.url}/alerting/grafana/r1/view"),
    ]
    assert found.gap == "not shown: 1 rule whose labels name no declared service"
    nothing = await connect().grafana_rules(RulesOfService(service="payments"))
    assert nothing.text == "nothing found: no alert rules of payments"
    server.dashboards = [{"uid": "d1", "title": f"Checkout {SECRET}", "url": "/d/d1/x", "type": "dash-db"}]
    pages = await connect().grafana_dashboards(DashboardsOfService(service="checkout"))
    assert pages.rows[1].link == f"{server.url}/d/d1"
    assert SECRET not in pages.text


async def test_what_may_not_be_seen_is_a_gap_and_not_an_absence(server: FakeGrafana, connect: Connect) -> None:
    server.permissions = frozenset()
    grafana = connect()
    with pytest.raises(NeedsReauthorisation, match=r"may not see annotations \(403\): .*annotations:read"):
        await grafana.read_changes(LAST)
    for asking in (
        grafana.grafana_rules(RulesOfService(service="checkout")),
        grafana.grafana_dashboards(DashboardsOfService(service="checkout")),
        one_of(grafana, LogSource).read_logs(LAST),
        one_of(grafana, TraceSource).read_spans(LAST),
        one_of(grafana, AlertSource).read_alerts(),
    ):
        with pytest.raises(NeedsReauthorisation):
            await asking
    found = await grafana.discover()
    assert found.services == ()
    assert len(found.gaps) == 3


async def test_it_discovers_what_each_source_knows_under_the_names_there(connect: Connect) -> None:
    found = await connect().discover()
    aliases = {one.name: one.aliases for one in found.services}
    assert set(aliases["checkout"]) == {"job:checkout", "log:checkout", "span:checkout"}


@pytest.mark.parametrize(
    ("refuse", "kind"),
    [
        ((429, {"retry-after": "1"}, b""), Unavailable),
        ((502, {}, b""), Unavailable),
        ((200, {}, b"<html>"), Unavailable),
        ((200, {}, b'{"message": "odd"}'), AgentError),
        ((302, {"location": "/login"}, b""), Unavailable),
    ],
)
async def test_a_fault_is_never_an_empty_answer(
    server: FakeGrafana, connect: Connect, refuse: Any, kind: type[AgentError]
) -> None:
    grafana = connect()
    server.refuse = refuse
    with pytest.raises(kind):
        await grafana.read_changes(LAST)
    with pytest.raises(kind):
        await grafana.grafana_rules(RulesOfService(service="checkout"))
    with pytest.raises(kind):
        await one_of(grafana, LogSource).read_logs(LAST)
