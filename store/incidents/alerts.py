"""Alerts, their groups, changes, and a tenant's rules about alerts, as rows. What they mean is known above."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import func, or_, select

from store.database.schema import AlertGroupRow, AlertPolicyRow, AlertRow, ChangeRow
from store.database.session import Database, TenantSession
from store.ids import AlertGroupId, IncidentId, TenantId, UserId

_QUIET_NEWS: Final = timedelta(minutes=15)
_AT_ONCE: Final = 20  # rows a statement: what else the process does goes on in between


@dataclass(frozen=True, kw_only=True)
class StoredAlert:
    """`facts` is what was sealed of it."""

    id: str
    group_id: str
    provider: str
    status: str
    severity: str
    service: str | None
    environment: str | None
    facts: dict[str, Any]
    first_at: datetime
    fired_at: datetime
    last_at: datetime
    resolved_at: datetime | None
    occurrences: int
    turns: int


@dataclass(frozen=True, kw_only=True)
class StoredGroup:
    id: AlertGroupId
    status: str
    severity: str
    quiet: bool
    service: str | None
    environment: str | None
    facts: dict[str, Any]
    opened_at: datetime
    last_at: datetime
    resolved_at: datetime | None
    recurrences: int
    decision: str | None
    incident_id: IncidentId | None
    channel_id: str | None
    thread_ts: str | None
    merged_into: str | None
    version: int
    shown: int


@dataclass(frozen=True, kw_only=True)
class StoredChange:
    id: str
    provider: str
    kind: str
    service: str | None
    environment: str | None
    facts: dict[str, Any]
    occurred_at: datetime
    received_at: datetime


# Alerts


async def alerts(s: TenantSession, ids: Sequence[str]) -> list[StoredAlert]:
    rows = await s.all(select(AlertRow).where(AlertRow.id.in_(ids))) if ids else []
    return [_alert(s, row) for row in rows]


async def quiet_news(s: TenantSession, groups: Sequence[str]) -> list[StoredAlert]:
    """The alerts of these groups that began a short while ago."""
    if not groups:
        return []
    fresh = AlertRow.fired_at > s.now() - _QUIET_NEWS
    return [_alert(s, row) for row in await s.all(select(AlertRow).where(AlertRow.group_id.in_(groups), fresh))]


async def firing_alerts(s: TenantSession, *, provider: str, service: str) -> list[StoredAlert]:
    """Of one source and service, those that are not over."""
    of = (AlertRow.provider == provider, AlertRow.service == s.redactor.redact(service))
    rows = await s.all(select(AlertRow).where(*of, AlertRow.status != "resolved"))
    return [_alert(s, row) for row in rows]


async def alerts_of_group(s: TenantSession, group: str, *, limit: int = 100) -> list[StoredAlert]:
    """The worst that changed last first."""
    newest = select(AlertRow).where(AlertRow.group_id == group).order_by(AlertRow.fired_at.desc()).limit(limit)
    return [_alert(s, row) for row in await s.all(newest)]


async def alerts_since(s: TenantSession, since: datetime, *, limit: int = 20_000) -> list[StoredAlert]:
    newest = select(AlertRow).where(AlertRow.last_at >= since).order_by(AlertRow.last_at.desc()).limit(limit)
    return [_alert(s, row) for row in await s.all(newest)]


async def save_alerts(s: TenantSession, found: Iterable[StoredAlert]) -> None:
    """New ones are added, known ones changed."""
    wanted = {one.id: one for one in found}
    rows = {row.id: row for row in await s.all(select(AlertRow).where(AlertRow.id.in_(wanted)))} if wanted else {}
    new = []
    for one in wanted.values():
        values: dict[str, Any] = {
            "group_id": one.group_id,
            "provider": one.provider,
            "status": one.status,
            "severity": one.severity,
            "service": _redacted(s, one.service),
            "environment": _redacted(s, one.environment),
            "facts": s.seal_json("alerts", "facts", one.id, one.facts),
            "first_at": one.first_at,
            "fired_at": one.fired_at,
            "last_at": one.last_at,
            "resolved_at": one.resolved_at,
            "occurrences": one.occurrences,
            "turns": one.turns,
        }
        if one.id in rows:
            for name, value in values.items():
                setattr(rows[one.id], name, value)
        else:
            new.append({"id": one.id, **values})
    await s.save()
    for start in range(0, len(new), _AT_ONCE):
        await s.insert_if_absent(AlertRow, *new[start : start + _AT_ONCE])


async def move_alerts(s: TenantSession, moved: Mapping[str, str]) -> None:
    """All alerts of the groups that became part of others."""
    for old, new in moved.items():
        await s.update(AlertRow, AlertRow.group_id == old, values={"group_id": new})


# Groups


async def returning_groups(s: TenantSession, since: datetime, ids: Sequence[str] = ()) -> list[StoredGroup]:
    """Those that are not over, those that ended since then, and those of these ids."""
    wanted = or_(AlertGroupRow.status != "resolved", AlertGroupRow.last_at >= since, AlertGroupRow.id.in_(ids))
    rows = await s.all(select(AlertGroupRow).where(wanted).order_by(AlertGroupRow.opened_at))
    return [_group(s, row) for row in rows]


async def group(s: TenantSession, group_id: str) -> StoredGroup | None:
    row = await s.one(AlertGroupRow, AlertGroupRow.id == group_id)
    return None if row is None else _group(s, row)


async def groups_since(s: TenantSession, since: datetime, *, limit: int = 2_000) -> list[StoredGroup]:
    newest = select(AlertGroupRow).where(AlertGroupRow.last_at >= since).order_by(AlertGroupRow.last_at.desc())
    return [_group(s, row) for row in await s.all(newest.limit(limit))]


async def unshown_groups(s: TenantSession, *, limit: int = 50) -> list[StoredGroup]:
    """Those that changed since people saw them last, the worst waiting first."""
    rows = await s.all(
        select(AlertGroupRow)
        .where(AlertGroupRow.version > AlertGroupRow.shown)
        .order_by(AlertGroupRow.quiet, AlertGroupRow.opened_at, AlertGroupRow.id)
        .limit(limit)
    )
    return [_group(s, row) for row in rows]


async def tenants_with_unshown_groups(db: Database) -> list[TenantId]:
    async with db.across_tenants("find alerts that nobody was shown", readonly=True) as session:
        waits = select(AlertGroupRow.tenant_id).where(AlertGroupRow.version > AlertGroupRow.shown).distinct()
        return [TenantId(one) for one in await session.scalars(waits)]


async def save_groups(s: TenantSession, found: Iterable[StoredGroup]) -> None:
    """What alerts say of them. Where and how they were shown is noted by `note_shown` and the like."""
    wanted = {one.id: one for one in found}
    rows = {row.id: row for row in await s.all(select(AlertGroupRow).where(AlertGroupRow.id.in_(wanted)))}
    for one in wanted.values():
        row = rows.get(one.id)
        if row is None:
            row = AlertGroupRow(
                id=one.id,
                decision=one.decision,
                incident_id=None,
                channel_id=one.channel_id,
                thread_ts=one.thread_ts,
                shown=0,
            )
        row.status, row.severity, row.quiet = one.status, one.severity, one.quiet
        row.service, row.environment = _redacted(s, one.service), _redacted(s, one.environment)
        row.facts = s.seal_json("alert_groups", "facts", one.id, one.facts)
        row.opened_at, row.last_at, row.resolved_at = one.opened_at, one.last_at, one.resolved_at
        row.recurrences, row.merged_into, row.version = one.recurrences, one.merged_into, one.version
        if one.id not in rows:
            await s.insert(row)
    await s.save()


async def note_decision(s: TenantSession, group_id: str, decision: str) -> None:
    await s.update(AlertGroupRow, AlertGroupRow.id == group_id, values={"decision": decision})


async def note_thread(s: TenantSession, group_id: str, *, channel_id: str, thread_ts: str) -> None:
    values = {"channel_id": channel_id, "thread_ts": thread_ts}
    await s.update(AlertGroupRow, AlertGroupRow.id == group_id, values=values)


async def note_incident(s: TenantSession, group_id: str, incident: IncidentId) -> None:
    await s.update(AlertGroupRow, AlertGroupRow.id == group_id, values={"incident_id": incident})


async def note_shown(s: TenantSession, group_id: str, version: int) -> None:
    """Unless something newer was shown meanwhile."""
    await s.update(
        AlertGroupRow, AlertGroupRow.id == group_id, AlertGroupRow.shown < version, values={"shown": version}
    )


async def show_again(s: TenantSession, group_id: str) -> None:
    await s.head()  # whoever takes alerts in writes the version that it read
    await s.update(AlertGroupRow, AlertGroupRow.id == group_id, values={"version": AlertGroupRow.version + 1})


async def show_incident_again(s: TenantSession, incident: IncidentId) -> None:
    """All groups of an incident, since there is more to tell of it."""
    await s.head()  # whoever takes alerts in writes the version that it read
    await s.update(AlertGroupRow, AlertGroupRow.incident_id == incident, values={"version": AlertGroupRow.version + 1})


async def not_over(s: TenantSession, of: Collection[IncidentId]) -> frozenset[IncidentId]:
    """Those of these incidents of which a group of alerts is not over; one that became part of another is as that."""
    return frozenset(incident for incident, is_over in (await _groups_of(s, of)) if not is_over)


async def all_over(s: TenantSession, of: Collection[IncidentId]) -> frozenset[IncidentId]:
    """Those of these incidents that have groups of alerts, all of which are over."""
    found = await _groups_of(s, of)
    return frozenset(one for one, _ in found) - frozenset(one for one, is_over in found if not is_over)


async def _groups_of(s: TenantSession, of: Collection[IncidentId]) -> list[tuple[IncidentId, bool]]:
    if not of:
        return []
    own = await s.all(select(AlertGroupRow).where(AlertGroupRow.incident_id.in_(of)))
    known = {row.id: row for row in own}
    while missing := {row.merged_into for row in known.values() if row.merged_into} - known.keys():
        further = await s.all(select(AlertGroupRow).where(AlertGroupRow.id.in_(missing)))
        known |= {row.id: row for row in further}
        if len(further) < len(missing):
            break  # forgotten by age

    def is_over(row: AlertGroupRow) -> bool:
        while row.merged_into in known:
            row = known[row.merged_into]
        return row.status == "resolved"

    return [(IncidentId(row.incident_id), is_over(row)) for row in own if row.incident_id is not None]


async def count_decided(s: TenantSession, decision: str, since: datetime) -> int:
    counted = (
        select(func.count())
        .select_from(AlertGroupRow)
        .where(AlertGroupRow.decision == decision, AlertGroupRow.opened_at >= since)
    )
    return int(await s.value(counted) or 0)


# Changes


async def save_change(s: TenantSession, change: StoredChange) -> None:
    """The newest word on it counts: a deployment begins, then succeeds or fails."""
    row = await s.one(ChangeRow, ChangeRow.id == change.id)
    values: dict[str, Any] = {
        "provider": change.provider,
        "kind": change.kind,
        "service": _redacted(s, change.service),
        "environment": _redacted(s, change.environment),
        "facts": s.seal_json("changes", "facts", change.id, change.facts),
        "occurred_at": change.occurred_at,
        "received_at": change.received_at,
    }
    if row is None:
        await s.insert(ChangeRow(id=change.id, **values))
        return
    if change.occurred_at >= row.occurred_at:
        for name, value in values.items():
            setattr(row, name, value)
        await s.save()


async def changes_between(
    s: TenantSession, since: datetime, until: datetime, *, limit: int = 500
) -> list[StoredChange]:
    """Newest first."""
    rows = await s.all(
        select(ChangeRow)
        .where(ChangeRow.occurred_at >= since, ChangeRow.occurred_at <= until)
        .order_by(ChangeRow.occurred_at.desc(), ChangeRow.id)
        .limit(limit)
    )
    return [
        StoredChange(
            id=row.id,
            provider=row.provider,
            kind=row.kind,
            service=row.service,
            environment=row.environment,
            facts=s.open_json("changes", "facts", row.id, row.facts),
            occurred_at=row.occurred_at,
            received_at=row.received_at,
        )
        for row in rows
    ]


async def tenants_with_changes(db: Database) -> list[TenantId]:
    async with db.across_tenants("find change logs", readonly=True) as session:
        return [TenantId(one) for one in await session.scalars(select(ChangeRow.tenant_id).distinct())]


# Rules


async def policy(s: TenantSession) -> dict[str, Any]:
    """Empty where nothing was set."""
    row = await s.one(AlertPolicyRow)
    return {} if row is None else dict(s.open_json("alert_policies", "policy", row.id, row.policy))


async def save_policy(s: TenantSession, value: Mapping[str, Any], *, by: UserId | None) -> None:
    row = await s.one(AlertPolicyRow)
    sealed = s.seal_json("alert_policies", "policy", s.tenant_id, dict(value))
    if row is None:
        await s.insert(AlertPolicyRow(id=s.tenant_id, policy=sealed, changed_at=s.now(), changed_by=by))
        return
    row.policy, row.changed_at, row.changed_by = sealed, s.now(), by
    await s.save()


async def forget_old(s: TenantSession, before: datetime) -> int:
    """Alerts that have not been heard of since, the groups that hold none any more, and changes."""
    gone = await s.delete(AlertRow, AlertRow.last_at < before)
    empty = ~select(AlertRow.id).where(AlertRow.group_id == AlertGroupRow.id).exists()
    old = [row.id for row in await s.all(select(AlertGroupRow).where(AlertGroupRow.last_at < before, empty))]
    if old:
        await s.delete(AlertGroupRow, AlertGroupRow.id.in_(old))
    return gone + len(old) + await s.delete(ChangeRow, ChangeRow.occurred_at < before)


def _redacted(s: TenantSession, text: str | None) -> Any:
    return None if text is None else s.redactor.redact(text)


def _alert(s: TenantSession, row: AlertRow) -> StoredAlert:
    return StoredAlert(
        id=row.id,
        group_id=row.group_id,
        provider=row.provider,
        status=row.status,
        severity=row.severity,
        service=row.service,
        environment=row.environment,
        facts=s.open_json("alerts", "facts", row.id, row.facts),
        first_at=row.first_at,
        fired_at=row.fired_at,
        last_at=row.last_at,
        resolved_at=row.resolved_at,
        occurrences=row.occurrences,
        turns=row.turns,
    )


def _group(s: TenantSession, row: AlertGroupRow) -> StoredGroup:
    return StoredGroup(
        id=AlertGroupId(row.id),
        status=row.status,
        severity=row.severity,
        quiet=row.quiet,
        service=row.service,
        environment=row.environment,
        facts=s.open_json("alert_groups", "facts", row.id, row.facts),
        opened_at=row.opened_at,
        last_at=row.last_at,
        resolved_at=row.resolved_at,
        recurrences=row.recurrences,
        decision=row.decision,
        incident_id=None if row.incident_id is None else IncidentId(row.incident_id),
        channel_id=row.channel_id,
        thread_ts=row.thread_ts,
        merged_into=row.merged_into,
        version=row.version,
        shown=row.shown,
    )
