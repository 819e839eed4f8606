"""Connecting: tested before it is stored, stored whole or not at all, and each refusal says what to do."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from agents.connecting.connecting import Connected, Connecting, Consenting, NotConnected, in_words
from agents.connecting.disconnecting import Disconnecting
from agents.connecting.toolboxes import Toolboxes
from agents.evidence.types import Window
from agents.permission import Person
from store import audit
from store.database.session import Database
from store.ids import ConnectionId, TenantId
from store.incidents import catalog
from store.people.users import Role, user_by_slack
from store.secrets.redaction import Secret
from store.tenancy import connections
from tests.fakes.alertmanager import TOKEN as GRAFANA_TOKEN
from tests.fakes.grafana import fake_grafana
from tests.fakes.loki import FakeLoki
from tests.fakes.operators import permitting_loopback
from tests.fakes.prometheus import FakePrometheus, fake_prometheus

TOKEN = "glsa-3f9Kd82hQz71LmNb"


@pytest.fixture
async def prometheus() -> AsyncIterator[FakePrometheus]:
    async with fake_prometheus(token=TOKEN) as fake:
        yield fake


async def names(host: str, _port: int) -> list[str]:
    """A resolver that knows one name, of a machine inside."""
    if host == "inside.example.com":
        return ["10.1.2.3"]
    raise OSError(host)


@pytest.fixture
async def toolboxes(sqlite_database: Database, two_tenants: Any) -> AsyncIterator[Toolboxes]:
    db = sqlite_database
    made = Toolboxes(
        db, file=permitting_loopback(), bound=lambda tenant: tenant == two_tenants[0], now=db.now, resolve=names
    )
    yield made
    await made.close()


async def admin(db: Database, tenant: TenantId) -> Person:
    async with db.tenant(tenant, readonly=True) as s:
        user = await user_by_slack(s, "U0ADMIN")
    assert user is not None
    return Person(tenant_id=tenant, user_id=user.id, slack_user_id="U0ADMIN", role=Role.ADMIN)


class Rig:
    """Connects Prometheus as one admin."""

    def __init__(self, db: Database, tenant: TenantId, toolboxes: Toolboxes) -> None:
        self.db, self.tenant, self.toolboxes = db, tenant, toolboxes
        self.connecting = Connecting(db, toolboxes, now=db.now)

    async def connect(
        self,
        url: str,
        *,
        connector: str = "prometheus",
        token: str = TOKEN,
        label: str = "",
        source_id: str = "T1",
        **more: str,
    ) -> Any:
        who = Consenting(tenant=self.tenant, user=(await admin(self.db, self.tenant)).user_id)
        return await self.connecting.connect(
            who,
            connector=connector,
            values={"url": url, **more},
            secrets={"token": Secret(token)} if token else {},
            label=label,
            source="slack",
            source_id=source_id,
        )

    async def stored(self) -> list[connections.Connection]:
        async with self.db.tenant(self.tenant, readonly=True) as s:
            return await connections.connections(s)


@pytest.fixture
def rig(sqlite_database: Database, two_tenants: Any, toolboxes: Toolboxes) -> Rig:
    return Rig(sqlite_database, two_tenants[0], toolboxes)


async def test_a_tool_is_connected_with_its_consent_its_services_and_its_tools(
    rig: Rig, prometheus: FakePrometheus, two_tenants: Any
) -> None:
    before = await rig.toolboxes.of(rig.tenant)
    assert before.connector_tools() == []
    result = await rig.connect(prometheus.url, label="eu")
    assert isinstance(result, Connected), result
    assert "Prometheus is connected as *eu*" in in_words(result)
    assert "It knows checkout, payments" in in_words(result)
    (stored,) = await rig.stored()
    person = await admin(rig.db, rig.tenant)
    assert (stored.label, stored.consented_by, stored.problem) == ("eu", person.user_id, None)
    assert stored.worked_at == stored.checked_at == rig.db.now()
    toolbox = await rig.toolboxes.of(rig.tenant)
    assert toolbox.service_names() == ("checkout", "payments")
    assert {tool.name for tool in toolbox.connector_tools()} >= {"eu__query", "eu__query_range"}
    assert toolbox.sources() == ["Prometheus (eu)"]
    async with rig.db.tenant(rig.tenant, readonly=True) as s:
        actions = [entry.action for entry in await audit.trail(s)]
        assert actions[-2:] == ["slack.connection.added", "system.service.discovered"]
        assert s.redactor.redact(f"token {TOKEN}") == "token [redacted:own_secret]"
    assert (await rig.toolboxes.of(two_tenants[1])).connectors == ()


async def test_what_lies_behind_a_connection_is_read_like_connections_of_their_own(rig: Rig) -> None:
    async with fake_grafana() as grafana:
        loki = FakeLoki()
        loki.add({"app": "checkout"}, (rig.db.now() - timedelta(seconds=9), "level=error msg=boom"))
        grafana.put("loki-eu", loki)
        result = await rig.connect(grafana.url, connector="grafana", token=GRAFANA_TOKEN, logs="loki-eu")
        assert isinstance(result, Connected), result
        assert "It knows checkout" in in_words(result)
        toolbox = await rig.toolboxes.of(rig.tenant)
        assert toolbox.sources() == ["Grafana", "Grafana's alerts (grafana-alerts)", "Loki (grafana-logs)"]
        assert {tool.name for tool in toolbox.connector_tools()} >= {
            "grafana__grafana_rules",
            "grafana-logs__log_volume",
        }
        now = rig.db.now()
        (logs,) = toolbox.logs
        read = await logs.read_logs(Window(start=now - timedelta(minutes=5), end=now))
        assert [line.text for line in read.lines] == ["boom"]
        assert len(await rig.stored()) == 1


@pytest.mark.parametrize("connector", ["loki", "tempo", "mimir"])
async def test_each_store_of_the_stack_is_found_by_its_name(rig: Rig, connector: str) -> None:
    result = await rig.connect("https://nowhere.example.com", connector=connector, tenant="acme")
    assert isinstance(result, NotConnected)
    assert "nowhere.example.com cannot be reached" in result.reason
    wrong = await rig.connect("https://nowhere.example.com", connector=connector, tenant="two words")
    assert wrong.problems == {"tenant": "Tenant does not look right, such as acme."}


async def test_several_of_one_kind_are_told_apart(rig: Rig, prometheus: FakePrometheus) -> None:
    for number in range(3):
        assert isinstance(await rig.connect(prometheus.url, source_id=f"T{number}"), Connected)
    assert sorted(one.label for one in await rig.stored()) == ["prometheus", "prometheus-2", "prometheus-3"]
    names = [tool.name for tool in (await rig.toolboxes.of(rig.tenant)).connector_tools()]
    assert len(names) == len(set(names))
    assert "prometheus-2__query" in names


async def test_the_same_form_sent_twice_makes_one_connection(rig: Rig, prometheus: FakePrometheus) -> None:
    first, second = await asyncio.gather(rig.connect(prometheus.url), rig.connect(prometheus.url))
    assert isinstance(first, Connected)
    assert isinstance(second, Connected)
    assert first.connection.id == second.connection.id
    assert len(await rig.stored()) == 1
    third = await rig.connect(prometheus.url)
    assert "it was connected already" in in_words(third)


async def test_two_that_want_one_name_at_once_get_one_each_or_a_sentence(rig: Rig, prometheus: FakePrometheus) -> None:
    both = await asyncio.gather(
        *(rig.connect(prometheus.url, label="eu", source_id=name) for name in ("one", "another"))
    )
    assert sorted(type(one).__name__ for one in both) == ["Connected", "NotConnected"]
    refused = next(one for one in both if isinstance(one, NotConnected))
    assert refused.reason.startswith("There is a connection called eu already: choose another name")
    assert len(await rig.stored()) == 1


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"token": "wrong-token-of-3"}, "refused the credential (401)"),
        ({"url": "http://127.0.0.1:9"}, "cannot be reached"),
        ({"url": "http://no-such-host.invalid"}, "cannot be reached"),
        ({"url": "http://inside.example.com"}, "leads to an address that is not public"),
        ({"url": "http://10.1.2.3:9090"}, "is not a public address; an operator may add its network"),
        (
            {"url": "http://me:secret@prometheus.example.com"},
            "Address seems to hold a secret: put secrets only into the fields",
        ),
        ({"url": "prometheus"}, "Address does not look right, such as https://prometheus.example.com."),
        ({"label": "Not A Name!"}, "A name has small letters, digits and hyphens"),
        ({"headers": "Authorization = Bearer abc"}, "Authorization holds a secret"),
        ({"headers": "X-Extra = ghp_0123456789abcdefghijABCDEFGHIJ012345"}, "Headers seems to hold a secret"),
    ],
)
async def test_what_does_not_work_is_a_sentence_and_nothing_is_stored(
    rig: Rig, prometheus: FakePrometheus, changes: dict[str, str], told: str
) -> None:
    result = await rig.connect(**{"url": prometheus.url, **changes})
    assert isinstance(result, NotConnected)
    assert told in result.reason
    assert TOKEN not in result.reason
    assert await rig.stored() == []
    async with rig.db.tenant(rig.tenant, readonly=True) as s:
        assert await catalog.services(s) == []
        assert not any("connection" in entry.action for entry in await audit.trail(s))


@pytest.mark.parametrize("connector", ["commands", "logfiles", "git", "nonsense"])
async def test_what_reads_this_machine_is_connected_by_the_operator_only(rig: Rig, connector: str) -> None:
    result = await rig.connecting.connect(
        Consenting(tenant=rig.tenant), connector=connector, values={}, source="api", source_id="x"
    )
    assert isinstance(result, NotConnected)
    assert "jaeger, openmetrics, prometheus" in result.reason or "prometheus" in result.reason


async def test_health_is_remembered_and_a_silent_connection_is_told(rig: Rig, prometheus: FakePrometheus) -> None:
    await rig.connect(prometheus.url)
    prometheus.silent = {"checkout", "payments"}
    (silent,) = await rig.connecting.look(rig.tenant)
    assert silent.check is not None
    assert (silent.check.usable, silent.check.has_data) == (True, False)
    prometheus.token = "another-token-now"
    (failing,) = await rig.connecting.look(rig.tenant)
    assert failing.connection.problem is not None
    assert "refused the credential" in failing.connection.problem
    assert failing.connection.worked_at is not None
    prometheus.token, prometheus.silent = TOKEN, set()
    (well,) = await rig.connecting.look(rig.tenant)
    assert (well.connection.problem, well.connection.lacks) == (None, None)
    assert well.connection.data_at is not None


async def test_disconnecting_says_what_it_did_and_its_tools_are_gone(rig: Rig, prometheus: FakePrometheus) -> None:
    made = await rig.connect(prometheus.url)
    assert (await rig.toolboxes.of(rig.tenant)).connectors
    consent = Disconnecting(db=rig.db, egress_of=rig.toolboxes.egress_of, now=rig.db.now)
    person = await admin(rig.db, rig.tenant)
    done = await consent.disconnect(person, made.connection.id, source="slack")
    assert done is not None
    assert done.in_words().startswith("prometheus is disconnected and what was stored of it is deleted. A token stays")
    assert (await rig.toolboxes.of(rig.tenant)).connectors == ()
    assert await consent.disconnect(person, ConnectionId(made.connection.id), source="slack") is None
    async with rig.db.tenant(rig.tenant, readonly=True) as s:
        assert s.redactor.redact(TOKEN) != "[redacted:own_secret]"


async def test_a_vendor_that_cannot_list_its_services_is_connected_all_the_same(
    rig: Rig, prometheus: FakePrometheus, monkeypatch: pytest.MonkeyPatch
) -> None:
    prometheus.jobs = []
    result = await rig.connect(prometheus.url)
    assert isinstance(result, Connected)
    assert result.services == ()
