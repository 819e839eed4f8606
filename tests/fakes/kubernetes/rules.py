"""What the local API server permits, selects and refuses, each as the real one says it."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from fakes.kubernetes.resources import Resource
from fakes.openapi import Asked

_PATCHES = ("application/merge-patch+json", "application/strategic-merge-patch+json", "application/json-patch+json")
_TOP = {"apiVersion", "kind", "metadata", "spec", "status"}
_OF_SPEC = {
    "replicas", "selector", "template", "strategy", "minReadySeconds", "revisionHistoryLimit", "paused",
    "progressDeadlineSeconds", "serviceName",
}  # fmt: skip


class Refused(Exception):
    """https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/"""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.code, self.reason, self.message = code, reason, message

    def document(self) -> dict[str, Any]:
        return status(self.code, self.reason, self.message)


def status(code: int, reason: str, message: str) -> dict[str, Any]:
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
        "code": code,
    }


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A rule of a Role, or, without a namespace, of a ClusterRole that is bound for the whole cluster."""

    groups: tuple[str, ...]
    resources: tuple[str, ...]
    verbs: tuple[str, ...]
    namespace: str = ""


def permitted(rules: Iterable[Rule], verb: str, group: str, resource: str, namespace: str) -> bool:
    return any(
        verb in rule.verbs and group in rule.groups and resource in rule.resources and rule.namespace in ("", namespace)
        for rule in rules
    )


def matches(resource: Resource, document: Mapping[str, Any], query: Mapping[str, str]) -> bool:
    """Whether it is among what the selectors of a list ask for. Raises Refused for a selector that is not known."""
    labels = document["metadata"].get("labels", {})
    for part in filter(None, query.get("labelSelector", "").split(",")):
        key, equal, value = part.partition("=")
        if not equal or not key or " " in part:
            raise Refused(400, "BadRequest", f'unable to parse requirement: "{part}"')
        if labels.get(key.rstrip("=!")) != value.lstrip("="):
            return False
    for part in filter(None, query.get("fieldSelector", "").split(",")):
        key, equal, value = part.partition("=")
        known = {"metadata.name", "metadata.namespace", *resource.fields}
        if key not in known or not equal:
            raise Refused(400, "BadRequest", f'field label not supported: "{key}"')
        found: Any = document
        for step in key.split("."):
            found = found.get(step, "") if isinstance(found, Mapping) else ""
        if found != value:
            return False
    return True


def applied(document: Mapping[str, Any], asked: Asked) -> dict[str, Any]:
    """The object after a patch. Raises Refused for a content type, a field or an operation that is not known."""
    kind = asked.headers.get("content-type", "")
    if kind not in _PATCHES:
        raise Refused(
            415, "UnsupportedMediaType", f"the body of the request was in an unknown format - accepted: {_PATCHES}"
        )
    try:
        patch = json.loads(asked.body)
    except ValueError as exc:
        raise Refused(400, "BadRequest", "error decoding patch") from exc
    after = copy.deepcopy(dict(document))
    if kind == "application/json-patch+json":
        if not isinstance(patch, list):
            raise Refused(400, "BadRequest", "error decoding patch: not an array")
        for step in patch:
            _operate(after, step)
    elif isinstance(patch, dict):
        _merge(after, patch, strategic="strategic" in kind)
    else:
        raise Refused(400, "BadRequest", "error decoding patch: not an object")
    unknown = (set(after) - _TOP) | (set(after.get("spec", {})) - _OF_SPEC)
    if unknown:
        raise Refused(422, "Invalid", f'strict decoding error: unknown field "{min(unknown)}"')
    if not isinstance(after.get("spec", {}).get("replicas", 1), int) or after["spec"].get("replicas", 1) < 0:
        raise Refused(422, "Invalid", "spec.replicas: Invalid value")
    return after


def _merge(into: dict[str, Any], patch: Mapping[str, Any], *, strategic: bool) -> None:
    for key, value in patch.items():
        if value is None:
            into.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(into.get(key), dict):
            _merge(into[key], value, strategic=strategic)
        elif strategic and key in ("containers", "env") and isinstance(value, list):
            named = {one["name"]: one for one in into.get(key, [])}
            for one in value:
                _merge(named.setdefault(one["name"], {}), one, strategic=True)
            into[key] = list(named.values())
        else:
            into[key] = copy.deepcopy(value)


def _operate(document: dict[str, Any], step: Mapping[str, Any]) -> None:
    """One step of RFC 6902, of those that are used."""
    parts = [part.replace("~1", "/").replace("~0", "~") for part in str(step["path"]).split("/")[1:]]
    parent: Any = document
    for part in parts[:-1]:
        if part not in parent:
            raise Refused(422, "Invalid", "the server rejected our request due to an error in our request")
        parent = parent[part]
    if step["op"] == "test":
        if parent.get(parts[-1]) != step["value"]:
            raise Refused(422, "Invalid", "the server rejected our request due to an error in our request")
    elif step["op"] in ("add", "replace"):
        if step["op"] == "replace" and parts[-1] not in parent:
            raise Refused(422, "Invalid", "the server rejected our request due to an error in our request")
        parent[parts[-1]] = copy.deepcopy(step["value"])
    elif step["op"] == "remove":
        parent.pop(parts[-1])
    else:
        raise Refused(400, "BadRequest", f'unknown operation "{step["op"]}"')
