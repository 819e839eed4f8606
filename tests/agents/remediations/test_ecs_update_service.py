"""A service of ECS put back to its previous task definition, and forward again."""

import ipaddress
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from agents.connecting.connector import ConnectorContext, Service
from agents.connecting.connectors.aws import Aws
from agents.connecting.connectors.aws.settings import AwsConfig
from agents.connecting.outbound import EgressPolicy, Outbound
from agents.remediation import Impossible, Plan, PlanReason, RemediationContext, remedies_of
from agents.remediations.ecs_update_service import REMEDIATION, EcsUpdateArguments
from store.secrets.redaction import Secret
from tests.fakes.aws import EXTERNAL_ID, NOW, ROLE, FakeAws, a_service, fake_aws, with_ecs

SERVICES = (Service(name="checkout"), Service(name="payments"))
Context = Callable[..., RemediationContext]


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakeAws]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAOFTHISPROCESS000")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    async with fake_aws() as fake:
        running = [a_service("checkout", 42, before=41)]
        with_ecs(fake, *running)

        def update(asked: dict[str, Any]) -> dict[str, Any]:
            number = int(asked["taskDefinition"].rpartition(":")[2])
            running[0] = a_service("checkout", number, before=42 if number == 41 else 41, minutes_ago=-number)
            with_ecs(fake, *running)
            return {"service": running[0]}

        fake.answers["UpdateService"] = update
        yield fake
        assert fake.problems == []


@pytest.fixture
async def context_of(server: FakeAws) -> AsyncIterator[Context]:
    outbound = Outbound(EgressPolicy(allow_networks=(ipaddress.ip_network("127.0.0.0/8"),)))
    opened: list[Aws] = []

    def make(*actions: str) -> RemediationContext:
        secrets = {"external_id": Secret(EXTERNAL_ID)}
        connected = ConnectorContext(services=SERVICES, outbound=outbound, now=lambda: NOW, credentials=secrets)
        config = {"region": "eu-west-1", "role_arn": ROLE, "endpoint": server.url, "actions": actions}
        opened.append(Aws(AwsConfig.model_validate(config), connected))
        return RemediationContext(actuators=[opened[-1]], changes=(), services=SERVICES, now=lambda: NOW)

    yield make
    for one in opened:
        await one.close()
    await outbound.close()


async def refused(reason: PlanReason, context: RemediationContext, service: str = "checkout", **more: Any) -> str:
    plan = await REMEDIATION.plan(EcsUpdateArguments(service=service, **more), reason, context)
    assert isinstance(plan, Impossible), plan
    return plan.reason


async def test_put_back_once_and_forward_again(server: FakeAws, context_of: Context, reason: PlanReason) -> None:
    context = context_of("ecs_update_service")
    assert remedies_of(context.actuators, SERVICES)["checkout"] == ("ecs_update_service",)
    plan = await REMEDIATION.plan(EcsUpdateArguments(service="checkout"), reason, context)
    assert isinstance(plan, Plan), plan
    assert (plan.title, plan.from_version, plan.to_version) == (
        "Put checkout back to checkout:41",
        "checkout:42",
        "checkout:41",
    )
    assert plan.argv[:3] == ("aws", "ecs", "update-service")
    assert plan.argv[-2:] == ("--task-definition", "checkout:41")
    assert "images shop/checkout:42 -> shop/checkout:41" in plan.preconditions[1].text
    assert server.of("UpdateService") == []
    assert (await REMEDIATION.apply(plan, context, idempotency_key="k")).ok
    target = await REMEDIATION.read_target(plan, context)
    assert REMEDIATION.reached(plan, target)
    assert (await REMEDIATION.apply(plan, context, idempotency_key="k")).ok
    assert server.of("UpdateService") == [{"cluster": "prod", "service": "checkout", "taskDefinition": "checkout:41"}]
    undo = await REMEDIATION.undo(plan, reason, context)
    assert isinstance(undo, Plan), undo
    assert undo.to_version == "checkout:42"
    assert (await REMEDIATION.apply(undo, context, idempotency_key="u")).ok
    assert REMEDIATION.reached(undo, await REMEDIATION.read_target(undo, context))
    gone = await REMEDIATION.undo(plan, reason, context)
    assert isinstance(gone, Impossible)
    assert "something else was deployed since" in gone.reason
    late = await REMEDIATION.undo(plan, reason, replace(context, now=lambda: NOW + timedelta(days=2)))
    assert isinstance(late, Impossible)


async def test_what_was_deployed_since_the_plan_is_left(
    server: FakeAws, context_of: Context, reason: PlanReason
) -> None:
    context = context_of("ecs_update_service")
    plan = await REMEDIATION.plan(EcsUpdateArguments(service="checkout"), reason, context)
    assert isinstance(plan, Plan), plan
    with_ecs(server, a_service("checkout", 43, before=42, minutes_ago=1))
    assert REMEDIATION.binding(await REMEDIATION.read_target(plan, context)) != plan.target_version
    assert not (await REMEDIATION.apply(plan, context, idempotency_key="k")).ok
    assert server.of("UpdateService") == []


async def test_what_cannot_be_put_back_says_why(server: FakeAws, context_of: Context, reason: PlanReason) -> None:
    context = context_of("ecs_update_service")
    assert "an admin may permit it there" in await refused(reason, context_of())
    assert "payments is no service of ECS" in await refused(reason, context, "payments")
    assert "did not run as checkout lately" in await refused(reason, context, to_version="checkout:7")
    with_ecs(server, a_service("checkout", 42, before=41, deploymentController={"type": "CODE_DEPLOY"}))
    assert "deployed by something else than ECS" in await refused(reason, context)
    with_ecs(server, a_service("checkout", 1))
    assert "keeps no earlier task definition" in await refused(reason, context)
    server.refused = {"ListClusters": (400, "AccessDeniedException")}
    assert "allow ecs:ListClusters" in await refused(reason, context_of("ecs_update_service"))
