"""Where an arrival is written down before it is acknowledged, on SQLite: a small file of its own beside the content.

The content has one writer at a time, and whoever asks for it waits behind the transactions of all investigations. Here
only arrivals are written, each batch by one statement and one trip to a thread that does nothing else; `store.inbox`
moves them to the inbox afterwards. The statement also reads the content, which waits for nobody: a tenant that is not
active, a redactor that does not know the newest credentials, and an arrival that is in the inbox already add no row.

An arrival leaves when the inbox has it durably. So what a crash leaves here is moved again, to the same effect.
"""

import asyncio
import contextlib
import sqlite3
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

from store.errors import StoreBusy, TenantFrozen, UnknownTenant
from store.ids import InboxId, TenantId

TABLE: Final = "arrivals"
BATCH: Final = 200
_BUSY_S: Final = 15.0
_TRIES: Final = 3
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_SCHEMA: Final = (
    """CREATE TABLE arrivals (
    number INTEGER PRIMARY KEY, tenant_id TEXT NOT NULL, id TEXT NOT NULL UNIQUE, source TEXT NOT NULL,
    external_id TEXT NOT NULL, kind TEXT NOT NULL, payload BLOB NOT NULL, received_at INTEGER NOT NULL,
    UNIQUE (tenant_id, source, external_id))""",
    """CREATE TRIGGER wall_update BEFORE UPDATE ON arrivals
    BEGIN SELECT RAISE(ABORT, 'arrivals do not change'); END""",
    "PRAGMA user_version = 1",
)
_KNOWN: Final = "tenant_id = :hex AND source = :source AND external_id = :external_id"
_INSERT: Final = f"""
    INSERT INTO arrivals (tenant_id, id, source, external_id, kind, payload, received_at)
    SELECT :tenant_id, :id, :source, :external_id, :kind, :payload, :received_at
    WHERE EXISTS (SELECT 1 FROM content.tenant_heads WHERE tenant_id = :hex AND id = :hex AND status = 'active'
        AND secrets_version = :secrets_version)
    AND NOT EXISTS (SELECT 1 FROM content.inbox WHERE {_KNOWN})
    ON CONFLICT DO NOTHING"""  # noqa: S608 -- constants
_HEAD: Final = "SELECT status, secrets_version FROM content.tenant_heads WHERE tenant_id = :hex AND id = :hex"
_WAITS: Final = (
    "SELECT id FROM arrivals WHERE tenant_id = :tenant_id AND source = :source AND external_id = :external_id"
)
_MOVED: Final = f"SELECT id FROM content.inbox WHERE {_KNOWN}"  # noqa: S608 -- constants
_NEXT: Final = (
    "SELECT tenant_id, id, source, external_id, kind, payload, received_at FROM arrivals "
    "WHERE tenant_id = ? ORDER BY number LIMIT ?"
)
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class WaitingArrival:
    """A row. `payload` is sealed for the table and column of the same names here, and for this row."""

    tenant_id: TenantId
    id: InboxId
    source: str
    external_id: str
    kind: str
    payload: bytes
    received_at: datetime


@dataclass(frozen=True, kw_only=True)
class Written:
    """On disk, under this id; not `is_new` where it was so before."""

    id: InboxId
    is_new: bool


Outcome = Written | Literal["outdated"] | TenantFrozen | UnknownTenant
"""`outdated`: the tenant's credentials changed since its redactor was made."""


@dataclass(frozen=True, kw_only=True)
class _Entry:
    arrival: WaitingArrival
    secrets_version: int
    written: asyncio.Future[Outcome]

    @property
    def values(self) -> dict[str, Any]:
        one = self.arrival
        return {
            "tenant_id": one.tenant_id,
            "hex": uuid.UUID(one.tenant_id).hex,
            "id": one.id,
            "source": one.source,
            "external_id": one.external_id,
            "kind": one.kind,
            "payload": one.payload,
            "received_at": (one.received_at - _EPOCH) // _MICROSECOND,
            "secrets_version": self.secrets_version,
        }


class Arrivals:
    """The file beside a content database; made when it is first needed. `moving` is held, by tenant, by whoever moves
    its arrivals.
    """

    def __init__(self, content: Path) -> None:
        self._content = content
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="arrivals")
        self._connection: sqlite3.Connection | None = None
        self._line: list[_Entry] = []
        self._is_writing = False
        self.moving: defaultdict[TenantId, asyncio.Lock] = defaultdict(asyncio.Lock)

    def is_there(self) -> bool:
        return arrivals_file(self._content).exists()

    async def put(self, arrival: WaitingArrival, *, secrets_version: int) -> Written | Literal["outdated"]:
        """Returns once it is durable, together with what came while the one before was written. Nothing was written
        when it is `outdated`, or raises TenantFrozen, UnknownTenant, StoreBusy or sqlite3.Error.
        """
        entry = _Entry(
            arrival=arrival, secrets_version=secrets_version, written=asyncio.get_running_loop().create_future()
        )
        self._line.append(entry)
        if not self._is_writing:
            self._write_next()
        outcome = await entry.written
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def count(self) -> int:
        """Of all tenants."""
        return int((await self._run("SELECT count(*) FROM arrivals"))[0][0]) if self.is_there() else 0

    async def tenants(self) -> list[TenantId]:
        """Those of whom anything waits."""
        rows = await self._run("SELECT DISTINCT tenant_id FROM arrivals")
        return [TenantId(row[0]) for row in rows]

    async def waiting(self, tenant_id: TenantId) -> list[WaitingArrival]:
        """At most BATCH, in the order of their arrival."""
        return [
            WaitingArrival(
                tenant_id=TenantId(tenant),
                id=InboxId(row_id),
                source=source,
                external_id=external_id,
                kind=kind,
                payload=payload,
                received_at=_EPOCH + received_at * _MICROSECOND,
            )
            for tenant, row_id, source, external_id, kind, payload, received_at in await self._run(
                _NEXT, (tenant_id, BATCH)
            )
        ]

    async def remove(self, tenant_id: TenantId, ids: Sequence[InboxId]) -> None:
        """Those that the inbox has durably, or that nobody can have any more."""
        marks = ",".join("?" * len(ids))
        statement = f"DELETE FROM arrivals WHERE tenant_id = ? AND id IN ({marks})"  # noqa: S608 -- marks
        await self._in_thread(lambda: self._remove(statement, (tenant_id, *ids)))

    async def delete_tenant(self, tenant_id: TenantId) -> int:
        """All of a closed tenant, from the file and its log. Returns how many there were."""
        if not self.is_there():
            return 0
        rows = await self._run("DELETE FROM arrivals WHERE tenant_id = ? RETURNING id", (tenant_id,))
        await self._run("PRAGMA main.wal_checkpoint(TRUNCATE)")
        return len(rows)

    async def close(self) -> None:
        if self._connection is not None:
            await self._in_thread(self._shut)
        self._thread.shutdown(wait=False)

    def _write_next(self) -> None:
        batch, self._line = self._line[:BATCH], self._line[BATCH:]
        self._is_writing = False
        if batch:
            loop = asyncio.get_running_loop()
            work = self._thread.submit(self._write, [entry.values for entry in batch])
            work.add_done_callback(lambda done: loop.call_soon_threadsafe(self._written, batch, done))
            self._is_writing = True

    def _written(self, batch: Sequence[_Entry], done: Future[list[Outcome]]) -> None:
        """One hop from the thread to those who wait."""
        error = done.exception()
        outcomes = [] if error is not None else done.result()
        for index, entry in enumerate(batch):
            if entry.written.done():
                continue  # its caller was cancelled
            if error is not None:
                entry.written.set_exception(error)
            else:
                entry.written.set_result(outcomes[index])
        self._write_next()

    async def _run(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        return await self._in_thread(lambda: self._open().execute(statement, values).fetchall())

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    # In the thread

    def _write(self, batch: Sequence[dict[str, Any]]) -> list[Outcome]:
        connection = self._open()
        if len(batch) == 1:  # the statement is its own transaction: one call, which holds the interpreter once
            return [_write_one(connection, batch[0])]
        with _transaction(connection):
            return [_write_one(connection, values) for values in batch]

    def _remove(self, statement: str, values: Sequence[Any]) -> None:
        """Without a trip to the disk of its own, for which the next arrival would wait: what a power cut brings back is
        moved again, to the same effect.
        """
        connection = self._open()
        connection.execute("PRAGMA main.synchronous=NORMAL")
        try:
            connection.execute(statement, values)
        finally:
            connection.execute("PRAGMA main.synchronous=FULL")

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            path = arrivals_file(self._content)
            path.touch(mode=0o600)
            connection = sqlite3.connect(path.resolve().as_uri(), timeout=_BUSY_S, isolation_level=None, uri=True)
            try:
                _set_up(connection, self._content)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _shut(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def arrivals_file(content: Path) -> Path:
    """Of the content database `content`."""
    return content.with_name("arrivals.db")


def _set_up(connection: sqlite3.Connection, content: Path) -> None:
    for statement in (
        "PRAGMA journal_mode=WAL",
        "PRAGMA synchronous=FULL",
        "PRAGMA secure_delete=ON",
        "PRAGMA recursive_triggers=ON",
    ):
        connection.execute(statement).fetchall()
    with _transaction(connection):
        if not connection.execute("PRAGMA user_version").fetchone()[0]:
            for statement in _SCHEMA:
                connection.execute(statement)
    connection.execute("ATTACH ? AS content", (f"{content.resolve().as_uri()}?mode=ro",))


def _write_one(connection: sqlite3.Connection, values: dict[str, Any]) -> Outcome:
    for _ in range(_TRIES):
        if connection.execute(_INSERT, values).rowcount == 1:
            return Written(id=values["id"], is_new=True)
        head = connection.execute(_HEAD, values).fetchone()
        if head is None:
            return UnknownTenant("this tenant does not exist")
        status, secrets_version = head
        if status != "active":
            return TenantFrozen(f"this tenant is {status}: Slack was uninstalled, or its data is being deleted")
        if secrets_version != values["secrets_version"]:
            return "outdated"
        for where in (_WAITS, _MOVED):  # in this order: it leaves the one after it is in the other
            if known := connection.execute(where, values).fetchone():
                return Written(id=InboxId(str(uuid.UUID(known[0]))), is_new=False)
    raise StoreBusy("an arrival came and went while it was looked for: it must be delivered again")


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        with contextlib.suppress(sqlite3.Error):  # the first error is the one to tell
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
