"""What people of an incident have ruled out, against what is proposed or decided: read from their stored words."""

from __future__ import annotations

from collections.abc import Sequence

from agents.language.prohibition import Prohibition, Said, forbidding, standing
from agents.verdict import Proposal
from store.database.session import TenantSession
from store.ids import IncidentId
from store.incidents import investigations
from store.incidents.approvals import Approval
from store.people import users
from store.tenancy import tenants


async def of_incident(s: TenantSession, services: Sequence[str], incident: IncidentId) -> list[Prohibition]:
    """What stands now, after all that was forbidden and allowed again. What an alert says is nobody's word."""
    install = await tenants.load_install(s)
    own = await users.user_by_slack(s, install.bot_user_id) if install and install.bot_user_id else None
    said = [
        Said(text=str(text), at=at)
        for text, at, by in await investigations.said_by_people(s, incident)
        if by is not None and (own is None or by != own.id)
    ]
    return standing(said, services)


async def against(s: TenantSession, services: Sequence[str], incident: IncidentId, proposal: Proposal) -> str | None:
    """Why this may not be proposed, in words that say how it becomes possible again."""
    found = forbidding(
        await of_incident(s, services, incident), proposal.remediation, proposal.arguments.get("service")
    )
    return found.told() if found else None


async def against_plan(s: TenantSession, services: Sequence[str], approval: Approval) -> str | None:
    """The same for what stands on a card."""
    service = approval.target.partition("/")[0]
    found = forbidding(await of_incident(s, services, approval.incident_id), approval.remediation, service)
    return found.told() if found else None
