"""What is acknowledged is in a file of its own first, and in the inbox once, wherever the process dies."""

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from store.audit import SYSTEM
from store.database.arrivals import BATCH, Arrivals, WaitingArrival, arrivals_file
from store.database.schema import InboxRow
from store.database.session import Database
from store.errors import TenantFrozen, UnknownTenant
from store.ids import InboxId, TenantId, new_id
from store.inbox import Arrival, Inbox, arrival, collect, mark, pending
from store.inbox.backlog import arrivals_waiting
from store.keys.local_keys import LocalFileKeys
from store.keys.vault import key_of
from store.secrets.redaction import Secret
from store.tenancy.connections import save_connection
from store.upkeep import erasure
from store.upkeep.backups import Backups, restore
from tests.conftest import open_store
from tests.store.upkeep.test_backups import place_of

VICTIM = Path(__file__).with_name("arrival_victim.py")


def _mention(external_id: str, **payload: Any) -> Arrival:
    return Arrival(source="slack", external_id=external_id, kind="mention", payload=payload)


def _arrivals(db: Database) -> Arrivals:
    assert db.arrivals is not None
    return db.arrivals


async def _in_inbox(db: Database, tenant_id: TenantId, inbox_id: InboxId) -> Any:
    async with db.tenant(tenant_id, readonly=True, frozen_too=True) as s:
        stored = await arrival(s, inbox_id)
    return None if stored is None else stored.payload


def _raw(place: Any, query: str) -> list[Any]:
    file = arrivals_file(Path(place.url.removeprefix("sqlite:///")))
    with sqlite3.connect(file) as connection:
        return connection.execute(query).fetchall()


async def test_what_is_accepted_is_durable_and_not_in_the_inbox_until_it_is_delivered(
    sqlite_database: Database, two_tenants: Any, sqlite_place: Any
) -> None:
    inbox = Inbox(sqlite_database)
    accepted = await inbox.accept(two_tenants[0], _mention("Ev1", text="hello"))
    assert _raw(sqlite_place, "SELECT id, external_id FROM arrivals") == [(accepted.inbox_id, "Ev1")]
    assert await _in_inbox(sqlite_database, two_tenants[0], accepted.inbox_id) is None
    assert await arrivals_waiting(sqlite_database) == 1
    await inbox.deliver(two_tenants[0], accepted.inbox_id)
    assert _raw(sqlite_place, "SELECT count(*) FROM arrivals") == [(0,)]
    assert await arrivals_waiting(sqlite_database) == 1
    assert await _in_inbox(sqlite_database, two_tenants[0], accepted.inbox_id) == {"text": "hello"}
    assert await _in_inbox(sqlite_database, two_tenants[1], accepted.inbox_id) is None


async def test_an_arrival_is_known_again_before_and_after_it_was_moved(
    sqlite_database: Database, two_tenants: Any
) -> None:
    inbox = Inbox(sqlite_database)
    first = await inbox.accept(two_tenants[0], _mention("Ev1", text="first"))
    again = await inbox.accept(two_tenants[0], _mention("Ev1", text="again"))
    other = await inbox.accept(two_tenants[1], _mention("Ev1", text="another tenant's"))
    await inbox.deliver(two_tenants[0], first.inbox_id)
    later = await inbox.accept(two_tenants[0], _mention("Ev1", text="later"))
    assert (first.is_new, again.is_new, other.is_new, later.is_new) == (True, False, True, False)
    assert first.inbox_id == again.inbox_id == later.inbox_id != other.inbox_id
    assert await _in_inbox(sqlite_database, two_tenants[0], first.inbox_id) == {"text": "first"}


async def test_it_waits_for_no_other_writer(sqlite_database: Database, two_tenants: Any) -> None:
    inbox = Inbox(sqlite_database)
    await inbox.accept(two_tenants[0], _mention("Ev0"))  # the tenant's redactor is known from now on
    async with sqlite_database.tenant(two_tenants[1]) as s:
        await s.head()
        async with asyncio.timeout(60):
            assert (await inbox.accept(two_tenants[0], _mention("Ev1"))).is_new


async def test_many_at_once_are_each_there_once_and_moved_in_order(sqlite_database: Database, two_tenants: Any) -> None:
    inbox, count = Inbox(sqlite_database), 2 * BATCH + 10
    results = await asyncio.gather(
        *(inbox.accept(two_tenants[0], _mention(f"Ev{n % count}", n=n % count)) for n in range(2 * count))
    )
    new = [one.inbox_id for one in results if one.is_new]
    assert (len(new), len({one.inbox_id for one in results})) == (count, count)
    await asyncio.gather(*(inbox.deliver(two_tenants[0], one) for one in new))
    assert await _arrivals(sqlite_database).tenants() == []
    found = await pending(sqlite_database, timedelta(0), limit=10 * count)
    assert sorted(inbox_id for _, inbox_id in found) == sorted(new)


async def test_a_secret_that_was_saved_a_moment_ago_is_redacted(sqlite_database: Database, two_tenants: Any) -> None:
    inbox = Inbox(sqlite_database)
    await inbox.accept(two_tenants[0], _mention("Ev0"))
    async with sqlite_database.tenant(two_tenants[0]) as s:
        await save_connection(s, connector="git", config={}, credentials={"token": Secret("kept-for-ourselves-42")})
    recorded = await inbox.record(two_tenants[0], _mention("Ev1", text="is kept-for-ourselves-42 right?"))
    stored = await _in_inbox(sqlite_database, two_tenants[0], recorded.inbox_id)
    assert "kept-for-ourselves" not in str(stored)


async def test_a_tenant_that_is_frozen_or_unknown_is_refused(sqlite_database: Database, two_tenants: Any) -> None:
    inbox = Inbox(sqlite_database)
    await inbox.accept(two_tenants[0], _mention("Ev1"))
    await erasure.freeze(sqlite_database, two_tenants[0], actor=SYSTEM)
    with pytest.raises(TenantFrozen):
        await inbox.accept(two_tenants[0], _mention("Ev2"))
    with pytest.raises(UnknownTenant):
        await inbox.accept(TenantId(new_id()), _mention("Ev2"))
    forged = WaitingArrival(
        tenant_id=TenantId(new_id()),
        id=InboxId(new_id()),
        source="slack",
        external_id="Ev3",
        kind="mention",
        payload=b"AH2",
        received_at=sqlite_database.now(),
    )
    with pytest.raises(UnknownTenant):
        await _arrivals(sqlite_database).put(forged, secrets_version=0)


async def test_what_waited_when_its_tenant_was_frozen_is_dropped(sqlite_database: Database, two_tenants: Any) -> None:
    inbox = Inbox(sqlite_database)
    left = await inbox.accept(two_tenants[0], _mention("Ev1"))
    other = await inbox.accept(two_tenants[1], _mention("Ev1", text="stays"))
    await erasure.freeze(sqlite_database, two_tenants[0], actor=SYSTEM)
    await collect(sqlite_database)
    assert await _arrivals(sqlite_database).tenants() == []
    assert await _in_inbox(sqlite_database, two_tenants[0], left.inbox_id) is None
    assert await _in_inbox(sqlite_database, two_tenants[1], other.inbox_id) == {"text": "stays"}


async def test_closing_a_tenant_takes_its_arrivals_and_no_others(
    sqlite_database: Database, two_tenants: Any, sqlite_place: Any
) -> None:
    inbox = Inbox(sqlite_database)
    for tenant_id in two_tenants:
        await inbox.accept(tenant_id, _mention("Ev1"))
    ((sealed,),) = _raw(sqlite_place, f"SELECT payload FROM arrivals WHERE tenant_id = '{two_tenants[0]}'")  # noqa: S608
    closed = await erasure.close(sqlite_database, two_tenants[0], actor=SYSTEM, days=None, now=True)
    assert closed.rows["arrivals"] == 1
    assert _raw(sqlite_place, "SELECT tenant_id FROM arrivals") == [(two_tenants[1],)]
    folder = sqlite_place.key_file.parent
    for path in folder.glob("arrivals.db*"):
        assert sealed not in path.read_bytes(), path.name


async def test_a_row_that_was_moved_to_another_place_does_not_open(
    sqlite_database: Database, two_tenants: Any, sqlite_place: Any, caplog: pytest.LogCaptureFixture
) -> None:
    inbox = Inbox(sqlite_database)
    stolen = await inbox.accept(two_tenants[0], _mention("Ev1", text="ours"))
    file = arrivals_file(Path(sqlite_place.url.removeprefix("sqlite:///")))
    with sqlite3.connect(file) as thief:
        thief.execute("DROP TRIGGER wall_update")
        thief.execute("UPDATE arrivals SET tenant_id = ?", (two_tenants[1],))
    await collect(sqlite_database)
    assert await _in_inbox(sqlite_database, two_tenants[1], stolen.inbox_id) is None
    assert "waits for its key" in caplog.text  # which that tenant never has


async def test_rows_do_not_change(sqlite_database: Database, two_tenants: Any, sqlite_place: Any) -> None:
    await Inbox(sqlite_database).accept(two_tenants[0], _mention("Ev1"))
    with pytest.raises(sqlite3.IntegrityError, match="do not change"):
        _raw(sqlite_place, "UPDATE arrivals SET kind = 'x'")


async def test_it_moves_under_the_key_that_seals_now(
    sqlite_database: Database, two_tenants: Any, sqlite_place: Any
) -> None:
    accepted = await Inbox(sqlite_database).accept(two_tenants[0], _mention("Ev1", text="hello"))
    newest = await sqlite_database.keyring.create(two_tenants[0])
    await collect(sqlite_database)
    async with sqlite_database.tenant(two_tenants[0], readonly=True) as s:
        row = await s.one(InboxRow)
    assert row is not None
    assert key_of(row.payload) == newest
    assert await _in_inbox(sqlite_database, two_tenants[0], accepted.inbox_id) == {"text": "hello"}


@pytest.mark.parametrize("missing", ["all keys", "the newest key"])
async def test_what_cannot_be_read_while_a_key_is_missing_waits_for_it(
    sqlite_database: Database, two_tenants: Any, sqlite_place: Any, clock: Any, missing: str
) -> None:
    tenant = two_tenants[0]
    await sqlite_database.keyring.create(tenant)
    accepted = await Inbox(sqlite_database).accept(tenant, _mention("Ev1", text="hello"))
    await sqlite_database.close()
    keyring = sqlite_place.keyring_url.removeprefix("sqlite:///")
    hexed = uuid.UUID(tenant).hex
    newest = "" if missing == "all keys" else "AND rowid = (SELECT max(rowid) FROM data_keys)"
    with sqlite3.connect(keyring) as connection:
        gone = f"FROM data_keys WHERE tenant_id IN (?, ?) {newest}"
        connection.execute(f"CREATE TABLE aside AS SELECT * {gone}", (tenant, hexed))
        connection.execute(f"DELETE {gone}", (tenant, hexed))
    without = await open_store(sqlite_place, clock)
    await collect(without)
    await without.close()
    assert _raw(sqlite_place, "SELECT count(*) FROM arrivals") == [(1,)]
    with sqlite3.connect(keyring) as connection:
        connection.execute("INSERT INTO data_keys SELECT * FROM aside")
        connection.execute("DROP TABLE aside")
    restored = await open_store(sqlite_place, clock)
    await collect(restored)
    assert await _in_inbox(restored, tenant, accepted.inbox_id) == {"text": "hello"}
    await restored.close()


async def test_what_waits_goes_with_a_backup_and_comes_back_with_it(
    sqlite_database: Database, two_tenants: Any, sqlite_place: Any, clock: Any, tmp_path: Path
) -> None:
    inbox = Inbox(sqlite_database)
    kept = await inbox.accept(two_tenants[0], _mention("Ev1", text="kept"))
    await sqlite_database.keyring.admit()
    place = place_of(sqlite_place, sqlite_place.key_file.with_name("shred-ledger.jsonl"), tmp_path / "work")
    backups = Backups(place, tmp_path / "backups", LocalFileKeys(sqlite_place.key_file), clock)
    made = await backups.create()
    await inbox.accept(two_tenants[0], _mention("Ev2", text="later"))
    await sqlite_database.close()
    restored = await restore(backups, await backups.find(made.id), replace=True)
    assert restored.set_aside is not None
    assert (restored.set_aside / "arrivals.db").exists()
    db = await Database.open(
        sqlite_place.url,
        keyring_url=sqlite_place.keyring_url,
        keys=LocalFileKeys(sqlite_place.key_file),
        ledger=place.ledger,
        clock=clock,
    )
    await collect(db)
    assert await _in_inbox(db, two_tenants[0], kept.inbox_id) == {"text": "kept"}
    assert len(await pending(db, timedelta(0))) == 1
    await db.close()


async def test_only_its_owner_reads_the_file(sqlite_database: Database, two_tenants: Any, sqlite_place: Any) -> None:
    old = os.umask(0o022)
    try:
        await Inbox(sqlite_database).accept(two_tenants[0], _mention("Ev1"))
    finally:
        os.umask(old)
    modes = [path.stat().st_mode & 0o077 for path in sqlite_place.key_file.parent.glob("arrivals.db*")]
    assert len(modes) == 3
    assert set(modes) == {0}


async def test_on_postgresql_an_arrival_is_in_the_inbox_at_once(database: Database, two_tenants: Any) -> None:
    if database.dialect == "sqlite":
        pytest.skip("SQLite has the file")
    assert database.arrivals is None
    accepted = await Inbox(database).accept(two_tenants[0], _mention("Ev1", text="hello"))
    assert await _in_inbox(database, two_tenants[0], accepted.inbox_id) == {"text": "hello"}


@pytest.mark.slow
@pytest.mark.parametrize("boundary", ["accepted", "filed", "removed"])
async def test_a_kill_at_any_boundary_loses_nothing_and_doubles_nothing(
    sqlite_database: Database, two_tenants: Any, sqlite_place: Any, clock: Any, boundary: str
) -> None:
    """`accepted` is before the acknowledgement: what the process said before it died was acknowledged."""
    await sqlite_database.close()
    arguments = [sqlite_place.url, sqlite_place.keyring_url, str(sqlite_place.key_file), two_tenants[0], boundary]
    ended = await asyncio.to_thread(
        subprocess.run, [sys.executable, str(VICTIM), *arguments], capture_output=True, check=False, timeout=180
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    acknowledged = [json.loads(line) for line in ended.stdout.splitlines()]
    db = await Database.open(
        sqlite_place.url, keyring_url=sqlite_place.keyring_url, keys=LocalFileKeys(sqlite_place.key_file), clock=clock
    )
    inbox = Inbox(db)
    repeated = [await inbox.accept(two_tenants[0], _mention(f"Ev{n}", n=n)) for n in range(3)]  # as Slack would
    known = {one["external_id"]: one["inbox_id"] for one in acknowledged}
    assert {f"Ev{n}": one.inbox_id for n, one in enumerate(repeated) if f"Ev{n}" in known} == known
    assert not any(one.is_new for n, one in enumerate(repeated) if f"Ev{n}" in known)
    await collect(db)
    clock.advance(timedelta(days=20_000))
    waiting = [inbox_id for _, inbox_id in await pending(db, timedelta(0))]
    assert sorted(waiting) == sorted(one.inbox_id for one in repeated)
    for n, one in enumerate(repeated):
        assert await _in_inbox(db, two_tenants[0], one.inbox_id) == {"n": n}
    async with db.tenant(two_tenants[0]) as s:
        await mark(s, repeated[0].inbox_id, "done")
    await collect(db)
    assert len(await pending(db, timedelta(0))) == 2
    await db.close()
