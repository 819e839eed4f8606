"""The change-scope button."""

from handlers.slack.buttons.change_scope import known_versions
from store.incidents.approvals import ApprovalState, advance
from tests.handlers.inbound import Slack, a_plan, stored_card


async def test_the_form_asks_for_the_plans_arguments_with_their_present_values(slack: Slack) -> None:
    _, ts = await stored_card(slack)
    await slack.workspace.click("mia", ts, "change_scope")
    await slack.handled(1)
    (view,) = slack.workspace.views.values()
    (field,) = view.view["blocks"]
    assert (field["block_id"], field["element"]["initial_value"]) == ("to_version", "9c01be0")


async def test_a_plan_with_nothing_but_its_target_says_so(slack: Slack) -> None:
    plan = a_plan(slack.context.clock(), remediation="restart_service", to_version=None)
    _, ts = await stored_card(slack, plan)
    await slack.workspace.click("mia", ts, "change_scope")
    await slack.handled(1)
    assert slack.private("incidents", "mia")[0].startswith("This plan has nothing to choose")


async def test_a_decided_plan_cannot_be_changed(slack: Slack) -> None:
    approval, ts = await stored_card(slack)
    async with slack.db.tenant(slack.tenant) as s:
        await advance(s, approval.id, to=ApprovalState.REJECTED, expect=[ApprovalState.PROPOSED])
    await slack.workspace.click("mia", ts, "change_scope")
    await slack.handled(1)
    assert slack.private("incidents", "mia") == ["This is decided already; its scope cannot be changed any more."]


async def test_without_a_source_of_changes_no_version_is_known(slack: Slack) -> None:
    assert await known_versions(slack.tenant, a_plan(slack.context.clock()), slack.context) == []
