"""An undo asks first, with what it would put back; handing it in decides."""

from handlers.slack.blocks.message import Message, actions, button
from store.incidents.approvals import ApprovalState, advance
from tests.handlers.inbound import Slack, show, stored_card


async def test_it_says_what_it_puts_back_and_why_it_cannot(slack: Slack) -> None:
    approval, _ = await stored_card(slack)
    async with slack.db.tenant(slack.tenant) as s:
        await advance(s, approval.id, to=ApprovalState.HEALED, expect={ApprovalState.PROPOSED}, outcome={"last": 0.0})
    ts = await show(slack, Message(text="Healed", blocks=tuple(actions(button("undo", "Undo", approval.id)))))
    await slack.workspace.click("mia", ts, "undo")
    await slack.handled(1)
    ((view_id, form),) = slack.workspace.views.items()
    assert "This puts 4f2a910 back on checkout." in str(form)
    await slack.workspace.submit_view("mia", view_id, {})
    await slack.handled(2)
    (answer,) = slack.private("incidents", "mia")
    assert answer.startswith("No connected source can deploy checkout any more")
