"""`/autoheal status` and the stakeholders' draft."""

from dataclasses import replace

from handlers.slack.summary import read_status, stakeholder_draft
from store.incidents.approvals import ApprovalState
from tests.fakes.incidents import open_incidents
from tests.handlers.inbound import Slack, stored_card, stored_run


async def test_status_is_five_private_lines_and_an_unsent_draft(slack: Slack) -> None:
    await stored_run(slack)
    await slack.workspace.slash("mia", "incidents", "/autoheal status")
    await slack.handled(1)
    (told,) = slack.private("incidents", "mia")
    lines, draft = told.splitlines()[:5], told.splitlines()[5:]
    assert lines[0].startswith("*#1 checkout*: investigating for")
    assert draft == [
        ">We are investigating a problem with checkout since 5 Nov 02:41 UTC. We are looking for the cause."
    ]
    assert slack.said("incidents") == []


async def test_status_is_that_of_this_channel(slack: Slack) -> None:
    await stored_run(slack)
    await slack.workspace.slash("mia", "checkout-team", "/autoheal status")
    await slack.handled(1)
    assert slack.private("checkout-team", "mia")[0].startswith("No incident is open in this channel.")


async def test_the_draft_says_when_a_fix_is_coming_and_when_it_helped(slack: Slack) -> None:
    approval, _ = await stored_card(slack)
    async with slack.db.tenant(slack.tenant, readonly=True) as s:
        (incident,) = await open_incidents(s)
        view = await read_status(s, incident, slack.context.clock())
    assert stakeholder_draft(view).endswith("A fix is being prepared.")
    healed = replace(view, approvals=[replace(approval, state=ApprovalState.HEALED)])
    assert "has recovered" in stakeholder_draft(healed)
