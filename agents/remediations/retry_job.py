"""Runs one failed job of a GitLab pipeline again, as of a deployment that stopped half way.

Undo cancels the new attempt while it runs. The plan binds to the attempt that failed.
"""

from __future__ import annotations

from pydantic import Field

from agents.remediation.code_hosts import CodeHostRemediation
from agents.tool import Arguments, Risk


class RetryFailedJob(Arguments):
    service: str = Field(description="A declared service.")
    job: str = Field(
        default="", pattern=r"^\d{0,18}$", description="Number of a failed job; the newest failed one when left out."
    )


class RetryJob(CodeHostRemediation):
    name = "retry_job"
    title = "Retry a failed job"
    risk = Risk.MEDIUM
    arguments = RetryFailedJob
    when = "when a deployment that keeps a service well stopped because a job of its GitLab pipeline failed in passing"
    ready = "Retry ready."
    takes_effect = True
    undoing = "cancel_job"
    doing = "retry a job"


REMEDIATION = RetryJob()
