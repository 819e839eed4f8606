"""Pods, claims or Services that were never admitted: quotas and missing service accounts.

The object is absent rather than sick, so listings look clean. A full quota alone proves nothing: what decides is that
something is wanted and was refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from agents.evidence.kubernetes.family import fault
from agents.evidence.kubernetes.labels import Label
from agents.evidence.kubernetes.objects import ListedEvent, ListedQuota, ListedWorkload
from agents.evidence.kubernetes.parse import app_of
from agents.evidence.kubernetes.quantities import amount
from agents.evidence.kubernetes.snapshot import Snapshot
from agents.evidence.kubernetes.types import ClusterHypothesis, Quote, Read, What

_REQUESTED: Final = re.compile(r"exceeded quota: [^,]+, requested: ([\w./-]+)=")
_ACCOUNT: Final = re.compile(r"service ?account .*not found", re.IGNORECASE)
_MOST: Final = 3


def hypotheses(seen: Snapshot) -> Iterator[ClusterHypothesis]:
    namespace = seen.namespace or "default"
    for event in _refusals(seen):
        app = app_of(event.about, seen.workload_names)
        if match := _REQUESTED.search(event.message):
            if label := _label(match.group(1)):
                yield fault(label, namespace, 0.97, event.quote.around("exceeded quota"), kind="namespace")
        elif _ACCOUNT.search(event.message):
            yield fault(Label.MISSING_SERVICE_ACCOUNT, app, 0.95, event.quote.around("not found"))
    for quota in seen.quotas:
        label = _label(quota.resource)
        if label is not None and (found := _lacking(seen, quota, label)):
            score, quote = found
            yield fault(label, namespace, score, quota.quote, quote, kind="namespace")


def reads(seen: Snapshot) -> Iterator[Read]:
    yield from _makers(seen)
    for quota in seen.quotas:
        label = _label(quota.resource)
        if label is Label.NAMESPACE_SERVICE_QUOTA_EXCEEDED and quota.used >= quota.hard:
            yield Read(what=What.LIST, kind="services", detail="wide")
        if label is Label.NAMESPACE_STORAGE_QUOTA_EXCEEDED:
            lacking = [d.app for d in seen.details if d.event("FailedScheduling", "not found")]
            yield from (Read(what=What.MANIFEST, name=app) for app in lacking)


def _makers(seen: Snapshot) -> Iterator[Read]:
    """Whoever should have made the pods that are missing says why it could not."""
    missing = without_pods(seen)
    if missing:
        yield Read(what=What.LIST, kind="replicasets")
    sick = {pod.app for pod in seen.pods if pod.is_sick}
    short = [w for w in seen.workloads if w.ready < w.wanted and w.name not in {*missing, *sick}]
    if all(node.is_ready for node in seen.nodes):
        yield from (Read(what=What.DESCRIBE, kind=w.kind, name=w.name) for w in short)
    for row, _ in seen.rows("replicasets"):
        if row.get("DESIRED") > row.get("CURRENT") and app_of(f"{row.name}-00000", seen.workload_names) in missing:
            yield Read(what=What.DESCRIBE, kind="replicasets", name=row.name)


def without_pods(seen: Snapshot) -> list[str]:
    """Workloads that should have pods and of which none was even created."""
    have = {pod.app for pod in seen.pods}
    found = [w for w in seen.workloads if w.wanted > 0 and not w.ready and _is_empty(w, have)]
    return [w.name for w in found][:_MOST]


def _is_empty(workload: ListedWorkload, have: set[str]) -> bool:
    return workload.created == 0 if workload.created is not None else workload.name not in have


def _refusals(seen: Snapshot) -> list[ListedEvent]:
    """The latest refusal of each object that still lacks pods: one that was overcome is over."""
    lacking = set(without_pods(seen)) | {w.name for w in seen.workloads if w.ready < w.wanted}
    latest: dict[str, ListedEvent] = {}
    for event in seen.events:
        if event.reason == "FailedCreate" and app_of(f"{event.about}-00000", seen.workload_names) in lacking:
            before = latest.get(event.about)
            if before is None or event.last_s < before.last_s:
                latest[event.about] = event
    return list(latest.values())


def _label(resource: str) -> Label | None:
    rules = (
        ("storage" in resource or "persistentvolumeclaims" in resource, Label.NAMESPACE_STORAGE_QUOTA_EXCEEDED),
        ("services" in resource, Label.NAMESPACE_SERVICE_QUOTA_EXCEEDED),
        (resource in ("pods", "count/pods"), Label.NAMESPACE_POD_QUOTA_EXCEEDED),
        (resource.endswith("cpu"), Label.NAMESPACE_CPU_QUOTA_EXCEEDED),
        (resource.endswith("memory"), Label.NAMESPACE_MEMORY_QUOTA_EXCEEDED),
    )
    return next((label for holds, label in rules if holds), None)


def _lacking(seen: Snapshot, quota: ListedQuota, label: Label) -> tuple[float, Quote | None] | None:
    """How much a quota explains of what is missing, and the line that shows it."""
    full = quota.used >= quota.hard
    if label is Label.NAMESPACE_STORAGE_QUOTA_EXCEEDED:
        for detail in seen.details:
            event = detail.event("FailedScheduling", "not found")
            wanted = [w for w in _claimed(seen, detail.app) if w[0] > quota.hard - quota.used]
            if event is not None and (full or wanted):
                return 0.95, wanted[0][1] if wanted else event.quote
        return (0.4, None) if full else None
    if label is Label.NAMESPACE_SERVICE_QUOTA_EXCEEDED and full:
        services = seen.names("services")
        alone = [name for name in seen.workload_names if services and name not in services]
        return (0.93, None) if alone else (0.7, None)
    short = [w for w in seen.workloads if w.ready < w.wanted and w.created == 0]
    if full:
        return (0.8, short[0].quote) if short else (0.35, None)
    return (0.45, short[0].quote) if short and quota.used > 0.8 * quota.hard else None


def _claimed(seen: Snapshot, app: str) -> list[tuple[float, Quote]]:
    """The storage that the claims in an app's configuration ask for."""
    return [
        (size, Quote(line=node.line, source=source))
        for tree, source in seen.manifests(app)
        if tree.text("kind") == "PersistentVolumeClaim"
        for node in tree.walk()
        if node.key == "storage" and (size := amount(node.value)) is not None
    ]
