"""The break-glass form."""

from agents.tool import Risk
from store.incidents.approvals import Approval, ApprovalState, replace_plan
from store.people.users import Role
from tests.handlers.inbound import Slack, a_plan, reread, set_person, stored_card


async def opened(slack: Slack) -> tuple[str, Approval]:
    approval, ts = await stored_card(slack, a_plan(slack.context.clock(), risk=Risk.HIGH))
    await set_person(slack, "olga", Role.ADMIN)
    await slack.workspace.click("olga", ts, "break_glass")
    await slack.handled(1)
    (view_id,) = slack.workspace.views
    return view_id, approval


async def test_a_reason_approves_the_plan_that_was_shown(slack: Slack) -> None:
    view_id, approval = await opened(slack)
    await slack.workspace.submit_view("olga", view_id, {"reason": "The other admin is on a plane."})
    await slack.handled(2)
    decided = await reread(slack, approval)
    assert (decided.state, decided.decision) == (ApprovalState.APPROVED, "break_glass")


async def test_a_blank_reason_approves_nothing(slack: Slack) -> None:
    view_id, approval = await opened(slack)
    await slack.workspace.submit_view("olga", view_id, {"reason": "            "})
    await slack.handled(2)
    assert "needs a reason" in slack.private("incidents", "olga")[0]
    assert (await reread(slack, approval)).state is ApprovalState.PROPOSED


async def test_a_role_lost_meanwhile_approves_nothing(slack: Slack) -> None:
    view_id, approval = await opened(slack)
    await set_person(slack, "raj", Role.ADMIN)
    await set_person(slack, "olga", Role.MEMBER)
    await slack.workspace.submit_view("olga", view_id, {"reason": "The other admin is on a plane."})
    await slack.handled(2)
    assert "an admin" in slack.private("incidents", "olga")[0]
    assert (await reread(slack, approval)).state is ApprovalState.PROPOSED


async def test_a_plan_that_changed_meanwhile_is_not_approved(slack: Slack) -> None:
    view_id, approval = await opened(slack)
    async with slack.db.tenant(slack.tenant) as s:
        plan = a_plan(s.now(), title="Another plan", risk=Risk.HIGH).model_dump(mode="json")
        await replace_plan(s, approval.id, plan=plan, target_version="x", preview_read_at=s.now())
    await slack.workspace.submit_view("olga", view_id, {"reason": "The other admin is on a plane."})
    await slack.handled(2)
    assert slack.private("incidents", "olga")[0].startswith("The plan on this card is out of date")
