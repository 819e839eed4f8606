"""All pods are well and still nobody answers: selectors, ports, protocols, gateways, policies."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from agents.evidence.kubernetes.family import fault
from agents.evidence.kubernetes.labels import Label
from agents.evidence.kubernetes.objects import FailedRequest
from agents.evidence.kubernetes.routes import Route, routes
from agents.evidence.kubernetes.snapshot import Snapshot, labels
from agents.evidence.kubernetes.types import ClusterHypothesis, Quote, Read, What

_DNS_PORT: Final = "53"
_STATUS: Final = re.compile(r"\b([45]\d\d)\b")
_GATEWAY: Final = re.compile(r"gateway|ingress|edge|proxy")
_FEW: Final = 16  # services whose every port is tried
_HANDFUL: Final = 3  # workloads whose logs are all read
_MOST: Final = 3


def hypotheses(seen: Snapshot) -> Iterator[ClusterHypothesis]:
    for name, quote in seen.without_endpoints.items():
        if seen.has_replicas(name):
            yield from _unselected(seen, name, quote)
    for service in seen.services:
        if any(port.endswith("/UDP") for port in service.ports) and service.port != _DNS_PORT:
            yield fault(Label.SERVICE_PROTOCOL_MISMATCH, service.name, 0.91, service.quote)
    for reach in seen.reach:
        if reach.failed and not reach.open and reach.service not in seen.without_endpoints:
            yield from _unreachable(seen, reach.service, reach.quote)
    yield from _gateways(seen)


def reads(seen: Snapshot) -> Iterator[Read]:
    """Only while all pods are ready and nothing is merely slow: else other families know better."""
    if any(p.is_sick and not p.is_ready for p in seen.pods) or any(w.ready < w.wanted for w in seen.workloads):
        return
    if _is_slow(seen):
        return
    yield Read(what=What.LIST, kind="endpoints")
    yield Read(what=What.LIST, kind="services", detail="wide")
    bare = [name for name in seen.without_endpoints if seen.has_replicas(name)]
    dead = [r.service for r in seen.reach if r.failed and not r.open]
    for name in [*bare, *dead][:_MOST]:
        yield Read(what=What.DESCRIBE, kind="services", name=name)
        yield Read(what=What.DESCRIBE, kind="deployments", name=name)
    if dead:
        yield Read(what=What.LIST, kind="networkpolicies")
    if not bare:
        yield from _told(seen)
        yield from _complaints(seen)
        yield from _everywhere(seen)


def _told(seen: Snapshot) -> Iterator[Read]:
    """What little there is can all be read."""
    if len(seen.workload_names) <= _HANDFUL:
        for name in seen.workload_names:
            yield Read(what=What.LOGS, name=name)
        yield Read(what=What.LIST, kind="events")


def _complaints(seen: Snapshot) -> Iterator[Read]:
    """The gateway's routes, and down the calls from the services of which clients complained."""
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


def _everywhere(seen: Snapshot) -> Iterator[Read]:
    """Nobody complained: every port, and when all answer every configuration; of many services only their errors."""
    services = [s for s in seen.services if s.port and s.name in seen.workload_names]
    if len(services) > _FEW:
        if not seen.failed_requests:
            yield from (Read(what=What.ERRORS, name=service.name) for service in services)
        return
    yield from (Read(what=What.CONNECT, name=service.name, detail=service.port) for service in services)
    if seen.reach and all(r.open and not r.failed for r in seen.reach):
        yield from (Read(what=What.MANIFEST, name=name, detail="addresses") for name in seen.workload_names[:_FEW])


def _complained_of(seen: Snapshot) -> list[str]:
    asked = [r for r in seen.failed_requests if r.service]
    return list(dict.fromkeys(r.service for r in sorted(asked, key=lambda r: -r.count)))[:_MOST]


def _is_slow(seen: Snapshot) -> bool:
    return any("LATENCY" in a.category.upper() for a in seen.anomalies)


def _unselected(seen: Snapshot, name: str, quote: Quote) -> Iterator[ClusterHypothesis]:
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


def _unreachable(seen: Snapshot, name: str, quote: Quote) -> Iterator[ClusterHypothesis]:
    found = list(_ports(seen, name, quote))
    yield from found
    if not found and (policy := _policy(seen, name)):
        yield fault(Label.NETWORK_POLICY_BLOCKS, name, 0.8, policy, quote)


def _ports(seen: Snapshot, name: str, quote: Quote) -> Iterator[ClusterHypothesis]:
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


def _gateways(seen: Snapshot) -> Iterator[ClusterHypothesis]:
    """A path that goes elsewhere than to the service it names, or that fails although its service is well."""
    for route, source in _routes(seen):
        owner = route.owner(seen.workload_names)
        if owner is not None and (not route.goes_to(owner) or _is_wrong_port(seen, route, owner)):
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


def _is_wrong_port(seen: Snapshot, route: Route, owner: str) -> bool:
    service = seen.service(owner)
    ports = {port.partition("/")[0].partition(":")[0] for port in service.ports} if service else set()
    return bool(ports) and route.port not in ("", *ports)


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
