"""Alertmanager: what is active and what is quiet, in whose words it refuses, and one silence that comes and goes."""

import asyncio
import ipaddress
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from pydantic import ValidationError

from agents.connecting.active_alerts import AlertSource, Silencer
from agents.connecting.connector import Actuator, ConnectorContext, Service
from agents.connecting.connectors.alertmanager import CONNECTOR, Alertmanager, ListSilences
from agents.connecting.connectors.alertmanager.settings import AlertmanagerConfig
from agents.connecting.outbound import EgressPolicy, Outbound
from agents.errors import AgentError, BadArguments, NeedsReauthorisation, TooLarge, Unavailable
from agents.rows import Searched, Silenced
from store.secrets.redaction import Secret
from tests.fakes.alertmanager import NOW, TOKEN, FakeAlertmanager, an_alert, fake_alertmanager, real_alertmanager
from tests.fakes.swagger import Swagger

SERVICES = (Service(name="checkout", aliases=("job:shop-checkout", "pod:checkout-*")), Service(name="payments"))
SECRET = "ghp_0123456789abcdefghijABCDEFGHIJ012345"
Connect = Callable[..., Alertmanager]


@pytest.fixture
async def server() -> AsyncIterator[FakeAlertmanager]:
    async with fake_alertmanager() as fake:
        yield fake


@pytest.fixture(autouse=True)
def documented(server: FakeAlertmanager) -> Iterator[None]:
    """After each test: nothing was asked or answered that Alertmanager does not document."""
    yield
    file = Path(__file__).resolve().parents[5] / "shared" / "specs" / "alertmanager-v2.json.gz"
    if not file.exists():
        return
    description = Swagger(file)
    for asked in server.asked:
        assert description.problems(asked) == []
    for asked, status, document in server.given:
        assert description.answer_problems(asked, status, document) == []


async def _no_pause(_seconds: float) -> None:
    return


@pytest.fixture
async def connect(server: FakeAlertmanager) -> AsyncIterator[Connect]:
    outbound = Outbound(EgressPolicy(allow_networks=(ipaddress.ip_network("127.0.0.0/8"),)), sleep=_no_pause)

    def make(
        *, url: str = "", token: str = TOKEN, now: Callable[[], datetime] = lambda: NOW, **config: Any
    ) -> Alertmanager:
        context = ConnectorContext(services=SERVICES, outbound=outbound, now=now, credentials={"token": Secret(token)})
        return CONNECTOR(AlertmanagerConfig(url=url or server.url, **config), context)

    yield make
    await outbound.close()


def silence(**more: Any) -> dict[str, Any]:
    return {
        "matchers": [{"name": "service", "value": "checkout", "isRegex": False, "isEqual": True}],
        "startsAt": (NOW - timedelta(hours=1)).isoformat(),
        "endsAt": (NOW + timedelta(hours=1)).isoformat(),
        "createdBy": "mia@example.com",
        "comment": "load test",
        **more,
    }


async def test_active_alerts_of_the_services_in_question_with_what_keeps_them_quiet(
    server: FakeAlertmanager, connect: Connect
) -> None:
    server.alerts = [
        an_alert("HighErrors", service="checkout", severity="critical"),
        an_alert("Slow", job="shop-checkout"),
        an_alert("QueueLong", service="payments"),
        an_alert("DiskFull", service="somebody-elses"),
        an_alert("NodeDown", node="n1"),
    ]
    server.silences["s1"] = silence(matchers=[{"name": "alertname", "value": "Sl.*", "isRegex": True, "isEqual": True}])
    server.inhibited = {"QueueLong"}
    source = connect()
    assert isinstance(source, AlertSource)
    read = await source.read_alerts()
    assert {(one.service, one.name, one.state) for one in read.alerts} == {
        ("checkout", "HighErrors", "firing"),
        ("checkout", "Slow", "silenced"),
        ("payments", "QueueLong", "inhibited"),
    }
    first = read.alerts[0]
    assert (first.severity, first.summary, first.since) == ("critical", "HighErrors is bad", NOW - timedelta(minutes=5))
    assert first.link is not None
    assert first.link.startswith(f"{server.url}/#/alerts?")
    assert "alertname%3D%22HighErrors%22" in first.link
    assert next(one for one in read.alerts if one.name == "Slow").silenced_by == ("s1",)
    assert read.gaps == ()
    only = await source.read_alerts(["payments", "nobody"])
    assert [one.name for one in only.alerts] == ["QueueLong"]
    assert all("somebody" not in str(one.query) for one in server.asked), "only the services in question are asked for"


async def test_only_what_carries_the_given_labels_is_seen(server: FakeAlertmanager, connect: Connect) -> None:
    server.alerts = [an_alert("A", service="checkout", cluster="eu"), an_alert("B", service="checkout", cluster="us")]
    read = await connect(only={"cluster": "eu"}, service_labels=("service",)).read_alerts()
    assert [one.name for one in read.alerts] == ["A"]


async def test_nothing_active_is_an_answer_and_what_cannot_be_read_a_gap(
    server: FakeAlertmanager, connect: Connect
) -> None:
    assert (await connect().read_alerts()).alerts == ()
    nothing = await connect().list_silences(ListSilences())
    assert nothing.text.startswith("nothing found")
    server.refuse = (200, {}, b'[{"labels": {"service": "checkout"}}]')
    read = await connect(service_labels=("service",)).read_alerts()
    assert read.gaps == ("1 alert of Alertmanager could not be read",)
    assert "1 silence could not be read" in str((await connect().list_silences(ListSilences())).gap)


async def test_silences_that_concern_the_services_are_listed_with_links(
    server: FakeAlertmanager, connect: Connect
) -> None:
    def matching(name: str, value: str, *, regex: bool = False, equal: bool = True) -> list[dict[str, Any]]:
        return [{"name": name, "value": value, "isRegex": regex, "isEqual": equal}]

    later = (NOW + timedelta(minutes=10)).isoformat()
    server.silences = {
        "of-checkout": silence(),
        "of-an-alias": silence(matchers=matching("job", "shop-.*", regex=True), startsAt=later),
        "of-others": silence(matchers=matching("service", "warehouse")),
        "of-all-but": silence(matchers=matching("service", "payments", equal=False)),
        "of-any": silence(matchers=matching("severity", "info"), comment=f"key {SECRET}"),
        "over": silence(endsAt=(NOW - timedelta(minutes=1)).isoformat()),
    }
    found = await connect().list_silences(ListSilences())
    searched, *rows = found.rows
    assert isinstance(searched, Searched)
    silences = [row for row in rows if isinstance(row, Silenced)]
    assert {row.silence: row.service for row in silences} == {
        "of-checkout": "checkout",
        "of-an-alias": "checkout",
        "of-all-but": "checkout",
        "of-any": "",
    }
    assert found.gap == "not shown: 1 silence of no declared service"
    assert "mia@example.com" not in found.text
    assert "ghp_" not in repr(found)
    assert 'pending from 2026-03-01 12:10:00 until 2026-03-01 13:00:00 UTC: {job=~"shop-.*"}' in found.text
    assert silences[0].link == f"{server.url}/#/silences/{silences[0].silence}"
    of_payments = await connect().list_silences(ListSilences(service="payments"))
    assert [row.silence for row in of_payments.rows if isinstance(row, Silenced)] == ["of-any"]
    with pytest.raises(BadArguments, match="not a declared service"):
        await connect().list_silences(ListSilences(service="nobody"))


@pytest.mark.parametrize(
    ("refusal", "error", "told"),
    [
        ((401, {}, b""), NeedsReauthorisation, "refused the credential"),
        ((403, {}, b"forbidden"), NeedsReauthorisation, "refused the credential"),
        ((404, {}, b"404 page not found"), Unavailable, "is the URL right, with its prefix"),
        ((400, {}, b'"bad matcher format"'), BadArguments, "bad matcher format"),
        ((429, {"retry-after": "1"}, b""), Unavailable, "answered 429"),
        ((503, {}, b"down"), Unavailable, "answered 503"),
        ((200, {}, b"<html>sign in</html>"), Unavailable, "is not JSON"),
        ((200, {}, b'{"status": "success"}'), Unavailable, "not one of Alertmanager's API"),
        ((200, {}, b"[" + b" " * 16_000_001 + b"]"), TooLarge, "more than 16000000 bytes"),
    ],
)
async def test_what_it_refuses_is_said_and_never_nothing_found(
    refusal: Any, error: type[AgentError], told: str, server: FakeAlertmanager, connect: Connect
) -> None:
    server.refuse = refusal
    with pytest.raises(error, match=told):
        await connect().read_alerts()
    check = await connect().check()
    assert not check.ok
    assert check.next_action


async def test_one_that_does_not_answer_is_given_up(
    server: FakeAlertmanager, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.refuse = "hang"
    asked = Outbound.request

    async def soon(self: Outbound, method: str, url: str, **options: Any) -> Any:
        return await asked(self, method, url, **{**options, "timeout_s": 0.05})

    monkeypatch.setattr(Outbound, "request", soon)
    with pytest.raises(Unavailable, match=r"did not answer within 0\.05 s"):
        await connect().read_alerts()


async def test_a_check_says_what_works(server: FakeAlertmanager, connect: Connect) -> None:
    server.alerts = [an_alert("HighErrors", service="checkout")]
    good = await connect().check()
    assert (good.ok, good.detail, good.has_data) == (True, "Alertmanager 0.28.1, 1 active alert of 2 services", True)
    refused = await connect(token="another").check()
    assert not refused.ok
    assert "refused the credential (401)" in refused.detail


@pytest.mark.parametrize(
    "wrong",
    [
        {"only": {"a-b": "x"}},
        {"service_labels": ("a b",)},
        {"headers": {"Authorization": "Bearer x"}},
        {"headers": {"X-Scope": "a\nb"}},
        {"url": "alertmanager"},
    ],
)
def test_settings_that_cannot_be_right_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        AlertmanagerConfig.model_validate({"url": "https://am.example", **wrong})


async def test_one_silence_of_exactly_the_alert_comes_once_and_goes(server: FakeAlertmanager, connect: Connect) -> None:
    server.alerts = [an_alert("HighErrors", service="checkout", pod='a"1')]
    source = connect()
    assert isinstance(source, Silencer)
    assert isinstance(source, Actuator)
    assert source.can("silence_alert", "checkout")
    assert not source.can("silence_alert", "nobody")
    assert not source.can("restart_service", "checkout")
    (alert,) = (await source.read_alerts(["checkout"])).alerts
    parameters = source.silence_parameters(alert, minutes=30, comment="Autoheal, incident 1")
    method, url, body = source.argv("silence_alert", parameters)
    assert (method, url) == ("POST", f"{server.url}/api/v2/silences")
    assert '"endsAt": "30 min later"' in body
    for _ in range(2):
        assert (await source.act("silence_alert", parameters, idempotency_key="k")).ok
    (posted,) = server.posted()
    assert {one["name"]: one["value"] for one in posted["matchers"]} == alert.labels
    assert posted["endsAt"] == (NOW + timedelta(minutes=30)).isoformat()
    assert posted["comment"] == "Autoheal, incident 1"
    assert (await source.read_alerts(["checkout"])).alerts[0].state == "silenced"
    assert (await source.read_target("checkout")).state == "0 alerts firing, 1 kept quiet"
    own = await source.own_silence(alert.labels)
    assert own is not None
    assert own.is_own
    ending = {**parameters, "silence": own.key}
    assert source.argv("expire_silence", ending) == ("DELETE", f"{server.url}/api/v2/silence/{own.key}")
    assert not (await source.act("expire_silence", {**ending, "silence": "another"}, idempotency_key="k")).ok
    for told in ("the silence has ended", "the silence has ended already"):
        assert (await source.act("expire_silence", ending, idempotency_key="k")).detail == told
    assert (await source.read_alerts(["checkout"])).alerts[0].state == "firing"


async def test_what_is_not_active_any_more_is_not_silenced(server: FakeAlertmanager, connect: Connect) -> None:
    server.alerts = [an_alert("HighErrors", service="checkout")]
    source = connect()
    (alert,) = (await source.read_alerts(["checkout"])).alerts
    server.alerts = [an_alert("HighErrors", service="checkout", pod="another")]
    done = await source.act(
        "silence_alert", source.silence_parameters(alert, minutes=30, comment="x"), idempotency_key="k"
    )
    assert (done.ok, server.posted()) == (False, [])
    assert "not active any more" in done.detail


async def test_labels_that_hold_a_secret_are_not_whole(server: FakeAlertmanager, connect: Connect) -> None:
    server.alerts = [an_alert("A", service="checkout", key=SECRET)]
    (alert,) = (await connect().read_alerts()).alerts
    assert not alert.is_whole
    assert "ghp_" not in repr(alert)


async def test_the_real_program_is_read_silenced_and_unsilenced(connect: Connect, tmp_path: Path) -> None:
    def now() -> datetime:
        return datetime.now(UTC)

    async with real_alertmanager(tmp_path) as url:
        alerts = [
            an_alert("HighErrors", at=now(), service="checkout", pod='a"1\\2'),
            an_alert("DiskFull", at=now(), service="elsewhere"),
        ]
        async with httpx2.AsyncClient(trust_env=False) as client:
            assert (await client.post(f"{url}/api/v2/alerts", json=alerts)).status_code == 200
        source = connect(url=url, now=now)
        (alert,) = (await source.read_alerts()).alerts
        assert (alert.name, alert.state, alert.service) == ("HighErrors", "firing", "checkout")
        assert (await source.check()).detail.endswith("1 active alert of 2 services")
        parameters = source.silence_parameters(alert, minutes=30, comment="Autoheal, incident 1")
        done = await source.act("silence_alert", parameters, idempotency_key="k")
        assert done.ok, done.detail
        assert "is there already" in (await source.act("silence_alert", parameters, idempotency_key="k")).detail
        assert await _becomes(source, "silenced")
        own = await source.own_silence(alert.labels)
        assert own is not None
        assert (await source.list_silences(ListSilences(service="checkout"))).rows[1].link == own.link
        assert (await source.act("expire_silence", {**parameters, "silence": own.key}, idempotency_key="k")).ok
        assert await source.own_silence(alert.labels) is None
        assert await _becomes(source, "firing")


async def _becomes(source: Alertmanager, state: str) -> bool:
    """The program works silences out a moment later."""
    async with asyncio.timeout(60):
        while (await source.read_alerts()).alerts[0].state != state:  # noqa: ASYNC110 -- another program
            await asyncio.sleep(0.1)
    return True
