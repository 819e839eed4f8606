"""Puts a Deployment back to a revision that it had before, as `kubectl rollout undo` does: the whole pod template of
the ReplicaSet that the cluster still keeps.

What lies outside the template, such as a database's schema or a ConfigMap, stays as it is; the card says so.
"""

from __future__ import annotations

from pydantic import Field

from agents.connecting.connector import Diff, TargetState
from agents.connecting.workloads import WorkloadRevision
from agents.errors import AgentError
from agents.remediation import Impossible, Plan, PlanReason, Precondition, RemediationContext
from agents.remediation.workloads import UNDO_FOR, FoundWorkload, WorkloadRemediation, too_late
from agents.tool import Arguments


class UndoRolloutArguments(Arguments):
    service: str = Field(description="A declared service.")
    to_version: str | None = Field(
        default=None,
        pattern=r"^[a-z0-9]{1,63}$",
        description="A version as cluster_rollouts lists it; the one before the running one when left out.",
    )


class UndoRollout(WorkloadRemediation):
    name = "undo_rollout"
    title = "Undo a rollout"
    verb = "undo a rollout of"
    arguments = UndoRolloutArguments
    when = "when a rollout in a cluster is the cause: its image, or another part of the pod template"
    ready = "Undo of the rollout ready."
    needs_change = True

    async def plan(
        self, arguments: UndoRolloutArguments, reason: PlanReason, context: RemediationContext
    ) -> Plan | Impossible:
        """The preview with the images from and to, or why there can be none."""
        found = await self.find(arguments.service, context)
        if isinstance(found, Impossible):
            return found
        workload, name = found.workload, found.service.name
        if len(workload.revisions) < 2:
            return Impossible(reason=f"The cluster keeps no earlier revision of {name}.")
        if workload.paused:
            return Impossible(reason=f"Rollouts of {name} are paused, so an undo would wait until they are resumed.")
        wanted = workload.revision(arguments.to_version) if arguments.to_version else workload.revisions[-2]
        if wanted is None:
            kept = ", ".join(one.version for one in workload.revisions[:-1])
            return Impossible(
                reason=f"The cluster keeps no revision {arguments.to_version} of {name}; kept are: {kept}."
            )
        if wanted.version == workload.version:
            return Impossible(reason=f"{name} runs {wanted.version} already.")
        return self._as_plan(found, wanted, await _diff(found, wanted, context), reason, context)

    def reached(self, plan: Plan, target: TargetState) -> bool:
        return target.version == plan.to_version

    async def undo(self, plan: Plan, reason: PlanReason, context: RemediationContext) -> Plan | Impossible:
        """The revision again that ran before; impossible once something else was rolled out."""
        if late := too_late(plan, context):
            return late
        target = await self.read_target(plan, context)
        if not self.reached(plan, target):
            return Impossible(reason=f"{plan.target} runs {target.version} now: something else was rolled out since.")
        return await self.plan(UndoRolloutArguments(service=plan.target, to_version=plan.from_version), reason, context)

    def _as_plan(
        self,
        found: FoundWorkload,
        wanted: WorkloadRevision,
        diff: Diff | None,
        reason: PlanReason,
        context: RemediationContext,
    ) -> Plan:
        name, now = found.service.name, found.workload.revisions[-1]
        images = f"{', '.join(now.images)} -> {', '.join(wanted.images)}"
        kept = Precondition(
            text=f"The cluster keeps revision {wanted.number}; images {images}",
            holds=True,
            read_at=found.workload.read_at,
        )
        outside = Precondition(
            text="Nothing outside the pod template is put back, such as a ConfigMap or a database",
            holds=True,
            read_at=found.workload.read_at,
        )
        return self.as_plan(
            found,
            reason,
            context,
            parameters=found.parameters(version=wanted.version),
            title=f"Put {name} back to revision {wanted.number}",
            to_version=wanted.version,
            diff_paths=diff.paths if diff else (),
            interruption=f"the {found.workload.replicas} pods of {name} are replaced one after another",
            reversible=True,
            undo=f"Roll out revision {now.number} of {name} again",
            undo_parameters={"service": name, "version": now.version},
            undo_until=context.now() + UNDO_FOR,
            preconditions=(kept, outside),
        )


async def _diff(found: FoundWorkload, wanted: WorkloadRevision, context: RemediationContext) -> Diff | None:
    """What is taken back, from the source that knows both revisions; the plan stands without it."""
    for source in context.changes:
        try:
            return await source.read_diff(found.service.name, wanted.version, found.workload.version)
        except AgentError:
            continue
    return None


REMEDIATION = UndoRollout()
