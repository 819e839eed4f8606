"""Event days on SQLite: a folder of their own, a file a day.

A day is forgotten by unlinking its file: nothing of it remains in any page, free list or log, and it costs the same for
a million events as for one. (A table a day in one file was measured: zeroing and vacuuming took most of the time that
deleting the rows took.) Each file has triggers that refuse a write for another tenant than the connection's, and every
update.
"""

import asyncio
import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from store.audit.event_days import Cursor, StoredEvent
from store.ids import TenantId
from store.whole_file import sync_folder

_BUSY_S: Final = 15.0
_FILE: Final = re.compile(r"events-(\d{8})\.db(-wal|-shm)?")
_SUFFIXES: Final = ("-wal", "-shm", "")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_COLUMNS: Final = "tenant_id, time, id, sequence, type, subject, actor_type, actor_id, data"
_INSERT: Final = f"INSERT OR IGNORE INTO events ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - constants
_SELECT: Final = (
    f"SELECT {_COLUMNS} FROM events WHERE tenant_id = ? AND (time, id) > (?, ?) AND time < ? "  # noqa: S608 - as above
    "ORDER BY time, id LIMIT ?"
)
# The primary key is the table itself: one tree, in the order in which a tenant's events are read.
_SCHEMA: Final = (
    """CREATE TABLE events (
    tenant_id TEXT NOT NULL, time INTEGER NOT NULL, id TEXT NOT NULL, sequence INTEGER NOT NULL, type TEXT NOT NULL,
    subject TEXT NOT NULL, actor_type TEXT, actor_id TEXT, data BLOB NOT NULL,
    PRIMARY KEY (tenant_id, time, id)) WITHOUT ROWID""",
    """CREATE TRIGGER wall_insert BEFORE INSERT ON events WHEN NEW.tenant_id IS NOT cur_tenant()
    BEGIN SELECT RAISE(ABORT, 'an event of another tenant'); END""",
    """CREATE TRIGGER wall_delete BEFORE DELETE ON events WHEN OLD.tenant_id IS NOT cur_tenant()
    BEGIN SELECT RAISE(ABORT, 'an event of another tenant'); END""",
    """CREATE TRIGGER wall_update BEFORE UPDATE ON events
    BEGIN SELECT RAISE(ABORT, 'events do not change'); END""",
    "PRAGMA user_version = 1",
)


class SqliteEventDays:
    """`EventDays` in a folder. Each call opens files anew, in a thread: a cancelled caller leaves nothing half done."""

    def __init__(self, folder: Path, *, clock: Callable[[], datetime]) -> None:
        self._folder = folder
        self._clock = clock

    async def ensure(self, until: date) -> None:
        await asyncio.to_thread(self._ensure, until)

    async def append(self, batch: Sequence[StoredEvent]) -> None:
        await asyncio.to_thread(self._append, batch)

    async def query(
        self, tenant_id: TenantId, since: datetime, until: datetime, *, limit: int, after: Cursor | None = None
    ) -> list[StoredEvent]:
        start, behind = max((since, ""), after or (since, ""))
        return await asyncio.to_thread(self._query, tenant_id, (start, behind), until, limit)

    async def expire(self, before: date) -> list[date]:
        return await asyncio.to_thread(self._expire, before)

    async def inventory(self) -> list[date]:
        return await asyncio.to_thread(self._days)

    async def delete_tenant(self, tenant_id: TenantId) -> int:
        return await asyncio.to_thread(self._delete_tenant, tenant_id)

    async def close(self) -> None:
        """Nothing is kept open."""

    def _ensure(self, until: date) -> None:
        today = self._clock().astimezone(UTC).date()
        wanted = {today + timedelta(days=n) for n in range((until - today).days + 1)}
        for day in sorted(wanted - set(self._days())):
            with self._open(day):
                pass

    def _append(self, batch: Sequence[StoredEvent]) -> None:
        for day, of_day in groupby(sorted(batch, key=_place), key=_day):
            with self._open(day) as file, file.transaction():
                for tenant_id, events in groupby(of_day, key=lambda event: event.tenant_id):
                    file.tenant = tenant_id
                    file.run_many(_INSERT, [_values(event) for event in events])

    def _query(self, tenant_id: TenantId, behind: Cursor, until: datetime, limit: int) -> list[StoredEvent]:
        first, last = behind[0].astimezone(UTC).date(), until.astimezone(UTC).date()
        found: list[StoredEvent] = []
        for day in self._days():
            if first <= day <= last and len(found) < limit and self._path(day).exists():
                with self._open(day) as file:
                    place = (_micros(behind[0]), behind[1], _micros(until), limit - len(found))
                    found.extend(_event(row) for row in file.run(_SELECT, (tenant_id, *place)))
        return found

    def _expire(self, before: date) -> list[date]:
        dropped = [day for day in self._days() if day < before]
        for day in dropped:
            for suffix in _SUFFIXES:  # the log first: what a crash leaves is still a file of that day
                Path(f"{self._path(day)}{suffix}").unlink(missing_ok=True)
        if dropped:
            sync_folder(self._folder)
        return dropped

    def _delete_tenant(self, tenant_id: TenantId) -> int:
        deleted = 0
        for day in self._days():
            with self._open(day) as file:
                file.tenant = tenant_id
                deleted += file.count("DELETE FROM events WHERE tenant_id = ?", (tenant_id,))
                file.run("PRAGMA wal_checkpoint(TRUNCATE)")
        return deleted

    def _days(self) -> list[date]:
        paths = self._folder.iterdir() if self._folder.is_dir() else ()
        return sorted({_date(match[1]) for path in paths if (match := _FILE.fullmatch(path.name))})

    def _path(self, day: date) -> Path:
        return self._folder / f"events-{day:%Y%m%d}.db"

    @contextmanager
    def _open(self, day: date) -> Iterator["_File"]:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        self._path(day).touch(mode=0o600)
        connection = sqlite3.connect(self._path(day), timeout=_BUSY_S, isolation_level=None)
        try:
            yield _File(connection)
        finally:
            connection.close()


class _File:
    """An open day with the settings that forgetting and keeping depend on; made if it is new."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.tenant: str | None = None
        connection.create_function("cur_tenant", 0, lambda: self.tenant)
        self.run("PRAGMA journal_mode=WAL")
        self.run("PRAGMA synchronous=FULL")  # the outbox forgets an event once it is here
        self.run("PRAGMA secure_delete=ON")
        self.run("PRAGMA recursive_triggers=ON")
        if not self._is_made():
            with self.transaction():
                for statement in () if self._is_made() else _SCHEMA:
                    self.run(statement)

    def run(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        return self._connection.execute(statement, values).fetchall()

    def run_many(self, statement: str, rows: Iterable[Sequence[Any]]) -> None:
        self._connection.executemany(statement, rows)

    def count(self, statement: str, values: Sequence[Any]) -> int:
        return self._connection.execute(statement, values).rowcount

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self.run("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self.run("ROLLBACK")
            raise
        self.run("COMMIT")

    def _is_made(self) -> bool:
        return bool(self.run("PRAGMA user_version")[0][0])


def event_files(content: Path) -> list[Path]:
    """The files of the days beside a content database, oldest first: each a database of its own."""
    return sorted(content.with_name("events").glob("events-*.db"))


def _date(digits: str) -> date:
    return datetime.strptime(digits, "%Y%m%d").replace(tzinfo=UTC).date()


def _day(event: StoredEvent) -> date:
    return event.time.astimezone(UTC).date()


def _place(event: StoredEvent) -> tuple[date, TenantId]:
    return _day(event), event.tenant_id


def _micros(time: datetime) -> int:
    return (time - _EPOCH) // _MICROSECOND


def _values(event: StoredEvent) -> tuple[Any, ...]:
    return (
        event.tenant_id,
        _micros(event.time),
        event.id,
        event.sequence,
        event.type,
        event.subject,
        event.actor_type,
        event.actor_id,
        event.data,
    )


def _event(row: Sequence[Any]) -> StoredEvent:
    tenant_id, time, event_id, sequence, event_type, subject, actor_type, actor_id, data = row
    return StoredEvent(
        tenant_id=TenantId(tenant_id),
        id=event_id,
        sequence=sequence,
        time=_EPOCH + time * _MICROSECOND,
        type=event_type,
        subject=subject,
        actor_type=actor_type,
        actor_id=actor_id,
        data=data,
    )
