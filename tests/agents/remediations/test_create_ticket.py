"""A ticket of what was found: previewed whole, made once an incident, told as done, and never taken back."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from fakes.bench import bench_toolbox
from fakes.inline_engine import SettableClock
from fakes.rig import Rig, restart_draft
from fakes.scripted_model import call, results

from agents.connecting.connector import Connector
from agents.connecting.connectors.jira.adf import text_of
from agents.connecting.toolbox import Toolbox
from agents.models.model import Block, TurnRequest
from agents.remediation import Impossible, Plan, RemediationContext, remedies_of
from agents.remediations.create_ticket import REMEDIATION, TicketFor
from agents.tool import Risk
from store.incidents.approvals import ApprovalState
from tests.agents.remediations.ticketed import REASON, an_open_ticket


async def refused(context: RemediationContext, service: str = "checkout", **changed: str) -> str:
    plan = await REMEDIATION.plan(TicketFor(service=service), replace(REASON, **changed), context)  # type: ignore[arg-type] # words
    assert isinstance(plan, Impossible), plan
    return plan.reason


async def test_previewed_made_once_and_kept() -> None:
    async with an_open_ticket() as (server, context):
        plan = await REMEDIATION.plan(TicketFor(service="checkout"), REASON, context)
        assert isinstance(plan, Plan), plan
        assert (plan.title, plan.risk, plan.reversible) == ("Create a ticket of checkout", Risk.LOW, False)
        assert plan.argv[:2] == ("POST", f"{server.url}/rest/api/3/issue")
        for said in ('"summary": "checkout: a slow bank"', "autoheal-i-7", "Cause (medium confidence): a slow bank"):
            assert said in plan.argv[2]
        assert REMEDIATION.binding(await REMEDIATION.read_target(plan, context)) == plan.target_version
        for _ in range(2):
            done = await REMEDIATION.apply(plan, context, idempotency_key="k")
            assert done.ok
            assert f"{server.url}/browse/OPS-101" in done.detail
        assert len(server.written()) == 1
        assert text_of(server.tickets[-1]["fields"]["description"]).endswith("Evidence: 2 results in its report.")
        assert REMEDIATION.reached(plan, await REMEDIATION.read_target(plan, context)), "though the index is behind"
        assert "has a ticket already: OPS-101" in await refused(context)
        undo = await REMEDIATION.undo(plan, REASON, context)
        assert isinstance(undo, Impossible)
        assert "stays" in undo.reason


async def test_what_cannot_be_made_says_why() -> None:
    async with an_open_ticket() as (server, context):
        assert remedies_of(context.actuators, context.services)["checkout"] == ("comment_ticket", "create_ticket")
        assert "is not a declared service" in await refused(context, "nobody")
        assert "No connected source can write tickets" in await refused(replace(context, actuators=()))
        assert "in several places (jira, jira)" in await refused(replace(context, actuators=[*context.actuators] * 2))
        assert "Which incident" in await refused(context, incident="")
        server.refuse["*"] = (503, {}, b"")
        assert "cannot be prepared" in await refused(context)


def rank_then_ticket(request: TurnRequest, turn: int) -> list[Block]:
    if turn == 0:
        return [call(0, 0, "rank_causes", {"minutes": 5})]
    proposal = {"remediation": "create_ticket", "arguments": {"service": "checkout"}}
    return [call(turn, 0, "conclude", restart_draft(str(results(request)[0]["content"]), proposal=proposal))]


async def test_nothing_is_written_before_somebody_approved_it(rig_of: Callable[..., Rig]) -> None:
    async with an_open_ticket() as (server, context):
        (source,) = context.actuators
        assert isinstance(source, Connector)

        def toolbox(folder: Path, now: SettableClock) -> Toolbox:
            bench = bench_toolbox(folder, now)
            return replace(bench, connectors=(*bench.connectors, source))

        rig = rig_of(script=rank_then_ticket, toolbox=toolbox)
        found = await rig.proposed()
        assert server.written() == []
        await rig.decide(found)
        assert await rig.state(found.id) is ApprovalState.DONE
        assert f"autoheal-{found.incident_id}" in server.tickets[-1]["fields"]["labels"]
