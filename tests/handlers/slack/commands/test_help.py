"""`/autoheal help`, and unknown input."""

from store.people.users import Role
from tests.handlers.inbound import Slack, set_person


async def test_help_lists_what_the_role_may_do(slack: Slack) -> None:
    await set_person(slack, "raj", Role.VIEWER)
    await slack.workspace.slash("raj", "incidents", "/autoheal help")
    await slack.handled(1)
    await slack.workspace.slash("mia", "incidents", "/autoheal help")
    await slack.handled(2)
    (viewer,), (member,) = slack.private("incidents", "raj"), slack.private("incidents", "mia")
    assert "/autoheal investigate" not in viewer
    assert "/autoheal status" in viewer
    assert "/autoheal investigate" in member


async def test_unknown_input_gets_help_without_repeating_it(slack: Slack) -> None:
    await slack.workspace.slash("mia", "incidents", "/autoheal frobnicate <!channel>")
    await slack.handled(1)
    (told,) = slack.private("incidents", "mia")
    assert told.startswith("I do not know that command.")
    assert "frobnicate" not in told


async def test_no_sub_command_is_help_too(slack: Slack) -> None:
    await slack.workspace.slash("mia", "incidents", "/autoheal")
    await slack.handled(1)
    assert "/autoheal investigate" in slack.private("incidents", "mia")[0]
