"""What people thought of an investigation: one thumb a person, the last one counts, and what they said was wrong."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from store.database.schema import FeedbackRow
from store.database.session import TenantSession
from store.ids import InvestigationId, UserId, stable_id
from store.secrets.redaction import Redacted


@dataclass(frozen=True, kw_only=True)
class Feedback:
    investigation_id: InvestigationId
    by: UserId
    positive: bool
    at: datetime
    remark: Redacted | None = None


async def record_feedback(
    s: TenantSession, *, investigation_id: InvestigationId, by: UserId, positive: bool, at: datetime
) -> None:
    row_id = stable_id("feedback", s.tenant_id, investigation_id, by)
    values = {"id": row_id, "investigation_id": investigation_id, "by_user_id": by, "positive": positive, "at": at}
    if row_id not in await s.insert_if_absent(FeedbackRow, values):
        await s.update(FeedbackRow, FeedbackRow.id == row_id, values={"positive": positive, "at": at})


async def record_remark(s: TenantSession, *, investigation_id: InvestigationId, by: UserId, remark: Redacted) -> bool:
    """What is wrong, in the person's own words, beside their thumb. False when there is none."""
    row_id = stable_id("feedback", s.tenant_id, investigation_id, by)
    sealed = s.seal("feedback", "remark", row_id, remark)
    return await s.update(FeedbackRow, FeedbackRow.id == row_id, values={"remark": sealed}) == 1


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
            remark=None if row.remark is None else s.open("feedback", "remark", row.id, row.remark),
        )
        for row in rows
    ]
