"""What connecting a Grafana asks of people, and the arguments of its tools."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field, HttpUrl, field_validator

from agents.connecting.certificates import OWN_AUTHORITY
from agents.connecting.connector import ConnectorConfig
from agents.connecting.fields import Field as Asked
from agents.connecting.fields import Form, Scope, Way, plain_labels
from agents.tool import Arguments

Uid = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,40}$")]
_TAGS: Final = ("deploy", "deployment", "release")
_LABELS: Final = ("service", "service_name", "job", "app")


class GrafanaConfig(ConnectorConfig):
    """`metrics`, `logs` and `traces` are the data sources that may be read, by their uid; no other one ever is.

    `metrics_label` and `logs_label` tell services apart there, `service_labels` in alerts and their rules. Annotations
    with one of `deployment_tags` are changes.
    """

    url: HttpUrl
    metrics: tuple[Uid, ...] = Field(default=(), max_length=5)
    logs: tuple[Uid, ...] = Field(default=(), max_length=5)
    traces: tuple[Uid, ...] = Field(default=(), max_length=5)
    metrics_label: str = "job"
    logs_label: str = ""
    service_labels: tuple[str, ...] = _LABELS
    deployment_tags: tuple[str, ...] = Field(default=_TAGS, min_length=1, max_length=10)
    certificate_authority: str = ""

    @field_validator("metrics_label", "logs_label")
    @classmethod
    def _a_label(cls, name: str) -> str:
        if name:
            plain_labels([name])
        return name

    @field_validator("service_labels")
    @classmethod
    def _labels(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        plain_labels(names)
        return names or _LABELS


_WHERE: Final = "Its uid ends the address of its settings page, /connections/datasources/edit/UID. One a line."
FORM: Final = Form(
    fields=(
        Asked(
            name="url",
            label="Address",
            help="Where its web page is; a sub-path belongs to it.",
            example="https://grafana.example.com",
            required=True,
            pattern=r"https?://\S+",
        ),
        Asked(
            name="token",
            label="Service account token",
            help="Administration, Users and access, Service accounts: one with the role Viewer, and a token of it.",
            secret=True,
            pattern=r"[A-Za-z0-9_=.-]{10,400}",
        ),
        Asked(
            name="metrics",
            label="Prometheus or Mimir data sources",
            help=f"Those that may be read; no others ever are. {_WHERE}",
            example="PBFA97CFB590B2093",
            kind="lines",
        ),
        Asked(name="logs", label="Loki data sources", help=f"As above. {_WHERE}", example="loki-eu", kind="lines"),
        Asked(name="traces", label="Tempo data sources", help=f"As above. {_WHERE}", example="tempo-eu", kind="lines"),
        Asked(
            name="metrics_label",
            label="Label of metrics with the service",
            help="By which series tell services apart. Leave it empty for job.",
            example="job",
        ),
        Asked(
            name="logs_label",
            label="Label of logs with the service",
            help="By which streams of Loki do. Leave it empty to find it among the usual.",
            example="service_name",
        ),
        Asked(
            name="deployment_tags",
            label="Tags of deployments",
            help="Annotations with one of these are changes. Leave it empty for deploy, deployment, release.",
            example="deploy",
            kind="lines",
        ),
        OWN_AUTHORITY,
    ),
    ways=(Way(title="Service account token", fields=("token",)),),
)
SCOPES: Final = (
    Scope(name="datasources:query", without="No metrics, logs or traces are read through it."),
    Scope(name="alert.rules:read", without="Alert rules and their state are not seen."),
    Scope(name="alert.instances:read", without="Active alerts and silences are not seen."),
    Scope(name="annotations:read", without="Deployments that are annotated are not seen as changes."),
    Scope(name="dashboards:read", without="No dashboards are linked."),
)


class RulesOfService(Arguments):
    service: str = Field(description="A declared service.")


class DashboardsOfService(Arguments):
    service: str = Field(description="A declared service.")
