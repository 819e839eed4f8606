"""The break-glass button: a form for an admin, nothing for others."""

from dataclasses import replace

from agents.tool import Risk
from handlers.slack.blocks.card import Card, card
from store.incidents.approvals import ApprovalState
from store.people.users import Role
from tests.handlers.inbound import Slack, a_plan, reread, set_person, stored_card


async def test_an_admin_is_asked_why(slack: Slack) -> None:
    approval, ts = await stored_card(slack, a_plan(slack.context.clock(), risk=Risk.HIGH))
    await set_person(slack, "olga", Role.ADMIN)
    await slack.workspace.click("olga", ts, "break_glass")
    await slack.handled(1)
    (view,) = slack.workspace.views.values()
    assert view.view["callback_id"] == "break_glass"
    assert (await reread(slack, approval)).state is ApprovalState.PROPOSED


async def test_a_member_is_told_who_may(slack: Slack) -> None:
    _, ts = await stored_card(slack, a_plan(slack.context.clock(), risk=Risk.HIGH))
    await slack.workspace.click("mia", ts, "break_glass")
    await slack.handled(1)
    assert "an admin" in slack.private("incidents", "mia")[0]
    assert not slack.workspace.views


async def test_only_a_reversible_plan_of_high_risk_has_the_button(slack: Slack) -> None:
    plan = a_plan(slack.context.clock(), risk=Risk.HIGH)
    approval, _ = await stored_card(slack, plan)
    shown = {
        (risk, reversible): "Break glass"
        in str(card(Card(approval=approval, plan=plan.model_copy(update={"risk": risk, "reversible": reversible}))))
        for risk in (Risk.MEDIUM, Risk.HIGH)
        for reversible in (True, False)
    }
    assert [case for case, there in shown.items() if there] == [(Risk.HIGH, True)]
    decided = replace(approval, state=ApprovalState.APPROVED, decision="break_glass", decided_by=None)
    assert "with break-glass" in str(card(Card(approval=decided, plan=plan)))
