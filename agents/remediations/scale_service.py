"""Runs a service on more instances, for load that its present ones cannot carry; or on fewer again.

How many it may have is the operator's: the declared command's parameter has a smallest and a largest number. The plan
binds to the number that runs: somebody who scaled it in between makes it stale.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from pydantic import Field

from agents.connecting.connector import ActionResult, Actuator, Service, TargetState
from agents.errors import AgentError, BadArguments
from agents.remediation import Impossible, Plan, PlanReason, Precondition, Remediation, RemediationContext, rate_risk
from agents.tool import Arguments, Risk

_ACTION: Final = "scale_service"
_UNDO_FOR: Final = timedelta(hours=24)
_GROWTH: Final = 0.5


class Scale(Arguments):
    service: str = Field(description="A declared service.")
    instances: int | None = Field(
        default=None, ge=1, le=10_000, description="How many it should run on; half as many again when left out."
    )


class ScaleService(Remediation):
    name = "scale_service"
    title = "Scale a service"
    risk = Risk.MEDIUM
    arguments = Scale
    when = "when more load came than the service's instances can carry, and nothing else is wrong with it"
    ready = "Scaling ready."
    cures = frozenset({"surge"})
    named_where_impossible = False

    async def plan(self, arguments: Scale, reason: PlanReason, context: RemediationContext) -> Plan | Impossible:
        """The preview, or why there can be none."""
        service = context.service(arguments.service)
        if service is None:
            return Impossible(reason=f"{arguments.service[:40]!r} is not a declared service, so nothing is done to it.")
        actuator = context.actuator(_ACTION, service.name)
        if actuator is None:
            return Impossible(reason=f"No connected source can scale {service.name}; an operator may declare one.")
        try:
            target = await actuator.read_target(service.name)
            if target.instances < 1:
                return Impossible(reason=f"{service.name} has no running instance: scaling is not what it needs.")
            wanted = arguments.instances or target.instances + max(1, round(target.instances * _GROWTH))
            return self._as_plan(service, actuator, target, reason, context, wanted=wanted)
        except BadArguments as exc:
            return Impossible(
                reason=f"{service.name} runs on {target.instances}, and no more is permitted here: {exc}."
            )
        except AgentError as exc:
            return Impossible(reason=f"Scaling {service.name} cannot be prepared: {exc}.")

    async def read_target(self, plan: Plan, context: RemediationContext) -> TargetState:
        return await context.require_actuator(plan.action, plan.target).read_target(plan.target)

    def binding(self, target: TargetState) -> str:
        return f"{target.service}@{target.version} on {target.instances}"

    def reached(self, plan: Plan, target: TargetState) -> bool:
        return target.service == plan.target and target.instances == int(plan.parameters["instances"])

    async def apply(self, plan: Plan, context: RemediationContext, *, idempotency_key: str) -> ActionResult:
        return await context.require_actuator(plan.action, plan.target).act(
            plan.action, plan.parameters, idempotency_key=idempotency_key
        )

    async def undo(self, plan: Plan, reason: PlanReason, context: RemediationContext) -> Plan | Impossible:
        """Back to as many as ran before; impossible once somebody else scaled it."""
        if plan.undo_until is not None and context.now() > plan.undo_until:
            return Impossible(reason=f"The undo was offered until {plan.undo_until:%Y-%m-%d %H:%M} UTC.")
        target = await self.read_target(plan, context)
        if not self.reached(plan, target):
            return Impossible(reason=f"{plan.target} runs on {target.instances} now: somebody else scaled it since.")
        before = int((plan.undo_parameters or plan.parameters)["instances"])
        return await self.plan(Scale(service=plan.target, instances=before), reason, context)

    def _as_plan(
        self,
        service: Service,
        actuator: Actuator,
        target: TargetState,
        reason: PlanReason,
        context: RemediationContext,
        *,
        wanted: int,
    ) -> Plan | Impossible:
        name, now = service.name, context.now()
        if wanted == target.instances:
            return Impossible(reason=f"{name} runs on {wanted} instances already.")
        parameters = {"service": name, "instances": str(wanted)}
        title = f"Scale {name} from {target.instances} to {wanted} instances"
        state = f"{name} runs {target.version[:7]} on {target.instances} and is {target.state}"
        fewer = f"requests in flight on {target.instances - wanted} instances may fail while they stop"
        return Plan(
            remediation=self.name,
            title=title,
            button=title[:75],
            action=_ACTION,
            parameters=parameters,
            argv=actuator.argv(_ACTION, parameters),
            target=name,
            environment=service.environment,
            from_version=target.version,
            to_version=target.version,
            target_version=self.binding(target),
            instances=target.instances,
            interruption=fewer if wanted < target.instances else f"none: what runs of {name} goes on running",
            risk=rate_risk(self.risk, actuator, _ACTION, name),
            reversible=True,
            undo=f"Scale {name} back to {target.instances}",
            undo_parameters={"service": name, "instances": str(target.instances)},
            undo_until=now + _UNDO_FOR,
            preconditions=(Precondition(text=state, holds=True, read_at=target.read_at),),
            healing=reason.healing,
            cause=reason.cause,
            confidence=reason.confidence,
            evidence=reason.evidence,
            requested_by=reason.requested_by,
            read_at=target.read_at,
            fresh_until=now + context.freshness,
        )


REMEDIATION = ScaleService()
