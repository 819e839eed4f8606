"""A silence of one alert: previewed as the alert is now, made once, told as done and not as healed, and taken back."""

import ipaddress
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fakes.bench import bench_toolbox
from fakes.inline_engine import SettableClock
from fakes.rig import Rig, restart_draft
from fakes.scripted_model import call, results
from pydantic import ValidationError

from agents.connecting.connector import ConnectorContext, Service
from agents.connecting.connectors.alertmanager import Alertmanager
from agents.connecting.connectors.alertmanager.settings import AlertmanagerConfig
from agents.connecting.outbound import EgressPolicy, Outbound
from agents.connecting.toolbox import Toolbox
from agents.models.model import Block, TurnRequest
from agents.models.offline.change_evidence import FaultKind
from agents.models.offline.remedy import fitting_remedies
from agents.remediation import Impossible, Plan, PlanReason, RemediationContext, describe_remedies, remedies_of
from agents.remediation.quieting import AlertToQuiet
from agents.remediations.silence_alert import REMEDIATION
from agents.tool import Risk
from store import incidents
from store.ids import ApprovalId, stable_id
from store.incidents.approvals import ApprovalState
from store.secrets.redaction import Secret
from tests.fakes.alertmanager import NOW, TOKEN, FakeAlertmanager, an_alert, fake_alertmanager

SERVICES = (Service(name="checkout"), Service(name="payments"))
REASON = PlanReason(
    cause="a slow bank", confidence="medium", evidence=("A1",), requested_by="U1", healing=None, incident="i-7"
)


@pytest.fixture
async def outbound() -> AsyncIterator[Outbound]:
    client = Outbound(EgressPolicy(allow_networks=(ipaddress.ip_network("127.0.0.0/8"),)))
    yield client
    await client.close()


@pytest.fixture
async def server() -> AsyncIterator[FakeAlertmanager]:
    async with fake_alertmanager() as fake:
        fake.alerts = [an_alert("HighErrors", service="checkout", severity="critical")]
        yield fake


def connected(server: FakeAlertmanager, outbound: Outbound, now: Callable[[], datetime]) -> Alertmanager:
    context = ConnectorContext(services=SERVICES, outbound=outbound, now=now, credentials={"token": Secret(TOKEN)})
    return Alertmanager(AlertmanagerConfig.model_validate({"url": server.url}), context)


@pytest.fixture
def context(server: FakeAlertmanager, outbound: Outbound) -> RemediationContext:
    return RemediationContext(
        actuators=[connected(server, outbound, lambda: NOW)], changes=(), services=SERVICES, now=lambda: NOW
    )


async def planned(context: RemediationContext, **arguments: Any) -> Plan:
    plan = await REMEDIATION.plan(AlertToQuiet(service="checkout", **arguments), REASON, context)
    assert isinstance(plan, Plan), plan
    return plan


async def refused(context: RemediationContext, **arguments: Any) -> str:
    plan = await REMEDIATION.plan(AlertToQuiet(**{"service": "checkout", **arguments}), REASON, context)
    assert isinstance(plan, Impossible), plan
    return plan.reason


async def test_previewed_made_once_and_taken_back(context: RemediationContext, server: FakeAlertmanager) -> None:
    plan = await planned(context)
    assert (plan.title, plan.risk, plan.reversible) == ("Silence HighErrors of checkout for 60 min", Risk.LOW, True)
    assert plan.preconditions[0].text == "HighErrors of checkout fires since 2026-03-01 11:55:00 UTC"
    assert plan.argv[0] == "POST"
    assert "Autoheal, incident i-7" in plan.argv[2]
    assert not REMEDIATION.reached(plan, await REMEDIATION.read_target(plan, context))
    for _ in range(2):
        assert (await REMEDIATION.apply(plan, context, idempotency_key="k")).ok
    (made,) = server.posted()
    assert made["comment"] == "Autoheal, incident i-7"
    assert made["endsAt"] == (NOW + timedelta(minutes=60)).isoformat()
    target = await REMEDIATION.read_target(plan, context)
    assert REMEDIATION.reached(plan, target)
    assert REMEDIATION.binding(target) != plan.target_version
    assert "is silenced already, until 13:00 UTC" in await refused(context)
    undo = await REMEDIATION.undo(plan, REASON, context)
    assert isinstance(undo, Plan)
    assert (undo.argv[0], undo.title, undo.reversible) == ("DELETE", "End the silence of HighErrors", False)
    assert REMEDIATION.binding(await REMEDIATION.read_target(undo, context)) == undo.target_version
    assert (await REMEDIATION.apply(undo, context, idempotency_key="u")).ok
    assert REMEDIATION.reached(undo, await REMEDIATION.read_target(undo, context))
    gone = await REMEDIATION.undo(plan, REASON, context)
    assert isinstance(gone, Impossible)
    assert "has ended already" in gone.reason


async def test_an_alert_that_somebody_silenced_in_between_makes_it_stale(
    context: RemediationContext, server: FakeAlertmanager
) -> None:
    plan = await planned(context, minutes=30)
    server.silences["theirs"] = {
        "matchers": [{"name": "severity", "value": "critical", "isRegex": False, "isEqual": True}],
        "startsAt": (NOW - timedelta(minutes=1)).isoformat(),
        "endsAt": (NOW + timedelta(hours=1)).isoformat(),
        "createdBy": "mia",
        "comment": "",
    }
    assert REMEDIATION.binding(await REMEDIATION.read_target(plan, context)) != plan.target_version
    assert await refused(context) == "HighErrors rings nobody now: it is silenced by theirs."
    server.silences.clear()
    server.alerts = []
    assert REMEDIATION.binding(await REMEDIATION.read_target(plan, context)) != plan.target_version
    assert not (await REMEDIATION.apply(plan, context, idempotency_key="k")).ok


async def test_what_cannot_be_meant_exactly_is_not_silenced(
    context: RemediationContext, server: FakeAlertmanager, outbound: Outbound
) -> None:
    assert "No alert 'Slow' of checkout is active" in await refused(context, alert="Slow")
    assert "No alert of payments is active" in await refused(context, service="payments")
    assert "is not a declared service" in await refused(context, service="nobody")
    assert "No connected source can silence" in await refused(replace(context, actuators=()))
    server.alerts.append(an_alert("HighErrors", service="checkout", pod="b"))
    told = await refused(context, alert="HighErrors")
    assert "2 alerts of checkout may be meant; name one by its key" in told
    key = next(
        one.key for one in (await connected(server, outbound, lambda: NOW).read_alerts()).alerts if "pod" in one.labels
    )
    assert '"pod"' in (await planned(context, alert=key)).parameters["labels"]
    server.alerts = [an_alert("A", service="checkout", key="ghp_0123456789abcdefghijABCDEFGHIJ012345")]
    assert "looks like a secret" in await refused(context)
    server.refuse = (503, {}, b"")
    assert "cannot be prepared" in await refused(context)


@pytest.mark.parametrize("minutes", [0, 4, 241, 100_000])
def test_a_silence_is_bounded(minutes: int) -> None:
    with pytest.raises(ValidationError):
        AlertToQuiet(service="checkout", minutes=minutes)


def test_both_investigators_see_it_and_code_never_proposes_it_for_a_fault(context: RemediationContext) -> None:
    remedies = remedies_of(context.actuators, context.services)
    assert remedies == {"checkout": ("silence_alert",), "payments": ("silence_alert",)}
    assert "- silence_alert(service, alert (optional), minutes (optional)): when people are paged" in (
        describe_remedies(remedies)
    )
    assert not any(
        one.name == "silence_alert" for fault in FaultKind for one in fitting_remedies(("silence_alert",), fault.value)
    )


def rank_then_silence(request: TurnRequest, turn: int) -> list[Block]:
    if turn == 0:
        return [call(0, 0, "rank_causes", {"minutes": 5})]
    proposal = {"remediation": "silence_alert", "arguments": {"service": "checkout"}}
    return [call(turn, 0, "conclude", restart_draft(str(results(request)[0]["content"]), proposal=proposal))]


async def test_approved_it_is_done_not_healed_and_its_undo_is_done_too(
    rig_of: Callable[..., Rig], server: FakeAlertmanager, outbound: Outbound, clock: SettableClock
) -> None:
    server.now = clock
    server.alerts = [an_alert("HighErrors", at=clock() - timedelta(minutes=2), service="checkout")]

    def toolbox(folder: Path, now: SettableClock) -> Toolbox:
        bench = bench_toolbox(folder, now)
        return replace(bench, connectors=(*bench.connectors, connected(server, outbound, now)))

    rig = rig_of(script=rank_then_silence, toolbox=toolbox)
    found = await rig.proposed()
    assert found.remediation == "silence_alert"
    assert server.posted() == []
    await rig.decide(found)
    assert await rig.state(found.id) is ApprovalState.DONE
    assert found.incident_id in server.posted()[0]["comment"]
    async with rig.db.tenant(rig.tenant, readonly=True) as s:
        incident = await incidents.incident(s, found.incident_id)
    assert incident is not None
    assert incident.status == "investigating"
    assert len(rig.runs()) == 1, "a silence that heals nothing is no failed remedy"
    await rig.incident_service.undo(await rig.person(), found.id)
    await rig.engine.settle()
    assert await rig.state(ApprovalId(stable_id("undo", rig.tenant, found.id))) is ApprovalState.DONE
    assert [one.method for one in server.asked if one.method != "GET"] == ["POST", "DELETE"]
