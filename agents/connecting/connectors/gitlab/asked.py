"""What the tools of GitLab take, as the model sees it."""

from __future__ import annotations

from typing import Final

from pydantic import Field

from agents.tool import Arguments

VERSION: Final = r"^[0-9a-f]{7,64}$"


class OfGitLabService(Arguments):
    service: str = Field(description="A declared service.")
    hours: int = Field(default=24, ge=1, le=720, description="How far back from now.")


class OfGitLabDeployment(Arguments):
    service: str = Field(description="A declared service.")
    deployment: int = Field(ge=1, description="Number of a deployment, the last part of its id.")


class GitLabVersions(Arguments):
    service: str = Field(description="A declared service.")
    from_version: str = Field(pattern=VERSION, description="Commit id before the change.")
    to_version: str = Field(pattern=VERSION, description="Commit id after the change.")


class GitLabTrace(Arguments):
    service: str = Field(description="A declared service.")
    job: int = Field(ge=1, description="Number of a job, as the list of pipelines has it.")
    contains: str = Field(default="", max_length=200, description="Only lines with these words, to the letter.")
