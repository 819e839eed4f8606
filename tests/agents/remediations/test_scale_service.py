"""Scaling, by a declared command with the numbers that the operator permits."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from agents.connecting.connector import ConnectorContext, Service
from agents.connecting.connectors.commands import Commands, CommandsConfig
from agents.connecting.outbound import EgressPolicy, Outbound
from agents.models.offline.change_evidence import FaultKind
from agents.models.offline.remedy import fitting_remedies
from agents.remediation import (
    Impossible,
    Plan,
    PlanReason,
    RemediationContext,
    describe_remedies,
    discover_remediations,
    remedies_of,
)
from agents.remediations.scale_service import REMEDIATION, Scale
from tests.agents.remediations.conftest import NOW

REASON = PlanReason(cause="a surge", confidence="high", evidence=("A1",), requested_by="U1", healing=None)
PROGRAM = """
import json, pathlib, sys
path = pathlib.Path(sys.argv[1])
state = json.loads(path.read_text())
if sys.argv[2] == "scale":
    state["instances"] = int(sys.argv[4])
    path.write_text(json.dumps(state))
print(json.dumps(state))
"""


@pytest.fixture
def commands(tmp_path: Path) -> Commands:
    program, state = tmp_path / "control.py", tmp_path / "state.json"
    program.write_text(PROGRAM)
    state.write_text(json.dumps({"version": "4f2a91b", "state": "running", "instances": 2}))
    argv = [sys.executable, str(program), str(state)]
    scale: dict[str, Any] = {
        "name": "scale",
        "action": "scale_service",
        "argv": [*argv, "scale", "{service}", "{instances}"],
        "parameters": {"instances": {"type": "int", "min": 1, "max": 4}},
        "risk": "medium",
        "services": ["checkout"],
    }
    status = {"name": "status", "action": "read_target", "argv": [*argv, "status", "{service}"], "risk": "read"}
    services = (Service(name="checkout"), Service(name="payments"))
    context = ConnectorContext(services=services, outbound=Outbound(EgressPolicy()), now=lambda: NOW)
    return Commands(CommandsConfig.model_validate({"command": [status, scale]}), context)


@pytest.fixture
def context(commands: Commands) -> RemediationContext:
    return RemediationContext(actuators=[commands], changes=(), services=commands.context.services, now=lambda: NOW)


async def planned(context: RemediationContext, instances: int | None = None) -> Plan:
    plan = await REMEDIATION.plan(Scale(service="checkout", instances=instances), REASON, context)
    assert isinstance(plan, Plan), plan
    return plan


async def test_half_as_many_again_applied_reached_and_taken_back(context: RemediationContext) -> None:
    plan = await planned(context)
    assert plan.title == "Scale checkout from 2 to 3 instances"
    assert plan.argv[-3:] == ("scale", "checkout", "3")
    assert plan.interruption.startswith("none")
    assert not REMEDIATION.reached(plan, await REMEDIATION.read_target(plan, context))
    assert (await REMEDIATION.apply(plan, context, idempotency_key="k")).ok
    target = await REMEDIATION.read_target(plan, context)
    assert REMEDIATION.reached(plan, target)
    assert REMEDIATION.binding(target) != plan.target_version, "whoever scaled it in between makes a plan stale"
    undo = await REMEDIATION.undo(plan, REASON, context)
    assert isinstance(undo, Plan)
    assert undo.parameters == {"service": "checkout", "instances": "2"}
    assert "1 instances may fail" in undo.interruption


async def test_what_is_not_permitted_or_not_needed_is_said(context: RemediationContext) -> None:
    for arguments, told in (
        (Scale(service="checkout", instances=9), "and no more is permitted here: scale: instances does not accept '9'"),
        (Scale(service="checkout", instances=2), "runs on 2 instances already"),
        (Scale(service="payments"), "No connected source can scale payments"),
        (Scale(service="nobody"), "is not a declared service"),
    ):
        refused = await REMEDIATION.plan(arguments, REASON, context)
        assert isinstance(refused, Impossible)
        assert told in refused.reason


def test_the_model_is_told_of_what_can_be_done_here_and_of_nothing_else(commands: Commands) -> None:
    remedies = remedies_of([commands], commands.context.services)
    assert remedies == {"checkout": ("scale_service",), "payments": ()}
    told = describe_remedies(remedies)
    assert told.startswith("- scale_service(service, instances (optional)): when more load came")
    assert told.endswith("Of checkout.")
    assert describe_remedies({}) == "- none is connected"


def test_the_offline_investigator_proposes_it_for_a_surge_where_it_can_be_done() -> None:
    assert [one.name for one in fitting_remedies(("scale_service",), FaultKind.SURGE.value)] == ["scale_service"]
    assert fitting_remedies((), FaultKind.SURGE.value) == []
    assert [one.name for one in fitting_remedies(("scale_service", "restart_service"), FaultKind.LEAK.value)] == [
        "restart_service"
    ]
    assert fitting_remedies(("scale_service",), FaultKind.SURGE.value, external="a provider outside") == []


def test_every_remediation_says_what_it_is_for_in_words_that_the_investigator_uses() -> None:
    kinds = {fault.value for fault in FaultKind}
    for one in discover_remediations().values():
        assert one.when
        assert one.ready.endswith(" ready.")
        assert one.cures <= kinds
        assert one.needs_change or one.cures or not one.is_cure
