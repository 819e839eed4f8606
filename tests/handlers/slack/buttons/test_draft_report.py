"""The draft-report button."""

from handlers.slack.blocks.message import Message, actions, button
from store.people.users import Role
from tests.handlers.inbound import Slack, set_person, show, stored_card


async def test_the_draft_opens_for_editing_and_nothing_is_posted(slack: Slack) -> None:
    approval, _ = await stored_card(slack)
    ts = await show(slack, Message(text="Healed", blocks=tuple(actions(button("draft_report", "Draft", approval.id)))))
    said = len(slack.said("incidents"))
    await slack.workspace.click("mia", ts, "draft_report")
    await slack.handled(1)
    (view,) = slack.workspace.views.values()
    (field,) = view.view["blocks"]
    assert field["element"]["initial_value"].startswith("Incident #1: ")
    assert len(slack.said("incidents")) == said


async def test_a_viewer_drafts_nothing(slack: Slack) -> None:
    approval, _ = await stored_card(slack)
    await set_person(slack, "mia", Role.VIEWER)
    ts = await show(slack, Message(text="Healed", blocks=tuple(actions(button("draft_report", "Draft", approval.id)))))
    await slack.workspace.click("mia", ts, "draft_report")
    await slack.handled(1)
    assert "a member or admin" in slack.private("incidents", "mia")[0]
    assert not slack.workspace.views
