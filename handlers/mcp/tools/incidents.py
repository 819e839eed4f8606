"""`incidents`: those that are open and that the person may see, or one of them with its conclusion."""

from __future__ import annotations

from pydantic import Field

from agents.permission import Permission, Person
from agents.tool import Arguments
from agents.verdict import Verdict
from handlers.mcp.telling import tell_incident, tell_proposal, tell_verdict
from handlers.mcp.tool import McpAnswer, McpContext, McpTool, found_incident, open_incidents
from handlers.slack.visibility import ASKED_IN_VAIN
from store.incidents import Incident
from store.incidents.approvals import approvals_of_incident
from store.incidents.investigations import latest_investigation, newest_investigations

_MOST = 30


class IncidentsArguments(Arguments):
    incident: str = Field(default="", max_length=60, description="Number or id of one, for its conclusion in full.")


async def list_or_show(person: Person, wanted: IncidentsArguments, context: McpContext) -> McpAnswer:
    if wanted.incident:
        return await _one(person, await found_incident(person, wanted.incident, context), context)
    seen, sight = await open_incidents(person, context)
    async with context.db.tenant(person.tenant_id, readonly=True) as s:
        runs = await newest_investigations(s, [one.id for one in seen[:_MOST]])
    lines = []
    for one in seen[:_MOST]:
        run = runs.get(one.id)
        found = f": {Verdict.model_validate(run.verdict).headline}" if run is not None and run.verdict else ""
        lines.append(f"{tell_incident(one)}{found}")
    if len(seen) > _MOST:
        lines.append(f"{len(seen) - _MOST} older ones are not listed.")
    if sight.asked_in_vain:
        lines.append(ASKED_IN_VAIN)
    data = {"incidents": [{"id": one.id, "number": one.number, "status": one.status} for one in seen[:_MOST]]}
    return McpAnswer(text="\n".join(lines) or "No incident is open that you may see.", data=data)


async def _one(person: Person, about: Incident, context: McpContext) -> McpAnswer:
    async with context.db.tenant(person.tenant_id, readonly=True) as s:
        run = await latest_investigation(s, about.id)
        proposals = await approvals_of_incident(s, about.id)
    data = {"incident": about.id, "number": about.number, "status": about.status}
    if run is None:
        return McpAnswer(text=f"{tell_incident(about)}\nIt was not investigated.", data=data)
    data |= {"investigation": run.id, "state": run.status}
    if run.verdict is None:
        told = [tell_incident(about), f"Its investigation is {run.status}.", *map(tell_proposal, proposals)]
        return McpAnswer(text="\n".join(told), data=data)
    return McpAnswer(text=tell_verdict(about, Verdict.model_validate(run.verdict), proposals), data=data)


TOOL = McpTool(
    name="incidents",
    description="The open incidents, newest first; with `incident` its conclusion, proofs, gaps and proposed remedies.",
    arguments=IncidentsArguments,
    permission=Permission.READ,
    run=list_or_show,
)
