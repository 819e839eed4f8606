"""`/autoheal stop`."""

from store.incidents.investigations import stop_requested
from tests.handlers.inbound import Slack, stored_run


async def test_stop_ends_the_channels_only_run(slack: Slack) -> None:
    run = await stored_run(slack)
    await slack.workspace.slash("mia", "incidents", "/autoheal stop")
    await slack.handled(1)
    assert slack.private("incidents", "mia") == ["Stopping #1. What was found so far stays in its thread."]
    async with slack.db.tenant(slack.tenant, readonly=True) as s:
        assert await stop_requested(s, run)


async def test_of_several_the_number_says_which(slack: Slack) -> None:
    await slack.workspace.post("mia", "incidents", "@autoheal checkout is failing")
    await slack.handled(1)
    await slack.workspace.post("raj", "incidents", "@autoheal payments is slow")
    await slack.handled(2)
    await slack.workspace.slash("mia", "incidents", "/autoheal stop")
    await slack.handled(3)
    await slack.workspace.slash("mia", "incidents", "/autoheal stop 2")
    await slack.handled(4)
    asked, stopping = slack.private("incidents", "mia")
    assert asked.startswith("Several are running here: #1, #2.")
    assert stopping.startswith("Stopping #2.")


async def test_nothing_running_and_nonsense_are_answered(slack: Slack) -> None:
    await slack.workspace.slash("mia", "incidents", "/autoheal stop")
    await slack.handled(1)
    await slack.workspace.slash("mia", "incidents", "/autoheal stop everything")
    await slack.handled(2)
    nothing, nonsense = slack.private("incidents", "mia")
    assert nothing == "Nothing is running here."
    assert nonsense.startswith("Give the number")
