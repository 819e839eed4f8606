"""From a proposal to the truth afterwards: wait for the decision, re-check, apply once, verify, tell.

The wait for people is off-queue. Only a stored decision leads to the effect; a word that is sent merely wakes the
workflow.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from agents.approvals import approval, effect, rechecking, verifying
from agents.approvals.healing import Healed
from agents.approvals.rechecking import Recheck
from agents.runtime import Runtime
from agents.workflow import Lane, StepFailed, Workflow, WorkflowContext, workflow_id
from store import audit, incidents
from store.audit import events
from store.ids import ApprovalId, InvestigationId, TenantId, stable_id
from store.incidents import approvals, conversations, investigations
from store.incidents.approvals import ApprovalState
from store.secrets.redaction import Redacted

TOPIC: Final = "decision"
_MAX_CHECKS: Final = 600


async def body(run: WorkflowContext, rt: Runtime, tenant: str, approval_id: str) -> str:
    """Answers the approval's last state."""
    t, a = TenantId(tenant), ApprovalId(approval_id)
    try:
        word = await _remediate(run, rt, t, a)
    except StepFailed as exc:
        reference = exc.reference

        async def fail() -> str:
            state = await approval.give_up(rt, t, a, reference)
            await rt.reporter.approval_changed(t, a)
            await rt.reporter.outcome(t, a)
            return state

        return await run.step("fail", fail)
    if word == ApprovalState.NOT_HEALED:
        await _go_on(run, rt, t, a)
    if word == ApprovalState.HEALED:
        await run.start("second_look", workflow_id(t, "second_look", a), t, a)
    return word


async def _remediate(run: WorkflowContext, rt: Runtime, t: TenantId, a: ApprovalId) -> str:
    async def show() -> str:
        await rt.reporter.proposed(t, a)
        return "shown"

    async def changed() -> str:
        await rt.reporter.approval_changed(t, a)
        return "shown"

    await run.step("show card", show)
    while True:
        decision = await _decision(run, rt, t, a)
        if decision != ApprovalState.APPROVED:
            await run.step("show end", changed)
            return decision
        checked = await run.step("re-check", lambda: rechecking.recheck(rt, t, a))
        await run.step("show re-check", changed)
        if checked == Recheck.ENDED:
            return await run.step("read end", lambda: _state(rt, t, a))
        if checked == Recheck.GO:
            word = await _apply(run, rt, t, a)
            if word not in (ApprovalState.PROPOSED, ApprovalState.APPROVED):  # else it was planned anew meanwhile
                break
    await run.step("show applied", changed)
    if word in (ApprovalState.APPLIED, ApprovalState.VERIFYING):  # the second: this runs again from its start
        word = await _verify(run, rt, t, a)

    async def tell() -> str:
        await rt.reporter.approval_changed(t, a)
        await rt.reporter.outcome(t, a)
        return "told"

    await run.step("tell", tell)
    return word


async def _apply(run: WorkflowContext, rt: Runtime, t: TenantId, a: ApprovalId) -> str:
    """The effect. If our own code fails in the middle, the fence turns the second arrival into a read."""
    try:
        return await run.step("apply", lambda: effect.apply_once(rt, t, a), effect=True)
    except StepFailed as exc:
        because = f"it failed inside Autoheal (reference {exc.reference})"
        return await run.step("read target", lambda: effect.apply_once(rt, t, a, again_because=because))


async def _decision(run: WorkflowContext, rt: Runtime, t: TenantId, a: ApprovalId) -> str:
    """The stored decision; waits for it up to the proposal's expiry."""
    for _ in range(_MAX_CHECKS):
        state = await run.step("read decision", lambda: _state(rt, t, a))
        if state != ApprovalState.PROPOSED:
            return state
        left = await run.step("time left", lambda: approval.time_left(rt, t, a))
        await run.mark("waiting")
        woken = await run.wait_for(TOPIC, timedelta(seconds=int(left)))
        if woken is None:
            break
    return await run.step("expire", lambda: _expire(rt, t, a))


async def _state(rt: Runtime, t: TenantId, a: ApprovalId) -> str:
    async with rt.db.tenant(t, readonly=True) as s:
        found = await approvals.approval(s, a)
    return found.state if found else ApprovalState.CANCELLED


async def _expire(rt: Runtime, t: TenantId, a: ApprovalId) -> str:
    await approval.expire(rt, t, a)
    return await _state(rt, t, a)


async def _verify(run: WorkflowContext, rt: Runtime, t: TenantId, a: ApprovalId) -> str:
    """Measure until healed, clearly not, or the window is over."""
    begun = await run.step("begin verifying", lambda: verifying.begin_verifying(rt, t, a))
    if begun in ("unverifiable", "done"):
        end = ApprovalState.DONE if begun == "done" else ApprovalState.UNKNOWN
        return await run.step("finish", lambda: verifying.finish(rt, t, a, end))
    verdict: str = Healed.WAIT
    for check in range(_MAX_CHECKS):
        await run.sleep(rt.pace.healing_check)
        verdict = await run.step(f"check {check}", lambda: verifying.check_healing(rt, t, a))
        if verdict != Healed.WAIT:
            break
    word = ApprovalState.UNKNOWN if verdict == Healed.WAIT else ApprovalState(verdict)
    return await run.step("finish", lambda: verifying.finish(rt, t, a, word))


async def _go_on(run: WorkflowContext, rt: Runtime, t: TenantId, a: ApprovalId) -> None:
    """The fix was not the fix: the search goes on in the same thread, with what was learned."""

    async def next_run() -> str:
        async with rt.db.tenant(t) as s:
            found = await approvals.approval(s, a)
            if found is None or found.investigation_id is None or found.undo_of is not None:
                return ""
            last = await investigations.investigation(s, found.investigation_id)
            incident = await incidents.incident(s, found.incident_id)
            if last is None or incident is None or last.attempt >= rt.pace.attempts:
                return ""
            conversation = await conversations.conversation(
                s, channel_id=incident.channel_id, thread_ts=incident.thread_ts
            )
            if conversation is None:
                return ""
            next_id = InvestigationId(stable_id("attempt", t, a))
            question = Redacted.ours(f"{last.question}\n(Already tried: {found.plan['title']}. It did not heal.)")
            await investigations.create_investigation(
                s,
                id=next_id,
                incident_id=incident.id,
                conversation_id=conversation.id,
                question=question,
                requested_by=last.requested_by,
                attempt=last.attempt + 1,
            )
            actor, details = audit.Actor(type="agent", id=last.id), {"incident": incident.id, "after": a}
            await events.emit(s, "ai.autoheal.investigation.queued.v1", next_id, details, actor=actor)
            await audit.record(s, actor=actor, action="agent.investigation.requested", target=next_id, details=details)
            return next_id

    following = await run.step("go on", next_run)
    if following:
        await run.start("investigate", workflow_id(t, "investigate", following), t, following)


WORKFLOW = Workflow(name="remediate", lane=Lane.DIRECT, body=body)
