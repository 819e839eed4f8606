"""What remediations of a cluster's workloads have in common: how the target is found, bound and acted on.

Each is bound to the generation that was read, which moves with every change of what is declared: whoever deployed,
scaled or restarted in between makes a plan stale. It is carried out by the connection that read the target.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar, Final

from agents.connecting.connector import ActionResult, Service, TargetState
from agents.connecting.workloads import WorkloadActuator, WorkloadTarget
from agents.errors import AgentError, BadArguments, NotPermitted
from agents.remediation import (
    Healing,
    Impossible,
    Plan,
    PlanReason,
    Precondition,
    Remediation,
    RemediationContext,
    rate_risk,
)
from agents.tool import Risk

UNDO_FOR: Final = timedelta(hours=24)
_CLEARLY_WORSE: Final = 1.5


@dataclass(frozen=True, kw_only=True)
class FoundWorkload:
    """A declared service, the connection that can act on it, and its workload as it is there."""

    service: Service
    actuator: WorkloadActuator
    workload: WorkloadTarget

    def parameters(self, **more: str) -> dict[str, str]:
        """What an action takes: where the workload is, and the generation that it must still have."""
        namespace, kind, name = self.workload.place
        return {
            "service": self.service.name,
            "connection": self.actuator.key,
            "namespace": namespace,
            "kind": kind,
            "name": name,
            "generation": str(self.workload.generation),
            **more,
        }


class WorkloadRemediation(Remediation):
    """Subclasses say in `plan` what is wanted. `verb` is what is done, for sentences: "restart"."""

    risk = Risk.MEDIUM
    named_where_impossible = False
    told_by = "pods not ready"
    is_gradual = True
    verb: ClassVar[str]

    async def find(self, name: str, context: RemediationContext) -> FoundWorkload | Impossible:
        """The one workload that a service is, among all connections that may do this to it."""
        service = context.service(name)
        if service is None:
            return Impossible(reason=f"{name[:40]!r} is not a declared service, so nothing is done to it.")
        able = [
            one for one in context.actuators if isinstance(one, WorkloadActuator) and one.can(self.action, service.name)
        ]
        if not able:
            return Impossible(reason=f"No connected cluster may {self.verb} {name}: an admin may permit it there.")
        found, why = list[FoundWorkload](), list[str]()
        for actuator in able:
            try:
                workload = await actuator.read_workload(service.name)
                found.append(FoundWorkload(service=service, actuator=actuator, workload=workload))
            except BadArguments as exc:
                why.append(str(exc))
            except AgentError as exc:
                return Impossible(reason=f"To {self.verb} {name} cannot be prepared: {exc}.")
        if len(found) == 1:
            return found[0]
        if found:
            where = ", ".join(one.actuator.key for one in found)
            return Impossible(reason=f"{name} runs in several connected clusters ({where}): which one is not known.")
        return Impossible(reason=f"To {self.verb} {name} cannot be prepared: {'; '.join(why)}.")

    async def read_target(self, plan: Plan, context: RemediationContext) -> TargetState:
        return (await self.actuator_of(plan, context).read_workload(plan.target)).as_target()

    def binding(self, target: TargetState) -> str:
        return f"{target.service}@{target.version} on {target.instances}, generation {target.generation}"

    def unwell(self, target: TargetState) -> float | None:
        return None if target.ready is None else float(max(target.instances - target.ready, 0))

    async def apply(self, plan: Plan, context: RemediationContext, *, idempotency_key: str) -> ActionResult:
        actuator = self.actuator_of(plan, context)
        return await actuator.act(plan.action, plan.parameters, idempotency_key=idempotency_key)

    def actuator_of(self, plan: Plan, context: RemediationContext) -> WorkloadActuator:
        """Raises NotPermitted where the connection that the plan was made with is gone, or may not do it any more."""
        for one in context.actuators:
            if isinstance(one, WorkloadActuator) and one.key == plan.parameters["connection"]:
                if one.can(plan.action, plan.target):
                    return one
                break
        raise NotPermitted(f"the connection {plan.parameters['connection']} may not {self.verb} {plan.target} any more")

    def as_plan(
        self,
        found: FoundWorkload,
        reason: PlanReason,
        context: RemediationContext,
        *,
        parameters: dict[str, str],
        **more: Any,
    ) -> Plan:
        """`more` are the fields of a plan that differ: title, to_version, interruption, undo and so on."""
        target, now = found.workload.as_target(), context.now()
        state = f"{found.service.name} is {'/'.join(found.workload.place)}, {target.state}"
        known = Precondition(text=f"{state}, at generation {target.generation}", holds=True, read_at=target.read_at)
        fields: dict[str, Any] = {"preconditions": (known, *more.pop("preconditions", ()))}
        healing = reason.healing or self._when_ready(target, context)
        return Plan(
            remediation=self.name,
            button=str(more["title"])[:75],
            action=self.action,
            parameters=parameters,
            argv=found.actuator.argv(self.action, parameters),
            target=found.service.name,
            environment=found.service.environment,
            from_version=target.version,
            target_version=self.binding(target),
            instances=target.instances,
            risk=rate_risk(self.risk, found.actuator, self.action, found.service.name),
            healing=healing,
            cause=reason.cause,
            confidence=reason.confidence,
            evidence=reason.evidence,
            requested_by=reason.requested_by,
            read_at=target.read_at,
            fresh_until=now + context.freshness,
            **fields,
            **more,
        )

    def _when_ready(self, target: TargetState, context: RemediationContext) -> Healing | None:
        """Where nothing was measured: healed once all pods are ready, and stay so. None where they are ready now."""
        unwell = self.unwell(target)
        if not unwell:
            return None
        return Healing(
            service=target.service,
            indicator=self.told_by,
            unit="count",
            before=unwell,
            threshold=0.0,
            worse_than=_CLEARLY_WORSE * unwell,
            hold_s=context.hold.total_seconds(),
            window_s=context.window.total_seconds(),
        )


def too_late(plan: Plan, context: RemediationContext) -> Impossible | None:
    """Whether the time for which an undo was offered is over."""
    if plan.undo_until is None or context.now() <= plan.undo_until:
        return None
    return Impossible(reason=f"The undo was offered until {plan.undo_until:%Y-%m-%d %H:%M} UTC.")
