"""`/autoheal incidents`."""

from tests.handlers.inbound import Slack, stored_run


async def test_open_incidents_are_listed_with_links(slack: Slack) -> None:
    await stored_run(slack)
    await slack.workspace.slash("mia", "checkout-team", "/autoheal incidents")
    await slack.handled(1)
    (told,) = slack.private("checkout-team", "mia")
    assert told.startswith("1 incident open")
    assert "|#1> checkout: investigating for 0 s" in told


async def test_a_private_channels_incident_is_for_its_members(slack: Slack) -> None:
    await stored_run(slack)
    channel = slack.workspace.channels["incidents"]
    channel.is_private = True
    channel.members.discard(slack.workspace.users["mia"].id)
    await slack.workspace.slash("mia", "checkout-team", "/autoheal incidents")
    await slack.handled(1)
    assert slack.private("checkout-team", "mia") == ["No incident is open."]
    channel.members.add(slack.workspace.users["mia"].id)
    await slack.workspace.slash("mia", "checkout-team", "/autoheal incidents")
    await slack.handled(2)
    assert "|#1> checkout: investigating" in slack.private("checkout-team", "mia")[1]


async def test_none_is_said_as_such(slack: Slack) -> None:
    await slack.workspace.slash("mia", "incidents", "/autoheal incidents")
    await slack.handled(1)
    assert slack.private("incidents", "mia") == ["No incident is open."]
