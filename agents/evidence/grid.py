"""Samples of many series on one shared time grid, so that all arithmetic runs on matrices.

Garbage is dropped here and nowhere else: non-finite values, impossible times, disorder and duplicates (the last wins).
A cell without a sample is NaN.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from agents.evidence.types import BoolArray, FloatArray, IntArray

MAX_CELLS = 5_000
LATEST_EPOCH_S = 1e11  # beyond any clock; datetime still represents it
INTERVALS_READ = 40  # series whose sampling interval is looked at
FINEST_S = 1e-3  # no source samples more often
LARGEST_VALUE = 1e18  # keeps squares and sums finite


@dataclass(frozen=True, kw_only=True, eq=False)
class Grid:
    """`values` has one row per series and one column per cell; `times` are the cells' epoch seconds."""

    times: FloatArray
    step_s: float
    values: FloatArray


def clean(times: FloatArray, values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Finite samples in time order, one per time."""
    size = min(times.size, values.size)
    t = np.asarray(times, dtype=np.float64).reshape(-1)[:size]
    v = np.asarray(values, dtype=np.float64).reshape(-1)[:size]
    good = np.isfinite(t) & np.isfinite(v) & (t >= 0) & (t < LATEST_EPOCH_S)
    if not good.all():
        t, v = t[good], v[good]
    if t.size > 1:
        gaps = t[1:] - t[:-1]
        if (gaps < 0).any():
            order = np.argsort(t, kind="stable")
            t, v = t[order], v[order]
            gaps = t[1:] - t[:-1]
        if (gaps == 0).any():
            keep = np.append(gaps > 0, True)
            t, v = t[keep], v[keep]
    return t, np.clip(v, -LARGEST_VALUE, LARGEST_VALUE)


def build_grid(pairs: Sequence[tuple[FloatArray, FloatArray]]) -> Grid:
    """Put every (times, values) pair on one grid whose step is the typical sampling interval.

    Series that already share one evenly spaced times array are stacked as they are.
    """
    if pairs and _shared_grid(pairs):
        times = pairs[0][0]
        return Grid(times=times, step_s=float(times[1] - times[0]), values=np.vstack([v for _, v in pairs]))
    cleaned = [clean(t, v) for t, v in pairs]
    filled = [t for t, _ in cleaned if t.size]
    if not filled:
        return Grid(times=np.empty(0), step_s=1.0, values=np.full((len(pairs), 0), np.nan))
    start = min(float(t[0]) for t in filled)
    end = max(float(t[-1]) for t in filled)
    sampled = [t for t in filled if t.size > 1]
    sampled = sampled[:: max(1, len(sampled) // INTERVALS_READ)]
    intervals = [float(np.median(np.diff(t))) for t in sampled]
    step = max(float(np.median(intervals)) if intervals else 1.0, (end - start) / (MAX_CELLS - 1), FINEST_S)
    cells = round((end - start) / step) + 1
    values = np.full((len(pairs), cells), np.nan)
    for row, (t, v) in enumerate(cleaned):
        values[row, np.rint((t - start) / step).astype(np.int64)] = v
    return Grid(times=start + step * np.arange(cells, dtype=np.float64), step_s=step, values=values)


def _shared_grid(pairs: Sequence[tuple[FloatArray, FloatArray]]) -> bool:
    first = pairs[0][0]
    if first.size < 2 or any(t is not first or v.shape != first.shape for t, v in pairs):
        return False
    steps = np.diff(first)
    even = steps[0] >= FINEST_S and np.allclose(steps, steps[0], rtol=1e-6, atol=1e-6)
    return bool(even and np.isfinite(first).all())


def last_seen(valid: BoolArray) -> IntArray:
    """For each cell the column of the latest sample at or before it, or -1."""
    columns = np.arange(valid.shape[1], dtype=np.int64)
    return np.maximum.accumulate(np.where(valid, columns, -1), axis=1)


def trailing_sum(increments: FloatArray, cells: int) -> FloatArray:
    """Sum over the last `cells` columns, each row for itself; NaN counts as zero."""
    total = np.cumsum(np.nan_to_num(increments), axis=1)
    out = total.copy()
    out[:, cells:] -= total[:, :-cells] if cells < total.shape[1] else 0.0
    return out


def quantiles(rows: FloatArray, levels: Sequence[float]) -> FloatArray:
    """Row-wise quantiles that ignore NaN, shape (levels, rows); NaN for an empty row.

    numpy's nanquantile walks row by row in Python as soon as one NaN is there; sorting once is 30 times faster.
    """
    if rows.shape[1] == 0:
        return np.full((len(levels), rows.shape[0]), np.nan)
    ordered = np.sort(rows, axis=1)
    count = np.isfinite(ordered).sum(axis=1)
    out = np.empty((len(levels), rows.shape[0]))
    index = np.arange(rows.shape[0])
    for position, level in enumerate(levels):
        place = np.maximum(count - 1, 0) * level
        low = np.floor(place).astype(np.int64)
        high = np.minimum(low + 1, np.maximum(count - 1, 0))
        share = place - low
        out[position] = ordered[index, low] * (1 - share) + ordered[index, high] * share
    return out
