"""Suspicions from all analysers to ranked services.

Per service the strongest suspicion of each family counts, the best family in full and the next two a quarter each. A
caller's latency or errors are explained away by a callee that is plainly sick itself. Used-up resources explain what
else is wrong with the same service, and filled memory explains a busy processor.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from agents.evidence.fleet import WORK
from agents.evidence.norms import NORMS, Z_ABNORMAL
from agents.evidence.suspicion import Suspicion
from agents.evidence.types import ChangeFinding, Edge, Family

NEXT_SHARE = 0.25
EXPLAINED_SHARE = 0.4
SICK_SHARE = 0.5  # of the caller's score: a callee that sick explains it
UNREACHED_SHARE = 0.3
UNFILLED_SHARE = 0.3  # of memory that wavers without filling
PLAIN = 6.0
AS_STRONG = 1.0  # of the alarmed service's evidence, from which a callee may stand before it
CHANGED_SHARE = 0.5  # what a change right before the onset adds to the suspicion against its service
EXHAUSTED: tuple[Family, ...] = ("memory", "cpu")
SUPPORTING: frozenset[Family] = frozenset(("traffic", "network", "syscall", "other"))  # no direction of theirs is bad
FELT: tuple[Family, ...] = ("latency", "errors", "dependency_latency", "dependency_errors")
FAILING: tuple[Family, ...] = ("errors", "restarts", "saturation", "structure")  # who fails so asks nobody any more
_KIN: Mapping[Family, frozenset[Family]] = {
    "latency": frozenset(("latency", "cpu", "memory", "network", "saturation", "restarts")),
    "dependency_latency": frozenset(("latency", "cpu", "memory", "network", "saturation", "restarts")),
    "errors": frozenset(("errors", "restarts", "memory", "log", "structure")),
    "dependency_errors": frozenset(("errors", "restarts", "memory", "log", "structure")),
    "log": frozenset(("log", "structure", "errors", "restarts")),
    "structure": frozenset(("log", "structure", "errors", "restarts")),
}


@dataclass(kw_only=True)
class FusedSuspect:
    """A service with its suspicions, strongest first, and the callers that it explains."""

    service: str
    family: Family
    score: float
    found: list[Suspicion]
    explains: set[str] = field(default_factory=set)
    change: ChangeFinding | None = None


def fuse(
    suspicions: Sequence[Suspicion],
    edges: Collection[Edge],
    *,
    fills_memory: Collection[str] = (),
    reach: Mapping[str, int] | None = None,
) -> list[FusedSuspect]:
    """Suspects, best first. `reach` are the services that calls from the symptom arrive at; None if unknown."""
    weights, explains = _weigh(suspicions, edges)
    grouped: dict[str, list[tuple[float, Suspicion]]] = defaultdict(list)
    for weight, suspicion in zip(weights, suspicions, strict=True):
        grouped[suspicion.service].append((weight, suspicion))
    found = []
    for service, weighed in grouped.items():
        suspect = _suspect(service, weighed, memory=service in fills_memory)
        suspect.explains = explains.get(service, set())
        if reach is not None and service not in reach:
            suspect.score *= UNREACHED_SHARE
        found.append(suspect)
    return sorted(found, key=lambda s: (-s.score, s.service))


def believe_alarm(
    suspects: Sequence[FusedSuspect], alarmed: str, reach: Mapping[str, int] | None
) -> list[FusedSuspect]:
    """The same suspects; the service that raised the alarm first, unless one that it calls answers for it.

    An alarm is evidence of its own: somebody chose its threshold, and it was passed. To be put before it takes a
    service that the alarmed one waits for, as its calls tell, and evidence at least as strong: metrics or traces, or
    a line that is as plain. `reach` as for `fuse`; where no calls are known, anybody may be called.
    """
    own = next((s for s in suspects if s.service == alarmed), None)
    if own is None:
        return list(suspects)
    strength = max((s.score for s in own.found), default=0.0)
    before = []
    for suspect in suspects:
        if suspect is own:
            break
        called = suspect.service in reach if reach is not None else True
        measured = max((s.score for s in suspect.found if s.source != "logs"), default=0.0)
        if called and measured >= AS_STRONG * strength:
            before.append(suspect)
    rest = [s for s in suspects if s is not own and s not in before]
    if not before:
        own.score = max(own.score, max((s.score for s in rest), default=0.0))
    return [*before, own, *rest]


def weigh_changes(suspects: Sequence[FusedSuspect], changes: Sequence[ChangeFinding]) -> list[FusedSuspect]:
    """The same suspects, best first, those raised whose service was changed shortly before the onset."""
    for suspect in suspects:
        mine = (c for c in changes if c.change.service == suspect.service and c.verdict == "cause_candidate")
        suspect.change = max(mine, key=lambda c: c.score, default=None)
        if suspect.change is not None:
            suspect.score *= 1 + CHANGED_SHARE * suspect.change.score
    return sorted(suspects, key=lambda s: (-s.score, s.service))


def _weigh(suspicions: Sequence[Suspicion], edges: Collection[Edge]) -> tuple[list[float], dict[str, set[str]]]:
    signs = _Signs.of(suspicions, edges)
    explains: dict[str, set[str]] = defaultdict(set)
    weights = []
    for s in suspicions:
        weight = s.score * (NORMS[s.family].weight if s.weight is None else s.weight)
        guilty = signs.asked_no_more(s) if _stopped(s) else signs.answered_for(s)
        for other in guilty:
            explains[other].add(s.service)
        weights.append(weight * (EXPLAINED_SHARE if guilty else 1.0))
    return weights, explains


@dataclass(frozen=True, kw_only=True)
class _Signs:
    """Who calls whom, how plainly each service is sick in each family, and whose work stopped."""

    best: Mapping[tuple[str, Family], float]
    idle: Mapping[str, float]
    callees: Mapping[str, set[str]]
    callers: Mapping[str, set[str]]

    @classmethod
    def of(cls, suspicions: Sequence[Suspicion], edges: Collection[Edge]) -> "_Signs":
        best: dict[tuple[str, Family], float] = defaultdict(float)
        idle: dict[str, float] = defaultdict(float)
        for s in suspicions:
            if _stopped(s):
                idle[s.service] = max(idle[s.service], s.score)
            else:
                best[s.service, s.family] = max(best[s.service, s.family], s.score)
        callees, callers = defaultdict[str, set[str]](set), defaultdict[str, set[str]](set)
        for edge in edges:
            if edge.caller != edge.callee:
                callees[edge.caller].add(edge.callee)
                callers[edge.callee].add(edge.caller)
        return cls(best=best, idle=idle, callees=callees, callers=callers)

    def answered_for(self, s: Suspicion) -> set[str]:
        """The callees that are plainly sick themselves, in a way that makes their callers look like this."""
        if s.family not in _KIN or (s.source == "traces" and s.family == "latency"):
            return set()
        least = max(Z_ABNORMAL, SICK_SHARE * s.score)
        return {c for c in self.callees.get(s.service, ()) if self._sick(c, _KIN[s.family]) >= least}

    def asked_no_more(self, s: Suspicion) -> set[str]:
        """Those by whom a service's work stopped: callers that get none themselves, or fail before they call; and
        where it waits or fails itself, the callees that make it so, since who waits longer does less (Little's law).

        A slow caller asks all that it calls less often; if one of them stopped alone, that one did so itself.
        """
        least = max(Z_ABNORMAL, SICK_SHARE * s.score)
        found = set()
        if self._sick(s.service, FELT) >= least:
            found = {c for c in self.callees.get(s.service, ()) if self._sick(c, _KIN["latency"] | {"errors"}) >= least}
        for caller in self.callers.get(s.service, ()):
            called = self.callees[caller]
            everything = len(called) > 1 and all(self.idle.get(c, 0.0) for c in called)
            families = (*FAILING, "latency") if everything else FAILING
            if max(self.idle.get(caller, 0.0), self._sick(caller, families)) >= least:
                found.add(caller)
        return found

    def _sick(self, service: str, families: Collection[Family]) -> float:
        return max((self.best.get((service, f), 0.0) for f in families), default=0.0)


def _stopped(suspicion: Suspicion) -> bool:
    return suspicion.weight is not None and suspicion.direction == "down" and suspicion.family in WORK


def _suspect(service: str, weighed: list[tuple[float, Suspicion]], *, memory: bool) -> FusedSuspect:
    weighed.sort(key=lambda p: (-p[0], p[1].indicator, p[1].peer or ""))
    best: dict[Family, float] = {}
    raw: dict[Family, float] = defaultdict(float)
    telling: set[Family] = set()
    for weight, suspicion in weighed:
        counted = weight
        if suspicion.weight is None:
            counted *= UNFILLED_SHARE if suspicion.family == "memory" and not memory else 1.0
            counted *= NEXT_SHARE if suspicion.family in SUPPORTING else 1.0
        best[suspicion.family] = max(counted, best.get(suspicion.family, 0.0))
        if suspicion.weight is not None:
            telling.add(suspicion.family)
        if suspicion.direction == "up" or suspicion.family not in EXHAUSTED:
            raw[suspicion.family] = max(raw[suspicion.family], suspicion.score)
    ordered = sorted(best.values(), reverse=True)
    family = max(best, key=lambda f: (f not in SUPPORTING or f in telling, best[f]))
    if raw["cpu"] >= PLAIN and family in ("latency", "errors", "network", "syscall", "saturation", "memory", "other"):
        family = "cpu"
    if memory and "memory" in best:
        family = "memory"
    found = [s for _, s in weighed]
    found.sort(key=lambda s: s.family != family)
    return FusedSuspect(service=service, family=family, score=ordered[0] + NEXT_SHARE * sum(ordered[1:3]), found=found)
