"""A downtime of one group of one monitor: previewed as it is now, made once, and cancelled."""

import ipaddress
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from agents.connecting.connector import ConnectorContext, Service
from agents.connecting.connectors.datadog import Datadog
from agents.connecting.connectors.datadog.settings import DatadogConfig
from agents.connecting.outbound import EgressPolicy, Outbound
from agents.remediation import Impossible, Plan, PlanReason, RemediationContext, remedies_of
from agents.remediation.quieting import AlertToQuiet
from agents.remediations.mute_monitor import REMEDIATION
from agents.tool import Risk
from store.secrets.redaction import Secret
from tests.fakes.datadog import API_KEY, APPLICATION_KEY, NOW, FakeDatadog, a_monitor, fake_datadog

SERVICES = (Service(name="checkout"), Service(name="payments"))
REASON = PlanReason(
    cause="a slow bank", confidence="medium", evidence=("A1",), requested_by="U1", healing=None, incident="i-7"
)
GROUPS = {"env:prod,service:checkout": "Alert", "env:prod,service:payments": "OK"}


@pytest.fixture
async def server() -> AsyncIterator[FakeDatadog]:
    async with fake_datadog() as fake:
        fake.monitors = [a_monitor(5, "Errors", query="sum(last_5m):x by {service}", groups=dict(GROUPS))]
        yield fake


@pytest.fixture
async def context(server: FakeDatadog) -> AsyncIterator[RemediationContext]:
    outbound = Outbound(EgressPolicy(allow_networks=(ipaddress.ip_network("127.0.0.0/8"),)))
    keys = {"api_key": Secret(API_KEY), "application_key": Secret(APPLICATION_KEY)}
    connected = ConnectorContext(services=SERVICES, outbound=outbound, now=lambda: NOW, credentials=keys)
    datadog = Datadog(DatadogConfig.model_validate({"api": server.url}), connected)
    yield RemediationContext(actuators=[datadog], changes=(), services=SERVICES, now=lambda: NOW)
    await outbound.close()


async def refused(context: RemediationContext, **arguments: Any) -> str:
    plan = await REMEDIATION.plan(AlertToQuiet(**{"service": "checkout", **arguments}), REASON, context)
    assert isinstance(plan, Impossible), plan
    return plan.reason


async def test_previewed_made_once_and_cancelled(context: RemediationContext, server: FakeDatadog) -> None:
    assert remedies_of(context.actuators, SERVICES)["checkout"] == ("mute_monitor",)
    plan = await REMEDIATION.plan(AlertToQuiet(service="checkout"), REASON, context)
    assert isinstance(plan, Plan), plan
    assert (plan.title, plan.risk, plan.undo) == (
        "Mute Errors of checkout for 60 min",
        Risk.LOW,
        "Cancel the downtime; it ends by itself after 60 min",
    )
    assert not REMEDIATION.reached(plan, await REMEDIATION.read_target(plan, context))
    for _ in range(2):
        assert (await REMEDIATION.apply(plan, context, idempotency_key="k")).ok
    (made,) = server.posted("/api/v2/downtime")
    attributes = made["data"]["attributes"]
    assert attributes["monitor_identifier"] == {"monitor_id": 5}
    assert attributes["scope"] == "env:prod AND service:checkout"
    assert attributes["message"] == "Autoheal, incident i-7"
    assert json.loads(plan.argv[2])["data"]["attributes"]["schedule"]["end"] == "60 min later"
    target = await REMEDIATION.read_target(plan, context)
    assert REMEDIATION.reached(plan, target)
    assert "is muted already, until 13:00 UTC" in await refused(context)
    server.downtimes["9"] = {"id": "9", "type": "downtime", "attributes": {**attributes, "message": "load test"}}
    undo = await REMEDIATION.undo(plan, REASON, context)
    assert isinstance(undo, Plan)
    assert (undo.argv[0], undo.title) == ("DELETE", "Cancel the downtime of Errors")
    assert (await REMEDIATION.apply(undo, context, idempotency_key="u")).ok
    assert list(server.downtimes) == ["9"], "somebody else's downtime is left alone"
    assert REMEDIATION.reached(undo, await REMEDIATION.read_target(undo, context))
    gone = await REMEDIATION.undo(plan, REASON, context)
    assert isinstance(gone, Impossible)
    assert "downtime has ended already" in gone.reason


async def test_what_is_not_triggered_or_cannot_be_asked_is_not_muted(
    context: RemediationContext, server: FakeDatadog
) -> None:
    plan = await REMEDIATION.plan(AlertToQuiet(service="checkout"), REASON, context)
    assert isinstance(plan, Plan), plan
    server.monitors[0]["state"]["groups"]["env:prod,service:checkout"]["status"] = "OK"
    assert REMEDIATION.binding(await REMEDIATION.read_target(plan, context)) != plan.target_version
    assert not (await REMEDIATION.apply(plan, context, idempotency_key="k")).ok
    assert server.posted("/api/v2/downtime") == []
    assert "No alert of checkout is active" in await refused(context)
    assert "No connected source can mute" in await refused(replace(context, actuators=()))
    server.refuse = (403, {}, b"{}")
    assert "A downtime for checkout cannot be prepared" in await refused(context)
