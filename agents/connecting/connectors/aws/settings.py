"""What connecting an AWS account asks of people: a region, and a role to assume."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from pydantic import Field, HttpUrl, field_validator

from agents.connecting.connector import ConnectorConfig
from agents.connecting.fields import Field as Asked
from agents.connecting.fields import Form, Scope, Way

AwsAction = Literal["ecs_update_service"]
_PREFIXES: Final = ("sts", "monitoring", "logs", "ecs", "cloudtrail")


class AwsConfig(ConnectorConfig):
    """`clusters` are those of ECS; empty: all of the region. `names` maps a declared service to what AWS calls it: an
    ECS service, a function, a database, a queue. `log_groups` names a service's log groups where its task definition
    does not. `actions` are those that may be done. `endpoint` is a proxy, or a VPC endpoint, in the place of all of
    AWS's.
    """

    region: str = Field(pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]$")
    role_arn: str = Field(
        default="", max_length=600, pattern=r"^$|^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9_+=,.@/-]+$"
    )
    clusters: tuple[str, ...] = ()
    names: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)
    log_groups: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)
    actions: tuple[AwsAction, ...] = ()
    endpoint: HttpUrl | None = None

    @field_validator("names", "log_groups", mode="before")
    @classmethod
    def _one_or_several(cls, names: object) -> object:
        if not isinstance(names, Mapping):
            return names
        return {name: (value,) if isinstance(value, str) else value for name, value in names.items()}

    @property
    def endpoint_url(self) -> str | None:
        return str(self.endpoint).rstrip("/") if self.endpoint is not None else None

    def hosts(self) -> tuple[str, ...]:
        """https://docs.aws.amazon.com/general/latest/gr/rande.html"""
        if self.endpoint is not None:
            return (self.endpoint.host or "",)
        suffix = "amazonaws.com.cn" if self.region.startswith("cn-") else "amazonaws.com"
        return tuple(f"{prefix}.{self.region}.{suffix}" for prefix in _PREFIXES)


FORM: Final = Form(
    fields=(
        Asked(
            name="region",
            label="Region",
            help="Connect each region by itself.",
            example="eu-west-1",
            required=True,
            pattern=r"[a-z]{2}(-[a-z]+)+-\d",
        ),
        Asked(
            name="role_arn",
            label="Role",
            help="A role of your account with the rights of the policy in Autoheal's documents, which trusts the "
            "identity that Autoheal runs as, on condition of the external id.",
            example="arn:aws:iam::123456789012:role/autoheal",
            pattern=r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]{1,512}",
        ),
        Asked(
            name="external_id",
            label="External id",
            help="At least 16 letters and digits that nobody can guess: it stands in the role's trust policy under "
            "sts:ExternalId, and keeps others from using your role through Autoheal.",
            secret=True,
            pattern=r"[A-Za-z0-9+=,.@:/_-]{16,256}",
        ),
        Asked(
            name="access_key_id",
            label="Access key id",
            help="Better use a role: a key does not end by itself, and whoever copies it can use it from anywhere.",
            credential=True,
            pattern=r"(AKIA|ASIA)[A-Z0-9]{12,}",
        ),
        Asked(name="secret_access_key", label="Secret access key", help="Of that key.", secret=True),
        Asked(
            name="clusters",
            label="ECS clusters",
            help="Which ones to read, one a line. Empty: all of the region.",
            example="prod",
            kind="lines",
        ),
        Asked(
            name="actions",
            label="Permitted actions",
            help="ecs_update_service, where a service may be put back to its previous task definition once a person "
            "approved it. Empty: nothing is changed.",
            example="ecs_update_service",
            kind="lines",
        ),
    ),
    ways=(
        Way(title="Role with external id", fields=("role_arn", "external_id")),
        Way(title="Access key", fields=("access_key_id", "secret_access_key")),
    ),
)
READS: Final[Mapping[str, tuple[str, ...]]] = {
    "metrics are not known": ("cloudwatch:ListMetrics", "cloudwatch:GetMetricData"),
    "alarms are not known": ("cloudwatch:DescribeAlarms",),
    "logs are not known": (
        "logs:DescribeLogGroups",
        "logs:FilterLogEvents",
        "logs:StartQuery",
        "logs:GetQueryResults",
        "logs:StopQuery",
    ),
    "services of ECS, their deployments and stopped tasks are not known": (
        "ecs:ListClusters",
        "ecs:ListServices",
        "ecs:DescribeServices",
        "ecs:ListTasks",
        "ecs:DescribeTasks",
        "ecs:DescribeTaskDefinition",
    ),
    "what people changed is not known": ("cloudtrail:LookupEvents",),
}
"""The least rights, by what is lost without them."""
SCOPES: Final = tuple(Scope(name=name, without=without) for without, names in READS.items() for name in names)
