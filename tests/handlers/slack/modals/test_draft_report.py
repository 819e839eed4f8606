"""The draft-report form."""

from handlers.slack.blocks.message import Message, actions, button
from tests.handlers.inbound import Slack, show, stored_card


async def opened(slack: Slack) -> str:
    approval, _ = await stored_card(slack)
    ts = await show(slack, Message(text="Healed", blocks=tuple(actions(button("draft_report", "Draft", approval.id)))))
    await slack.workspace.click("mia", ts, "draft_report")
    await slack.handled(1)
    (view_id,) = slack.workspace.views
    return view_id


def posted(slack: Slack) -> list[str]:
    return [words for words in slack.said("incidents") if "Report of incident" in words]


async def test_what_was_edited_is_posted_in_the_thread_without_secrets(slack: Slack) -> None:
    view_id = await opened(slack)
    await slack.workspace.submit_view("mia", view_id, {"report": "It was <!channel> DNS. password=hunter2hunter2"})
    await slack.handled(2)
    (report,) = posted(slack)
    assert "&lt;!channel&gt; DNS" in report
    assert "hunter2" not in report
    assert "posted by <@U0MIA>" in str(slack.workspace.messages("incidents")[-1].blocks)


async def test_an_emptied_report_is_not_posted(slack: Slack) -> None:
    view_id = await opened(slack)
    await slack.workspace.submit_view("mia", view_id, {"report": "   "})
    await slack.handled(2)
    assert posted(slack) == []
    assert slack.private("incidents", "mia") == ["The report was empty, so nothing was posted."]


async def test_a_report_that_slack_refused_is_not_lost_in_silence(slack: Slack) -> None:
    view_id = await opened(slack)
    slack.workspace.faults.fail("chat.postMessage", "is_archived")
    await slack.workspace.submit_view("mia", view_id, {"report": "It was DNS."})
    await slack.handled(2)
    assert posted(slack) == []
    assert slack.private("incidents", "mia") == [
        "Slack did not take the report in its thread. Please hand it in again."
    ]
