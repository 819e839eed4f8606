"""Opens a draft of a merge request that takes a merged one back. It merges nothing and so heals nothing by itself.

Undo closes the draft and deletes its branch. The plan binds to the newest commit of the branch.
"""

from __future__ import annotations

from pydantic import Field

from agents.remediation.code_hosts import CodeHostRemediation
from agents.tool import Arguments, Risk


class RevertMergedRequest(Arguments):
    service: str = Field(description="A declared service.")
    merge_request: str = Field(pattern=r"^!?\d{1,9}$", description="Number of the merged merge request.")


class RevertMergeRequest(CodeHostRemediation):
    name = "revert_merge_request"
    title = "Draft a revert"
    risk = Risk.LOW
    arguments = RevertMergedRequest
    when = (
        "when a merged merge request is the cause and its code must not be deployed again; it opens a draft only, so "
        "a rollback comes first where one is possible"
    )
    ready = "Revert ready."
    needs_change = True
    undoing = "close_pull_request"
    doing = "draft a revert"


REMEDIATION = RevertMergeRequest()
