"""The approve button."""

import asyncio
from dataclasses import replace
from datetime import timedelta

from agents.tool import Risk
from handlers.slack.blocks.card import Card, card
from store.ids import ApprovalId, IncidentId, new_id
from store.incidents import open_incident
from store.incidents.approvals import ApprovalState, open_approvals, propose, replace_plan
from store.people.users import Role
from store.secrets.redaction import Redacted
from tests.conftest import seed_tenant
from tests.handlers.inbound import Slack, a_plan, reread, set_person, show, stored_card


async def test_a_members_click_approves_and_wakes_the_work(slack: Slack) -> None:
    approval, ts = await stored_card(slack)
    await slack.workspace.click("mia", ts, "approve")
    await slack.handled(1)
    decided = await reread(slack, approval)
    assert (decided.state, decided.decision) == (ApprovalState.APPROVED, "approved")
    assert ("approval_changed", approval.id) in slack.heard.told
    assert [word for _, _, word in slack.engine.sent] == ["approved"]
    assert slack.private("incidents", "mia") == []


async def test_a_second_click_hears_who_decided_and_when(slack: Slack) -> None:
    approval, ts = await stored_card(slack)
    await slack.workspace.click("mia", ts, "approve")
    await slack.handled(1)
    await slack.workspace.click("raj", ts, "approve")
    await slack.handled(2)
    (told,) = slack.private("incidents", "raj")
    assert told.startswith("<@U0MIA> approved this at 02:41:00 UTC")
    assert (await reread(slack, approval)).state is ApprovalState.APPROVED


async def test_of_many_clicks_at_once_one_decides(slack: Slack) -> None:
    approval, ts = await stored_card(slack)
    await asyncio.gather(*(slack.workspace.click(who, ts, "approve") for who in ("mia", "raj", "olga") * 3))
    await slack.handled(9)
    assert (await reread(slack, approval)).state is ApprovalState.APPROVED
    assert len(slack.engine.sent) == 1


async def test_a_viewers_click_is_told_who_may_and_decides_nothing(slack: Slack) -> None:
    approval, ts = await stored_card(slack)
    await set_person(slack, "mia", Role.VIEWER)
    await slack.workspace.click("mia", ts, "approve")
    await slack.handled(1)
    assert slack.private("incidents", "mia") == ["Your role is viewer. This needs a member or admin."]
    assert (await reread(slack, approval)).state is ApprovalState.PROPOSED


async def test_high_risk_is_not_approved_by_a_member(slack: Slack) -> None:
    approval, ts = await stored_card(slack, a_plan(slack.context.clock(), risk=Risk.HIGH))
    await slack.workspace.click("mia", ts, "approve")
    await slack.handled(1)
    assert "Admins, not the requester" in slack.private("incidents", "mia")[0]
    assert (await reread(slack, approval)).state is ApprovalState.PROPOSED


async def test_a_guest_decides_nothing(slack: Slack) -> None:
    approval, ts = await stored_card(slack)
    await slack.workspace.click("gus", ts, "approve")
    await slack.handled(1)
    assert slack.private("incidents", "gus")[0].startswith("Guests cannot use Autoheal")
    assert (await reread(slack, approval)).state is ApprovalState.PROPOSED


async def test_the_card_of_another_tenant_cannot_be_decided(slack: Slack) -> None:
    approval, _ = await stored_card(slack)
    stranger = await seed_tenant(slack.db, "Globex")
    async with slack.db.tenant(stranger) as s:
        foreign = await open_incident(
            s,
            id=IncidentId(new_id()),
            title=Redacted.ours("theirs"),
            channel_id="C0INCIDENTS",
            thread_ts="1.1",
            opened_by=None,
        )
        theirs = await propose(
            s,
            id=ApprovalId(new_id()),
            incident_id=foreign.id,
            investigation_id=None,
            remediation="rollback_deployment",
            plan=a_plan(s.now()).model_dump(mode="json"),
            target="checkout",
            target_version=None,
            risk="medium",
            expires_at=s.now() + timedelta(hours=24),
            preview_read_at=s.now(),
        )
    forged = replace(approval, id=theirs.id, plan_hash=theirs.plan_hash)
    ts = await show(slack, card(Card(approval=forged, plan=a_plan(slack.context.clock()))))
    await slack.workspace.click("olga", ts, "approve")
    await slack.handled(1)
    assert slack.private("incidents", "olga") == ["I do not know this proposal any more."]
    async with slack.db.tenant(stranger, readonly=True) as s:
        assert [one.state for one in await open_approvals(s)] == [ApprovalState.PROPOSED]


async def test_a_click_on_a_plan_that_changed_applies_nothing(slack: Slack) -> None:
    approval, ts = await stored_card(slack)
    async with slack.db.tenant(slack.tenant) as s:
        plan = a_plan(s.now(), title="Another plan").model_dump(mode="json")
        await replace_plan(s, approval.id, plan=plan, target_version="x", preview_read_at=s.now())
    await slack.workspace.click("mia", ts, "approve")
    await slack.handled(1)
    assert slack.private("incidents", "mia")[0].startswith("The plan on this card is out of date")
    assert (await reread(slack, approval)).state is ApprovalState.PROPOSED
