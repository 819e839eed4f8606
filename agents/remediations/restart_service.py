"""Restarts a service in the version that it runs, for causes that a fresh process is rid of: leaks, stuck pools.

The plan binds to version and start time: a service that restarted by itself in between makes it stale.
"""

from __future__ import annotations

from pydantic import Field

from agents.connecting.connector import ActionResult, TargetState
from agents.errors import AgentError
from agents.remediation import (
    Impossible,
    Plan,
    PlanReason,
    Precondition,
    Remediation,
    RemediationContext,
    describe_interruption,
    rate_risk,
)
from agents.tool import Arguments, Risk

_ACTION = "restart_service"


class Restart(Arguments):
    service: str = Field(description="A declared service.")


class RestartService(Remediation):
    name = "restart_service"
    title = "Restart a service"
    risk = Risk.MEDIUM
    arguments = Restart
    when = "when a fresh process clears the state that causes the fault, such as a leak or a stuck pool"
    ready = "Restart ready."
    cures = frozenset({"file or disk limit hit", "memory leak", "pool or queue exhausted"})

    async def plan(self, arguments: Restart, reason: PlanReason, context: RemediationContext) -> Plan | Impossible:
        """The preview of a restart, or why there can be none."""
        service = context.service(arguments.service)
        if service is None:
            return Impossible(reason=f"{arguments.service[:40]!r} is not a declared service, so nothing is done to it.")
        actuator = context.actuator(_ACTION, service.name)
        if actuator is None:
            return Impossible(reason=f"No connected source can restart {service.name}; an operator may declare one.")
        parameters = {"service": service.name}
        try:
            target = await actuator.read_target(service.name)
            argv = actuator.argv(_ACTION, parameters)
        except AgentError as exc:
            return Impossible(reason=f"A restart of {service.name} cannot be prepared: {exc}.")
        if target.started_at is None:
            return Impossible(
                reason=f"The start time of {service.name} is not known, so a restart could not be told from none."
            )
        state = f"{service.name} runs {target.version[:7]} since {target.started_at:%Y-%m-%d %H:%M:%S} UTC"
        return Plan(
            remediation=self.name,
            title=f"Restart {service.name}",
            button=f"Restart {service.name}"[:75],
            action=_ACTION,
            parameters=parameters,
            argv=argv,
            target=service.name,
            environment=service.environment,
            from_version=target.version,
            to_version=target.version,
            target_version=self.binding(target),
            instances=target.instances,
            interruption=describe_interruption(target),
            risk=rate_risk(self.risk, actuator, _ACTION, service.name),
            reversible=False,
            undo="A restart cannot be undone; code and data stay as they are",
            preconditions=(Precondition(text=f"{state} and is {target.state}", holds=True, read_at=target.read_at),),
            healing=reason.healing,
            cause=reason.cause,
            confidence=reason.confidence,
            evidence=reason.evidence,
            requested_by=reason.requested_by,
            read_at=target.read_at,
            fresh_until=context.now() + context.freshness,
        )

    async def read_target(self, plan: Plan, context: RemediationContext) -> TargetState:
        return await context.require_actuator(plan.action, plan.target).read_target(plan.target)

    def binding(self, target: TargetState) -> str:
        started = target.started_at.isoformat() if target.started_at else "unknown"
        return f"{target.service}@{target.version} started {started}"

    def reached(self, plan: Plan, target: TargetState) -> bool:
        """Whether the service restarted after the plan was read, in the same version."""
        same = target.service == plan.target and target.version == plan.from_version
        return same and target.started_at is not None and self.binding(target) != plan.target_version

    async def apply(self, plan: Plan, context: RemediationContext, *, idempotency_key: str) -> ActionResult:
        return await context.require_actuator(plan.action, plan.target).act(
            plan.action, plan.parameters, idempotency_key=idempotency_key
        )


REMEDIATION = RestartService()
