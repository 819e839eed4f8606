"""What an incident costs: extra seconds waited, or requests failed, per interval. Along the calls this adds up.

If a service is slow because of one that it calls, then the callee's extra seconds times its calls are about the extra
seconds times the calls of the caller, interval by interval. So the excess latency of the alarm is followed from caller
to callee as long as one callee accounts for most of it; where that ends, the cause is. It needs no thresholds on
levels, and a callee that merely wavers, or wavers at another time, accounts for nothing.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from agents.evidence.levels import Levels, Matrix
from agents.evidence.names import words
from agents.evidence.types import BoolArray, Edge, Family, FloatArray

MOSTLY = 0.5  # share of the caller's excess from which a callee accounts for it
EXCESS_COST = 0.25  # a callee may have other callers, but what it has beyond this caller's excess speaks against it
PLAIN = 3.0  # noise units; less counts in proportion
PASSING = 0.5  # what a callee counts that accounts for a part only, as a share of that part
AVERAGED = frozenset(("average", "mean", "avg", "ratio"))
USUALLY = 0.5  # of the other samples: what is there less often is missing because nobody called
DEEPEST = 20


@dataclass(frozen=True, kw_only=True)
class Portion:
    """`share` of the alarm's excess for which a service itself answers; `row` of the matrix shows it.

    `unseen` are services that it calls and whose own excess was not measured when it mattered: they may answer for it.
    """

    service: str
    share: float
    row: int
    explains: tuple[str, ...]
    unseen: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class _Excess:
    """`most` is what `extra` may be at each moment: infinite where it was not measured."""

    row: int
    extra: FloatArray
    plain: float
    most: FloatArray


def divide_excess(
    matrix: Matrix, levels: Levels, after: BoolArray, edges: Iterable[Edge], symptom: tuple[str, Family]
) -> list[Portion]:
    """Who answers for how much of the excess that `symptom` shows, most first. Empty where it cannot be measured.

    It takes a mean latency or a share of errors, and a count of requests, for the alarming service at least.
    """
    service, family = symptom
    rows = _find_rows(matrix, levels, family)
    excesses = _excesses(matrix, levels, after, rows)
    if service not in excesses or excesses[service].extra.sum() <= 0:
        return []
    callees: dict[str, list[str]] = defaultdict(list)
    for edge in sorted(edges, key=lambda e: (e.caller, e.callee)):
        if edge.callee != edge.caller:
            callees[edge.caller].append(edge.callee)

    def may_answer(caller: _Excess, callee: str) -> bool:
        """Whether the callee would account for the caller's excess if its own were as much as it may be."""
        measured = excesses.get(callee)
        if measured is None:
            known, hidden = 0.0, _bound(matrix, levels, after, *rows.get(callee, (None, None)))
        else:
            known, hidden = _accounts_for(caller, measured), measured.most - measured.extra
        possible = known + float(np.minimum(caller.extra, hidden).sum()) / max(float(caller.extra.sum()), 1e-9)
        return known < MOSTLY <= possible

    return [
        replace(p, unseen=tuple(c for c in callees[p.service] if may_answer(excesses[p.service], c)))
        for p in _divide(service, excesses, callees)
    ]


def _divide(start: str, excesses: Mapping[str, _Excess], callees: Mapping[str, list[str]]) -> list[Portion]:
    shares = {start: 1.0}
    above: dict[str, tuple[str, ...]] = {start: ()}
    here = start
    for _ in range(DEEPEST):
        parts = {
            c: _accounts_for(excesses[here], excesses[c])
            for c in callees.get(here, ())
            if c in excesses and c not in above
        }
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
        Portion(service=s, share=round(share, 4), row=excesses[s].row, explains=above.get(s, ()))
        for s, share in shares.items()
    ]
    return sorted(found, key=lambda p: (-p.share, -len(p.explains), p.service))


def _accounts_for(caller: _Excess, callee: _Excess) -> float:
    """Share of the caller's excess that the callee's own excess at the same times accounts for.

    Times at which the callee was not measured are left out, as long as the rest holds most of the caller's excess.
    """
    wanted, offered, seen = caller.extra, callee.extra, np.isfinite(callee.most)
    if wanted[seen].sum() > MOSTLY * wanted.sum():
        wanted, offered = wanted[seen], offered[seen]
    if wanted.sum() <= 0 or offered.sum() <= 0:
        return 0.0
    explained = float(np.minimum(wanted, offered).sum() / wanted.sum())
    excess = float(np.maximum(offered - wanted, 0.0).sum() / offered.sum())
    return max(0.0, explained - EXCESS_COST * excess) * min(1.0, callee.plain / PLAIN)


def _find_rows(matrix: Matrix, levels: Levels, family: Family) -> dict[str, tuple[int | None, int | None]]:
    """Per service its mean of the `family` and its count of calls; those first of which the usual level is known."""
    means: dict[str, int] = {}
    counts: dict[str, int] = {}
    for index in sorted(range(len(matrix.rows)), key=lambda i: not levels.known[i]):
        row = matrix.rows[index]
        if row.peer is not None:
            continue
        if row.family == "traffic":
            counts.setdefault(row.service, index)
        elif row.family == family and not AVERAGED.isdisjoint((*words(row.indicator), row.unit)):
            means.setdefault(row.service, index)
    return {service: (means.get(service), counts.get(service)) for service in sorted({*means, *counts})}


def _excesses(
    matrix: Matrix, levels: Levels, after: BoolArray, rows: Mapping[str, tuple[int | None, int | None]]
) -> dict[str, _Excess]:
    found = {}
    for service, (mean, count) in rows.items():
        if mean is None or count is None or not levels.known[mean] or not levels.known[count]:
            continue
        rise = np.nan_to_num(matrix.values[mean, after] - levels.middle[mean])
        calls = np.nan_to_num(matrix.values[count, after])
        plain = float((rise / levels.up_noise[mean]).max(initial=0.0))
        most = _bound(matrix, levels, after, mean, count)
        found[service] = _Excess(row=mean, extra=np.clip(rise * calls, 0.0, None), plain=plain, most=most)
    return found


def _bound(matrix: Matrix, levels: Levels, after: BoolArray, mean: int | None, count: int | None) -> FloatArray:
    """The most that an excess may be at each moment: infinite where it was not measured and is not usually idle."""
    steps = int(after.sum())
    value = np.full(steps, np.nan) if mean is None else matrix.values[mean, after]
    calls = np.full(steps, np.nan) if count is None else matrix.values[count, after]
    usual = levels.middle[mean] if mean is not None and levels.known[mean] else 0.0
    most = np.nan_to_num(np.clip((value - usual) * calls, 0.0, None), nan=np.inf)
    nobody = (calls == 0) | (np.isnan(calls) & (value <= usual))
    idle = [r for r in (mean, count) if r is not None and np.isfinite(matrix.values[r, ~after]).mean() < USUALLY]
    if idle:
        nobody |= np.isnan(value) & np.isnan(calls)
    return np.where(nobody, 0.0, most)
