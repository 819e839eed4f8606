"""What connecting a Loki asks of people, and the arguments of its tool."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from pydantic import Field, HttpUrl, field_validator

from agents.connecting.certificates import OWN_AUTHORITY
from agents.connecting.connector import ConnectorConfig
from agents.connecting.fields import HTTP_LOGIN, HTTP_LOGIN_WAYS, Form, plain_labels
from agents.connecting.fields import Field as Asked
from agents.tool import Arguments, Moment

TENANT: Final = r"[A-Za-z0-9!._*'()|-]{1,300}"
"""As Loki, Tempo and Mimir take it; several are joined by |."""


class LokiConfig(ConnectorConfig):
    """`service_label` tells services apart; found among the labels where it is empty. `only` are labels that streams
    must carry to be read. At most `max_lines` lines of a service are read at a time, from answers of `max_bytes`.
    """

    url: HttpUrl
    tenant: str = Field(default="", pattern=rf"^({TENANT})?$")
    service_label: str = ""
    only: Mapping[str, str] = Field(default_factory=dict)
    certificate_authority: str = ""
    max_lines: int = Field(default=20_000, ge=10, le=200_000)
    max_bytes: int = Field(default=64_000_000, ge=100_000, le=1_000_000_000)

    @field_validator("service_label")
    @classmethod
    def _a_label(cls, name: str) -> str:
        if name:
            plain_labels([name])
        return name

    @field_validator("only")
    @classmethod
    def _labels(cls, only: Mapping[str, str]) -> Mapping[str, str]:
        plain_labels(only)
        return only


TENANT_FIELD: Final = Asked(
    name="tenant",
    label="Tenant",
    help="What it wants in X-Scope-OrgID, where many share it; several joined by |. Else leave it empty.",
    example="acme",
    pattern=TENANT,
)
FORM: Final = Form(
    fields=(
        Asked(
            name="url",
            label="Address",
            help="Of Loki itself or of its gateway, without /loki/api.",
            example="https://loki.example.com",
            required=True,
            pattern=r"https?://\S+",
        ),
        TENANT_FIELD,
        Asked(
            name="service_label",
            label="Label with the service",
            help="The label of a stream that says of which service it is. Leave it empty to find it among the usual.",
            example="service_name",
        ),
        Asked(
            name="only",
            label="Only streams with",
            help="Where many share it: labels that yours carry, one a line.",
            example="cluster = eu-1",
            kind="pairs",
            long=True,
        ),
        OWN_AUTHORITY,
        *HTTP_LOGIN,
    ),
    ways=HTTP_LOGIN_WAYS,
    open=True,
)


class LogVolume(Arguments):
    service: str = Field(description="A declared service.")
    minutes: int = Field(default=60, ge=1, le=1440, description="How far back from now, or from `end`.")
    end: Moment | None = Field(default=None, description="With time zone; now when left out.")
    step_s: int | None = Field(default=None, ge=10, le=86_400, description="Seconds of a cell; fitted when left out.")
    shown: Literal["count", "rate"] = Field(default="count", description="count: lines of a cell; rate: per second.")
