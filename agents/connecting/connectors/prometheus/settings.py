"""What a Prometheus is asked for: settings, the form that people fill in, and the arguments of its tools."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from pydantic import Field, HttpUrl, field_validator

from agents.connecting.connector import (
    ConnectorConfig,
)
from agents.connecting.fields import HTTP_LOGIN, HTTP_LOGIN_WAYS, Form, plain_headers, plain_labels
from agents.connecting.fields import Field as Asked
from agents.tool import Arguments, Moment


class PrometheusConfig(ConnectorConfig):
    """`service_label` holds the service's name; `names` maps a declared service to another value, or several, of that
    label. `headers` are sent with every question, such as the tenant that Mimir wants in `X-Scope-OrgID`.
    """

    url: HttpUrl
    service_label: str = Field(default="job", min_length=1, max_length=200, pattern=r"^[^\s\"'{}\\]+$")
    names: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)
    headers: Mapping[str, str] = Field(default_factory=dict)
    max_series: int = Field(default=2_000, ge=1, le=20_000)
    max_points: int = Field(default=360, ge=10, le=5_000)
    only: Mapping[str, str] = Field(default_factory=dict)
    """Labels that every series read must carry: one cluster or environment of a server that many share."""

    @field_validator("only")
    @classmethod
    def _labels(cls, only: Mapping[str, str]) -> Mapping[str, str]:
        plain_labels(only)
        return only

    @field_validator("names", mode="before")
    @classmethod
    def _one_or_several(cls, names: object) -> object:
        if not isinstance(names, Mapping):
            return names
        return {name: (value,) if isinstance(value, str) else value for name, value in names.items()}

    @field_validator("headers")
    @classmethod
    def _plain(cls, headers: Mapping[str, str]) -> Mapping[str, str]:
        plain_headers(headers)
        return headers


FORM: Final = Form(
    fields=(
        Asked(
            name="url",
            label="Address",
            help="Where its web page is, without /api. A hosted one says it under remote read or HTTP API.",
            example="https://prometheus.example.com",
            required=True,
            pattern=r"https?://\S+",
        ),
        Asked(
            name="service_label",
            label="Label with the service",
            help="The label by which series tell services apart. Leave it empty for job.",
            example="job",
        ),
        Asked(
            name="only",
            label="Only series with",
            help="Where many share a server: labels that yours carry, one a line.",
            example="cluster = eu-1",
            kind="pairs",
            long=True,
        ),
        Asked(
            name="headers",
            label="Headers",
            help="Sent with every question, such as the tenant that Mimir wants. No secrets.",
            example="X-Scope-OrgID = acme",
            kind="pairs",
            long=True,
        ),
        *HTTP_LOGIN,
    ),
    ways=HTTP_LOGIN_WAYS,
    open=True,
)


class Query(Arguments):
    promql: str = Field(min_length=1, max_length=2_000, description="A PromQL expression.")
    at: Moment | None = Field(default=None, description="Moment with time zone; now when left out.")


class QueryRange(Arguments):
    promql: str = Field(min_length=1, max_length=2_000, description="A PromQL expression.")
    start: Moment | None = Field(default=None, description="With time zone; 30 minutes before end if left out.")
    end: Moment | None = Field(default=None, description="With time zone; now when left out.")
    step_s: float | None = Field(
        default=None, ge=1, le=86_400, description="Seconds between points; fitted when left out."
    )


class ListMetrics(Arguments):
    service: str = Field(description="A declared service.")
    contains: str = Field(default="", description="Only names that contain this.")


class ListAlerts(Arguments):
    state: Literal["firing", "pending", "any"] = "any"


class ListRules(Arguments):
    contains: str = Field(default="", description="Only rules whose name contains this.")
