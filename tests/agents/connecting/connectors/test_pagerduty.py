"""PagerDuty: incidents told apart from alerts, who is on call, changes, one change of state, and what a refusal means.

Every request is held against PagerDuty's own description, where ../shared is there.
"""

import ipaddress
import json
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from agents.connecting.active_alerts import AlertSource
from agents.connecting.connector import ChangeSource, ConnectorContext, Discovers, Service
from agents.connecting.connectors.pagerduty import CONNECTOR, IncidentsOfService, OnCallFor, OneIncident, PagerDuty
from agents.connecting.connectors.pagerduty.settings import PagerDutyConfig
from agents.connecting.outbound import EgressPolicy, Outbound
from agents.connecting.trackers import Tracker
from agents.errors import AgentError, BadArguments, NeedsReauthorisation, NotPermitted, TooLarge, Unavailable
from agents.evidence.types import Window
from agents.rows import Alerted, Changed, Filed, Noted, Searched, State
from store.secrets.redaction import Secret
from tests.fakes.pagerduty import (
    NOW,
    TOKEN,
    USER,
    FakePagerDuty,
    a_change,
    a_service,
    an_alert_of,
    an_incident,
    on_call,
)
from tests.fakes.vendor import serving, undocumented

SERVICES = (
    Service(name="checkout"),
    Service(name="payments", aliases=("pagerduty:PPAYMENTS",)),
    Service(name="search"),
)
WINDOW = Window(start=NOW - timedelta(hours=1), end=NOW)
SECRET = "ghp_0123456789abcdefghijABCDEFGHIJ012345"
Connect = Callable[..., PagerDuty]


@pytest.fixture
async def server() -> AsyncIterator[FakePagerDuty]:
    async with serving(FakePagerDuty()) as fake:
        fake.services = [
            a_service("PCHECKOUT", "Checkout"),
            a_service("POLD", "search", status="disabled"),
            a_service("PPAYMENTS", "Money things"),
        ]
        fake.incidents = [
            an_incident("Q1CHECKOUT", 71, "PCHECKOUT", "Checkout fails"),
            an_incident("Q2PAYMENTS", 70, "PPAYMENTS", "Slow", minutes=30, status="acknowledged", urgency="low"),
            an_incident("Q3OVER", 60, "PCHECKOUT", "Old", minutes=50, status="resolved"),
            an_incident("Q4OTHERS", 72, "PSOMEBODY", "Theirs"),
        ]
        fake.alerts = [
            an_alert_of("Q1CHECKOUT", "A1", "HighErrors", body={"type": "alert_body", "details": {"ratio": "0.4"}}),
            an_alert_of("Q1CHECKOUT", "A2", "Slow", status="resolved"),
            an_alert_of("Q2PAYMENTS", "A3", "QueueLong"),
        ]
        yield fake


@pytest.fixture(autouse=True)
def documented(server: FakePagerDuty) -> Iterator[None]:
    """After each test: nothing was asked or answered that PagerDuty does not document."""
    yield
    found = undocumented(server, "pagerduty-rest.json.gz")
    assert [one for one in found if "does not match 'YYYY-MM-DDThh:mm:ssZ'" not in one] == []  # that pattern is prose


async def _no_pause(_seconds: float) -> None:
    return


@pytest.fixture
async def connect(server: FakePagerDuty) -> AsyncIterator[Connect]:
    outbound = Outbound(EgressPolicy(allow_networks=(ipaddress.ip_network("127.0.0.0/8"),)), sleep=_no_pause)

    def make(*, token: str = TOKEN, **config: Any) -> PagerDuty:
        context = ConnectorContext(
            services=SERVICES, outbound=outbound, now=lambda: NOW, credentials={"token": Secret(token)}
        )
        return CONNECTOR(PagerDutyConfig(api=server.url, **{"acts_as": USER, **config}), context)

    yield make
    await outbound.close()


async def test_open_incidents_of_a_service_with_how_many_alerts_they_have(connect: Connect) -> None:
    found = await connect().pagerduty_incidents(IncidentsOfService(service="checkout"))
    searched, row = found.rows
    assert isinstance(searched, Searched)
    assert isinstance(row, Filed)
    assert (row.kind, row.key, row.state, row.service) == ("incident", "Q1CHECKOUT", "triggered", "checkout")
    assert row.link == "https://acme.pagerduty.com/incidents/Q1CHECKOUT"
    assert "#71 [Q1CHECKOUT] triggered, high urgency" in found.text
    assert "1 of its 2 alerts triggered" in found.text
    every = await connect().pagerduty_incidents(IncidentsOfService(service="checkout", hours=1))
    assert [row.state for row in every.rows if isinstance(row, Filed)] == ["triggered", "resolved"]


async def test_nothing_open_is_an_answer_and_a_service_that_is_none_there_is_not(
    server: FakePagerDuty, connect: Connect
) -> None:
    server.incidents = []
    nothing = await connect().pagerduty_incidents(IncidentsOfService(service="checkout"))
    assert nothing.text == "nothing found: no open incidents of checkout"
    assert nothing.gap is None
    with pytest.raises(BadArguments, match="search: no service of PagerDuty is known to be that"):
        await connect().pagerduty_incidents(IncidentsOfService(service="search"))
    with pytest.raises(BadArguments, match="not a declared service"):
        await connect().pagerduty_on_call(OnCallFor(service="nobody"))


async def test_further_pages_are_read_and_what_is_left_is_a_gap(server: FakePagerDuty, connect: Connect) -> None:
    server.incidents = [an_incident(f"QMANY{n:03}", n, "PCHECKOUT", "again") for n in range(1, 351)]
    found = await connect().pagerduty_incidents(IncidentsOfService(service="checkout"))
    offsets = [one.query.get("offset") for one in server.asked if one.path == "/incidents"]
    assert offsets == [None, "100", "200"]
    assert "incidents older than the newest 300 were not read" in str(found.gap)
    assert "270 incidents are not shown" in str(found.gap)


async def test_alerts_are_those_that_are_triggered_in_open_incidents(server: FakePagerDuty, connect: Connect) -> None:
    source = connect()
    assert isinstance(source, AlertSource)
    read = await source.read_alerts()
    assert [(one.service, one.name, one.state) for one in read.alerts] == [
        ("checkout", "HighErrors", "firing"),
        ("payments", "QueueLong", "acknowledged"),
    ]
    assert read.alerts[0].labels == {"incident": "#71", "dedup_key": "dedup-A1"}
    assert read.alerts[0].summary == '{"ratio": "0.4"}'
    assert read.gaps == ("search: no service of PagerDuty is known to be that; see /autoheal services",)
    server.refuse["/incidents/Q2PAYMENTS/alerts"] = (503, {}, b"")
    partly = await source.read_alerts(["checkout", "payments"])
    assert [one.name for one in partly.alerts] == ["HighErrors"]
    assert partly.gaps[0].startswith("PagerDuty: alerts of incident #70 could not be read")
    server.refuse["/incidents/Q1CHECKOUT/alerts"] = (503, {}, b"")
    with pytest.raises(Unavailable):
        await source.read_alerts()


async def test_one_incident_with_alerts_notes_and_related_changes(server: FakePagerDuty, connect: Connect) -> None:
    user = {"id": "PU", "type": "user_reference", "summary": "Mia Park"}
    channel = {"summary": "The PagerDuty website or APIs"}
    server.notes["Q1CHECKOUT"] = [
        {"id": "N1", "user": user, "channel": channel, "content": f"key {SECRET}", "created_at": "2026-03-01T11:58:00Z"}
    ]
    server.related["Q1CHECKOUT"] = [a_change("C1", "Deploy 7", correlation_reason={"reason": "related_service"})]
    found = await connect().pagerduty_incident(OneIncident(incident="Q1CHECKOUT"))
    incident, alert, note, change = found.rows
    assert isinstance(incident, Filed)
    assert isinstance(alert, Alerted)
    assert "dedup key dedup-A1" in alert.line
    assert isinstance(note, Noted)
    assert (note.by, note.about) == ("Mia Park", "#71")
    assert isinstance(change, Changed)
    assert change.link == "https://ci.example/C1"
    assert "Mia" not in found.text
    assert SECRET not in repr(found)
    server.refuse["/incidents/Q1CHECKOUT/notes"] = (403, {}, {"error": {"message": "Access Denied"}})
    partly = await connect().pagerduty_incident(OneIncident(incident="Q1CHECKOUT"))
    assert "may not do this at PagerDuty: notes of incident #71 (403): Access Denied" in str(partly.gap)
    with pytest.raises(BadArguments, match="is of no declared service"):
        await connect().pagerduty_incident(OneIncident(incident="Q4OTHERS"))


async def test_who_is_on_call_by_level(server: FakePagerDuty, connect: Connect) -> None:
    server.on_calls = [on_call(2, "Sam Roe"), on_call(1, "Mia Park")]
    found = await connect().pagerduty_on_call(OnCallFor(service="checkout"))
    assert found.text.split("\n")[0] == "level 1 of Shop: Mia Park, until 2026-03-01 20:00 UTC"
    assert [row.value for row in found.rows if isinstance(row, State)] == ["Mia Park", "Sam Roe"]
    server.on_calls = []
    assert (await connect().pagerduty_on_call(OnCallFor(service="checkout"))).text.startswith("nothing found")


async def test_changes_that_were_told_to_it_are_a_source(server: FakePagerDuty, connect: Connect) -> None:
    server.changes = [
        a_change("C2", "Later", minutes=5),
        a_change("C1", f"Deploy {SECRET}"),
        a_change("C0", "x", minutes=90),
    ]
    source = connect()
    assert isinstance(source, ChangeSource)
    read = await source.read_changes(WINDOW, ["checkout"])
    assert [(one.id, one.service, one.kind) for one in read] == [
        ("pagerduty-C1", "checkout", "other"),
        ("pagerduty-C2", "checkout", "other"),
    ]
    assert SECRET not in repr(read)
    assert read[1].summary == "Later (ci)"
    server.refuse["/services/PCHECKOUT/change_events"] = (500, {}, b"")
    with pytest.raises(Unavailable):
        await source.read_changes(WINDOW, ["checkout"])
    assert "change events of checkout could not be read" in str((await source.read_changes(WINDOW)).gaps)
    with pytest.raises(BadArguments, match="has no diff"):
        await source.read_diff("checkout", "a", "b")


async def test_services_are_discovered_and_disabled_ones_are_none(connect: Connect) -> None:
    source = connect()
    assert isinstance(source, Discovers)
    found = await source.discover()
    assert [(one.name, one.aliases) for one in found.services] == [
        ("Checkout", ("pagerduty:PCHECKOUT",)),
        ("Money things", ("pagerduty:PPAYMENTS",)),
    ]


REFUSALS: list[tuple[Any, type[AgentError], str]] = [
    ((401, {}, {"error": {"message": "no"}}), NeedsReauthorisation, "does not accept the API key"),
    ((402, {}, {"error": {"message": "ability"}}), BadArguments, "plan of this account has no"),
    ((403, {}, {"error": {"message": "Access Denied"}}), NeedsReauthorisation, "may not do this"),
    ((404, {}, {"error": {"message": "Not Found"}}), BadArguments, "shows no"),
    ((400, {}, {"error": {"message": "Invalid", "errors": ["since"]}}), BadArguments, "Invalid, since"),
    ((429, {"retry-after": "1"}, {"error": {}}), Unavailable, "answered 429"),
    ((503, {}, b"down"), Unavailable, "answered 503"),
    ((200, {}, b"<html>sign in</html>"), Unavailable, "is not JSON"),
    ((200, {}, {"incidents": [{"id": "Q"}]}), Unavailable, "in a form that it does not document"),
    ((200, {}, b"[" + b" " * 8_000_001 + b"]"), TooLarge, "more than 8000000 bytes"),
]


@pytest.mark.parametrize(("refusal", "error", "told"), REFUSALS, ids=[one[2] for one in REFUSALS])
async def test_what_it_refuses_is_said_and_never_nothing_found(
    refusal: Any, error: type[AgentError], told: str, server: FakePagerDuty, connect: Connect
) -> None:
    server.refuse["/incidents"] = refusal
    with pytest.raises(error, match=told) as caught:
        await connect().pagerduty_incidents(IncidentsOfService(service="checkout"))
    assert TOKEN not in str(caught.value)


async def test_one_that_does_not_answer_is_given_up(server: FakePagerDuty, connect: Connect) -> None:
    server.refuse["*"] = "hang"
    with pytest.raises(Unavailable, match=r"did not answer within 0\.05 s"):
        await connect()._client.get("/services", what="services", timeout_s=0.05)


async def test_a_check_tells_each_right_that_is_missing(server: FakePagerDuty, connect: Connect) -> None:
    good = await connect().check()
    assert (good.ok, good.detail, good.lacks) == (True, "PagerDuty answers, 2 services", ())
    assert "nobody is named in whose name" in (await connect(acts_as="").check()).lacks[0]
    server.refuse["/oncalls"] = (403, {}, {"error": {"message": "Access Denied"}})
    partly = await connect().check()
    assert (partly.ok, partly.usable) == (False, True)
    assert partly.lacks[0].startswith("oncalls.read: who is on call is not known")
    refused = await connect(token="another-key-of-nobody").check()
    assert not refused.usable
    assert "belongs to the other region" in refused.detail


def test_the_region_decides_where_it_is_asked() -> None:
    assert CONNECTOR.hosts(PagerDutyConfig()) == ("api.pagerduty.com",)
    assert CONNECTOR.hosts(PagerDutyConfig(region="eu")) == ("api.eu.pagerduty.com",)
    with pytest.raises(ValidationError):
        PagerDutyConfig(acts_as="mia")


def moved(was: str, wanted: str) -> dict[str, str]:
    return {"service": "checkout", "item": "Q1CHECKOUT", "was": was, "wanted": wanted}


async def test_a_state_is_changed_once_in_somebodys_name(server: FakePagerDuty, connect: Connect) -> None:
    source = connect()
    assert isinstance(source, Tracker)
    assert source.can("resolve_incident", "checkout")
    assert not source.can("resolve_incident", "nobody")
    assert not source.can("restart_service", "checkout")
    assert not connect(acts_as="").can("resolve_incident", "checkout")
    method, url, sender, body = source.argv("resolve_incident", moved("triggered", "resolved"))
    assert (method, url) == ("PUT", f"{server.url}/incidents/Q1CHECKOUT")
    assert sender == f"From: {USER}"
    for told in ("incident #71 is resolved", "incident #71 is resolved already"):
        done = await source.act("resolve_incident", moved("triggered", "resolved"), idempotency_key="k")
        assert (done.ok, done.detail) == (True, told)
    (put,) = server.written()
    assert (
        json.loads(put.body) == json.loads(body) == {"incident": {"type": "incident_reference", "status": "resolved"}}
    )
    assert (await source.read_target("checkout")).state == "0 open incidents"


async def test_what_somebody_else_changed_is_left_and_a_key_that_may_not_write_says_so(
    server: FakePagerDuty, connect: Connect
) -> None:
    server.incidents[0]["status"] = "acknowledged"
    left = await connect().act("resolve_incident", moved("triggered", "resolved"), idempotency_key="k")
    assert (left.ok, left.detail) == (False, "incident #71 is acknowledged now; nothing was changed")
    assert server.written() == []
    with pytest.raises(BadArguments, match="Requester User Not Found"):
        await connect(acts_as="nobody@acme.example").act(
            "resolve_incident", moved("acknowledged", "resolved"), idempotency_key="k"
        )
    server.read_only = True
    with pytest.raises(NeedsReauthorisation, match="a change of incident #71"):
        await connect().act("resolve_incident", moved("acknowledged", "resolved"), idempotency_key="k")
    with pytest.raises(NotPermitted):
        await connect(acts_as="").act("resolve_incident", moved("acknowledged", "resolved"), idempotency_key="k")
