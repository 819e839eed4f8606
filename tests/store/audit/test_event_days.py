"""Days come, take their events once, and go, whatever is interrupted: on both backends alike."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy.exc import ProgrammingError

from store.audit.event_days import DAYS_AHEAD, EventDays, StoredEvent, open_event_days
from store.audit.event_days.postgresql import PostgresEventDays
from store.audit.event_days.sqlite import SqliteEventDays
from store.database.migrations import migrate
from store.errors import SchemaMismatch
from store.ids import TenantId, new_id
from tests.conftest import StorePlace, open_store
from tests.store.database.test_walls import as_owner, gaps, two_logins

__all__ = ["two_logins"]

KEPT = timedelta(days=90)
PARENT = "autoheal_events.event_days"
A, B = TenantId(new_id()), TenantId(new_id())


@pytest.fixture
async def days(store_place: Any, clock: Any) -> AsyncIterator[EventDays]:
    opened = open_event_days(store_place.url, clock=clock)
    yield opened
    await opened.expire(date.max)
    await opened.close()


def event(tenant_id: TenantId, time: datetime, sequence: int = 1, *, data: bytes = b"sealed") -> StoredEvent:
    return StoredEvent(
        tenant_id=tenant_id,
        id=new_id(),
        sequence=sequence,
        time=time,
        type="ai.autoheal.incident.opened.v1",
        subject="x",
        actor_type=None,
        actor_id=None,
        data=data,
    )


async def _all(days: EventDays, tenant_id: TenantId) -> list[StoredEvent]:
    return await days.query(tenant_id, datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC), limit=10_000)


async def test_120_days_pass_and_90_remain(days: EventDays, clock: Any) -> None:
    written: list[StoredEvent] = []
    for number in range(120):
        if number % 7 == 0:  # the job that makes days may be late by a week, and no event is
            await days.ensure(clock().date() + timedelta(days=DAYS_AHEAD))
        batch = [event(tenant_id, clock()) for tenant_id in (A, B)]
        written += batch
        await days.append(batch)
        await days.expire((clock() - KEPT).date())
        clock.advance(timedelta(days=1))
    today = (clock() - timedelta(days=1)).date()
    assert await days.inventory() == [today + timedelta(days=n) for n in range(-90, DAYS_AHEAD + 1)]
    for tenant_id in (A, B):
        kept = [e for e in written if e.tenant_id == tenant_id and e.time.date() >= today - KEPT]
        assert await _all(days, tenant_id) == kept
    assert len(kept) == 91


async def test_an_event_is_stored_once_however_often_it_is_appended(days: EventDays, clock: Any) -> None:
    batch = [event(A, clock() + timedelta(seconds=n), n) for n in range(3)]
    await days.append(batch[:2])
    await days.append(batch)
    await asyncio.gather(*(days.append(batch) for _ in range(4)))
    assert await _all(days, A) == batch


async def test_late_and_early_events_are_kept(days: EventDays, clock: Any) -> None:
    await days.ensure(clock().date())
    late, early = event(A, clock() - timedelta(days=200)), event(A, clock() + timedelta(days=40))
    await days.append([early, late])
    assert await _all(days, A) == [late, early]
    assert await days.expire((clock() - KEPT).date()) == [late.time.date()]
    assert await _all(days, A) == [early]
    await days.append([late])  # a day that had gone before comes back
    assert await _all(days, A) == [late, early]


async def test_ranges_are_half_open_and_pages_join(days: EventDays, clock: Any) -> None:
    times = [clock() + timedelta(hours=9 * n) for n in range(8)] + [clock()]
    batch = [event(A, time) for time in times]
    await days.append([*batch, event(B, clock())])
    wanted = sorted((e for e in batch if times[0] <= e.time < times[6]), key=lambda e: (e.time, e.id))
    pages: list[StoredEvent] = []
    while page := await days.query(
        A, times[0], times[6], limit=2, after=(pages[-1].time, pages[-1].id) if pages else None
    ):
        pages += page
    assert pages == wanted
    assert await days.query(A, times[2], times[2], limit=9) == []


async def test_a_closed_tenants_events_go_and_the_others_stay(days: EventDays, clock: Any) -> None:
    theirs = [event(B, clock() + timedelta(days=n)) for n in range(3)]
    await days.append([event(A, clock() + timedelta(days=n)) for n in range(3)] + theirs)
    assert await days.delete_tenant(A) == 3
    assert await days.delete_tenant(A) == 0
    assert (await _all(days, A), await _all(days, B)) == ([], theirs)


async def test_expiry_of_nothing_is_no_error(days: EventDays, clock: Any) -> None:
    assert await days.expire(clock().date()) == []
    assert await days.inventory() == []


# SQLite


async def test_a_dropped_day_leaves_no_byte_in_any_file(sqlite_place: Any, clock: Any) -> None:
    canary = b"canary-of-a-day-that-ends"
    folder = Path(sqlite_place.url.removeprefix("sqlite:///")).parent
    days = SqliteEventDays(folder / "events", clock=clock)
    await days.append([event(A, clock(), n, data=canary * 50) for n in range(200)])
    await days.append([event(A, clock() + timedelta(days=1), n) for n in range(200)])
    assert any(canary in path.read_bytes() for path in folder.rglob("*.db*"))
    assert all(path.stat().st_mode & 0o077 == 0 for path in [folder / "events", *folder.glob("events/*")])
    await days.expire(clock().date() + timedelta(days=1))
    assert not any(canary in path.read_bytes() for path in folder.rglob("*") if path.is_file())


async def test_a_deleted_tenant_leaves_no_byte_in_any_file(sqlite_place: Any, clock: Any) -> None:
    canary = b"canary-of-a-tenant-that-leaves"
    folder = Path(sqlite_place.url.removeprefix("sqlite:///")).with_name("events")
    days = SqliteEventDays(folder, clock=clock)
    await days.append([event(A, clock(), n, data=canary * 5) for n in range(200)] + [event(B, clock())])
    await days.delete_tenant(A)
    assert not any(canary in path.read_bytes() for path in folder.glob("*"))


@pytest.mark.parametrize("left", ["events-{}.db-wal", "events-{}.db"])
async def test_a_crash_amid_the_dropping_is_mended(sqlite_place: Any, clock: Any, left: str) -> None:
    folder = Path(sqlite_place.url.removeprefix("sqlite:///")).with_name("events")
    days = SqliteEventDays(folder, clock=clock)
    await days.append([event(A, clock())])
    day = clock().date()
    content = (folder / f"events-{day:%Y%m%d}.db").read_bytes()
    (folder / f"events-{day:%Y%m%d}.db").unlink()
    (folder / left.format(f"{day:%Y%m%d}")).write_bytes(content)
    assert await days.inventory() == [day]  # what is still on the disk is told
    assert await days.expire(day + timedelta(days=1)) == [day]
    assert list(folder.iterdir()) == []


async def test_a_day_that_a_crash_left_empty_is_made(sqlite_place: Any, clock: Any) -> None:
    folder = Path(sqlite_place.url.removeprefix("sqlite:///")).with_name("events")
    days = SqliteEventDays(folder, clock=clock)
    folder.mkdir()
    (folder / f"events-{clock():%Y%m%d}.db").touch()
    assert await _all(days, A) == []
    await days.append([first := event(A, clock())])
    assert await _all(days, A) == [first]


async def test_a_raw_write_is_refused_by_the_file(sqlite_place: Any, clock: Any) -> None:
    folder = Path(sqlite_place.url.removeprefix("sqlite:///")).with_name("events")
    days = SqliteEventDays(folder, clock=clock)
    await days.append([event(A, clock())])
    with sqlite3.connect(folder / f"events-{clock():%Y%m%d}.db") as connection:
        connection.create_function("cur_tenant", 0, lambda: B)
        for statement in (
            "DELETE FROM events",
            "UPDATE events SET type = 'y'",
            "INSERT INTO events SELECT * FROM events",
        ):
            with pytest.raises(sqlite3.IntegrityError, match=r"another tenant|do not change"):
                connection.execute(statement)


# PostgreSQL


@pytest.fixture
async def postgres_days(postgres_place: Any, clock: Any) -> AsyncIterator[PostgresEventDays]:
    days = PostgresEventDays(postgres_place.url, owner_url=postgres_place.url, clock=clock)
    yield days
    await days.expire(date.max)
    await days.close()


async def test_a_crash_between_detach_and_drop_is_mended(
    postgres_days: PostgresEventDays, postgres_place: Any, clock: Any
) -> None:
    first, second = clock().date(), clock().date() + timedelta(days=1)
    await postgres_days.append([event(A, clock()), event(A, clock() + timedelta(days=1))])
    with psycopg.connect(postgres_place.url, autocommit=True) as connection:
        connection.execute(f"ALTER TABLE {PARENT} DETACH PARTITION {PARENT}_{first:%Y%m%d} CONCURRENTLY".encode())
    assert await postgres_days.inventory() == [first, second]  # what is still on the disk is told
    assert await postgres_days.expire(second) == [first]
    assert await postgres_days.inventory() == [second]


async def test_a_detach_that_was_interrupted_is_finished(postgres_place: Any, clock: Any) -> None:
    days = PostgresEventDays(postgres_place.url, owner_url=postgres_place.url, clock=clock, wait_s=0.5)
    await days.append([event(A, clock())])
    tomorrow = clock().date() + timedelta(days=1)
    with psycopg.connect(postgres_place.url) as reader:
        reader.execute(b"TABLE autoheal_events.event_days")  # DETACH CONCURRENTLY waits for it, then gives up
        with pytest.raises(Exception, match="timeout"):
            await days.expire(tomorrow)
    assert await _all(days, A) == []
    assert await days.inventory() == [clock().date()]
    assert await days.expire(tomorrow) == [clock().date()]
    assert await days.inventory() == []
    await days.close()


async def test_the_application_reaches_the_parent_only_and_its_tenant_only(
    postgres_days: PostgresEventDays, postgres_place: Any, clock: Any
) -> None:
    await postgres_days.append([event(A, clock()), event(B, clock())])
    child = f"{PARENT}_{clock():%Y%m%d}"
    with psycopg.connect(postgres_place.url) as connection:
        connection.execute("SET ROLE autoheal_app")
        assert connection.execute("SELECT count(*) FROM autoheal_events.event_days").fetchone() == (0,)
        connection.execute("SELECT set_config('app.tenant_id', %s, false)", (A,))
        assert connection.execute("SELECT tenant_id::text FROM autoheal_events.event_days").fetchall() == [(A,)]
        connection.commit()
        for statement in (
            f"TABLE {child}",
            f"INSERT INTO {child} TABLE {PARENT}",
            f"DELETE FROM {PARENT}",  # noqa: S608 - a constant
            f"UPDATE {PARENT} SET subject = 'y'",  # noqa: S608 - as above
            f"INSERT INTO {PARENT} VALUES ('{B}', '{clock()}', '{B}', 2, 'x', 'x', null, null, '')",  # noqa: S608 - as above
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement.encode())
            connection.rollback()


WALL_BREAKS = (
    f"ALTER TABLE {PARENT} DISABLE ROW LEVEL SECURITY",
    f"ALTER TABLE {PARENT} NO FORCE ROW LEVEL SECURITY",
    f"DROP POLICY autoheal_app ON {PARENT}",
    f"DROP POLICY autoheal_eraser ON {PARENT}",
    f"ALTER POLICY autoheal_app ON {PARENT} USING (true)",
    f"ALTER POLICY autoheal_app ON {PARENT} WITH CHECK (true)",
    f"ALTER POLICY autoheal_eraser ON {PARENT} TO PUBLIC",
    f"CREATE POLICY more ON {PARENT} USING (true)",
    "CREATE POLICY more ON {child} USING (true)",
    "ALTER TABLE {child} DISABLE ROW LEVEL SECURITY",
    "GRANT SELECT ON {child} TO autoheal_app",
    "GRANT SELECT ON {child} TO PUBLIC",
    "GRANT DELETE ON {left} TO autoheal_eraser",
    f"GRANT SELECT ON {PARENT} TO autoheal_door",
    f"GRANT UPDATE ON {PARENT} TO autoheal_app",
    f"REVOKE INSERT ON {PARENT} FROM autoheal_app",
)


@pytest.mark.parametrize("breaks", WALL_BREAKS)
async def test_a_gap_in_the_walls_of_the_days_stops_the_start_and_is_mended(
    postgres_days: PostgresEventDays, postgres_place: Any, clock: Any, breaks: str
) -> None:
    await postgres_days.append([mine := event(A, clock()), event(B, clock() + timedelta(days=1))])
    child, left = (f"{PARENT}_{clock() + timedelta(days=n):%Y%m%d}" for n in (0, 1))
    await as_owner(postgres_place, f"ALTER TABLE {PARENT} DETACH PARTITION {left}")
    assert await gaps(postgres_place) == []
    await as_owner(postgres_place, breaks.format(child=child, left=left))
    assert len(await gaps(postgres_place)) == 1
    with pytest.raises(SchemaMismatch, match="autoheal migrate"):
        await open_store(postgres_place, clock)
    await migrate(postgres_place.url)
    assert await gaps(postgres_place) == []
    assert await _all(postgres_days, A) == [mine]


async def test_a_login_that_owns_nothing_serves_beside_the_owner(
    two_logins: tuple[StorePlace, StorePlace], clock: Any
) -> None:
    landlord, lodger = two_logins
    await migrate(landlord.url)
    days = PostgresEventDays(lodger.url, owner_url=landlord.url, clock=clock)
    await days.append([event(A, clock()), mine := event(B, clock())])
    assert await gaps(lodger) == await gaps(landlord) == []
    child = f"{PARENT}_{clock():%Y%m%d}"
    await as_owner(landlord, f"ALTER TABLE {PARENT} DISABLE ROW LEVEL SECURITY", f"GRANT SELECT ON {child} TO PUBLIC")
    assert len(await gaps(lodger)) == 2
    await migrate(landlord.url)
    assert await gaps(lodger) == []
    assert await days.delete_tenant(A) == 1
    assert (await _all(days, A), await _all(days, B)) == ([], [mine])
    alone = PostgresEventDays(lodger.url, owner_url=lodger.url, clock=clock)
    assert await _all(alone, B) == [mine]  # reading and appending to days that are made needs no owner
    await alone.append([event(B, clock())])
    with pytest.raises(ProgrammingError):
        await alone.append([event(B, clock() + timedelta(days=1))])
    assert await days.expire(clock().date() + timedelta(days=1)) == [clock().date()]
    await alone.close()
    await days.close()
