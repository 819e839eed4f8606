"""Just before the effect: is it still approved, allowed, fresh, the target as it was shown? Else planned anew."""

from __future__ import annotations

from enum import StrEnum

from agents.approvals import autonomy
from agents.approvals.approval import context, read_approval
from agents.approvals.obstacles import obstacle
from agents.approvals.planning import replan
from agents.errors import AgentError
from agents.permission import Denied, check_approval
from agents.remediation import (
    Impossible,
    Plan,
    discover_remediations,
    rate_risk,
)
from agents.runtime import Runtime
from agents.tool import Risk
from store import audit
from store.audit import Actor, events
from store.database.session import TenantSession
from store.ids import ApprovalId, TenantId
from store.incidents import approvals
from store.incidents.approvals import Approval, ApprovalState
from store.people import users


class Recheck(StrEnum):
    GO = "go"
    STALE = "stale"
    ENDED = "ended"


async def recheck(rt: Runtime, tenant: TenantId, approval_id: ApprovalId) -> Recheck:
    """Just before the effect: still approved, still allowed, still fresh, target unchanged. Else it is planned anew."""
    async with rt.db.tenant(tenant, readonly=True) as s:
        approval = await read_approval(s, approval_id)
        decider = await users.user(s, approval.decided_by) if approval.decided_by else None
    if approval.state in (ApprovalState.APPLYING, ApprovalState.APPLIED, ApprovalState.VERIFYING):
        return Recheck.GO  # a crash came after the check; the fence decides
    if approval.state is not ApprovalState.APPROVED:
        return Recheck.ENDED
    plan = Plan.model_validate(approval.plan)
    allowed = (
        check_approval(decider.role, Risk(approval.risk), is_requester=False) if decider else Denied("nobody decided")
    )
    services = (await rt.toolbox_for(tenant)).service_names()
    async with rt.db.tenant(tenant) as s:
        reason = allowed.reason if isinstance(allowed, Denied) else None
        if approval.decision != "automatic":  # the policy's own are judged below, with all else that they need
            reason = reason or await obstacle(s, approval, plan, services)
        if reason is not None:
            await _refused(s, approval_id, reason)
    if reason is not None:
        return await _stale(rt, tenant, approval)
    now = rt.clock()
    in_time = approval.approved_until is not None and now <= min(approval.approved_until, plan.fresh_until)
    by_policy = approval.decision == "automatic"
    if (
        in_time
        and (not by_policy or await _still_automatic(rt, tenant, approval_id))
        and await _same_target(rt, tenant, plan)
    ):
        return Recheck.GO
    return await _stale(rt, tenant, approval)


async def _still_automatic(rt: Runtime, tenant: TenantId, approval_id: ApprovalId) -> bool:
    """Whether everything that the policy asks for still holds; else people decide."""
    around = await autonomy.surrounding(rt, tenant, approval_id)
    async with rt.db.tenant(tenant) as s:
        reason = await autonomy.objection(s, await read_approval(s, approval_id), around)
        if reason is not None:
            await _refused(s, approval_id, reason)
    return reason is None


async def _refused(s: TenantSession, approval_id: ApprovalId, reason: str) -> None:
    actor, details = Actor(type="agent", id="autoheal"), {"reason": str(s.redactor.redact(reason))[:300]}
    await audit.record(s, actor=actor, action="agent.effect.refused", target=approval_id, details=details)


async def _same_target(rt: Runtime, tenant: TenantId, plan: Plan) -> bool:
    """Whether the target is as it was read, and what would be sent, at which risk, is what the card showed."""
    remediation, ctx = discover_remediations()[plan.remediation], await context(rt, tenant)
    try:
        target = await remediation.read_target(plan, ctx)
        actuator = ctx.actuator_of(plan)
        argv = actuator.argv(plan.action, plan.parameters)
        risk = rate_risk(remediation.risk, actuator, plan.action, plan.target)
    except AgentError:
        return False
    async with rt.db.tenant(tenant, readonly=True) as s:
        shown = tuple(s.redactor.redact_json(argv))
    return remediation.binding(target) == plan.target_version and (shown, risk) == (plan.argv, plan.risk)


async def _stale(rt: Runtime, tenant: TenantId, approval: Approval) -> Recheck:
    replaced = await replan(rt, tenant, approval)
    if isinstance(replaced, Impossible) or replaced is None:
        why = replaced.reason if isinstance(replaced, Impossible) else "it had ended"
        async with rt.db.tenant(tenant) as s:
            outcome = {"word": "failed", "detail": str(s.redactor.redact(why))[:500]}
            ended = await approvals.advance(
                s,
                approval.id,
                to=ApprovalState.FAILED,
                expect={ApprovalState.PROPOSED, ApprovalState.APPROVED},
                outcome=outcome,
            )
            if ended:
                actor = Actor(type="agent", id="autoheal")
                await events.emit(s, "ai.autoheal.approval.cancelled.v1", approval.id, actor=actor)
                await audit.record(
                    s, actor=actor, action="agent.approval.cancelled", target=approval.id, details=outcome
                )
        return Recheck.ENDED
    return Recheck.STALE
