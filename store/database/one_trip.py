"""A cursor for aiosqlite that goes to the connection's thread once a statement.

SQLAlchemy's own goes four times: make the cursor, execute, fetch, close. Each trip waits until the thread and then the
loop get their turn; under load a write transaction of a few statements held the only writer's place for a second so.
"""

import collections
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import aiosqlite
from sqlalchemy.dialects.sqlite.aiosqlite import (
    AsyncAdapt_aiosqlite_connection,
    AsyncAdapt_aiosqlite_cursor,
    AsyncAdapt_aiosqlite_dbapi,
)
from sqlalchemy.util import EMPTY_DICT, await_


@dataclass(frozen=True)
class _Done:
    """What remains of a statement that ran: all that a result is asked for."""

    description: Any = None
    rowcount: int = -1
    lastrowid: int | None = None
    arraysize: int = 1
    rows: Sequence[Any] = ()


def _run(connection: sqlite3.Connection, many: bool, operation: str, parameters: Any) -> _Done:  # noqa: FBT001 -- queued
    cursor = connection.cursor()
    try:
        if many:
            cursor.executemany(operation, parameters)
        else:
            cursor.execute(operation, () if parameters is None else parameters)
        rows = cursor.fetchall() if cursor.description and not many else ()
        return _Done(description=cursor.description, rowcount=cursor.rowcount, lastrowid=cursor.lastrowid, rows=rows)
    finally:
        cursor.close()


class OneTripCursor(AsyncAdapt_aiosqlite_cursor):
    """Holds rows, never an open cursor; so there is nothing to close."""

    __slots__ = ()

    def __init__(self, adapt_connection: Any) -> None:
        self._adapt_connection = adapt_connection
        self._connection = adapt_connection._connection  # noqa: SLF001 -- as the class that this one replaces
        self._cursor: Any = _Done()
        self._soft_closed_memoized = EMPTY_DICT
        self._rows = collections.deque()

    async def _execute_async(self, operation: Any, parameters: Any) -> Any:
        return await self._go(many=False, operation=operation, parameters=parameters)

    async def _executemany_async(self, operation: Any, seq_of_parameters: Any) -> Any:
        return await self._go(many=True, operation=operation, parameters=seq_of_parameters)

    async def _go(self, *, many: bool, operation: Any, parameters: Any) -> None:
        connection: Any = self._connection
        async with self._adapt_connection._execute_mutex:  # noqa: SLF001 -- as above
            self._cursor = await connection._execute(_run, connection._conn, many, operation, parameters)  # noqa: SLF001
        self._rows = collections.deque(self._cursor.rows)

    async def _async_soft_close(self) -> None:
        """Nothing is open."""

    def close(self) -> None:
        self._rows.clear()


class _Acting:
    """For whom the connection's transaction acts: what the SQL function `cur_tenant()` answers.

    It changes in the connection's thread only, in the order of the statements: a statement whose caller was cancelled
    can never run for the next one.
    """

    def __init__(self) -> None:
        self._whom = ""

    def get(self) -> str:
        return self._whom

    def set(self, whom: str) -> None:
        self._whom = whom


def commit(connection: sqlite3.Connection, acting: _Acting) -> None:
    connection.commit()
    acting.set("")


def rollback(connection: sqlite3.Connection, acting: _Acting) -> None:
    try:
        connection.rollback()
    finally:
        acting.set("")


class _OneTripConnection(AsyncAdapt_aiosqlite_connection):
    __slots__ = ("acting",)

    _cursor_cls = OneTripCursor

    def __init__(self, dbapi: Any, connection: Any) -> None:
        super().__init__(dbapi, connection)
        self.acting = _Acting()

    def act_for(self, whom: str) -> None:
        """Takes no trip of its own: it is done before the next statement. Ends with the transaction."""
        connection: Any = self._connection
        connection._tx.put_nowait((None, partial(self.acting.set, whom)))  # noqa: SLF001 -- as the class above does

    def commit(self) -> None:
        self._end(commit)

    def rollback(self) -> None:
        self._end(rollback)

    def _end(self, end: Callable[[sqlite3.Connection, _Acting], None]) -> None:
        connection: Any = self._connection
        if not connection._connection:  # noqa: SLF001 -- closed
            return
        try:
            await_(connection._execute(end, connection._conn, self.acting))  # noqa: SLF001 -- as the cursor
        except Exception as error:  # noqa: BLE001 -- translated as the class above does
            self._handle_exception(error)


class _Module(AsyncAdapt_aiosqlite_dbapi):
    def connect(self, *arguments: Any, **options: Any) -> AsyncAdapt_aiosqlite_connection:
        return _OneTripConnection(self, super().connect(*arguments, **options)._connection)  # noqa: SLF001 -- as above


def one_trip_sqlite() -> Any:
    """For `create_async_engine(..., module=...)`."""
    return _Module(aiosqlite, sqlite3)
