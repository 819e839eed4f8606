"""What came back is looked into on a click, in its own thread."""

from handlers.slack.blocks.message import Message, actions, button
from store.incidents.investigations import investigation, running_investigations, set_status
from tests.handlers.inbound import Slack, show, stored_card


def offer(approval: str) -> Message:
    return Message(text="Came back", blocks=tuple(actions(button("look_again", "Look again", approval))))


async def test_a_click_starts_one_investigation_in_the_thread_of_the_incident(slack: Slack) -> None:
    approval, _ = await stored_card(slack)
    assert approval.investigation_id is not None
    async with slack.db.tenant(slack.tenant) as s:
        await set_status(s, approval.investigation_id, "concluded")
        before = {one.id for one in await running_investigations(s)}
    ts = await show(slack, offer(approval.id))
    for _ in range(2):
        await slack.workspace.click("mia", ts, "look_again")
    await slack.handled(2)
    async with slack.db.tenant(slack.tenant, readonly=True) as s:
        new = [one for one in await running_investigations(s) if one.id not in before]
        first = await investigation(s, approval.investigation_id)
    assert first is not None
    assert [one.incident_id for one in new] == [first.incident_id]
    assert "it came back" in str(new[0].question)


async def test_an_unknown_proposal_starts_nothing(slack: Slack) -> None:
    ts = await show(slack, offer("0198c0de-0000-4000-8000-000000000001"))
    await slack.workspace.click("mia", ts, "look_again")
    await slack.handled(1)
    assert slack.private("incidents", "mia") == ["I do not know this proposal any more."]
