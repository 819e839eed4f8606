"""The objects of a cluster as far as the rules ask for them. `line` is always the verbatim line it was read from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from agents.evidence.kubernetes.types import Quote


@dataclass(frozen=True, kw_only=True)
class ListedPod:
    """A row of the pod listing. Ages are seconds; `restarted_s` is None where the listing does not tell."""

    name: str
    app: str
    ready: int
    wanted: int
    status: str
    restarts: int
    restarted_s: float | None
    age_s: float | None
    node: str
    quote: Quote

    @property
    def is_ready(self) -> bool:
        return self.wanted > 0 and self.ready >= self.wanted

    @property
    def is_done(self) -> bool:
        return self.status in ("Completed", "Succeeded")

    @property
    def is_leaving(self) -> bool:
        """Whether it is being deleted, as after a rollout: what it shows then is no fault."""
        return self.status == "Terminating"

    @property
    def restarts_recur(self) -> bool:
        """Whether it still restarts: quiet for several times the usual interval means that it is over."""
        if not self.restarts:
            return False
        if self.restarted_s is None or self.age_s is None:
            return self.restarts > 1
        interval = max(self.age_s - self.restarted_s, 0.0) / self.restarts
        return self.restarted_s <= 4 * interval + 30 and self.restarted_s < 3_600

    @property
    def is_sick(self) -> bool:
        return not (self.is_done or self.is_leaving) and (not self.is_ready or self.restarts_recur)


@dataclass(frozen=True, kw_only=True)
class ListedWorkload:
    """A Deployment or StatefulSet. `created` is None where the listing does not tell."""

    kind: str
    name: str
    ready: int
    wanted: int
    created: int | None
    quote: Quote


@dataclass(frozen=True, kw_only=True)
class ClusterNode:
    name: str
    status: tuple[str, ...]
    roles: str
    quote: Quote

    @property
    def is_control_plane(self) -> bool:
        return any(word in self.roles for word in ("master", "control-plane"))

    @property
    def is_ready(self) -> bool:
        return "Ready" in self.status

    @property
    def is_cordoned(self) -> bool:
        return "SchedulingDisabled" in self.status


@dataclass(frozen=True, kw_only=True)
class ListedQuota:
    """One limit of one ResourceQuota."""

    name: str
    resource: str
    used: float
    hard: float
    quote: Quote


@dataclass(frozen=True, kw_only=True)
class ListedService:
    """`ports` are as listed: `80/TCP`, `80:30080/TCP`."""

    name: str
    ports: tuple[str, ...]
    selector: Mapping[str, str]
    quote: Quote

    @property
    def port(self) -> str:
        return self.ports[0].partition("/")[0].partition(":")[0] if self.ports else ""


@dataclass(frozen=True, kw_only=True)
class ListedEvent:
    """`last_s` and `span_s` are seconds ago; `count` is how often it was seen. `about` is the object it speaks of."""

    kind: str
    reason: str
    message: str
    about: str
    last_s: float
    span_s: float
    count: int
    quote: Quote

    @property
    def recurs(self) -> bool:
        """Whether it goes on: seen again lately, measured by how long it has been going on."""
        return self.count > 1 and self.last_s <= max(30.0, 0.5 * self.span_s)


@dataclass(frozen=True, kw_only=True)
class Probe:
    """A health check. Times are seconds. `protocol` is http, grpc, tcp or exec; `port` is a number or a name."""

    protocol: str
    port: str
    delay_s: float
    timeout_s: float
    period_s: float
    failures: int
    quote: Quote

    @property
    def patience_s(self) -> float:
        """How long a container may take to answer for the first time before it is given up."""
        return self.delay_s + self.period_s * (self.failures - 1) + self.timeout_s


@dataclass(frozen=True, kw_only=True)
class ListedContainer:
    """One container of a described pod."""

    name: str
    image: str
    ports: tuple[str, ...]
    waiting: str
    last_reason: str
    exit_code: int | None
    ready: bool
    restarts: int
    liveness: Probe | None
    readiness: Probe | None
    memory_limit: float | None
    lines: tuple[Quote, ...] = field(default=())

    def quote(self, *words: str) -> Quote | None:
        """The line of this container that starts with one of the words."""
        return next((q for word in words for q in self.lines if q.line.startswith(word)), None)


@dataclass(frozen=True, kw_only=True)
class PodDetail:
    """A described pod."""

    name: str
    app: str
    node: str
    selectors: tuple[Quote, ...]
    containers: tuple[ListedContainer, ...]
    events: tuple[ListedEvent, ...]
    claims: tuple[str, ...]

    def event(self, reason: str, *needles: str) -> ListedEvent | None:
        """The latest event of this reason whose message holds one of the needles (any, when none is given)."""
        found = [
            e
            for e in self.events
            if e.reason == reason and (not needles or any(n.lower() in e.message.lower() for n in needles))
        ]
        return min(found, key=lambda e: e.last_s, default=None)


@dataclass(frozen=True, kw_only=True)
class Reach:
    """A connection test to one service: from where it failed and where it succeeded; empty names mean unknown."""

    service: str
    port: str
    failed: tuple[str, ...]
    open: tuple[str, ...]
    quote: Quote


@dataclass(frozen=True, kw_only=True)
class AlertLine:
    """One line of the alerts: `about` is a service or a node. Ratio is current over normal, None where unknown."""

    kind: str
    about: str
    category: str
    ratio: float | None
    current: float | None
    quote: Quote


@dataclass(frozen=True, kw_only=True)
class FailedRequest:
    """Requests that failed, as a client counted them."""

    service: str
    url: str
    count: int
    error: str
    quote: Quote
