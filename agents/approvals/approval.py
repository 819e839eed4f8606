"""The life of a proposal after the verdict: planned, decided by a person, re-checked, applied once, verified, told.

Each function is one step of the `remediate` workflow and safe to run again. Nothing here trusts the model: the plan
comes from the remediation's own reads, the decision from the store, the effect stands behind a fence.
"""

from __future__ import annotations

import asyncio
import logging
import math
from datetime import timedelta
from enum import StrEnum
from functools import partial
from typing import Any, Final

from pydantic import ValidationError

from agents.approvals import autonomy, prohibitions
from agents.approvals.healing import Healed, Reading, criteria, judge_readings, read_indicator
from agents.connecting.connector import Outliving
from agents.durable.patience import Patience
from agents.errors import AgentError, Unavailable
from agents.investigation.case import InvestigationCase, load_case
from agents.permission import Denied, Person, check_approval
from agents.remediation import (
    Healing,
    Impossible,
    Plan,
    PlanReason,
    RemediationContext,
    discover_remediations,
    rate_risk,
)
from agents.runtime import Runtime
from agents.tool import Risk
from agents.verdict import Proposal, Verdict
from store import audit, incidents
from store.audit import Actor, events
from store.database.session import TenantSession
from store.ids import ApprovalId, IncidentId, InvestigationId, TenantId, stable_id
from store.incidents import approvals, fences, investigations
from store.incidents.approvals import Approval, ApprovalState
from store.people import users

log = logging.getLogger("autoheal.approval")

_APPLY_TIMEOUT: Final = timedelta(minutes=5)
_READING_S: Final = 5.0


class Recheck(StrEnum):
    GO = "go"
    STALE = "stale"
    ENDED = "ended"


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


async def propose(rt: Runtime, tenant: TenantId, investigation: InvestigationId) -> ApprovalId | None:
    """Make and store the plan of a verdict's proposal. None when there is nothing to propose; the reason goes into the
    verdict.
    """
    case = await load_case(rt.db, tenant, investigation)
    verdict = Verdict.model_validate(case.investigation.verdict)
    if verdict.proposal is None:
        return None
    async with rt.db.tenant(tenant, readonly=True) as s:
        asker = await users.user(s, case.investigation.requested_by) if case.investigation.requested_by else None
    plan = await plan_of(
        rt, tenant, case, verdict, verdict.proposal, requested_by=asker.slack_user_id if asker else "Autoheal"
    )
    if isinstance(plan, Impossible):
        refused = verdict.model_copy(update={"proposal": None, "proposal_refused": plan.reason})
        async with rt.db.tenant(tenant) as s:
            await investigations.save_verdict(s, investigation, refused.model_dump(mode="json"))
        return None
    approval_id = ApprovalId(stable_id("approval", tenant, investigation))
    async with rt.db.tenant(tenant) as s:
        await store_proposal(s, rt, approval_id, incident=case.incident.id, investigation=investigation, plan=plan)
    await autonomy.decide_alone(rt, tenant, approval_id)
    return approval_id


async def plan_of(
    rt: Runtime, tenant: TenantId, case: InvestigationCase, verdict: Verdict, proposal: Proposal, *, requested_by: str
) -> Plan | Impossible:
    """The plan of a proposal, whoever made it: what people ruled out, and a workspace that is only suggested to, are
    heard first. `requested_by` is a Slack user's id.
    """
    services = (await rt.toolbox_for(tenant)).service_names()
    async with rt.db.tenant(tenant) as s:
        ruled_out = await prohibitions.against(s, services, case.incident.id, proposal)
    reason = PlanReason(
        cause=verdict.cause.statement if verdict.cause else verdict.headline,
        confidence=verdict.confidence,
        evidence=tuple(
            dict.fromkeys(c.artifact for c in verdict.claims if c.artifact and c.status in ("observed", "derived"))
        ),
        requested_by=requested_by,
        healing=criteria(verdict.symptom, rt.pace),
        incident=case.incident.id,
    )
    if ruled_out:
        return Impossible(reason=f"{_named(proposal)} was {ruled_out}")
    plan = await _plan(rt, tenant, proposal.remediation, dict(proposal.arguments), reason)
    if isinstance(plan, Plan):
        async with rt.db.tenant(tenant, readonly=True) as s:
            level = await autonomy.level_of(s, plan.risk)
        if level == "suggest":
            return Impossible(reason=f"{plan.title} would be the remedy; this workspace lets Autoheal suggest only.")
    return plan


def _named(proposal: Proposal) -> str:
    """`The rollback of catalog`, `The restart of catalog`."""
    what = proposal.remediation.partition("_")[0]
    service = proposal.arguments.get("service")
    return f"The {what}{f' of {service}' if service else ''}"


async def store_proposal(
    s: TenantSession,
    rt: Runtime,
    approval_id: ApprovalId,
    *,
    incident: IncidentId,
    investigation: InvestigationId | None,
    plan: Plan,
    undo_of: ApprovalId | None = None,
    by: Person | None = None,
) -> Approval:
    """The plan's row with its event and audit entry. Safe to repeat: what is stored stays and is not told again. `by`
    is the person who proposes it, where that is no investigation.
    """
    if (known := await approvals.approval(s, approval_id)) is not None:
        return known
    stored = await approvals.propose(
        s,
        id=approval_id,
        incident_id=incident,
        investigation_id=investigation,
        remediation=plan.remediation,
        plan=plan.model_dump(mode="json"),
        target=plan.target,
        target_version=plan.target_version,
        risk=plan.risk.value,
        expires_at=rt.clock() + rt.pace.proposal_open,
        preview_read_at=plan.read_at,
        undo_of=undo_of,
    )
    actor = Actor(type="user", id=by.user_id) if by else Actor(type="agent", id=investigation or "autoheal")
    details = {"remediation": plan.remediation, "risk": plan.risk.value, "plan_hash": stored.plan_hash}
    await events.emit(s, "ai.autoheal.approval.proposed.v1", approval_id, details, actor=actor)
    source = by.door if by else "agent"
    await audit.record(s, actor=actor, action=f"{source}.approval.proposed", target=approval_id, details=details)
    return stored


async def _plan(
    rt: Runtime, tenant: TenantId, name: str, arguments: dict[str, str], reason: PlanReason
) -> Plan | Impossible:
    remediation = discover_remediations().get(name)
    if remediation is None:
        return Impossible(reason=f"there is no remediation called {name!r}")
    try:
        parsed = remediation.arguments.model_validate(arguments)
    except ValidationError:
        return Impossible(reason=f"the arguments of {name} were not usable")
    try:
        return await remediation.plan(parsed, reason, await context(rt, tenant))
    except AgentError as exc:
        return Impossible(reason=f"the target could not be read: {exc}")


async def withdraw(rt: Runtime, tenant: TenantId, investigation: InvestigationId, reference: str) -> None:
    """The plan of a verdict's proposal could not be made, by our own fault: the verdict says so."""
    async with rt.db.tenant(tenant) as s:
        run = await investigations.investigation(s, investigation)
        if run is None or run.verdict is None:
            return
        why = f"its plan failed inside Autoheal (reference {reference})"
        refused = Verdict.model_validate(run.verdict).model_copy(update={"proposal": None, "proposal_refused": why})
        await investigations.save_verdict(s, investigation, refused.model_dump(mode="json"))


async def replan(
    rt: Runtime,
    tenant: TenantId,
    approval: Approval,
    *,
    arguments: dict[str, str] | None = None,
    requested_by: Person | None = None,
) -> Approval | Impossible | None:
    """Read the target again and store the new plan under the same approval, undecided. None once it has ended.

    `requested_by` is whoever asks for other arguments; the new plan is theirs.
    """
    old = Plan.model_validate(approval.plan)
    reason = PlanReason(
        cause=old.cause,
        confidence=old.confidence,
        evidence=old.evidence,
        requested_by=requested_by.slack_user_id if requested_by else old.requested_by,
        healing=old.healing,
        incident=approval.incident_id,
    )
    if approval.undo_of is not None and arguments is None:
        plan = await _undo_plan(rt, tenant, approval.undo_of, reason)
    else:
        plan = await _plan(rt, tenant, approval.remediation, arguments or _arguments_of(old), reason)
    if isinstance(plan, Impossible):
        return plan
    async with rt.db.tenant(tenant) as s:
        replaced = await approvals.replace_plan(
            s,
            approval.id,
            plan=plan.model_dump(mode="json"),
            target_version=plan.target_version,
            preview_read_at=plan.read_at,
            risk=plan.risk.value,
        )
        if replaced is not None:
            details = {"plan_hash": replaced.plan_hash}
            await events.emit(s, "ai.autoheal.approval.replanned.v1", approval.id, details)
            if requested_by is not None:
                actor = Actor(type="user", id=requested_by.user_id)
                action = f"{requested_by.door}.approval.replanned"
                await audit.record(s, actor=actor, action=action, target=approval.id, details=details)
        return replaced


async def _undo_plan(rt: Runtime, tenant: TenantId, undone: ApprovalId, reason: PlanReason) -> Plan | Impossible:
    """The undo of an applied plan, read anew."""
    async with rt.db.tenant(tenant, readonly=True) as s:
        original = await read_approval(s, undone)
    plan = Plan.model_validate(original.plan)
    try:
        return await discover_remediations()[plan.remediation].undo(plan, reason, await context(rt, tenant))
    except AgentError as exc:
        return Impossible(reason=f"the target could not be read: {exc}")


def _arguments_of(plan: Plan) -> dict[str, str]:
    """The remediation's arguments that led to this plan."""
    known = {**plan.parameters, "service": plan.target, "to_version": plan.to_version}
    accepted = discover_remediations()[plan.remediation].arguments.model_fields
    return {name: value for name, value in known.items() if name in accepted and value is not None}


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
    if isinstance(allowed, Denied):
        async with rt.db.tenant(tenant) as s:
            actor, details = Actor(type="agent", id="autoheal"), {"reason": allowed.reason}
            await audit.record(s, actor=actor, action="agent.effect.refused", target=approval_id, details=details)
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
            actor, details = Actor(type="agent", id="autoheal"), {"reason": str(s.redactor.redact(reason))[:300]}
            await audit.record(s, actor=actor, action="agent.effect.refused", target=approval_id, details=details)
    return reason is None


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


async def apply_once(
    rt: Runtime, tenant: TenantId, approval_id: ApprovalId, *, again_because: str = "the process died while applying"
) -> ApprovalState:
    """Carry out the plan behind the fence. A second arrival never acts: it reads the target and says unknown.

    Answers the state as it is when nothing may be applied: not approved, planned anew meanwhile, or ended.
    """
    key = _fence_of(approval_id)
    around = await _around_automatic(rt, tenant, approval_id)
    try:
        async with rt.db.tenant(tenant) as s:
            approval = await read_approval(s, approval_id)
            first = await fences.enter(s, key=key, effect=Plan.model_validate(approval.plan).action)
            if first:
                approval = await _claim_effect(s, approval_id, key, around)
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
    s: TenantSession, approval_id: ApprovalId, key: str, around: autonomy.Surrounding | None
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
