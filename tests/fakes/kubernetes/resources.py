"""The kinds of objects that the local API server has, and what it tells of them to clients that discover."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Resource:
    plural: str
    kind: str
    group: str = ""
    namespaced: bool = True
    short: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()
    fields: frozenset[str] = frozenset()
    """Field selectors beside the name and the namespace."""

    @property
    def root(self) -> str:
        return f"/apis/{self.group}/v1" if self.group else "/api/v1"

    def type_meta(self) -> dict[str, str]:
        return {"kind": self.kind, "apiVersion": f"{self.group}/v1" if self.group else "v1"}


_OF_PODS = frozenset({"spec.nodeName", "status.phase", "spec.restartPolicy"})
_OF_EVENTS = frozenset(
    {"involvedObject.kind", "involvedObject.name", "involvedObject.namespace", "involvedObject.uid", "reason", "type"}
)
RESOURCES = {
    one.plural: one
    for one in (
        Resource(plural="pods", kind="Pod", short=("po",), subresources=("log",), fields=_OF_PODS),
        Resource(plural="events", kind="Event", short=("ev",), fields=_OF_EVENTS),
        Resource(plural="services", kind="Service", short=("svc",)),
        Resource(plural="resourcequotas", kind="ResourceQuota", short=("quota",)),
        Resource(plural="persistentvolumeclaims", kind="PersistentVolumeClaim", short=("pvc",)),
        Resource(plural="nodes", kind="Node", namespaced=False, short=("no",)),
        Resource(plural="persistentvolumes", kind="PersistentVolume", namespaced=False, short=("pv",)),
        Resource(plural="deployments", kind="Deployment", group="apps", short=("deploy",), subresources=("scale",)),
        Resource(plural="replicasets", kind="ReplicaSet", group="apps", short=("rs",), subresources=("scale",)),
        Resource(plural="statefulsets", kind="StatefulSet", group="apps", short=("sts",), subresources=("scale",)),
        Resource(plural="daemonsets", kind="DaemonSet", group="apps", short=("ds",)),
        Resource(plural="endpointslices", kind="EndpointSlice", group="discovery.k8s.io"),
        Resource(plural="networkpolicies", kind="NetworkPolicy", group="networking.k8s.io", short=("netpol",)),
    )
}
_NAMED_GROUPS = tuple(dict.fromkeys(one.group for one in RESOURCES.values() if one.group))
GROUPS = ("/api/v1", *(f"/apis/{group}/v1" for group in _NAMED_GROUPS))


def discovery(path: str) -> dict[str, Any]:
    """https://kubernetes.io/docs/concepts/overview/kubernetes-api/#discovery-api"""
    if path == "/version":
        return {"major": "1", "minor": "32", "gitVersion": "v1.32.4", "platform": "linux/amd64"}
    if path == "/api":
        return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}
    if path == "/apis":
        groups = [
            {
                "name": group,
                "versions": [{"groupVersion": f"{group}/v1", "version": "v1"}],
                "preferredVersion": {"groupVersion": f"{group}/v1", "version": "v1"},
            }
            for group in _NAMED_GROUPS
        ]
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}
    mine = [one for one in RESOURCES.values() if one.root == path]
    listed = [
        {
            "name": f"{one.plural}/{sub}" if sub else one.plural,
            "singularName": one.kind.lower(),
            "namespaced": one.namespaced,
            "kind": one.kind,
            "verbs": ["get", "list", "patch"],
            "shortNames": list(one.short),
        }
        for one in mine
        for sub in ("", *one.subresources)
    ]
    version = path.removeprefix("/apis/").removeprefix("/api/")
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": listed}
