"""What never was: the last hours of a series beside all days before it, where days are recorded.

A series is cut into pieces of a quarter of an hour, an hour and three hours, and each piece of the last six hours is
held against all pieces before it: how likely would one so high (or so low) be, if nothing had changed? Beyond what was
seen often the tail is taken to fall off exponentially, with the mean excess over a threshold (peaks over threshold,
Pickands 1975; over streams Siffer et al. 2017). The most cautious of several thresholds counts, since rare bursts have
a longer tail than the rest, and how little a few excesses tell of their mean is counted in. Where a day looks like the
day before, each piece is first compared with the same time of other days: an hour that is high every day is no news.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from agents.evidence.fleet import WORK
from agents.evidence.grid import quantiles
from agents.evidence.levels import Matrix, identity
from agents.evidence.norms import bad_direction
from agents.evidence.suspicion import Suspicion
from agents.evidence.types import BoolArray, Direction, FloatArray, Series

DAY_S = 86_400.0
WEEK_S = 7 * DAY_S
NEAR_S = 1800.0  # what comes daily comes half an hour earlier or later
LEAST_NEAR = 4  # samples in that hour
OUTER = 0.75  # what a quarter of an hour of it went beyond
AS_FAR = 0.7  # of the way that it went today
LEAST_S = DAY_S  # of history before the hours that are looked at
RECENT_S = 21_600.0
PIECES_S = (900.0, 3600.0, 10_800.0)
FALSE_ALARMS = 0.02  # of looks at six hours in which nothing happened
TAILS = (0.1, 0.03, 0.01)  # shares of the pieces whose excess tells how the rest falls off: the most cautious counts
LEAST_TAIL = 5  # pieces in it
ROUGH = 0.02  # of the level that a mean excess is at least: sensors round
SEASONAL = 0.7  # of the spread that is left without the daily shape, below which there is one
DAYS = 2  # that tell a daily shape
LEAST_SAMPLES = 100
MOST = 400  # series that are looked at, those of the most telling families first: each takes milliseconds
SAMPLES = 0.5  # of a piece that must have been recorded


@dataclass(frozen=True, kw_only=True)
class Unprecedented:
    """`at` (epoch seconds) begins the first piece that is out; `likelihood` is that of a false alarm like it."""

    series: Series
    at: float
    piece_s: float
    direction: Direction
    usual: float
    now: float
    likelihood: float

    @property
    def service(self) -> str:
        return self.series.service


def unprecedented(matrices: Sequence[Matrix], end_s: float) -> list[Unprecedented]:
    """Series whose last six hours hold what their history never did, the least likely first.

    The more series are looked at, the less likely each must be, so that all together raise no more false alarms.
    """
    rows = _most_telling(matrices, end_s)
    found = [
        one
        for matrix, index in rows
        if (one := _judge(matrix.rows[index], matrix.times, matrix.values[index], end_s, FALSE_ALARMS / len(rows)))
        is not None
    ]
    return sorted(found, key=lambda f: (f.likelihood, f.series.service, f.series.indicator))


def _most_telling(matrices: Sequence[Matrix], end_s: float) -> list[tuple[Matrix, int]]:
    """The rows with days before the last hours, as many as there is time for."""
    long = [m for m in matrices if m.times[0] <= end_s - RECENT_S - LEAST_S]
    rows = [(m, i) for m in long for i in range(len(m.rows))]
    return sorted(rows, key=lambda r: -float(r[0].fleet.weight[r[1]]))[:MOST]


def compared(matrices: Sequence[Matrix], end_s: float) -> tuple[int, int]:
    """How many series were looked at, and how many have days before the last hours."""
    long = sum(len(m.rows) for m in matrices if m.times[0] <= end_s - RECENT_S - LEAST_S)
    return min(long, MOST), long


def as_on_other_days(matrices: Sequence[Matrix], suspicions: Sequence[Suspicion], at_s: float) -> set[int]:
    """Places of those suspicions that say no more than the same hour of every other recorded day.

    Yesterday, and where so much is recorded this day last week, went as far as today since `at_s` (epoch seconds). A
    job that runs at this hour, or the morning's load, is no fault. Empty where no other day is recorded.
    """
    rows = {identity(row): (matrix, i) for matrix in matrices for i, row in enumerate(matrix.rows)}
    found = set()
    for place, s in enumerate(suspicions):
        matrix, row = rows.get((s.service, s.indicator, s.peer or "", s.family), (None, 0))
        if matrix is None or s.source != "metrics" or s.current == s.baseline:
            continue
        reached = [
            (level - s.baseline) / (s.current - s.baseline)
            for ago in (DAY_S, WEEK_S)
            if (level := _level(matrix, row, at_s - ago, rising=s.current > s.baseline)) is not None
        ]
        if reached and min(reached) >= AS_FAR:
            found.add(place)
    return found


def _level(matrix: Matrix, row: int, at_s: float, *, rising: bool) -> float | None:
    """How high, or low, most of a quarter of an hour around that time went; None where it was not recorded."""
    if at_s - NEAR_S < matrix.times[0]:
        return None
    columns = np.flatnonzero((matrix.times >= at_s - NEAR_S) & (matrix.times <= at_s + NEAR_S))
    values = matrix.values[row, columns]
    values = values[np.isfinite(values)]
    if values.size < LEAST_NEAR:
        return None
    return float(np.quantile(values, OUTER if rising else 1 - OUTER))


def _judge(series: Series, times: FloatArray, values: FloatArray, end_s: float, least: float) -> Unprecedented | None:
    kept = (times <= end_s) & np.isfinite(values)
    times, values = times[kept], values[kept]
    if times.size < LEAST_SAMPLES:
        return None
    bad = bad_direction(series)
    directions: tuple[Direction, ...] = ("up", "down") if bad is None or series.family in WORK else (bad,)
    best: Unprecedented | None = None
    tests = sum(RECENT_S / length for length in PIECES_S) * len(directions)
    for length in PIECES_S:
        starts, pieces = _pieces(times, values, length, end_s)
        recent = starts > end_s - RECENT_S - 1e-6
        past = np.isfinite(pieces) & ~recent
        if past.sum() * length < LEAST_S * SAMPLES or not (recent & np.isfinite(pieces)).any():
            continue
        usual = float(np.median(pieces[past]))
        shape = _without_days(starts, pieces, past)
        for direction in directions:
            sign = 1.0 if direction == "up" else -1.0
            likely = _likelihood(sign * shape, past, recent, abs(usual)) * tests
            out = np.flatnonzero(recent & (likely <= least))
            if out.size and (best is None or likely[out].min() < best.likelihood):
                best = Unprecedented(
                    series=series,
                    at=float(starts[out[0]]),
                    piece_s=length,
                    direction=direction,
                    usual=usual,
                    now=float(pieces[out][np.argmin(likely[out])]),
                    likelihood=float(likely[out].min()),
                )
    return best


def _pieces(times: FloatArray, values: FloatArray, length: float, end_s: float) -> tuple[FloatArray, FloatArray]:
    """Means of pieces that end with the window, and when each begins; NaN where too little of one was recorded."""
    count = int((end_s - times[0]) / length)
    number = count - 1 - np.floor((end_s - times) / length).astype(np.int64)
    inside = (number >= 0) & (number < count)
    samples = np.bincount(number[inside], minlength=count)
    total = np.bincount(number[inside], weights=values[inside], minlength=count)
    expected = max(1.0, length / float(np.median(np.diff(times))))
    enough = samples >= np.maximum(1.0, SAMPLES * expected)
    with np.errstate(all="ignore"):
        pieces = np.where(enough, total / samples, np.nan)
    return end_s - length * np.arange(count, 0, -1, dtype=np.float64), pieces


def _without_days(starts: FloatArray, pieces: FloatArray, past: BoolArray) -> FloatArray:
    """The pieces without what is usual at their time of day, where days look alike; else as they are.

    What is usual is the median of the other days at that time, so that no day is compared with itself.
    """
    a_day = round(DAY_S / float(starts[1] - starts[0])) if starts.size > 1 else 0
    days = pieces.size // a_day if a_day else 0
    if days < DAYS + 1:
        return pieces
    first = pieces.size - days * a_day
    whole = pieces[first:].reshape(days, a_day)
    known = np.where(past[first:].reshape(days, a_day), whole, np.nan)
    others = np.stack([_medians(np.delete(known, day, axis=0)) for day in range(days)])
    left = np.full(pieces.size, np.nan)
    left[first:] = (whole - others).ravel()
    return left if _spread(left[past]) <= SEASONAL * _spread(pieces[past]) else pieces


def _medians(days: FloatArray) -> FloatArray:
    """Of each time of day; NaN where no day was recorded then."""
    return np.asarray(quantiles(np.ascontiguousarray(days.T), (0.5,))[0])


def _spread(values: FloatArray) -> float:
    low, high = quantiles(values[None, :], (0.1, 0.9))
    return float(high[0] - low[0])


def _likelihood(pieces: FloatArray, past: BoolArray, recent: BoolArray, level: float) -> FloatArray:
    """How likely a piece so high is by all before it; 1 where it is not recent, or nothing tells."""
    known = pieces[past & np.isfinite(pieces)]
    found = np.ones(pieces.size)
    ordered = np.sort(known)
    likely = np.zeros(pieces.size)
    for tail in sorted({max(LEAST_TAIL, round(share * known.size)) for share in TAILS}):
        if known.size < 2 * tail:
            return found
        threshold = ordered[-tail - 1]
        mean_excess = max(float((ordered[-tail:] - threshold).mean()), ROUGH * level, 1e-12)
        over = np.clip(np.nan_to_num(pieces - threshold, nan=0.0), 0.0, None)
        # Of an exponential tail whose mean is known from so many excesses only, a new one is distributed after Lomax.
        beyond = (tail / known.size) * (1 + over / (tail * mean_excess)) ** -tail
        likely = np.maximum(likely, np.where(over > 0, beyond, 1.0))
    return np.asarray(np.where(recent, np.maximum(likely, 1e-12), found))
