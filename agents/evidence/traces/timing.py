"""Where time is lost: in a service's own work, or on the way to and from it.

Groups of like spans (one endpoint's own time, one edge's way there and back) are compared before and after. Noise is
what the same comparison gives between slices of the baseline, so a group that always wandered must wander further.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from agents.evidence.levels import soften
from agents.evidence.norms import Z_ABNORMAL
from agents.evidence.types import BoolArray, FloatArray, IntArray

LEVELS = (0.5, 0.75)  # a fault that hits every other request shows in the upper quartile
LEAST_BEFORE = 4
LEAST_AFTER = 2
RELATIVE = 0.2  # share of the usual time that is noise however steady it was
FLOOR_S = 0.001
PLACEBO_Z = 2.0  # the baseline slice that is furthest off is set equal to this many noise units
FLEET = 20.0  # calls that the fleet's hiccups count beside a group's own
MAX_SLOW_EDGES = 200
RARE = (0.3, 0.1, 0.03, 0.01)  # how rare a time may be of which there are suddenly many
CERTAIN = 8.0  # noise units of "too many slow ones" from which few calls are enough
LASTING = 0.25  # share of its height that a slowness keeps to the end, or it has healed
HEALED = 0.2  # what a healed one counts
LEAST_LATE = 3
FEW = 8  # values of a slice from which its quantile means something


@dataclass(frozen=True, kw_only=True, eq=False)
class Shifts:
    """One entry per group: typical seconds before and after at the level that shows most, and the distance in noise.

    Groups with too few values before or after have a score of NaN. The score is the distance in noise units, softened,
    and less where so many slow calls may be chance: three calls that took half a second longer are far off, and yet
    may be a coincidence.
    """

    before_s: FloatArray
    after_s: FloatArray
    score: FloatArray
    n_before: IntArray
    n_after: IntArray


@dataclass(frozen=True, kw_only=True, eq=False)
class Sides:
    """Which rows of a recording are before the onset, which after, which of these late, and the baseline's slices.

    `chunk` numbers the slices, -1 outside of any.
    """

    before: BoolArray
    after: BoolArray
    late: BoolArray
    chunk: IntArray


def compare_times(group: IntArray, seconds: FloatArray, sides: Sides, groups: int) -> Shifts:
    """Compare `seconds` of every group (-1: none). NaN seconds are left out."""
    before, after, chunk = sides.before, sides.after, sides.chunk
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
    level = np.argmax(np.where(np.isfinite(z), z, -np.inf), axis=0)
    enough = (n_old >= LEAST_BEFORE) & (n_new >= LEAST_AFTER)
    n_late, late_q = _quantiles(group[usable & sides.late], seconds[usable & sides.late], groups)
    late = ((late_q - before_q) / noise)[level, pick]
    z = np.where(enough, z[level, pick], np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        lasts = np.where(n_late >= LEAST_LATE, np.clip(late / (LASTING * z), HEALED, 1.0), 1.0)
    sure = _sureness(group, seconds, old, new, before_q[1])
    return Shifts(
        before_s=before_q[level, pick],
        after_s=after_q[level, pick],
        score=np.where(enough, soften(z) * np.minimum(sure / CERTAIN, 1.0) ** 2 * lasts, np.nan),
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
            place = np.minimum(
                first + np.floor(level * np.maximum(count - 1, 0) + 0.5).astype(np.int64), values.size - 1
            )
            out[row] = np.where(count > 0, ordered[place], np.nan)
    return count, out


def _sureness(group: IntArray, seconds: FloatArray, old: BoolArray, new: BoolArray, usual: FloatArray) -> FloatArray:
    """Noise units by which the share of slow calls exceeds the usual one, the rarest slowness that shows most.

    How rare a time is, is read from the group's own baseline and from the hiccups of the whole fleet.
    """
    groups = usual.size
    excess_old, excess_new = seconds[old] - usual[group[old]], seconds[new] - usual[group[new]]
    of_old, of_new = group[old], group[new]
    if excess_old.size == 0 or excess_new.size == 0:
        return np.zeros(groups)
    fleet = np.sort(excess_old)
    rare_in_fleet = (fleet.size - np.searchsorted(fleet, excess_new) + 1.0) / (fleet.size + 1.0)
    order = np.lexsort((excess_old, of_old))
    count = np.bincount(of_old, minlength=groups)
    last = np.cumsum(count)
    place = _place(of_old[order], excess_old[order], of_new, excess_new)
    above = np.maximum(last[of_new] - place, 0)
    rare = (above + FLEET * rare_in_fleet) / (count[of_new] + FLEET)
    total = np.bincount(of_new, minlength=groups).astype(np.float64)
    best = np.zeros(groups)
    for limit in RARE:
        hits = np.bincount(of_new, rare <= limit, groups).astype(np.float64)
        best = np.maximum(best, _surprise(hits, total, limit))
    return np.sqrt(2.0 * best)


def _place(group: IntArray, value: FloatArray, of: IntArray, wanted: FloatArray) -> IntArray:
    """For each wanted value the first row of its group's sorted values that is not below it."""
    both = np.concatenate([value, wanted])
    groups = np.concatenate([group, of])
    fresh = np.concatenate([np.ones(value.size, dtype=np.int64), np.zeros(wanted.size, dtype=np.int64)])
    order = np.lexsort((fresh, both, groups))
    before = np.cumsum(fresh[order])
    place = np.empty(order.size, dtype=np.int64)
    place[order] = before
    return place[value.size :]


def _surprise(hits: FloatArray, total: FloatArray, usual: float) -> FloatArray:
    """Log likelihood ratio of `hits` of `total` against the share `usual`, zero where there are not too many."""
    share = hits / np.maximum(total, 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(hits > 0, hits * np.log(share / usual), 0.0)
        ratio += np.where(total > hits, (total - hits) * np.log((1 - share) / (1 - usual)), 0.0)
    return np.where(share > usual, ratio, 0.0)


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
    caller: Sequence[int], callee: Sequence[int], score: FloatArray, weight: FloatArray
) -> tuple[dict[int, float], dict[int, int]]:
    """Which endpoint a set of slow edges points to: service -> how well it explains them, edge -> service.

    A fault of a service's network slows all that goes into it, and mostly what goes out; one slow edge alone may be
    either side's. So the service that explains most edges, weighted by how many of its edges are slow, is blamed; if
    equal, the called one. Explained edges are taken out and the rest is looked at again.
    """
    slow = np.nan_to_num(score) >= Z_ABNORMAL
    blame: dict[int, float] = {}
    blamed: dict[int, int] = {}
    ends = [(a, b) for a, b in zip(caller, callee, strict=True)]
    worst = np.argsort(-np.nan_to_num(score), kind="stable")[:MAX_SLOW_EDGES]
    left = set(worst[slow[worst]].tolist())
    touching: dict[int, list[int]] = defaultdict(list)
    for e in np.flatnonzero(np.isfinite(score)).tolist():
        for service in set(ends[e]):
            touching[service].append(e)
    while left:
        best: tuple[float, float, float, int] | None = None
        for service in sorted({s for e in left for s in ends[e]}):
            share = _slow_share(touching[service], left, weight)
            into = _slow_share([e for e in touching[service] if ends[e][1] == service], left, weight)
            hit = [e for e in touching[service] if e in left]
            share = max(share, into)
            candidate = (round(share * len(hit) ** 0.5, 2), float(score[hit].max()), share, service)
            if best is None or candidate[:3] > best[:3]:
                best = candidate
        if best is None:
            break
        service = best[3]
        mine = [e for e in left if service in ends[e]]
        blame[service] = float(score[mine].max()) * best[2] ** 0.5
        blamed |= dict.fromkeys(mine, service)
        left -= set(mine)
    return blame, blamed


def _slow_share(edges: Sequence[int], slow: Collection[int], weight: FloatArray) -> float:
    """Share of the edges that is slow, by weight."""
    return sum(float(weight[e]) for e in edges if e in slow) / max(sum(float(weight[e]) for e in edges), 1e-9)
