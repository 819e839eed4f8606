"""When the abnormal behaviour of a series began, early rather than late.

The normal level and its noise are read from the low side of the window's own values (20th percentile and below for
something that is bad when high), so an incident may fill three quarters of the window, and an earlier, healed one
does not hide the present one. An onset a minute late puts the incident into the baseline and ruins every ranking after
it; a minute early costs next to nothing. So the first crossing is walked back to where the series left its band.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import pairwise

import numpy as np

from agents.evidence.grid import clean
from agents.evidence.norms import NORMS, Z_ABNORMAL, Z_CAP, absolute_floor, directions
from agents.evidence.types import BoolArray, Direction, Family, FloatArray, Onset, Series, Stretch, as_utc

MIN_SAMPLES = 8
LEAST_ABNORMAL_S = 15.0  # one failed request fills a whole 10 s rate window; more than that must be abnormal
SHORT_S = 5.0  # unless the whole service is plainly broken right now
PLAIN_Z = 15.0
BRIDGED_S = 90.0  # short bursts nearer than this are one incident (a process that restarts again and again),
RHYTHM = 3  # of them at least, or it is coincidence
BURST_S = 20.0  # while a longer stretch is an incident of its own
BURSTING: tuple[Family, ...] = ("errors", "dependency_errors")  # in which users feel a restart
NOW_S = 6.0  # what ended longer ago than this has healed
RISING = 0.2  # shares of the level reached: on the way to it,
LEFT_NORMAL = 0.08  # and just out of the normal band
ALIKE = 0.5  # peaks of two bursts of one incident
STILL_Z = 1.5  # what lasts is at least this far from normal on the average of these last seconds
FARTHEST_Z = 1e6  # keeps sums finite
EARLIER_Z = 6.0  # an earlier stretch this strong was an incident, not noise
CALM_MARGIN_S = 3.0  # after an earlier incident
ENOUGH_BASELINE_S = 25.0
LEAST_USUAL = 0.15  # share of the samples from which the normal level may be learned


@dataclass(frozen=True, kw_only=True)
class _Run:
    """Columns [first, last] of one merged abnormal stretch, `cells` of them really abnormal, `peak` in noise units.

    `calm_s` is the longest calm between its bursts.
    """

    first: int
    last: int
    cells: int
    peak: float
    calm_s: float = 0.0


def find_onset(series: Series, failing: Sequence[Stretch] = (), crashes: Sequence[float] = ()) -> Onset | None:
    """The onset of the abnormal stretch that still lasts at the end of the series, or None if all is well by then.

    What is normal is not learned from `failing` times: a request that is refused at once is not a fast one. `crashes`
    are unplanned restarts (epoch seconds): errors that come with one are no chance, however few.
    """
    times, values = clean(series.times, series.values)
    if times.size < MIN_SAMPLES:
        return None
    usual = _outside(times, failing)
    deviations = [(d, _deviation(values, usual, series, d)) for d in directions(series)]
    found = [
        onset
        for direction, z in deviations
        if (onset := _onset_towards(times, z, series, direction, crashes)) is not None
    ]
    return max(found, key=lambda o: (o.score, o.direction)) if found else None


def earlier_incidents(series: Iterable[Series], onset: Onset, failing: Sequence[Stretch] = ()) -> list[Stretch]:
    """When any of `series` was plainly abnormal before the onset, with a margin, in time order and not overlapping."""
    return abnormal_times(series, before_s=onset.at.timestamp() - onset.guard_s, failing=failing)


def abnormal_times(
    series: Iterable[Series], *, before_s: float = np.inf, failing: Sequence[Stretch] = ()
) -> list[Stretch]:
    """Plainly abnormal stretches of any of `series` that ended before `before_s`, joined where they overlap."""
    found: list[Stretch] = []
    for row in series:
        times, values = clean(row.times, row.values)
        if times.size < MIN_SAMPLES:
            continue
        interval = float(np.median(np.diff(times)))
        margin = max(CALM_MARGIN_S, 2 * interval)
        for direction in directions(row):
            z = _deviation(values, _outside(times, failing), row, direction)
            found += [
                (float(times[run.first]) - margin, float(times[run.last]) + margin)
                for run in _runs(times, z, interval)
                if run.peak >= EARLIER_Z
                and run.cells >= max(2, int(np.ceil(SHORT_S / interval)))
                and times[run.last] < before_s
            ]
    merged: list[Stretch] = []
    for start, end in sorted(found):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def known_good(earlier: Sequence[Stretch], onset: Onset, start_s: float) -> list[Stretch]:
    """The stretches from `start_s` to the guard band that lie outside `earlier` incidents, in time order.

    The latest are the best baseline; older ones are only taken until there is enough.
    """
    end = onset.at.timestamp() - onset.guard_s
    good: list[Stretch] = []
    for begin, over in reversed(earlier):
        if over < end:
            good.append((max(over, start_s), end))
        end = min(end, begin)
        if sum(b - a for a, b in good) >= ENOUGH_BASELINE_S:
            return good[::-1]
    if start_s < end:
        good.append((start_s, end))
    return good[::-1]


def _outside(times: FloatArray, failing: Sequence[Stretch]) -> BoolArray:
    """Which samples lie outside; all if that leaves too few to learn from."""
    outside = np.ones(times.size, dtype=np.bool_)
    for start, end in failing:
        outside &= (times < start) | (times > end)
    enough = outside.sum() >= max(2 * MIN_SAMPLES, LEAST_USUAL * times.size)
    return outside if enough else np.ones(times.size, dtype=np.bool_)


def _onset_towards(
    times: FloatArray, z: FloatArray, series: Series, direction: Direction, crashes: Sequence[float]
) -> Onset | None:
    interval = float(np.median(np.diff(times)))
    runs = _runs(times, z, interval)
    if not runs:
        return None
    run = runs[-1]
    plain = run.peak >= PLAIN_Z and run.last == times.size - 1 and "rare" not in series.labels
    began, ended = float(times[run.first]), float(times[run.last])
    crashed = series.family in BURSTING and any(began - SHORT_S - interval <= c <= ended for c in crashes)
    needed = max(2, int(np.ceil((SHORT_S if plain or crashed else LEAST_ABNORMAL_S) / interval)))
    again_s = 1.5 * run.calm_s if series.family in BURSTING else 0.0
    if times[-1] - times[run.last] > max(2 * interval, NOW_S, again_s) or run.cells < needed:
        return None
    if again_s == 0 and float(z[times >= times[-1] - max(2 * interval, NOW_S)].mean()) < STILL_Z:
        return None
    inside = z[run.first : run.last + 1]
    upper = np.sort(inside)[-max(1, inside.size // 3) :]
    first = _walk_back(z, run, float(np.median(upper)))
    if first == 0:
        return None
    score = float(np.clip(upper, 0, Z_CAP).mean())
    return Onset(
        at=as_utc(float(times[first]) - min(interval, float(times[first] - times[0]))),
        guard_s=max(2 * interval, 5.0),
        score=round(score, 2),
        direction=direction,
    )


def _walk_back(z: FloatArray, run: _Run, level: float) -> int:
    """The column in which the series left its normal band on its way to `level`.

    Measured against the level reached, so that a stray failure shortly before an outage is not its beginning.
    """
    first = run.first + int((z[run.first : run.last + 1] >= max(Z_ABNORMAL, RISING * level)).argmax())
    while first > 0 and z[first - 1] > max(1.0, LEFT_NORMAL * level):
        first -= 1
    return first


def _deviation(values: FloatArray, usual: BoolArray, series: Series, direction: Direction) -> FloatArray:
    """Distance from the normal level of the `usual` samples in noise units, positive towards `direction`."""
    signed = values if direction == "up" else -values
    low, normal = np.quantile(signed[usual], [0.05, 0.20])
    # Between these quantiles of a normal distribution lie 0.80 standard deviations, and the median is 0.84 further.
    spread = float(normal - low) / 0.80
    level = float(normal) + 0.84 * spread
    noise = max(1.5 * spread, NORMS[series.family].relative * abs(level), absolute_floor(series.family, series.unit))
    if noise <= 0:
        noise = max(1e-9, 1e-6 * float(np.abs(signed).max()))
    with np.errstate(over="ignore"):
        return np.clip(np.asarray((signed - level) / noise, dtype=np.float64), -FARTHEST_Z, FARTHEST_Z)


def _bridge(times: FloatArray, interval: float) -> float:
    span = float(times[-1] - times[0])
    return max(4 * interval, min(BRIDGED_S, 0.25 * span))


def _runs(times: FloatArray, z: FloatArray, interval: float) -> list[_Run]:
    """Abnormal stretches. Near ones are merged; further apart only short bursts that are about as strong, or a stray
    failure long before an outage, or an incident that has healed, would become the beginning of the present one.
    """
    abnormal = z > Z_ABNORMAL
    edges = np.flatnonzero(np.diff(np.concatenate([[0], abnormal.astype(np.int8), [0]])))
    runs: list[_Run] = []
    for first, last in zip(edges[::2].tolist(), (edges[1::2] - 1).tolist(), strict=True):
        run = _Run(first=first, last=last, cells=last - first + 1, peak=float(z[first : last + 1].max()))
        if runs and times[first] - times[runs[-1].last] <= _near(runs[-1], run, interval):
            runs[-1] = _joined(runs[-1], run)
        else:
            runs.append(run)
    chains: list[list[_Run]] = []
    for run in runs:
        if chains and _same_incident(chains[-1][-1], run, times, interval):
            chains[-1].append(run)
        else:
            chains.append([run])
    return [run for chain in chains for run in ([_chained(chain, times)] if len(chain) >= RHYTHM else chain)]


def _chained(bursts: Sequence[_Run], times: FloatArray) -> _Run:
    calm_s = max(float(times[b.first] - times[a.last]) for a, b in pairwise(bursts))
    return replace(reduce(_joined, bursts), calm_s=calm_s)


def _near(before: _Run, run: _Run, interval: float) -> float:
    """Seconds of calm that do not part two stretches: few where one or both were so strong that calm is no chance."""
    noisy = max(before.peak, run.peak) < EARLIER_Z or (min(before.peak, run.peak) < EARLIER_Z and _alike(before, run))
    return max(4 * interval, 10.0) if noisy else max(2 * interval, 4.0)


def _alike(before: _Run, run: _Run) -> bool:
    return min(before.peak, run.peak) >= ALIKE * max(before.peak, run.peak)


def _same_incident(before: _Run, run: _Run, times: FloatArray, interval: float) -> bool:
    gap = float(times[run.first] - times[before.last])
    longest = max(float(times[r.last] - times[r.first]) for r in (before, run))
    return gap <= _bridge(times, interval) and _alike(before, run) and longest <= max(BURST_S, 2 * interval)


def _joined(before: _Run, run: _Run) -> _Run:
    cells, peak = before.cells + run.cells, max(before.peak, run.peak)
    return _Run(first=before.first, last=run.last, cells=cells, peak=peak)
