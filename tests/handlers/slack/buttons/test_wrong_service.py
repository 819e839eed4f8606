"""The wrong-service button and the form that it opens."""

from handlers.slack.blocks.message import Message, actions, button
from store.incidents.investigations import running_investigations, take_notes
from tests.handlers.inbound import Slack, finish, show, stored_run


async def pick(slack: Slack, run: str, service: str) -> None:
    ts = await show(slack, Message(text="Checking", blocks=tuple(actions(button("wrong_service", "Wrong", run)))))
    await slack.workspace.click("mia", ts, "wrong_service")
    await slack.handled(1)
    (view_id,) = slack.workspace.views
    await slack.workspace.submit_view("mia", view_id, {"service": service})
    await slack.handled(2)


async def test_the_picked_service_steers_the_running_investigation(slack: Slack) -> None:
    run = await stored_run(slack)
    await pick(slack, run, "payments")
    async with slack.db.tenant(slack.tenant) as s:
        (note,) = await take_notes(s, run, turn=1)
    assert note.text == "The affected service is payments. Look there."
    assert slack.private("incidents", "mia") == ["Looking at payments from now on."]


async def test_after_the_end_the_picked_service_begins_a_new_run_in_the_thread(slack: Slack) -> None:
    await finish_after(slack)
    async with slack.db.tenant(slack.tenant, readonly=True) as s:
        (again,) = await running_investigations(s)
    assert again.attempt == 2
    assert again.question.startswith("The affected service is payments.")


async def finish_after(slack: Slack) -> None:
    run = await stored_run(slack)
    await finish(slack)
    await pick(slack, run, "payments")


async def test_a_click_that_slack_gave_up_on_is_answered(slack: Slack) -> None:
    run = await stored_run(slack)
    slack.workspace.faults.fail("views.open", "expired_trigger_id")
    ts = await show(slack, Message(text="Checking", blocks=tuple(actions(button("wrong_service", "Wrong", run)))))
    await slack.workspace.click("mia", ts, "wrong_service")
    await slack.handled(1)
    assert "Please click again" in slack.private("incidents", "mia")[0]
