"""One investigation's conclusion with its decision trace: for whoever may see the channel that it was asked in."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel

from agents.permission import Permission
from agents.trace import Trace
from agents.verdict import Claim, Dropped, Verdict
from handlers.web.api_resource import Call, Context, Missing, Operation, Problem, Resource
from store.ids import InvestigationId
from store.incidents import incident
from store.incidents.investigations import investigation, note_authors


class DecidedInvestigation(BaseModel):
    """What was concluded and how. `trace` is null for runs that an earlier version concluded; `steered_by` maps the
    notes of `trace.steered` to people by id, without those who are no longer known.
    """

    id: str
    incident_id: str
    status: str
    asked_at: datetime
    headline: str
    cause_service: str | None
    cause_change: str | None
    confidence: str
    claims: list[Claim]
    dropped: list[Dropped]
    not_known: list[str]
    trace: Trace | None
    steered_by: dict[str, str]


async def read_investigation(investigation_id: UUID, call: Call, context: Context) -> DecidedInvestigation:
    """The claims as the thread's Details show them; what is never shown in any form is told by its reason alone."""
    tenant, wanted = call.person.tenant_id, InvestigationId(str(investigation_id))
    async with context.db.tenant(tenant, readonly=True) as s:
        run = await investigation(s, wanted)
        about = await incident(s, run.incident_id) if run is not None else None
        authors = await note_authors(s, wanted) if run is not None else {}
    if run is None or about is None:
        raise Missing
    sight = await context.sees.among(call.person, [about.channel_id])
    if not sight.covers(about.channel_id):
        if sight.asked_in_vain:
            raise Problem(503, "visibility_unknown", "Slack did not say whether you may see this. Try again.")
        raise Missing
    if run.verdict is None:
        raise Problem(409, "not_concluded", "This investigation has no conclusion.")
    verdict = Verdict.model_validate(run.verdict)
    cause = verdict.cause
    return DecidedInvestigation(
        id=run.id,
        incident_id=run.incident_id,
        status=run.status,
        asked_at=run.created_at,
        headline=verdict.headline,
        cause_service=cause.service if cause is not None else None,
        cause_change=cause.change if cause is not None and cause.change_verdict == "cause" else None,
        confidence=verdict.confidence,
        claims=list(verdict.claims),
        dropped=[one if one.shown else one.model_copy(update={"text": ""}) for one in verdict.dropped],
        not_known=list(verdict.not_known),
        trace=verdict.trace,
        steered_by={str(note): str(person) for note, person in authors.items()},
    )


RESOURCE = Resource(
    name="investigations",
    operations=(
        Operation(
            method="GET",
            path="/investigations/{investigation_id}",
            access=Permission.READ,
            run=read_investigation,
            answer=DecidedInvestigation,
        ),
    ),
)
