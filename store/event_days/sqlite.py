"""Event days on SQLite: a file of its own, a table a day.

A dropped day must be gone from the disk: freed pages are zeroed (`secure_delete`), the log is truncated, and the file
shrinks by incremental vacuum. Each day has triggers that refuse a write for another tenant than the connection's,
and every update. https://www.sqlite.org/pragma.html#pragma_auto_vacuum
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

from store.event_days import Cursor, StoredEvent
from store.ids import TenantId

_BUSY_S: Final = 15.0
_INCREMENTAL: Final = 2
_DAY: Final = re.compile(r"day_(\d{8})")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_COLUMNS: Final = "tenant_id, time, id, sequence, type, subject, actor_type, actor_id, data"
# The primary key is the table itself: one tree, in the order in which a tenant's events are read.
_TABLE: Final = """
CREATE TABLE IF NOT EXISTS {day} (
    tenant_id TEXT NOT NULL, time INTEGER NOT NULL, id TEXT NOT NULL, sequence INTEGER NOT NULL, type TEXT NOT NULL,
    subject TEXT NOT NULL, actor_type TEXT, actor_id TEXT, data BLOB NOT NULL,
    PRIMARY KEY (tenant_id, time, id)) WITHOUT ROWID"""
_INSERT_WALL: Final = """
CREATE TRIGGER IF NOT EXISTS {day}_insert BEFORE INSERT ON {day} WHEN NEW.tenant_id IS NOT cur_tenant()
BEGIN SELECT RAISE(ABORT, 'an event of another tenant'); END"""
_DELETE_WALL: Final = """
CREATE TRIGGER IF NOT EXISTS {day}_delete BEFORE DELETE ON {day} WHEN OLD.tenant_id IS NOT cur_tenant()
BEGIN SELECT RAISE(ABORT, 'an event of another tenant'); END"""
_UPDATE_WALL: Final = """
CREATE TRIGGER IF NOT EXISTS {day}_update BEFORE UPDATE ON {day}
BEGIN SELECT RAISE(ABORT, 'events do not change'); END"""


class SqliteEventDays:
    """`EventDays` in a file. Each call opens it anew, in a thread: a cancelled caller leaves nothing half done."""

    def __init__(self, path: Path, *, clock: Callable[[], datetime]) -> None:
        self._path = path
        self._clock = clock

    async def ensure(self, until: date) -> None:
        await asyncio.to_thread(self._ensure, until)

    async def append(self, batch: Sequence[StoredEvent]) -> None:
        if batch:
            await asyncio.to_thread(self._append, batch)

    async def query(
        self, tenant_id: TenantId, since: datetime, until: datetime, *, limit: int, after: Cursor | None = None
    ) -> list[StoredEvent]:
        return await asyncio.to_thread(self._query, tenant_id, since, until, limit, after)

    async def expire(self, before: date) -> list[date]:
        return await asyncio.to_thread(self._expire, before)

    async def inventory(self) -> list[date]:
        return await asyncio.to_thread(self._inventory)

    async def delete_tenant(self, tenant_id: TenantId) -> int:
        return await asyncio.to_thread(self._delete_tenant, tenant_id)

    async def close(self) -> None:
        """Nothing is kept open."""

    def _ensure(self, until: date) -> None:
        with self._open() as file:
            today = self._clock().astimezone(UTC).date()
            file.make(today + timedelta(days=n) for n in range((until - today).days + 1))

    def _append(self, batch: Sequence[StoredEvent]) -> None:
        with self._open() as file:
            file.make({event.time.astimezone(UTC).date() for event in batch})
            with file.transaction():
                for (tenant_id, day), events in groupby(sorted(batch, key=_place), key=_place):
                    file.tenant = tenant_id
                    file.run_many(
                        f"INSERT OR IGNORE INTO {_name(day)} ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - a day
                        [_values(event) for event in events],
                    )

    def _query(
        self, tenant_id: TenantId, since: datetime, until: datetime, limit: int, after: Cursor | None
    ) -> list[StoredEvent]:
        start, behind = max((since, ""), after or (since, ""))
        found: list[StoredEvent] = []
        with self._open() as file:
            for day in file.days():
                if not start.astimezone(UTC).date() <= day <= until.astimezone(UTC).date() or len(found) >= limit:
                    continue
                rows = file.run(
                    f"SELECT {_COLUMNS} FROM {_name(day)} WHERE tenant_id = ? AND (time, id) > (?, ?) AND time < ? "  # noqa: S608 - as above
                    "ORDER BY time, id LIMIT ?",
                    (tenant_id, _micros(start), behind, _micros(until), limit - len(found)),
                )
                found.extend(_event(row) for row in rows)
        return found

    def _expire(self, before: date) -> list[date]:
        with self._open() as file:
            dropped = [day for day in file.days() if day < before]
            for day in dropped:
                file.run(f"DROP TABLE IF EXISTS {_name(day)}")
            file.forget_freed_pages()
        return dropped

    def _inventory(self) -> list[date]:
        with self._open() as file:
            return file.days()

    def _delete_tenant(self, tenant_id: TenantId) -> int:
        deleted = 0
        with self._open() as file:
            file.tenant = tenant_id
            for day in file.days():  # a day a transaction: the relay gets its turn in between
                deleted += file.count(f"DELETE FROM {_name(day)} WHERE tenant_id = ?", (tenant_id,))  # noqa: S608 - as above
            file.forget_freed_pages()
        return deleted

    @contextmanager
    def _open(self) -> Iterator["_File"]:
        self._path.touch(mode=0o600)
        connection = sqlite3.connect(self._path, timeout=_BUSY_S, isolation_level=None)
        try:
            yield _File(connection)
        finally:
            connection.close()


class _File:
    """An open connection with the settings that forgetting depends on."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.tenant: str | None = None
        connection.create_function("cur_tenant", 0, lambda: self.tenant)
        self.run("PRAGMA secure_delete=ON")
        if self.run("PRAGMA auto_vacuum")[0][0] != _INCREMENTAL:  # only an empty file or a VACUUM takes it
            self.run("PRAGMA auto_vacuum=INCREMENTAL")
            self.run("VACUUM")
        self.run("PRAGMA journal_mode=WAL")
        self.run("PRAGMA synchronous=FULL")  # the outbox forgets an event once it is here
        self.run("PRAGMA recursive_triggers=ON")

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

    def days(self) -> list[date]:
        names = self.run("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
        return [_date(match[1]) for (name,) in names if (match := _DAY.fullmatch(name))]

    def make(self, days: Iterable[date]) -> None:
        missing = set(days) - set(self.days())
        if not missing:
            return
        with self.transaction():
            for day in sorted(missing):
                for statement in (_TABLE, _INSERT_WALL, _DELETE_WALL, _UPDATE_WALL):
                    self.run(statement.format(day=_name(day)))

    def forget_freed_pages(self) -> None:
        """Readers may hinder the log's truncation: what is left is done at the next call."""
        if self.run("PRAGMA freelist_count")[0][0]:
            self._connection.executescript("PRAGMA incremental_vacuum")  # `execute` gives back one page only
        self.run("PRAGMA wal_checkpoint(TRUNCATE)")


def _name(day: date) -> str:
    return f"day_{day:%Y%m%d}"


def _date(digits: str) -> date:
    return datetime.strptime(digits, "%Y%m%d").replace(tzinfo=UTC).date()


def _place(event: StoredEvent) -> tuple[TenantId, date]:
    return event.tenant_id, event.time.astimezone(UTC).date()


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
