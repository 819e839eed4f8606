"""Requests about a proposal: decide on it, change its scope, take it back, keep it.

One UPDATE decides, whoever was first; what ended is said before anything else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from agents.approvals import approval as approval_life
from agents.approvals import planning
from agents.approvals.healing import criteria_of_undo
from agents.approvals.obstacles import obstacle
from agents.errors import AgentError
from agents.incidents import requests
from agents.incidents.person_requests import PersonRequests
from agents.incidents.requests import DoneNow, NothingToDo
from agents.permission import (
    Allowed,
    Denied,
    Permission,
    Person,
    check,
    check_approval,
    check_break_glass,
    who_may_approve,
)
from agents.remediation import Impossible, Plan, PlanReason, discover_remediations
from agents.tool import Risk
from agents.workflow import workflow_id
from store.audit import events
from store.database.session import TenantSession
from store.ids import ApprovalId, stable_id
from store.incidents import approvals, investigations
from store.incidents.approvals import Approval, ApprovalState, Decision
from store.people import users

_UNDOABLE: Final = frozenset(
    {ApprovalState.HEALED, ApprovalState.DONE, ApprovalState.NOT_HEALED, ApprovalState.UNKNOWN}
)
_LEAST_HASH: Final = 12  # hexadecimal characters of a plan's hash that a button must carry


class ProposalRequests(PersonRequests):
    """See `agents.incidents.service`."""

    async def decide(
        self, person: Person, approval: ApprovalId, *, plan_hash: str, decision: Decision, reason: str = ""
    ) -> DoneNow | requests.AlreadyDecided | requests.PlanChanged | Denied:
        """One UPDATE decides. `plan_hash` may be the first 12 or more characters that the card carried."""
        services = (await self._rt.toolbox_for(person.tenant_id)).service_names()
        async with self._rt.db.tenant(person.tenant_id) as s:
            found = await approvals.approval(s, approval)
            if found is None:
                return Denied("This proposal does not exist in your workspace.")
            denied = await self._may_decide(s, person, found, decision, reason=reason)
            if denied is not None:
                await self._noted(s, person, "approval.refused", approval, {"role": person.role.value})
                return denied
            result = await self._decide(s, person, found, plan_hash, decision, services=services)
            if isinstance(result, approvals.Decided):
                details = {"plan_hash": found.plan_hash, "remediation": found.remediation, "risk": found.risk}
                verb = result.approval.state.value
                await events.emit(s, f"ai.autoheal.approval.{verb}.v1", approval, {**details, "decision": decision})
                broken = {"break_glass": str(s.redactor.redact(reason.strip()))} if decision == "break_glass" else {}
                await self._noted(s, person, f"approval.{verb}", approval, {**details, **broken})
        if isinstance(result, Denied | requests.PlanChanged):
            return result
        if isinstance(result, approvals.PlanDiffers):
            return await self._show_new_plan(person, found)
        if isinstance(result, approvals.DecidedBefore | approvals.Expired):
            return await self._already(person, result.approval)
        await self._rt.reporter.approval_changed(person.tenant_id, approval)
        await self._wake(person, result.approval)
        return DoneNow()

    async def change_scope(
        self, person: Person, approval: ApprovalId, *, arguments: dict[str, str]
    ) -> DoneNow | requests.AlreadyDecided | NothingToDo | Denied:
        """Another plan for the same proposal, to be decided anew."""
        async with self._rt.db.tenant(person.tenant_id, readonly=True) as s:
            found = await approvals.approval(s, approval)
            if found is None:
                return Denied("This proposal does not exist in your workspace.")
            if (denied := await self._may_decide(s, person, found, "changed")) is not None:
                return denied
        if found.state is not ApprovalState.PROPOSED:
            return await self._already(person, found)
        target = Plan.model_validate(found.plan).target
        replaced = await planning.replan(
            self._rt,
            person.tenant_id,
            found,
            arguments={**arguments, "service": target},
            requested_by=person,
        )
        if isinstance(replaced, Impossible):
            return NothingToDo(reason=replaced.reason)
        if replaced is None:
            return await self._already(person, found)
        await self._rt.reporter.approval_changed(person.tenant_id, approval)
        return DoneNow()

    async def undo(  # noqa: PLR0911 - each return is another answer to the person
        self, person: Person, approval: ApprovalId
    ) -> DoneNow | NothingToDo | Denied:
        """The click is the decision: a stored, approved plan that takes the applied one back."""
        async with self._rt.db.tenant(person.tenant_id, readonly=True) as s:
            found = await approvals.approval(s, approval)
            if found is None:
                return Denied("This proposal does not exist in your workspace.")
            denied = await self._may_decide(s, person, found, "approved")
            if denied is not None and not _acted_alone(person, found):
                return denied
        plan = Plan.model_validate(found.plan)
        if found.state not in _UNDOABLE or not plan.reversible:
            return NothingToDo(reason="There is nothing to undo here.")
        if plan.undo_until is not None and self._rt.clock() > plan.undo_until:
            return NothingToDo(reason=f"The undo was possible until {plan.undo_until:%H:%M} UTC.")
        reason = PlanReason(
            cause=f"Takes back: {plan.title}",
            confidence="none",
            evidence=(),
            requested_by=person.slack_user_id,
            healing=criteria_of_undo(plan.healing, (found.outcome or {}).get("last")),
            incident=found.incident_id,
        )
        try:
            undo = await discover_remediations()[plan.remediation].undo(
                plan, reason, await approval_life.context(self._rt, person.tenant_id)
            )
        except AgentError as exc:
            return NothingToDo(reason=f"The target could not be read: {exc}")
        if isinstance(undo, Impossible):
            return NothingToDo(reason=undo.reason)
        undo_id = ApprovalId(stable_id("undo", person.tenant_id, approval))
        async with self._rt.db.tenant(person.tenant_id) as s:
            stored = await planning.store_proposal(
                s,
                self._rt,
                undo_id,
                incident=found.incident_id,
                investigation=found.investigation_id,
                plan=undo,
                undo_of=approval,
            )
            decided = await self._decide_undo(s, person, stored, alone=_acted_alone(person, found))
            if isinstance(decided, approvals.Decided):
                details: dict[str, object] = {"undo": undo_id}
                if decided.approval.decision == "break_glass":
                    details["break_glass"] = "takes back what the same person did alone"
                await self._noted(s, person, "undo.requested", approval, details)
        await self._rt.queue.enqueue(
            "remediate",
            workflow_id=workflow_id(person.tenant_id, "remediate", undo_id),
            arguments=(person.tenant_id, undo_id),
        )
        if isinstance(decided, approvals.Decided | Denied):
            return DoneNow() if isinstance(decided, approvals.Decided) else decided
        return NothingToDo(reason="The undo was asked for already.")

    async def keep(self, person: Person, approval: ApprovalId) -> DoneNow | NothingToDo | Denied:
        """The applied change stays although it did not heal; noted, so that nobody wonders later."""
        async with self._rt.db.tenant(person.tenant_id) as s:
            found = await approvals.approval(s, approval)
            if found is None:
                return Denied("This proposal does not exist in your workspace.")
            if (denied := await self._may_decide(s, person, found, "kept")) is not None:
                return denied
            if found.state not in _UNDOABLE:
                return NothingToDo(reason="There is nothing to keep here.")
            await self._noted(s, person, "effect.verified", approval, {"kept": True})
        return DoneNow()

    async def _decide(
        self,
        s: TenantSession,
        person: Person,
        found: Approval,
        plan_hash: str,
        decision: Decision,
        *,
        services: Sequence[str] = (),
    ) -> (
        approvals.Decided
        | approvals.DecidedBefore
        | approvals.Expired
        | approvals.PlanDiffers
        | requests.PlanChanged
        | Denied
    ):
        """What ended is said first; then the card must show this plan, its preconditions hold, its reads be fresh."""
        now = self._rt.clock()
        if found.state is not ApprovalState.PROPOSED:
            return approvals.DecidedBefore(approval=found)
        if now >= found.expires_at:
            return approvals.Expired(approval=found)
        if len(plan_hash) < _LEAST_HASH or not found.plan_hash.startswith(plan_hash):
            return requests.PlanChanged(approval=found)
        if decision != "rejected":
            plan = Plan.model_validate(found.plan)
            if (stands_against := await obstacle(s, found, plan, services)) is not None:
                return Denied(stands_against)
            if now > plan.fresh_until:
                return approvals.PlanDiffers(approval=found)
        return await approvals.decide(
            s,
            found.id,
            plan_hash=found.plan_hash,
            decision=decision,
            by=person.user_id,
            approved_until=now + self._rt.pace.approval_valid,
        )

    async def _may_decide(
        self, s: TenantSession, person: Person, found: Approval, decision: str, *, reason: str = ""
    ) -> Denied | None:
        risk = Risk(found.risk)
        if decision == "break_glass":
            reversible = Plan.model_validate(found.plan).reversible
            alone = check_break_glass(person.role, risk, reversible=reversible, reason=reason)
            return alone if isinstance(alone, Denied) else None
        run = await investigations.investigation(s, found.investigation_id) if found.investigation_id else None
        asked_for_run = run is not None and run.requested_by == person.user_id
        # Whoever changed the scope, or clicked Undo, asked for this plan although somebody else asked for the run.
        requester = asked_for_run or Plan.model_validate(found.plan).requested_by == person.slack_user_id
        allowed = check_approval(person.role, risk, is_requester=requester and decision == "approved")
        if isinstance(allowed, Denied):
            return Denied(f"{allowed.reason} Who may: {who_may_approve(risk)}.")
        return None

    async def _show_new_plan(self, person: Person, found: Approval) -> requests.PlanChanged | requests.AlreadyDecided:
        """A stale preview: read the target again, apply nothing, show the new plan."""
        replaced = await planning.replan(self._rt, person.tenant_id, found)
        if isinstance(replaced, Impossible) or replaced is None:
            return requests.AlreadyDecided(
                sentence="The plan is out of date and cannot be made again now.", approval=found
            )
        await self._rt.reporter.approval_changed(person.tenant_id, found.id)
        return requests.PlanChanged(approval=replaced)

    async def _already(self, person: Person, found: Approval) -> requests.AlreadyDecided:
        async with self._rt.db.tenant(person.tenant_id, readonly=True) as s:
            decider = await users.user(s, found.decided_by) if found.decided_by else None
        if found.state in (ApprovalState.APPROVED, ApprovalState.REJECTED):
            await self._wake(person, found)  # the first click may have died between its decision and its wake-up
        return requests.AlreadyDecided(
            sentence=_decided_sentence(found, decider.slack_user_id if decider else None), approval=found
        )

    async def _decide_undo(self, s: TenantSession, person: Person, undo: Approval, *, alone: bool) -> object:
        """The click decides, unless the undo is riskier than what is undone: then its card waits for who may.

        Whoever broke the glass alone may take it back alone.
        """
        risk = Risk(undo.risk)
        if alone:
            return await self._decide(s, person, undo, undo.plan_hash, "break_glass")
        if isinstance(denied := check_approval(person.role, risk, is_requester=True), Denied):
            return Denied(f"{denied.reason} Who may: {who_may_approve(risk)}. The card of the undo waits for them.")
        return await self._decide(s, person, undo, undo.plan_hash, "approved")


def _acted_alone(person: Person, found: Approval) -> bool:
    may = isinstance(check(person.role, Permission.APPROVE_HIGH), Allowed)
    return may and found.decision == "break_glass" and found.decided_by == person.user_id


def _decided_sentence(found: Approval, slack_user: str | None) -> str:
    if found.decided_at is None and found.state not in (ApprovalState.EXPIRED, ApprovalState.PROPOSED):
        return f"This proposal has ended: {found.state.value.replace('_', ' ')}."
    if found.state is ApprovalState.EXPIRED or found.decided_at is None:
        return "Nobody answered in time; this proposal has expired."
    who = f"<@{slack_user}>" if slack_user else "Somebody"
    if found.decision == "automatic":
        who = f"The policy for {found.risk} risk, which {who} allowed,"
    verb = {"rejected": "rejected", "break_glass": "approved with break-glass"}.get(str(found.decision), "approved")
    now = found.state.value.replace("_", " ")
    return f"{who} {verb} this at {found.decided_at:%H:%M:%S} UTC; it is now {now}."
