"""Which alerts belong together: a group is what one cause sets off, as far as one can tell while it happens. Pure.

An alert that is known stays where it is. A new one joins a group whose last alert is recent when its service is in the
group, calls a service that is failing there (symptoms spread from callee to caller), is called by the group's root
within the merge window (then the cause lies deeper, and it becomes the root), or shares a place such as a node. What is
of low severity and belongs to nothing goes to one quiet group, so that it neither rings nor hides a cause; when a group
begins, what was quiet about its service shortly before joins it. One that calls what fails in a group, and explains the
root of another, makes the two one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from agents.alerting.topology import Topology
from agents.webhooks import Severity

WINDOW: Final = timedelta(minutes=10)
"""How long after the last new alert of a group another one may still be of the same cause."""
SPREAD: Final = timedelta(minutes=5)
"""How long after a service began to fail its callers follow: retries, timeouts and the alert's own `for` included."""
QUIET: Final[frozenset[Severity]] = frozenset({"info", "warning"})
_PLACES: Final = (
    *("node", "kubernetes_node", "host", "hostname", "instance_id", "rack", "availability_zone", "zone"),
    *("database", "db_instance", "dbinstanceidentifier", "queue", "topic", "volume", "persistentvolumeclaim"),
)
_FEW: Final = 3
_NEARLY_ALL: Final = 0.8


@dataclass(frozen=True, kw_only=True)
class Signal:
    """A new alert, as grouping sees it. `places` are `label=value`."""

    at: datetime
    service: str | None
    name: str
    severity: Severity
    environment: str | None = None
    places: frozenset[str] = frozenset()


@dataclass(kw_only=True)
class AlertCluster:
    """An open group. `services` and `places` hold when the last new alert of each came, `names` of which alerts."""

    id: str
    root: str | None
    opened_at: datetime
    last_at: datetime
    quiet: bool = False
    environment: str | None = None
    services: dict[str, datetime] = field(default_factory=dict)
    places: dict[str, datetime] = field(default_factory=dict)
    names: dict[str, datetime] = field(default_factory=dict)
    size: int = 0
    shares: dict[str, int] = field(default_factory=dict)
    """How many of its alerts were at each place."""
    ground: frozenset[str] = frozenset()
    """The places that it is about, where it began with an alert of no service, such as a node's."""

    def add(self, signal: Signal) -> None:
        if signal.severity not in QUIET:  # what is of low severity keeps no group open for more
            self.last_at = max(self.last_at, signal.at)
        self.opened_at = min(self.opened_at, signal.at)
        self.names[signal.name] = signal.at
        if signal.service is not None:
            self.services[signal.service] = signal.at
            self.root = self.root or (None if self.ground or self.quiet else signal.service)
        self.size += 1
        for one in signal.places:
            self.places[one] = signal.at
            self.shares[one] = self.shares.get(one, 0) + 1
        if self.environment is not None and signal.environment not in (None, self.environment):
            self.environment = None

    def take(self, other: AlertCluster) -> None:
        """Another one that turned out to be of the same cause."""
        for mine, theirs in ((self.services, other.services), (self.places, other.places), (self.names, other.names)):
            mine.update(theirs)
        for one, count in other.shares.items():
            self.shares[one] = self.shares.get(one, 0) + count
        self.size += other.size
        self.opened_at = min(self.opened_at, other.opened_at)
        self.last_at = max(self.last_at, other.last_at)

    def is_at(self, one: str) -> bool:
        """Whether the place is what its alerts have in common: they are about it, or nearly all of them are there."""
        alerts = self.shares.get(one, 0)
        return one in self.ground or (self.size >= _FEW and alerts >= _NEARLY_ALL * self.size)

    def as_json(self) -> dict[str, Any]:
        def times(of: Mapping[str, datetime]) -> dict[str, str]:
            return {name: at.isoformat() for name, at in of.items()}

        found = {"services": times(self.services), "places": times(self.places), "names": times(self.names)}
        return {**found, "size": self.size, "shares": self.shares, "ground": sorted(self.ground)}

    def read(self, stored: Mapping[str, Any]) -> None:
        for name in ("services", "places", "names"):
            found = stored.get(name) or {}
            setattr(self, name, {key: datetime.fromisoformat(at) for key, at in found.items()})
        self.size, self.shares = int(stored.get("size") or 0), dict(stored.get("shares") or {})
        self.ground = frozenset(stored.get("ground") or ())


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Where a signal goes: into `cluster`, or into a new one, quiet or not. `merged`: those that turned out to be of
    the same cause and become part of it.
    """

    cluster: AlertCluster | None
    quiet: bool = False
    deeper: bool = False
    merged: tuple[AlertCluster, ...] = ()


def places_of(labels: Mapping[str, str]) -> frozenset[str]:
    """What two alerts have in common when the ground under them fails."""
    return frozenset(f"{name.lower()}={value}" for name, value in labels.items() if name.lower() in _PLACES)


def place(signal: Signal, clusters: Iterable[AlertCluster], topology: Topology) -> Placement:
    """The nearest group, by calls and then by time."""
    loud = [one for one in clusters if not one.quiet and _may_meet(signal, one)]
    is_loud = signal.severity not in QUIET  # what is of low severity makes no root, and two groups one
    deeper = [one for one in loud if is_loud and _is_deeper(signal, one, topology)]
    near = [(distance, one) for one in loud if (distance := _distance(signal, one, topology)) is not None]
    inside = min(near, key=lambda pair: pair[0], default=None)
    if inside is not None:
        home = inside[1]
        return Placement(
            cluster=home, merged=tuple(one for one in deeper if one is not home and _may_be_one(one, home))
        )
    if deeper:
        home, *others = sorted(deeper, key=lambda one: one.opened_at)
        return Placement(cluster=home, deeper=True, merged=tuple(one for one in others if _may_be_one(one, home)))
    if signal.severity in QUIET:
        quiet = next((one for one in clusters if one.quiet), None)
        return Placement(cluster=quiet, quiet=True)
    return Placement(cluster=None)


def belongs_to(signal: Signal, cluster: AlertCluster, topology: Topology) -> bool:
    """Whether what was quiet belongs to a group that has begun: it is about one of its services, or sits below its
    root, and came shortly before.
    """
    if not _may_meet(signal, cluster) or abs(signal.at - cluster.opened_at) > SPREAD:
        return False
    if signal.service is not None and signal.service in cluster.services:
        return True
    return _is_deeper(signal, cluster, topology) or any(cluster.is_at(one) for one in signal.places)


def _may_meet(signal: Signal, cluster: AlertCluster) -> bool:
    """Near in time, not of another environment, and not said to be at another place than the group is about."""
    if not cluster.opened_at - WINDOW <= signal.at <= cluster.last_at + WINDOW:
        return False
    if None not in (signal.environment, cluster.environment) and signal.environment != cluster.environment:
        return False
    kinds = {one.partition("=")[0] for one in cluster.ground}
    elsewhere = {one for one in signal.places if one.partition("=")[0] in kinds}
    return not elsewhere or not elsewhere.isdisjoint(cluster.ground)


def _may_be_one(other: AlertCluster, home: AlertCluster) -> bool:
    """What one alert may not join, a whole group may not either: a group that is about a place takes in another only
    where nearly all of that is at the place too, or tells of no such place.
    """
    kinds = {one.partition("=")[0] for one in home.ground}
    there = [one for one in other.places if one.partition("=")[0] in kinds]
    return not there or any(other.is_at(one) for one in home.ground)


def _is_deeper(signal: Signal, cluster: AlertCluster, topology: Topology) -> bool:
    """Whether the root calls it, and it fails so soon after that the root may only be its first symptom."""
    if signal.service is None or cluster.root is None or signal.service in cluster.services:
        return False
    if abs(signal.at - cluster.opened_at) > SPREAD:
        return False
    return topology.hops(cluster.root, signal.service) in (1, 2)


def _distance(signal: Signal, cluster: AlertCluster, topology: Topology) -> float | None:
    """0 and a bit for the same service or place, 1 and a bit for a caller; the bit is how long ago, so that of two the
    fresher one is nearer.
    """
    found: list[float] = []
    if signal.service is not None and signal.service in cluster.services:
        since = cluster.services[signal.service]
        if not cluster.ground or abs(signal.at - since) <= SPREAD:  # it is there for the place's sake, not its own
            found.append(_ago(signal, since, WINDOW))
    there = [cluster.places[one] for one in signal.places if cluster.is_at(one)]
    found.extend(_ago(signal, at, SPREAD) for at in there if abs(signal.at - at) <= SPREAD)
    if signal.service is not None:
        called = [cluster.services[one] for one in topology.callees(signal.service) if one in cluster.services]
        fresh = [at for at in called if timedelta(0) <= signal.at - at <= SPREAD]
        found.extend(1 + _ago(signal, at, SPREAD) for at in fresh)
    elif signal.name in cluster.names and not cluster.services:
        found.append(_ago(signal, cluster.names[signal.name], WINDOW))
    return min(found, default=None)


def _ago(signal: Signal, at: datetime, scale: timedelta) -> float:
    return min(abs(signal.at - at) / scale, math.nextafter(1, 0))
