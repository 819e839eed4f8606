"""Opens a draft of a pull request that takes a merged one back. It merges nothing and so heals nothing by itself.

Made by commits: each file goes back to what it was before, and one that somebody changed since makes it impossible.
Undo closes the draft and deletes its branch. The plan binds to the newest commit of the branch.
"""

from __future__ import annotations

from pydantic import Field

from agents.remediation.code_hosts import CodeHostRemediation
from agents.tool import Arguments, Risk


class RevertMerged(Arguments):
    service: str = Field(description="A declared service.")
    pull_request: str = Field(pattern=r"^#?\d{1,9}$", description="Number of the merged pull request.")


class RevertPullRequest(CodeHostRemediation):
    name = "revert_pull_request"
    title = "Draft a revert"
    risk = Risk.LOW
    arguments = RevertMerged
    when = (
        "when a merged pull request is the cause and its code must not be deployed again; it opens a draft only, so "
        "a rollback comes first where one is possible"
    )
    ready = "Revert ready."
    needs_change = True
    undoing = "close_pull_request"
    doing = "draft a revert"


REMEDIATION = RevertPullRequest()
