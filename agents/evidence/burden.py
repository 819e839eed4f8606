"""What an incident costs: extra seconds waited, or requests failed, per interval. Along the calls this adds up.

If a service is slow because of one that it calls, then the callee's extra seconds times its calls are about the extra
seconds times the calls of the caller, interval by interval. So the burden of the alarm is followed from caller to
callee as long as one callee accounts for most of it; where that ends, the cause is. It needs no thresholds on levels,
and a callee that merely wavers, or wavers at another time, accounts for nothing.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from agents.evidence.levels import Levels, Matrix
from agents.evidence.names import words
from agents.evidence.types import BoolArray, Edge, Family, FloatArray

MOSTLY = 0.5  # share of the caller's burden from which a callee accounts for it
EXCESS_COST = 0.25  # a callee may have other callers, but what it has beyond this caller's burden speaks against it
PLAIN = 3.0  # noise units; less counts in proportion
PASSING = 0.5  # what a callee counts that accounts for a part only, as a share of that part
AVERAGED = frozenset(("average", "mean", "avg", "ratio"))
DEEPEST = 20


@dataclass(frozen=True, kw_only=True)
class Portion:
    """`share` of the alarm's burden for which a service itself answers; `row` of the matrix shows it."""

    service: str
    share: float
    row: int
    explains: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Burden:
    row: int
    extra: FloatArray
    plain: float


def divide_burden(
    matrix: Matrix, levels: Levels, after: BoolArray, edges: Iterable[Edge], symptom: tuple[str, Family]
) -> list[Portion]:
    """Who answers for how much of the burden that `symptom` shows, most first. Empty where it cannot be measured.

    It takes a mean latency or a share of errors, and a count of requests, for the alarming service at least.
    """
    service, family = symptom
    burdens = _burdens(matrix, levels, after, family)
    if service not in burdens or burdens[service].extra.sum() <= 0:
        return []
    callees: dict[str, list[str]] = defaultdict(list)
    for edge in sorted(edges, key=lambda e: (e.caller, e.callee)):
        if edge.callee in burdens and edge.callee != edge.caller:
            callees[edge.caller].append(edge.callee)
    return _divide(service, burdens, callees)


def _divide(start: str, burdens: Mapping[str, _Burden], callees: Mapping[str, list[str]]) -> list[Portion]:
    shares = {start: 1.0}
    above: dict[str, tuple[str, ...]] = {start: ()}
    here: str | None = start
    for _ in range(DEEPEST):
        if here is None:
            break
        parts = {c: _accounts_for(burdens[here], burdens[c]) for c in callees.get(here, ()) if c not in above}
        best = max(sorted(parts), key=lambda c: parts[c], default=None)
        held = shares[here]
        for callee, part in parts.items():
            if part > 0 and callee != best:
                shares[callee] = max(shares.get(callee, 0.0), PASSING * part * held)
        if best is None or parts[best] <= 0:
            break
        if parts[best] < MOSTLY:
            shares[best] = max(shares.get(best, 0.0), PASSING * parts[best] * held)
            break
        shares[best], shares[here] = held * parts[best], held * (1 - parts[best])
        above[best] = (*above[here], here)
        here = best
    found = [
        Portion(service=s, share=round(share, 4), row=burdens[s].row, explains=above.get(s, ()))
        for s, share in shares.items()
    ]
    return sorted(found, key=lambda p: (-p.share, -len(p.explains), p.service))


def _accounts_for(caller: _Burden, callee: _Burden) -> float:
    """Share of the caller's burden that the callee's own burden at the same times accounts for."""
    wanted, offered = caller.extra, callee.extra
    if wanted.sum() <= 0 or offered.sum() <= 0:
        return 0.0
    explained = float(np.minimum(wanted, offered).sum() / wanted.sum())
    excess = float(np.maximum(offered - wanted, 0.0).sum() / offered.sum())
    return max(0.0, explained - EXCESS_COST * excess) * min(1.0, callee.plain / PLAIN)


def _burdens(matrix: Matrix, levels: Levels, after: BoolArray, family: Family) -> dict[str, _Burden]:
    counts: dict[str, int] = {}
    means: dict[str, int] = {}
    for index, row in enumerate(matrix.rows):
        if row.peer is not None or not levels.known[index]:
            continue
        if row.family == "traffic":
            counts.setdefault(row.service, index)
        elif row.family == family and not AVERAGED.isdisjoint((*words(row.indicator), row.unit)):
            means.setdefault(row.service, index)
    found = {}
    for service in sorted(set(counts) & set(means)):
        mean = means[service]
        rise = np.nan_to_num(matrix.values[mean, after] - levels.middle[mean])
        calls = np.nan_to_num(matrix.values[counts[service], after])
        plain = float((rise / levels.up_noise[mean]).max(initial=0.0))
        found[service] = _Burden(row=mean, extra=np.clip(rise * calls, 0.0, None), plain=plain)
    return found
