"""The front desk: all that a person can ask of the agent, whichever way the request came in.

Handlers translate a mention, command or click into one call here. Each call checks the permission, writes the decision
with its audit row in one transaction, then enqueues durable work under a deterministic id.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from agents.permission import Denied, Person
from store.ids import ApprovalId, IncidentId, InvestigationId, TenantId, stable_id
from store.incidents import Ending, Incident, Sight
from store.incidents.approvals import Approval, Decision
from store.secrets.redaction import Redacted


@dataclass(frozen=True, kw_only=True)
class Ask:
    """A request to investigate. `source_ts` is the Slack ts of the asking message: the same ts is the same request.

    `alert` is the identity of the alert that asks: while its incident is open, it belongs there.
    """

    question: Redacted
    channel_id: str
    thread_ts: str
    source_ts: str
    alert: str | None = None


def run_asked_for(tenant: TenantId, channel_id: str, source_ts: str) -> InvestigationId:
    """The id of the run that this message starts, or started before a crash."""
    return InvestigationId(stable_id("investigation", tenant, channel_id, source_ts))


@dataclass(frozen=True, kw_only=True)
class Investigating:
    """The run that answers, and where. `joined` when it was there already; `number` is its incident's."""

    investigation_id: InvestigationId
    incident_id: IncidentId
    joined: bool
    channel_id: str
    thread_ts: str
    number: int = 0


@dataclass(frozen=True, kw_only=True)
class Done:
    """It was done now."""


@dataclass(frozen=True, kw_only=True)
class NothingToDo:
    """Nothing was running or waiting; `reason` is for the person."""

    reason: str


@dataclass(frozen=True, kw_only=True)
class AlreadyDecided:
    """Somebody was faster, or it expired; `sentence` says who and when (`<@U..>` and UTC time)."""

    sentence: str
    approval: Approval


@dataclass(frozen=True, kw_only=True)
class PlanChanged:
    """The card that was clicked is out of date; the new plan is on the card."""

    approval: Approval


class Sees(Protocol):
    """What a person may see elsewhere, asked outside of any transaction. Implemented by
    `handlers/slack/visibility.py`.
    """

    async def among(self, person: Person, channels: Iterable[str | None], *, here: str | None = None) -> Sight: ...


class Desk(Protocol):
    """Implemented by `agents/incidents/service.py`."""

    async def investigate(self, person: Person, ask: Ask) -> Investigating | Denied: ...

    async def steer(
        self, person: Person, investigation: InvestigationId, *, text: Redacted, source_ts: str
    ) -> Done | NothingToDo | Denied: ...

    async def stop(self, person: Person, investigation: InvestigationId) -> Done | NothingToDo | Denied: ...

    async def decide(
        self, person: Person, approval: ApprovalId, *, plan_hash: str, decision: Decision, reason: str = ""
    ) -> Done | AlreadyDecided | PlanChanged | Denied:
        """`reason` is the person's own words, for `break_glass`."""

    async def change_scope(
        self, person: Person, approval: ApprovalId, *, arguments: dict[str, str]
    ) -> Done | AlreadyDecided | NothingToDo | Denied: ...

    async def undo(self, person: Person, approval: ApprovalId) -> Done | NothingToDo | Denied: ...

    async def keep(self, person: Person, approval: ApprovalId) -> Done | NothingToDo | Denied: ...

    async def correct_service(
        self, person: Person, investigation: InvestigationId, *, service: str, source_ts: str
    ) -> Done | NothingToDo | Denied: ...

    async def feedback(
        self, person: Person, investigation: InvestigationId, *, positive: bool, remark: Redacted | None = None
    ) -> Done | Denied:
        """`remark` is what the person said was wrong."""

    async def end_incident(
        self, person: Person, incident: IncidentId, *, ending: Ending
    ) -> Done | NothingToDo | Denied: ...

    async def alert_ended(self, person: Person, ask: Ask, *, by_person: bool) -> Incident | None:
        """An alert is over: its incident as it is now, None where nothing changed."""

    async def alerts_ended(self, person: Person, incident: IncidentId) -> None:
        """All alerts that it began with are over by themselves."""
