"""What Kubernetes is asked for: settings, the form that people fill in, and what the model is told of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, Literal

from pydantic import Field, HttpUrl, field_validator

from agents.connecting.certificates import IS_CERTIFICATE
from agents.connecting.connector import ConnectorConfig
from agents.connecting.fields import Field as Asked
from agents.connecting.fields import Form, Way

ActionName = Literal["restart_workload", "scale_workload", "undo_rollout"]
_NAMESPACE: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_MOST_NAMESPACES: Final = 20


class KubernetesConfig(ConnectorConfig):
    """`api` and a token, or `in_cluster`, or `kubeconfig` with its `context`: the latter two in the operator's file
    only. `namespaces` limits what is read, `actions` are the remediations that may be proposed, `most_instances` is
    what scaling may reach.
    """

    api: HttpUrl | None = None
    namespaces: tuple[str, ...] = Field(default=(), max_length=_MOST_NAMESPACES)
    certificate_authority: str = ""
    in_cluster: bool = False
    kubeconfig: Path | None = None
    context: str = ""
    actions: tuple[ActionName, ...] = ()
    most_instances: int = Field(default=20, ge=1, le=10_000)

    @field_validator("api")
    @classmethod
    def _private(cls, api: HttpUrl | None) -> HttpUrl | None:
        if api is not None and api.scheme != "https" and api.host not in ("127.0.0.1", "localhost"):
            raise ValueError("begins with https://, since a token is sent there")
        return api

    @field_validator("namespaces")
    @classmethod
    def _named(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if not _NAMESPACE.fullmatch(name):
                raise ValueError(f"{name[:63]!r} is no name of a namespace")
        return tuple(dict.fromkeys(names))


FORM: Final = Form(
    fields=(
        Asked(
            name="api",
            label="Address of the API server",
            help="As `kubectl cluster-info` shows it.",
            example="https://k8s.example.com:6443",
            required=True,
            pattern=r"https://\S+",
        ),
        Asked(
            name="namespaces",
            label="Namespaces",
            help="Which ones to read, one a line. The account needs the Role in each of them.",
            example="shop",
            required=True,
            kind="lines",
            long=True,
        ),
        Asked(
            name="token",
            label="Token",
            help="Of the service account that role.yaml makes: kubectl -n autoheal get secret autoheal-token -o "
            "jsonpath='{.data.token}' | base64 -d (the value only).",
            secret=True,
            pattern=r"[A-Za-z0-9_.~+/=-]{8,4096}",
        ),
        Asked(
            name="certificate_authority",
            label="CA certificate",
            help="Whole, from BEGIN CERTIFICATE to END CERTIFICATE, where an authority of the cluster's own signed "
            "its certificate: kubectl -n autoheal get secret autoheal-token -o jsonpath='{.data.ca\\.crt}' | "
            "base64 -d (all lines).",
            long=True,
            pattern=IS_CERTIFICATE,
        ),
        Asked(
            name="actions",
            label="Remedies that may be proposed",
            help="restart_workload, scale_workload, undo_rollout, one a line. Each needs a person's approval every "
            "time, and the rights that role.yaml has for it. Empty: only reading.",
            example="undo_rollout",
            kind="lines",
        ),
        Asked(
            name="most_instances",
            label="Most pods",
            help="To how many pods a workload may be scaled. Empty: 20.",
            example="20",
            pattern=r"[1-9][0-9]{0,3}",
        ),
    ),
    ways=(Way(title="Token", fields=("token",)),),
)
INSTRUCTIONS: Final = (
    "Begin with cluster_list of pods and of deployments, then cluster_describe the unwell one: its events say what "
    "the cluster could not do. cluster_rollouts tells which image went to which, and when. A crashed container "
    "says why in the logs before its last restart, which cluster_logs shows first. A 403 says that I may not look, "
    "not that nothing is there; the cluster keeps events for about an hour only."
)
