"""What the local API server permits and refuses, each with the status that Kubernetes has for it.

https://kubernetes.io/docs/reference/using-api/api-concepts/
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

USER: Final = "system:serviceaccount:autoheal:autoheal"
JSON_PATCH: Final = "application/json-patch+json"
STRATEGIC: Final = "application/strategic-merge-patch+json"
OF_LISTS: Final = frozenset({"limit", "continue", "labelSelector", "fieldSelector"})
OF_LOGS: Final = frozenset({"container", "previous", "tailLines", "limitBytes", "sinceSeconds", "timestamps"})

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class ClusterResource:
    """`fields` are the field selectors beside name and namespace; `patched`: whether the Role permits to change one."""

    plural: str
    kind: str
    group: str = ""
    namespaced: bool = True
    described: bool = True
    patched: bool = False
    fields: frozenset[str] = frozenset()

    @property
    def root(self) -> str:
        return f"/apis/{self.group}/v1" if self.group else "/api/v1"

    @property
    def type_meta(self) -> Json:
        return {"kind": self.kind, "apiVersion": f"{self.group}/v1" if self.group else "v1"}

    @property
    def verbs(self) -> frozenset[str]:
        return frozenset({"list"} | ({"get"} if self.described else set()) | ({"patch"} if self.patched else set()))


_OF_EVENTS: Final = frozenset({"involvedObject.kind", "involvedObject.name", "reason", "type"})
RESOURCES: Final[Mapping[str, ClusterResource]] = {
    one.plural: one
    for one in (
        ClusterResource(plural="pods", kind="Pod"),
        ClusterResource(plural="events", kind="Event", described=False, fields=_OF_EVENTS),
        ClusterResource(plural="services", kind="Service"),
        ClusterResource(plural="resourcequotas", kind="ResourceQuota", described=False),
        ClusterResource(plural="persistentvolumeclaims", kind="PersistentVolumeClaim"),
        ClusterResource(plural="nodes", kind="Node", namespaced=False),
        ClusterResource(plural="persistentvolumes", kind="PersistentVolume", namespaced=False, described=False),
        ClusterResource(plural="deployments", kind="Deployment", group="apps", patched=True),
        ClusterResource(plural="replicasets", kind="ReplicaSet", group="apps"),
        ClusterResource(plural="statefulsets", kind="StatefulSet", group="apps", patched=True),
        ClusterResource(plural="daemonsets", kind="DaemonSet", group="apps", patched=True),
        ClusterResource(plural="endpointslices", kind="EndpointSlice", group="discovery.k8s.io", described=False),
        ClusterResource(plural="networkpolicies", kind="NetworkPolicy", group="networking.k8s.io", described=False),
    )
}
"""What exists here, and what the one account's Roles permit: nothing else."""


class ClusterRefusal(Exception):
    """https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/"""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message
        self.document: Json = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                               "message": message, "reason": reason, "code": code}  # fmt: skip


def permits(verb: str, group: str, what: str, namespace: str, own: str) -> bool:
    """Whether the Role in the namespace `own`, or the ClusterRole for what has no namespace, says so."""
    if what == "pods/log":
        return (verb, group, namespace) == ("get", "", own)
    resource = RESOURCES.get(what)
    if resource is None or resource.group != group or verb not in resource.verbs:
        return False
    return namespace == own if resource.namespaced else not namespace


def review(document: Json, own: str) -> Json:
    """The answer to a SelfSubjectAccessReview. Raises ClusterRefusal for another question."""
    asked = document.get("spec", {}).get("resourceAttributes")
    known = {"namespace", "verb", "group", "resource", "subresource"}
    if document.get("kind") != "SelfSubjectAccessReview" or not isinstance(asked, dict) or set(asked) - known:
        raise ClusterRefusal(422, "Invalid", "spec.resourceAttributes: Invalid value")
    what = "/".join(filter(None, (asked.get("resource", ""), asked.get("subresource", ""))))
    allowed = permits(asked.get("verb", ""), asked.get("group", ""), what, asked.get("namespace", ""), own)
    return {**document, "metadata": {}, "status": {"allowed": allowed}}


def only(query: Mapping[str, str], known: frozenset[str]) -> None:
    """Stricter than Kubernetes, which ignores what it does not know: a misspelt parameter is a bug of the asker."""
    if unknown := sorted(set(query) - known):
        raise ClusterRefusal(400, "BadRequest", f"no parameter {unknown[0]}")


def whole(query: Mapping[str, str], name: str) -> int:
    """A number of the query; 0 where it is not given."""
    value = query.get(name, "0")
    if not value.isdigit():
        raise ClusterRefusal(400, "BadRequest", f'{name}: Invalid value: "{value}"')
    return int(value)


def selected(resource: ClusterResource, document: Json, query: Mapping[str, str]) -> bool:
    labels = document["metadata"].get("labels", {})
    for part in filter(None, query.get("labelSelector", "").split(",")):
        key, equal, value = part.partition("=")
        if not (key and equal) or {" ", "!", "("} & set(part):
            raise ClusterRefusal(400, "BadRequest", f'unable to parse requirement: "{part}"')
        if labels.get(key) != value:
            return False
    for part in filter(None, query.get("fieldSelector", "").split(",")):
        key, equal, value = part.partition("=")
        if not equal or key not in resource.fields | {"metadata.name", "metadata.namespace"}:
            raise ClusterRefusal(400, "BadRequest", f'field label not supported: "{key}"')
        found: Any = document
        for step in key.split("."):
            found = found.get(step, "") if isinstance(found, dict) else ""
        if found != value:
            return False
    return True


def patched(document: Json, content_type: str, body: bytes) -> Json:
    """The object after the patch. Raises ClusterRefusal for a type, an operation or a version that does not fit."""
    if content_type not in (JSON_PATCH, STRATEGIC):
        raise ClusterRefusal(
            415, "UnsupportedMediaType", f"the body of the request was in an unknown format: {content_type}"
        )
    try:
        patch = json.loads(body)
    except ValueError as exc:
        raise ClusterRefusal(400, "BadRequest", "error decoding patch") from exc
    after = copy.deepcopy(document)
    if isinstance(patch, list) is not (content_type == JSON_PATCH):
        raise ClusterRefusal(400, "BadRequest", "error decoding patch")
    if isinstance(patch, list):
        for step in patch:
            _operate(after, step)
    else:
        _merge(after, patch)
    if after["metadata"].get("resourceVersion") != document["metadata"]["resourceVersion"]:
        told = f'Operation cannot be fulfilled on "{document["metadata"]["name"]}": the object has been modified'
        raise ClusterRefusal(409, "Conflict", f"{told}; please apply your changes to the latest version and try again")
    return after


def _merge(into: Json, patch: Json) -> None:
    for key, value in patch.items():
        if isinstance(value, dict) and isinstance(into.setdefault(key, {}), dict):
            _merge(into[key], value)
        else:
            into[key] = value


def _operate(document: Json, step: Any) -> None:
    """One step of RFC 6902, of those that are used here."""
    malformed = ClusterRefusal(422, "Invalid", "the server rejected our request due to an error in our request")
    if not isinstance(step, dict) or set(step) != {"op", "path", "value"} or step["op"] not in ("add", "replace"):
        raise malformed
    *steps, last = [part.replace("~1", "/").replace("~0", "~") for part in str(step["path"]).split("/")[1:]] or [""]
    parent: Any = document
    for part in steps:
        parent = parent.get(part) if isinstance(parent, dict) else None
    if not isinstance(parent, dict) or (step["op"] == "replace" and last not in parent):
        raise malformed
    parent[last] = step["value"]
