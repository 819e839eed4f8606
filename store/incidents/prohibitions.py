"""What people ruled out in an incident's thread, as rows: whose word it was, and who lifted it when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from store.database.schema import ProhibitionRow
from store.database.session import TenantSession
from store.ids import IncidentId, UserId
from store.secrets.redaction import Redacted


@dataclass(frozen=True, kw_only=True)
class StoredProhibition:
    """`remediation` is a kind of remedy, `service` None where it holds for all."""

    id: str
    incident_id: IncidentId
    remediation: str
    service: str | None
    words: Redacted
    stated_by: UserId | None
    stated_at: datetime
    lifted_by: UserId | None = None
    lifted_at: datetime | None = None


async def prohibitions(s: TenantSession, incident: IncidentId) -> list[StoredProhibition]:
    """All of an incident, oldest first."""
    of = select(ProhibitionRow).where(ProhibitionRow.incident_id == incident)
    rows = await s.all(of.order_by(ProhibitionRow.stated_at, ProhibitionRow.id))
    return [
        StoredProhibition(
            id=row.id,
            incident_id=IncidentId(row.incident_id),
            remediation=row.remediation,
            service=row.service,
            words=s.open("prohibitions", "words", row.id, row.words),
            stated_by=None if row.stated_by is None else UserId(row.stated_by),
            stated_at=row.stated_at,
            lifted_by=None if row.lifted_by is None else UserId(row.lifted_by),
            lifted_at=row.lifted_at,
        )
        for row in rows
    ]


async def state(s: TenantSession, new: StoredProhibition) -> None:
    """Safe to repeat with the same id: the first stays."""
    await s.insert_if_absent(
        ProhibitionRow,
        {
            "id": new.id,
            "incident_id": new.incident_id,
            "remediation": new.remediation,
            "service": None if new.service is None else s.redactor.redact(new.service),
            "words": s.seal("prohibitions", "words", new.id, new.words),
            "stated_by": new.stated_by,
            "stated_at": new.stated_at,
            "lifted_by": None,
            "lifted_at": None,
        },
    )


async def lift(s: TenantSession, prohibition: str, *, by: UserId | None, at: datetime) -> bool:
    """False where it was lifted before."""
    standing = ProhibitionRow.lifted_at.is_(None)
    values = {"lifted_by": by, "lifted_at": at}
    return await s.update(ProhibitionRow, ProhibitionRow.id == prohibition, standing, values=values) == 1
