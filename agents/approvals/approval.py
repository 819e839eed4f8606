"""What the steps of a proposal's life share, and its ends without an effect: nobody answered, or our own code failed.

Planned in `planning`, re-checked in `rechecking`, applied once in `effect`, verified in `verifying`: each function is a
step of a workflow and safe to run again. Nothing there trusts the model: the plan comes from the remediation's own
reads, the decision from the store, the effect stands behind a fence.
"""

from __future__ import annotations

import math

from agents.remediation import (
    RemediationContext,
)
from agents.runtime import Runtime
from store import audit
from store.audit import Actor, events
from store.database.session import TenantSession
from store.ids import ApprovalId, TenantId
from store.incidents import approvals
from store.incidents.approvals import Approval, ApprovalState


async def context(rt: Runtime, tenant: TenantId) -> RemediationContext:
    toolbox = await rt.toolbox_for(tenant)
    return RemediationContext(
        actuators=toolbox.actuators,
        changes=toolbox.changes,
        services=toolbox.services,
        now=rt.clock,
        hold=rt.pace.healing_hold,
        window=rt.pace.healing_window,
    )


async def time_left(rt: Runtime, tenant: TenantId, approval_id: ApprovalId) -> str:
    """Whole seconds until the proposal expires, rounded up; 0 once it has."""
    async with rt.db.tenant(tenant, readonly=True) as s:
        left = (await read_approval(s, approval_id)).expires_at - rt.clock()
    return str(max(0, math.ceil(left.total_seconds())))


async def give_up(rt: Runtime, tenant: TenantId, approval_id: ApprovalId, reference: str) -> ApprovalState:
    """A step failed by our own fault: nothing hangs. What had begun is unknown, what had not has failed."""
    detail = f"failed inside Autoheal (reference {reference})"
    begun = {ApprovalState.APPLYING, ApprovalState.APPLIED, ApprovalState.VERIFYING}
    async with rt.db.tenant(tenant) as s:
        approval = await read_approval(s, approval_id)
        state = ApprovalState.UNKNOWN if approval.state in begun else ApprovalState.FAILED
        outcome = {**(approval.outcome or {}), "word": state.value, "detail": detail}
        expect = begun | {ApprovalState.PROPOSED, ApprovalState.APPROVED}
        if not await approvals.advance(
            s, approval_id, to=state, expect=expect, outcome=outcome, finished_at=rt.clock()
        ):
            return approval.state
        await events.emit(s, f"ai.autoheal.remediation.{state.value}.v1", approval_id, {"reference": reference})
        action = "agent.effect.unknown" if state is ApprovalState.UNKNOWN else "agent.effect.finished"
        actor, details = Actor(type="agent", id="autoheal"), {"word": state.value, "reference": reference}
        await audit.record(s, actor=actor, action=action, target=approval_id, details=details)
    return state


async def expire(rt: Runtime, tenant: TenantId, approval_id: ApprovalId) -> None:
    """Nobody answered in time. Not a denial."""
    async with rt.db.tenant(tenant) as s:
        moved = await approvals.advance(
            s, approval_id, to=ApprovalState.EXPIRED, expect={ApprovalState.PROPOSED}, finished_at=rt.clock()
        )
        if moved:
            await events.emit(s, "ai.autoheal.approval.expired.v1", approval_id)
            await audit.record(s, actor=audit.SYSTEM, action="system.approval.expired", target=approval_id)


async def read_approval(s: TenantSession, approval_id: ApprovalId) -> Approval:
    """Raises LookupError."""
    approval = await approvals.approval(s, approval_id)
    if approval is None:
        raise LookupError(f"no approval {approval_id}")
    return approval
