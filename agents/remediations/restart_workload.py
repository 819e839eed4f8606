"""Replaces the pods of a cluster's workload one after another, as `kubectl rollout restart` does, in their version.

The moment of the request is written into the pod template: it stands in the plan, so asking twice restarts once.
"""

from __future__ import annotations

from datetime import UTC

from pydantic import Field

from agents.connecting.connector import TargetState
from agents.connecting.workloads import moment
from agents.remediation import Impossible, Plan, PlanReason, RemediationContext, describe_interruption
from agents.remediation.workloads import WorkloadRemediation
from agents.tool import Arguments


class RestartWorkloadArguments(Arguments):
    service: str = Field(description="A declared service.")


class RestartWorkload(WorkloadRemediation):
    name = "restart_workload"
    title = "Restart a workload"
    verb = "restart"
    arguments = RestartWorkloadArguments
    when = "when fresh pods clear the state that causes the fault, such as a leak or a stuck pool, in a cluster"
    ready = "Restart ready."
    cures = frozenset({"file or disk limit hit", "memory leak", "pool or queue exhausted"})

    async def plan(
        self, arguments: RestartWorkloadArguments, reason: PlanReason, context: RemediationContext
    ) -> Plan | Impossible:
        """The preview of a restart, or why there can be none."""
        found = await self.find(arguments.service, context)
        if isinstance(found, Impossible):
            return found
        workload, name = found.workload, found.service.name
        if workload.paused:
            return Impossible(
                reason=f"Rollouts of {name} are paused, so a restart would wait until somebody resumes it."
            )
        if not workload.replicas:
            return Impossible(reason=f"{name} is scaled to zero: there is nothing to restart.")
        at = context.now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        target = workload.as_target()
        several = f"its {workload.replicas} pods are replaced one after another; requests in flight on them may fail"
        return self.as_plan(
            found,
            reason,
            context,
            parameters=found.parameters(at=at),
            title=f"Restart {name}",
            to_version=workload.version,
            interruption=several if workload.replicas > 1 else describe_interruption(target),
            reversible=False,
            undo="A restart cannot be undone; image and settings stay as they are",
        )

    def reached(self, plan: Plan, target: TargetState) -> bool:
        return target.started_at is not None and target.started_at == moment(plan.parameters["at"])


REMEDIATION = RestartWorkload()
