"""Which indicators left their normal range after the onset, and by how much.

The normal range comes from a protected baseline that ends a guard band before the onset. The current level is the
median of the upper third (of the lower third for a fall), so a change that only shows in a part of the samples
counts and a single spike does not. Noise is the largest of several estimates; one of them replays the same statistic
on stretches of the baseline in which nothing happened.
"""

from collections.abc import Sequence

import numpy as np

from agents.evidence.grid import Grid, build_grid, quantiles
from agents.evidence.metrics.onset import find_onset
from agents.evidence.norms import NORMS, Z_ABNORMAL, Z_CAP, absolute_floor, rising_side
from agents.evidence.types import Anomaly, BoolArray, FloatArray, IntArray, Onset, Series, Stretch, Window

UPPER_THIRD = 5 / 6  # the median of the upper third
PLACEBO_BLOCKS = 8
PLACEBO_Z = 2.0  # a placebo stretch's largest deviation is set equal to this many noise units
TYPICAL_SHARE = 0.05  # share of the fleet's typical level of the same kind that is noise for everybody
MIN_BASELINE = 5
LATELY_S = 20.0
Z_OVER = 1.5
MAX_ONSETS = 40  # onsets are looked for in the strongest anomalies only


def rank_anomalies(
    series: Sequence[Series],
    onset: Onset,
    window: Window,
    *,
    good: Sequence[Stretch] = (),
    failing: Sequence[Stretch] = (),
) -> list[Anomaly]:
    """Indicators that changed for the worse between the baseline and [onset, window.end], strongest first.

    The baseline are the `good` stretches, without any all that lies before the onset. `failing` as for `find_onset`.
    Traffic and `other` count in both directions. Series without at least five baseline samples are left out.
    """
    if not series:
        return []
    rows = sorted(series, key=_identity)
    with np.errstate(all="ignore"):
        grid = build_grid([(s.times, s.values) for s in rows])
        before, after = _columns(grid, onset, window, good)
        if not before.any() or not after.any():
            return []
        scores = _score(rows, grid, before, after)
    return _collect(rows, scores, failing)


def _identity(series: Series) -> tuple[str, str, str, str]:
    return series.service, series.indicator, series.peer or "", series.family


def _columns(grid: Grid, onset: Onset, window: Window, good: Sequence[Stretch]) -> tuple[BoolArray, BoolArray]:
    at = onset.at.timestamp()
    half = grid.step_s / 2
    before = np.zeros(grid.times.size, dtype=np.bool_)
    for start, end in good or [(window.start.timestamp(), at - onset.guard_s)]:
        before |= (grid.times >= start - half) & (grid.times < end + half)
    if before.sum() < MIN_BASELINE:
        before = grid.times < at - half
    after = (grid.times >= at - half) & (grid.times <= window.end.timestamp() + half)
    return before, after


class _Scores:
    """Column vectors, one entry per series."""

    def __init__(self, baseline: FloatArray, current: FloatArray, z: FloatArray, rising: BoolArray) -> None:
        self.baseline = baseline
        self.current = current
        self.z = z
        self.rising = rising


def _score(rows: Sequence[Series], grid: Grid, before: BoolArray, after: BoolArray) -> _Scores:
    past, present = _detrend(rows, grid, before, after)
    p1, q1, middle, q3, p99 = quantiles(past, (0.01, 0.25, 0.5, 0.75, 0.99))
    low, high = quantiles(present, (1 - UPPER_THIRD, UPPER_THIRD))
    errors = np.array([s.family in ("errors", "dependency_errors") for s in rows])
    # A rare failure (one restart in half a minute) never fills a third of the samples, but its mean is no accident.
    high = np.where(errors, np.fmax(high, _mean(present)), high)
    relative = np.array([NORMS[s.family].relative for s in rows])
    floor = np.array([absolute_floor(s.family, s.unit) for s in rows])
    noise = np.fmax.reduce(
        [
            (q3 - q1) / 1.349,
            relative * np.abs(middle),
            floor,
            TYPICAL_SHARE * _typical_level(rows, middle),
            np.full(len(rows), 1e-12),
        ]
    )
    placebo_low, placebo_high = _placebo(past, present.shape[1], errors)
    up_noise = np.fmax.reduce([noise, (p99 - middle) / 3.0, (placebo_high - middle) / PLACEBO_Z])
    down_noise = np.fmax.reduce([noise, (middle - p1) / 3.0, (middle - placebo_low) / PLACEBO_Z])
    up, down = (high - middle) / up_noise, (middle - low) / down_noise
    rising = rising_side(rows, up, down)
    z = np.where(rising, up, down)
    z = np.where(_is_over(rows, present, middle + Z_OVER * up_noise, grid.step_s), 0.0, z)
    enough = (np.isfinite(past).sum(axis=1) >= MIN_BASELINE) & np.isfinite(present).any(axis=1)
    current = np.where(rising, high, low)
    return _Scores(middle, current, np.where(enough & np.isfinite(z), np.clip(z, 0, Z_CAP), 0.0), rising)


def _is_over(rows: Sequence[Series], present: FloatArray, limit: FloatArray, step_s: float) -> BoolArray:
    """Errors and latencies that were abnormal after the onset, but have not been for the last while."""
    cells = max(round(LATELY_S / step_s), present.shape[1] // 3, 2)
    high = quantiles(present[:, -cells:], (1.0,))[0]
    felt = np.array([s.family in ("errors", "dependency_errors", "latency", "dependency_latency") for s in rows])
    return np.asarray(felt & (cells < present.shape[1]) & (high < limit), dtype=np.bool_)


def _mean(rows: FloatArray) -> FloatArray:
    count = np.isfinite(rows).sum(axis=1)
    return np.asarray(np.where(count > 0, np.nansum(rows, axis=1) / np.maximum(count, 1), np.nan))


def _detrend(rows: Sequence[Series], grid: Grid, before: BoolArray, after: BoolArray) -> tuple[FloatArray, FloatArray]:
    """Take a steady growth out of sizes in bytes: a file that always grew is not news.

    The slope is that between the medians of the baseline's first and last third.
    """
    past, present = grid.values[:, before], grid.values[:, after]
    sized = np.array([s.unit == "bytes" for s in rows])
    third = past.shape[1] // 3
    if third < 3 or not sized.any():
        return past, present
    times = grid.times - grid.times[before][-1]
    first = quantiles(past[sized, :third], (0.5,))[0]
    last = quantiles(past[sized, -third:], (0.5,))[0]
    run = times[before][-third:].mean() - times[before][:third].mean()
    slope = np.nan_to_num((last - first) / run)[:, None]
    past, present = past.copy(), present.copy()
    past[sized] -= slope * times[before]
    present[sized] -= slope * times[after]
    return past, present


def _placebo(past: FloatArray, length: int, errors: BoolArray) -> tuple[FloatArray, FloatArray]:
    """The same statistic on up to eight stretches of the baseline: the lowest and the highest of them."""
    size = max(3, min(length, past.shape[1] // 3))
    starts: IntArray = np.unique(np.linspace(0, max(past.shape[1] - size, 0), PLACEBO_BLOCKS).astype(np.int64))
    lows, highs = [], []
    for start in starts.tolist():
        block = past[:, start : start + size]
        low, high = quantiles(block, (1 - UPPER_THIRD, UPPER_THIRD))
        lows.append(low)
        highs.append(np.where(errors, np.fmax(high, _mean(block)), high))
    return np.fmin.reduce(lows), np.fmax.reduce(highs)


def _typical_level(rows: Sequence[Series], middle: FloatArray) -> FloatArray:
    """The fleet's median level of the same indicator; a service far below it is allowed that much more noise."""
    keys = [(s.family, s.unit, s.indicator) for s in rows]
    groups: dict[tuple[str, str, str], list[float]] = {}
    for key, level in zip(keys, np.abs(middle).tolist(), strict=True):
        if np.isfinite(level):
            groups.setdefault(key, []).append(level)
    typical = {key: float(np.median(levels)) for key, levels in groups.items()}
    return np.array([typical.get(key, 0.0) for key in keys])


def _collect(rows: Sequence[Series], scores: _Scores, failing: Sequence[Stretch]) -> list[Anomaly]:
    order = sorted(np.flatnonzero(scores.z >= Z_ABNORMAL).tolist(), key=lambda i: (-scores.z[i], _identity(rows[i])))
    found = []
    for rank, index in enumerate(order):
        series = rows[index]
        base, now = float(scores.baseline[index]), float(scores.current[index])
        found.append(
            Anomaly(
                service=series.service,
                indicator=series.indicator,
                family=series.family,
                peer=series.peer,
                baseline=base,
                current=now,
                ratio=now / base if abs(base) > 1e-9 else None,
                score=round(float(scores.z[index]), 2),
                onset=find_onset(series, failing) if rank < MAX_ONSETS else None,
                unit=series.unit,
                direction="up" if scores.rising[index] else "down",
            )
        )
    return found
