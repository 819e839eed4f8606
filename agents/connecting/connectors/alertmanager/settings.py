"""What connecting an Alertmanager asks of people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pydantic import Field, HttpUrl, field_validator

from agents.connecting.connector import ConnectorConfig
from agents.connecting.fields import HTTP_LOGIN, HTTP_LOGIN_WAYS, Form, plain_headers, plain_labels
from agents.connecting.fields import Field as Asked

_LABELS: Final = ("service", "job")


class AlertmanagerConfig(ConnectorConfig):
    """`service_labels` tell of which service an alert is, the first that an alert has. `only` are labels that an alert
    must carry to be seen. `headers` are sent with every question, such as the tenant that Mimir wants.
    """

    url: HttpUrl
    service_labels: tuple[str, ...] = _LABELS
    only: Mapping[str, str] = Field(default_factory=dict)
    headers: Mapping[str, str] = Field(default_factory=dict)

    @field_validator("service_labels")
    @classmethod
    def _some_labels(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        plain_labels(names)
        return names or _LABELS

    @field_validator("only")
    @classmethod
    def _labelled(cls, only: Mapping[str, str]) -> Mapping[str, str]:
        plain_labels(only)
        return only

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
            help="Where its web page is, without /api and with its prefix, if it has one.",
            example="https://alertmanager.example.com",
            required=True,
            pattern=r"https?://\S+",
        ),
        Asked(
            name="service_labels",
            label="Labels with the service",
            help="By which alerts tell services apart, the first one counts. Leave it empty for service, then job.",
            example="service",
            kind="lines",
        ),
        Asked(
            name="only",
            label="Only alerts with",
            help="Where many share it: labels that yours carry, one a line.",
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
