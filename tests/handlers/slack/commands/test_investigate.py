"""`/autoheal investigate`."""

from store.people.users import Role
from tests.fakes.incidents import open_incidents
from tests.handlers.inbound import Slack, audited, set_person


async def test_the_request_is_posted_and_its_thread_carries_the_investigation(slack: Slack) -> None:
    await slack.workspace.slash("mia", "incidents", "/autoheal investigate checkout <!channel> is failing")
    await slack.handled(1)
    (root,) = [m for m in slack.workspace.messages("incidents") if m.user == slack.workspace.bot_user_id]
    async with slack.db.tenant(slack.tenant, readonly=True) as s:
        (incident,) = await open_incidents(s)
    assert incident.thread_ts == root.ts
    assert slack.said("incidents") == ["<@U0MIA> asks: checkout @channel is failing"]
    assert "slack.command.used" in await audited(slack)


async def test_without_a_question_it_says_what_to_write(slack: Slack) -> None:
    await slack.workspace.slash("mia", "incidents", "/autoheal investigate")
    await slack.handled(1)
    assert slack.private("incidents", "mia")[0].startswith("Say what is wrong")


async def test_a_viewer_is_refused_before_anything_is_posted(slack: Slack) -> None:
    await set_person(slack, "raj", Role.VIEWER)
    await slack.workspace.slash("raj", "incidents", "/autoheal investigate checkout is failing")
    await slack.handled(1)
    assert slack.private("incidents", "raj") == ["Your role is viewer. This needs a member or admin."]
    assert slack.said("incidents") == []
    assert "slack.command.refused" in await audited(slack)


async def test_the_same_question_again_leads_to_the_running_one(slack: Slack) -> None:
    await slack.workspace.slash("mia", "incidents", "/autoheal investigate checkout is failing")
    await slack.handled(1)
    await slack.workspace.slash("raj", "incidents", "/autoheal investigate checkout is failing")
    await slack.handled(2)
    assert slack.private("incidents", "raj")[0].startswith("I am looking into this already")
    assert len(slack.engine.of("investigate")) == 1


async def test_in_a_channel_without_the_bot_it_says_how_to_invite_it(slack: Slack) -> None:
    await slack.workspace.slash("mia", "general", "/autoheal investigate checkout is failing")
    await slack.handled(1)
    assert "/invite @autoheal" in slack.private("general", "mia")[0]
