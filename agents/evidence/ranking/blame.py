"""Whose fault an anomaly is: a service's own, or inherited from what it calls.

A caller is explained away per family: its errors by a callee whose calls fail, its latency by a callee it waits for.
Client-side metrics decide where they exist, since they say what was really called and waited for; else the call graph.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from agents.evidence.names import is_datastore
from agents.evidence.types import Anomaly, Edge, Family, Series

INSIDE = frozenset(("local", "internal", "svc", "cluster", "consul", "lan", "localdomain"))  # of one's own network
OWN_SHARE = 0.5  # of the rise in latency that must be a service's own time to make it the slow one
SICK: tuple[Family, ...] = ("errors", "latency", "restarts", "saturation", "memory", "cpu")


_CLIENT_SIDE: tuple[Family, ...] = ("dependency_errors", "dependency_latency")


@dataclass(kw_only=True)
class Blame:
    """Verdict on one service. `own` are anomalies nothing else explains; `inherited` those of `blamed` services.

    `external` maps a peer outside the observed services to the client-side anomalies that accuse it.
    """

    service: str
    own: list[Anomaly] = field(default_factory=list)
    inherited: list[Anomaly] = field(default_factory=list)
    blamed: set[str] = field(default_factory=set)
    external: dict[str, list[Anomaly]] = field(default_factory=lambda: defaultdict(list))


def observed_peer(peer: str, services: Iterable[str]) -> str | None:
    """The observed service that a client-side peer label means: equal, or equal up to port, case and inside domain.

    Under a public domain the first word proves nothing: `gateway.example.com` is not the service `gateway`.
    """
    host = peer.lower().split("://")[-1].split("/")[0].split(":")[0]
    first, *domain = host.split(".")
    inside = bool(INSIDE.intersection(domain))
    for service in services:
        if service == peer or service.lower() in ((host, first) if inside else (host,)):
            return service
    return None


def measured_edges(series: Sequence[Series]) -> set[Edge]:
    """Who calls whom among the observed services, as their client-side metrics tell."""
    services = sorted({s.service for s in series})
    found = set()
    for caller, peer in sorted({(s.service, s.peer) for s in series if s.peer}):
        callee = observed_peer(peer, services)
        if callee is not None and callee != caller:
            found.add(Edge(caller=caller, callee=callee))
    return found


@dataclass(frozen=True, kw_only=True)
class _Facts:
    """What is known of the whole system: `sick` are the families in which a service itself is abnormal."""

    services: Sequence[str]
    sick: Mapping[str, set[Family]]
    callees: Mapping[str, set[str]]
    measured: set[tuple[str, Family]]
    own_time: set[str]
    faulty: frozenset[str]

    def sick_callees(self, service: str, families: set[Family]) -> set[str]:
        return {c for c in self.callees.get(service, set()) if families & self.sick.get(c, set())}


def assign_blame(
    anomalies: Sequence[Anomaly], series: Sequence[Series], edges: Sequence[Edge], faulty: Collection[str] = ()
) -> dict[str, Blame]:
    """One verdict for each service that has anomalies. `faulty` services log failures of their own."""
    by_service: dict[str, list[Anomaly]] = defaultdict(list)
    for anomaly in anomalies:
        by_service[anomaly.service].append(anomaly)
    callees: dict[str, set[str]] = defaultdict(set)
    for edge in edges:
        if edge.caller != edge.callee:
            callees[edge.caller].add(edge.callee)
    facts = _Facts(
        services=sorted({s.service for s in series} | set(by_service)),
        sick={s: {a.family for a in found if a.family in SICK and a.peer is None} for s, found in by_service.items()},
        callees=callees,
        measured={
            (s.service, family)
            for s in series
            for family in _CLIENT_SIDE
            if s.family == family and s.peer is not None and not is_datastore(s.peer)
        },
        faulty=frozenset(faulty),
        own_time={s.service for s in series if s.labels.get("own")},
    )
    return {service: _judge(service, by_service[service], facts) for service in sorted(by_service)}


def _judge(service: str, mine: Sequence[Anomaly], facts: _Facts) -> Blame:
    blame = Blame(service=service)
    calls = [a for a in mine if a.family in _CLIENT_SIDE and a.peer]
    accused = [(a.family, _accuse(blame, a, facts)) for a in calls]
    own = {
        "errors": _errors_are_own(blame, mine, facts)
        and all(target == service for family, target in accused if family == "dependency_errors"),
        "latency": _latency_is_own(blame, mine, facts),
    }
    if not own["latency"] and _saturated(mine) and service not in facts.faulty:
        own["errors"] = False  # who waits for a slow callee runs out of workers and connections, and then refuses
    if not all(own.values()):
        # Waiting fills pools and queues, too.
        own |= dict.fromkeys(("saturation", "cpu", "traffic", "other"), False)
    for anomaly in mine:
        if anomaly not in calls:
            (blame.own if own.get(anomaly.family, True) else blame.inherited).append(anomaly)
    return blame


def _errors_are_own(blame: Blame, mine: Sequence[Anomaly], facts: _Facts) -> bool:
    if _has(mine, "dependency_errors") or (blame.service, "dependency_errors") in facts.measured:
        return True
    guilty = facts.sick_callees(blame.service, {"errors", "restarts"})
    blame.blamed |= guilty
    return not guilty


def _latency_is_own(blame: Blame, mine: Sequence[Anomaly], facts: _Facts) -> bool:
    waits = _has(mine, "dependency_latency") and bool(blame.blamed or blame.external)
    if waits and _saturated(mine) and any("latency" in facts.sick.get(c, set()) for c in blame.blamed):
        return False  # the queue in front of busy workers is own time only on paper
    if blame.service in facts.own_time:
        return not waits or _own_share(mine) >= OWN_SHARE
    if (blame.service, "dependency_latency") in facts.measured:
        return not waits
    guilty = facts.sick_callees(blame.service, {"latency"})
    blame.blamed |= guilty
    return not guilty


def _accuse(blame: Blame, anomaly: Anomaly, facts: _Facts) -> str | None:
    """File a client-side anomaly where it belongs; returns the service blamed, or None for an outside one."""
    peer = anomaly.peer or ""
    target = observed_peer(peer, facts.services)
    if target is None and is_datastore(peer):
        blame.own.append(anomaly)  # its own store, its own queries
        return blame.service
    if target is None:
        blame.external[peer].append(anomaly)
        return None
    if facts.sick.get(target) and target != blame.service:
        blame.blamed.add(target)
        blame.inherited.append(anomaly)
        return target
    blame.own.append(anomaly)  # the callee is well: the fault is on this side of the call
    return blame.service


def _has(anomalies: Iterable[Anomaly], family: Family) -> bool:
    return any(a.family == family and not is_datastore(a.peer or "") for a in anomalies)


def _saturated(anomalies: Iterable[Anomaly]) -> bool:
    return any(a.family == "saturation" and a.peer is None for a in anomalies)


def _own_share(mine: Sequence[Anomaly]) -> float:
    """The part of the rise in mean latency that is the service's own time; 0 if own time did not rise."""
    own = next((a for a in mine if a.indicator == "own time mean"), None)
    whole = next((a for a in mine if a.indicator == "latency mean"), None)
    if own is None:
        return 0.0
    if whole is None:
        return 1.0
    rise = whole.current - whole.baseline
    return (own.current - own.baseline) / rise if rise > 0 else 0.0
