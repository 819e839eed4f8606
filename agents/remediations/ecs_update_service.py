"""Puts a service of ECS back to a task definition that it had before: the revision that ECS still keeps, all of it.

What lies outside the task definition, such as a database's schema or a parameter, stays as it is; the card says so.
"""

from __future__ import annotations

from pydantic import Field

from agents.connecting.connector import TargetState
from agents.connecting.workloads import WorkloadRevision
from agents.remediation import Impossible, Plan, PlanReason, Precondition, RemediationContext
from agents.remediation.workloads import UNDO_FOR, FoundWorkload, WorkloadRemediation, too_late
from agents.tool import Arguments


class EcsUpdateArguments(Arguments):
    service: str = Field(description="A declared service.")
    to_version: str | None = Field(
        default=None,
        max_length=270,
        pattern=r"^[A-Za-z0-9_-]+:[0-9]{1,9}$",
        description="A task definition such as checkout:41; the one before the running one when left out.",
    )


class EcsUpdateService(WorkloadRemediation):
    name = "ecs_update_service"
    title = "Put an ECS service back"
    verb = "update"
    told_by = "tasks not running"
    arguments = EcsUpdateArguments
    when = "when a deployment of a service of ECS is the cause: its image, or another part of the task definition"
    ready = "Update of the service ready."
    needs_change = True

    async def plan(
        self, arguments: EcsUpdateArguments, reason: PlanReason, context: RemediationContext
    ) -> Plan | Impossible:
        """The preview with the images from and to, or why there can be none."""
        found = await self.find(arguments.service, context)
        if isinstance(found, Impossible):
            return found
        workload, name = found.workload, found.service.name
        if workload.paused:
            return Impossible(reason=f"{name} is deployed by something else than ECS itself, so it is put back there.")
        if len(workload.revisions) < 2:
            return Impossible(reason=f"ECS keeps no earlier task definition of {name}.")
        wanted = workload.revision(arguments.to_version) if arguments.to_version else workload.revisions[-2]
        if wanted is None:
            kept = ", ".join(one.version for one in workload.revisions[:-1])
            return Impossible(reason=f"{arguments.to_version} did not run as {name} lately; known are: {kept}.")
        if wanted.version == workload.version:
            return Impossible(reason=f"{name} runs {wanted.version} already.")
        return self._as_plan(found, wanted, reason, context)

    def reached(self, plan: Plan, target: TargetState) -> bool:
        return target.version == plan.to_version

    async def undo(self, plan: Plan, reason: PlanReason, context: RemediationContext) -> Plan | Impossible:
        """Forward again; impossible once something else was deployed."""
        if late := too_late(plan, context):
            return late
        target = await self.read_target(plan, context)
        if not self.reached(plan, target):
            return Impossible(reason=f"{plan.target} runs {target.version} now: something else was deployed since.")
        return await self.plan(EcsUpdateArguments(service=plan.target, to_version=plan.from_version), reason, context)

    def _as_plan(
        self, found: FoundWorkload, wanted: WorkloadRevision, reason: PlanReason, context: RemediationContext
    ) -> Plan:
        name, now, read_at = found.service.name, found.workload.revisions[-1], found.workload.read_at
        images = f"{', '.join(now.images)} -> {', '.join(wanted.images)}"
        return self.as_plan(
            found,
            reason,
            context,
            parameters=found.parameters(version=wanted.version),
            title=f"Put {name} back to {wanted.version}",
            to_version=wanted.version,
            interruption=f"the {found.workload.replicas} tasks of {name} are replaced one after another",
            reversible=True,
            undo=f"Deploy {now.version} of {name} again",
            undo_parameters={"service": name, "version": now.version},
            undo_until=context.now() + UNDO_FOR,
            preconditions=(
                Precondition(text=f"ECS keeps {wanted.version}; images {images}", holds=True, read_at=read_at),
                Precondition(
                    text="Nothing outside the task definition is put back, such as a parameter or a database",
                    holds=True,
                    read_at=read_at,
                ),
            ),
        )


REMEDIATION = EcsUpdateService()
