"""What leaks, fills or runs out: stocks that moved piece by piece for as long as is looked, and still do.

A cache that warms up comes to rest, a level that wavers comes back, and a step is no drift. What accumulates does
neither: of the pieces into which the time since is cut nearly each lies beyond the one before (Mann's test for a trend;
eight pieces in any order agree so well once in a thousand times), the last ones as much as the first. What a service
holds because it has more to do is no leak, so its own load must not have risen as much.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from agents.evidence.grid import quantiles
from agents.evidence.levels import LEAST, Levels, Matrix, soften, usual_levels, within
from agents.evidence.norms import Z_ABNORMAL
from agents.evidence.suspicion import Suspicion
from agents.evidence.types import BoolArray, Family, FloatArray, IntArray, Onset, Stretch, Window

STOCKS: frozenset[Family] = frozenset(("memory", "saturation"))
LEAST_S = 1200.0  # since when something drifts at least, to be told from what only wavers
PIECES = 8
SAMPLES = 3  # a piece at least
AGREEING = 0.85  # of all pairs of pieces
SINGLE = 0.5  # of the whole way that one piece may go: more is a step
GOING_ON = 0.5  # of its mean pace that it must still have
BEFORE = 0.5  # of the way that it may have wandered before
PLAIN = 2 * Z_ABNORMAL
LOADED = 0.5  # of the growth that the service's own load may explain
WEIGHT = 0.9  # nearly as an error: it ends as one


def drift_suspicions(
    matrices: Sequence[Matrix], onset: Onset, window: Window, *, spliced: Sequence[Stretch] = ()
) -> list[Suspicion]:
    """Stocks that drift from the onset to the end of the window. Empty where that is less than twenty minutes."""
    start, end = onset.at.timestamp(), window.end.timestamp()
    if end - start < LEAST_S:
        return []
    looked: list[tuple[Matrix, BoolArray, IntArray]] = []
    for matrix in matrices:
        before = (matrix.times >= window.start.timestamp()) & (matrix.times < start) & ~within(matrix.times, spliced)
        columns = np.flatnonzero((matrix.times >= start) & (matrix.times <= end))
        if before.sum() >= LEAST and columns.size >= PIECES * SAMPLES:
            looked.append((matrix, before, columns))
    load: dict[str, float] = {}
    with np.errstate(all="ignore"):
        for one in looked:
            for service, growth in _load(*one).items():
                load[service] = max(growth, load.get(service, 0.0))
        return [s for one in looked for s in _drifting(*one, load)]


def _drifting(matrix: Matrix, before: BoolArray, columns: IntArray, load: Mapping[str, float]) -> list[Suspicion]:
    index = np.flatnonzero([row.family in STOCKS and row.peer is None for row in matrix.rows])
    if not index.size:
        return []
    rows = matrix.pick(index)
    sign = np.where(rows.fleet.side < 0, -1.0, 1.0)
    levels = usual_levels(rows, before)
    pieces = _pieces(rows.values, columns)
    z = _distance(levels, pieces[:, -1], sign)
    plain = levels.known & (z >= PLAIN) & _goes_one_way(pieces * sign[:, None])
    way = np.abs(pieces[:, -1] - levels.middle)
    low, high = quantiles(rows.values[:, before], (0.01, 0.99))
    plain &= (high - low) <= BEFORE * way
    growth = np.abs(pieces[:, -1] / np.where(levels.middle == 0, np.nan, levels.middle) - 1)
    score = soften(z)
    found = []
    for i in np.flatnonzero(plain).tolist():
        row = rows.rows[i]
        if load.get(row.service, 0.0) >= LOADED * growth[i]:
            continue
        found.append(
            Suspicion(
                service=row.service,
                family=row.family,
                indicator=row.indicator,
                score=float(score[i]),
                direction="up" if sign[i] > 0 else "down",
                baseline=float(levels.middle[i]),
                current=float(pieces[i, -1]),
                unit=row.unit,
                source="metrics",
                exemplar="has moved on and on since, and still does",
                weight=WEIGHT,
            )
        )
    return found


def _pieces(values: FloatArray, columns: IntArray) -> FloatArray:
    """The medians of equal pieces of the columns, rows x pieces."""
    return np.stack([quantiles(values[:, part], (0.5,))[0] for part in np.array_split(columns, PIECES)], axis=1)


def _distance(levels: Levels, now: FloatArray, sign: FloatArray) -> FloatArray:
    away = (now - levels.middle) * sign
    return np.asarray(np.nan_to_num(away / np.where(sign > 0, levels.up_noise, levels.down_noise)))


def _goes_one_way(pieces: FloatArray) -> BoolArray:
    """Which rows of pieces rise nearly always, not in one step, and at the end as they did on the whole."""
    first, second = np.triu_indices(PIECES, 1)
    agreeing = (pieces[:, second] > pieces[:, first]).mean(axis=1)
    steps = np.diff(pieces, axis=1)
    whole = pieces[:, -1] - pieces[:, 0]
    lately = (pieces[:, -1] - pieces[:, -3]) / 2
    return np.asarray(
        (agreeing >= AGREEING)
        & (steps.max(axis=1) <= SINGLE * whole)
        & (lately >= GOING_ON * whole / (PIECES - 1))
        & np.isfinite(pieces).all(axis=1)
    )


def _load(matrix: Matrix, before: BoolArray, columns: IntArray) -> dict[str, float]:
    """By service how much its requests grew, as a share: the most of its indicators of traffic."""
    index = np.flatnonzero([row.family == "traffic" and row.peer is None for row in matrix.rows])
    if not index.size:
        return {}
    usual = quantiles(matrix.values[index][:, before], (0.5,))[0]
    now = quantiles(matrix.values[index][:, columns[-columns.size // PIECES :]], (0.5,))[0]
    found: dict[str, float] = {}
    for i, was, is_now in zip(index.tolist(), usual.tolist(), now.tolist(), strict=True):
        if was > 0 and np.isfinite(is_now):
            service = matrix.rows[i].service
            found[service] = max(found.get(service, 0.0), is_now / was - 1)
    return found
