"""Callers that look in the wrong place: addresses that no Service has, names that do not resolve.

An address of something optional is in many configurations and harms nobody; it counts where it nearly names a Service,
or where a known dependency of the caller is served by none of its addresses. A name that failed once failed while
starting.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from typing import Final

from agents.evidence.kubernetes.family import fault
from agents.evidence.kubernetes.labels import Label
from agents.evidence.kubernetes.snapshot import Snapshot
from agents.evidence.kubernetes.trees import TreeNode
from agents.evidence.kubernetes.types import ClusterHypothesis, Quote, Read, What

_ADDRESS: Final = re.compile(r"(?:https?://)?([a-z][a-z0-9-]*[a-z0-9])(?:\.[a-z0-9-]+\.svc[\w.]*)?:(\d{2,5})(?:/.*)?")
_UNKNOWN_HOST: Final = re.compile(
    r"UnknownHostException|no such host|name or service not known|ENOTFOUND|could not resolve host"
    r"|lookup \S+ on \S+:53|name resolution",
    re.IGNORECASE,
)
_NEARLY: Final = 0.75  # alike enough to be meant
_SURE: Final = 0.9


def hypotheses(seen: Snapshot) -> Iterator[ClusterHypothesis]:
    for app in _configured(seen):
        yield from _configuration(seen, app)
    for app in seen.workload_names:
        heard = [q for q in seen.logs.get(app, ()) if _UNKNOWN_HOST.search(q.line)]
        if len(heard) > 1 and seen.has_replicas(app):
            yield fault(Label.SERVICE_DNS_RESOLUTION_FAILURE, app, 0.8, *heard[:2])
    for detail in seen.details:
        line = seen.log_line(detail.app, _UNKNOWN_HOST)
        if line is not None and any(c.exit_code not in (None, 0) for c in detail.containers):
            yield fault(Label.SERVICE_DNS_RESOLUTION_FAILURE, detail.app, 0.72, line)


def reads(seen: Snapshot) -> Iterator[Read]:
    for app in seen.logs:
        if seen.log_line(app, _UNKNOWN_HOST):
            yield Read(what=What.MANIFEST, name=app)
    for app in _configured(seen):
        if any(h.score < _SURE for h in _configuration(seen, app)):
            yield Read(what=What.DEPENDENCIES, name=app)


def _configured(seen: Snapshot) -> list[str]:
    return list(dict.fromkeys(r.read.name for r in seen.of(What.MANIFEST)))


def _configuration(seen: Snapshot, app: str) -> Iterator[ClusterHypothesis]:
    documents = seen.manifests(app)
    used = {host for tree, _ in documents for node in tree.walk() if (host := _host(node))}
    is_unserved = bool(seen.calls.get(app, frozenset()) - used)
    for tree, source in documents:
        for node in tree.walk():
            line = Quote(line=node.line, source=source)
            if wrong := _wrongness(seen, node, is_unserved=is_unserved):
                yield fault(Label.SERVICE_ENV_VAR_ADDRESS_MISMATCH, app, wrong, line)
            if _overrides_dns(node):
                heard = seen.log_line(app, _UNKNOWN_HOST)
                yield fault(Label.SERVICE_DNS_RESOLUTION_FAILURE, app, 0.93 if heard else 0.88, line, heard)


def _overrides_dns(node: TreeNode) -> bool:
    policy = node.key == "dnsPolicy" and node.value.strip("\"'") in ("None", "Default")
    return policy or node.key == "nameservers"


def _host(node: TreeNode) -> str:
    match = _ADDRESS.fullmatch(node.value.strip("\"'")) if node.key in ("value", "- value") else None
    return match.group(1) if match else ""


def _wrongness(seen: Snapshot, node: TreeNode, *, is_unserved: bool) -> float:
    """How surely a value is a wrong address: 0 where it is none or right."""
    host, services = _host(node), seen.names("services")
    if not host or host == "localhost" or not services:
        return 0.0
    if host not in services:
        near = difflib.get_close_matches(host, services, n=1, cutoff=_NEARLY) or [
            s for s in services if host.startswith(s)
        ]
        return 0.92 if near or is_unserved else 0.45
    service = seen.service(host)
    ports = {p.partition("/")[0].partition(":")[0] for p in service.ports} if service else set()
    match = _ADDRESS.fullmatch(node.value.strip("\"'"))
    return 0.9 if match and ports and match.group(2) not in ports else 0.0
