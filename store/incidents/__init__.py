"""Incidents: numbered within a tenant, tied to the thread in which they are handled.

Whatever lists, joins, searches or summarises them for a person goes through `visible_incidents`, which takes what that
person may see. A test holds that there is no other list.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from sqlalchemy import Select, select

from store.database.schema import IncidentRow
from store.database.session import TenantSession
from store.errors import NotFound
from store.ids import IncidentId, UserId
from store.secrets.redaction import Redacted

IncidentStatus = Literal["open", "mitigated", "resolved"]


@dataclass(frozen=True, kw_only=True)
class Incident:
    id: IncidentId
    number: int
    title: Redacted
    status: IncidentStatus
    service: str | None
    channel_id: str
    thread_ts: str
    opened_at: datetime
    resolved_at: datetime | None
    opened_by: UserId | None


@dataclass(frozen=True, kw_only=True)
class Sight:
    """What one person may see at this moment, as Slack said when it was asked. What is not in it is hidden; admins are
    no exception. `asked_in_vain`: of some channels Slack did not say.
    """

    channels: frozenset[str] = frozenset()
    asked_in_vain: bool = False

    def covers(self, channel_id: str | None) -> bool:
        """An incident without a channel is its tenant's."""
        return not channel_id or channel_id in self.channels


async def open_incident(
    s: TenantSession,
    *,
    id: IncidentId,  # noqa: A002 - the row's id, named as everywhere
    title: Redacted,
    channel_id: str,
    thread_ts: str,
    opened_by: UserId | None,
) -> Incident:
    """Safe to repeat with the same id: the first title stays. Numbers have no gaps."""
    head = await s.head()
    row = await s.one(IncidentRow, IncidentRow.id == id)
    if row is None:
        head.incident_number += 1
        row = IncidentRow(
            id=id,
            number=head.incident_number,
            title=s.seal("incidents", "title", id, title),
            status="open",
            service=None,
            channel_id=channel_id,
            thread_ts=thread_ts,
            opened_at=s.now(),
            resolved_at=None,
            opened_by=opened_by,
        )
        await s.insert(row)
    return _incident(s, row)


async def incident(s: TenantSession, incident_id: IncidentId) -> Incident | None:
    row = await s.one(IncidentRow, IncidentRow.id == incident_id)
    return None if row is None else _incident(s, row)


async def incident_for_thread(s: TenantSession, channel_id: str, thread_ts: str) -> Incident | None:
    """The newest incident of the thread."""
    rows = await s.all(
        select(IncidentRow)
        .where(IncidentRow.channel_id == channel_id, IncidentRow.thread_ts == thread_ts)
        .order_by(IncidentRow.number.desc())
        .limit(1)
    )
    return _incident(s, rows[0]) if rows else None


async def visible_incidents(s: TenantSession, sight: Sight) -> list[Incident]:
    """Those not resolved that this person may see, newest first."""
    rows = await s.all(_unresolved().order_by(IncidentRow.number.desc()))
    return [_incident(s, row) for row in rows if sight.covers(row.channel_id)]


async def channels_of_incidents(s: TenantSession) -> frozenset[str]:
    """Where the unresolved ones are handled: of these channels Slack is asked before anything is shown."""
    return frozenset(row.channel_id for row in await s.all(_unresolved()) if row.channel_id)


def _unresolved() -> Select[IncidentRow]:
    return select(IncidentRow).where(IncidentRow.status != "resolved")


async def set_service(s: TenantSession, incident_id: IncidentId, service: str) -> Incident:
    row = await _row(s, incident_id)
    row.service = s.redactor.redact(service)
    await s.save()
    return _incident(s, row)


async def resolve_incident(s: TenantSession, incident_id: IncidentId) -> Incident:
    """Safe to repeat: the first time stays."""
    return await set_incident_status(s, incident_id, "resolved")


async def set_incident_status(s: TenantSession, incident_id: IncidentId, status: IncidentStatus) -> Incident:
    """Raises NotFound, ValueError. Opening a resolved incident again clears its time of resolution."""
    if status not in get_args(IncidentStatus):
        raise ValueError(f"unknown incident status {status!r}")
    row = await _row(s, incident_id)
    if row.status != status:
        row.status = status
        row.resolved_at = s.now() if status == "resolved" else None
        await s.save()
    return _incident(s, row)


async def _row(s: TenantSession, incident_id: IncidentId) -> IncidentRow:
    row = await s.one(IncidentRow, IncidentRow.id == incident_id, lock=True)
    if row is None:
        raise NotFound("no such incident")
    return row


def _incident(s: TenantSession, row: IncidentRow) -> Incident:
    return Incident(
        id=IncidentId(row.id),
        number=row.number,
        title=s.open("incidents", "title", row.id, row.title),
        status=_status(row.status),
        service=row.service,
        channel_id=row.channel_id,
        thread_ts=row.thread_ts,
        opened_at=row.opened_at,
        resolved_at=row.resolved_at,
        opened_by=None if row.opened_by is None else UserId(row.opened_by),
    )


def _status(value: str) -> IncidentStatus:
    match value:
        case "open" | "mitigated" | "resolved":
            return value
        case _:
            raise ValueError(f"unknown incident status {value!r}")
