"""Whom a caller waits for longer, where nobody measured which of its calls take longer.

A client-side latency without a name of the called side accuses all that the service calls. Those that somebody else
calls without waiting longer are cleared; the blame stays with the rest. It is weak evidence: it orders suspects where
nothing better is known.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from math import sqrt

import numpy as np

from agents.evidence.levels import Matrix
from agents.evidence.norms import Z_ABNORMAL
from agents.evidence.suspicion import Suspicion
from agents.evidence.types import Edge

AWAITED = "waited for by its callers"
PLAIN = 6.0
MOST = 4  # more called services than these: nobody in particular is accused


def measures_waiting(matrices: Iterable[Matrix]) -> frozenset[str]:
    """Services whose client-side latency is recorded as one, whomever they call."""
    return frozenset(
        row.service
        for matrix in matrices
        for i, row in enumerate(matrix.rows)
        if row.family == "dependency_latency" and row.peer is None and np.isfinite(matrix.values[i]).any()
    )


def accuse_awaited(
    suspicions: Sequence[Suspicion], measured: Collection[str], edges: Collection[Edge]
) -> list[Suspicion]:
    """Suspicions against those called by a service that waits longer, unless one of them is suspected anyway."""
    callees, callers = defaultdict[str, set[str]](set), defaultdict[str, set[str]](set)
    for edge in edges:
        if edge.caller != edge.callee:
            callees[edge.caller].add(edge.callee)
            callers[edge.callee].add(edge.caller)
    waits: dict[str, Suspicion] = {}
    sick = {
        s.service for s in suspicions if s.score >= PLAIN and s.family in ("latency", "cpu", "memory", "saturation")
    }
    for s in suspicions:
        if s.family == "dependency_latency" and s.peer is None and s.score >= Z_ABNORMAL:
            waits.setdefault(s.service, s)
    found = []
    for caller, sign in sorted(waits.items()):
        if sign.score < PLAIN or callees[caller] & sick:
            continue
        left = {c for c in callees[caller] if not any(b in measured and b not in waits for b in callers[c] - {caller})}
        if 0 < len(left) <= MOST:
            found += [_accusation(sign, callee, len(left)) for callee in sorted(left)]
    return found


def _accusation(sign: Suspicion, callee: str, among: int) -> Suspicion:
    return Suspicion(
        service=callee,
        family="latency",
        indicator=AWAITED,
        score=sign.score / sqrt(among),
        direction="up",
        baseline=sign.baseline,
        current=sign.current,
        unit=sign.unit,
        source="metrics",
        exemplar=f"{sign.service} waits longer for one of {among} that nobody else finds well",
    )
