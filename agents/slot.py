"""A stable name for this process under a lock, so that no workflow ever runs in two processes.

DBOS recovers the work of an executor id at start. Two processes with one id would run effects twice, a new id at each
start would leave work behind; so the id is a slot that is held by a lock: a file lock beside SQLite, an advisory lock
on PostgreSQL.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import fasteners
import psycopg
from sqlalchemy.engine import make_url

_NAMESPACE: Final = 0x41_48  # "AH": our corner of PostgreSQL's advisory locks
_SLOTS: Final = 64
_LEASE_CHECK_S: Final = 2.0

log = logging.getLogger("autoheal.slot")


class SlotTaken(Exception):
    """Another process works on this data folder. Stop it, or give this one a folder of its own (AUTOHEAL_DATA)."""


@dataclass(frozen=True, kw_only=True)
class Slot:
    """A held slot; `release` gives it back."""

    name: str
    release: Callable[[], Awaitable[None]]


async def take_slot(url: str, folder: str) -> Slot:
    """The first free slot. Raises SlotTaken for a second process on one SQLite folder, or past 64 replicas."""
    return await asyncio.to_thread(_file_slot, folder) if url.startswith("sqlite") else await _advisory_slot(url)


async def take_all_slots(url: str, folder: str) -> Slot:
    """For work on the database itself: nobody serves, and nobody can begin to. Raises SlotTaken."""
    if url.startswith("sqlite"):
        return await asyncio.to_thread(_file_slot, folder)
    connection = await _connect(url)
    every = "SELECT bool_and(pg_try_advisory_lock(%s, number)) FROM generate_series(0, %s) number"
    row = await (await connection.execute(every, (_NAMESPACE, _SLOTS - 1))).fetchone()
    if row is None or not row[0]:
        await connection.close()
        raise SlotTaken("An `autoheal serve` still works on this database. Stop every replica first.")
    return _leased(connection, 0)


def _file_slot(folder: str) -> Slot:
    path = Path(folder) / "engine.lock"
    lock = fasteners.InterProcessLock(str(path))
    if not lock.acquire(blocking=False):
        lock.lockfile.close()
        raise SlotTaken(f"{path} is locked: another Autoheal process uses this folder. Stop it, or set AUTOHEAL_DATA.")

    async def release() -> None:
        lock.release()

    return Slot(name="slot-0", release=release)


async def _advisory_slot(url: str) -> Slot:
    connection = await _connect(url)
    for number in range(_SLOTS):
        row = await (await connection.execute("SELECT pg_try_advisory_lock(%s, %s)", (_NAMESPACE, number))).fetchone()
        if row is not None and row[0]:
            return _leased(connection, number)
    await connection.close()
    raise SlotTaken(f"All {_SLOTS} slots are taken: fewer replicas, please.")


async def _connect(url: str) -> psycopg.AsyncConnection[Any]:
    conninfo = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    return await psycopg.AsyncConnection.connect(conninfo, autocommit=True)


def _leased(connection: psycopg.AsyncConnection[Any], number: int) -> Slot:
    """The lock lives as long as its connection: when it breaks, another process may take the slot, so this one ends."""
    watch = asyncio.create_task(_end_when_lost(connection))

    async def release() -> None:
        watch.cancel()
        await connection.close()

    return Slot(name=f"slot-{number}", release=release)


async def _end_when_lost(connection: psycopg.AsyncConnection[Any]) -> None:
    while True:
        await asyncio.sleep(_LEASE_CHECK_S)
        try:
            await connection.execute("SELECT 1")
        except psycopg.Error:
            log.critical("the slot's connection broke: this process ends", extra={"action": "slot.lost"})
            os.kill(os.getpid(), signal.SIGTERM)
            return
