"""What connecting a GitLab asks of people: its address, a token, and which projects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from pydantic import Field, HttpUrl, field_validator

from agents.connecting.certificates import OWN_AUTHORITY
from agents.connecting.connector import ConnectorConfig
from agents.connecting.fields import Field as Asked
from agents.connecting.fields import Form, Scope, Way

GitLabAction = Literal["retry_job", "revert_merge_request", "propose_fix"]


class GitLabConfig(ConnectorConfig):
    """`projects` limits what is read, `environments` whose deployments. `services` maps a declared service to its
    project where the catalog does not say so, `paths` narrows it to folders of that. `actions` are those that may be
    proposed. `certificate_authority` is the PEM text of an authority of the server's own.
    """

    url: HttpUrl = HttpUrl("https://gitlab.com")
    projects: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    services: Mapping[str, str] = Field(default_factory=dict)
    paths: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)
    migrations: tuple[str, ...] = ("migrations",)
    actions: tuple[GitLabAction, ...] = ()
    certificate_authority: str = ""

    @field_validator("projects")
    @classmethod
    def _named(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if "/" not in name or not all(name.split("/")):
                raise ValueError(f"{name!r} is no project; write group/project")
        return names

    @property
    def base(self) -> str:
        return str(self.url).rstrip("/")


FORM: Final = Form(
    fields=(
        Asked(
            name="url",
            label="Address",
            help="Where its web page is. Empty: gitlab.com.",
            example="https://gitlab.example.com",
            pattern=r"https?://\S+",
        ),
        Asked(
            name="projects",
            label="Projects",
            help="Which ones to read, one a line. Empty: all that the token is a member of.",
            example="acme/checkout",
            kind="lines",
            long=True,
        ),
        Asked(
            name="token",
            label="Access token",
            help="Of a group or a project: Settings, Access tokens, role Reporter with read_api; Developer and api "
            "where remedies may be proposed.",
            secret=True,
            pattern=r"[A-Za-z0-9_.-]{20,300}",
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
            help="retry_job, revert_merge_request, propose_fix, one a line. Each needs a person's approval every time. "
            "Empty: only reading.",
            example="retry_job",
            kind="lines",
        ),
        OWN_AUTHORITY,
    ),
    ways=(Way(title="Access token", fields=("token",)),),
)
SCOPES: Final = (
    Scope(name="read_api", without="deployments, merge requests, pipelines and code are not known"),
    Scope(name="api", without="no job can be retried and nothing drafted; everything else works"),
)
