"""`propose`: puts a remedy before people. It never approves: the decision is taken on a card in Slack."""

from __future__ import annotations

from pydantic import Field

from agents.incidents.proposing import Proposed
from agents.permission import Denied, Permission, Person
from agents.remediation import discover_remediations
from agents.tool import Arguments
from agents.verdict import Proposal
from handlers.mcp.telling import tell_proposal
from handlers.mcp.tool import McpAnswer, McpContext, McpTool, RefusedCall, found_incident
from store.incidents.investigations import latest_investigation


class ProposeArguments(Arguments):
    incident: str = Field(min_length=1, max_length=60, description="Number of an open incident (12), or an id.")
    remedy: str = Field(min_length=1, max_length=60, description="Its name, such as restart_service.")
    arguments: dict[str, str] = Field(
        default_factory=dict, max_length=12, description='Such as {"service": "checkout"}.'
    )


async def propose(person: Person, wanted: ProposeArguments, context: McpContext) -> McpAnswer:
    known = discover_remediations()
    if wanted.remedy not in known:
        raise RefusedCall(f"There is no such remedy. There are: {', '.join(sorted(known))}.")
    about = await found_incident(person, wanted.incident, context)
    async with context.db.tenant(person.tenant_id, readonly=True) as s:
        run = await latest_investigation(s, about.id)
    if run is None:
        raise RefusedCall(f"#{about.number} was not investigated yet; a remedy follows from a conclusion.")
    proposal = Proposal(remediation=wanted.remedy, arguments=wanted.arguments)
    match await context.incident_service.propose(person, run.id, proposal):
        case Proposed(approval=found, is_new=is_new):
            lead = "Proposed. " if is_new else "It was proposed before. "
            return McpAnswer(
                text=f"{lead}{tell_proposal(found)}",
                data={"incident": about.id, "proposal": found.id, "state": found.state.value, "new": is_new},
            )
        case Denied(reason=reason):
            raise RefusedCall(reason)
        case refused:
            raise RefusedCall(f"It cannot be proposed: {refused.reason}")


TOOL = McpTool(
    name="propose",
    description=(
        "Propose a remedy for an investigated incident. Nothing is done: people see the exact plan on a card in Slack "
        "and decide. A program cannot approve."
    ),
    arguments=ProposeArguments,
    permission=Permission.INVESTIGATE,
    run=propose,
    changes=True,
    an_hour=10,
)
