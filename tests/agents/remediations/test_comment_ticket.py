"""A comment on a ticket: previewed whole, written once an incident, and never taken back."""

import pytest
from pydantic import ValidationError

from agents.connecting.connectors.jira.adf import text_of
from agents.remediation import Impossible, Plan, RemediationContext
from agents.remediations.comment_ticket import REMEDIATION, CommentOn
from agents.tool import Risk
from tests.agents.remediations.ticketed import REASON, an_open_ticket
from tests.fakes.jira import DONE


async def refused(context: RemediationContext, service: str = "checkout", ticket: str = "OPS-12") -> str:
    plan = await REMEDIATION.plan(CommentOn(service=service, ticket=ticket), REASON, context)
    assert isinstance(plan, Impossible), plan
    return plan.reason


async def test_previewed_written_once_and_kept() -> None:
    async with an_open_ticket() as (server, context):
        plan = await REMEDIATION.plan(CommentOn(service="checkout", ticket="OPS-12"), REASON, context)
        assert isinstance(plan, Plan), plan
        assert (plan.title, plan.risk, plan.reversible) == ("Comment on ticket OPS-12 of checkout", Risk.LOW, False)
        assert "ticket OPS-12 (Checkout fails) is To Do" in plan.preconditions[0].text
        assert "Cause (medium confidence): a slow bank" in plan.argv[2]
        server.tickets[0]["fields"]["status"] = DONE
        target = await REMEDIATION.read_target(plan, context)
        assert REMEDIATION.binding(target) == plan.target_version, "its state may change in between"
        assert not REMEDIATION.reached(plan, target)
        for _ in range(2):
            assert (await REMEDIATION.apply(plan, context, idempotency_key="k")).ok
        (comment,) = server.comments["OPS-12"]
        assert text_of(comment["body"]).startswith("autoheal-i-7: told by Autoheal of its incident i-7.\n")
        assert REMEDIATION.reached(plan, await REMEDIATION.read_target(plan, context))
        assert "has commented on OPS-12 already" in await refused(context)
        assert isinstance(await REMEDIATION.undo(plan, REASON, context), Impossible)


async def test_what_cannot_be_written_says_why() -> None:
    async with an_open_ticket() as (server, context):
        assert await refused(context, "payments") == "Ticket OPS-12 is of checkout, not of payments."
        assert "shows no ticket OPS-99" in await refused(context, ticket="OPS-99")
        assert "is in none of the connected projects" in await refused(context, ticket="HR-1")
        server.refuse["*"] = (503, {}, b"")
        assert "cannot be prepared" in await refused(context)
    with pytest.raises(ValidationError):
        CommentOn(service="checkout", ticket="../../x")
