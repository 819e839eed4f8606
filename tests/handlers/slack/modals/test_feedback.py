"""What people say was wrong is kept with the verdict, redacted."""

from handlers.slack.blocks.message import Message, feedback, sections
from store.incidents.feedback import feedback as given
from tests.handlers.inbound import Slack, show, stored_run


async def test_the_remark_is_kept_with_the_thumb(slack: Slack) -> None:
    run = await stored_run(slack)
    ts = await show(slack, Message(text="Verdict", blocks=(*sections("Verdict"), feedback(run))))
    await slack.workspace.click("mia", ts, "feedback", value=f"{run}:bad")
    await slack.handled(1)
    (view_id,) = slack.workspace.views
    said = "it was the cache, password=hunter2hunter2"
    await slack.workspace.submit_view("mia", view_id, {"remark": said})
    await slack.handled(2)
    async with slack.db.tenant(slack.tenant, readonly=True) as s:
        (thumb,) = await given(s, run)
    assert not thumb.positive
    assert thumb.remark is not None
    assert thumb.remark.startswith("it was the cache")
    assert "hunter2hunter2" not in thumb.remark
    assert slack.private("incidents", "mia")[0].startswith("Thank you, kept with the verdict.")
