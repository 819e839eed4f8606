"""Lists of objects as tables, with the columns that `kubectl get` has: what people know, and the rules read.

Pure functions over parsed answers. Which word a pod's STATUS is follows the server's own printer:
https://github.com/kubernetes/kubernetes/blob/master/pkg/printers/internalversion/printers.go
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from agents.connecting.connectors.kubernetes import answers
from agents.connecting.connectors.kubernetes.answers import (
    EndpointSlice,
    Event,
    KubernetesService,
    NetworkPolicy,
    Node,
    PersistentVolume,
    PersistentVolumeClaim,
    Pod,
    Quota,
    Selector,
    Workload,
)

Cells = dict[str, str]
NONE: Final = "<none>"
_MODES: Final = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}
_ROLE: Final = "node-role.kubernetes.io/"
_SERVICE: Final = "kubernetes.io/service-name"
_MOST_ADDRESSES: Final = 3
_AGES: Final = (
    (120, 1, "s", 0, ""),
    (600, 60, "m", 1, "s"),
    (10_800, 60, "m", 0, ""),
    (28_800, 3_600, "h", 60, "m"),
    (172_800, 3_600, "h", 0, ""),
    (691_200, 86_400, "d", 3_600, "h"),
)
"""Below how many seconds: the unit and its name, and the part of it that is told beside it."""


def table(rows: Sequence[Mapping[str, str]]) -> str:
    """Aligned columns under their headings; the cells of all rows have the same names."""
    heads = list(rows[0])
    cells = [heads, *([" ".join(row[head].split()) or NONE for head in heads] for row in rows)]
    widths = [max(len(row[at]) for row in cells) for at in range(len(heads))]
    lines = ("   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells)
    return "\n".join(lines) + "\n"


def age(since: datetime | None, now: datetime) -> str:
    """As `kubectl` shortens it: `45s`, `5m10s`, `3h`, `12d`."""
    if since is None:
        return "<unknown>"
    seconds = max(int((now - since).total_seconds()), 0)
    for most, unit, name, part, rest in _AGES:
        if seconds < most:
            left = seconds % unit // part if part else 0
            return f"{seconds // unit}{name}" + (f"{left}{rest}" if left else "")
    return f"{seconds // 86_400}d"


def pods(found: Iterable[Pod], now: datetime, detail: str) -> list[Cells]:
    rows = []
    for pod in found:
        statuses = pod.status.container_statuses
        restarts = sum(s.restart_count for s in statuses)
        ends = [s.last_state.terminated.finished_at for s in statuses if s.last_state.terminated]
        last = max((end for end in ends if end is not None), default=None)
        ago = f" ({age(last, now)} ago)" if restarts and last else ""
        row = {
            "NAME": pod.name,
            "READY": f"{sum(s.ready for s in statuses)}/{len(pod.spec.containers)}",
            "STATUS": pod_status(pod),
            "RESTARTS": f"{restarts}{ago}",
            "AGE": age(pod.metadata.creation_timestamp, now),
        }
        if detail == "wide":
            row |= {"IP": pod.status.pod_ip, "NODE": pod.spec.node_name}
        rows.append(row)
    return rows


def pod_status(pod: Pod) -> str:
    """The word of the STATUS column."""
    reason = pod.status.reason or pod.status.phase
    waiting_inits = False
    for number, status in enumerate(pod.status.init_container_statuses):
        ended, waiting = status.state.terminated, status.state.waiting
        if ended is not None and ended.exit_code == 0:
            continue
        if ended is not None:
            reason = f"Init:{ended.reason or f'ExitCode:{ended.exit_code}'}"
        elif waiting is not None and waiting.reason not in ("", "PodInitializing"):
            reason = f"Init:{waiting.reason}"
        elif status.ready:
            continue
        else:
            reason = f"Init:{number}/{len(pod.spec.init_containers)}"
        waiting_inits = True
        break
    if not waiting_inits:
        reason = _of_containers(pod, reason)
    if pod.metadata.deletion_timestamp is not None:
        return "Unknown" if pod.status.reason == "NodeLost" else "Terminating"
    return reason


def _of_containers(pod: Pod, reason: str) -> str:
    running = False
    for status in reversed(pod.status.container_statuses):
        waiting, ended = status.state.waiting, status.state.terminated
        if waiting is not None and waiting.reason:
            reason = waiting.reason
        elif ended is not None:
            reason = ended.reason or (f"Signal:{ended.signal}" if ended.signal else f"ExitCode:{ended.exit_code}")
        elif status.ready and status.state.running is not None:
            running = True
    if reason == "Completed" and running:
        is_ready = any(c.type == "Ready" and c.status == "True" for c in pod.status.conditions)
        return "Running" if is_ready else "NotReady"
    return reason


def deployments(found: Iterable[Workload], now: datetime, _detail: str) -> list[Cells]:
    return [
        {
            "NAME": one.name,
            "READY": f"{one.status.ready_replicas}/{one.spec.replicas}",
            "UP-TO-DATE": str(one.status.updated_replicas),
            "AVAILABLE": str(one.status.available_replicas),
            "AGE": age(one.metadata.creation_timestamp, now),
        }
        for one in found
    ]


def statefulsets(found: Iterable[Workload], now: datetime, _detail: str) -> list[Cells]:
    return [
        {
            "NAME": one.name,
            "READY": f"{one.status.ready_replicas}/{one.spec.replicas}",
            "AGE": age(one.metadata.creation_timestamp, now),
        }
        for one in found
    ]


def daemonsets(found: Iterable[Workload], now: datetime, _detail: str) -> list[Cells]:
    """READY is written as for other workloads, since the rules compare the two numbers of one cell."""
    return [
        {
            "NAME": one.name,
            "READY": f"{one.status.number_ready}/{one.status.desired_number_scheduled}",
            "UP-TO-DATE": str(one.status.updated_number_scheduled),
            "AVAILABLE": str(one.status.number_available),
            "AGE": age(one.metadata.creation_timestamp, now),
        }
        for one in found
    ]


def replicasets(found: Iterable[Workload], now: datetime, _detail: str) -> list[Cells]:
    return [
        {
            "NAME": one.name,
            "DESIRED": str(one.spec.replicas),
            "CURRENT": str(one.status.replicas),
            "READY": str(one.status.ready_replicas),
            "AGE": age(one.metadata.creation_timestamp, now),
        }
        for one in found
    ]


def events(found: Iterable[Event], now: datetime, _detail: str) -> list[Cells]:
    """Oldest first, as `kubectl get events --sort-by` gives them."""
    rows = sorted(found, key=lambda e: (e.last or now, e.name))
    return [
        {
            "LAST SEEN": times(one, now),
            "TYPE": one.type,
            "REASON": one.reason,
            "OBJECT": f"{one.involved_object.kind.lower()}/{one.involved_object.name}",
            "MESSAGE": one.message,
        }
        for one in rows
    ]


def times(event: Event, now: datetime) -> str:
    """`9s`, or `9s (x3 over 60s)` where it was seen more than once."""
    last = age(event.last, now)
    return f"{last} (x{event.times} over {age(event.first, now)})" if event.times > 1 else last


def services(found: Iterable[KubernetesService], now: datetime, _detail: str) -> list[Cells]:
    return [
        {
            "NAME": one.name,
            "TYPE": one.spec.type,
            "CLUSTER-IP": one.spec.cluster_ip,
            "PORT(S)": ",".join(
                f"{p.port}{f':{p.node_port}' if p.node_port else ''}/{p.protocol}" for p in one.spec.ports
            ),
            "AGE": age(one.metadata.creation_timestamp, now),
            "SELECTOR": labels(one.spec.selector),
        }
        for one in found
    ]


def endpoints(behind: Iterable[KubernetesService], slices: Iterable[EndpointSlice], now: datetime) -> list[Cells]:
    """The ready addresses behind each Service that selects pods."""
    ready: dict[str, list[str]] = {}
    for part in slices:
        name = part.metadata.labels.get(_SERVICE, "")
        ready.setdefault(name, []).extend(
            f"{address}:{port.port}"
            for endpoint in part.endpoints
            if endpoint.conditions.ready
            for address in endpoint.addresses
            for port in part.ports
        )
    rows = []
    for one in behind:
        if not one.spec.selector:
            continue
        found = sorted(ready.get(one.name, []))
        more = f" + {len(found) - _MOST_ADDRESSES} more..." if len(found) > _MOST_ADDRESSES else ""
        shown = f"{','.join(found[:_MOST_ADDRESSES])}{more}"
        rows.append({"NAME": one.name, "ENDPOINTS": shown, "AGE": age(one.metadata.creation_timestamp, now)})
    return rows


def quotas(found: Iterable[Quota], now: datetime, _detail: str) -> list[Cells]:
    return [
        {
            "NAME": one.name,
            "AGE": age(one.metadata.creation_timestamp, now),
            "REQUEST": _used(one, limits=False),
            "LIMIT": _used(one, limits=True),
        }
        for one in found
    ]


def _used(quota: Quota, *, limits: bool) -> str:
    hard, used = quota.status.hard, quota.status.used
    names = sorted(name for name in hard if name.startswith("limits.") == limits)
    return ", ".join(f"{name}: {used.get(name, 0)}/{hard[name]}" for name in names)


def network_policies(found: Iterable[NetworkPolicy], now: datetime, _detail: str) -> list[Cells]:
    return [
        {
            "NAME": one.name,
            "POD-SELECTOR": selector(one.spec.pod_selector),
            "AGE": age(one.metadata.creation_timestamp, now),
        }
        for one in found
    ]


def claims(found: Iterable[PersistentVolumeClaim], now: datetime, _detail: str) -> list[Cells]:
    return [
        {
            "NAME": one.name,
            "STATUS": one.status.phase,
            "VOLUME": one.spec.volume_name,
            "CAPACITY": str(one.status.capacity.get("storage", "")),
            "ACCESS MODES": _modes(one.spec.access_modes),
            "STORAGECLASS": one.spec.storage_class_name,
            "AGE": age(one.metadata.creation_timestamp, now),
        }
        for one in found
    ]


def volumes(found: Iterable[PersistentVolume], now: datetime, detail: str) -> list[Cells]:
    rows = []
    for one in found:
        held = one.spec.claim_ref
        row = {
            "NAME": one.name,
            "CAPACITY": str(one.spec.capacity.get("storage", "")),
            "ACCESS MODES": _modes(one.spec.access_modes),
            "RECLAIM POLICY": one.spec.persistent_volume_reclaim_policy,
            "STATUS": one.status.phase,
            "CLAIM": f"{held.namespace}/{held.name}" if held else "",
            "STORAGECLASS": one.spec.storage_class_name,
            "AGE": age(one.metadata.creation_timestamp, now),
        }
        rows.append(row | ({"LABELS": labels(one.metadata.labels)} if detail == "labels" else {}))
    return rows


def nodes(found: Iterable[Node], now: datetime, detail: str) -> list[Cells]:
    rows = []
    for one in found:
        state = next((c.status for c in one.status.conditions if c.type == "Ready"), "")
        word = {"True": "Ready", "": "Unknown"}.get(state, "NotReady")
        roles = sorted(name.removeprefix(_ROLE) for name in one.metadata.labels if name.startswith(_ROLE))
        row = {
            "NAME": one.name,
            "STATUS": f"{word},SchedulingDisabled" if one.spec.unschedulable else word,
            "ROLES": ",".join(roles),
            "AGE": age(one.metadata.creation_timestamp, now),
            "VERSION": one.status.node_info.kubelet_version,
        }
        rows.append(row | ({"LABELS": labels(one.metadata.labels)} if detail == "labels" else {}))
    return rows


def selector(one: Selector) -> str:
    more = (f"{e.get('key')} {e.get('operator')} ({','.join(e.get('values') or [])})" for e in one.match_expressions)
    return ",".join(filter(None, (labels(one.match_labels), *more)))


def labels(pairs: Mapping[str, str]) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted(pairs.items()))


def _modes(words: Iterable[str]) -> str:
    return ",".join(_MODES.get(word, word) for word in words)


PRINTERS: Final[Mapping[str, tuple[type[answers.Object], Any]]] = {
    "pods": (Pod, pods),
    "deployments": (Workload, deployments),
    "statefulsets": (Workload, statefulsets),
    "daemonsets": (Workload, daemonsets),
    "replicasets": (Workload, replicasets),
    "events": (Event, events),
    "services": (KubernetesService, services),
    "resourcequotas": (Quota, quotas),
    "networkpolicies": (NetworkPolicy, network_policies),
    "persistentvolumeclaims": (PersistentVolumeClaim, claims),
    "persistentvolumes": (PersistentVolume, volumes),
    "nodes": (Node, nodes),
}
"""By plural: what its answers are, and how they are listed."""
