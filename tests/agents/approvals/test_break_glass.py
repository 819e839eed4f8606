"""High risk without a second person: a reason, an admin, a plan that can be undone."""

import dataclasses
from collections.abc import Callable
from functools import partial

from fakes.bench import bench_toolbox
from fakes.rig import Rig
from fakes.rollback import applied_rollback

from agents.incidents.requests import DoneNow
from agents.permission import Denied
from agents.remediation import Plan
from agents.tool import Risk
from store import audit
from store.database.session import Database
from store.ids import ApprovalId, stable_id
from store.incidents import approvals
from store.incidents.approvals import Approval
from store.people.users import Role


async def test_break_glass_does_without_the_second_person_and_stays_in_the_audit(
    database: Database, rig_of: Callable[..., Rig]
) -> None:
    rig = rig_of(toolbox=partial(bench_toolbox, risk="high"))
    found = await rig.proposed(who="U0ADMIN")
    answer = await rig.decide(found, "break_glass", "U0ADMIN", reason="nobody else answers the phone")
    assert isinstance(answer, Denied)
    assert "cannot be undone" in answer.reason
    found = await _reversible(rig, found)
    for who, reason, word in (
        ("U0MEMBER", "nobody else answers the phone", "an admin"),
        ("U0ADMIN", "         .", "needs a reason"),
        ("U0ADMIN", "\u3164" * 20 + "\u200b" * 20, "needs a reason"),
    ):
        answer = await rig.decide(found, "break_glass", who, reason=reason)
        assert isinstance(answer, Denied)
        assert word in answer.reason
    assert rig.effects == 0
    why = "nobody else answers, password=hunter2hunter2"
    assert isinstance(await rig.decide(found, "break_glass", "U0ADMIN", reason=why), DoneNow)
    assert rig.effects == 1
    assert (await rig.approval(found.id)).decision == "break_glass"
    async with rig.db.tenant(rig.tenant, readonly=True) as s:
        (entry,) = [e for e in await audit.trail(s, target=found.id) if e.action == "slack.approval.approved"]
    assert entry.details["break_glass"].startswith("nobody else answers, password=")
    assert "hunter2" not in entry.details["break_glass"]


async def _reversible(rig: Rig, found: Approval) -> Approval:
    """The same plan, had it an undo."""
    plan = Plan.model_validate(found.plan).model_copy(update={"reversible": True}).model_dump(mode="json")
    async with rig.db.tenant(rig.tenant) as s:
        replaced = await approvals.replace_plan(
            s, found.id, plan=plan, target_version=found.target_version, preview_read_at=found.preview_read_at
        )
    assert replaced is not None
    return replaced


async def test_who_broke_the_glass_may_take_it_back_alone(rig: Rig) -> None:
    applied = await applied_rollback(rig, risk=Risk.HIGH, alone="U0ADMIN")
    admin = await rig.person("U0ADMIN")
    assert isinstance(await rig.incident_service.undo(admin, applied), DoneNow)
    await rig.engine.settle()
    assert rig.effects == 1
    undo = await rig.approval(ApprovalId(stable_id("undo", rig.tenant, applied)))
    assert (undo.decision, undo.decided_by) == ("break_glass", admin.user_id)
    async with rig.db.tenant(rig.tenant, readonly=True) as s:
        (entry,) = [e for e in await audit.trail(s, target=applied) if e.action == "slack.undo.requested"]
    assert "break_glass" in entry.details


async def test_who_broke_the_glass_and_is_no_admin_any_more_takes_nothing_back(rig: Rig) -> None:
    applied = await applied_rollback(rig, risk=Risk.HIGH, alone="U0ADMIN")
    admin = await rig.person("U0ADMIN")
    demoted = dataclasses.replace(admin, role=Role.MEMBER)
    assert isinstance(await rig.incident_service.undo(demoted, applied), Denied)
    assert rig.effects == 0


async def test_break_glass_is_for_high_risk_only(rig: Rig) -> None:
    found = await rig.proposed()
    answer = await rig.decide(found, "break_glass", "U0ADMIN", reason="nobody else answers the phone")
    assert answer == Denied("This plan needs no second person: approve it on its card.")
    assert rig.effects == 0
