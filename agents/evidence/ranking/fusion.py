"""Suspicions from all analysers to ranked services.

Per service the strongest suspicion of each family counts, the best family in full and the next two a quarter each. A
caller's latency or errors are explained away by a callee that is plainly sick itself. Used-up resources explain what
else is wrong with the same service, and filled memory explains a busy processor.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

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
    best: dict[tuple[str, Family], float] = defaultdict(float)
    for s in suspicions:
        best[s.service, s.family] = max(best[s.service, s.family], s.score)
    callees: dict[str, set[str]] = defaultdict(set)
    for edge in edges:
        if edge.caller != edge.callee:
            callees[edge.caller].add(edge.callee)
    explains: dict[str, set[str]] = defaultdict(set)
    weights = []
    for s in suspicions:
        weight = s.score * NORMS[s.family].weight
        if s.family in _KIN and not (s.source == "traces" and s.family == "latency"):
            kin = _KIN[s.family]
            guilty = {
                c
                for c in callees[s.service]
                if max((best.get((c, f), 0.0) for f in kin), default=0.0) >= max(Z_ABNORMAL, SICK_SHARE * s.score)
            }
            if guilty:
                weight *= EXPLAINED_SHARE
                for callee in guilty:
                    explains[callee].add(s.service)
        weights.append(weight)
    return weights, explains


def _suspect(service: str, weighed: list[tuple[float, Suspicion]], *, memory: bool) -> FusedSuspect:
    weighed.sort(key=lambda p: (-p[0], p[1].indicator, p[1].peer or ""))
    best: dict[Family, float] = {}
    raw: dict[Family, float] = defaultdict(float)
    for weight, suspicion in weighed:
        counted = weight * (UNFILLED_SHARE if suspicion.family == "memory" and not memory else 1.0)
        best[suspicion.family] = max(counted, best.get(suspicion.family, 0.0))
        raw[suspicion.family] = max(raw[suspicion.family], suspicion.score)
    ordered = sorted((w * (NEXT_SHARE if f in SUPPORTING else 1.0) for f, w in best.items()), reverse=True)
    family = max(best, key=lambda f: (f not in SUPPORTING, best[f]))
    if raw["cpu"] >= PLAIN and family in ("latency", "errors", "network", "syscall", "saturation", "memory", "other"):
        family = "cpu"
    if memory and "memory" in best:
        family = "memory"
    found = [s for _, s in weighed]
    found.sort(key=lambda s: s.family != family)
    return FusedSuspect(service=service, family=family, score=ordered[0] + NEXT_SHARE * sum(ordered[1:3]), found=found)
