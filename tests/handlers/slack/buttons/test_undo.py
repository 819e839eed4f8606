"""The undo button."""

from handlers.slack.blocks.message import Message, actions, button
from tests.handlers.inbound import Slack, show, stored_card


async def test_what_was_never_applied_cannot_be_undone(slack: Slack) -> None:
    approval, _ = await stored_card(slack)
    ts = await show(slack, Message(text="Healed", blocks=tuple(actions(button("undo", "Undo", approval.id)))))
    await slack.workspace.click("mia", ts, "undo")
    await slack.handled(1)
    assert slack.private("incidents", "mia") == ["There is nothing to undo here."]


async def test_an_id_that_is_not_of_this_tenant_is_unknown(slack: Slack) -> None:
    ts = await show(slack, Message(text="Healed", blocks=tuple(actions(button("undo", "Undo", "not-an-approval")))))
    await slack.workspace.click("mia", ts, "undo")
    await slack.handled(1)
    assert slack.private("incidents", "mia") == ["I do not know this proposal any more."]
