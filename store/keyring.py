"""Data keys, one set a tenant, wrapped by a master key and kept in a database of their own.

They are apart from the content so that the two have backups of different age: a tenant whose keys are gone cannot come
back with an old backup of the content. The shred ledger, for when keys are deleted, is an append-only file beside
the keyring, a JSON object a line: `{"tenant_id", "dek_id", "shredded_at"}`. It is applied before restored keys load.
"""

import secrets
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import Index, MetaData, UniqueConstraint, select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from store.errors import UnknownTenant
from store.ids import TenantId, new_id
from store.schema.base import ID, NAMING
from store.schema.columns import UtcDateTime, Word
from store.vault import DataKey, DataKeys

CACHE_FOR = timedelta(minutes=5)


class KeyProvider(Protocol):
    """Wraps data keys under a master key that never leaves it. `context` is authenticated, not secret."""

    @property
    def name(self) -> str: ...

    async def wrap(self, data_key: bytes, *, context: Mapping[str, str]) -> bytes: ...

    async def unwrap(self, wrapped: bytes, *, context: Mapping[str, str]) -> bytes: ...


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


class Keyring:
    def __init__(self, engine: AsyncEngine, keys: KeyProvider, clock: Callable[[], datetime]) -> None:
        self._engine = engine
        self._keys = keys
        self._clock = clock
        self._cache: dict[TenantId, tuple[datetime, DataKeys]] = {}

    async def create(self, tenant_id: TenantId) -> None:
        """Adds a new version of the tenant's key: the first, or the one that seals from now on."""
        dek_id = new_id()
        wrapped = await self._keys.wrap(secrets.token_bytes(32), context=_context(tenant_id, dek_id))
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
                    provider=self._keys.name,
                    wrapped=wrapped,
                    created_at=self._clock(),
                )
            )
        self.forget(tenant_id)

    async def data_keys(self, tenant_id: TenantId) -> DataKeys:
        """Call it before a transaction opens: it may ask a key service over the network. Raises UnknownTenant."""
        now = self._clock()
        cached = self._cache.get(tenant_id)
        if cached is not None and timedelta(0) <= now - cached[0] < CACHE_FOR:
            return cached[1]
        async with AsyncSession(self._engine) as session:
            rows = (
                await session.scalars(
                    select(DataKeyRow).where(DataKeyRow.tenant_id == tenant_id).order_by(DataKeyRow.version)
                )
            ).all()
        if not rows:
            raise UnknownTenant("no data key for this tenant")
        opened = [
            DataKey(
                dek_id=row.dek_id,
                secret=await self._keys.unwrap(row.wrapped, context=_context(tenant_id, row.dek_id)),
            )
            for row in rows
        ]
        keys = DataKeys(current=opened[-1], by_id={key.dek_id: key for key in opened})
        self._cache[tenant_id] = (now, keys)
        return keys

    def forget(self, tenant_id: TenantId) -> None:
        self._cache.pop(tenant_id, None)

    async def close(self) -> None:
        self._cache.clear()
        await self._engine.dispose()


def _context(tenant_id: str, dek_id: str) -> dict[str, str]:
    return {"tenant_id": tenant_id, "dek_id": dek_id}
