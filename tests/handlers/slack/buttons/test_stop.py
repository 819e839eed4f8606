"""The stop button."""

from handlers.slack.blocks.message import Message, actions, button
from store.incidents.investigations import stop_requested
from tests.handlers.inbound import Slack, finish, show, stored_run


async def test_stop_asks_the_run_to_end(slack: Slack) -> None:
    run = await stored_run(slack)
    ts = await show(slack, Message(text="Checking", blocks=tuple(actions(button("stop", "Stop", run)))))
    await slack.workspace.click("mia", ts, "stop")
    await slack.handled(1)
    assert slack.private("incidents", "mia")[0].startswith("Stopping")
    async with slack.db.tenant(slack.tenant, readonly=True) as s:
        assert await stop_requested(s, run)


async def test_stopping_what_has_ended_says_so(slack: Slack) -> None:
    run = await stored_run(slack)
    await finish(slack)
    ts = await show(slack, Message(text="Checking", blocks=tuple(actions(button("stop", "Stop", run)))))
    await slack.workspace.click("mia", ts, "stop")
    await slack.handled(1)
    assert slack.private("incidents", "mia") == ["Nothing is running here."]
