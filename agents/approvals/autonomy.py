"""What may be done without a click, and everything that keeps it from being done.

An admin opts in, for low risk only; the decision is then stored as theirs, and can be undone like any other. It takes
a plan that is reversible and of low risk in code, a verdict of high confidence that passed the gate whole, an incident
in a channel that this admin can see, no pause, and a place under the hourly cap. Whatever blocks a click blocks it too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from agents.approvals.obstacles import obstacle
from agents.permission import Person
from agents.remediation import Plan, discover_remediations
from agents.runtime import Runtime
from agents.tool import Risk
from agents.verdict import Verdict
from store import audit, incidents
from store.audit import Actor, events
from store.database.session import TenantSession
from store.ids import ApprovalId, TenantId
from store.incidents import approvals, investigations
from store.incidents.approvals import Approval, ApprovalState, Decided
from store.people import users
from store.people.users import Role
from store.tenancy import autonomy as policies
from store.tenancy import tenants
from store.tenancy.autonomy import AutonomyLevel, AutonomyPolicy

_HOUR: Final = timedelta(hours=1)
_WEIGHTY: Final = frozenset({"cause", "confidence", "proposal"})


@dataclass(frozen=True, kw_only=True)
class Surrounding:
    """What was asked outside of the transaction: the declared services, who allowed it, and whether they can see the
    incident's channel.
    """

    services: Sequence[str]
    admin: Person | None
    sees: bool


async def level_of(s: TenantSession, risk: Risk) -> AutonomyLevel:
    """How a plan of this risk is dealt with here. A workspace that is only suggested to wants that of every risk."""
    if (await tenants.settings(s)).autonomy == "suggest":
        return "suggest"
    return (await policies.autonomy_policy(s)).level(risk.value)


async def decide_alone(rt: Runtime, tenant: TenantId, approval_id: ApprovalId) -> bool:
    """Decides on a proposal where the policy says so. False where it waits for a click; why is in the audit log where
    the policy would have allowed it. Safe to repeat.
    """
    around = await surrounding(rt, tenant, approval_id)
    async with rt.db.tenant(tenant) as s:
        found = await approvals.approval(s, approval_id)
        if found is None or found.state is not ApprovalState.PROPOSED:
            return False
        if await level_of(s, Risk(found.risk)) != "automatic":
            return False
        await s.head()  # of any number of proposals at once only as many pass as the cap allows
        policy = await policies.autonomy_policy(s)
        reason = await objection(s, found, around)
        if reason is None and await approvals.count_automatic(s, s.now() - _HOUR) >= policy.hourly_cap:
            reason = f"the hourly cap of {policy.hourly_cap} is reached"
        actor = Actor(type="agent", id=found.investigation_id or "autoheal")
        if reason is not None or policy.automatic_by is None:
            await _refused(s, actor, found, reason or "nobody opted in")
            return False
        decided = await approvals.decide(
            s,
            found.id,
            plan_hash=found.plan_hash,
            decision="automatic",
            by=policy.automatic_by,
            approved_until=rt.clock() + rt.pace.approval_valid,
        )
        if not isinstance(decided, Decided):
            return False
        await _decided(s, actor, found, policy)
    return True


async def surrounding(rt: Runtime, tenant: TenantId, approval_id: ApprovalId) -> Surrounding:
    """Asks for what `objection` needs to know. Outside of any transaction."""
    services = (await rt.toolbox_for(tenant)).service_names()
    async with rt.db.tenant(tenant, readonly=True) as s:
        policy = await policies.autonomy_policy(s)
        found = await approvals.approval(s, approval_id)
        incident = await incidents.incident(s, found.incident_id) if found else None
        admin = await users.user(s, policy.automatic_by) if policy.automatic_by else None
    if admin is None or incident is None or rt.sees is None:
        return Surrounding(services=services, admin=None, sees=False)
    person = Person(tenant_id=tenant, user_id=admin.id, slack_user_id=admin.slack_user_id, role=admin.role)
    sight = await rt.sees.among(person, [incident.channel_id])
    return Surrounding(
        services=services, admin=person, sees=bool(incident.channel_id) and sight.covers(incident.channel_id)
    )


async def objection(  # noqa: PLR0911 -- each return is another reason
    s: TenantSession, found: Approval, around: Surrounding
) -> str | None:
    """Why this may not be done without a click, read anew; None where it may, but for the cap. For the audit log."""
    policy, plan = await policies.autonomy_policy(s), Plan.model_validate(found.plan)
    if await level_of(s, Risk(found.risk)) != "automatic":
        return "the policy asks for a click"
    if policy.is_paused(s.now()):
        return "the policy is paused"
    if (why := _unfit(found, plan)) is not None:
        return why
    if (why := await _unsure(s, found, plan)) is not None:
        return why
    admin = await users.user(s, policy.automatic_by) if policy.automatic_by else None
    if admin is None or admin.role is not Role.ADMIN or not admin.is_in_slack:
        return "whoever opted in is no admin any more"
    if around.admin is None or around.admin.user_id != admin.id or not around.sees:
        return "whoever opted in cannot see the channel of the incident"
    if s.now() > plan.fresh_until:
        return "the preview is out of date"
    return await obstacle(s, found, plan, around.services)


def _unfit(found: Approval, plan: Plan) -> str | None:
    """By code's own classes, of the remediation as of the plan; what a model says of risk is not asked."""
    remediation = discover_remediations().get(plan.remediation)
    if remediation is None or {Risk(found.risk), plan.risk, remediation.risk} != {Risk.LOW}:
        return "its risk is not low"
    if not plan.reversible:
        return "it cannot be undone"
    if found.undo_of is not None:
        return "it takes back what was done"
    return None


async def _unsure(s: TenantSession, found: Approval, plan: Plan) -> str | None:
    run = await investigations.investigation(s, found.investigation_id) if found.investigation_id else None
    if run is None or run.verdict is None:
        return "no verdict stands behind it"
    verdict = Verdict.model_validate(run.verdict)
    if verdict.confidence != "high" or plan.confidence != "high":
        return f"the confidence is {verdict.confidence}"
    if verdict.cause is None or verdict.proposal is None or verdict.proposal.remediation != plan.remediation:
        return "the verdict does not propose it"
    if any(one.where in _WEIGHTY for one in verdict.dropped):
        return "the gate did not let the verdict pass whole"
    return None


async def _refused(s: TenantSession, actor: Actor, found: Approval, reason: str) -> None:
    details = {"decision": "automatic", "reason": str(s.redactor.redact(reason))[:300]}
    await audit.record(s, actor=actor, action="agent.approval.refused", target=found.id, details=details)


async def _decided(s: TenantSession, actor: Actor, found: Approval, policy: AutonomyPolicy) -> None:
    details: dict[str, object] = {
        "plan_hash": found.plan_hash,
        "remediation": found.remediation,
        "risk": found.risk,
        "decision": "automatic",
    }
    await events.emit(s, "ai.autoheal.approval.approved.v1", found.id, details, actor=actor)
    allowed = {
        "allowed_by": policy.automatic_by,
        "allowed_at": None if policy.automatic_at is None else policy.automatic_at.isoformat(),
        "hourly_cap": policy.hourly_cap,
    }
    await audit.record(
        s, actor=actor, action="agent.approval.approved", target=found.id, details={**details, **allowed}
    )
