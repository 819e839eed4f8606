"""The days of events go with a backup of the content, and come back with it."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from store.audit.event_days import open_event_days
from store.audit.event_relay import relay
from store.audit.events import emit, events
from store.database.session import Database
from store.keys.local_keys import LocalFileKeys
from store.upkeep.backups import Backups, restore
from tests.store.upkeep.test_backups import admin_of, place_of


async def test_events_come_back_with_the_backup(
    sqlite_database: Database, two_tenants: Any, sqlite_place: Any, clock: Any, tmp_path: Path
) -> None:
    days = open_event_days(sqlite_place.url, clock=clock)
    emitted = []
    for _ in range(2):
        async with sqlite_database.tenant(two_tenants[0]) as s:
            emitted.append((await emit(s, "ai.autoheal.incident.opened.v1", "x")).get_id())
        clock.advance(timedelta(days=1))
        await relay(sqlite_database, days)
    await sqlite_database.keyring.admit()  # as at each start; it begins the ledger
    place = place_of(sqlite_place, sqlite_place.key_file.with_name("shred-ledger.jsonl"), tmp_path / "work")
    backups = Backups(place, tmp_path / "backups", LocalFileKeys(sqlite_place.key_file), clock)
    made = await backups.create()
    assert len(await days.expire(clock().date())) == 2
    await sqlite_database.close()
    restored = await restore(backups, await backups.find(made.id), replace=True)
    assert restored.set_aside is not None
    reopened = await Database.open(
        sqlite_place.url,
        keyring_url=sqlite_place.keyring_url,
        keys=LocalFileKeys(sqlite_place.key_file),
        ledger=place.ledger,
        clock=clock,
    )
    try:
        assert await admin_of(reopened, two_tenants[0]) == "admin"
        async with reopened.tenant(two_tenants[0]) as s:
            found = await events(s, clock() - timedelta(days=9), clock(), days=days)
        assert [event.get_id() for event in found] == emitted
    finally:
        await reopened.close()
