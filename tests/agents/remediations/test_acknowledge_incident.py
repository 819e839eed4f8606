"""An incident is acknowledged once, as it was read, in the name that the connection says, for good."""

from dataclasses import replace

import pytest

from agents.errors import NotPermitted
from agents.remediation import Impossible, describe_remedies, remedies_of
from agents.remediations.acknowledge_incident import REMEDIATION
from agents.tool import Risk
from tests.agents.remediations.tracked import REASON, an_open_incident, planned, refused
from tests.fakes.pagerduty import an_incident


async def test_previewed_done_once_and_never_taken_back() -> None:
    async with an_open_incident() as (server, context):
        plan = await planned(REMEDIATION, context)
        assert (plan.title, plan.risk, plan.reversible) == (
            "Acknowledge incident #71 of checkout",
            Risk.LOW,
            False,
        )
        assert plan.preconditions[0].text == (
            "incident #71 (Checkout fails) is triggered since 2026-03-01 11:55:00 UTC, 1 of its 1 alert triggered"
        )
        assert plan.argv[0] == "PUT"
        assert plan.argv[2] == "From: autoheal@acme.example"
        assert not REMEDIATION.reached(plan, await REMEDIATION.read_target(plan, context))
        for _ in range(2):
            assert (await REMEDIATION.apply(plan, context, idempotency_key="k")).ok
        assert len(server.written()) == 1
        assert REMEDIATION.reached(plan, await REMEDIATION.read_target(plan, context))
        undo = await REMEDIATION.undo(plan, REASON, context)
        assert isinstance(undo, Impossible)
        assert "cannot be taken back" in undo.reason
        assert await refused(REMEDIATION, context) == "incident #71 (Checkout fails) is acknowledged already."


async def test_only_one_that_is_meant_exactly() -> None:
    async with an_open_incident() as (server, context):
        assert await refused(REMEDIATION, context, item="#9") == "No incident '#9' of checkout is open now."
        assert "No incident of payments is open now" in await refused(REMEDIATION, context, "payments")
        assert "is not a declared service" in await refused(REMEDIATION, context, "nobody")
        assert "No connected source can acknowledge" in await refused(REMEDIATION, replace(context, actuators=()))
        server.incidents.append(an_incident("Q2CHECKOUT", 72, "PCHECKOUT", "Slow"))
        assert "name one by its id: #71 [Q1CHECKOUT], #72 [Q2CHECKOUT]" in await refused(REMEDIATION, context)
        assert (await planned(REMEDIATION, context, "#72")).parameters["item"] == "Q2CHECKOUT"
        server.incidents += [
            an_incident(f"QMANY{n:03}", 100 + n, "PCHECKOUT", "again", status="acknowledged") for n in range(300)
        ]
        server.incidents[0]["status"] = "resolved"
        assert "may not be the only one. Not all was read" in await refused(REMEDIATION, context)
        server.refuse["/incidents"] = (503, {}, b"")
        assert "cannot be prepared" in await refused(REMEDIATION, context)


async def test_it_is_carried_out_by_the_connection_that_planned_it() -> None:
    async with an_open_incident() as (_, context):
        plan = await planned(REMEDIATION, context)
        another = plan.model_copy(update={"parameters": {**plan.parameters, "connection": "eu"}})
        with pytest.raises(NotPermitted, match="the connection eu can do acknowledge_incident to checkout no more"):
            await REMEDIATION.read_target(another, context)


async def test_the_model_reads_when_it_helps() -> None:
    async with an_open_incident() as (_, context):
        remedies = remedies_of(context.actuators, context.services)
        assert remedies["checkout"] == ("acknowledge_incident", "resolve_incident")
        assert "- acknowledge_incident(service, item (optional)): when an incident keeps paging" in (
            describe_remedies(remedies)
        )
