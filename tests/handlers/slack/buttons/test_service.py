"""The button that opens the form of a service."""

from store.people.users import Role
from tests.handlers.inbound import Slack, set_person


async def test_the_button_under_the_list_opens_an_empty_form(slack: Slack) -> None:
    await set_person(slack, "mia", Role.ADMIN)
    await slack.workspace.slash("mia", "incidents", "/autoheal services")
    await slack.handled(1)
    (told,) = [m for m in slack.workspace.messages("incidents") if m.ephemeral_for]
    await slack.workspace.click("mia", told.ts, "service")
    await slack.handled(2)
    (view,) = slack.workspace.views.values()
    assert view.view["title"]["text"] == "A service"
    assert slack.workspace.violations == []
