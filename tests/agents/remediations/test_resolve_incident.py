"""An incident is resolved once with its alerts, told as done and not as healed, and opened again by undo."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from fakes.bench import bench_toolbox
from fakes.inline_engine import SettableClock
from fakes.rig import Rig, restart_draft
from fakes.scripted_model import call, results

from agents.connecting.connector import Connector
from agents.connecting.toolbox import Toolbox
from agents.models.model import Block, TurnRequest
from agents.models.offline.change_evidence import FaultKind
from agents.models.offline.remedy import fitting_remedies
from agents.remediation import Impossible, Plan
from agents.remediations.resolve_incident import REMEDIATION
from agents.tool import Risk
from store.ids import ApprovalId, stable_id
from store.incidents.approvals import ApprovalState
from tests.agents.remediations.tracked import REASON, an_open_incident, planned


async def test_previewed_resolved_with_its_alerts_and_opened_again() -> None:
    async with an_open_incident() as (server, context):
        plan = await planned(REMEDIATION, context)
        assert (plan.title, plan.risk, plan.reversible) == ("Resolve incident #71 of checkout", Risk.MEDIUM, True)
        assert "alerts in it that are still triggered are resolved with it" in plan.interruption
        assert (await REMEDIATION.apply(plan, context, idempotency_key="k")).detail == "incident #71 is resolved"
        assert server.alerts[0]["status"] == "resolved"
        assert REMEDIATION.reached(plan, await REMEDIATION.read_target(plan, context))
        undo = await REMEDIATION.undo(plan, REASON, context)
        assert isinstance(undo, Plan)
        assert (undo.title, undo.to_version, undo.reversible) == ("Reopen incident #71 of checkout", "triggered", False)
        assert REMEDIATION.binding(await REMEDIATION.read_target(undo, context)) == undo.target_version
        assert (await REMEDIATION.apply(undo, context, idempotency_key="u")).ok
        assert REMEDIATION.reached(undo, await REMEDIATION.read_target(undo, context))
        gone = await REMEDIATION.undo(plan, REASON, context)
        assert isinstance(gone, Impossible)
        assert "is triggered now: there is nothing to take back" in gone.reason


async def test_whoever_changed_it_in_between_makes_the_plan_stale() -> None:
    async with an_open_incident() as (server, context):
        plan = await planned(REMEDIATION, context)
        server.incidents[0]["status"] = "acknowledged"
        assert REMEDIATION.binding(await REMEDIATION.read_target(plan, context)) != plan.target_version
        assert not (await REMEDIATION.apply(plan, context, idempotency_key="k")).ok
        assert server.written() == []


def test_code_never_proposes_it_for_a_fault() -> None:
    assert not any(
        one.name == "resolve_incident"
        for fault in FaultKind
        for one in fitting_remedies(("resolve_incident",), fault.value)
    )


def rank_then_resolve(request: TurnRequest, turn: int) -> list[Block]:
    if turn == 0:
        return [call(0, 0, "rank_causes", {"minutes": 5})]
    proposal = {"remediation": "resolve_incident", "arguments": {"service": "checkout"}}
    return [call(turn, 0, "conclude", restart_draft(str(results(request)[0]["content"]), proposal=proposal))]


async def test_approved_it_is_done_not_healed_and_its_undo_is_done_too(rig_of: Callable[..., Rig]) -> None:
    async with an_open_incident() as (server, context):
        (source,) = context.actuators
        assert isinstance(source, Connector)

        def toolbox(folder: Path, now: SettableClock) -> Toolbox:
            bench = bench_toolbox(folder, now)
            return replace(bench, connectors=(*bench.connectors, source))

        rig = rig_of(script=rank_then_resolve, toolbox=toolbox)
        found = await rig.proposed()
        assert server.written() == []
        await rig.decide(found)
        assert await rig.state(found.id) is ApprovalState.DONE
        await rig.incident_service.undo(await rig.person(), found.id)
        await rig.engine.settle()
        assert await rig.state(ApprovalId(stable_id("undo", rig.tenant, found.id))) is ApprovalState.DONE
        assert server.incidents[0]["status"] == "triggered"
        assert len(server.written()) == 2
