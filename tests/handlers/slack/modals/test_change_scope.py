"""The change-scope form."""

from typing import Any

from handlers.slack.modal import Metadata
from handlers.slack.modals.change_scope import change_scope_view
from store.incidents.approvals import ApprovalState, replace_plan
from tests.conftest import Clock
from tests.handlers.inbound import Slack, a_plan, reread, stored_card


def test_known_versions_are_offered_with_the_planned_one_chosen(clock: Clock) -> None:
    plan = a_plan(clock())
    view: dict[str, Any] = change_scope_view(Metadata(subject="a1"), plan, ["1111111", "9c01be0"])
    (field,) = view["blocks"]
    assert [one["value"] for one in field["element"]["options"]] == ["9c01be0", "1111111"]
    assert field["element"]["initial_option"]["value"] == "9c01be0"


async def test_a_new_scope_that_cannot_be_planned_is_answered_with_the_reason(slack: Slack) -> None:
    approval, ts = await stored_card(slack)
    await slack.workspace.click("mia", ts, "change_scope")
    await slack.handled(1)
    (view_id,) = slack.workspace.views
    await slack.workspace.submit_view("mia", view_id, {"to_version": "1111111"})
    await slack.handled(2)
    assert len(slack.private("incidents", "mia")) == 1
    assert (await reread(slack, approval)).state is ApprovalState.PROPOSED


async def test_a_form_over_a_plan_that_changed_meanwhile_changes_nothing(slack: Slack) -> None:
    approval, ts = await stored_card(slack)
    await slack.workspace.click("mia", ts, "change_scope")
    await slack.handled(1)
    (view_id,) = slack.workspace.views
    async with slack.db.tenant(slack.tenant) as s:
        plan = a_plan(s.now(), title="Another plan").model_dump(mode="json")
        await replace_plan(s, approval.id, plan=plan, target_version="x", preview_read_at=s.now())
    await slack.workspace.submit_view("mia", view_id, {"to_version": "1111111"})
    await slack.handled(2)
    assert slack.private("incidents", "mia")[0].startswith("The plan on this card is out of date")
