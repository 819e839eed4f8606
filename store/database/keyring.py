"""Data keys, one set a tenant, wrapped by a master key and kept in a database of their own.

They are apart from the content so that the two have backups of different age: a tenant whose keys are gone cannot come
back with an old backup of the content. Nor with an old backup of the keyring: the shred ledger
(store/keys/shredding.py) is applied before any key loads.

Rotation: a new version is made known first and seals only when every process must have loaded it. A version whose rows
were all sealed anew is retired: it stays, because audit rows and events are never rewritten.
"""

import asyncio
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from sqlalchemy import Index, MetaData, UniqueConstraint, delete, select, text, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from store.database.engine import empty_log
from store.database.schema.base import ID, NAMING
from store.database.schema.columns import UtcDateTime, Word
from store.errors import NoShredLedger, UnknownTenant
from store.ids import TenantId, new_id
from store.keys.key_provider import KeyProvider, MasterKeys
from store.keys.shredding import Ledger, LedgerMark, Shredded, ShredLedger
from store.keys.vault import DataKey, DataKeys

__all__ = ["CACHE_FOR", "KNOWN_AFTER", "DataKeyRow", "KeyProvider", "KeyVersion", "Keyring", "KeyringBase", "Rewrapped"]

CACHE_FOR = timedelta(minutes=5)
"""How long a process works with keys from memory; so long may another replica still open what was shredded."""
KNOWN_AFTER = CACHE_FOR + timedelta(minutes=1)
"""After this every process has read the keyring again; the minute is for clocks that differ and open transactions."""


class KeyringBase(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)


class DataKeyRow(KeyringBase):
    __tablename__ = "data_keys"
    __table_args__ = (UniqueConstraint("tenant_id", "version"), Index(None, "tenant_id"))
    dek_id: Mapped[str] = mapped_column(ID, primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ID)
    version: Mapped[int]
    provider: Mapped[str] = mapped_column(Word)
    wrapped: Mapped[bytes]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    seals_from: Mapped[datetime | None] = mapped_column(UtcDateTime)
    retired_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class ShredMarkRow(KeyringBase):
    """Row 1: the newest state of the shred ledger that this keyring has seen. Row 2: the one that is also kept
    elsewhere, where it is.
    """

    __tablename__ = "shred_mark"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    length: Mapped[int]
    head: Mapped[str] = mapped_column(Word)


@dataclass(frozen=True, kw_only=True)
class KeyVersion:
    """A version of a tenant's key, without the key. Since `retired_at` only rows that are never rewritten use it."""

    tenant_id: TenantId
    dek_id: str
    version: int
    provider: str
    created_at: datetime
    seals_from: datetime
    retired_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Rewrapped:
    """`done` were wrapped anew; `left` were by the newest master key already."""

    done: int
    left: int


class Keyring:
    def __init__(
        self,
        engine: AsyncEngine,
        keys: KeyProvider,
        clock: Callable[[], datetime],
        ledger: Path | ShredLedger | None = None,
    ) -> None:
        """`ledger` defaults to a file beside a SQLite keyring; on PostgreSQL it must be given to shred anything."""
        self._engine = engine
        self._masters = keys if isinstance(keys, MasterKeys) else MasterKeys(keys)
        self._clock = clock
        self._cache: dict[TenantId, tuple[datetime, DataKeys]] = {}
        self._ledger = _beside(engine) if ledger is None else _as_ledger(ledger)
        self._admitting = asyncio.Lock()
        self._admitted = False

    @property
    def masters(self) -> MasterKeys:
        return self._masters

    # The shred ledger

    async def admit(self) -> int:
        """Applies the shred ledger, once a process and before any key loads; returns how many keys it destroyed again.

        Raises NoShredLedger and BrokenShredLedger; then nothing was loaded or changed.
        """
        async with self._admitting:
            if self._admitted:
                return 0
            ledger = await self._read_ledger()
            gone = 0
            if ledger is not None:
                await self._write_mark(ledger)
                gone = await self._apply(ledger, frozenset(ledger.tenants))
            self._admitted = True
            return gone

    async def ledger(self) -> Ledger | None:
        """As it is on disk, checked against this keyring. None where none is configured. Raises as `admit`."""
        return await self._read_ledger()

    async def begin_ledger_anew(self) -> Ledger:
        """After the ledger was lost for good: a new one that knows nothing of what was shredded before. An operator's
        decision, never taken here. Raises NoShredLedger where none is configured or the old one still fits.
        """
        if self._ledger is None:
            raise NoShredLedger("no shred ledger is configured: set AUTOHEAL_SHRED_LEDGER")
        found = await asyncio.to_thread(self._ledger.read)
        if found is not None:
            raise NoShredLedger(f"{self._ledger.path} exists: move it away first, then begin a new one")
        begun = await asyncio.to_thread(self._ledger.begin, self._clock())
        async with AsyncSession(self._engine) as session, session.begin():
            await session.execute(delete(ShredMarkRow))
            await _set_mark(session, begun.mark)
        await self._write_mark(begun, anew=True)
        return begun

    async def write_mark_anew(self) -> Ledger:
        """After the mark that is kept elsewhere was lost for good: it is written from the ledger that is here. An
        operator's decision, never taken here. Where no place is named for one, none is kept from now on. Raises
        NoShredLedger where the ledger is not the one that the keyring knows, or a mark is there.
        """
        if self._ledger is None:
            raise NoShredLedger("no shred ledger is configured: set AUTOHEAL_SHRED_LEDGER")
        if self._ledger.mark_path is not None and await asyncio.to_thread(self._ledger.mark_path.exists):
            raise NoShredLedger(f"{self._ledger.mark_path} exists: move it away first, then have it written anew")
        async with AsyncSession(self._engine) as session:
            known = await _mark(session)
        found = await asyncio.to_thread(self._ledger.read)
        await asyncio.to_thread(self._ledger.check, found, known)
        if found is None:
            raise NoShredLedger(f"the shred ledger {self._ledger.path} is missing: there is nothing to write of")
        async with AsyncSession(self._engine) as session, session.begin():
            await session.execute(delete(ShredMarkRow).where(ShredMarkRow.id == _ELSEWHERE))
        await self._write_mark(found, anew=True)
        return found

    async def _write_mark(self, ledger: Ledger, *, anew: bool = False) -> None:
        """The mark elsewhere, then a row that says that there is one."""
        if self._ledger is None or self._ledger.mark_path is None:
            return
        await asyncio.to_thread(self._ledger.write_mark, ledger, anew=anew)
        async with AsyncSession(self._engine) as session:
            known = await _mark(session, row=_ELSEWHERE)
        if known is None or known.length < ledger.mark.length:
            async with AsyncSession(self._engine) as session, session.begin():
                await _set_mark(session, ledger.mark, row=_ELSEWHERE)

    async def shred(self, tenant_id: TenantId) -> int:
        """Destroys all the tenant's keys; returns how many were there. Safe to repeat, and to go on after a crash.

        The ledger is on disk first. Other processes may open the tenant's rows from memory for CACHE_FOR more; their
        next read finds no key. What the database server keeps (PostgreSQL's WAL and free space) holds a key that is
        wrapped by the master key, until the server overwrites it.
        """
        await self.admit()
        async with AsyncSession(self._engine) as session:
            known = await _mark(session)
            named = (await session.scalars(select(DataKeyRow.dek_id).where(DataKeyRow.tenant_id == tenant_id))).all()
        if self._ledger is None:
            raise NoShredLedger("nothing was shredded: set AUTOHEAL_SHRED_LEDGER to a file kept apart from the keyring")
        at = self._clock()
        entries = [Shredded(tenant_id=tenant_id, dek_id=dek_id, shredded_at=at) for dek_id in named]
        ledger = await asyncio.to_thread(self._ledger.append, entries, known=known)
        await self._write_mark(ledger)
        gone = await self._apply(ledger, frozenset({str(tenant_id)} if named else ()))
        self.forget(tenant_id)
        return gone

    async def _read_ledger(self) -> Ledger | None:
        async with AsyncSession(self._engine) as session:
            known, marked = await _mark(session), await _mark(session, row=_ELSEWHERE)
        if self._ledger is None:
            if known is not None:
                raise NoShredLedger(
                    "no ledger, no restore: this keyring has a shred ledger, but none is configured here: set "
                    "AUTOHEAL_SHRED_LEDGER to it. Nothing was loaded or changed"
                )
            return None
        found = await asyncio.to_thread(self._ledger.read)
        await asyncio.to_thread(self._ledger.check, found, known, marked=marked is not None)
        return found or await asyncio.to_thread(self._ledger.begin, self._clock())

    async def _apply(self, ledger: Ledger, tenants: frozenset[str]) -> int:
        """By tenant, not by key: a tenant's id is never used again, and an old backup may hold a key that was lost."""
        async with AsyncSession(self._engine) as session:
            present = set((await session.scalars(select(DataKeyRow.tenant_id).distinct())).all())
            known = await _mark(session)
        doomed = sorted(tenants & present)
        if not doomed and known == ledger.mark:
            return 0
        gone = 0
        async with AsyncSession(self._engine) as session, session.begin():
            if self._engine.dialect.name == "sqlite":
                await session.execute(text("PRAGMA secure_delete=ON"))
            for tenant_id in doomed:
                result = await session.execute(delete(DataKeyRow).where(DataKeyRow.tenant_id == tenant_id))
                gone += int(getattr(result, "rowcount", 0))
            await _set_mark(session, ledger.mark)
        if gone and self._engine.dialect.name == "sqlite":
            await empty_log(self._engine)  # it still holds the deleted pages
        return gone

    # Keys

    async def create(self, tenant_id: TenantId, *, seals_after: timedelta = timedelta(0)) -> str:
        """Adds a version of the tenant's key: the first, or the one that seals when `seals_after` is over. Returns its
        id. A running system needs KNOWN_AFTER, else another process meets rows that it cannot open yet.
        """
        await self.admit()
        ledger = await self._read_ledger()
        if ledger is not None and tenant_id in ledger.tenants:
            raise UnknownTenant("this tenant was closed and its keys shredded")
        dek_id = new_id()
        wrapped = await self._masters.wrap(secrets.token_bytes(32), context=_context(tenant_id, dek_id))
        async with AsyncSession(self._engine) as session, session.begin():
            newest = await session.scalar(
                select(DataKeyRow.version)
                .where(DataKeyRow.tenant_id == tenant_id)
                .order_by(DataKeyRow.version.desc())
                .limit(1)
            )
            session.add(
                DataKeyRow(
                    dek_id=dek_id,
                    tenant_id=tenant_id,
                    version=(newest or 0) + 1,
                    provider=self._masters.name,
                    wrapped=wrapped,
                    created_at=self._clock(),
                    seals_from=self._clock() + seals_after if newest else None,
                )
            )
        self.forget(tenant_id)
        return dek_id

    async def data_keys(self, tenant_id: TenantId) -> DataKeys:
        """Call it before a transaction opens: it may ask a key service over the network. Raises UnknownTenant."""
        now = self._clock()
        cached = self._cache.get(tenant_id)
        if cached is not None and timedelta(0) <= now - cached[0] < CACHE_FOR:
            return cached[1]
        await self.admit()
        rows = await self._rows(tenant_id)
        if not rows:
            raise UnknownTenant("no data key for this tenant")
        opened = [
            DataKey(
                dek_id=row.dek_id,
                secret=await self._masters.named(row.provider).unwrap(
                    row.wrapped, context=_context(tenant_id, row.dek_id)
                ),
            )
            for row in rows
        ]
        sealing = [key for key, row in zip(opened, rows, strict=True) if (row.seals_from or row.created_at) <= now]
        keys = DataKeys(current=(sealing or opened)[-1], by_id={key.dek_id: key for key in opened})
        self._cache[tenant_id] = (now, keys)
        return keys

    async def versions(self, tenant_id: TenantId | None = None) -> list[KeyVersion]:
        """Of one tenant or of all, oldest first."""
        await self.admit()
        return [
            KeyVersion(
                tenant_id=TenantId(row.tenant_id),
                dek_id=row.dek_id,
                version=row.version,
                provider=row.provider,
                created_at=row.created_at,
                seals_from=row.seals_from or row.created_at,
                retired_at=row.retired_at,
            )
            for row in await self._rows(tenant_id)
        ]

    async def retire(self, dek_id: str) -> None:
        """Nothing that can be rewritten is sealed under it any more."""
        async with AsyncSession(self._engine) as session, session.begin():
            await session.execute(
                update(DataKeyRow)
                .where(DataKeyRow.dek_id == dek_id, DataKeyRow.retired_at.is_(None))
                .values(retired_at=self._clock())
            )

    async def rewrap(self) -> Rewrapped:
        """Wraps every data key by the newest master key, each in a transaction of its own; what is so already stays.

        Safe to repeat, and to go on after an interruption. Data keys themselves do not change, so nothing else does.
        """
        await self.admit()
        done = left = 0
        for row in await self._rows(None):
            if await self._masters.is_current(row.provider, row.wrapped):
                left += 1
                continue
            context = _context(row.tenant_id, row.dek_id)
            secret = await self._masters.named(row.provider).unwrap(row.wrapped, context=context)
            wrapped = await self._masters.wrap(secret, context=context)
            async with AsyncSession(self._engine) as session, session.begin():
                await session.execute(
                    update(DataKeyRow)
                    .where(DataKeyRow.dek_id == row.dek_id, DataKeyRow.wrapped == row.wrapped)
                    .values(wrapped=wrapped, provider=self._masters.name)
                )
            done += 1
        return Rewrapped(done=done, left=left)

    async def stale_wraps(self) -> int:
        """How many data keys are not wrapped by the newest master key."""
        await self.admit()
        rows = await self._rows(None)
        return sum([not await self._masters.is_current(row.provider, row.wrapped) for row in rows])

    async def _rows(self, tenant_id: TenantId | None) -> Sequence[DataKeyRow]:
        chosen = select(DataKeyRow).order_by(DataKeyRow.tenant_id, DataKeyRow.version)
        if tenant_id is not None:
            chosen = chosen.where(DataKeyRow.tenant_id == tenant_id)
        async with AsyncSession(self._engine) as session:
            return (await session.scalars(chosen)).all()

    def forget(self, tenant_id: TenantId) -> None:
        self._cache.pop(tenant_id, None)

    async def close(self) -> None:
        self._cache.clear()
        await self._engine.dispose()


_SEEN: Final = 1
_ELSEWHERE: Final = 2


async def _mark(session: AsyncSession, *, row: int = _SEEN) -> LedgerMark | None:
    found = await session.get(ShredMarkRow, row)
    return None if found is None else LedgerMark(length=found.length, head=found.head)


async def _set_mark(session: AsyncSession, mark: LedgerMark, *, row: int = _SEEN) -> None:
    """Never backwards: two processes may shred at the same time."""
    insert = sqlite_insert if session.get_bind().dialect.name == "sqlite" else postgresql_insert
    first = insert(ShredMarkRow).values(id=row, length=mark.length, head=mark.head)
    await session.execute(first.on_conflict_do_nothing())
    await session.execute(
        update(ShredMarkRow)
        .where(ShredMarkRow.id == row, ShredMarkRow.length < mark.length)
        .values(length=mark.length, head=mark.head)
    )


def _as_ledger(ledger: Path | ShredLedger) -> ShredLedger:
    return ledger if isinstance(ledger, ShredLedger) else ShredLedger(ledger)


def _beside(engine: AsyncEngine) -> ShredLedger | None:
    if engine.dialect.name != "sqlite" or not engine.url.database:
        return None
    return ShredLedger(Path(engine.url.database).with_name("shred-ledger.jsonl"))


def _context(tenant_id: str, dek_id: str) -> dict[str, str]:
    return {"tenant_id": tenant_id, "dek_id": dek_id}
