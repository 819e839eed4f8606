"""Runs a cluster's workload on more pods, for load that its present ones cannot carry; or on fewer again.

How many it may have at most is said with the connection. A quota or the nodes may still not admit them: that is seen
when healing is measured, and what was asked for can be taken back.
"""

from __future__ import annotations

from typing import Final

from pydantic import Field

from agents.connecting.connector import TargetState
from agents.errors import AgentError
from agents.remediation import Impossible, Plan, PlanReason, RemediationContext
from agents.remediation.workloads import UNDO_FOR, FoundWorkload, WorkloadRemediation, too_late
from agents.tool import Arguments

_GROWTH: Final = 0.5


class ScaleWorkloadArguments(Arguments):
    service: str = Field(description="A declared service.")
    instances: int | None = Field(
        default=None, ge=1, le=10_000, description="How many pods it should have; half as many again when left out."
    )


class ScaleWorkload(WorkloadRemediation):
    name = "scale_workload"
    title = "Scale a workload"
    verb = "scale"
    arguments = ScaleWorkloadArguments
    when = "when more load came than a service's pods can carry, and nothing else is wrong with it, in a cluster"
    ready = "Scaling ready."
    cures = frozenset({"surge"})

    async def plan(
        self, arguments: ScaleWorkloadArguments, reason: PlanReason, context: RemediationContext
    ) -> Plan | Impossible:
        """The preview, or why there can be none."""
        found = await self.find(arguments.service, context)
        if isinstance(found, Impossible):
            return found
        have = found.workload.replicas
        if not have:
            return Impossible(reason=f"{found.service.name} is scaled to zero: whoever did that should say why.")
        wanted = arguments.instances or have + max(1, round(have * _GROWTH))
        if wanted == have:
            return Impossible(reason=f"{found.service.name} has {have} pods already.")
        try:
            return self._as_plan(found, reason, context, wanted=wanted)
        except AgentError as exc:
            return Impossible(reason=f"{found.service.name} has {have} pods, and no more is permitted here: {exc}.")

    def reached(self, plan: Plan, target: TargetState) -> bool:
        return target.instances == int(plan.parameters["instances"])

    async def undo(self, plan: Plan, reason: PlanReason, context: RemediationContext) -> Plan | Impossible:
        """Back to as many as it had; impossible once somebody else scaled it."""
        if late := too_late(plan, context):
            return late
        target = await self.read_target(plan, context)
        if not self.reached(plan, target):
            return Impossible(reason=f"{plan.target} has {target.instances} pods now: somebody else scaled it since.")
        before = int((plan.undo_parameters or {})["instances"])
        return await self.plan(ScaleWorkloadArguments(service=plan.target, instances=before), reason, context)

    def _as_plan(self, found: FoundWorkload, reason: PlanReason, context: RemediationContext, *, wanted: int) -> Plan:
        name, have = found.service.name, found.workload.replicas
        fewer = f"requests in flight on {have - wanted} pods may fail while they stop"
        return self.as_plan(
            found,
            reason,
            context,
            parameters=found.parameters(instances=str(wanted)),
            title=f"Scale {name} from {have} to {wanted} pods",
            to_version=found.workload.version,
            interruption=fewer if wanted < have else f"none: the pods of {name} go on running",
            reversible=True,
            undo=f"Scale {name} back to {have}",
            undo_parameters={"service": name, "instances": str(have)},
            undo_until=context.now() + UNDO_FOR,
        )


REMEDIATION = ScaleWorkload()
