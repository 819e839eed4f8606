"""Runs the failed jobs of one workflow run again, as of a deployment that stopped half way.

Undo cancels the new attempt while it runs. The plan binds to the attempt that failed.
"""

from __future__ import annotations

from pydantic import Field

from agents.remediation.code_hosts import CodeHostRemediation
from agents.tool import Arguments, Risk


class RerunFailed(Arguments):
    service: str = Field(description="A declared service.")
    run: str = Field(
        default="", pattern=r"^\d{0,18}$", description="Number of a failed run; the newest failed one when left out."
    )


class RerunWorkflow(CodeHostRemediation):
    name = "rerun_workflow"
    title = "Run a failed workflow again"
    risk = Risk.MEDIUM
    arguments = RerunFailed
    when = "when a deployment or a job that keeps a service well stopped because its workflow run failed in passing"
    ready = "Rerun ready."
    takes_effect = True
    undoing = "cancel_run"
    doing = "run a workflow again"


REMEDIATION = RerunWorkflow()
