"""What a thread's messages are rendered from: a run or a proposal, read in one short transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from agents.remediation import Plan
from agents.verdict import Symptom, Verdict
from handlers.slack.blocks import tasks as history
from handlers.slack.blocks import text as t
from handlers.slack.blocks.card import Card
from handlers.slack.blocks.message import Message
from handlers.slack.blocks.plan import HypothesisLine, Task
from handlers.slack.elsewhere import Letter
from store import incidents
from store.database.session import Database, TenantSession
from store.ids import ApprovalId, InvestigationId, TenantId, UserId
from store.incidents import BY_ALERT, Incident, approvals, artifacts, investigations
from store.incidents.approvals import Approval, ApprovalState
from store.incidents.artifacts import Artifact
from store.incidents.investigations import Investigation
from store.people import users

ENDED: Final = frozenset({"concluded", "stopped", "failed"})


@dataclass(frozen=True, kw_only=True)
class RunView:
    """One investigation, read in one transaction."""

    investigation: Investigation
    incident: Incident
    artifacts: Sequence[Artifact]
    tasks: Sequence[Task]
    hypotheses: Sequence[HypothesisLine]
    verdict: Verdict | None
    requester: str | None
    stopper: str | None
    struck: bool
    broke: str | None
    has_card: bool
    ended_words: str

    @property
    def ended(self) -> bool:
        return self.investigation.status in ENDED

    @property
    def symptom(self) -> Symptom | None:
        measured = self.verdict.symptom if self.verdict else None
        return measured or history.symptom(self.artifacts)


@dataclass(frozen=True, kw_only=True)
class ProposalView:
    """One approval, read in one transaction."""

    card: Card
    incident: Incident
    asked_by: UserId | None

    def letter(self, message: Message) -> Letter:
        return Letter(incident=self.incident, message=message, asked_by=self.asked_by, approval=self.card.approval.id)


async def read_run_view(db: Database, tenant: TenantId, investigation_id: InvestigationId) -> RunView:
    """Raises LookupError."""
    async with db.tenant(tenant, readonly=True) as s:
        investigation = await investigations.investigation(s, investigation_id)
        if investigation is None:
            raise LookupError("no such investigation")
        incident = await incidents.incident(s, investigation.incident_id)
        if incident is None:
            raise LookupError("no such incident")
        told = await investigations.messages(s, investigation_id)
        read = await artifacts.artifacts(s, investigation_id)
        related = await approvals.approvals_of_incident(s, incident.id)
        requester = await _slack_id(s, investigation.requested_by)
        stopper = await _slack_id(s, investigation.stop_requested_by)
        ended = await _how_it_ended(s, incident)
    verdict = Verdict.model_validate(investigation.verdict) if investigation.verdict else None
    is_over = investigation.status in ENDED
    struck = any(refutes(one) for one in related if one.investigation_id == investigation_id)
    return RunView(
        investigation=investigation,
        incident=incident,
        artifacts=read,
        tasks=history.tasks(told, read, ended=is_over),
        hypotheses=history.concluded(verdict, struck=struck) if verdict else history.stated(told, ended=is_over),
        verdict=verdict,
        requester=requester,
        stopper=stopper,
        struck=struck,
        broke=history.broke(told),
        has_card=any(one.investigation_id == investigation_id and one.undo_of is None for one in related),
        ended_words=ended,
    )


async def read_proposal(db: Database, tenant: TenantId, approval_id: ApprovalId) -> ProposalView:
    """Raises LookupError."""
    async with db.tenant(tenant, readonly=True) as s:
        approval = await approvals.approval(s, approval_id)
        if approval is None:
            raise LookupError("no such approval")
        incident = await incidents.incident(s, approval.incident_id)
        if incident is None:
            raise LookupError("no such incident")
        plan = Plan.model_validate(approval.plan)
        read = await artifacts.artifacts(s, approval.investigation_id) if approval.investigation_id else []
        people: dict[str, str] = {}
        slack_id = await _slack_id(s, approval.decided_by)
        if approval.decided_by is not None and slack_id is not None:
            people[approval.decided_by] = slack_id
        run = approval.investigation_id and await investigations.investigation(s, approval.investigation_id)
        ended = await _how_it_ended(s, incident)
    verdict = Verdict.model_validate(run.verdict) if run and run.verdict else None
    onset = t.moment(verdict.symptom.onset) if verdict and verdict.symptom else None
    return ProposalView(
        card=Card(approval=approval, plan=plan, people=people, links=history.links(read), onset=onset, ended=ended),
        incident=incident,
        asked_by=approval.decided_by or (run.requested_by if run else None),
    )


async def _how_it_ended(s: TenantSession, incident: Incident) -> str:
    """`Resolved by @mia at 05:20`, in mrkdwn; empty while it is open."""
    if incident.resolved_at is None:
        return ""
    word = incident.status.replace("_", " ").capitalize()
    who = incident.ended_by
    slack_id = await _slack_id(s, UserId(who)) if who and who != BY_ALERT else None
    by = f" by {t.mention(slack_id)}" if slack_id else " by the alert" if who == BY_ALERT else ""
    return f"{word}{by} at {t.minute(incident.resolved_at)}"


def refutes(approval: Approval) -> bool:
    """Whether it was a remedy, and did not heal."""
    return approval.state is ApprovalState.NOT_HEALED and approval.undo_of is None


async def _slack_id(s: TenantSession, user_id: UserId | None) -> str | None:
    if user_id is None:
        return None
    user = await users.user(s, user_id)
    return user.slack_user_id if user else None
