"""Nodes at fault: kubelet, container runtime, kube-proxy, scheduler, the node's network.

Many sick pods on one node are one fault. What a component says of itself decides; a node that is merely named does not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from agents.evidence.kubernetes.family import fault
from agents.evidence.kubernetes.labels import Label
from agents.evidence.kubernetes.snapshot import Snapshot
from agents.evidence.kubernetes.types import ClusterHypothesis, Read, What

_COMPONENTS: Final = {
    "containerd": Label.CONTAINERD_UNAVAILABLE,
    "kubelet": Label.KUBELET_UNAVAILABLE,
    "kube-proxy": Label.KUBE_PROXY_UNAVAILABLE,
    "kube-scheduler": Label.KUBE_SCHEDULER_UNAVAILABLE,
}
_STUCK: Final = ("ContainerCreating", "Init:", "PodInitializing", "Terminating")
_STUCK_AFTER_S: Final = 60
_UNHURRIED_S: Final = 20  # the scheduler answers within a second
_LOSS: Final = "retrans"
_MUCH_LOSS: Final = 0.3


def hypotheses(seen: Snapshot) -> Iterator[ClusterHypothesis]:
    for node in seen.nodes:
        for component, label in _COMPONENTS.items():
            state = seen.component(node.name, component)
            if state is not None and not state[0]:
                # A runtime that is down takes the kubelet with it, never the other way round.
                score = 0.98 if component == "containerd" else 0.97
                yield fault(label, node.name, score, state[1], node.quote, kind="node")
        if not node.is_ready:
            yield fault(Label.KUBELET_UNAVAILABLE, node.name, 0.6, node.quote, kind="node")
    for reach in seen.reach:
        if reach.open and len(set(reach.failed)) == 1 and reach.failed[0]:
            yield fault(Label.KUBE_PROXY_UNAVAILABLE, reach.failed[0], 0.75, reach.quote, kind="node")
    losses = [a for a in seen.anomalies if a.kind == "Node" and _LOSS in a.category.lower() and a.current]
    if losses:
        worst = max(losses, key=lambda a: a.current or 0)
        score = 0.93 if (worst.current or 0) >= _MUCH_LOSS else 0.5
        yield fault(Label.NODE_NETWORK_PACKET_LOSS, worst.about, score, worst.quote, kind="node")


def reads(seen: Snapshot) -> Iterator[Read]:
    for node in seen.nodes:
        if not node.is_ready:
            yield Read(what=What.COMPONENT, name=node.name, detail="containerd")
            yield Read(what=What.COMPONENT, name=node.name, detail="kubelet")
    for node in seen.nodes:
        if node.is_control_plane and unscheduled(seen):
            yield Read(what=What.COMPONENT, name=node.name, detail="kube-scheduler")
    for name in _stuck_on(seen):
        yield Read(what=What.COMPONENT, name=name, detail="containerd")
        yield Read(what=What.COMPONENT, name=name, detail="kubelet")
    for name in sorted({r.failed[0] for r in seen.reach if r.open and len(set(r.failed)) == 1 and r.failed[0]}):
        yield Read(what=What.COMPONENT, name=name, detail="kube-proxy")


def unscheduled(seen: Snapshot) -> list[str]:
    """Apps with a pending pod on which the scheduler has said nothing for too long."""
    waiting = {p.name: p for p in seen.pods if p.status == "Pending" and (p.age_s or 0) >= _UNHURRIED_S}
    return [
        d.app
        for d in seen.details
        if d.name in waiting
        and d.node in ("", "<none>")
        and not d.event("FailedScheduling")
        and not d.event("Scheduled")
    ]


def _stuck_on(seen: Snapshot) -> list[str]:
    """Nodes on which a container has been starting for too long without a word from the kubelet."""
    starting = {p.name for p in seen.pods if p.status.startswith(_STUCK) and (p.age_s or 0) >= _STUCK_AFTER_S}
    silent = [d.node for d in seen.details if d.name in starting and not any(e.kind == "Warning" for e in d.events)]
    return [name for name, _ in Counter(n for n in silent if n).most_common(1)]
