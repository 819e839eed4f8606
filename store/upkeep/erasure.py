"""The end of a tenant: frozen when Slack is uninstalled, closed seven days later or when the operator says so.

Freezing takes the token and stops all work at once; sessions are refused from then on (TenantFrozen), and a reinstall
brings everything back. Closing destroys the keys first, which makes every copy unreadable, backups included, and then
deletes the rows in short transactions. Each step is safe to repeat: after a crash the next run goes on. What stays is
one row of `tenants` with the id and the times, and the lines of the shred ledger.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal

from sqlalchemy import ColumnElement, and_, select, update
from sqlalchemy.orm import aliased, class_mapper, load_only

from store import audit
from store.audit import Actor, events
from store.audit.event_days import EventDays
from store.database.schema import Base, InboxRow, Owned, SlackInstallRow, TenantHeadRow, TenantRow
from store.database.session import Database, TenantSession
from store.errors import CorruptEnvelope, TenantFrozen, UnknownKey, UnknownTenant, WrongMasterKey
from store.ids import InboxId, TenantId
from store.incidents import approvals, investigations
from store.incidents.approvals import ApprovalState
from store.secrets.redaction import Redacted
from store.tenancy import tenants
from store.tenancy.tenants import Tenant, find_tenant, list_tenants

FREEZE_FOR: Final = timedelta(days=7)
SWEEP_FOR: Final = timedelta(days=1)
"""How long a closed tenant is looked at again, for rows that a slow transaction elsewhere committed last."""
BATCH: Final = 200

_NEVER_READ_AGAIN: Final = (UnknownTenant, CorruptEnvelope, UnknownKey, WrongMasterKey)
"""What must not hinder destroying it. All that closing reads and writes before the keys go is deleted with them, and no
key has to open for it: a master key that was lost, or is another one, costs a closed tenant nothing.
"""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Closed:
    """What closing destroyed. All zero when it was done before."""

    tenant_id: TenantId
    keys: int = 0
    events: int = 0
    rows: dict[str, int] = field(default_factory=dict)


# Frozen


async def freeze(db: Database, tenant_id: TenantId, *, actor: Actor, keep: InboxId | None = None) -> bool:
    """Stops the tenant at once; False when it was no longer active. `keep` is the arrival that brought the news.

    Workflows that are queued or running are the caller's to cancel; whatever they do next is refused.
    """
    async with db.tenant(tenant_id, frozen_too=True) as s:
        head = await s.head()
        active = head.status == "active"
        if active:
            await _stop_work(s, actor, keep)
            if actor.id == "slack":
                await events.emit(s, "ai.autoheal.app.uninstalled.v1", "slack")
                await audit.record(s, actor=audit.SYSTEM, action="slack.app.uninstalled", target="slack")
            await events.emit(s, "ai.autoheal.tenant.frozen.v1", tenant_id, actor=actor)
            await audit.record(s, actor=actor, action=f"{_source(actor)}.tenant.frozen", target=tenant_id)
            head.status = "frozen"
            await s.save()
    now = db.now()
    async with db.across_tenants("freeze a tenant") as session:
        await session.execute(
            update(TenantRow)
            .where(TenantRow.id == tenant_id, TenantRow.status == "active")
            .values(status="frozen", frozen_at=now, closes_at=now + FREEZE_FOR)
        )
    return active


async def restore(db: Database, tenant_id: TenantId) -> bool:
    """Slack was installed again in time. False for a tenant that was active. Raises TenantFrozen once closing began."""
    async with db.across_tenants("restore a tenant") as session:
        await session.execute(
            update(TenantRow)
            .where(TenantRow.id == tenant_id, TenantRow.status == "frozen")
            .values(status="active", frozen_at=None, closes_at=None)
        )
        status = await session.scalar(select(TenantRow.status).where(TenantRow.id == tenant_id))
    if status != "active":
        raise TenantFrozen("this tenant's data is being deleted and cannot come back")
    async with db.tenant(tenant_id, frozen_too=True) as s:
        head = await s.head()
        if head.status == "active":
            return False
        head.status = "active"
        await s.save()
        await events.emit(s, "ai.autoheal.tenant.restored.v1", tenant_id, actor=audit.SYSTEM)
        await audit.record(s, actor=audit.SYSTEM, action="system.tenant.restored", target=tenant_id)
    return True


async def _stop_work(s: TenantSession, actor: Actor, keep: InboxId | None) -> None:
    """The token, the runs, the proposals, what waits in the inbox. Effects under way become unknown."""
    await tenants.destroy_tokens(s)
    for run in await investigations.running_investigations(s):
        await investigations.request_stop(s, run.id, None)
        await investigations.set_status(s, run.id, "stopped")
        await audit.record(s, actor=actor, action=f"{_source(actor)}.investigation.stopped", target=run.id)
    for found in await approvals.open_approvals(s):
        waiting = found.state in (ApprovalState.PROPOSED, ApprovalState.APPROVED)
        state = ApprovalState.CANCELLED if waiting else ApprovalState.UNKNOWN
        await approvals.advance(s, found.id, to=state, expect=[found.state], finished_at=s.now())
        word = "approval.cancelled" if waiting else "effect.unknown"
        await audit.record(s, actor=actor, action=f"{_source(actor)}.{word}", target=found.id)
    waits = [InboxRow.state == "received", *([] if keep is None else [InboxRow.id != keep])]
    note = Redacted.ours("the tenant was frozen")
    await s.update(InboxRow, *waits, values={"state": "failed", "note": note, "changed_at": s.now()})


# Closed


async def due(db: Database) -> list[Tenant]:
    """Frozen for long enough, or left half closed; and closed ones that are looked at once more."""
    found = await list_tenants(db, "frozen", "closing", "closed")
    now = db.now()
    return [one for one in found if _is_due(one, now)]


def _is_due(tenant: Tenant, now: datetime) -> bool:
    if tenant.status == "frozen":
        return tenant.closes_at is not None and tenant.closes_at <= now
    return tenant.status == "closing" or (tenant.closed_at is not None and now < tenant.closed_at + SWEEP_FOR)


async def close(
    db: Database, tenant_id: TenantId, *, actor: Actor, days: EventDays | None, now: bool = False
) -> Closed:
    """Destroys everything of the tenant, for good. `now` does not wait for the freeze to end, nor for a freeze.

    `days` holds the events that left the outbox. Safe to repeat; goes on where it was interrupted. Raises
    UnknownTenant, TenantFrozen when it is too early, NoShredLedger, and what `_begin_closing` raises.
    """
    known = await find_tenant(db, tenant_id)
    if known is None:
        raise UnknownTenant("there is no such tenant")
    if not now and not _is_due(known, db.now()):
        raise TenantFrozen(f"this tenant is {known.status}" + (f" until {known.closes_at}" if known.closes_at else ""))
    await db.keyring.admit()
    if known.status in ("active", "frozen"):
        await _begin_closing(db, known, actor)
    keys = await db.keyring.shred(tenant_id)
    db.forget(tenant_id)
    rows = await _delete_rows(db, tenant_id)
    if db.arrivals is not None and (waited := await db.arrivals.delete_tenant(tenant_id)):
        rows["arrivals"] = waited
    gone = 0 if days is None else await days.delete_tenant(tenant_id)
    await _leave_tombstone(db, tenant_id)
    await db.empty_log()
    _log.info(
        "tenant closed",
        extra={
            "action": "tenant.closed",
            "tenant": tenant_id,
            "keys": keys,
            "rows": sum(rows.values()),
            "events": gone,
        },
    )
    return Closed(tenant_id=tenant_id, keys=keys, events=gone, rows=rows)


async def _begin_closing(db: Database, known: Tenant, actor: Actor) -> None:
    """From here on there is no way back. Raises TenantFrozen when a reinstall came first, and KeyServiceUnreachable,
    KeyAccessDenied or UnsafeKeyFile, which pass: the next run tries again.
    """
    try:
        if known.status == "active":
            await freeze(db, known.id, actor=actor)
        async with db.tenant(known.id, frozen_too=True) as s:
            await audit.record(s, actor=actor, action=f"{_source(actor)}.tenant.closing", target=known.id)
    except _NEVER_READ_AGAIN as exc:
        _log.warning(
            "a tenant that cannot be read is closed all the same",
            extra={"action": "tenant.closing", "tenant": known.id, "kind": type(exc).__name__},
        )
    async with db.across_tenants("begin to close a tenant") as session:
        begun = await session.execute(
            update(TenantRow)
            .where(TenantRow.id == known.id, TenantRow.status.in_(("frozen", known.status)))
            .values(status="closing", closes_at=db.now())
        )
    if getattr(begun, "rowcount", 0) != 1:
        raise TenantFrozen("this tenant is not closed: Slack was installed again in this moment")


def deletion_order() -> Iterator[type[Owned]]:
    """Every table that a tenant owns. The head comes first, so that no session opens any more; then the installation,
    so that the workspace can be connected anew; then each table before those that its rows point at.
    """
    entities = {
        mapper.local_table: mapper.class_ for mapper in Base.registry.mappers if issubclass(mapper.class_, Owned)
    }
    first = (TenantHeadRow, SlackInstallRow)
    yield from first
    for table in reversed(Base.metadata.sorted_tables):
        entity = entities.get(table)
        if entity is not None and entity not in first:
            yield entity


async def _delete_rows(db: Database, tenant_id: TenantId) -> dict[str, int]:
    """Until a whole pass finds nothing: others may have written while the first one ran."""
    gone: dict[str, int] = {}
    while True:
        found = 0
        for entity in deletion_order():
            while deleted := await _delete_batch(db, tenant_id, entity):
                found += deleted
                name = class_mapper(entity).local_table.description
                gone[name] = gone.get(name, 0) + deleted
        if not found:
            return gone


async def _delete_batch(db: Database, tenant_id: TenantId, entity: type[Owned]) -> int:
    async with db.tenant(tenant_id, erasing=True) as s:
        chosen = select(entity).options(load_only(entity.tenant_id, entity.id)).where(*_not_pointed_at(entity))
        ids = [row.id for row in await s.all(chosen.limit(BATCH))]
        return await s.delete(entity, entity.id.in_(ids)) if ids else 0


def _not_pointed_at(entity: type[Owned]) -> Iterator[ColumnElement[bool]]:
    """Rows to which no other row of the same table points: those go first."""
    table = class_mapper(entity).local_table
    for key in getattr(table, "foreign_key_constraints", ()):
        if key.referred_table is not table:
            continue
        child = aliased(entity)
        points = [getattr(child, part.parent.key) == getattr(entity, part.column.key) for part in key.elements]
        yield ~select(child.id).where(and_(*points)).exists()


async def _leave_tombstone(db: Database, tenant_id: TenantId) -> None:
    async with db.across_tenants("leave a closed tenant's tombstone") as session:
        await session.execute(
            update(TenantRow)
            .where(TenantRow.id == tenant_id, TenantRow.status == "closing")
            .values(status="closed", closed_at=db.now(), name=Redacted.ours(""))
        )


def _source(actor: Actor) -> Literal["operator", "system", "slack"]:
    match actor.id:
        case "operator" | "slack":
            return actor.id
        case _:
            return "system"
