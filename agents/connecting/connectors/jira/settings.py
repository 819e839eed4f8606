"""What connecting Jira asks of people."""

from __future__ import annotations

import re
from typing import Final, Literal

from pydantic import Field, HttpUrl, field_validator

from agents.connecting.connector import ConnectorConfig
from agents.connecting.fields import Field as Asked
from agents.connecting.fields import Form, Scope, Way

_KEY: Final = re.compile(r"[A-Z][A-Z0-9_]{1,30}")


class JiraConfig(ConnectorConfig):
    """`projects` are the keys of those that are read; tickets are made in the first of them, of the type `ticket_type`.
    `types` are the issue types that are shown, all where none is named; tickets of `change_types` are changes.
    `actions` are the remediations that may be proposed.
    """

    url: HttpUrl
    projects: tuple[str, ...] = Field(min_length=1, max_length=20)
    types: tuple[str, ...] = ()
    change_types: tuple[str, ...] = ()
    ticket_type: str = Field(default="Task", min_length=1, max_length=60)
    actions: tuple[Literal["create_ticket", "comment_ticket"], ...] = ()

    @field_validator("projects")
    @classmethod
    def _keys(cls, keys: tuple[str, ...]) -> tuple[str, ...]:
        for key in keys:
            if not _KEY.fullmatch(key):
                raise ValueError(f"{key[:40]!r} is no key of a project, such as OPS")
        return tuple(dict.fromkeys(keys))

    @property
    def base(self) -> str:
        return str(self.url).rstrip("/")


FORM: Final = Form(
    fields=(
        Asked(
            name="url",
            label="Address",
            help="Of your Jira, as the browser shows it, up to the host.",
            example="https://acme.atlassian.net",
            required=True,
            pattern=r"https?://\S+",
        ),
        Asked(
            name="projects",
            label="Projects",
            help="Keys of those to read, one a line. Tickets are made in the first one.",
            example="OPS",
            required=True,
            kind="lines",
        ),
        Asked(
            name="username",
            label="E-mail address",
            help="Cloud: of the account whose API token it is.",
            example="autoheal@example.com",
            credential=True,
        ),
        Asked(
            name="password",
            label="API token",
            help="Cloud: id.atlassian.com, Security, API tokens.",
            secret=True,
        ),
        Asked(
            name="token",
            label="Personal access token",
            help="Data Center: your profile, Personal Access Tokens.",
            secret=True,
        ),
        Asked(
            name="types",
            label="Types to show",
            help="Issue types, one a line. Empty: all.",
            example="Incident",
            kind="lines",
        ),
        Asked(
            name="change_types",
            label="Types that are changes",
            help="Issue types whose tickets are changes of a service, one a line. Empty: none.",
            example="Change",
            kind="lines",
        ),
        Asked(
            name="ticket_type",
            label="Type of new tickets",
            help="Empty: Task.",
            example="Incident",
        ),
        Asked(
            name="actions",
            label="What may be proposed",
            help="create_ticket, comment_ticket, one a line. Each needs a person's approval every time. Empty: only "
            "reading.",
            example="create_ticket",
            kind="lines",
        ),
    ),
    ways=(
        Way(title="E-mail address and API token (Cloud)", fields=("username", "password")),
        Way(title="Personal access token (Data Center)", fields=("token",)),
    ),
)
SCOPES: Final = (
    Scope(name="BROWSE_PROJECTS", without="tickets are not seen"),
    Scope(name="CREATE_ISSUES", without="no ticket can be made; everything else works"),
    Scope(name="ADD_COMMENTS", without="no ticket can be commented on; everything else works"),
)
