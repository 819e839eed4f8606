"""What is done in passing: each run goes on with what is due, and one that fails stops no other."""

import logging
from datetime import timedelta
from typing import Any

import pytest

from bot.housekeeping import keep_house
from store.audit import Actor
from store.audit.event_days import open_event_days
from store.database.keyring import KNOWN_AFTER
from store.database.session import Database
from store.errors import CorruptEnvelope
from store.ids import TenantId
from store.tenancy.tenants import find_tenant, list_tenants
from store.upkeep import erasure, rotation
from store.upkeep.erasure import FREEZE_FOR, freeze
from store.upkeep.rotation import begin_rotation, rotations

SLACK = Actor(type="system", id="slack")


async def test_tenants_whose_time_has_come_are_closed_and_rotations_end(
    sqlite_database: Database, sqlite_place: Any, two_tenants: Any, clock: Any
) -> None:
    leaving, staying = two_tenants
    days = open_event_days(sqlite_place.url, clock=clock)
    await freeze(sqlite_database, leaving, actor=SLACK)
    await begin_rotation(sqlite_database, staying, actor=Actor(type="system", id="operator"))
    await keep_house(sqlite_database, days)
    assert [one.id for one in await list_tenants(sqlite_database, "frozen")] == [leaving]
    assert await rotations(sqlite_database) == [staying]
    clock.advance(FREEZE_FOR)
    for _ in range(3):
        await keep_house(sqlite_database, days)
        clock.advance(KNOWN_AFTER)
    assert [one.id for one in await list_tenants(sqlite_database, "closed")] == [leaving]
    assert await rotations(sqlite_database) == []
    clock.advance(timedelta(days=2))
    await keep_house(sqlite_database, days)
    await days.close()


async def test_a_tenant_that_cannot_be_closed_stops_no_other(  # noqa: PLR0917 -- fixtures
    sqlite_database: Database,
    sqlite_place: Any,
    two_tenants: Any,
    clock: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    broken, other = two_tenants
    days = open_event_days(sqlite_place.url, clock=clock)
    for tenant in two_tenants:
        await freeze(sqlite_database, tenant, actor=SLACK)
    clock.advance(FREEZE_FOR)
    real = erasure.close

    async def failing(db: Database, tenant: TenantId, **named: Any) -> Any:
        if tenant == broken:
            raise CorruptEnvelope("what a customer wrote")
        return await real(db, tenant, **named)

    async def all_of_them(_: Database) -> list[TenantId]:
        return [broken]

    monkeypatch.setattr(erasure, "close", failing)
    monkeypatch.setattr(rotation, "rotations", all_of_them)
    with caplog.at_level(logging.INFO):
        await keep_house(sqlite_database, days)
    assert "what a customer wrote" not in caplog.text
    assert {record.action for record in caplog.records if hasattr(record, "action")} >= {"housekeeping.close_failed"}
    for tenant, status in ((broken, "frozen"), (other, "closed")):
        known = await find_tenant(sqlite_database, tenant)
        assert known is not None
        assert known.status == status
    await days.close()
