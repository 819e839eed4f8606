"""What the Deployment controller does with a changed Deployment, at once: ReplicaSets, revisions, status."""

from __future__ import annotations

import copy
import hashlib
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fakes.kubernetes import FakeKubernetes

REVISION = "deployment.kubernetes.io/revision"
HISTORY = "deployment.kubernetes.io/revision-history"
HASH = "pod-template-hash"
_LETTERS = "bcdfghjklmnpqrstvwxz2456789"


def template_hash(template: dict[str, Any]) -> str:
    """Ten of the letters that the real one uses."""
    plain = json.loads(json.dumps(template))
    plain.get("metadata", {}).get("labels", {}).pop(HASH, None)
    digest = hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).digest()
    return "".join(_LETTERS[byte % len(_LETTERS)] for byte in digest[:10])


def roll_out(fake: FakeKubernetes, after: dict[str, Any], before: dict[str, Any] | None) -> None:
    """The ReplicaSet of the new template gets the next revision; the others go to zero; the status follows."""
    replicas = after["spec"].get("replicas", 1)
    after.setdefault("status", {})["observedGeneration"] = after["metadata"].get("generation", 1)
    after["status"]["replicas"] = replicas
    meta, version = after["metadata"], template_hash(after["spec"]["template"])
    namespace, name = meta["namespace"], f"{meta['name']}-{version}"
    mine = {
        key: one
        for key, one in fake.objects.get("replicasets", {}).items()
        if any(owner["uid"] == meta["uid"] for owner in one["metadata"].get("ownerReferences", []))
    }
    current = mine.get((namespace, name))
    latest = max((int(one["metadata"]["annotations"][REVISION]) for one in mine.values()), default=0)
    if before is not None and template_hash(before["spec"]["template"]) == version and current is not None:
        current["spec"]["replicas"] = replicas
        return
    for one in mine.values():
        one["spec"]["replicas"] = 0
    if current is None:
        template = copy.deepcopy(after["spec"]["template"])
        template.setdefault("metadata", {}).setdefault("labels", {})[HASH] = version
        owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": meta["name"], "uid": meta["uid"]}
        current = {
            "metadata": {
                "name": name,
                "namespace": namespace,
                "labels": {**template["metadata"]["labels"]},
                "annotations": {},
                "creationTimestamp": fake.now,
                "ownerReferences": [{**owner, "controller": True, "blockOwnerDeletion": True}],
            },
            "spec": {"selector": after["spec"]["selector"], "template": template},
            "status": {"replicas": 0},
        }
    else:
        noted = current["metadata"]["annotations"]
        noted[HISTORY] = ",".join(filter(None, (noted.get(HISTORY, ""), noted[REVISION])))
    current["spec"]["replicas"] = replicas
    current["metadata"]["annotations"][REVISION] = str(latest + 1)
    meta.setdefault("annotations", {})[REVISION] = str(latest + 1)
    fake.add("replicasets", current)
