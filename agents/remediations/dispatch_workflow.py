"""Starts a workflow that an admin permitted, on the default branch, with inputs that its file declares.

What a workflow does, only its authors know, so a second person approves. Undo cancels its run while it runs; what it
did until then stays. The plan binds to the newest run of that workflow: whoever started it in between makes it stale.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from agents.connecting.connector import TargetState
from agents.remediation import Plan
from agents.remediation.code_hosts import CodeHostRemediation
from agents.tool import Arguments, Risk


class StartWorkflow(Arguments):
    service: str = Field(description="A declared service.")
    workflow: str = Field(pattern=r"^[\w.-]{1,100}\.ya?ml$", description="Name of its file, such as scale.yml.")
    inputs: str = Field(
        default="", max_length=2_000, description='Its inputs as a JSON object of texts, such as {"replicas": "4"}.'
    )


class DispatchWorkflow(CodeHostRemediation):
    name = "dispatch_workflow"
    title = "Start a workflow"
    risk = Risk.HIGH
    arguments = StartWorkflow
    when = "when the team has a workflow for exactly this, such as one that scales or fails over"
    ready = "Workflow ready."
    takes_effect = True
    undoing = "cancel_run"
    doing = "start a workflow"

    def reached(self, plan: Plan, target: TargetState) -> bool:
        """A newer run is there. Whose it is, GitHub does not tell."""
        return target.version != plan.from_version if plan.action == self.action else super().reached(plan, target)

    def asked(self, arguments: Any) -> Mapping[str, str]:
        return {"workflow": arguments.workflow, "inputs": arguments.inputs or "{}"}


REMEDIATION = DispatchWorkflow()
