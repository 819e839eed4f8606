"""All pods are well and still nobody answers: selectors, ports, protocols, addresses, DNS, gateways, policies."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from agents.evidence.kubernetes.family import fault
from agents.evidence.kubernetes.labels import Label
from agents.evidence.kubernetes.objects import FailedRequest
from agents.evidence.kubernetes.snapshot import Snapshot, labels
from agents.evidence.kubernetes.trees import Node
from agents.evidence.kubernetes.types import Hypothesis, Quote, Read, What

_ADDRESS: Final = re.compile(r"(?:https?://)?([a-z][a-z0-9-]*[a-z0-9])(?:\.[a-z0-9-]+\.svc[\w.]*)?:(\d{2,5})(?:/.*)?")
_UNKNOWN_HOST: Final = re.compile(r"UnknownHostException|no such host|Name or service not known|ENOTFOUND", re.IGNORECASE)
_STATUS: Final = re.compile(r"\b([45]\d\d)\b")
_GATEWAY: Final = re.compile(r"gateway|ingress|edge|proxy")
_ROUTE_PATH: Final = re.compile(r"Path=([^,\s\"']+)|path:\s*[\"']?(/[^\s\"']+)|location\s+(?:[~^=*]+\s+)?(/\S+)")
_ROUTE_TARGET: Final = re.compile(r"(?:uri|url|service|proxy_pass|name|host)\w*:?\s+[\"']?(?:\w+://)?(\S+)")
_FEW: Final = 16  # services whose every port is tried
_MOST: Final = 3


def hypotheses(seen: Snapshot) -> Iterator[Hypothesis]:
    for name, quote in seen.without_endpoints.items():
        if seen.is_well(name):
            yield from _unselected(seen, name, quote)
    for service in seen.services:
        if any(port.endswith("/UDP") for port in service.ports) and not service.port == "53":
            yield fault(Label.SERVICE_PROTOCOL_MISMATCH, service.name, 0.91, service.quote)
    for reach in seen.reach:
        if reach.failed and not reach.open and reach.service not in seen.without_endpoints:
            yield from _unreachable(seen, reach.service, reach.quote)
    for app in _configured(seen):
        yield from _configuration(seen, app)
    yield from _gateways(seen)


def reads(seen: Snapshot) -> Iterator[Read]:
    for app in seen.logs:
        if seen.log_line(app, _UNKNOWN_HOST):
            yield Read(what=What.MANIFEST, name=app)
    if any(p.is_sick for p in seen.pods) or any(w.ready < w.wanted for w in seen.workloads):
        return
    if _is_slow(seen):
        return
    yield Read(what=What.LIST, kind="endpoints")
    yield Read(what=What.LIST, kind="services", detail="wide")
    bare = [name for name in seen.without_endpoints if seen.is_well(name)]
    dead = [r.service for r in seen.reach if r.failed and not r.open]
    for name in [*bare, *dead][:_MOST]:
        yield Read(what=What.DESCRIBE, kind="services", name=name)
        yield Read(what=What.DESCRIBE, kind="deployments", name=name)
    if dead:
        yield Read(what=What.LIST, kind="networkpolicies")
    if bare:
        return
    yield from _suspicious(seen)


def _suspicious(seen: Snapshot) -> Iterator[Read]:
    """With nothing to see in the listings: what clients complained of, else every port and then every configuration."""
    asked = [r for r in seen.failed_requests if r.service]
    for request in sorted(asked, key=lambda r: -r.count)[:_MOST]:
        service = seen.service(request.service)
        if service is not None:
            yield Read(what=What.CONNECT, name=service.name, detail=service.port)
        yield Read(what=What.ERRORS, name=request.service)
        for gateway in [w for w in seen.workload_names if _GATEWAY.search(w)][:2]:
            yield Read(what=What.MANIFEST, name=gateway, detail=_segment(request.url))
    services = [s for s in seen.services if s.port]
    if len(services) <= _FEW:
        for service in services:
            yield Read(what=What.CONNECT, name=service.name, detail=service.port)
        if seen.reach and all(r.open for r in seen.reach):
            for name in seen.workload_names[:_FEW]:
                yield Read(what=What.MANIFEST, name=name, detail="addresses")


def _is_slow(seen: Snapshot) -> bool:
    return any("LATENCY" in a.category.upper() for a in seen.anomalies)


def _unselected(seen: Snapshot, name: str, quote: Quote) -> Iterator[Hypothesis]:
    """No endpoint although pods are ready: the selector, or a named port that no container has."""
    service = seen.service(name)
    described = next(((tree, source) for n, tree, source in seen.described("services") if n == name), None)
    wanted = labels(described[0].text("Selector")) if described else dict(service.selector) if service else {}
    template = seen.template(name)
    if template is None or not wanted:
        yield fault(Label.SERVICE_SELECTOR_MISMATCH, name, 0.7, quote)
        return
    node = template.child("Labels")
    carried = labels(",".join([node.value, *(c.line for c in node.children)])) if node else {}
    if any(carried.get(key) != value for key, value in wanted.items()):
        shown = described[0].child("Selector") if described else None
        line = Quote(line=shown.line, source=described[1]) if shown and described else service.quote if service else None
        yield fault(Label.SERVICE_SELECTOR_MISMATCH, name, 0.94, line, quote)
    else:
        yield from _ports(seen, name, quote)


def _unreachable(seen: Snapshot, name: str, quote: Quote) -> Iterator[Hypothesis]:
    found = list(_ports(seen, name, quote))
    yield from found
    if not found and (policy := _policy(seen, name)):
        yield fault(Label.NETWORK_POLICY_BLOCKS, name, 0.8, policy, quote)


def _ports(seen: Snapshot, name: str, quote: Quote) -> Iterator[Hypothesis]:
    """The Service's target port against the ports of the container behind it."""
    for described, tree, source in seen.described("services"):
        node = tree.child("TargetPort")
        if described != name or node is None:
            continue
        target, _, protocol = node.value.partition("/")
        shown = Quote(line=node.line, source=source)
        if protocol == "UDP":
            yield fault(Label.SERVICE_PROTOCOL_MISMATCH, name, 0.93, shown, quote)
        template = seen.template(name)
        held = [n for n in template.walk() if n.key in ("Port", "Ports")] if template else []
        ports = {piece.partition("/")[0].strip() for n in held for piece in n.value.split(",")}
        if ports and target not in ports:
            yield fault(Label.SERVICE_PORT_MAPPING_MISMATCH, name, 0.94, shown, quote)


def _policy(seen: Snapshot, name: str) -> Quote | None:
    for row, quote in seen.rows("networkpolicies"):
        chosen = labels(row.get("POD-SELECTOR"))
        if name in chosen.values() or row.get("POD-SELECTOR") == "<none>":
            return quote
    return None


def _configured(seen: Snapshot) -> list[str]:
    return list(dict.fromkeys(r.read.name for r in seen.of(What.MANIFEST)))


def _configuration(seen: Snapshot, app: str) -> Iterator[Hypothesis]:
    """Addresses that no Service has, and DNS settings that bypass the cluster's."""
    services = set(seen.names("services"))
    for tree, source in seen.manifests(app):
        for node in tree.walk():
            line = Quote(line=node.line, source=source)
            if node.key in ("value", "- value") and services and (bad := _wrong_address(seen, node, services)):
                yield fault(Label.SERVICE_ENV_VAR_ADDRESS_MISMATCH, app, bad, line)
            overridden = (node.key == "dnsPolicy" and node.value.strip("\"'") in ("None", "Default")) or (
                node.key == "nameservers"
            )
            if overridden:
                heard = seen.log_line(app, _UNKNOWN_HOST)
                yield fault(Label.SERVICE_DNS_RESOLUTION_FAILURE, app, 0.93 if heard else 0.88, line, heard)


def _wrong_address(seen: Snapshot, node: Node, services: set[str]) -> float:
    """How surely a value is an address of nothing: 0 where it is none or right."""
    match = _ADDRESS.fullmatch(node.value.strip("\"'"))
    if match is None or match.group(1) in ("localhost", *services):
        service = seen.service(match.group(1)) if match else None
        ports = {p.partition("/")[0].partition(":")[0] for p in service.ports} if service else set()
        return 0.88 if match and ports and match.group(2) not in ports else 0.0
    return 0.92


def _gateways(seen: Snapshot) -> Iterator[Hypothesis]:
    """Requests of one path fail although its service is well and answers: look at how the gateway routes it."""
    for request in seen.failed_requests:
        status = _STATUS.search(request.error)
        well = seen.is_well(request.service)
        answers = any(r.service == request.service and r.open for r in seen.reach)
        if status is None or not well or request.service in seen.without_endpoints:
            continue
        wrong = _misrouted(seen, request)
        if wrong is not None:
            yield fault(Label.GATEWAY_MISROUTE, request.service, 0.94, wrong, request.quote)
        elif status.group(1) == "404":
            yield fault(Label.GATEWAY_MISROUTE, request.service, 0.8 if answers else 0.7, request.quote)


def _misrouted(seen: Snapshot, request: FailedRequest) -> Quote | None:
    """The gateway's line for a path: a route of another path to this service, or of this path to another one."""
    for reading in seen.of(What.MANIFEST):
        if not _GATEWAY.search(reading.read.name):
            continue
        target = Quote(line="", source=reading.source)
        for text in reading.text.splitlines():
            if match := _ROUTE_TARGET.search(text):
                target = Quote(line=text.strip(), source=reading.source)
            if match := _ROUTE_PATH.search(text):
                path = next(g for g in match.groups() if g).rstrip("*").rstrip("/")
                here = request.service in target.line
                fits = bool(path) and request.url.startswith(path)
                if fits and not here and target.line:
                    return target
                if here and not fits:
                    return Quote(line=text.strip(), source=reading.source)
    return None


def _segment(url: str) -> str:
    """The part of a path that names the service: the longest of its first pieces."""
    pieces = [p for p in url.split("?")[0].split("/")[:5] if p and not p.startswith("{")]
    return max(pieces, key=len, default="")


