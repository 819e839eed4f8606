"""A rollback that was carried out before, so that it can be undone."""

from datetime import timedelta

from fakes.rig import Rig

from agents.approvals import planning
from agents.remediation import Plan
from agents.tool import Risk
from store.ids import ApprovalId, stable_id
from store.incidents import approvals
from store.incidents.approvals import ApprovalState


async def applied_rollback(rig: Rig, *, risk: Risk = Risk.MEDIUM, alone: str | None = None) -> ApprovalId:
    """A rollback that was carried out before: the bench runs the version that it went back to.

    `alone` asked for it and approved it with break-glass.
    """
    found = await rig.proposed()
    ran, runs = "b" * 40, "a" * 40
    rollback = Plan.model_validate(found.plan).model_copy(
        update={
            "remediation": "rollback_deployment",
            "action": "rollback_deployment",
            "title": "Roll back checkout",
            "from_version": ran,
            "to_version": runs,
            "target_version": f"checkout@{runs}",
            "reversible": True,
            "risk": risk,
            **({"requested_by": alone} if alone else {}),
        }
    )
    applied = ApprovalId(stable_id("approval", "rollback"))
    async with rig.db.tenant(rig.tenant) as s:
        stored = await planning.store_proposal(
            s, rig.runtime, applied, incident=found.incident_id, investigation=found.investigation_id, plan=rollback
        )
        if alone:
            by = (await rig.person(alone)).user_id
            until = rig.clock() + timedelta(minutes=15)
            await approvals.decide(
                s, applied, plan_hash=stored.plan_hash, decision="break_glass", by=by, approved_until=until
            )
        before = {ApprovalState.PROPOSED, ApprovalState.APPROVED}
        await approvals.advance(s, applied, to=ApprovalState.NOT_HEALED, expect=before)
    return applied
