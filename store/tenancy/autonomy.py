"""What may be done without a click: a level for each risk class, an hourly cap, a pause; who allowed it and when.

Without a row everything waits for a click. `automatic` is possible for low risk only, whoever asks for more.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from store.database.schema import AutonomyPolicyRow
from store.database.session import TenantSession
from store.ids import UserId

AutonomyLevel = Literal["suggest", "approve", "automatic"]
RiskClass = Literal["low", "medium", "high"]
USUAL_CAP: Final = 3
MOST_CAP: Final = 100


@dataclass(frozen=True, kw_only=True)
class AutonomyPolicy:
    """`automatic_by` opted in to `automatic`. `paused_until` is None for a pause until somebody resumes."""

    low: AutonomyLevel = "approve"
    medium: AutonomyLevel = "approve"
    high: AutonomyLevel = "approve"
    hourly_cap: int = USUAL_CAP
    automatic_by: UserId | None = None
    automatic_at: datetime | None = None
    paused_by: UserId | None = None
    paused_at: datetime | None = None
    paused_until: datetime | None = None

    def level(self, risk: str) -> AutonomyLevel:
        """Of a class that has no level of its own, as of reads, nothing is done without a click."""
        return {"low": self.low, "medium": self.medium, "high": self.high}.get(risk, "approve")

    def is_paused(self, now: datetime) -> bool:
        return self.paused_at is not None and (self.paused_until is None or now < self.paused_until)


async def autonomy_policy(s: TenantSession) -> AutonomyPolicy:
    row = await s.one(AutonomyPolicyRow)
    return AutonomyPolicy() if row is None else _policy(row)


async def set_level(s: TenantSession, risk: RiskClass, level: AutonomyLevel, *, by: UserId) -> AutonomyPolicy:
    """Raises ValueError for a level that the class cannot have."""
    _check_level(level)
    if level == "automatic" and risk != "low":
        raise ValueError("automatic is for low risk only; medium and high risk are suggest or approve")
    row = await _row(s)
    match risk:
        case "low":
            row.low = level
            row.automatic_by, row.automatic_at = (by, s.now()) if level == "automatic" else (None, None)
        case "medium":
            row.medium = level
        case "high":
            row.high = level
        case _:
            raise ValueError("a risk class is one of low, medium, high")
    return await _saved(s, row, by)


async def set_hourly_cap(s: TenantSession, cap: int, *, by: UserId) -> AutonomyPolicy:
    """Raises ValueError."""
    if not 0 <= cap <= MOST_CAP:
        raise ValueError(f"the hourly cap is a number from 0 to {MOST_CAP}")
    row = await _row(s)
    row.hourly_cap = cap
    return await _saved(s, row, by)


async def pause(s: TenantSession, *, until: datetime | None, by: UserId) -> AutonomyPolicy:
    row = await _row(s)
    row.paused_by, row.paused_at, row.paused_until = by, s.now(), until
    return await _saved(s, row, by)


async def resume(s: TenantSession, *, by: UserId) -> AutonomyPolicy:
    row = await _row(s)
    row.paused_by = row.paused_at = row.paused_until = None
    return await _saved(s, row, by)


async def _row(s: TenantSession) -> AutonomyPolicyRow:
    row = await s.one(AutonomyPolicyRow, lock=True)
    if row is None:
        row = AutonomyPolicyRow(
            id=s.tenant_id, low="approve", medium="approve", high="approve", hourly_cap=USUAL_CAP, changed_at=s.now()
        )
        await s.insert(row)
    return row


async def _saved(s: TenantSession, row: AutonomyPolicyRow, by: UserId) -> AutonomyPolicy:
    row.changed_by, row.changed_at = by, s.now()
    await s.save()
    return _policy(row)


def _policy(row: AutonomyPolicyRow) -> AutonomyPolicy:
    return AutonomyPolicy(
        low=_check_level(row.low),
        medium=_check_level(row.medium),
        high=_check_level(row.high),
        hourly_cap=row.hourly_cap,
        automatic_by=None if row.automatic_by is None else UserId(row.automatic_by),
        automatic_at=row.automatic_at,
        paused_by=None if row.paused_by is None else UserId(row.paused_by),
        paused_at=row.paused_at,
        paused_until=row.paused_until,
    )


def _check_level(value: str) -> AutonomyLevel:
    match value:
        case "suggest" | "approve" | "automatic":
            return value
        case _:
            raise ValueError("a level is one of suggest, approve, automatic")
