"""Rollouts of Deployments as changes: each ReplicaSet is a revision of the pod template, with the time it was made.

https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#checking-rollout-history-of-a-deployment -- taking
a rollout back reuses the older ReplicaSet under a new revision, so that its age no longer says when: then the event
of its scaling does, as long as the cluster keeps it.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import yaml

from agents.connecting.connectors.kubernetes import answers
from agents.connecting.connectors.kubernetes.answers import Event, Pod, PodTemplate, Workload

REVISION: Final = "deployment.kubernetes.io/revision"
_REUSED: Final = "deployment.kubernetes.io/revision-history"
RESTARTED: Final = "kubectl.kubernetes.io/restartedAt"
HASH: Final = "pod-template-hash"
_COMPARED: Final = 2  # revisions, without which there is nothing that changed
_SHOWS_WITHIN: Final = timedelta(hours=1)
_DIED_LATELY: Final = timedelta(minutes=10)  # longer than a crash loop waits at most
_COMMIT: Final = re.compile(r"(?:^|[-._])g?([0-9a-f]{7,40})$")
_SCALED: Final = re.compile(r"Scaled up replica set (\S+) (?:from \d+ )?to \d+")


@dataclass(frozen=True, kw_only=True)
class Revision:
    """`version` is the hash of the pod template; `at` is None where nobody knows any more. `raw` is the template."""

    number: int
    version: str
    at: datetime | None
    template: PodTemplate
    raw: Mapping[str, Any]
    replica_set: str

    @property
    def images(self) -> dict[str, str]:
        return {one.name: one.image for one in self.template.spec.containers}

    @property
    def restarted_at(self) -> str:
        return self.template.metadata.annotations.get(RESTARTED, "")


def revisions(deployment: Workload, replica_sets: Sequence[Any], events: Iterable[Event]) -> list[Revision]:
    """Oldest first. `replica_sets` are the documents of all of the namespace."""
    scaled: dict[str, datetime] = {}
    for event in events:
        found = _SCALED.search(event.message) if event.reason == "ScalingReplicaSet" else None
        if found and event.last is not None:
            scaled[found[1]] = max(event.last, scaled.get(found[1], event.last))
    made = []
    for raw in replica_sets:
        one = answers.one(Workload, raw, "replicasets")
        number = one.metadata.annotations.get(REVISION, "")
        if one.metadata.owner is None or one.metadata.owner.uid != deployment.metadata.uid or not number.isdigit():
            continue
        at = scaled.get(one.name) if _REUSED in one.metadata.annotations else one.metadata.creation_timestamp
        made.append(
            Revision(
                number=int(number),
                version=one.metadata.labels.get(HASH) or one.name.rpartition("-")[2],
                at=at.astimezone(UTC) if at else None,
                template=one.spec.template,
                raw=raw.get("spec", {}).get("template", {}),
                replica_set=one.name,
            )
        )
    return sorted(made, key=lambda r: r.number)


@dataclass(frozen=True, kw_only=True)
class Blamed:
    """The newest revision, where its pods and no others are unwell. `since` is when the first of them was."""

    revision: Revision
    since: datetime


def blamed(of: Sequence[Revision], pods: Iterable[Pod], now: datetime) -> Blamed | None:
    """Whether the last rollout is what its own pods fail with: they became unready or died soon after it, and older
    ones did not. What ran well for long fails with something else, or needs another proof.
    """
    unwell = [(pod, since) for pod in pods if (since := _unwell_since(pod, now)) is not None]
    owners = {pod.metadata.owner.name if pod.metadata.owner else "" for pod, _ in unwell}
    if len(of) < _COMPARED or owners != {of[-1].replica_set}:
        return None
    since, rolled = min(since for _, since in unwell), of[-1].at
    if rolled is None or not rolled <= since <= rolled + _SHOWS_WITHIN:
        return None
    return Blamed(revision=of[-1], since=since.astimezone(UTC))


def _unwell_since(pod: Pod, now: datetime) -> datetime | None:
    """When it became unready, or a container of it died lately; None where it is well, or has done its work."""
    if pod.status.phase in ("Succeeded", ""):
        return None
    ends = [one.last_state.terminated for one in pod.status.container_statuses if one.restart_count]
    died = [end.finished_at for end in ends if end and end.finished_at and now - end.finished_at <= _DIED_LATELY]
    ready = next((one for one in pod.status.conditions if one.type == "Ready"), None)
    if ready is not None and ready.status == "True":
        return min(died, default=None)
    unready = (ready and ready.last_transition_time) or pod.metadata.creation_timestamp
    return min([*died, *([unready] if unready else [])], default=None)


def what_changed(before: Revision | None, after: Revision) -> str:
    """In words: images from and to, a restart, or that something else of the template changed."""
    if before is None:
        return f"rolled out {', '.join(after.images.values())}"
    old, new = before.images, after.images
    moved = [f"{name}: {old.get(name, 'none')} -> {image}" for name, image in new.items() if old.get(name) != image]
    moved += [f"{name} removed" for name in old if name not in new]
    if moved:
        return f"image of {', '.join(moved)}"
    if _without_restart(before.raw) == _without_restart(after.raw):
        return "restarted"
    return "pod template changed, same images"


def commits(before: Revision | None, after: Revision) -> tuple[str, str]:
    """The commits from which the image was built, before and after, where the tag of the one that changed tells them,
    such as `shop/orders:main-1f3c9ab`; empty where no tag does, or those of several do.
    """
    old = before.images if before is not None else {}
    moved = {(old.get(name, ""), image) for name, image in after.images.items() if old.get(name) != image}
    told = {(_commit(was), is_now) for was, image in moved if (is_now := _commit(image))}
    return next(iter(told)) if len(told) == 1 else ("", "")


def _commit(image: str) -> str:
    """https://github.com/opencontainers/distribution-spec/blob/main/spec.md -- a digest after `@` is no tag."""
    tag = image.partition("@")[0].rpartition("/")[2].partition(":")[2]
    found = _COMMIT.search(tag)
    return found[1] if found else ""


def template_diff(before: Revision, after: Revision) -> str:
    """Line by line as YAML, with all lines around, so that a secret is known by the words beside it; headed as git does
    it, so that it is read like any other file that was changed.
    """
    old, new = (yaml.safe_dump(_without_hash(r.raw), sort_keys=True, width=1_000).splitlines() for r in (before, after))
    file = f"{after.replica_set.rpartition('-')[0]}.yaml"
    lines = difflib.unified_diff(old, new, f"a/{before.replica_set}", f"b/{after.replica_set}", lineterm="", n=6)
    return "\n".join([f"diff --git a/{file} b/{file}", *lines])


def as_template(revision: Revision) -> dict[str, Any]:
    """The pod template as it was declared, to be declared again."""
    return _without_hash(revision.raw)


def _without_hash(raw: Mapping[str, Any]) -> dict[str, Any]:
    meta = dict(raw.get("metadata") or {})
    meta.pop("creationTimestamp", None)
    labels = {k: v for k, v in (meta.get("labels") or {}).items() if k != HASH}
    return {**raw, "metadata": {**meta, "labels": labels}}


def _without_restart(raw: Mapping[str, Any]) -> dict[str, Any]:
    plain = _without_hash(raw)
    noted = {k: v for k, v in (plain["metadata"].get("annotations") or {}).items() if k != RESTARTED}
    return {**plain, "metadata": {**plain["metadata"], "annotations": noted}}
