"""Approvals: a proposed remediation, the one decision on it, and what came of it.

The decision is a single UPDATE that names the state and the plan hash: of any number of clicks exactly one decides, and
none decides on a plan other than the one that was shown. The plan is stored redacted, and hashed as stored.
"""

import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal, TypedDict, Unpack

from sqlalchemy import func, select

from store import audit
from store.database.schema import ApprovalRow
from store.database.session import TenantSession
from store.errors import NotFound
from store.ids import ApprovalId, IncidentId, InvestigationId, UserId

Decision = Literal["approved", "rejected", "break_glass", "automatic"]
"""`break_glass`: approved by one admin alone, where a second person is asked for. `automatic`: by the policy that an
admin opted in to, whose decision it is.
"""


class ApprovalState(StrEnum):
    """`done`: the target is in the state that was asked for, which heals nothing by itself, as a silence."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"
    APPLYING = "applying"
    APPLIED = "applied"
    VERIFYING = "verifying"
    HEALED = "healed"
    DONE = "done"
    NOT_HEALED = "not_healed"
    UNKNOWN = "unknown"
    FAILED = "failed"
    SUPERSEDED = "superseded"
    CANCELLED = "cancelled"


OPEN_STATES = frozenset(
    {
        ApprovalState.PROPOSED,
        ApprovalState.APPROVED,
        ApprovalState.APPLYING,
        ApprovalState.APPLIED,
        ApprovalState.VERIFYING,
    }
)


@dataclass(frozen=True, kw_only=True)
class Approval:
    id: ApprovalId
    incident_id: IncidentId
    investigation_id: InvestigationId | None
    remediation: str
    plan: dict[str, Any]
    plan_hash: str
    target: str
    target_version: str | None
    risk: str
    state: ApprovalState
    proposed_at: datetime
    expires_at: datetime
    preview_read_at: datetime
    decided_by: UserId | None
    decided_at: datetime | None
    decision: Decision | None
    approved_until: datetime | None
    applied_at: datetime | None
    finished_at: datetime | None
    outcome: dict[str, Any] | None
    undo_of: ApprovalId | None
    message_channel: str | None
    message_ts: str | None


@dataclass(frozen=True, kw_only=True)
class Decided:
    """This call decided."""

    approval: Approval


@dataclass(frozen=True, kw_only=True)
class DecidedBefore:
    """Somebody decided before, or the approval is past deciding; the approval says who and what."""

    approval: Approval


@dataclass(frozen=True, kw_only=True)
class PlanDiffers:
    """The plan is not the one that was shown: show it again."""

    approval: Approval


@dataclass(frozen=True, kw_only=True)
class Expired:
    """Nobody answered in time. Nothing was denied."""

    approval: Approval


class Times(TypedDict, total=False):
    applied_at: datetime
    finished_at: datetime
    approved_until: datetime


def plan_hash(plan: dict[str, Any]) -> str:
    """SHA-256 of the canonical JSON, in hex."""
    canonical = json.dumps(plan, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()


async def propose(
    s: TenantSession,
    *,
    id: ApprovalId,  # noqa: A002 - the row's id, named as everywhere
    incident_id: IncidentId,
    investigation_id: InvestigationId | None,
    remediation: str,
    plan: dict[str, Any],
    target: str,
    target_version: str | None,
    risk: str,
    expires_at: datetime,
    preview_read_at: datetime,
    undo_of: ApprovalId | None = None,
) -> Approval:
    """Safe to repeat with the same id: the first proposal stays."""
    redacted = s.redactor.redact_json(plan)
    await s.insert_if_absent(
        ApprovalRow,
        {
            "id": id,
            "incident_id": incident_id,
            "investigation_id": investigation_id,
            "remediation": remediation,
            "plan": s.seal_json("approvals", "plan", id, redacted),
            "plan_hash": plan_hash(redacted),
            "target": s.redactor.redact(target),
            "target_version": None if target_version is None else s.redactor.redact(target_version),
            "risk": risk,
            "state": ApprovalState.PROPOSED,
            "proposed_at": s.now(),
            "expires_at": expires_at,
            "preview_read_at": preview_read_at,
            "undo_of": undo_of,
        },
    )
    return _approval(s, await _row(s, id))


async def approval(s: TenantSession, approval_id: ApprovalId) -> Approval | None:
    row = await s.one(ApprovalRow, ApprovalRow.id == approval_id)
    return None if row is None else _approval(s, row)


async def open_approvals(s: TenantSession, *, of: Collection[IncidentId] | None = None) -> list[Approval]:
    """Not ended yet, oldest first. `of`: those of these incidents, which somebody may see; all of them are for the
    system itself.
    """
    among = [] if of is None else [ApprovalRow.incident_id.in_(of)]
    return await _approvals(s, ApprovalRow.state.in_(OPEN_STATES), *among)


async def approvals_of_incident(s: TenantSession, incident_id: IncidentId) -> list[Approval]:
    """All of an incident, oldest first."""
    return await _approvals(s, ApprovalRow.incident_id == incident_id)


async def healed_since(s: TenantSession, since: datetime) -> list[Approval]:
    """Those that healed since then, oldest first."""
    return await _approvals(s, ApprovalRow.state == ApprovalState.HEALED, ApprovalRow.finished_at >= since)


async def count_automatic(s: TenantSession, since: datetime) -> int:
    """How many the policy decided since then."""
    counted = (
        select(func.count())
        .select_from(ApprovalRow)
        .where(ApprovalRow.decision == "automatic", ApprovalRow.decided_at >= since)
    )
    return int(await s.value(counted) or 0)


async def decide(
    s: TenantSession,
    approval_id: ApprovalId,
    *,
    plan_hash: str,
    decision: Decision,
    by: UserId,
    approved_until: datetime | None,
) -> Decided | DecidedBefore | PlanDiffers | Expired:
    """Exactly one of any number of parallel callers gets Decided. Raises NotFound."""
    now = s.now()
    decided = await s.update(
        ApprovalRow,
        ApprovalRow.id == approval_id,
        ApprovalRow.state == ApprovalState.PROPOSED,
        ApprovalRow.plan_hash == plan_hash,
        ApprovalRow.expires_at > now,
        values={
            "state": ApprovalState.REJECTED if decision == "rejected" else ApprovalState.APPROVED,
            "decision": decision,
            "decided_by": by,
            "decided_at": now,
            "approved_until": None if decision == "rejected" else approved_until,
        },
    )
    found = _approval(s, await _row(s, approval_id))
    if decided == 1:
        return Decided(approval=found)
    if found.state is ApprovalState.EXPIRED or (found.state is ApprovalState.PROPOSED and found.expires_at <= now):
        return Expired(approval=found)
    if found.state is ApprovalState.PROPOSED:
        return PlanDiffers(approval=found)
    return DecidedBefore(approval=found)


async def replace_plan(
    s: TenantSession,
    approval_id: ApprovalId,
    *,
    plan: dict[str, Any],
    target_version: str | None,
    preview_read_at: datetime,
    risk: str | None = None,
) -> Approval | None:
    """A new plan under the same id, to be decided anew; None once it was rejected, expired or started.

    `risk` is the new plan's: who may approve is judged by it from now on; None leaves it. A decision on the old plan is
    cleared, and kept in the audit. Raises NotFound.
    """
    row = await _row(s, approval_id, lock=True)
    if row.state not in (ApprovalState.PROPOSED, ApprovalState.APPROVED):
        return None
    redacted = s.redactor.redact_json(plan)
    before = {
        "plan_hash": row.plan_hash,
        "state": row.state,
        "decided_by": row.decided_by,
        "decided_at": None if row.decided_at is None else row.decided_at.isoformat(),
    }
    row.plan = s.seal_json("approvals", "plan", row.id, redacted)
    row.plan_hash = plan_hash(redacted)
    row.target_version = None if target_version is None else s.redactor.redact(target_version)
    row.preview_read_at = preview_read_at
    row.risk = risk or row.risk
    row.state = ApprovalState.PROPOSED
    row.decision = row.decided_by = row.decided_at = row.approved_until = None
    await s.save()
    await audit.record(
        s,
        actor=audit.SYSTEM,
        action="system.approval.replanned",
        target=approval_id,
        details={"before": before, "plan_hash": row.plan_hash},
    )
    return _approval(s, row)


async def advance(
    s: TenantSession,
    approval_id: ApprovalId,
    *,
    to: ApprovalState,
    expect: Collection[ApprovalState],
    outcome: dict[str, Any] | None = None,
    **times: Unpack[Times],
) -> bool:
    """Moves from one of `expect` to `to`; False when it is elsewhere, and then nothing changed."""
    values: dict[str, Any] = {"state": ApprovalState(to), **times}
    if outcome is not None:
        values["outcome"] = s.seal_json("approvals", "outcome", approval_id, outcome)
    moved = await s.update(
        ApprovalRow, ApprovalRow.id == approval_id, ApprovalRow.state.in_(list(expect)), values=values
    )
    return moved == 1


async def set_message(s: TenantSession, approval_id: ApprovalId, channel: str, ts: str) -> None:
    """Where the card is shown."""
    await s.update(ApprovalRow, ApprovalRow.id == approval_id, values={"message_channel": channel, "message_ts": ts})


async def _approvals(s: TenantSession, *where: Any) -> list[Approval]:
    rows = await s.all(select(ApprovalRow).where(*where).order_by(ApprovalRow.proposed_at, ApprovalRow.id))
    return [_approval(s, row) for row in rows]


async def _row(s: TenantSession, approval_id: str, *, lock: bool = False) -> ApprovalRow:
    row = await s.one(ApprovalRow, ApprovalRow.id == approval_id, lock=lock)
    if row is None:
        raise NotFound("no such approval")
    return row


def _approval(s: TenantSession, row: ApprovalRow) -> Approval:
    return Approval(
        id=ApprovalId(row.id),
        incident_id=IncidentId(row.incident_id),
        investigation_id=None if row.investigation_id is None else InvestigationId(row.investigation_id),
        remediation=row.remediation,
        plan=s.open_json("approvals", "plan", row.id, row.plan),
        plan_hash=row.plan_hash,
        target=row.target,
        target_version=row.target_version,
        risk=row.risk,
        state=ApprovalState(row.state),
        proposed_at=row.proposed_at,
        expires_at=row.expires_at,
        preview_read_at=row.preview_read_at,
        decided_by=None if row.decided_by is None else UserId(row.decided_by),
        decided_at=row.decided_at,
        decision=_decision(row.decision),
        approved_until=row.approved_until,
        applied_at=row.applied_at,
        finished_at=row.finished_at,
        outcome=None if row.outcome is None else s.open_json("approvals", "outcome", row.id, row.outcome),
        undo_of=None if row.undo_of is None else ApprovalId(row.undo_of),
        message_channel=row.message_channel,
        message_ts=row.message_ts,
    )


def _decision(value: str | None) -> Decision | None:
    match value:
        case None | "approved" | "rejected" | "break_glass" | "automatic":
            return value
        case _:
            raise ValueError(f"unknown decision {value!r}")
