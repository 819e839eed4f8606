"""The whole stored plan behind its card."""

from handlers.slack.blocks.message import Message, actions, button
from tests.handlers.inbound import Slack, show, stored_card


async def test_the_plan_opens_to_the_letter(slack: Slack) -> None:
    _, ts = await stored_card(slack)
    await slack.workspace.click("mia", ts, "exact_plan")
    await slack.handled(1)
    (view,) = slack.workspace.views.values()
    shown = str(view)
    assert "shopctl rollback checkout" in shown
    assert "fresh until" in shown


async def test_an_id_that_is_not_of_this_tenant_is_unknown(slack: Slack) -> None:
    ts = await show(slack, Message(text="Card", blocks=tuple(actions(button("exact_plan", "Exactly", "nothing")))))
    await slack.workspace.click("mia", ts, "exact_plan")
    await slack.handled(1)
    assert slack.private("incidents", "mia") == ["I do not know this proposal any more."]
