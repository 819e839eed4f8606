"""What people thought of an investigation: one thumb a person, the last one counts."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from store.database.schema import FeedbackRow
from store.database.session import TenantSession
from store.ids import InvestigationId, UserId, stable_id


@dataclass(frozen=True, kw_only=True)
class Feedback:
    investigation_id: InvestigationId
    by: UserId
    positive: bool
    at: datetime


async def record_feedback(
    s: TenantSession, *, investigation_id: InvestigationId, by: UserId, positive: bool, at: datetime
) -> None:
    row_id = stable_id("feedback", s.tenant_id, investigation_id, by)
    values = {"id": row_id, "investigation_id": investigation_id, "by_user_id": by, "positive": positive, "at": at}
    if row_id not in await s.insert_if_absent(FeedbackRow, values):
        await s.update(FeedbackRow, FeedbackRow.id == row_id, values={"positive": positive, "at": at})


async def feedback(s: TenantSession, investigation_id: InvestigationId) -> list[Feedback]:
    rows = await s.all(
        select(FeedbackRow)
        .where(FeedbackRow.investigation_id == investigation_id)
        .order_by(FeedbackRow.at, FeedbackRow.id)
    )
    return [
        Feedback(
            investigation_id=InvestigationId(row.investigation_id),
            by=UserId(row.by_user_id),
            positive=row.positive,
            at=row.at,
        )
        for row in rows
    ]
