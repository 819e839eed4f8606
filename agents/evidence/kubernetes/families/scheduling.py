"""Pods that no node takes: the scheduler's message counts the nodes by reason.

The control-plane node is always among them and decides nothing. Affinity and selector share one message: the pod's
own selector tells which. Volumes are told in the same message and belong to `storage.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from agents.evidence.kubernetes.family import fault
from agents.evidence.kubernetes.labels import Label
from agents.evidence.kubernetes.objects import ListedEvent, PodDetail
from agents.evidence.kubernetes.snapshot import Snapshot, labels
from agents.evidence.kubernetes.types import ClusterHypothesis, Read, What

_REASON: Final = re.compile(r"(\d+) (?:node\(s\) )?(.+)")
_OWN_TAINTS: Final = ("node-role.kubernetes.io/", "node.kubernetes.io/")
_SHORT: Final = (
    ("Insufficient cpu", Label.CPU_CAPACITY_MISMATCH),
    ("Insufficient memory", Label.MEMORY_CAPACITY_MISMATCH),
    ("Insufficient ", Label.RESOURCE_CAPACITY_MISMATCH),
)
_MOST_PENDING: Final = 3


def hypotheses(seen: Snapshot) -> Iterator[ClusterHypothesis]:
    for detail in seen.details:
        event = detail.event("FailedScheduling")
        if event is not None and (label := _label(seen, detail, event)):
            selector = detail.selectors[0] if detail.selectors and label is Label.NODE_SELECTOR_MISMATCH else None
            yield fault(label, detail.app, 0.93, event.quote.around("nodes are available"), selector)


def reads(seen: Snapshot) -> Iterator[Read]:
    first: dict[str, str] = {}
    for pod in seen.pods:
        if pod.status == "Pending":
            first.setdefault(pod.app, pod.name)
    for name in list(first.values())[:_MOST_PENDING]:
        yield Read(what=What.DESCRIBE, kind="pods", name=name)
    for detail in seen.details:
        event = detail.event("FailedScheduling")
        if event is not None and detail.selectors and len(_kinds(event, detail)) > 1:
            yield Read(what=What.LIST, kind="nodes", detail="labels")


def reasons(message: str) -> dict[str, int]:
    """How many nodes each reason keeps away, from `0/4 nodes are available: 1 ..., 3 ....`."""
    _, _, listed = message.partition("nodes are available: ")
    listed = listed.partition(" preemption:")[0].rstrip(". ")
    found: dict[str, int] = {}
    for piece in re.split(r", (?=\d)", listed):
        if match := _REASON.fullmatch(piece.strip()):
            found[match.group(2)] = found.get(match.group(2), 0) + int(match.group(1))
    return found


def _label(seen: Snapshot, detail: PodDetail, event: ListedEvent) -> Label | None:
    """The reason that keeps most nodes away; nodes that never take work are left out.

    A node tells the first reason only. Where the pod's selector fits a node that something else keeps away, that other
    reason decides.
    """
    kinds = _kinds(event, detail)
    fenced = sum(node.is_control_plane and node.is_cordoned for node in seen.nodes) or 1
    cordoned = sum(count for reason, count in reasons(event.message).items() if "unschedulable" in reason)
    if cordoned and (not kinds or cordoned > fenced):
        return Label.NODE_CORDON_MISMATCH
    if len(kinds) > 1 and _is_met(seen, detail):
        kinds.pop(Label.NODE_SELECTOR_MISMATCH, None)
    return max(kinds, key=lambda label: kinds[label], default=None)


def _kinds(event: ListedEvent, detail: PodDetail) -> dict[Label, int]:
    found: dict[Label, int] = {}
    for reason, count in reasons(event.message).items():
        label = _meaning(reason, detail)
        if label is not None:
            found[label] = found.get(label, 0) + count
    return found


def _is_met(seen: Snapshot, detail: PodDetail) -> bool:
    """Whether some node carries all labels that the pod selects."""
    wanted = labels(",".join(q.line.rpartition(" ")[2] for q in detail.selectors))
    carried = [labels(row.get("LABELS")) for row, _ in seen.rows("nodes")]
    names = [{"kubernetes.io/hostname": name} for name in seen.names("nodes")]
    return any(wanted.items() <= one.items() for one in (*carried, *names))


def _meaning(reason: str, detail: PodDetail) -> Label | None:
    if "untolerated taint" in reason or "had taint" in reason:
        return None if any(own in reason for own in _OWN_TAINTS) else Label.TAINT_TOLERATION_MISMATCH
    if "anti-affinity" in reason:
        return Label.POD_ANTI_AFFINITY_CONFLICT
    if "node affinity" in reason or "node selector" in reason:
        return Label.NODE_SELECTOR_MISMATCH if detail.selectors else Label.NODE_AFFINITY_MISMATCH
    return next((label for words, label in _SHORT if words in reason), None)
