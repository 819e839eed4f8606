"""What stands against a plan whoever decides: a person's word in the thread, a precondition that does not hold."""

from __future__ import annotations

from collections.abc import Sequence

from agents.approvals import prohibitions
from agents.remediation import Plan
from store.database.session import TenantSession
from store.incidents.approvals import Approval


async def obstacle(s: TenantSession, found: Approval, plan: Plan, services: Sequence[str]) -> str | None:
    """In a sentence for people; None where nothing stands against it."""
    if found.undo_of is None and (ruled_out := await prohibitions.against_plan(s, services, found)):
        return f"{plan.title} was {ruled_out}"
    unmet = next((p.text for p in plan.preconditions if not p.holds), None)
    return f"A precondition does not hold: {unmet}" if unmet else None
