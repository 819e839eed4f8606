"""Did it heal? Measured until it holds or not; the end is written, and the incident follows."""

from __future__ import annotations

from typing import Any, Final

from agents.approvals.approval import context, read_approval
from agents.approvals.healing import Healed, Reading, judge_readings, read_indicator
from agents.errors import AgentError
from agents.remediation import (
    Healing,
    Plan,
    discover_remediations,
)
from agents.runtime import Runtime
from store import audit, incidents
from store.audit import Actor, events
from store.database.session import TenantSession
from store.ids import ApprovalId, TenantId
from store.incidents import approvals
from store.incidents.approvals import Approval, ApprovalState

_READING_S: Final = 5.0


async def begin_verifying(rt: Runtime, tenant: TenantId, approval_id: ApprovalId) -> str:
    """`verifying`, or `unverifiable` when the plan has no measurable indicator. `done` for what is no cure, once its
    target is as it was asked for.
    """
    async with rt.db.tenant(tenant) as s:
        plan = Plan.model_validate((await read_approval(s, approval_id)).plan)
        if plan.healing is not None:
            await approvals.advance(s, approval_id, to=ApprovalState.VERIFYING, expect={ApprovalState.APPLIED})
            return "verifying"
    remediation = discover_remediations()[plan.remediation]
    if remediation.is_cure:
        return "unverifiable"
    try:
        target = await remediation.read_target(plan, await context(rt, tenant))
    except AgentError:
        return "unverifiable"
    return "done" if remediation.reached(plan, target) else "unverifiable"


async def check_healing(rt: Runtime, tenant: TenantId, approval_id: ApprovalId) -> Healed:
    """Measure once, remember the reading, judge all readings. Repeating it only adds a reading."""
    async with rt.db.tenant(tenant, readonly=True) as s:
        approval = await read_approval(s, approval_id)
    plan = Plan.model_validate(approval.plan)
    if plan.healing is None or approval.applied_at is None:
        return Healed.UNKNOWN
    reading = await read_healing(rt, tenant, plan, plan.healing)
    outcome = approval.outcome or {}
    readings = [(r["at"], r["value"]) for r in outcome.get("readings", [])]
    if reading is not None:
        readings.append((reading.at.timestamp(), reading.value))
        async with rt.db.tenant(tenant) as s:
            await approvals.advance(
                s,
                approval_id,
                to=ApprovalState.VERIFYING,
                expect={ApprovalState.VERIFYING},
                outcome={**outcome, "readings": [{"at": at, "value": value} for at, value in readings][-120:]},
            )
    taken = [Reading(at=_from_timestamp(rt, at), value=value) for at, value in readings]
    return judge_readings(plan.healing, taken, approval.applied_at, reading.at if reading else rt.clock())


async def read_healing(rt: Runtime, tenant: TenantId, plan: Plan, healing: Healing) -> Reading | None:
    """One measurement of how the incident was seen: at the target, where it is what told of it."""
    remediation = discover_remediations()[plan.remediation]
    if not remediation.told_by or healing.indicator != remediation.told_by:
        return await read_indicator(rt, tenant, healing, _READING_S)
    try:
        target = await remediation.read_target(plan, await context(rt, tenant))
    except AgentError:
        return None
    value = remediation.unwell(target)
    return None if value is None else Reading(at=rt.clock(), value=value)


def _from_timestamp(rt: Runtime, at: float) -> Any:
    return type(rt.clock()).fromtimestamp(at, tz=rt.clock().tzinfo)


async def finish(rt: Runtime, tenant: TenantId, approval_id: ApprovalId, word: str) -> str:
    """Write the end: healed, done, not_healed or unknown, with the last measured value; the incident follows."""
    state = ApprovalState(word)
    async with rt.db.tenant(tenant) as s:
        approval = await read_approval(s, approval_id)
        readings = (approval.outcome or {}).get("readings", [])
        outcome = {**(approval.outcome or {}), "word": word, "last": readings[-1]["value"] if readings else None}
        moved = await approvals.advance(
            s,
            approval_id,
            to=state,
            expect={ApprovalState.VERIFYING, ApprovalState.APPLIED},
            outcome=outcome,
            finished_at=rt.clock(),
        )
        if moved:
            await _incident_follows(s, approval, state)
            await events.emit(s, f"ai.autoheal.remediation.{word}.v1", approval_id, {"last": outcome["last"]})
            actor = Actor(type="agent", id="autoheal")
            details = {"word": word, "last": outcome["last"]}
            await audit.record(s, actor=actor, action="agent.effect.verified", target=approval_id, details=details)
    return word


async def _incident_follows(s: TenantSession, approval: Approval, state: ApprovalState) -> None:
    """Healed, it is mitigated; broken again after an undo, it is worked on again."""
    incident, by = approval.incident_id, {"by": approval.id}
    if state is ApprovalState.HEALED and await incidents.mitigate_incident(s, incident):
        await events.emit(s, "ai.autoheal.incident.mitigated.v1", incident, by)
    broken = state is ApprovalState.NOT_HEALED and approval.undo_of is not None
    if broken and await incidents.work_on_incident(s, incident):
        await events.emit(s, "ai.autoheal.incident.reopened.v1", incident, by)
