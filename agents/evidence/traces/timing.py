"""Where time is lost: in a service's own work, or on the way to and from it.

Groups of like spans (one endpoint's own time, one edge's way there and back) are compared before and after. Noise is
what the same comparison gives between slices of the baseline, so a group that always wandered must wander further.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from agents.evidence.norms import Z_ABNORMAL
from agents.evidence.types import BoolArray, FloatArray, IntArray

LEVELS = (0.5, 0.75)  # a fault that hits every other request shows in the upper quartile
LEAST_BEFORE = 4
LEAST_AFTER = 2
RELATIVE = 0.2  # share of the usual time that is noise however steady it was
FLOOR_S = 0.001
PLACEBO_Z = 2.0  # the baseline slice that is furthest off is set equal to this many noise units
FEW = 8  # values of a slice from which its quantile means something


@dataclass(frozen=True, kw_only=True, eq=False)
class Shifts:
    """One entry per group: typical seconds before and after at the level that shows most, and the distance in noise.

    Groups with too few values before or after have a `z` of NaN.
    """

    before_s: FloatArray
    after_s: FloatArray
    z: FloatArray
    n_before: IntArray
    n_after: IntArray


def compare_times(
    group: IntArray, seconds: FloatArray, before: BoolArray, after: BoolArray, chunk: IntArray, groups: int
) -> Shifts:
    """Compare `seconds` of every group; `chunk` numbers the baseline's slices (-1: none). NaN seconds are left out."""
    usable = np.isfinite(seconds) & (group >= 0)
    old, new = usable & before, usable & after
    n_old, before_q = _quantiles(group[old], seconds[old], groups)
    n_new, after_q = _quantiles(group[new], seconds[new], groups)
    placebo = _placebo(group[old], seconds[old], chunk[old], groups, before_q)
    spread = np.maximum(before_q[1] - before_q[0], 0.0) / 0.674 * 1.25
    noise = np.fmax.reduce(
        [
            placebo / PLACEBO_Z,
            np.broadcast_to(spread / np.sqrt(np.maximum(np.minimum(n_old, n_new), 1)), placebo.shape),
            RELATIVE * before_q,
            np.full(placebo.shape, FLOOR_S),
        ]
    )
    z = (after_q - before_q) / noise
    level = np.argmax(np.where(np.isfinite(z), z, -np.inf), axis=0)
    pick = np.arange(groups)
    enough = (n_old >= LEAST_BEFORE) & (n_new >= LEAST_AFTER)
    return Shifts(
        before_s=before_q[level, pick],
        after_s=after_q[level, pick],
        z=np.where(enough, z[level, pick], np.nan),
        n_before=n_old,
        n_after=n_new,
    )


def _quantiles(group: IntArray, values: FloatArray, groups: int) -> tuple[IntArray, FloatArray]:
    """Per group the number of values and the quantiles `LEVELS`, shape (levels, groups); NaN for an empty group."""
    count = np.bincount(group, minlength=groups)
    out = np.full((len(LEVELS), groups), np.nan)
    if values.size:
        ordered = values[np.lexsort((values, group))]
        first = np.cumsum(count) - count
        for row, level in enumerate(LEVELS):
            place = np.minimum(first + np.floor(level * np.maximum(count - 1, 0) + 0.5).astype(np.int64), values.size - 1)
            out[row] = np.where(count > 0, ordered[place], np.nan)
    return count, out


def _placebo(group: IntArray, seconds: FloatArray, chunk: IntArray, groups: int, whole: FloatArray) -> FloatArray:
    """How far the highest slice of the baseline lies above the whole, per level and group."""
    furthest = np.zeros((len(LEVELS), groups))
    known = chunk >= 0
    if not known.any():
        return furthest
    chunks = int(chunk.max()) + 1
    both, code = np.unique(group[known] * np.int64(chunks) + chunk[known], return_inverse=True)
    count, q = _quantiles(code.astype(np.int64), seconds[known], both.size)
    of = both // chunks
    few = np.sqrt(np.minimum(count / FEW, 1.0))  # a slice of two or three values wanders by itself
    for row in range(len(LEVELS)):
        np.maximum.at(furthest[row], of, (q[row] - whole[row, of]) * few)
    return furthest


def edge_blame(
    caller: Sequence[int], callee: Sequence[int], z: FloatArray, weight: FloatArray
) -> tuple[dict[int, float], dict[int, int]]:
    """Which endpoint a set of slow edges points to: service -> how well it explains them, edge -> service.

    A fault of a service's network slows everything that goes in and out of it, one edge alone may be either side's. So
    the service of which the largest share of its edges is slow explains them; if equal, the called one. Explained edges
    are taken out and the rest is looked at again.
    """
    slow = np.isfinite(z) & (z >= Z_ABNORMAL)
    blame: dict[int, float] = {}
    blamed: dict[int, int] = {}
    ends = [(a, b) for a, b in zip(caller, callee, strict=True)]
    left = set(np.flatnonzero(slow).tolist())
    known = np.flatnonzero(np.isfinite(z)).tolist()
    while left:
        best: tuple[float, float, int, int] | None = None
        for service in sorted({s for e in left for s in ends[e]}):
            mine = [e for e in known if service in ends[e]]
            hit = [e for e in mine if e in left]
            share = sum(float(weight[e]) for e in hit) / max(sum(float(weight[e]) for e in mine), 1e-9)
            called = sum(ends[e][1] == service for e in hit)
            candidate = (round(share, 2), float(z[hit].max()), called, service)
            if best is None or candidate[:3] > best[:3]:
                best = candidate
        if best is None:
            break
        service = best[3]
        mine = [e for e in left if service in ends[e]]
        blame[service] = float(z[mine].max()) * best[0] ** 0.5
        blamed |= dict.fromkeys(mine, service)
        left -= set(mine)
    return blame, blamed
