"""What GitHub is asked for: settings, the form that people fill in, and the rights of the credential."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, Literal

from pydantic import Field, HttpUrl, field_validator

from agents.connecting.connector import (
    ConnectorConfig,
)
from agents.connecting.fields import Field as Asked
from agents.connecting.fields import Form, Scope, Way

ActionName = Literal["rollback_deployment", "rerun_workflow", "dispatch_workflow", "revert_pull_request", "propose_fix"]


class GitHubConfig(ConnectorConfig):
    """`repositories` limits what is read, `environments` whose deployments. `services` maps a declared service to its
    repository where the catalog does not say so, `paths` narrows it to folders of that. `actions` are the remediations
    that may be proposed, `rollback` is how a deployment goes back, `workflows` are files of those that may be started.
    """

    api: HttpUrl = HttpUrl("https://api.github.com")
    repositories: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    app_id: str = ""
    installation_id: str = ""
    services: Mapping[str, str] = Field(default_factory=dict)
    paths: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)
    migrations: tuple[str, ...] = ("migrations",)

    actions: tuple[ActionName, ...] = ()
    rollback: Literal["deployment", "workflow"] = "deployment"
    workflows: tuple[str, ...] = ()

    @field_validator("workflows")
    @classmethod
    def _files(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if not _WORKFLOW.fullmatch(name):
                raise ValueError(f"{name[:100]!r} is no file of a workflow; write its name, such as scale.yml")
        return names

    @field_validator("repositories")
    @classmethod
    def _named(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name.count("/") != 1 or not all(name.split("/")):
                raise ValueError(f"{name!r} is no repository; write owner/name")
        return names

    @field_validator("app_id", "installation_id")
    @classmethod
    def _number(cls, number: str) -> str:
        if number and not (number.isascii() and number.isdigit()):
            raise ValueError("is a number")
        return number


_WORKFLOW: Final = re.compile(r"[\w.-]{1,100}\.ya?ml")
FORM: Final = Form(
    fields=(
        Asked(
            name="repositories",
            label="Repositories",
            help="Which ones to read, one a line. Empty: all that the credential may see.",
            example="acme/shop",
            kind="lines",
            long=True,
        ),
        Asked(
            name="token",
            label="Token",
            help="GitHub: Settings, Developer settings, Fine-grained tokens. Give it read access to the rights "
            "named above, for these repositories only.",
            secret=True,
            pattern=r"[A-Za-z0-9_.-]{20,300}",
        ),
        Asked(
            name="app_id",
            label="App id",
            help="Instead of a token, a GitHub App of your own: its number stands on the App's page.",
            example="123456",
            pattern=r"[0-9]{1,12}",
        ),
        Asked(
            name="installation_id",
            label="Installation id",
            help="The number at the end of the address of its installation in your organisation's settings.",
            example="7654321",
            pattern=r"[0-9]{1,12}",
        ),
        Asked(
            name="private_key",
            label="Private key",
            help="The whole .pem file that the App's page made, from BEGIN to END.",
            secret=True,
            long=True,
            pattern=r".*-----BEGIN [A-Z ]*PRIVATE KEY-----.*",
        ),
        Asked(
            name="environments",
            label="Environments",
            help="Only deployments to these, one a line. Empty: all.",
            example="production",
            kind="lines",
        ),
        Asked(
            name="actions",
            label="Remedies that may be proposed",
            help="rollback_deployment (needs deployments:write, or actions:write by workflow), rerun_workflow and "
            "dispatch_workflow (actions:write), revert_pull_request and propose_fix (contents:write and "
            "pull_requests:write), one a line. Each needs a person's approval every time. Empty: only reading.",
            example="rerun_workflow",
            kind="lines",
        ),
        Asked(
            name="workflows",
            label="Workflows that may be started",
            help="By dispatch_workflow: names of their files in .github/workflows, one a line. Empty: none.",
            example="scale.yml",
            kind="lines",
        ),
        Asked(
            name="rollback",
            label="How a rollback is made",
            help="deployment: a new one of the earlier commit, for whoever deploys what GitHub records. workflow: the "
            "run that deployed it is run again. Empty: deployment.",
            example="workflow",
            pattern=r"deployment|workflow",
        ),
        Asked(
            name="api",
            label="Address of the API",
            help="Only for GitHub Enterprise Server: https://HOST/api/v3.",
            example="https://github.example.com/api/v3",
            pattern=r"https?://\S+",
        ),
    ),
    ways=(
        Way(title="Token", fields=("token",)),
        Way(title="GitHub App", fields=("app_id", "installation_id", "private_key")),
    ),
)
SCOPES: Final = (
    Scope(name="metadata:read", without="repositories cannot be listed"),
    Scope(name="deployments:read", without="deployments are not known"),
    Scope(name="contents:read", without="commits and diffs are not known"),
    Scope(name="pull_requests:read", without="pull requests are not known"),
    Scope(name="actions:read", without="workflow runs are not known"),
)
WRITES: Final[Mapping[str, tuple[str, ...]]] = {
    "rollback_deployment": ("deployments:write",),
    "rerun_workflow": ("actions:write",),
    "dispatch_workflow": ("actions:write",),
    "revert_pull_request": ("contents:write", "pull_requests:write"),
    "propose_fix": ("contents:write", "pull_requests:write"),
}
"""The least rights that each remediation needs beside those for reading."""


def writes_of(config: GitHubConfig, action: str) -> tuple[str, ...]:
    by_workflow = action == "rollback_deployment" and config.rollback == "workflow"
    return ("actions:write",) if by_workflow else WRITES[action]
