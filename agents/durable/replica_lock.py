"""The lock of one of several replicas on one PostgreSQL, and who leads them.

One connection of its own holds the replica's advisory lock. Every few seconds one statement shows that it still does,
and takes the locks of names that have work but no process, and the leader's lock where nobody has it. The server ends a
session that says nothing for half a minute, and within ten seconds one whose host is gone; no lock outlives a process.
https://www.postgresql.org/docs/current/explicit-locking.html#ADVISORY-LOCKS

When the server was away, the lock is taken again. If another replica was quicker and took over the work meanwhile, the
engine ends what still runs here at its next step, and the fence keeps its effect from being done twice.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any, Final

import psycopg
from sqlalchemy.engine import make_url

from agents.durable.process_lock import Adopt, ProcessLockLost, ProcessLockTaken
from agents.failure import log_failure

_NAMESPACE: Final = 0x41_48  # "AH": our corner of PostgreSQL's advisory locks
_MOST_REPLICAS: Final = 64
_LEADER: Final = 1_000
_ROUND_S: Final = 3.0
_ANSWER_S: Final = 8.0
_PATIENCE: Final = 2
"""After an outage the others, too, are still on their way back: for so many rounds nobody's work is taken over."""
_NO_WORK: Final = "SELECT NULL::text WHERE false"
_SILENT_MS: Final = 30_000
_IDLE_SESSION_TIMEOUT: Final = 140_000  # the first version that has it
_AGAIN_S: Final = 1.0
_AWAY_S: Final = 600.0
"""So long is waited for a database that does not answer; whoever started us tries it again then."""
_TAKEN_S: Final = 30.0
"""So long may our own former session still hold the lock, on a server that does not know yet that it is gone."""
_KEEPALIVE: Final[dict[str, Any]] = {
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
_SERVER_KEEPALIVE: Final = (
    "-c tcp_keepalives_idle=5 -c tcp_keepalives_interval=2 -c tcp_keepalives_count=3 -c tcp_user_timeout=10000"
)

log = logging.getLogger("autoheal.slot")

Connection = psycopg.AsyncConnection[Any]


class ReplicaLock:
    """`ProcessLock` on PostgreSQL."""

    def __init__(self, url: str, connection: Connection, number: int, *, work: str, leads: bool) -> None:
        self._url = url
        self._connection = connection
        self._number = number
        self._work = work
        self._leads = leads
        self._keeping: asyncio.Task[None] | None = None
        self._patience = 0

    @property
    def name(self) -> str:
        return _name(self._number)

    def leads(self) -> bool:
        return self._leads

    def keep(self, adopt: Adopt, lost: Callable[[ProcessLockLost], None]) -> None:
        self._keeping = asyncio.create_task(self._keep(adopt, lost))

    async def release(self) -> None:
        self._leads = False
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.wait([self._keeping])
        await self._connection.close()

    async def _keep(self, adopt: Adopt, lost: Callable[[ProcessLockLost], None]) -> None:
        while True:
            try:
                await asyncio.sleep(_ROUND_S)
                await self._go_round(adopt)
            except (psycopg.Error, OSError, TimeoutError) as exc:
                self._leads = False
                log.warning("the database is away", extra={"action": "slot.away", "kind": type(exc).__name__})
                try:
                    await self._take_again()
                except ProcessLockLost as gone:
                    log.critical("the process lock is lost: this process ends", extra={"action": "slot.lost"})
                    lost(gone)
                    return
                log.info("the database is back", extra={"action": "slot.back"})

    async def _go_round(self, adopt: Adopt) -> None:
        work = _NO_WORK if self._patience else self._work
        leads, left = await _look(self._connection, self._number, work, leads=self._leads)
        self._patience = max(0, self._patience - 1)
        if leads and not self._leads:
            log.info("this replica leads", extra={"action": "slot.leads"})
        self._leads = leads
        for number in left:
            try:
                await adopt(_name(number))
                log.warning("took over the work of a replica", extra={"action": "slot.adopted", "slot": _name(number)})
            except Exception as exc:  # noqa: BLE001 -- the outer guard of a takeover: the next round tries it again
                log_failure(log, "slot.not_adopted", exc, slot=_name(number))
            finally:
                await self._connection.execute("SELECT pg_advisory_unlock(%s, %s)", (_NAMESPACE, number))

    async def _take_again(self) -> None:
        """Raises ProcessLockLost."""
        await self._connection.close()
        away = time.monotonic() + _AWAY_S
        taken: float | None = None
        while True:
            try:
                async with asyncio.timeout(_ANSWER_S):
                    connection = await _connect(self._url)
                    if await _try_lock(connection, self._number):
                        self._connection, self._patience = connection, _PATIENCE
                        return
                    await connection.close()
                taken = taken or time.monotonic() + _TAKEN_S
            except (psycopg.Error, OSError, TimeoutError):
                taken = None
            if time.monotonic() > away:
                raise ProcessLockLost(
                    f"The database did not answer for {_AWAY_S / 60:.0f} minutes: start this process again."
                )
            if taken is not None and time.monotonic() > taken:
                raise ProcessLockLost(
                    "While the database was away another replica took this one's place: start it again."
                )
            await asyncio.sleep(_AGAIN_S)


async def take_replica_lock(url: str, *, work: str) -> ReplicaLock:
    """As `take_process_lock`."""
    connection = await _connect(url)
    try:
        busy = await _busy(connection, work) if work else []
        for number in (*busy, *range(_MOST_REPLICAS)):
            if await _try_lock(connection, number):
                leads = await _try_lock(connection, _LEADER)
                return ReplicaLock(url, connection, number, work=work, leads=leads)
    except BaseException:
        await connection.close()
        raise
    await connection.close()
    raise ProcessLockTaken(f"All {_MOST_REPLICAS} places are taken: fewer replicas, please.")


async def take_every_replica_lock(url: str) -> ReplicaLock:
    """As `take_all_process_locks`. The session may be silent for as long as the work takes."""
    connection = await _connect(url, silent_ms=0)
    every = "SELECT bool_and(pg_try_advisory_lock(%s, number)) FROM generate_series(0, %s) number"
    row = await (await connection.execute(every, (_NAMESPACE, _MOST_REPLICAS - 1))).fetchone()
    if row is None or not row[0]:
        await connection.close()
        raise ProcessLockTaken("An `autoheal serve` still works on this database. Stop every replica first.")
    return ReplicaLock(url, connection, 0, work="", leads=True)


def _name(number: int) -> str:
    return f"slot-{number}"


async def _connect(url: str, *, silent_ms: int = _SILENT_MS) -> Connection:
    address = make_url(url).set(drivername="postgresql")
    options = f"{address.query.get('options', '')} {_SERVER_KEEPALIVE}".strip()
    connection = await psycopg.AsyncConnection.connect(
        address.render_as_string(hide_password=False), autocommit=True, options=options, **_KEEPALIVE
    )
    try:
        if silent_ms and connection.info.server_version >= _IDLE_SESSION_TIMEOUT:
            await connection.execute("SELECT set_config('idle_session_timeout', %s, false)", (str(silent_ms),))
    except BaseException:
        await connection.close()
        raise
    return connection


async def _try_lock(connection: Connection, number: int) -> bool:
    row = await (await connection.execute("SELECT pg_try_advisory_lock(%s, %s)", (_NAMESPACE, number))).fetchone()
    return bool(row and row[0])


async def _busy(connection: Connection, work: str) -> list[int]:
    """The names that have work; none before the engine's first start made its tables."""
    try:
        rows = await (await connection.execute(_NUMBERS.format(work=work).encode())).fetchall()
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
        return []
    return sorted(number for (number,) in rows if number < _MOST_REPLICAS)


async def _look(connection: Connection, number: int, work: str, *, leads: bool) -> tuple[bool, list[int]]:
    """Whether we lead, and the names that were left with work and are locked by us now."""
    statement = _ROUND.format(numbers=_NUMBERS.format(work=work)).encode()
    values = {"namespace": _NAMESPACE, "leader": _LEADER, "leads": leads, "mine": number, "most": _MOST_REPLICAS}
    row = await (await connection.execute(statement, values)).fetchone()
    return (False, []) if row is None else (bool(row[0]), list(row[1] or ()))


_NUMBERS: Final = "SELECT DISTINCT substring(name FROM 6)::int AS number FROM ({work}) AS work(name) WHERE name ~ '^slot-[0-9]{{1,4}}$'"  # noqa: E501
# Locks are tried for materialised rows only: the planner may not move a function that locks in front of a condition.
_ROUND: Final = """
    WITH busy AS MATERIALIZED ({numbers}),
    left_behind AS MATERIALIZED (SELECT number FROM busy WHERE number <> %(mine)s AND number < %(most)s),
    tried AS MATERIALIZED (SELECT number, pg_try_advisory_lock(%(namespace)s, number) AS taken FROM left_behind)
    SELECT CASE WHEN %(leads)s THEN true ELSE pg_try_advisory_lock(%(namespace)s, %(leader)s) END,
        (SELECT array_agg(number ORDER BY number) FROM tried WHERE taken)"""
