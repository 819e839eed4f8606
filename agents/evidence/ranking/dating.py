"""When a recorded incident began, told only roughly: somebody said so, and may be minutes wrong either way.

The usual level is read from well before the earliest moment that the report can mean. The onset is where the first of
the series that stand out plainly left that level. If none does, the earliest moment is taken: an onset that is a
minute late puts the incident into what counts as usual and ruins every comparison, a minute early costs next to
nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from agents.evidence.collapses import fallen, lasting, may_collapse
from agents.evidence.grid import quantiles
from agents.evidence.levels import Matrix, deviations, soften, usual_levels, within
from agents.evidence.norms import Z_ABNORMAL, bad_direction
from agents.evidence.types import BoolArray, Direction, FloatArray, Onset, Stretch, as_utc

EARLY_S = 180.0  # how long before the report an incident may have begun
LATE_S = 90.0  # and after it
LEAST_GUARD_S = 5.0
CLEAR = 8.0  # a series must stand out that far to date an incident
ALIKE = 0.6  # of the clearest one's score: they have a say too
FIRST = 0.25  # the quantile of their moments that is believed
TELLING = 0.6  # weight of a family in `NORMS` from which it may date an incident: bytes and system calls always waver
OLDER = 12  # samples that tell what was usual before a slow rise
LASTING = 4  # samples of which most are out of the range
HEIGHT = 5 / 6  # the quantile of the samples that is a series' height,
FEW_COLUMNS = 6  # where there are more than these
REACHED = 0.2  # share of its height from which a series is on its way up


@dataclass(frozen=True, kw_only=True)
class Search:
    """Epoch seconds between which the incident began, by the report alone."""

    earliest: float
    latest: float

    @classmethod
    def around(cls, reported_s: float) -> "Search":
        return cls(earliest=reported_s - EARLY_S, latest=reported_s + LATE_S)


@dataclass(frozen=True, kw_only=True)
class _Sign:
    at: float
    step_s: float
    score: float
    direction: Direction


def date_incident(matrices: Sequence[Matrix], search: Search, only: tuple[str, str] | None = None) -> Onset:
    """The onset. `only` names the (service, family) of the alarm where it is known: nothing else then dates it."""
    signs = [sign for matrix in matrices for sign in _signs(matrix, search, only)]
    if max((s.score for s in signs), default=0.0) < CLEAR:
        # Work stops before or after what hurts, as its cause or in its wake: plainly it dates what nothing else does.
        gone = [sign for matrix in matrices for sign in _signs(matrix, search, only, stopped=True)]
        signs += [sign for sign in gone if sign.score >= CLEAR]
    if not signs and only is not None:
        return date_incident(matrices, search)
    clearest = max((s.score for s in signs), default=0.0)
    if clearest < CLEAR:
        return Onset(
            at=as_utc(search.earliest),
            guard_s=0.0,
            score=round(clearest, 2),
            direction="up",
            late_s=search.latest - search.earliest,
        )
    heard = sorted((s for s in signs if s.score >= max(CLEAR, ALIKE * clearest)), key=lambda s: s.at)
    chosen = heard[int(FIRST * (len(heard) - 1))]
    return Onset(
        at=as_utc(chosen.at),
        guard_s=LEAST_GUARD_S
        if chosen.step_s < LEAST_GUARD_S
        else 0.0,  # a coarse onset is a whole step early as it is
        score=round(clearest, 2),
        direction=chosen.direction,
    )


def noticed_late(
    matrices: Sequence[Matrix], search: Search, alarm: tuple[str, str], spliced: Sequence[Stretch] = ()
) -> Search | None:
    """Where the alarm's own series had left its usual range well before the search begins, the search for that moment.

    Alarms wait for a threshold to be passed for a while, and what rises slowly passes it late. What is usual is then
    read from the older half of what was recorded together. None where the series was as usual until the search begins.
    """
    began = [
        moment
        for matrix in matrices
        for index, row in enumerate(matrix.rows)
        if (row.service, row.family) == alarm
        for moment in [_left_range(matrix, index, search.earliest, spliced)]
        if moment is not None
    ]
    if not began:
        return None
    return Search(earliest=min(began) - EARLY_S, latest=min(began) + LATE_S)


def _left_range(matrix: Matrix, index: int, until: float, spliced: Sequence[Stretch]) -> float | None:
    kept = (matrix.times < until) & ~within(matrix.times, spliced)
    older = kept & (matrix.times < np.quantile(matrix.times[kept], 0.5)) if kept.any() else kept
    if older.sum() < OLDER:
        return None
    row = matrix.pick([index])
    z = np.nan_to_num(deviations(row, usual_levels(row, older), kept))[0]
    bad = bad_direction(matrix.rows[index])
    out = (np.abs(z) if bad is None else z if bad == "up" else -z) >= Z_ABNORMAL
    last = out[-LASTING:]
    if last.sum() <= LASTING / 2:
        return None
    first = int(out.size)
    while first > 0 and out[max(0, first - LASTING) : first].mean() >= 0.5:
        first -= 1
    return float(matrix.times[kept][min(first, out.size - 1)])


def _signs(matrix: Matrix, search: Search, only: tuple[str, str] | None, *, stopped: bool = False) -> list[_Sign]:
    """Of the families that may date an incident; with `stopped`, of work that stopped instead."""
    kept = np.flatnonzero(may_collapse(matrix.fleet) if stopped else matrix.fleet.weight >= TELLING)
    if only is not None:
        kept = kept[[(matrix.rows[i].service, matrix.rows[i].family) == only for i in kept.tolist()]]
    step = matrix.step_s
    before = matrix.times < search.earliest - step
    if not kept.size or before.sum() < 2:
        return []
    rows = matrix.pick(kept)
    window = (matrix.times >= search.earliest - step) & (matrix.times <= search.latest + max(240.0, 2 * step))
    if not window.any():
        return []
    levels = usual_levels(rows, before)
    if stopped:
        gone = fallen(rows, levels, rows.values[:, window])
        z = np.where(lasting(gone >= Z_ABNORMAL), -gone, 0.0)
    else:
        z = np.nan_to_num(deviations(rows, levels, window))
    low, high = quantiles(z, (1 - HEIGHT, HEIGHT)) if z.shape[1] > FEW_COLUMNS else (z.min(axis=1), z.max(axis=1))
    plain = levels.known & (np.maximum(high, -low) >= Z_ABNORMAL)
    times = matrix.times[window]
    return [
        sign
        for i in np.flatnonzero(plain).tolist()
        for sign in [_first_crossing(z[i], times, step, search, "down" if stopped else bad_direction(rows.rows[i]))]
        if sign is not None
    ]


def _first_crossing(
    z: FloatArray, times: FloatArray, step_s: float, search: Search, bad: Direction | None
) -> _Sign | None:
    """Where a row left its usual range and stayed out for most of the next while."""
    best: _Sign | None = None
    for direction, signed in (("up", z), ("down", -z)):
        if bad is not None and direction != bad:
            continue
        height = float(np.quantile(signed, HEIGHT)) if signed.size > FEW_COLUMNS else float(signed.max())
        if height < Z_ABNORMAL:
            continue
        out = signed >= max(Z_ABNORMAL, REACHED * height)
        first = _sustained(out, max(1, min(int(20 / step_s), 10)))
        if first is None or times[first] > search.latest + step_s:
            continue
        score = float(soften(np.array([height]))[0])
        if best is None or score > best.score:
            best = _Sign(
                at=float(times[first]) - step_s,
                step_s=step_s,
                score=score,
                direction="up" if direction == "up" else "down",
            )
    return best


def _sustained(out: BoolArray, cells: int) -> int | None:
    """The first column from which on at least half of the next `cells` are out."""
    total = np.concatenate([[0], np.cumsum(out)])
    for first in np.flatnonzero(out).tolist():
        last = min(first + cells, out.size)
        if total[last] - total[first] >= (last - first) / 2:
            return int(first)
    return None
