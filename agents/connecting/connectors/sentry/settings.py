"""What connecting Sentry asks of people."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field, HttpUrl

from agents.connecting.connector import ConnectorConfig
from agents.connecting.fields import Field as Asked
from agents.connecting.fields import Form, Scope, Way

_ADDRESSES: Final = {"us": "https://us.sentry.io", "de": "https://de.sentry.io"}


class SentryConfig(ConnectorConfig):
    """`region` is where sentry.io keeps the organization's data; `url` replaces its address for a server of one's own.
    `environments` limits what is read; `actions` are the remediations that may be proposed.
    """

    organization: str = Field(pattern=r"^[A-Za-z0-9_-]{1,80}$")
    region: Literal["us", "de"] = "us"
    url: HttpUrl | None = None
    environments: tuple[str, ...] = ()
    actions: tuple[Literal["resolve_issue"], ...] = ()

    @property
    def base(self) -> str:
        return str(self.url or _ADDRESSES[self.region]).rstrip("/")


FORM: Final = Form(
    fields=(
        Asked(
            name="organization",
            label="Organization",
            help="Its slug: in Sentry's Settings, General Settings, Organization Slug.",
            example="acme",
            required=True,
            pattern=r"[A-Za-z0-9_-]{1,80}",
        ),
        Asked(
            name="token",
            label="Token",
            help="Sentry: Settings, Custom Integrations, a new internal integration with read access to Project, Issue "
            "& Event, Release and Organization; its token. To resolve issues, Issue & Event: Read & Write.",
            secret=True,
            pattern=r"[A-Za-z0-9_=.-]{16,300}",
        ),
        Asked(
            name="region",
            label="Region",
            help="us or de: where sentry.io keeps your data. Empty: us.",
            example="de",
            pattern=r"us|de",
        ),
        Asked(
            name="url",
            label="Address",
            help="Only for a Sentry of your own.",
            example="https://sentry.example.com",
            pattern=r"https?://\S+",
        ),
        Asked(
            name="environments",
            label="Environments",
            help="Only events and deploys of these, one a line. Empty: all.",
            example="production",
            kind="lines",
        ),
        Asked(
            name="actions",
            label="Remedies that may be proposed",
            help="resolve_issue, or empty: only reading. Each needs a person's approval every time.",
            example="resolve_issue",
            kind="lines",
        ),
    ),
    ways=(Way(title="Token", fields=("token",)),),
)
SCOPES: Final = (
    Scope(name="project:read", without="which projects there are is not known, so nothing else is"),
    Scope(name="event:read", without="issues and their events are not seen"),
    Scope(name="project:releases", without="releases and deploys are not known"),
    Scope(name="event:write", without="no issue can be resolved; everything else works"),
)
