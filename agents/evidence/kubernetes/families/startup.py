"""Containers that never start: no image, something they refer to is missing, a volume refuses them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from agents.evidence.kubernetes.family import fault
from agents.evidence.kubernetes.labels import Label
from agents.evidence.kubernetes.objects import ListedEvent, ListedPod, PodDetail
from agents.evidence.kubernetes.snapshot import Snapshot
from agents.evidence.kubernetes.types import ClusterHypothesis, Read, What

# In this order: a refused login may also say "not found or may require authorization".
_PULLS: Final = (
    (re.compile(r"no such host|name resolution|server misbehaving|dial tcp: lookup"), Label.IMAGE_REGISTRY_DNS_FAILURE),
    (
        re.compile(r"unauthorized|denied|40[13] |authorization failed|no basic auth|FailedToRetrieveImagePullSecret"),
        Label.MISSING_IMAGE_PULL_SECRET,
    ),
    (
        re.compile(r"not found|manifest unknown|NotFound|invalid reference format|couldn't parse|InvalidImageName"),
        Label.INCORRECT_IMAGE_REFERENCE,
    ),
)
_ABSENT: Final = re.compile(r"(secret|configmap) .*not found|couldn't find key", re.IGNORECASE)
# The kernel's words for a file, not a database's words for a user.
_REFUSED: Final = re.compile(r"permission denied|read-only file system|operation not permitted", re.IGNORECASE)
_MOST_SICK: Final = 3


def hypotheses(seen: Snapshot) -> Iterator[ClusterHypothesis]:
    for detail in seen.details:
        for event in detail.events:
            if found := _pull(event):
                label, needle = found
                yield fault(label, detail.app, 0.96, event.quote.around(needle))
            elif (
                event.kind == "Warning" and event.reason in ("Failed", "FailedMount") and _ABSENT.search(event.message)
            ):
                yield fault(Label.MISSING_SECRET_BINDING, detail.app, 0.95, event.quote.around("not found"))
        line = seen.log_line(detail.app, _REFUSED)
        if line is not None and _is_crashing(detail):
            yield fault(Label.VOLUME_MOUNT_PERMISSION_DENIED, detail.app, 0.92, line)


def reads(seen: Snapshot) -> Iterator[Read]:
    for pod in sickest(seen):
        yield Read(what=What.DESCRIBE, kind="pods", name=pod.name)


def sickest(seen: Snapshot) -> list[ListedPod]:
    """One pod of each of the worst apps: unready ones first, then those that restart; old restarts do not count."""
    broken = {node.name for node in seen.nodes if not node.is_ready}
    if broken and not seen.of(What.COMPONENT):
        return []  # pods of a node that is down tell nothing of their own: ask the node first
    sick = [p for p in seen.pods if p.is_sick and p.status != "Pending" and p.node not in broken]
    first: dict[str, ListedPod] = {}
    for pod in sorted(sick, key=lambda p: (p.is_ready, p.status == "Running", -p.restarts)):
        first.setdefault(pod.app, pod)
    return list(first.values())[:_MOST_SICK]


def _pull(event: ListedEvent) -> tuple[Label, str] | None:
    text = f"{event.reason} {event.message}"
    if "pull" not in text.lower() and "InvalidImageName" not in text:
        return None
    for pattern, label in _PULLS:
        if match := pattern.search(text):
            return label, match.group()
    return None


def _is_crashing(detail: PodDetail) -> bool:
    return any(c.exit_code not in (None, 0) or c.waiting == "CrashLoopBackOff" for c in detail.containers)
