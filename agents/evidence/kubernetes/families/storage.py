"""Claims that do not bind: the claim and the volumes are compared field by field, as the binder does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from agents.evidence.kubernetes.family import fault
from agents.evidence.kubernetes.labels import Label
from agents.evidence.kubernetes.objects import PodDetail
from agents.evidence.kubernetes.quantities import amount
from agents.evidence.kubernetes.snapshot import Snapshot, labels
from agents.evidence.kubernetes.tables import TableRow
from agents.evidence.kubernetes.trees import TreeNode
from agents.evidence.kubernetes.types import ClusterHypothesis, Quote, Read, What

_MODES: Final = {
    "ReadWriteOnce": "RWO",
    "ReadOnlyMany": "ROX",
    "ReadWriteMany": "RWX",
    "ReadWriteOncePod": "RWOP",
}
_UNBOUND: Final = "unbound immediate PersistentVolumeClaims"
_NOT_SET: Final = ("", "<unset>", "<none>")


@dataclass(frozen=True, kw_only=True)
class VolumeClaim:
    """What a claim asks for. `storage_class` is None where it was not told."""

    name: str
    size: float | None
    modes: frozenset[str]
    storage_class: str | None
    selector: tuple[tuple[str, str], ...]
    lines: tuple[Quote, ...]

    def line(self, *words: str) -> Quote | None:
        return next((q for word in words for q in self.lines if word in q.line), None)


def hypotheses(seen: Snapshot) -> Iterator[ClusterHypothesis]:
    yield from _unprovisioned(seen)
    for detail in _waiting(seen):
        event = detail.event("FailedScheduling", _UNBOUND)
        shown = event.quote.around(_UNBOUND) if event else None
        for claim in _claims(seen, detail):
            judged = _judge(seen, claim)
            if judged is not None:
                label, score, line, volume = judged
                yield fault(label, detail.app, score, line, volume, shown)


def _unprovisioned(seen: Snapshot) -> Iterator[ClusterHypothesis]:
    """A claim whose storage class nobody serves says so itself."""
    for detail in _waiting(seen):
        for event in seen.events:
            if event.about in detail.claims and event.reason == "ProvisioningFailed" and "not found" in event.message:
                yield fault(Label.PVC_STORAGE_CLASS_MISMATCH, detail.app, 0.94, event.quote.around("not found"))


def reads(seen: Snapshot) -> Iterator[Read]:
    for detail in _waiting(seen):
        if seen.has(Read(what=What.MANIFEST, name=detail.app)) and not list(_claims(seen, detail)):
            for claim in detail.claims:
                yield Read(what=What.DESCRIBE, kind="persistentvolumeclaims", name=claim)
        yield Read(what=What.LIST, kind="persistentvolumeclaims")
        yield Read(what=What.LIST, kind="persistentvolumes", detail="labels")
        yield Read(what=What.MANIFEST, name=detail.app)


def _waiting(seen: Snapshot) -> list[PodDetail]:
    return [d for d in seen.details if d.event("FailedScheduling", _UNBOUND)]


def _claims(seen: Snapshot, detail: PodDetail) -> Iterator[VolumeClaim]:
    """The claims of a pod that are not bound, with what its configuration asks for."""
    rows = {row.name: row for row, _ in seen.rows("persistentvolumeclaims")}
    for tree, source in seen.manifests(detail.app):
        name = tree.text("metadata", "name")
        row = rows.get(name)
        if tree.text("kind") == "PersistentVolumeClaim" and (row is None or row.get("STATUS") != "Bound"):
            yield _claim(tree, name, source)


def _claim(tree: TreeNode, name: str, source: str) -> VolumeClaim:
    nodes = list(tree.walk())
    spec = tree.child("spec")
    modes = next((n for n in nodes if n.key == "accessModes"), None)
    items = [] if modes is None else [*modes.children, *_listed_after(nodes, modes)]
    wanted = next((n for n in nodes if n.key == "storage"), None)
    matched = next((n for n in nodes if n.key == "matchLabels"), None)
    kind = spec.child("storageClassName") if spec else None
    return VolumeClaim(
        name=name,
        size=amount(wanted.value.strip("\"'")) if wanted else None,
        modes=frozenset(_MODES.get(n.key.removeprefix("- ").strip("\"'"), "") for n in items) - {""},
        storage_class=kind.value.strip("\"'") if kind is not None else None,
        selector=tuple((n.key, n.value.strip("\"'")) for n in (matched.children if matched else ())),
        lines=tuple(Quote(line=n.line, source=source) for n in nodes),
    )


def _listed_after(nodes: list[TreeNode], head: TreeNode) -> list[TreeNode]:
    """List items may stand at the depth of their key."""
    at = nodes.index(head)
    found = []
    for node in nodes[at + 1 :]:
        if node.depth != head.depth or not node.key.startswith("- "):
            break
        found.append(node)
    return found


def _judge(seen: Snapshot, claim: VolumeClaim) -> tuple[Label, float, Quote | None, Quote | None] | None:
    """The field in which the claim fails against the volume that fits best in all others."""
    volumes = seen.rows("persistentvolumes")
    if not volumes:
        fits = Label.PVC_STORAGE_CLASS_MISMATCH
        return (fits, 0.6, claim.line("storageClassName"), None) if claim.storage_class else None
    failing = [(_failures(row, claim), quote) for row, quote in volumes]
    fewest, volume = min(failing, key=lambda f: len(f[0]))
    if not fewest:
        return None
    label = fewest[0]
    words = {
        Label.PVC_STORAGE_CLASS_MISMATCH: ("storageClassName",),
        Label.PVC_ACCESS_MODE_MISMATCH: ("- Read", "accessModes"),
        Label.PVC_CAPACITY_MISMATCH: ("storage:",),
        Label.PVC_SELECTOR_MISMATCH: tuple(f"{key}:" for key, _ in claim.selector),
        Label.PV_BINDING_OCCUPIED: ("name:",),
    }
    return label, 0.94 if len(fewest) == 1 else 0.8, claim.line(*words[label]), volume


def _failures(row: TableRow, claim: VolumeClaim) -> list[Label]:
    """In which fields a volume does not serve a claim. One that is bound elsewhere fails before all comparison."""
    found = []
    holder = row.get("CLAIM").rpartition("/")[2]
    if row.get("STATUS") in ("Bound", "Released") and holder != claim.name:
        found.append(Label.PV_BINDING_OCCUPIED)
    offered = "" if row.get("STORAGECLASS") in _NOT_SET else row.get("STORAGECLASS")
    if claim.storage_class is not None and claim.storage_class != offered:
        found.append(Label.PVC_STORAGE_CLASS_MISMATCH)
    if not claim.modes <= frozenset(m.strip() for m in row.get("ACCESS MODES").split(",")):
        found.append(Label.PVC_ACCESS_MODE_MISMATCH)
    size = amount(row.get("CAPACITY"))
    if claim.size is not None and size is not None and claim.size > size:
        found.append(Label.PVC_CAPACITY_MISMATCH)
    carried = labels(row.get("LABELS"))
    if any(carried.get(key) != value for key, value in claim.selector):
        found.append(Label.PVC_SELECTOR_MISMATCH)
    return found
