"""Resolve, by a button: what runs is stopped, what waits is withdrawn, and the second click changes nothing."""

from handlers.slack.blocks.message import Message, actions
from handlers.slack.blocks.verdict import end_buttons
from store.incidents import incident
from store.incidents.approvals import ApprovalState
from tests.handlers.inbound import Slack, audited, reread, show, stored_card


async def test_the_incident_ends_with_all_that_belongs_to_it(slack: Slack) -> None:
    approval, _ = await stored_card(slack)
    assert approval.investigation_id is not None
    ts = await show(slack, Message(text="Verdict", blocks=tuple(actions(*end_buttons(approval.investigation_id)))))
    await slack.workspace.click("mia", ts, "resolve")
    await slack.handled(1)
    async with slack.db.tenant(slack.tenant, readonly=True) as s:
        ended = await incident(s, approval.incident_id)
    assert ended is not None
    assert (ended.status, ended.is_open, ended.resolved_at is not None) == ("resolved", False, True)
    assert (await reread(slack, approval)).state is ApprovalState.CANCELLED
    assert slack.private("incidents", "mia") == ["#1 is resolved. If it comes back, it is opened again."]
    assert {"slack.incident.resolved", "slack.approval.cancelled", "slack.investigation.stop_requested"} <= set(
        await audited(slack)
    )
    assert ("ended", approval.incident_id) in slack.heard.told
    await slack.workspace.click("mia", ts, "resolve")
    await slack.handled(2)
    assert slack.private("incidents", "mia")[1:] == ["#1 has ended already."]
