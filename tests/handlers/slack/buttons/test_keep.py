"""The keep button."""

from handlers.slack.blocks.message import Message, actions, button
from store.incidents.approvals import ApprovalState, advance
from tests.handlers.inbound import Slack, audited, show, stored_card


async def test_keeping_what_did_not_heal_is_noted(slack: Slack) -> None:
    approval, _ = await stored_card(slack)
    async with slack.db.tenant(slack.tenant) as s:
        await advance(s, approval.id, to=ApprovalState.NOT_HEALED, expect=[ApprovalState.PROPOSED])
    ts = await show(slack, Message(text="Not healed", blocks=tuple(actions(button("keep", "Keep", approval.id)))))
    await slack.workspace.click("mia", ts, "keep")
    await slack.handled(1)
    assert slack.private("incidents", "mia") == ["Kept. The change stays applied."]
    assert (await audited(slack))[-1] == "slack.effect.verified"


async def test_there_is_nothing_to_keep_before_anything_was_applied(slack: Slack) -> None:
    approval, _ = await stored_card(slack)
    ts = await show(slack, Message(text="Not healed", blocks=tuple(actions(button("keep", "Keep", approval.id)))))
    await slack.workspace.click("mia", ts, "keep")
    await slack.handled(1)
    assert slack.private("incidents", "mia") == ["There is nothing to keep here."]
