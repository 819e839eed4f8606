"""The feedback buttons."""

from handlers.slack.blocks.message import Message, feedback, sections
from store.incidents.feedback import feedback as given
from tests.handlers.inbound import Slack, show, stored_run


async def test_a_thumb_is_stored_and_the_last_one_counts(slack: Slack) -> None:
    run = await stored_run(slack)
    ts = await show(slack, Message(text="Verdict", blocks=(*sections("Verdict"), feedback(run))))
    await slack.workspace.click("mia", ts, "feedback", value=f"{run}:good")
    await slack.handled(1)
    await slack.workspace.click("mia", ts, "feedback", value=f"{run}:bad")
    await slack.handled(2)
    async with slack.db.tenant(slack.tenant, readonly=True) as s:
        (thumb,) = await given(s, run)
    assert not thumb.positive
    assert slack.private("incidents", "mia") == ["Thank you, noted as right."]
    (form,) = slack.workspace.views.values()
    assert "What was wrong?" in str(form)
