"""A tenant's data key, rotated while the system works: a new version seals, and what the old one sealed is sealed anew.

1. `begin_rotation` makes the new version known. It seals when every process must have read the keyring again.
2. `continue_rotation`, again and again: pages of each table in short transactions. A row is rewritten only where its
   ciphertext is still the one that was read, so no writer is overwritten and none waits.
3. When the old version can seal nothing any more and a whole pass found nothing of it, it is retired.

It needs no bookmark: what is done is seen by its envelope, so it goes on after any interruption. Tables and columns
come from the schema. Append-only rows (audit, events) are never rewritten, for the audit chain hashes their ciphertext;
they keep their version of the key, which therefore stays in the keyring until the tenant is closed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import class_mapper

from store import audit
from store.audit import Actor, events
from store.database.keyring import KNOWN_AFTER, KeyVersion
from store.database.schema import Base, Owned
from store.database.schema.base import Sealed
from store.database.session import Database, TenantSession
from store.ids import TenantId
from store.keys import vault
from store.keys.vault import DataKeys, SealedPlace

BATCH = 100
"""Rows a transaction: some milliseconds, so that nobody who writes at the same time notices."""


@dataclass(frozen=True, kw_only=True)
class Rotation:
    """`resealed` rows in this call. `until` is when it can go on, where it must wait; `done` when nothing is left."""

    resealed: int
    done: bool
    until: datetime | None = None


def sealed_columns() -> Iterator[tuple[type[Owned], tuple[str, ...]]]:
    """Every table that a tenant owns and that may be rewritten, with its sealed columns."""
    for mapper in Base.registry.mappers:
        entity = mapper.class_
        if not issubclass(entity, Owned) or entity.append_only or entity.keeps_its_seal:
            continue
        names = tuple(column.key for column in mapper.columns if isinstance(column.type, Sealed))
        if names:
            yield entity, names


async def rotations(db: Database) -> list[TenantId]:
    """Tenants with a version that is neither the newest nor retired: a rotation is under way, or was interrupted."""
    found: dict[TenantId, list[KeyVersion]] = {}
    for version in await db.keyring.versions():
        found.setdefault(version.tenant_id, []).append(version)
    return [tenant for tenant, versions in found.items() if any(v.retired_at is None for v in versions[:-1])]


async def begin_rotation(db: Database, tenant_id: TenantId, *, actor: Actor, at_once: bool = False) -> bool:
    """False when one is under way: then it goes on. `at_once`: only while no other process serves this tenant, for it
    could not open the new rows. Raises UnknownTenant.
    """
    if tenant_id in await rotations(db):
        return False
    async with db.tenant(tenant_id, frozen_too=True) as s:
        await events.emit(s, "ai.autoheal.key.rotated.v1", tenant_id, actor=actor)
        source = "operator" if actor.id == "operator" else "system"
        await audit.record(s, actor=actor, action=f"{source}.key.rotated", target=tenant_id)
    await db.keyring.create(tenant_id, **({} if at_once else {"seals_after": KNOWN_AFTER}))
    return True


async def continue_rotation(db: Database, tenant_id: TenantId) -> Rotation:
    """One pass. Safe to repeat and to run twice at the same time. Raises UnknownTenant, CorruptEnvelope."""
    versions = await db.keyring.versions(tenant_id)
    old = [version for version in versions[:-1] if version.retired_at is None]
    if not old:
        return Rotation(resealed=0, done=True)
    newest = versions[-1]
    if db.now() < newest.seals_from:
        return Rotation(resealed=0, done=False, until=newest.seals_from)
    db.keyring.forget(tenant_id)
    last_of_old = newest.seals_from + KNOWN_AFTER  # until then another process may still seal with the old version
    began = db.now()
    keys = await db.keyring.data_keys(tenant_id)
    resealed = 0
    for entity, columns in sealed_columns():
        resealed += await _reseal_table(db, tenant_id, keys, entity, columns)
    if began < last_of_old:
        return Rotation(resealed=resealed, done=False, until=last_of_old)
    if resealed:
        return Rotation(resealed=resealed, done=False, until=began)
    for version in old:
        await db.keyring.retire(version.dek_id)
    db.keyring.forget(tenant_id)
    return Rotation(resealed=0, done=True)


async def _reseal_table(
    db: Database, tenant_id: TenantId, keys: DataKeys, entity: type[Owned], columns: tuple[str, ...]
) -> int:
    resealed, after = 0, ""
    while True:
        async with db.tenant(tenant_id, readonly=True, frozen_too=True) as s:
            rows = await _page(s, entity, after)
        if not rows:
            return resealed
        after = rows[-1].id
        due = [row for row in rows if any(_needs(row, name, keys.current.dek_id) for name in columns)]
        if due:
            changes = [(row, _anew(keys, tenant_id, entity, row, columns)) for row in due]
            async with db.tenant(tenant_id, frozen_too=True) as s:
                for row, values in changes:
                    unchanged = [getattr(entity, name) == getattr(row, name) for name in values]
                    resealed += await s.update(entity, entity.id == row.id, *unchanged, values=values)


async def _page(s: TenantSession, entity: type[Owned], after: str) -> list[Owned]:
    chosen = select(entity).order_by(entity.id).limit(BATCH)
    return list(await s.all(chosen.where(entity.id > after) if after else chosen))


def _needs(row: Owned, column: str, newest: str) -> bool:
    envelope: bytes | None = getattr(row, column)
    return envelope is not None and vault.key_of(envelope) != newest


def _anew(
    keys: DataKeys, tenant_id: TenantId, entity: type[Owned], row: Owned, columns: tuple[str, ...]
) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for column in columns:
        if _needs(row, column, keys.current.dek_id):
            place = SealedPlace(
                tenant_id=tenant_id, table=class_mapper(entity).local_table.description, column=column, row_id=row.id
            )
            values[column] = vault.seal(keys.current, place, vault.unseal(keys, place, getattr(row, column)))
    return values
