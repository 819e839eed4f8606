"""From a verdict's proposal, or a person's, to a stored plan; and that plan made anew. Reads only."""

from __future__ import annotations

from pydantic import ValidationError

from agents.approvals import autonomy, prohibitions
from agents.approvals.approval import context, read_approval
from agents.approvals.healing import criteria
from agents.errors import AgentError
from agents.investigation.case import InvestigationCase, load_case
from agents.permission import Person
from agents.remediation import (
    Impossible,
    Plan,
    PlanReason,
    discover_remediations,
)
from agents.runtime import Runtime
from agents.verdict import Proposal, Verdict
from store import audit
from store.audit import Actor, events
from store.database.session import TenantSession
from store.ids import ApprovalId, IncidentId, InvestigationId, TenantId, stable_id
from store.incidents import approvals, investigations
from store.incidents.approvals import Approval
from store.people import users


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
