"""The reject button."""

from store.incidents.approvals import ApprovalState
from tests.handlers.inbound import Slack, reread, stored_card


async def test_a_rejected_plan_stays_rejected(slack: Slack) -> None:
    approval, ts = await stored_card(slack)
    await slack.workspace.click("mia", ts, "reject")
    await slack.handled(1)
    await slack.workspace.click("raj", ts, "approve")
    await slack.handled(2)
    assert (await reread(slack, approval)).state is ApprovalState.REJECTED
    assert slack.private("incidents", "raj")[0].startswith("<@U0MIA> rejected this")
