"""Calls a tool that others made and that changes something, as an admin named it for a server of the Model Context
Protocol. What it does is its server's to say; so it is of high risk, nothing undoes it, and it proves no healing.

The plan binds to the tool as it was accepted and shows every argument; a tool that changed in between makes it stale.
"""

from __future__ import annotations

import json

from pydantic import Field

from agents.connecting.connector import ActionResult, TargetState
from agents.connecting.foreign_json import read_json
from agents.connecting.foreign_writes import CALL_TOOL, ForeignWriter
from agents.errors import AgentError, NotPermitted
from agents.remediation import Impossible, Plan, PlanReason, Precondition, Remediation, RemediationContext, rate_risk
from agents.tool import Arguments, Risk

_MOST_ARGUMENTS = 4_000


class ForeignCall(Arguments):
    service: str = Field(description="A declared service: whom the call is about.")
    tool: str = Field(max_length=80, description="Such as tickets__create_ticket.")
    arguments: str = Field(
        default="{}", max_length=_MOST_ARGUMENTS, description='A JSON object, such as {"title": "Pool exhausted"}.'
    )


class CallTool(Remediation):
    name = CALL_TOOL
    title = "Call a tool of others"
    risk = Risk.HIGH
    arguments = ForeignCall
    when = (
        "when the team would do that with a write tool of an MCP server, of those that you were told of, such as "
        "opening a ticket; it is never the remedy of a cause that another one here can clear"
    )
    ready = "Call ready."
    is_cure = False
    named_where_impossible = False

    async def plan(self, arguments: ForeignCall, reason: PlanReason, context: RemediationContext) -> Plan | Impossible:
        """The preview with the exact arguments, or why there can be none."""
        service = context.service(arguments.service)
        if service is None:
            return Impossible(reason=f"{arguments.service[:40]!r} is not a declared service, so nothing is done to it.")
        writer = next(
            (a for a in context.actuators if isinstance(a, ForeignWriter) and arguments.tool in a.write_tools()), None
        )
        if writer is None:
            return Impossible(
                reason=f"No connected server has a write tool {arguments.tool[:80]!r} that an admin named."
            )
        try:
            exact = json.dumps(read_json(arguments.arguments), sort_keys=True, ensure_ascii=False)
            state = await writer.accepted_state(arguments.tool, exact)
        except ValueError:
            return Impossible(reason=f"The arguments of {arguments.tool} are not a JSON object.")
        except AgentError as exc:
            return Impossible(reason=f"A call of {arguments.tool} cannot be prepared: {exc}.")
        now, title = context.now(), f"Call {arguments.tool} for {service.name}"
        parameters = {
            "service": service.name,
            "connection": writer.key,
            "tool": arguments.tool,
            "arguments": exact,
            "accepted": state,
        }
        return Plan(
            remediation=self.name,
            title=title,
            button=title[:75],
            action=CALL_TOOL,
            parameters=parameters,
            argv=writer.argv(CALL_TOOL, parameters),
            target=service.name,
            environment=service.environment,
            from_version="not called",
            to_version="called once",
            target_version=self.binding(_target(service.name, state, context)),
            instances=1,
            interruption="what it does is for its server to say; whoever runs that server knows",
            risk=rate_risk(self.risk, writer, CALL_TOOL, service.name),
            reversible=False,
            undo="Nothing here takes it back",
            preconditions=(Precondition(text=f"{arguments.tool} is as an admin accepted it", holds=True, read_at=now),),
            healing=None,
            cause=reason.cause,
            confidence=reason.confidence,
            evidence=reason.evidence,
            requested_by=reason.requested_by,
            read_at=now,
            fresh_until=now + context.freshness,
        )

    async def read_target(self, plan: Plan, context: RemediationContext) -> TargetState:
        writer = context.actuator_of(plan)
        if not isinstance(writer, ForeignWriter):
            raise NotPermitted(f"{plan.parameters['connection']} has no write tools any more")
        state = await writer.accepted_state(plan.parameters["tool"], plan.parameters["arguments"])
        return _target(plan.target, state, context)

    def binding(self, target: TargetState) -> str:
        return f"{target.service}: tool {target.version}"

    def reached(self, _plan: Plan, _target: TargetState) -> bool:
        """What a call did cannot be read back."""
        return False

    async def apply(self, plan: Plan, context: RemediationContext, *, idempotency_key: str) -> ActionResult:
        return await context.actuator_of(plan).act(plan.action, plan.parameters, idempotency_key=idempotency_key)

    async def undo(self, _plan: Plan, _reason: PlanReason, _context: RemediationContext) -> Plan | Impossible:
        return Impossible(reason="What a tool of others did cannot be taken back from here.")


def _target(service: str, state: str, context: RemediationContext) -> TargetState:
    return TargetState(
        service=service,
        version=state,
        previous_version=None,
        state="as accepted",
        instances=1,
        started_at=None,
        read_at=context.now(),
    )


REMEDIATION = CallTool()
