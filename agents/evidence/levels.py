"""Arbitrary indicators, whatever their names and units: how far each left its usual level after a given moment.

Series that were sampled together are one matrix, and all arithmetic runs on it. What is usual is read from samples
well before the moment; the present is the median of the upper (or lower) third of the first minutes after it, so that
a change which only shows in a part of the samples counts and a single spike does not.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from agents.evidence.fleet import Fleet
from agents.evidence.grid import LARGEST_VALUE, LATEST_EPOCH_S, build_grid, quantiles
from agents.evidence.norms import Z_CAP
from agents.evidence.types import BoolArray, FloatArray, IntArray, Series, Stretch

UPPER_THIRD = 5 / 6  # the median of the upper third
HORIZON_S = 300.0  # what comes later is rather a consequence,
HORIZON_STEPS = 3  # where sampling is not so coarse that this is hardly a sample
TAIL_SHARE = 3.0  # noise units from the middle to the outermost percent
TYPICAL_SHARE = 0.05  # of the level that is typical of the indicator in the fleet: noise for everybody
FEW = 8  # samples from which a service's own noise is known
LEAST = 2
BEGINNING = 3  # samples with which a recording begins,
SETTLED = 1 / 3  # and the share of it after which what they lead to has come
ROUGH = 0.05  # of a series' whole range that is noise
SOFT = 10.0  # noise units beyond which ten times as much says as much again
ROWS_AT_ONCE = 4_096  # bounds the memory of what is computed beside the matrix


@dataclass(frozen=True, kw_only=True, eq=False)
class Matrix:
    """Series sampled together: one row each, one column per moment (epoch seconds). NaN where there is no sample."""

    rows: tuple[Series, ...]
    times: FloatArray
    values: FloatArray
    step_s: float

    @cached_property
    def fleet(self) -> Fleet:
        """What is the same of the rows whichever moment is looked at."""
        return Fleet.of(self.rows)

    def pick(self, rows: Sequence[int] | IntArray) -> "Matrix":
        """Some of the rows."""
        index = np.asarray(rows, dtype=np.int64)
        part = Matrix(
            rows=tuple(self.rows[i] for i in index.tolist()),
            times=self.times,
            values=self.values[index],
            step_s=self.step_s,
        )
        vars(part)["fleet"] = self.fleet.pick(index)
        return part


@dataclass(frozen=True, kw_only=True, eq=False)
class Levels:
    """What is usual for each row of a matrix, and how much it wavers towards either side.

    `down_share` is how much it wavers downwards as a share of the level, whatever its unit and the fleet.
    """

    middle: FloatArray
    up_noise: FloatArray
    down_noise: FloatArray
    down_share: FloatArray
    known: BoolArray


def group_series(series: Iterable[Series]) -> list[Matrix]:
    """Series by common sampling times, in a stable order; those with times of their own are brought to grids.

    A row without two usable samples is left out.
    """
    shared: dict[int, list[Series]] = defaultdict(list)
    for row in sorted(series, key=identity):
        shared[id(row.times)].append(row)
    found: list[Matrix] = []
    odd: dict[int, list[Series]] = defaultdict(list)
    for rows in shared.values():
        times = rows[0].times
        if _is_orderly(times) and all(r.values.shape == times.shape for r in rows):
            found.append(_matrix(rows, times, np.vstack([r.values for r in rows])))
        else:
            for row in rows:
                if row.times.size >= LEAST:
                    odd[_pace(row.times)].append(row)
    for rows in odd.values():
        grid = build_grid([(r.times, r.values) for r in rows])
        if grid.times.size >= LEAST:
            found.append(_matrix(rows, grid.times, grid.values))
    return found


def identity(series: Series) -> tuple[str, str, str, str]:
    """By which series are put in order."""
    return series.service, series.indicator, series.peer or "", series.family


def _is_orderly(times: FloatArray) -> bool:
    if times.ndim != 1 or times.size < LEAST or not np.isfinite(times).all():
        return False
    return bool((np.diff(times) > 0).all() and times[0] >= 0 and times[-1] < LATEST_EPOCH_S)


def _pace(times: FloatArray) -> int:
    """Series whose sampling intervals are within a factor of about two belong together."""
    finite = np.sort(times[np.isfinite(times)])
    steps = np.diff(finite)
    steps = steps[steps > 0]
    return round(float(np.log2(np.median(steps)))) if steps.size else 0


def _matrix(rows: Sequence[Series], times: FloatArray, values: FloatArray) -> Matrix:
    values = np.asarray(values, dtype=np.float64)
    values = np.clip(np.where(np.isfinite(values), values, np.nan), -LARGEST_VALUE, LARGEST_VALUE)
    return Matrix(rows=tuple(rows), times=times, values=values, step_s=float(np.median(np.diff(times))))


def within(times: FloatArray, stretches: Iterable[Stretch]) -> BoolArray:
    """Which moments lie inside any of the stretches, ends included."""
    inside = np.zeros(times.size, dtype=np.bool_)
    for start, end in stretches:
        inside |= (times >= start) & (times <= end)
    return inside


@np.errstate(all="ignore")
def usual_levels(matrix: Matrix, before: BoolArray, fresh: BoolArray | None = None) -> Levels:
    """The level and noise of the columns `before`.

    Where `fresh` columns (a part of `before`) have samples, they give the level, and all of them the noise: what was
    recorded together is compared with each other.
    """
    parts = [
        _usual(matrix.values[start : start + ROWS_AT_ONCE], before, fresh)
        for start in range(0, len(matrix.rows), ROWS_AT_ONCE)
    ]
    middle, spread, low, high, count = (np.concatenate(column) for column in zip(*parts, strict=True))
    fleet, level = matrix.fleet, np.abs(middle)
    typical = fleet.typical(level)
    wavering = fleet.typical(np.where(level > 0, spread / level, np.nan))
    spread = np.where(count < FEW, np.fmax(spread, wavering * np.abs(middle)), spread)
    size = np.fmax.reduce([np.abs(middle), np.full(middle.size, 1e-12)])
    noise = np.fmax.reduce([spread, fleet.relative * size, fleet.floor, TYPICAL_SHARE * typical])
    return Levels(
        middle=middle,
        up_noise=np.fmax(noise, high / TAIL_SHARE),
        down_noise=np.fmax(noise, low / TAIL_SHARE),
        down_share=np.fmax.reduce([spread / size, fleet.relative, low / TAIL_SHARE / size]),
        known=(count >= LEAST) & np.isfinite(middle),
    )


@np.errstate(all="ignore")
def beginning_levels(matrix: Matrix, columns: BoolArray) -> tuple[Levels, BoolArray]:
    """Where nothing was recorded before an incident: how the recording begins, and the columns by which it had settled.

    Rates over a minute or more still hold what was before in their first samples, and what fills or wears out starts
    from there. How much a series wavers is read where it has settled, since the few first samples do not tell.
    """
    index = np.flatnonzero(columns)
    first, settled = np.zeros_like(columns), np.zeros_like(columns)
    first[index[:BEGINNING]] = True
    settled[index[max(BEGINNING, int(SETTLED * index.size)) :]] = True
    middle = quantiles(matrix.values[:, first], (0.5,))[0]
    q1, q3 = quantiles(matrix.values[:, settled], (0.25, 0.75))
    low, high = quantiles(matrix.values[:, columns], (0.0, 1.0))
    noise = np.fmax.reduce([(q3 - q1) / 1.349, ROUGH * (high - low), np.full(middle.size, 1e-12)])
    share = noise / np.fmax(np.abs(middle), 1e-12)
    return Levels(middle=middle, up_noise=noise, down_noise=noise, down_share=share, known=np.isfinite(middle)), settled


def _columns(values: FloatArray, kept: BoolArray) -> FloatArray:
    """These columns, without a copy where they lie side by side, as they mostly do."""
    index = np.flatnonzero(kept)
    if index.size and index[-1] - index[0] + 1 == index.size:
        return values[:, index[0] : index[-1] + 1]
    return values[:, kept]


def _usual(
    values: FloatArray, before: BoolArray, fresh: BoolArray | None
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]:
    """Level, spread, distance of the lowest and of the highest percent from the middle, and the number of samples."""
    past = _columns(values, before)
    p1, q1, middle, q3, p99 = quantiles(past, (0.01, 0.25, 0.5, 0.75, 0.99))
    level = middle
    if fresh is not None and fresh.any():
        own = quantiles(_columns(values, fresh), (0.5,))[0]
        level = np.where(np.isfinite(own), own, middle)
    count = np.isfinite(past).sum(axis=1).astype(np.float64)
    if fresh is not None and fresh.any():
        count += np.isfinite(values[:, fresh]).sum(axis=1)
    return level, (q3 - q1) / 1.349, middle - p1, p99 - middle, count


@np.errstate(all="ignore")
def deviations(matrix: Matrix, levels: Levels, columns: BoolArray) -> FloatArray:
    """Signed distance from the usual level in noise units, rows x columns."""
    away = _columns(matrix.values, columns) - levels.middle[:, None]
    return np.asarray(np.where(away > 0, away / levels.up_noise[:, None], away / levels.down_noise[:, None]))


def present_levels(matrix: Matrix, after: BoolArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Median of the lower third, median, and median of the upper third of the columns `after`."""
    low, middle, high = quantiles(_columns(matrix.values, after), (1 - UPPER_THIRD, 0.5, UPPER_THIRD))
    return low, middle, high


def horizon(times: FloatArray, step_s: float, start_s: float, end_s: float, late_s: float = 0.0) -> BoolArray:
    """The columns from `start_s` in which an incident shows that began then, or up to `late_s` later."""
    until = min(end_s, start_s + late_s + max(HORIZON_S, HORIZON_STEPS * step_s))
    return np.asarray((times >= start_s) & (times <= until), dtype=np.bool_)


def soften(z: FloatArray) -> FloatArray:
    """Noise units to a score: as they are up to 10, then by their logarithm, at most `Z_CAP`."""
    z = np.nan_to_num(z, nan=0.0, posinf=1e12, neginf=0.0)
    return np.asarray(
        np.where(z <= SOFT, np.clip(z, 0, None), np.clip(SOFT * (1 + np.log10(z.clip(1e-9) / SOFT)), 0, Z_CAP))
    )
