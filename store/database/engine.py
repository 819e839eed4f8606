"""SQLAlchemy engines with the settings that the store depends on.

SQLite: WAL, foreign keys, recursive triggers (else INSERT OR REPLACE passes a delete trigger), full synchronisation,
and BEGIN IMMEDIATE for writers, because a read that turns into a write cannot wait for its turn. The driver's own
transaction control is switched off for that.

Both: the database is told at each BEGIN for whom the transaction acts (`store.database.walls`), and forgets it at its
end.
"""

import asyncio
import contextlib
import select
import sqlite3
import time
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, event, make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool
from sqlalchemy.util import await_

from store.database.one_trip import one_trip_sqlite
from store.database.walls.acting import ACTS_FOR, Acting

BUSY_TIMEOUT_S = 15
_TRY_AGAIN_S = 0.02
_PRAGMAS = (
    f"PRAGMA busy_timeout={BUSY_TIMEOUT_S * 1000}",
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA recursive_triggers=ON",
)
_ACT_FOR = (
    "SELECT set_config('role', %s, true), set_config('app.tenant_id', %s, true), set_config('app.door', %s, true)"
)


def parse_url(url: str) -> URL:
    """Accepts `sqlite:///file` and `postgresql://...` and puts in the asynchronous driver."""
    parsed = make_url(url)
    backend = parsed.get_backend_name()
    if backend == "sqlite":
        return parsed.set(drivername="sqlite+aiosqlite")
    if backend == "postgresql":
        return parsed.set(drivername="postgresql+psycopg")
    raise ValueError(f"unsupported database {backend!r}: use sqlite:///... or postgresql://...")


def is_file(url: str) -> bool:
    """Whether the database is a file of this host, whose connections cost nobody anything."""
    return parse_url(url).get_backend_name() == "sqlite"


def is_damaged(file: Path, *, up_to: int | None = None) -> bool:
    """SQLite: whether the file is no database, or has bad pages. One larger than `up_to` bytes is not read to its end.
    It is never made, and one that cannot be opened now is not called damaged: whoever opens it next says why.
    """
    try:
        with contextlib.closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=rw", uri=True)) as connection:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            if up_to is not None and file.stat().st_size > up_to:
                return False
            return bool(connection.execute("PRAGMA quick_check(1)").fetchone() != ("ok",))
    except sqlite3.OperationalError:
        return False
    except sqlite3.DatabaseError:
        return True


def driverless(url: str) -> str:
    """The address as libpq and its programs take it, password included."""
    return parse_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def create_engine(url: str, *, pool_size: int | None) -> AsyncEngine:
    """`pool_size` None: a connection for each transaction, none in between."""
    parsed = parse_url(url)
    driver = {"module": one_trip_sqlite()} if parsed.get_backend_name() == "sqlite" else {}
    pool: dict[str, Any] = {"poolclass": NullPool}
    if pool_size is not None:
        pool = {"pool_size": pool_size, "max_overflow": 0, "pool_timeout": 30}
    engine = create_async_engine(parsed, hide_parameters=True, **pool, **driver)
    if engine.dialect.name == "sqlite":
        event.listen(engine.sync_engine, "connect", _set_up_sqlite)
        event.listen(engine.sync_engine, "begin", _begin_sqlite)
    else:
        event.listen(engine.sync_engine, "begin", _begin_postgresql)
        event.listen(engine.sync_engine, "checkout", drop_if_hung_up)
    return engine


def drop_if_hung_up(connection: Any, _record: object, _proxy: object) -> None:
    """PostgreSQL: the pool opens a new connection when the server ended this one, as a restart does. A server speaks
    unasked only to say so, or to say something that is worth a new connection; looking costs no trip.
    """
    driver = getattr(connection, "driver_connection", connection)
    if driver.closed or _has_something_to_read(driver.fileno()):
        raise DisconnectionError("the server ended this connection")


def _has_something_to_read(descriptor: int) -> bool:
    watched = select.poll()
    watched.register(descriptor, select.POLLIN)
    return bool(watched.poll(0))


def reading(engine: AsyncEngine) -> AsyncEngine:
    """The same pool, for transactions that only read."""
    if engine.dialect.name == "sqlite":
        return engine.execution_options(begin="DEFERRED")
    return engine.execution_options(postgresql_readonly=True)


async def empty_log(engine: AsyncEngine) -> None:
    """SQLite: moves the write-ahead log into the file and cuts it off, as far as readers allow."""
    async with engine.connect() as connection:
        driver = (await connection.get_raw_connection()).driver_connection
        if driver is not None:
            await driver.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _set_up_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None
    connection.create_function("cur_tenant", 0, connection.acting.get)
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        _run_in_turn(cursor, pragma)
    cursor.close()


def _run_in_turn(cursor: Any, pragma: str) -> None:
    """SQLite does not wait for its turn to change the journal of a new file that others open as well, so we do."""
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            cursor.execute(pragma)
        except sqlite3.OperationalError as exc:
            if exc.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            await_(asyncio.sleep(_TRY_AGAIN_S))
        else:
            return


def _begin_sqlite(connection: Connection) -> None:
    options = connection.get_execution_options()
    whom: Acting | None = options.get(ACTS_FOR)
    if whom is not None:
        raw: Any = connection.connection.dbapi_connection
        raw.act_for(whom.sqlite)
        if whom.sqlite.startswith("erase:"):  # what is erased is overwritten, not only unlinked
            raw.cursor().execute("PRAGMA secure_delete=ON")
    connection.exec_driver_sql(f"BEGIN {options.get('begin', 'IMMEDIATE')}")


def _begin_postgresql(connection: Connection) -> None:
    """The settings are local to the transaction: the server takes them back at its end, however it ends."""
    whom: Acting | None = connection.get_execution_options().get(ACTS_FOR)
    if whom is not None:
        connection.exec_driver_sql(_ACT_FOR, whom.postgresql)
