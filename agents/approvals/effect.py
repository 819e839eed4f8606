"""The effect itself, once, behind the fence. A second arrival never acts: it reads the target and says unknown."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Any, Final

from agents.approvals import autonomy
from agents.approvals.approval import context, read_approval
from agents.approvals.obstacles import obstacle
from agents.connecting.connector import Outliving
from agents.durable.patience import Patience
from agents.errors import AgentError, Unavailable
from agents.remediation import (
    Plan,
    discover_remediations,
)
from agents.runtime import Runtime
from store import audit
from store.audit import Actor, events
from store.database.session import TenantSession
from store.ids import ApprovalId, TenantId
from store.incidents import approvals, fences
from store.incidents.approvals import Approval, ApprovalState

_APPLY_TIMEOUT: Final = timedelta(minutes=5)


async def apply_once(
    rt: Runtime, tenant: TenantId, approval_id: ApprovalId, *, again_because: str = "the process died while applying"
) -> ApprovalState:
    """Carry out the plan behind the fence. A second arrival never acts: it reads the target and says unknown.

    Answers the state as it is when nothing may be applied: not approved, planned anew meanwhile, or ended.
    """
    key = _fence_of(approval_id)
    around = await _around_automatic(rt, tenant, approval_id)
    services = (await rt.toolbox_for(tenant)).service_names()
    try:
        async with rt.db.tenant(tenant) as s:
            approval = await read_approval(s, approval_id)
            first = await fences.enter(s, key=key, effect=Plan.model_validate(approval.plan).action)
            if first:
                approval = await _claim_effect(s, approval_id, key, around, services)
    except _NotApproved:
        async with rt.db.tenant(tenant, readonly=True) as s:
            return (await read_approval(s, approval_id)).state
    if not first:
        if approval.state is not ApprovalState.APPLYING:
            return approval.state
        return await _interrupted(rt, tenant, approval, again_because)
    return await _act(rt, tenant, approval)


async def _around_automatic(rt: Runtime, tenant: TenantId, approval_id: ApprovalId) -> autonomy.Surrounding | None:
    async with rt.db.tenant(tenant, readonly=True) as s:
        decision = (await read_approval(s, approval_id)).decision
    return await autonomy.surrounding(rt, tenant, approval_id) if decision == "automatic" else None


async def _act(rt: Runtime, tenant: TenantId, approval: Approval) -> ApprovalState:
    """The effect itself, behind the fence."""
    plan = Plan.model_validate(approval.plan)
    remediation = discover_remediations()[plan.remediation]
    try:
        async with asyncio.timeout(_APPLY_TIMEOUT.total_seconds()):
            result = await remediation.apply(plan, await context(rt, tenant), idempotency_key=approval.id)
    except TimeoutError:
        return await _interrupted(rt, tenant, approval, "the call did not end in time")
    except Unavailable:
        return await _interrupted(rt, tenant, approval, "the call broke off")
    except AgentError as exc:
        return await _finish_effect(rt, tenant, approval.id, ApprovalState.FAILED, str(exc))
    state = ApprovalState.APPLIED if result.ok else ApprovalState.FAILED
    return await _finish_effect(rt, tenant, approval.id, state, result.detail)


def _fence_of(approval_id: ApprovalId) -> str:
    return f"apply:{approval_id}"


class _NotApproved(Exception):
    """Nothing may be applied; takes the fence back with the transaction."""


async def _claim_effect(
    s: TenantSession,
    approval_id: ApprovalId,
    key: str,
    around: autonomy.Surrounding | None,
    services: Sequence[str],
) -> Approval:
    """The approval whose plan is applied now: read after the claim, so that it is the one that was approved."""
    if not await approvals.advance(s, approval_id, to=ApprovalState.APPLYING, expect={ApprovalState.APPROVED}):
        raise _NotApproved
    approval = await read_approval(s, approval_id)
    if approval.approved_until is None or s.now() > approval.approved_until:
        raise _NotApproved  # the store kept us waiting past the time for which people approved: it is checked anew
    if approval.decision == "automatic" and (around is None or await autonomy.objection(s, approval, around)):
        raise _NotApproved  # somebody paused it, or ruled it out, in this moment
    plan = Plan.model_validate(approval.plan)
    if await obstacle(s, approval, plan, services):
        raise _NotApproved  # a click is no answer to what people said after it
    details = {"fence": key, "action": plan.action, "plan_hash": approval.plan_hash, "decided_by": approval.decided_by}
    await events.emit(s, "ai.autoheal.remediation.started.v1", approval.id, details)
    actor = Actor(type="agent", id=approval.investigation_id or "autoheal")
    await audit.record(s, actor=actor, action="agent.effect.started", target=approval.id, details=details)
    return approval


async def _interrupted(rt: Runtime, tenant: TenantId, approval: Approval, what: str) -> ApprovalState:
    """The process died, or time ran out, between the start and the end of the effect: read, tell, never retry."""
    plan = Plan.model_validate(approval.plan)
    remediation, ctx = discover_remediations()[plan.remediation], await context(rt, tenant)
    try:
        actuator = ctx.actuator_of(plan)
        if isinstance(actuator, Outliving) and not await actuator.settle(approval.id):
            what = f"{what}; its command still runs"
        target = await remediation.read_target(plan, ctx)
        reads = f"the target reads {target.version[:7]}, {target.state}"
    except AgentError as exc:
        reads = f"the target could not be read ({exc})"
    detail = f"{what}; {reads}; I will not retry"
    return await _finish_effect(rt, tenant, approval.id, ApprovalState.UNKNOWN, detail)


async def _finish_effect(
    rt: Runtime, tenant: TenantId, approval_id: ApprovalId, state: ApprovalState, detail: str
) -> ApprovalState:
    """What came of the effect is known here only: it is not given up while the store does not answer."""
    write = partial(_write_outcome, rt, tenant, approval_id, state, detail)
    return await Patience(sleep=rt.sleep).outlast(write, what="the outcome of an effect")


async def _write_outcome(
    rt: Runtime, tenant: TenantId, approval_id: ApprovalId, state: ApprovalState, detail: str
) -> ApprovalState:
    key = _fence_of(approval_id)
    verb = {ApprovalState.APPLIED: "applied", ApprovalState.FAILED: "failed"}.get(state, "unknown")
    async with rt.db.tenant(tenant) as s:
        outcome = {"word": state.value, "detail": str(s.redactor.redact(detail))[:500]}
        now = rt.clock()
        times: dict[str, Any] = {"applied_at": now} if state is ApprovalState.APPLIED else {"finished_at": now}
        moved = await approvals.advance(
            s, approval_id, to=state, expect={ApprovalState.APPLYING}, outcome=outcome, **times
        )
        if not moved:
            return (await read_approval(s, approval_id)).state
        await fences.finish(s, key, state.value)
        await events.emit(s, f"ai.autoheal.remediation.{verb}.v1", approval_id, {"fence": key})
        action = "agent.effect.unknown" if state is ApprovalState.UNKNOWN else "agent.effect.finished"
        actor = Actor(type="agent", id="autoheal")
        await audit.record(s, actor=actor, action=action, target=approval_id, details={"fence": key, **outcome})
    return state
