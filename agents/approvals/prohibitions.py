"""What people of an incident have ruled out, against what is proposed or decided: read from their stored words, and
kept as rows with who said and who lifted it.
"""

from __future__ import annotations

from collections.abc import Sequence

from agents.language.prohibition import Prohibition, Said, forbidding, stated
from agents.verdict import Proposal
from store import audit
from store.audit import Actor
from store.database.session import TenantSession
from store.ids import IncidentId, UserId, stable_id
from store.incidents import investigations, prohibitions
from store.incidents.approvals import Approval
from store.incidents.prohibitions import StoredProhibition
from store.people import users
from store.tenancy import tenants


async def hear(s: TenantSession, services: Sequence[str], incident: IncidentId) -> list[Prohibition]:
    """What stands now, after all that was forbidden and allowed again; what is new of it is written down. What an alert
    says is nobody's word. Safe to repeat.
    """
    install = await tenants.load_install(s)
    own = await users.user_by_slack(s, install.bot_user_id) if install and install.bot_user_id else None
    said = [
        Said(text=str(text), at=at, by=by)
        for text, at, by in await investigations.said_by_people(s, incident)
        if by is not None and (own is None or by != own.id)
    ]
    found = stated(said, services)
    if found:
        await _write_down(s, incident, found)
    return [one for one in found if one.lifted_at is None]


async def against(s: TenantSession, services: Sequence[str], incident: IncidentId, proposal: Proposal) -> str | None:
    """Why this may not be proposed, in words that say how it becomes possible again."""
    found = forbidding(await hear(s, services, incident), proposal.remediation, proposal.arguments.get("service"))
    return found.told() if found else None


async def against_plan(s: TenantSession, services: Sequence[str], approval: Approval) -> str | None:
    """The same for what stands on a card."""
    service = approval.target.partition("/")[0]
    found = forbidding(await hear(s, services, approval.incident_id), approval.remediation, service)
    return found.told() if found else None


async def _write_down(s: TenantSession, incident: IncidentId, found: Sequence[Prohibition]) -> None:
    known = {one.id: one for one in await prohibitions.prohibitions(s, incident)}
    for one in found:
        key = stable_id("prohibition", s.tenant_id, incident, one.remediation, one.service or "", one.at.isoformat())
        if key not in known:
            new = StoredProhibition(
                id=key,
                incident_id=incident,
                remediation=one.remediation,
                service=one.service,
                words=s.redactor.redact(one.words),
                stated_by=UserId(one.by),
                stated_at=one.at,
            )
            await prohibitions.state(s, new)
            await _noted(s, incident, one, one.by, "stated")
        lifted = one.lifted_at is not None and (key not in known or known[key].lifted_at is None)
        if lifted and one.lifted_at is not None:
            await prohibitions.lift(s, key, by=UserId(one.lifted_by), at=one.lifted_at)
            await _noted(s, incident, one, one.lifted_by, "lifted")


async def _noted(s: TenantSession, incident: IncidentId, one: Prohibition, by: str, verb: str) -> None:
    details = {"remediation": one.remediation, "service": one.service}
    actor = Actor(type="user", id=by)
    await audit.record(s, actor=actor, action=f"agent.prohibition.{verb}", target=incident, details=details)
