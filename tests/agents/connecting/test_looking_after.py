"""Connections are looked after: a lasting outage is told once, and new services are found without being asked for."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from agents.connecting.connecting import Connected, Connecting, Consenting
from agents.connecting.looking_after import DISCOVER_EVERY, LASTS, LooksAfter
from agents.connecting.toolboxes import Toolboxes
from store.database.session import Database
from store.ids import TenantId
from store.incidents import catalog
from store.secrets.redaction import Secret
from store.tenancy import connections
from tests.conftest import Clock
from tests.fakes.operators import permitting_loopback
from tests.fakes.prometheus import FakePrometheus, fake_prometheus

TOKEN = "glsa-3f9Kd82hQz71LmNb"


class Admins:
    def __init__(self) -> None:
        self.told: dict[str, str] = {}

    async def tell_admins(self, tenant: TenantId, *, key: str, text: str) -> bool:
        self.told[f"{tenant} {key}"] = text
        return True


@pytest.fixture
async def prometheus() -> AsyncIterator[FakePrometheus]:
    async with fake_prometheus(token=TOKEN) as fake:
        yield fake


@pytest.fixture
async def toolboxes(sqlite_database: Database, two_tenants: Any) -> AsyncIterator[Toolboxes]:
    made = Toolboxes(
        sqlite_database, file=permitting_loopback(), bound=lambda one: one == two_tenants[0], now=sqlite_database.now
    )
    yield made
    await made.close()


@pytest.fixture
async def connecting(
    sqlite_database: Database, two_tenants: Any, toolboxes: Toolboxes, prometheus: FakePrometheus
) -> Connecting:
    made = Connecting(sqlite_database, toolboxes, now=sqlite_database.now)
    result = await made.connect(
        Consenting(tenant=two_tenants[0]),
        connector="prometheus",
        values={"url": prometheus.url},
        secrets={"token": Secret(TOKEN)},
        label="eu",
        source="operator",
        source_id="T1",
    )
    assert isinstance(result, Connected), result
    return made


async def test_an_outage_that_lasts_is_told_once_with_what_to_do(
    sqlite_database: Database, two_tenants: Any, connecting: Connecting, prometheus: FakePrometheus, clock: Clock
) -> None:
    admins = Admins()
    after = LooksAfter(sqlite_database, connecting, admins)
    await after.look()
    prometheus.token = "another"
    began = clock.time
    clock.advance(LASTS / 2)
    await after.look()
    assert admins.told == {}, "one failed test is no outage"
    for _ in range(3):
        clock.advance(LASTS)
        await after.look()
    ((key, text),) = admins.told.items()
    assert key.startswith(f"{two_tenants[0]} connection-away:")
    assert f"*Prometheus (eu) has not worked since {began:%Y-%m-%d %H:%M} UTC*" in text
    assert "/autoheal integrations" in text
    assert TOKEN not in text
    async with sqlite_database.tenant(two_tenants[0], readonly=True) as s:
        (stored,) = await connections.connections(s)
    assert stored.checked_at == clock.time
    prometheus.token = TOKEN
    await after.look()
    prometheus.token = "another"
    clock.advance(LASTS + timedelta(minutes=1))
    await after.look()
    assert len(admins.told) == 2, "the next outage is news again"


async def test_a_connection_whose_credentials_cannot_be_opened_is_told_too(
    sqlite_database: Database, two_tenants: Any, connecting: Connecting, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unreadable(*_: object) -> dict[str, Secret]:
        raise connections.UnreadableConnection("damaged")

    admins = Admins()
    monkeypatch.setattr(connections, "credentials", unreadable)
    clock.advance(2 * LASTS)
    await LooksAfter(sqlite_database, connecting, admins).look()
    (text,) = admins.told.values()
    assert "its stored settings are damaged: connect it again" in text


async def test_new_services_are_found_once_a_day(
    sqlite_database: Database, two_tenants: Any, connecting: Connecting, prometheus: FakePrometheus, clock: Clock
) -> None:
    after = LooksAfter(sqlite_database, connecting, Admins())

    async def known() -> set[str]:
        async with sqlite_database.tenant(two_tenants[0], readonly=True) as s:
            return {one.name for one in await catalog.services(s)}

    await after.look()
    prometheus.jobs.append("ledger")
    clock.advance(DISCOVER_EVERY / 2)
    await after.look()
    assert await known() == {"checkout", "payments"}
    clock.advance(DISCOVER_EVERY / 2)
    await after.look()
    assert await known() == {"checkout", "payments", "ledger"}


async def test_a_tenant_that_cannot_be_looked_at_hinders_no_other(
    sqlite_database: Database, two_tenants: Any, connecting: Connecting, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[TenantId] = []
    look = connecting.look

    async def failing(tenant: TenantId, *rest: Any) -> Any:
        looked.append(tenant)
        if tenant == two_tenants[1]:
            raise RuntimeError("of this tenant alone")
        return await look(tenant, *rest)

    monkeypatch.setattr(connecting, "look", failing)
    clock.advance(timedelta(minutes=30))
    await LooksAfter(sqlite_database, connecting, Admins()).look()
    assert set(looked) == set(two_tenants)
    async with sqlite_database.tenant(two_tenants[0], readonly=True) as s:
        (stored,) = await connections.connections(s)
    assert stored.worked_at == clock.time
