"""The action fence: written before an effect, so that an effect whose end was lost is never tried again blindly."""

from dataclasses import dataclass
from datetime import datetime

from store.database.schema import FenceRow
from store.database.session import TenantSession
from store.errors import NotFound
from store.ids import stable_id


@dataclass(frozen=True, kw_only=True)
class Fence:
    """Entered but not finished means: the effect may have happened."""

    key: str
    effect: str
    entered_at: datetime
    finished_at: datetime | None
    outcome: str | None


async def enter(s: TenantSession, *, key: str, effect: str) -> bool:
    """True for the first caller, who alone may act once this is committed. False: read the target, ask a human."""
    row_id = stable_id("fence", s.tenant_id, key)
    values = {"id": row_id, "key": key, "effect": effect, "entered_at": s.now()}
    return row_id in await s.insert_if_absent(FenceRow, values)


async def finish(s: TenantSession, key: str, outcome: str) -> None:
    """Notes the outcome, one word; the first stays. Raises NotFound when nobody entered."""
    changed = await s.update(
        FenceRow,
        FenceRow.key == key,
        FenceRow.finished_at.is_(None),
        values={"finished_at": s.now(), "outcome": outcome},
    )
    if not changed and await fence(s, key) is None:
        raise NotFound("nobody entered this fence")


async def fence(s: TenantSession, key: str) -> Fence | None:
    row = await s.one(FenceRow, FenceRow.key == key)
    if row is None:
        return None
    return Fence(
        key=row.key,
        effect=row.effect,
        entered_at=row.entered_at,
        finished_at=row.finished_at,
        outcome=row.outcome,
    )
