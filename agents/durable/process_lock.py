"""A stable name for this process under a lock, so that no workflow ever runs in two processes.

DBOS recovers the work of an executor id. Two processes with one id would run effects twice, a new id at each start
would leave work behind; so the id is a slot that is held by a lock: a file lock beside SQLite, an advisory lock on
PostgreSQL (agents/durable/replica_lock.py), where several processes look after each other's slots.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

import fasteners

Adopt = Callable[[str], Awaitable[None]]
"""Makes the work of a slot, whose process is gone, everybody's again."""


class SlotTaken(Exception):
    """Another process works on this data folder. Stop it, or give this one a folder of its own (AUTOHEAL_DATA)."""


class SlotLost(Exception):
    """The database was away for too long, or gave this process' slot to another one. Start it again."""


class Slot(Protocol):
    """Held until `release`."""

    @property
    def name(self) -> str: ...

    def leads(self) -> bool:
        """Whether this process does what only one may do. It may change at any time."""
        ...

    def keep(self, adopt: Adopt, lost: Callable[[SlotLost], None]) -> None:
        """From now on look after the slot and those of others. `lost` is called at most once; then the slot is gone."""
        ...

    async def release(self) -> None: ...


class FileSlot:
    """The only slot of a folder: whoever holds it is alone."""

    name = "slot-0"

    def __init__(self, lock: fasteners.InterProcessLock) -> None:
        self._lock = lock

    def leads(self) -> bool:
        return True

    def keep(self, adopt: Adopt, lost: Callable[[SlotLost], None]) -> None:
        """Nobody else can leave anything, and the lock is held until the process ends."""

    async def release(self) -> None:
        self._lock.release()


async def take_slot(url: str, folder: str, *, work: str = "") -> Slot:
    """The first slot that is free and has work, else the first free one. Raises SlotTaken for a second process on one
    SQLite folder, or past 64 replicas.

    `work` is SQL, for PostgreSQL: the names of the slots that have unfinished work.
    """
    if url.startswith("sqlite"):
        return await asyncio.to_thread(_file_slot, folder)
    from agents.durable.replica_lock import take_replica_slot  # noqa: PLC0415 -- the driver, only where it is needed

    return await take_replica_slot(url, work=work)


async def take_all_slots(url: str, folder: str) -> Slot:
    """For work on the database itself: nobody serves, and nobody can begin to. Raises SlotTaken."""
    if url.startswith("sqlite"):
        return await asyncio.to_thread(_file_slot, folder)
    from agents.durable.replica_lock import take_every_replica_slot  # noqa: PLC0415 -- as above

    return await take_every_replica_slot(url)


def _file_slot(folder: str) -> Slot:
    path = Path(folder) / "engine.lock"
    lock = fasteners.InterProcessLock(str(path))
    if not lock.acquire(blocking=False):
        lock.lockfile.close()
        raise SlotTaken(f"{path} is locked: another Autoheal process uses this folder. Stop it, or set AUTOHEAL_DATA.")
    return FileSlot(lock)
