"""The approve button."""

import asyncio

from agents.tool import Risk
from store.approvals import ApprovalState
from store.users import Role
from tests.handlers.inbound import Slack, a_plan, reread, set_person, stored_card


async def test_a_members_click_approves_and_wakes_the_work(slack: Slack) -> None:
    approval, ts = await stored_card(slack)
    await slack.workspace.click("mia", ts, "approve")
    await slack.handled(1)
    decided = await reread(slack, approval)
    assert (decided.state, decided.decision) == (ApprovalState.APPROVED, "approved")
    assert ("approval_changed", approval.id) in slack.heard.told
    assert [word for _, _, word in slack.engine.sent] == ["approved"]
    assert slack.private("incidents", "mia") == []


async def test_a_second_click_hears_who_decided_and_when(slack: Slack) -> None:
    approval, ts = await stored_card(slack)
    await slack.workspace.click("mia", ts, "approve")
    await slack.handled(1)
    await slack.workspace.click("raj", ts, "approve")
    await slack.handled(2)
    (told,) = slack.private("incidents", "raj")
    assert told.startswith("<@U0MIA> approved this at 02:41:00 UTC")
    assert (await reread(slack, approval)).state is ApprovalState.APPROVED


async def test_of_many_clicks_at_once_one_decides(slack: Slack) -> None:
    approval, ts = await stored_card(slack)
    await asyncio.gather(*(slack.workspace.click(who, ts, "approve") for who in ("mia", "raj", "olga") * 3))
    await slack.handled(9)
    assert (await reread(slack, approval)).state is ApprovalState.APPROVED
    assert len(slack.engine.sent) == 1


async def test_a_viewers_click_is_told_who_may_and_decides_nothing(slack: Slack) -> None:
    approval, ts = await stored_card(slack)
    await set_person(slack, "mia", Role.VIEWER)
    await slack.workspace.click("mia", ts, "approve")
    await slack.handled(1)
    assert slack.private("incidents", "mia") == ["Your role is viewer. This needs a member or admin."]
    assert (await reread(slack, approval)).state is ApprovalState.PROPOSED


async def test_high_risk_is_not_approved_by_a_member(slack: Slack) -> None:
    approval, ts = await stored_card(slack, a_plan(slack.office.clock(), risk=Risk.HIGH))
    await slack.workspace.click("mia", ts, "approve")
    await slack.handled(1)
    assert "Admins, not the requester" in slack.private("incidents", "mia")[0]
    assert (await reread(slack, approval)).state is ApprovalState.PROPOSED


async def test_a_guest_decides_nothing(slack: Slack) -> None:
    approval, ts = await stored_card(slack)
    await slack.workspace.click("gus", ts, "approve")
    await slack.handled(1)
    assert slack.private("incidents", "gus")[0].startswith("Guests cannot use Autoheal")
    assert (await reread(slack, approval)).state is ApprovalState.PROPOSED
