"""The kinds of objects that are read, where the API keeps them, and what is lost without the right to.

`RIGHTS` is all that the connector ever asks for; the Role that is shipped beside this module says the same, and a test
compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from agents.errors import BadArguments


@dataclass(frozen=True, kw_only=True)
class Kind:
    """`plural` as in paths, `kind` as in references, `shown` as the rules and people write it where that differs.

    `group` "" is the core's. `described`: whether one of them is read by itself, too.
    """

    plural: str
    kind: str
    group: str = ""
    version: str = "v1"
    namespaced: bool = True
    shown: str = ""
    described: bool = False

    def path(self, namespace: str = "", name: str = "") -> str:
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        inside = f"/namespaces/{namespace}" if self.namespaced and namespace else ""
        return f"{root}{inside}/{self.plural}" + (f"/{name}" if name else "")


KINDS: Final[Mapping[str, Kind]] = {
    kind.shown or kind.plural: kind
    for kind in (
        Kind(plural="pods", kind="Pod", described=True),
        Kind(plural="deployments", kind="Deployment", described=True, group="apps"),
        Kind(plural="replicasets", kind="ReplicaSet", described=True, group="apps"),
        Kind(plural="statefulsets", kind="StatefulSet", described=True, group="apps"),
        Kind(plural="daemonsets", kind="DaemonSet", described=True, group="apps"),
        Kind(plural="events", kind="Event"),
        Kind(plural="services", kind="Service", described=True),
        Kind(plural="endpointslices", kind="EndpointSlice", group="discovery.k8s.io", shown="endpoints"),
        Kind(plural="resourcequotas", kind="ResourceQuota", shown="resourcequota"),
        Kind(plural="networkpolicies", kind="NetworkPolicy", group="networking.k8s.io"),
        Kind(plural="persistentvolumeclaims", kind="PersistentVolumeClaim", described=True),
        Kind(plural="nodes", kind="Node", described=True, namespaced=False),
        Kind(plural="persistentvolumes", kind="PersistentVolume", namespaced=False),
    )
}
WORKLOADS: Final = ("deployments", "statefulsets", "daemonsets")
_OTHER_NAMES: Final = {
    "po": "pods", "deploy": "deployments", "rs": "replicasets", "sts": "statefulsets", "ds": "daemonsets",
    "ev": "events", "svc": "services", "ep": "endpoints", "endpointslices": "endpoints", "quota": "resourcequota",
    "resourcequotas": "resourcequota", "netpol": "networkpolicies", "pvc": "persistentvolumeclaims", "no": "nodes",
    "pv": "persistentvolumes",
}  # fmt: skip


def kind_of(word: str) -> Kind:
    """By any of its usual names, in the plural or not. Raises BadArguments with those that are read."""
    given = word.strip().lower()
    for name in (given, f"{given}s", f"{given.removesuffix('y')}ies"):
        if found := KINDS.get(_OTHER_NAMES.get(name, name)):
            return found
    raise BadArguments(f"kind: {word[:40]!r} is not read here; read are: {', '.join(KINDS)}")


@dataclass(frozen=True, kw_only=True)
class Right:
    """One verb on one resource. `cluster` ones are of the whole cluster; `action` is what alone needs it."""

    resource: str
    verb: Literal["get", "list", "create", "patch"]
    without: str
    group: str = ""
    subresource: str = ""
    cluster: bool = False
    action: str = ""

    @property
    def name(self) -> str:
        return f"{self.resource}{f'/{self.subresource}' if self.subresource else ''}:{self.verb}"


_LOST: Final = {
    "pods": "what runs and why it does not is not known",
    "deployments": "workloads are not known",
    "replicasets": "rollouts are not known as changes",
    "statefulsets": "stateful workloads are not known",
    "daemonsets": "daemons are not known",
    "events": "what the cluster says of its objects is not known, such as why a pod is not scheduled",
    "services": "selectors and ports are not known",
    "endpoints": "services without a ready pod are not known",
    "resourcequota": "quotas that are used up are not known",
    "networkpolicies": "policies that block traffic are not known",
    "persistentvolumeclaims": "claims that do not bind are not known",
    "nodes": "nodes that are not ready are not known",
    "persistentvolumes": "volumes are not known",
}
_ONE: Final = "one of them cannot be looked at by itself"
RIGHTS: Final = (
    *(
        Right(resource=kind.plural, group=kind.group, verb="list", without=_LOST[shown], cluster=not kind.namespaced)
        for shown, kind in KINDS.items()
    ),
    *(
        Right(resource=kind.plural, group=kind.group, verb="get", without=_ONE, cluster=not kind.namespaced)
        for kind in KINDS.values()
        if kind.described
    ),
    Right(resource="pods", subresource="log", verb="get", without="logs are not known"),
    *(
        Right(resource=resource, subresource=part, group="apps", verb="patch", without=f"{action} fails", action=action)
        for action, resource, part in (
            ("restart_workload", "deployments", ""),
            ("restart_workload", "statefulsets", ""),
            ("restart_workload", "daemonsets", ""),
            ("scale_workload", "deployments", "scale"),
            ("scale_workload", "statefulsets", "scale"),
            ("undo_rollout", "deployments", ""),
        )
    ),
)
