"""Incidents: numbered within a tenant, tied to the thread in which they are handled, with a life of their own.

Open, then investigated, mitigated by a remedy or by itself, and ended: resolved, or a false alarm. One that recurs is
investigated again.

Whatever lists, joins, searches or summarises them for a person goes through `visible_incidents`, which takes what that
person may see. A test holds that there is no other list.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, get_args

from sqlalchemy import Select, select

from store.database.schema import IncidentRow
from store.database.session import TenantSession
from store.errors import NotFound
from store.ids import IncidentId, UserId
from store.secrets.redaction import Redacted

IncidentStatus = Literal["open", "investigating", "mitigated", "resolved", "false_alarm"]
Ending = Literal["resolved", "false_alarm"]
OPEN: Final[tuple[IncidentStatus, ...]] = ("open", "investigating", "mitigated")
BY_ALERT: Final = "alert"
"""Who ended an incident where the alert that began it said so."""


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
    mitigated_at: datetime | None = None
    ended_by: str | None = None
    titled_by: str | None = None

    @property
    def is_open(self) -> bool:
        return self.status in OPEN


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
            mitigated_at=None,
            resolved_at=None,
            ended_by=None,
            titled_by=None,
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
    """Those that are open and that this person may see, newest first."""
    rows = sorted(await s.all(_open()), key=lambda row: -row.number)
    return [_incident(s, row) for row in rows if sight.covers(row.channel_id)]


async def channels_of_incidents(s: TenantSession) -> frozenset[str]:
    """Where the open ones are handled: of these channels Slack is asked before anything is shown."""
    return frozenset(row.channel_id for row in await s.all(_open()) if row.channel_id)


async def open_ids(s: TenantSession) -> list[IncidentId]:
    """Of those that have not ended, for the system itself."""
    return [IncidentId(row.id) for row in await s.all(_open())]


async def candidates(s: TenantSession, *, ended_since: datetime) -> list[Incident]:
    """Those that what is reported now may be: open ones, and those that ended since then. Newest first.

    For `agents/incidents/same_incident.py` alone, which shows nothing of them to whoever may not see them.
    """
    ended = select(IncidentRow).where(IncidentRow.resolved_at >= ended_since)
    rows = {row.id: row for row in (*await s.all(_open()), *await s.all(ended))}
    return [_incident(s, row) for row in sorted(rows.values(), key=lambda row: -row.number)]


def _open() -> Select[IncidentRow]:
    """Without an order: asked for one by number, SQLite walks all incidents of the past by their numbers."""
    return select(IncidentRow).where(IncidentRow.status.in_(OPEN))


async def set_service(s: TenantSession, incident_id: IncidentId, service: str) -> Incident:
    row = await _row(s, incident_id)
    row.service = s.redactor.redact(service)
    await s.save()
    return _incident(s, row)


async def rename_incident(s: TenantSession, incident_id: IncidentId, title: Redacted, *, by: UserId) -> bool:
    """False when it is called that already. Raises NotFound."""
    row = await _row(s, incident_id)
    if s.open("incidents", "title", row.id, row.title) == title:
        return False
    row.title, row.titled_by = s.seal("incidents", "title", row.id, title), by
    await s.save()
    return True


async def resolve_incident(
    s: TenantSession, incident_id: IncidentId, *, status: Ending = "resolved", by: str | None = None
) -> bool:
    """False when it had ended already: the first ending stays. `by` is a user's id, or `BY_ALERT`. Raises NotFound."""
    row = await _row(s, incident_id)
    if row.status not in OPEN:
        return False
    row.status, row.resolved_at, row.ended_by = status, s.now(), by
    await s.save()
    return True


async def mitigate_incident(s: TenantSession, incident_id: IncidentId) -> bool:
    """False when it is mitigated or has ended already. Raises NotFound."""
    row = await _row(s, incident_id)
    if row.status not in ("open", "investigating"):
        return False
    row.status, row.mitigated_at = "mitigated", s.now()
    await s.save()
    return True


async def reopen_incident(s: TenantSession, incident_id: IncidentId) -> bool:
    """What was mitigated or had ended is open again, and nobody looks into it yet. False when it was open. Raises
    NotFound.
    """
    row = await _row(s, incident_id)
    if row.status not in ("mitigated", "resolved", "false_alarm"):
        return False
    row.status, row.mitigated_at, row.resolved_at, row.ended_by = "open", None, None, None
    await s.save()
    return True


async def work_on_incident(s: TenantSession, incident_id: IncidentId) -> bool:
    """It is being investigated. True when that opened it again: it was mitigated, or had ended. Raises NotFound."""
    row = await _row(s, incident_id)
    again = row.status in ("mitigated", "resolved", "false_alarm")
    if row.status != "investigating":
        row.status, row.mitigated_at, row.resolved_at, row.ended_by = "investigating", None, None, None
        await s.save()
    return again


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
        mitigated_at=row.mitigated_at,
        ended_by=row.ended_by,
        titled_by=row.titled_by,
    )


def _status(value: str) -> IncidentStatus:
    if value not in get_args(IncidentStatus):
        raise ValueError(f"unknown incident status {value!r}")
    known: IncidentStatus = value  # type: ignore[assignment] # one of the literals, as was just asked
    return known
