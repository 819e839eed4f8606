"""All pods are well and still nobody answers: selectors, ports, protocols, addresses, DNS, gateways, policies."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from typing import Final

from agents.evidence.kubernetes.family import fault
from agents.evidence.kubernetes.labels import Label
from agents.evidence.kubernetes.objects import FailedRequest
from agents.evidence.kubernetes.routes import Route, routes
from agents.evidence.kubernetes.snapshot import Snapshot, labels
from agents.evidence.kubernetes.trees import Node
from agents.evidence.kubernetes.types import Hypothesis, Quote, Read, What

_ADDRESS: Final = re.compile(r"(?:https?://)?([a-z][a-z0-9-]*[a-z0-9])(?:\.[a-z0-9-]+\.svc[\w.]*)?:(\d{2,5})(?:/.*)?")
_UNKNOWN_HOST: Final = re.compile(
    r"UnknownHostException|no such host|name or service not known|ENOTFOUND|could not resolve host|lookup \S+ on \S+:53|name resolution",
    re.IGNORECASE,
)
_STATUS: Final = re.compile(r"\b([45]\d\d)\b")
_GATEWAY: Final = re.compile(r"gateway|ingress|edge|proxy")
_FEW: Final = 16  # services whose every port is tried
_HANDFUL: Final = 3  # workloads whose logs are all read
_MOST: Final = 3


def hypotheses(seen: Snapshot) -> Iterator[Hypothesis]:
    for name, quote in seen.without_endpoints.items():
        if seen.has_replicas(name):
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
    for app in seen.workload_names:
        # Once is a start-up; several calls that find no name are a fault.
        heard = [q for q in seen.logs.get(app, ()) if _UNKNOWN_HOST.search(q.line)]
        if len(heard) > 1 and seen.has_replicas(app):
            yield fault(Label.SERVICE_DNS_RESOLUTION_FAILURE, app, 0.8, *heard[:2])
    for detail in seen.details:
        if any(c.exit_code not in (None, 0) for c in detail.containers):
            if line := seen.log_line(detail.app, _UNKNOWN_HOST):
                yield fault(Label.SERVICE_DNS_RESOLUTION_FAILURE, detail.app, 0.72, line)


def reads(seen: Snapshot) -> Iterator[Read]:
    for app in seen.logs:
        if seen.log_line(app, _UNKNOWN_HOST):
            yield Read(what=What.MANIFEST, name=app)
    if any(p.is_sick and not p.is_ready for p in seen.pods) or any(w.ready < w.wanted for w in seen.workloads):
        return
    if _is_slow(seen):
        return
    for app in _configured(seen):
        if any(h.score < 0.9 for h in _configuration(seen, app)):
            yield Read(what=What.DEPENDENCIES, name=app)
    yield Read(what=What.LIST, kind="endpoints")
    yield Read(what=What.LIST, kind="services", detail="wide")
    bare = [name for name in seen.without_endpoints if seen.has_replicas(name)]
    dead = [r.service for r in seen.reach if r.failed and not r.open]
    for name in [*bare, *dead][:_MOST]:
        yield Read(what=What.DESCRIBE, kind="services", name=name)
        yield Read(what=What.DESCRIBE, kind="deployments", name=name)
    if dead:
        yield Read(what=What.LIST, kind="networkpolicies")
    if bare:
        return
    if len(seen.workload_names) <= _HANDFUL:
        for name in seen.workload_names:
            yield Read(what=What.LOGS, name=name)
        yield Read(what=What.LIST, kind="events")
    yield from _suspicious(seen)


def _suspicious(seen: Snapshot) -> Iterator[Read]:
    """With nothing to see in the listings: what clients complained of, else every port and then every configuration."""
    for gateway in [w for w in seen.workload_names if _GATEWAY.search(w)][:2]:
        yield Read(what=What.MANIFEST, name=gateway, detail="routes")
    for name in _complained_of(seen):
        service = seen.service(name)
        if service is not None:
            yield Read(what=What.CONNECT, name=service.name, detail=service.port)
        yield Read(what=What.ERRORS, name=name)
        if seen.logs.get(name):
            yield Read(what=What.DEPENDENCIES, name=name)
            for callee in sorted(seen.calls.get(name, ())):
                yield Read(what=What.ERRORS, name=callee)
    services = [s for s in seen.services if s.port and s.name in seen.workload_names]
    if len(services) > _FEW and not seen.failed_requests:
        for service in services:
            yield Read(what=What.ERRORS, name=service.name)
    if len(services) <= _FEW:
        for service in services:
            yield Read(what=What.CONNECT, name=service.name, detail=service.port)
        if seen.reach and all(r.open and not r.failed for r in seen.reach):
            for name in seen.workload_names[:_FEW]:
                yield Read(what=What.MANIFEST, name=name, detail="addresses")


def _complained_of(seen: Snapshot) -> list[str]:
    asked = [r for r in seen.failed_requests if r.service]
    return list(dict.fromkeys(r.service for r in sorted(asked, key=lambda r: -r.count)))[:_MOST]


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
        line = (
            Quote(line=shown.line, source=described[1]) if shown and described else service.quote if service else None
        )
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
    documents = seen.manifests(app)
    used = {host for tree, _ in documents for n in tree.walk() if (host := _host(n))}
    # An address of something optional is in many configurations; one that a known dependency would need is not there.
    unserved = seen.calls.get(app, frozenset()) - used
    for tree, source in documents:
        for node in tree.walk():
            line = Quote(line=node.line, source=source)
            if services and (bad := _wrong_address(seen, node, services, bool(unserved))):
                yield fault(Label.SERVICE_ENV_VAR_ADDRESS_MISMATCH, app, bad, line)
            overridden = (node.key == "dnsPolicy" and node.value.strip("\"'") in ("None", "Default")) or (
                node.key == "nameservers"
            )
            if overridden:
                heard = seen.log_line(app, _UNKNOWN_HOST)
                yield fault(Label.SERVICE_DNS_RESOLUTION_FAILURE, app, 0.93 if heard else 0.88, line, heard)


def _host(node: Node) -> str:
    match = _ADDRESS.fullmatch(node.value.strip("\"'")) if node.key in ("value", "- value") else None
    return match.group(1) if match else ""


def _wrong_address(seen: Snapshot, node: Node, services: set[str], unserved: bool) -> float:
    """How surely a value is a wrong address: 0 where it is none or right."""
    host = _host(node)
    if not host or host == "localhost":
        return 0.0
    if host not in services:
        near = difflib.get_close_matches(host, services, n=1, cutoff=0.75) or [
            s for s in services if host.startswith(s)
        ]
        return 0.92 if near or unserved else 0.45
    service = seen.service(host)
    ports = {p.partition("/")[0].partition(":")[0] for p in service.ports} if service else set()
    match = _ADDRESS.fullmatch(node.value.strip("\"'"))
    return 0.9 if match and ports and match.group(2) not in ports else 0.0


def _gateways(seen: Snapshot) -> Iterator[Hypothesis]:
    """A path that goes elsewhere than to the service it names, or that fails although its service is well."""
    for route, source in _routes(seen):
        owner = route.owner(seen.workload_names)
        if owner is not None and not route.goes_to(owner):
            quotes = [Quote(line=line, source=source) for line in route.lines]
            yield fault(Label.GATEWAY_MISROUTE, owner, 0.93, *quotes)
    for request in seen.failed_requests:
        status = _STATUS.search(request.error)
        if status is None or not seen.has_replicas(request.service) or request.service in seen.without_endpoints:
            continue
        if wrong := _misrouted(seen, request):
            yield fault(Label.GATEWAY_MISROUTE, request.service, 0.94, wrong, request.quote)
        elif status.group(1) == "404":
            answers = any(r.service == request.service and r.open for r in seen.reach)
            yield fault(Label.GATEWAY_MISROUTE, request.service, 0.8 if answers else 0.7, request.quote)


def _routes(seen: Snapshot) -> list[tuple[Route, str]]:
    found = [r for r in seen.of(What.MANIFEST) if _GATEWAY.search(r.read.name)]
    return [(route, r.source) for r in found for route in routes(r.text)]


def _misrouted(seen: Snapshot, request: FailedRequest) -> Quote | None:
    """The line that sends a path elsewhere, or that gives its service another path."""
    known = _routes(seen)
    for route, source in known:
        if route.covers(request.url) and not route.goes_to(request.service):
            return Quote(line=route.lines[0], source=source)
    here = [(route, source) for route, source in known if route.goes_to(request.service)]
    if here and not any(route.covers(request.url) for route, _ in here):
        return Quote(line=here[0][0].lines[1], source=here[0][1])
    return None
