"""The front incident_service: all that a person can ask of the agent, whichever way the request came in.

Handlers translate a mention, command or click into one call here. Each call checks the permission, writes the decision
with its audit row in one transaction, then enqueues durable work under a deterministic id.
"""

from __future__ import annotations

from dataclasses import dataclass

from store.ids import IncidentId, InvestigationId, TenantId, stable_id
from store.incidents.approvals import Approval
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
class DoneNow:
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
