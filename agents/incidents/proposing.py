"""A person, or a program that acts for one, proposes a remedy for what an investigation found.

Nobody approves here: the card waits in the incident's thread like any other, and whoever proposed a plan of high risk
cannot be its second person.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

from agents.approvals import planning
from agents.incidents.person_requests import PersonRequests
from agents.incidents.requests import NothingToDo
from agents.investigation.case import InvestigationCase, load_case
from agents.permission import Denied, Permission, Person, check
from agents.remediation import Impossible, Plan
from agents.verdict import Proposal, Verdict
from agents.workflow import workflow_id
from store.ids import ApprovalId, InvestigationId, stable_id
from store.incidents import approvals
from store.incidents.approvals import OPEN_STATES, Approval

MOST_OPEN: Final = 3
"""Proposals of one incident that may wait at a time, so that people can still tell them apart."""


@dataclass(frozen=True, kw_only=True)
class Proposed:
    """It waits for a person, or waited before: then `is_new` is false and `approval` says how that ended."""

    approval: Approval
    is_new: bool


class RemedyRequests(PersonRequests):
    """See `agents.incidents.service`."""

    async def propose(
        self, person: Person, investigation: InvestigationId, proposal: Proposal
    ) -> Proposed | NothingToDo | Denied:
        """Makes the plan, stores it and shows its card. The same words for the same run make one proposal, for good:
        what people rejected is not put before them again unless it is investigated again.
        """
        if isinstance(denied := check(person.role, Permission.INVESTIGATE), Denied):
            return denied
        case = await load_case(self._rt.db, person.tenant_id, investigation)
        if case.investigation.verdict is None:
            return NothingToDo(reason="That investigation has no conclusion yet; a remedy follows from one.")
        if not case.incident.is_open:
            return NothingToDo(reason=f"#{case.incident.number} has ended, so nothing is proposed for it.")
        words = json.dumps([proposal.remediation, sorted(proposal.arguments.items())])
        approval_id = ApprovalId(stable_id("approval", person.tenant_id, investigation, words))
        async with self._rt.db.tenant(person.tenant_id, readonly=True) as s:
            before = await approvals.approval(s, approval_id)
        answer = (
            await self._store_new(person, case, proposal, approval_id)
            if before is None
            else Proposed(approval=before, is_new=False)
        )
        if isinstance(answer, Proposed) and answer.approval.state in OPEN_STATES:
            await self._rt.queue.enqueue(  # again where a crash came between; the same id runs once
                "remediate",
                workflow_id=workflow_id(person.tenant_id, "remediate", answer.approval.id),
                arguments=(person.tenant_id, answer.approval.id),
            )
        return answer

    async def _store_new(
        self, person: Person, case: InvestigationCase, proposal: Proposal, approval_id: ApprovalId
    ) -> Proposed | NothingToDo:
        """Unless the same waits already under another id."""
        verdict = Verdict.model_validate(case.investigation.verdict)
        plan = await planning.plan_of(
            self._rt, person.tenant_id, case, verdict, proposal, requested_by=person.slack_user_id
        )
        if isinstance(plan, Impossible):
            return NothingToDo(reason=plan.reason)
        async with self._rt.db.tenant(person.tenant_id) as s:
            waiting = await approvals.open_approvals(s, of=[case.incident.id])
            if (same := next((one for one in waiting if _same(one, plan)), None)) is not None:
                return Proposed(approval=same, is_new=False)
            if len(waiting) >= MOST_OPEN:
                return NothingToDo(reason=f"{len(waiting)} proposals of this incident wait already; decide on them.")
            stored = await planning.store_proposal(
                s,
                self._rt,
                approval_id,
                incident=case.incident.id,
                investigation=case.investigation.id,
                plan=plan,
                by=person,
            )
        return Proposed(approval=stored, is_new=True)


def _same(waiting: Approval, plan: Plan) -> bool:
    stored = Plan.model_validate(waiting.plan)
    return (stored.remediation, stored.target, stored.action, stored.parameters) == (
        plan.remediation,
        plan.target,
        plan.action,
        plan.parameters,
    )
