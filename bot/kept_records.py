"""What connectors keep over a restart: records in files of the data folder, sealed under the tenant's own data key.

One folder a tenant, two files a name: the one that is written to and the one before it, each with as many records as
are asked for. A record is its length in four bytes and an envelope (store/keys/vault.py). A kill leaves at most half a
record at the end, which the next start cuts off. Nothing here is needed: what cannot be read or written is logged and
forgotten. Of several processes on one folder the first one writes.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import logging
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import IO, Final

from agents.failure import log_failure
from store.database.session import Database
from store.errors import StoreError, TenantFrozen, UnknownTenant
from store.ids import TenantId
from store.secrets.redaction import Redacted

log = logging.getLogger("autoheal.kept")

FOLDER: Final = "scraped"
_LENGTH: Final = 4
_TABLE: Final = "kept_records"
_LONGEST: Final = 16_000_000


class KeptRecords:
    """`agents.connecting.connector.RecordKeeper` for one tenant."""

    def __init__(self, db: Database, tenant: TenantId, data: Path) -> None:
        self._db, self._tenant = db, tenant
        self._root = data / FOLDER
        self._folder = self._root / tenant
        self._lock: IO[bytes] | None = None
        self._counts: dict[str, int] = {}
        self._refused = False

    async def open(self) -> None:
        """Takes the folder, and deletes what tenants left whose keys are gone."""
        try:
            self._lock = await asyncio.to_thread(self._take)
            for folder in await asyncio.to_thread(self._folders):
                if not await self._db.keyring.versions(TenantId(folder.name)):
                    await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        except OSError as exc:
            self._give_up(exc)

    def close(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    async def recall(self, name: str) -> list[str]:
        """All whole records under the name, oldest first."""
        try:
            raw = await asyncio.to_thread(self._read, name)
            _, seals = await self._db.seals(self._tenant)
            return [str(seals.open(_TABLE, "record", name, envelope)) for envelope in raw]
        except (OSError, StoreError) as exc:
            log_failure(log, "kept.not_read", exc)
            return []

    async def keep(self, name: str, record: Redacted, *, most: int) -> None:
        """Adds a record; of the oldest ones only some `most` to twice as many stay."""
        if self._lock is None:
            return
        try:
            _, seals = await self._db.seals(self._tenant)
            await asyncio.to_thread(self._append, name, seals.seal(_TABLE, "record", name, record), most)
            self._refused = False
        except (UnknownTenant, TenantFrozen):  # it is at its end
            if not await self._db.keyring.versions(self._tenant):
                await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)
        except (OSError, StoreError) as exc:
            self._give_up(exc)

    def _give_up(self, exc: Exception) -> None:
        """Once, not at every scrape; the next record is tried again."""
        if not self._refused:
            log_failure(log, "kept.not_written", exc)
        self._refused = True

    def _take(self) -> IO[bytes] | None:
        """The lock of the folder; None where another process has it."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = os.fdopen(os.open(self._root / "lock", os.O_RDWR | os.O_CREAT, 0o600), "r+b")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            return None
        return file

    def _folders(self) -> list[Path]:
        return [path for path in self._root.iterdir() if path.is_dir()]

    def _paths(self, name: str) -> tuple[Path, Path]:
        stem = hashlib.sha256(name.encode()).hexdigest()[:32]
        return self._folder / f"{stem}.before", self._folder / f"{stem}.now"

    def _read(self, name: str) -> list[bytes]:
        former, current = self._paths(name)
        found = [*_records(former)]
        newest = [*_records(current)]
        self._counts[name] = len(newest)
        if self._lock is not None and current.exists():  # half a record would hide all that come behind it
            os.truncate(current, sum(_LENGTH + len(record) for record in newest))
        return found + newest

    def _append(self, name: str, envelope: bytes, most: int) -> None:
        former, current = self._paths(name)
        if name not in self._counts:
            self._read(name)
        if self._counts[name] >= most:
            current.replace(former)
            self._counts[name] = 0
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.fdopen(os.open(current, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as file:
            file.write(len(envelope).to_bytes(_LENGTH, "big") + envelope)
        self._counts[name] += 1


@contextlib.asynccontextmanager
async def keeping(db: Database, tenant: TenantId, data: Path) -> AsyncIterator[KeptRecords]:
    kept = KeptRecords(db, tenant, data)
    await kept.open()
    try:
        yield kept
    finally:
        kept.close()


def _records(path: Path) -> Iterator[bytes]:
    """The whole ones from the beginning."""
    with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
        while len(length := file.read(_LENGTH)) == _LENGTH:
            wanted = int.from_bytes(length, "big")
            record = file.read(wanted) if wanted <= _LONGEST else b""
            if len(record) < wanted or not record:
                return
            yield record
