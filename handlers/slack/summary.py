"""The catch-up: five lines for somebody who just woke up, and below them a draft for stakeholders that nobody is
sent.
"""

from __future__ import annotations

from datetime import datetime

from agents.verdict import Verdict
from handlers.slack.blocks import text as t
from handlers.slack.blocks.message import Message, context, sections
from handlers.slack.blocks.status import StatusView, status
from store.database.session import TenantSession
from store.incidents import Incident
from store.incidents.approvals import OPEN_STATES, ApprovalState, approvals_of_incident
from store.incidents.investigations import latest_investigation


async def read_status(s: TenantSession, incident: Incident, now: datetime) -> StatusView:
    """What the store knows of an incident. `now` is aware UTC."""
    investigation = await latest_investigation(s, incident.id)
    stored = investigation.verdict if investigation else None
    return StatusView(
        incident=incident,
        investigation=investigation,
        verdict=Verdict.model_validate(stored) if stored else None,
        approvals=await approvals_of_incident(s, incident.id),
        now=now,
    )


def summary(view: StatusView) -> Message:
    """The five lines and the draft."""
    lines = status(view)
    draft = [
        *context("A draft for stakeholders. Nobody has been sent it; copy it if it fits."),
        *sections(f">{stakeholder_draft(view)}"),
    ]
    return Message(text=lines.text, blocks=(*lines.blocks, *draft))


def stakeholder_draft(view: StatusView) -> str:
    """Two or three plain sentences, in mrkdwn, for people who do not run the service."""
    incident = view.incident
    service = t.prose(incident.service or "one of our services", 60)
    since = t.utc_day_minute(incident.opened_at)
    if incident.status in ("resolved", "false_alarm"):
        return f"The problem with {service} that began {since} is resolved. We will share what we learned."
    known = view.verdict is not None and view.verdict.cause is not None
    cause = "We know the likely cause." if known else "We are looking for the cause."
    if any(one.state is ApprovalState.HEALED for one in view.approvals):
        return f"{service} has recovered from the problem that began {since}. {cause} We keep watching it."
    doing = "A fix is being prepared." if any(one.state in OPEN_STATES for one in view.approvals) else ""
    return " ".join(filter(None, (f"We are investigating a problem with {service} since {since}.", cause, doing)))
