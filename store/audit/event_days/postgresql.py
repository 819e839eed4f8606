"""Event days on PostgreSQL: a table partitioned by day, whose parent alone can be reached.

Row security on a parent does not protect its partitions, so nothing is granted on those. There is no DEFAULT partition:
it would forbid DETACH CONCURRENTLY, which lets readers and writers go on while a day leaves. The application's role
reads and appends through the parent; the owner's connection makes and drops days. All lies in a schema of its own.
https://www.postgresql.org/docs/current/ddl-partitioning.html
"""

import re
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Row,
    String,
    Table,
    Uuid,
    delete,
    select,
    text,
    tuple_,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from store.audit.event_days import Cursor, StoredEvent
from store.database.engine import create_engine, reading
from store.database.walls import event_days as walls
from store.database.walls.acting import acting, for_tenant, owning
from store.ids import TenantId

_EVENTS: Final = Table(
    walls.TABLE,
    MetaData(schema=walls.SCHEMA),  # not the store's: a database on SQLite has no such table
    Column("tenant_id", Uuid(as_uuid=False), nullable=False),
    Column("time", DateTime(timezone=True), nullable=False),
    Column("id", Uuid(as_uuid=False), nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("type", String(255), nullable=False),
    Column("subject", String(255), nullable=False),
    Column("actor_type", String(255)),
    Column("actor_id", String(255)),
    Column("data", LargeBinary, nullable=False),
    PrimaryKeyConstraint("tenant_id", "time", "id"),
    postgresql_partition_by="RANGE (time)",
)
_PARTITION: Final = re.compile(r"event_days_(\d{8})")
_LOCK: Final = 0x6576656E74730001  # any constant of our own
_ENTRIES: Final = 400
_STATE: Final = """
    SELECT c.relname, i.inhparent IS NOT NULL AS attached, COALESCE(i.inhdetachpending, false) AS leaving
    FROM pg_class c LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
    WHERE c.relnamespace = to_regnamespace(:schema) AND c.relkind = 'r' ORDER BY c.relname"""


class PostgresEventDays:
    """`EventDays` in the content database. `wait_s` is how long a day waits for transactions that hold the table."""

    def __init__(self, url: str, *, owner_url: str, clock: Callable[[], datetime], wait_s: float = 30.0) -> None:
        self._engine = create_engine(url, pool_size=None)
        self._owner_engine = create_engine(owner_url, pool_size=None)
        self._owner = owning(self._owner_engine)
        self._clock = clock
        self._wait_ms = int(wait_s * 1000)
        self._known: set[date] = set()
        self._is_laid = False

    async def ensure(self, until: date) -> None:
        today = self._clock().astimezone(UTC).date()
        await self._make(today + timedelta(days=n) for n in range((until - today).days + 1))

    async def append(self, batch: Sequence[StoredEvent]) -> None:
        await self._make_missing({event.time.astimezone(UTC).date() for event in batch})
        for tenant_id, events in groupby(sorted(batch, key=lambda event: event.tenant_id), key=lambda e: e.tenant_id):
            rows = [asdict(event) for event in events]
            engine = acting(self._engine, for_tenant(tenant_id))
            try:
                async with engine.begin() as connection:
                    for start in range(0, len(rows), _ENTRIES):
                        page = rows[start : start + _ENTRIES]
                        await connection.execute(insert(_EVENTS).values(page).on_conflict_do_nothing())
            except IntegrityError:  # another process dropped a day that was late already: make it anew next time
                self._known.clear()
                raise

    async def query(
        self, tenant_id: TenantId, since: datetime, until: datetime, *, limit: int, after: Cursor | None = None
    ) -> list[StoredEvent]:
        statement = (
            select(_EVENTS)
            .where(_EVENTS.c.tenant_id == tenant_id, _EVENTS.c.time >= since, _EVENTS.c.time < until)
            .order_by(_EVENTS.c.time, _EVENTS.c.id)
            .limit(limit)
        )
        if after is not None:
            statement = statement.where(
                _EVENTS.c.time >= after[0],  # the planner leaves out days by this one only
                tuple_(_EVENTS.c.time, _EVENTS.c.id) > tuple_(*after, types=(_EVENTS.c.time.type, _EVENTS.c.id.type)),
            )
        await self._make_missing(set())
        async with reading(acting(self._engine, for_tenant(tenant_id))).begin() as connection:
            return [_event(row) for row in await connection.execute(statement)]

    async def expire(self, before: date) -> list[date]:
        async with self._alone() as connection:
            dropped = []
            for day, attached, leaving in await _partitions(connection):
                if attached and not leaving and day >= before:
                    continue
                if attached:
                    await self._detach(connection, day, leaving=leaving)
                await connection.execute(text(f"DROP TABLE IF EXISTS {_name(day)}"))
                dropped.append(day)
        self._known.difference_update(dropped)
        return dropped

    async def inventory(self) -> list[date]:
        async with self._owner.connect() as connection:
            return [day for day, _, _ in await _partitions(connection)]

    async def delete_tenant(self, tenant_id: TenantId) -> int:
        await self._make_missing(set())
        async with acting(self._engine, for_tenant(tenant_id, erasing=True)).begin() as connection:
            result = await connection.execute(delete(_EVENTS).where(_EVENTS.c.tenant_id == tenant_id))
            return int(result.rowcount)

    async def close(self) -> None:
        await self._engine.dispose()
        await self._owner_engine.dispose()

    async def _make_missing(self, days: set[date]) -> None:
        missing = days - self._known
        if missing or not self._is_laid:
            await self._make(missing)

    async def _make(self, days: Iterable[date]) -> None:
        async with self._owner.begin() as connection:
            await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            await connection.execute(text(f"SET LOCAL lock_timeout = {self._wait_ms}"))
            await _lay(connection)
            there = {day for day, _, _ in await _partitions(connection)}
            wanted = set(days)
            for day in sorted(wanted - there):
                bounds = f"FROM ('{day} 00:00+00') TO ('{day + timedelta(days=1)} 00:00+00')"
                await connection.execute(
                    text(f"CREATE TABLE {_name(day)} PARTITION OF {walls.PARENT} FOR VALUES {bounds}")
                )
                for statement in walls.of_day(_name(day)):
                    await connection.execute(text(statement))
        self._known |= wanted
        self._is_laid = True

    async def _detach(self, connection: AsyncConnection, day: date, *, leaving: bool) -> None:
        """`leaving`: an earlier DETACH was interrupted between its two transactions."""
        how = "FINALIZE" if leaving else "CONCURRENTLY"
        await connection.execute(text(f"ALTER TABLE {walls.PARENT} DETACH PARTITION {_name(day)} {how}"))

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[AsyncConnection]:
        """The owner's connection in autocommit, one at a time among all replicas: the others wait."""
        engine = self._owner_engine.execution_options(isolation_level="AUTOCOMMIT")
        async with engine.connect() as connection:
            await connection.execute(text(f"SET statement_timeout = {self._wait_ms}"))
            await connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _LOCK})
            try:
                yield connection
            finally:
                await connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _LOCK})
                await connection.execute(text("RESET statement_timeout"))


async def _lay(connection: AsyncConnection) -> None:
    """The parent and its walls. Roles come from the migration, and the mending of what was taken down."""
    if not await connection.run_sync(walls.is_there):
        await connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {walls.SCHEMA}"))
        await connection.run_sync(_EVENTS.create)
        for statement in walls.statements():
            await connection.execute(text(statement))


async def _partitions(connection: AsyncConnection) -> list[tuple[date, bool, bool]]:
    """Day, whether it is attached, whether it is half detached; oldest first."""
    rows = await connection.execute(text(_STATE), {"schema": walls.SCHEMA})
    return [
        (_date(match[1]), attached, leaving)
        for name, attached, leaving in rows
        if (match := _PARTITION.fullmatch(name))
    ]


def _name(day: date) -> str:
    return f"{walls.PARENT}_{day:%Y%m%d}"


def _date(digits: str) -> date:
    return datetime.strptime(digits, "%Y%m%d").replace(tzinfo=UTC).date()


def _event(row: Row[tuple[object, ...]]) -> StoredEvent:
    return StoredEvent(**{**row._asdict(), "time": row.time.astimezone(UTC)})
