"""Objects as the API server gives them, with what a test does not care about filled in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from zlib import crc32

from fakes.kubernetes.controller import HASH, roll_out, template_hash

if TYPE_CHECKING:
    from fakes.kubernetes import FakeKubernetes

NAMESPACE = "shop"


def deployment(name: str, image: str, *, replicas: int = 2, ready: int | None = None, **more: Any) -> dict[str, Any]:
    """`more` are fields of its container."""
    have = replicas if ready is None else ready
    labels = {"app": name}
    return {
        "metadata": {
            "name": name,
            "namespace": NAMESPACE,
            "generation": 1,
            "labels": labels,
            "annotations": {},
            "creationTimestamp": "2026-02-01T08:00:00Z",
        },
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": {**labels}},
                "spec": {"containers": [{"name": "main", "image": image, **more}]},
            },
        },
        "status": {
            "replicas": replicas,
            "readyReplicas": have,
            "updatedReplicas": replicas,
            "availableReplicas": have,
            "observedGeneration": 1,
        },
    }


def deploy(fake: FakeKubernetes, document: dict[str, Any], at: str) -> dict[str, Any]:
    """As `kubectl apply` and the controller do it: the Deployment, and the ReplicaSet of its template."""
    meta, now = document["metadata"], fake.now
    fake.now = at
    before = fake.objects.get("deployments", {}).get((meta["namespace"], meta["name"]))
    if before is not None:
        meta["generation"] = before["metadata"]["generation"] + 1
    fake.add("deployments", document)
    roll_out(fake, document, before)
    fake.now = now
    return document


def pod(of: dict[str, Any], end: str = "x2k4p", **state: Any) -> dict[str, Any]:
    """One of a Deployment's pods. `state` is its container's status; without one it runs and is ready."""
    meta, template = of["metadata"], of["spec"]["template"]
    version = template_hash(template)
    name = f"{meta['name']}-{version}"
    running = {"running": {"startedAt": "2026-03-01T09:00:00Z"}}
    container = template["spec"]["containers"][0]
    status = {
        "name": container["name"],
        "image": container["image"],
        "imageID": "",
        "ready": not state,
        "restartCount": 0,
        "state": running,
        "lastState": {},
        **state,
    }
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": name, "uid": f"uid-replicasets-{name}"}
    return {
        "metadata": {
            "name": f"{name}-{end}",
            "namespace": meta["namespace"],
            "labels": {**template["metadata"]["labels"], HASH: version},
            "creationTimestamp": "2026-03-01T11:50:00Z",
            "ownerReferences": [{**owner, "controller": True}],
        },
        "spec": {"nodeName": "node-a", "containers": template["spec"]["containers"]},
        "status": {
            "phase": "Running",
            "podIP": "10.0.0.7",
            "conditions": [{"type": "Ready", "status": "False" if state else "True"}],
            "containerStatuses": [status],
        },
    }


def pending(of: dict[str, Any], end: str = "q7w8z") -> dict[str, Any]:
    """A pod that no node took."""
    made = pod(of, end)
    made["spec"].pop("nodeName")
    made["status"] = {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False"}]}
    return made


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    return {"state": {"waiting": {"reason": reason, "message": message}}, "ready": False}


def ended(code: int, reason: str = "Error", at: str = "2026-03-01T11:58:00Z") -> dict[str, Any]:
    return {"terminated": {"exitCode": code, "reason": reason, "finishedAt": at, "startedAt": "2026-03-01T11:57:00Z"}}


def event(
    kind: str, name: str, reason: str, message: str, *, count: int = 3, last: str = "2026-03-01T11:59:30Z", **more: Any
) -> dict[str, Any]:
    return {
        "metadata": {
            "name": f"{name}.{crc32(f'{reason} {message}'.encode()):x}",
            "namespace": NAMESPACE,
            "creationTimestamp": "2026-03-01T11:55:00Z",
        },
        "involvedObject": {"kind": kind, "name": name, "namespace": NAMESPACE, "uid": f"uid-{kind.lower()}s-{name}"},
        "reason": reason,
        "message": message,
        "type": "Warning",
        "count": count,
        "firstTimestamp": "2026-03-01T11:55:00Z",
        "lastTimestamp": last,
        "source": {"component": "kubelet"},
        **more,
    }


def service(name: str, *, selector: dict[str, str] | None = None, target: int = 8080) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": NAMESPACE, "creationTimestamp": "2026-02-01T08:00:00Z"},
        "spec": {
            "type": "ClusterIP",
            "clusterIP": "10.96.0.10",
            "selector": selector or {"app": name},
            "ports": [{"port": 80, "protocol": "TCP", "targetPort": target}],
        },
    }


def endpoints(name: str, *addresses: str, ready: bool = True) -> dict[str, Any]:
    return {
        "metadata": {
            "name": f"{name}-abcde",
            "namespace": NAMESPACE,
            "labels": {"kubernetes.io/service-name": name},
            "creationTimestamp": "2026-02-01T08:00:00Z",
        },
        "addressType": "IPv4",
        "endpoints": [{"addresses": [address], "conditions": {"ready": ready}} for address in addresses],
        "ports": [{"port": 8080, "protocol": "TCP"}],
    }


def quota(name: str, used: dict[str, str], hard: dict[str, str]) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": NAMESPACE, "creationTimestamp": "2026-02-01T08:00:00Z"},
        "spec": {"hard": hard},
        "status": {"hard": hard, "used": used},
    }


def node(name: str = "node-a", *, ready: str = "True") -> dict[str, Any]:
    return {
        "metadata": {"name": name, "labels": {}, "creationTimestamp": "2026-01-01T08:00:00Z"},
        "spec": {},
        "status": {
            "conditions": [{"type": "Ready", "status": ready, "reason": "KubeletReady", "message": ""}],
            "nodeInfo": {"kubeletVersion": "v1.32.4"},
            "allocatable": {"cpu": "4", "memory": "16Gi", "pods": "110"},
        },
    }
