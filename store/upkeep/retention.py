"""What is forgotten because its time is over: event days, handled arrivals, and, where the operator says so, the old
part of the audit logs.

Each part is safe to repeat and to interrupt. Content that a tenant works with stays as long as the tenant.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Final

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from store import audit
from store.audit.event_days import DAYS_AHEAD, EventDays
from store.audit.event_relay import relay
from store.audit.signed_checkpoints import SignedCheckpoint
from store.database.schema import AuditRow, InboxRow, TenantHeadRow
from store.database.session import Database
from store.database.walls.acting import owning
from store.errors import StoreError, UnknownTenant
from store.ids import TenantId
from store.incidents import alerts
from store.tenancy.tenants import list_tenants
from store.upkeep.audit_heads import AuditCheckpoints, heads

_log: Final = logging.getLogger(__name__)
_ENDED: Final = ("done", "failed")
_BATCH: Final = 500
EVENTS_KEPT: Final = timedelta(days=90)
"""As the privacy policy promises. A setting may shorten it for a deployment."""


async def retire_events(db: Database, days: EventDays, *, kept: timedelta = EVENTS_KEPT) -> int:
    """Drops the days that are over, and makes those to come. Returns how many were dropped."""
    await relay(db, days)
    dropped = await days.expire((db.now() - kept).date())
    await days.ensure((db.now() + timedelta(days=DAYS_AHEAD)).date())
    if dropped:
        _log.info("action=events.expired days=%s from=%s to=%s", len(dropped), dropped[0], dropped[-1])
    return len(dropped)


async def retire_arrivals(db: Database, *, kept: timedelta = EVENTS_KEPT) -> int:
    """Deletes arrivals that were handled and are older; their payloads are what people wrote. Returns how many."""
    deleted = 0
    while True:
        async with db.across_tenants("find arrivals that are over", readonly=True) as session:
            found = await session.execute(
                select(InboxRow.tenant_id, InboxRow.id)
                .where(InboxRow.state.in_(_ENDED), InboxRow.received_at < db.now() - kept)
                .order_by(InboxRow.tenant_id)
                .limit(_BATCH)
            )
            over = [(TenantId(tenant_id), inbox_id) for tenant_id, inbox_id in found]
        before = deleted
        for tenant_id, of_tenant in groupby(over, key=lambda row: row[0]):
            deleted += await _delete_arrivals(db, tenant_id, [inbox_id for _, inbox_id in of_tenant])
        if len(over) < _BATCH or deleted == before:
            return deleted


async def retire_alerts(db: Database, *, kept: timedelta = EVENTS_KEPT) -> int:
    """Deletes alerts that nobody has heard of since, their groups, and old changes. Returns how many rows."""
    deleted = 0
    for tenant in await list_tenants(db, "active", "frozen"):
        try:
            async with db.tenant(tenant.id, frozen_too=True) as s:
                deleted += await alerts.forget_old(s, db.now() - kept)
        except UnknownTenant:
            continue  # it is being erased: that takes its alerts too
    return deleted


async def _delete_arrivals(db: Database, tenant_id: TenantId, ids: list[str]) -> int:
    try:
        async with db.tenant(tenant_id, frozen_too=True) as s:
            return await s.delete(InboxRow, InboxRow.id.in_(ids))
    except UnknownTenant:
        return 0  # it is being erased: that takes its arrivals too


@dataclass(frozen=True, kw_only=True)
class AuditRetention:
    """Removes the old part of each chain, leaving a signed note of where it begins. `owner` owns the tables."""

    db: Database
    owner: AsyncEngine
    checkpoints: AuditCheckpoints

    async def prune(self, kept: timedelta) -> int:
        """Returns of how many tenants something was removed. A chain that does not verify is left as it is, for
        whoever has to find out why.
        """
        checkpoints, suspects = await self.checkpoints.signed()
        pruned = 0
        for head in await heads(self.db):
            if head.tenant_id in suspects:
                _log.error("action=audit.not_pruned tenant=%s problem=a signed head was forged", head.tenant_id)
                continue
            try:
                own = [checkpoint for checkpoint in checkpoints if checkpoint.tenant_id == head.tenant_id]
                pruned += await self._prune(head.tenant_id, self.db.now() - kept, own)
            except StoreError as exc:
                _log.warning("action=audit.not_pruned tenant=%s kind=%s", head.tenant_id, type(exc).__name__)
        return pruned

    async def _prune(self, tenant_id: TenantId, before: datetime, checkpoints: Sequence[SignedCheckpoint]) -> bool:
        async with self.db.tenant(tenant_id, readonly=True, frozen_too=True) as s:
            old = select(AuditRow).where(AuditRow.at < before).order_by(AuditRow.sequence.desc()).limit(1)
            last = next(iter(await s.all(old)), None)
            if last is None:
                return False
            report = await audit.verify(s, checkpoints=checkpoints)
            if not report.ok:
                _log.error("action=audit.not_pruned tenant=%s problem=%s", tenant_id, report.problem)
                return False
        note = self.checkpoints.signer.checkpoint(tenant_id, last.sequence, last.hash, self.db.now(), "base")
        await asyncio.to_thread(self.checkpoints.file.append, [note])
        async with owning(self.owner, erasing=True).begin() as connection:
            await connection.execute(
                delete(AuditRow).where(AuditRow.tenant_id == tenant_id, AuditRow.sequence <= last.sequence)
            )
            await connection.execute(
                update(TenantHeadRow)
                .where(TenantHeadRow.tenant_id == tenant_id)
                .values(audit_base_sequence=last.sequence, audit_base_hash=last.hash)
            )
        async with self.db.tenant(tenant_id, frozen_too=True) as s:
            await audit.record(
                s,
                actor=audit.SYSTEM,
                action="system.audit.pruned",
                target=tenant_id,
                details={"through": last.sequence},
            )
        return True
