"""A call of a foreign tool: shown with its exact arguments, done once, as accepted, and never taken for healing."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest

from agents.connecting.connector import ConnectorContext, Service
from agents.connecting.connectors.mcp import McpConnector
from agents.connecting.outbound import Outbound
from agents.errors import NotPermitted
from agents.remediation import Impossible, Plan, PlanReason, RemediationContext, describe_remedies, remedies_of
from agents.remediations.call_tool import REMEDIATION, ForeignCall
from agents.tool import Risk
from tests.agents.connecting.connectors.conftest import NOW, clock, context_of, outbound
from tests.fakes.mcp_server import FakeMcpServer, a_tool, destructive, fake_mcp_server, says

__all__ = ["clock", "context_of", "outbound"]
REASON = PlanReason(cause="a slow bank", confidence="low", evidence=("A1",), requested_by="U1", healing=None)
TICKET = {
    "type": "object",
    "properties": {"title": {"type": "string"}, "team": {"type": "string"}},
    "required": ["title"],
}


@pytest.fixture
async def server() -> AsyncIterator[FakeMcpServer]:
    async with fake_mcp_server(
        a_tool(), a_tool("create_ticket", "Opens a ticket.", input_schema=TICKET), destructive("drop")
    ) as server:
        server.answers["create_ticket"] = says("Opened OPS-7.")
        yield server


@pytest.fixture
async def context(
    server: FakeMcpServer, outbound: Outbound, context_of: Callable[..., ConnectorContext]
) -> RemediationContext:
    inside = replace(context_of("checkout", "payments"), label="tickets")
    given = {"url": server.url, "read": ["search_runbooks"], "write": ["create_ticket"]}
    before = McpConnector(McpConnector.config_model.model_validate(given), inside)
    given |= dict((await before.pins()).settings)
    connector = McpConnector(McpConnector.config_model.model_validate(given), inside)
    return RemediationContext(actuators=[connector], changes=(), services=(Service(name="checkout"),), now=lambda: NOW)


async def plan(context: RemediationContext, arguments: str, tool: str = "tickets__create_ticket") -> Plan | Impossible:
    return await REMEDIATION.plan(ForeignCall(service="checkout", tool=tool, arguments=arguments), REASON, context)


async def test_the_exact_call_is_planned_bound_and_done_once(
    context: RemediationContext, server: FakeMcpServer
) -> None:
    made = await plan(context, '{"title": "Pool exhausted"}')
    assert isinstance(made, Plan), made
    assert (made.risk, made.reversible, made.healing) == (Risk.HIGH, False, None)
    assert made.argv == ("POST", server.url, "tools/call", "create_ticket", '{"title": "Pool exhausted"}')
    assert server.calls == []
    target = await REMEDIATION.read_target(made, context)
    assert REMEDIATION.binding(target) == made.target_version
    assert not REMEDIATION.reached(made, target)
    done = await REMEDIATION.apply(made, context, idempotency_key="k1")
    assert (done.ok, done.detail) == (True, "tickets__create_ticket answered: Opened OPS-7.")
    assert server.calls == [("create_ticket", {"title": "Pool exhausted"})]
    assert isinstance(await REMEDIATION.undo(made, REASON, context), Impossible)


async def test_a_tool_that_changed_after_the_plan_is_not_called(
    context: RemediationContext, server: FakeMcpServer
) -> None:
    made = await plan(context, '{"title": "x"}')
    assert isinstance(made, Plan), made
    server.tools[1] = a_tool("create_ticket", "Opens a ticket for everybody.", input_schema=TICKET)
    with pytest.raises(NotPermitted, match="off until an admin looks"):
        await REMEDIATION.read_target(made, context)
    with pytest.raises(NotPermitted):
        await REMEDIATION.apply(made, context, idempotency_key="k1")
    assert server.calls == []


async def test_what_is_not_named_or_not_fitting_is_impossible(context: RemediationContext) -> None:
    for arguments, tool, why in (
        ('{"title": "x"}', "tickets__drop", "No connected server has a write tool"),
        ('{"title": "x"}', "tickets__search_runbooks", "No connected server has a write tool"),
        ("not json", "tickets__create_ticket", "not a JSON object"),
        ("[]", "tickets__create_ticket", "a JSON object"),
        ("{}", "tickets__create_ticket", "title is missing"),
        ('{"title": "x", "to": "all"}', "tickets__create_ticket", "to is no argument"),
    ):
        made = await plan(context, arguments, tool)
        assert isinstance(made, Impossible), made
        assert why in made.reason


async def test_what_the_tool_refuses_is_a_failure(context: RemediationContext, server: FakeMcpServer) -> None:
    made = await plan(context, '{"title": "x"}')
    assert isinstance(made, Plan), made
    server.answers["create_ticket"] = says("no quota left", failed=True)
    done = await REMEDIATION.apply(made, context, idempotency_key="k1")
    assert (done.ok, done.detail) == (False, "tickets__create_ticket answered: no quota left")


async def test_a_model_learns_of_it_only_while_it_is_connected(context: RemediationContext) -> None:
    assert "call_tool" not in describe_remedies(remedies_of([], context.services))
    assert "call_tool(service, tool, arguments (optional))" in describe_remedies(
        remedies_of(context.actuators, context.services)
    )
    (connector,) = context.actuators
    assert isinstance(connector, McpConnector)
    assert "tickets__create_ticket(title, team): “Opens a ticket.”" in connector.instructions
    assert [tool.name for tool in connector.tools()] == ["search_runbooks"]
