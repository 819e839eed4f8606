"""The shop as a cluster keeps it: its deployments as ReplicaSets with revisions, its processes as pods, what happened
as events. Pure; field names as in https://kubernetes.io/docs/reference/kubernetes-api/
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5
from zlib import crc32

NAMESPACE: Final = "shop"
CONTAINER: Final = "app"
NODE: Final = "this-machine"
HASH: Final = "pod-template-hash"
RESTARTED: Final = "kubectl.kubernetes.io/restartedAt"
_REVISION: Final = "deployment.kubernetes.io/revision"
_REUSED: Final = "deployment.kubernetes.io/revision-history"
_REGISTRY: Final = "registry.shop.example"
_LETTERS: Final = "bcdfghjklmnpqrstvwxz2456789"
_KEPT: Final = 10  # old ReplicaSets, as `revisionHistoryLimit` is where nobody sets it
_MEMORY: Final = "96Mi"

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class PodTemplateState:
    """What a pod template says that ever differs here."""

    commit: str
    restarted: str = ""


@dataclass(frozen=True, kw_only=True)
class Rollout:
    template: PodTemplateState
    at: datetime


@dataclass(frozen=True, kw_only=True)
class PodRun:
    """One process. Those of one `run` are one pod's container, started again each time it died."""

    run: int
    version: str
    started_at: datetime
    ended_at: datetime | None
    exit_code: int | None


@dataclass(kw_only=True)
class ShopWorkload:
    """A service: its rollouts and its processes, oldest first, and the template of which each run is. `busy` while a
    rollout is carried out, `failure` what was said of the last one that could not be.
    """

    name: str
    port: int
    rollouts: list[Rollout] = field(default_factory=list)
    runs: list[PodRun] = field(default_factory=list)
    made_of: dict[int, PodTemplateState] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    busy: bool = False
    failure: str = ""

    @property
    def template(self) -> PodTemplateState:
        return self.rollouts[-1].template

    @property
    def pod_runs(self) -> list[PodRun]:
        """The processes of the one pod that there is, oldest first."""
        return [one for one in self.runs if one.run == self.runs[-1].run]

    @property
    def ready(self) -> bool:
        return bool(self.runs) and self.runs[-1].ended_at is None

    @property
    def runs_template(self) -> PodTemplateState:
        """That of the pod: while a rollout is under way, of the one before."""
        return self.made_of[self.runs[-1].run]

    def observe(self, runs: Sequence[PodRun]) -> None:
        """What runs now. A process of another version than what was declared is a rollout that somebody else made."""
        for one in runs:
            if one.run in self.made_of:
                continue
            if one.version != self.template.commit:
                self.rollouts.append(Rollout(template=PodTemplateState(commit=one.version), at=one.started_at))
            self.made_of[one.run] = self.template
        self.runs = list(runs)


def pod_template(one: ShopWorkload, state: PodTemplateState) -> Json:
    """As it is declared."""
    probe = {"httpGet": {"path": "/health", "port": one.port}}
    noted = {"annotations": {RESTARTED: state.restarted}} if state.restarted else {}
    return {
        "metadata": {"labels": {"app": one.name}, **noted},
        "spec": {
            "containers": [
                {
                    "name": CONTAINER,
                    "image": f"{_REGISTRY}/{one.name}:{state.commit}",
                    "ports": [{"containerPort": one.port, "protocol": "TCP"}],
                    "resources": {"limits": {"memory": _MEMORY}},
                    "readinessProbe": probe,
                }
            ]
        },
    }


def template_hash(one: ShopWorkload, state: PodTemplateState) -> str:
    digest = hashlib.sha256(json.dumps(pod_template(one, state), sort_keys=True).encode()).digest()
    return "".join(_LETTERS[byte % len(_LETTERS)] for byte in digest[:10])


def deployment(one: ShopWorkload) -> Json:
    generation, ready = len(one.rollouts), int(one.ready)
    updated = int(not one.busy and one.runs_template == one.template)
    stuck = {"type": "Progressing", "status": "False", "reason": "ReplicaSetCreateError", "message": one.failure}
    return _object(
        one.name,
        "deployments",
        created=one.rollouts[0].at,
        labels={"app": one.name},
        annotations={_REVISION: str(len(one.rollouts)), **one.annotations},
        generation=generation,
        spec={
            "replicas": 1,
            "selector": {"matchLabels": {"app": one.name}},
            "template": pod_template(one, one.template),
        },
        status={
            "observedGeneration": generation - one.busy,
            "replicas": 1,
            "readyReplicas": ready,
            "availableReplicas": ready,
            "updatedReplicas": updated,
            "conditions": [stuck] if one.failure else [],
        },
    )


def replica_sets(one: ShopWorkload) -> list[Json]:
    """One a template, under the number of the last rollout of it; those that are too old are not kept."""
    numbers: dict[PodTemplateState, list[int]] = {}
    for number, rollout in enumerate(one.rollouts, start=1):
        numbers.setdefault(rollout.template, []).append(number)
    newest = sorted(numbers.items(), key=lambda item: -item[1][-1])[: _KEPT + 1]
    return [_replica_set(one, state, of) for state, of in newest]


def _replica_set(one: ShopWorkload, state: PodTemplateState, numbers: Sequence[int]) -> Json:
    version, template = template_hash(one, state), pod_template(one, state)
    labels = {"app": one.name, HASH: version}
    wanted = int(state == one.template)
    ready = int(one.ready and state == one.runs_template)
    earlier = {_REUSED: ",".join(map(str, numbers[:-1]))} if len(numbers) > 1 else {}
    return _object(
        f"{one.name}-{version}",
        "replicasets",
        created=one.rollouts[numbers[0] - 1].at,
        labels=labels,
        annotations={_REVISION: str(numbers[-1]), **earlier},
        owner=("Deployment", one.name, "deployments"),
        spec={
            "replicas": wanted,
            "selector": {"matchLabels": labels},
            "template": {**template, "metadata": {**template["metadata"], "labels": labels}},
        },
        status={"replicas": wanted, "readyReplicas": ready, "availableReplicas": ready},
    )


def pod(one: ShopWorkload) -> Json:
    state, runs = one.runs_template, one.pod_runs
    version, template = template_hash(one, state), pod_template(one, state)
    last, ended = runs[-1], [run for run in runs if run.ended_at is not None]
    running: Json = {"running": {"startedAt": rfc3339(last.started_at)}}
    told = f"back-off restarting failed container={CONTAINER} pod={pod_name(one)}_{NAMESPACE}"
    waiting: Json = {"waiting": {"reason": "CrashLoopBackOff", "message": told}}
    since = last.started_at if one.ready else last.ended_at
    ready = {"status": "True" if one.ready else "False", "lastTransitionTime": rfc3339(since)}
    container = template["spec"]["containers"][0]
    return _object(
        pod_name(one),
        "pods",
        created=runs[0].started_at,
        labels={"app": one.name, HASH: version},
        annotations=template["metadata"].get("annotations", {}),
        owner=("ReplicaSet", f"{one.name}-{version}", "replicasets"),
        spec={"nodeName": NODE, "containers": [container]},
        status={
            "phase": "Running",
            "podIP": "127.0.0.1",
            "startTime": rfc3339(runs[0].started_at),
            "conditions": [{"type": name, **ready} for name in ("Ready", "ContainersReady")],
            "containerStatuses": [
                {
                    "name": CONTAINER,
                    "image": container["image"],
                    "imageID": "",
                    "ready": one.ready,
                    "restartCount": len(runs) - 1 if one.ready else len(runs),
                    "state": running if one.ready else waiting,
                    "lastState": {"terminated": _terminated(ended[-1])} if ended else {},
                }
            ],
        },
    )


def pod_name(one: ShopWorkload) -> str:
    digest = hashlib.sha256(f"{one.name}/{one.runs[-1].run}".encode()).digest()
    ending = "".join(_LETTERS[byte % len(_LETTERS)] for byte in digest[:5])
    return f"{one.name}-{template_hash(one, one.runs_template)}-{ending}"


def _terminated(run: PodRun) -> Json:
    code = run.exit_code or 0
    return {
        "exitCode": code if code >= 0 else 128 - code,  # as a shell tells a signal
        "reason": "Error" if code else "Completed",
        "startedAt": rfc3339(run.started_at),
        "finishedAt": rfc3339(run.ended_at),
    }


def events(one: ShopWorkload, since: datetime) -> list[Json]:
    """Of the rollouts since then, and of the pod that there is."""
    found = []
    for before, rollout in zip([None, *one.rollouts], one.rollouts, strict=False):
        if rollout.at < since:
            continue
        about = ("Deployment", one.name, "deployment-controller")
        name = f"{one.name}-{template_hash(one, rollout.template)}"
        found.append(_event(about, "ScalingReplicaSet", f"Scaled up replica set {name} from 0 to 1", [rollout.at]))
        if before is not None:
            old = f"{one.name}-{template_hash(one, before.template)}"
            found.append(_event(about, "ScalingReplicaSet", f"Scaled down replica set {old} from 1 to 0", [rollout.at]))
    runs = one.pod_runs
    died = [run.ended_at for run in runs if run.ended_at is not None]
    about = ("Pod", pod_name(one), "kubelet")
    found.append(_event(about, "Started", f"Started container {CONTAINER}", [run.started_at for run in runs]))
    if died:
        told = f"Back-off restarting failed container {CONTAINER} in pod {pod_name(one)}_{NAMESPACE}"
        found.append(_event(about, "BackOff", told, died, kind="Warning"))
    return found


def _event(
    about: tuple[str, str, str], reason: str, message: str, times: Sequence[datetime], kind: str = "Normal"
) -> Json:
    of, name, component = about
    made = _object(f"{name}.{crc32(f'{reason} {message} {times[0]}'.encode()):08x}", "events", created=times[0])
    return {
        **made,
        "involvedObject": {"kind": of, "name": name, "namespace": NAMESPACE, "uid": _uid(f"{of.lower()}s", name)},
        "reason": reason,
        "message": message,
        "type": kind,
        "count": len(times),
        "firstTimestamp": rfc3339(times[0]),
        "lastTimestamp": rfc3339(times[-1]),
        "source": {"component": component},
    }


def service(one: ShopWorkload) -> Json:
    port = {"name": "http", "port": 80, "protocol": "TCP", "targetPort": one.port}
    spec = {"type": "ClusterIP", "clusterIP": "127.0.0.1", "selector": {"app": one.name}, "ports": [port]}
    return _object(one.name, "services", created=one.rollouts[0].at, spec=spec)


def endpoint_slice(one: ShopWorkload) -> Json:
    made = _object(
        f"{one.name}-{template_hash(one, one.template)[:5]}",
        "endpointslices",
        created=one.rollouts[0].at,
        labels={"kubernetes.io/service-name": one.name},
    )
    endpoint = {"addresses": ["127.0.0.1"], "conditions": {"ready": one.ready}}
    ports = [{"name": "http", "port": one.port, "protocol": "TCP"}]
    return {**made, "addressType": "IPv4", "endpoints": [endpoint], "ports": ports}


def node(since: datetime) -> Json:
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "kubelet is posting ready status"}
    made = _object(
        NODE, "nodes", created=since, status={"conditions": [ready], "nodeInfo": {"kubeletVersion": "v1.32.4"}}
    )
    made["metadata"].pop("namespace")
    return made


def _object(
    name: str,
    plural: str,
    *,
    created: datetime,
    labels: dict[str, str] | None = None,
    annotations: dict[str, str] | None = None,
    generation: int = 1,
    owner: tuple[str, str, str] | None = None,
    **content: Json,
) -> Json:
    """With a resource version that is another one as soon as anything in it is."""
    meta: Json = {
        "name": name,
        "namespace": NAMESPACE,
        "uid": _uid(plural, name),
        "generation": generation,
        "creationTimestamp": rfc3339(created),
        "labels": labels or {},
        "annotations": annotations or {},
    }
    if owner is not None:
        kind, owned_by, owners = owner
        reference = {"apiVersion": "apps/v1", "kind": kind, "name": owned_by, "uid": _uid(owners, owned_by)}
        meta["ownerReferences"] = [{**reference, "controller": True, "blockOwnerDeletion": True}]
    made = {"metadata": meta, **content}
    meta["resourceVersion"] = str(crc32(json.dumps(made, sort_keys=True).encode()))
    return made


def _uid(plural: str, name: str) -> str:
    return str(uuid5(NAMESPACE_URL, f"{plural}/{NAMESPACE}/{name}"))


def rfc3339(at: datetime | None) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if at is not None else ""
