"""From Home to a form, by clicking only."""

from store.people.users import Role
from tests.handlers.inbound import Slack, set_person


async def test_home_offers_each_tool_and_a_click_opens_its_form(slack: Slack) -> None:
    await set_person(slack, "mia", Role.ADMIN)
    await slack.workspace.open_home("mia")
    await slack.handled(1)
    home = slack.workspace.home("mia")
    assert home is not None
    offered = [e["action_id"] for b in home.view["blocks"] if b["type"] == "actions" for e in b["elements"]]
    assert {"connect:prometheus", "connect:jaeger", "connect:openmetrics"} <= set(offered)
    await slack.workspace.click("mia", home.id, "connect:jaeger")
    await slack.handled(2)
    (view,) = slack.workspace.views.values()
    assert view.view["title"]["text"] == "Connect Jaeger"
    assert slack.workspace.violations == []


async def test_who_may_not_connect_is_offered_nothing_and_told_who_may(slack: Slack) -> None:
    await set_person(slack, "raj", Role.MEMBER)
    await slack.workspace.open_home("raj")
    await slack.handled(1)
    home = slack.workspace.home("raj")
    assert home is not None
    assert "connect:" not in str(home.view)
    await slack.workspace.slash("raj", "incidents", "/autoheal connect prometheus")
    await slack.handled(2)
    assert slack.workspace.views == {}
    assert "an admin" in slack.private("incidents", "raj")[0]
