"""A stable name for this process under a lock, so that no workflow ever runs in two processes.

DBOS recovers the work of an executor id. Two processes with one id would run effects twice, a new id at each start
would leave work behind; so the id is held by a lock: a file lock beside SQLite, an advisory lock on
PostgreSQL (agents/durable/replica_lock.py), where several processes look after each other's work.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

import fasteners

Adopt = Callable[[str], Awaitable[None]]
"""Makes the work of a name, whose process is gone, everybody's again."""


class ProcessLockTaken(Exception):
    """Another process works on this data folder. Stop it, or give this one a folder of its own (AUTOHEAL_DATA)."""


class ProcessLockLost(Exception):
    """The database was away for too long, or gave this process' lock to another one. Start it again."""


class ProcessLock(Protocol):
    """Held until `release`."""

    @property
    def name(self) -> str: ...

    def leads(self) -> bool:
        """Whether this process does what only one may do. It may change at any time."""
        ...

    def keep(self, adopt: Adopt, lost: Callable[[ProcessLockLost], None]) -> None:
        """From now on look after the lock and the work of others. `lost` is called at most once, when it is gone."""
        ...

    async def release(self) -> None: ...


class FileProcessLock:
    """The only lock of a folder: whoever holds it is alone."""

    name = "slot-0"

    def __init__(self, lock: fasteners.InterProcessLock) -> None:
        self._lock = lock

    def leads(self) -> bool:
        return True

    def keep(self, adopt: Adopt, lost: Callable[[ProcessLockLost], None]) -> None:
        """Nobody else can leave anything, and the lock is held until the process ends."""

    async def release(self) -> None:
        self._lock.release()


async def take_process_lock(url: str, folder: str, *, work: str = "") -> ProcessLock:
    """Under the first free name that has work, else the first free one. Raises ProcessLockTaken for a second process on
    one SQLite folder, or past 64 replicas.

    `work` is SQL, for PostgreSQL: the names that have unfinished work.
    """
    if url.startswith("sqlite"):
        return await asyncio.to_thread(_file_lock, folder)
    from agents.durable.replica_lock import take_replica_lock  # noqa: PLC0415 -- the driver, only where it is needed

    return await take_replica_lock(url, work=work)


async def take_all_process_locks(url: str, folder: str) -> ProcessLock:
    """For work on the database itself: nobody serves, and nobody can begin to. Raises ProcessLockTaken."""
    if url.startswith("sqlite"):
        return await asyncio.to_thread(_file_lock, folder)
    from agents.durable.replica_lock import take_every_replica_lock  # noqa: PLC0415 -- as above

    return await take_every_replica_lock(url)


def _file_lock(folder: str) -> ProcessLock:
    path = Path(folder) / "engine.lock"
    lock = fasteners.InterProcessLock(str(path))
    if not lock.acquire(blocking=False):
        lock.lockfile.close()
        raise ProcessLockTaken(
            f"{path} is locked: another Autoheal process uses this folder. Stop it, or set AUTOHEAL_DATA."
        )
    return FileProcessLock(lock)
