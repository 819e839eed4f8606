"""Metrics to suspicions: which arbitrary indicators left their usual level at the onset, and whose fault that is.

Where the alarm is about a mean latency or a share of errors and calls are counted, the excess is followed along the
call graph, and no other service's latency or errors count beside that: they are either part of it or do not matter.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from agents.evidence.amounts import amount_weights
from agents.evidence.collapses import fallen
from agents.evidence.grid import quantiles
from agents.evidence.levels import (
    LEAST,
    Levels,
    Matrix,
    beginning_levels,
    deviations,
    horizon,
    present_levels,
    soften,
    usual_levels,
    within,
)
from agents.evidence.metrics.excess_latency import divide_excess
from agents.evidence.norms import Z_ABNORMAL
from agents.evidence.suspicion import Suspicion
from agents.evidence.types import BoolArray, Direction, Edge, Family, FloatArray, Onset, Series, Stretch, Window

SHARED_WEIGHT = 0.2  # of what several services report with the very same samples: it belongs to none of them
STEADY_SHARE = 0.5  # of its height that a level keeps in half of the samples, or it comes and goes
FITFUL_WEIGHT = 0.6
ALARMED = 6.0  # noise units that an indicator is taken for at least if an alarm was raised about it
LATELY_S = 120.0  # at the end of the window,
LAST = 3  # and samples at least, in most of which something must be abnormal to be still wrong
STOPPED = 0.5  # of the usual level that even the busiest samples of work that stopped do not reach
LOST = 0.7  # and of members of a pool, of which some are left
STOPPED_WEIGHT = 0.7  # as of a resource that is used up: what should be done is not
COMPARABLE = 12  # samples of a recording from which its beginning and what follows can be told apart
KEPT = 400  # suspicions handed over at most
FOLLOWED: tuple[Family, ...] = ("errors", "latency")
FELT: frozenset[Family] = frozenset((*FOLLOWED, "dependency_errors", "dependency_latency"))
GROWN = 1.5  # memory in use against before,
COUNTS = 0.2  # and the growth as a share of what the fleet's services typically use


@dataclass(frozen=True, kw_only=True)
class Followed:
    """The alarm's excess, followed along the calls: each service's share of it, and how plain the alarm is.

    `plain` is in noise units; below 3 hardly anything is wrong. `unseen` are, by service, those that it calls and that
    may answer in its place because they were not measured when it mattered.
    """

    suspicions: tuple[Suspicion, ...]
    shares: Mapping[str, float]
    plain: float
    unseen: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def metric_suspicions(
    matrices: Sequence[Matrix],
    onset: Onset,
    window: Window,
    *,
    spliced: Sequence[Stretch] = (),
    skipped: Collection[Family] = (),
    lasting: bool = False,
) -> list[Suspicion]:
    """Suspicions from all matrices, strongest first. Indicators of the `skipped` families are left out.

    With `lasting`, what is back in its usual range at the end of the window is left out: it is over.
    """
    found: list[Suspicion] = []
    for matrix in matrices:
        before, fresh, after = _columns(matrix, onset, window, spliced)
        if not after.any():
            continue
        with np.errstate(all="ignore"):
            if before.sum() >= LEAST:
                lately = _lately(matrix, after, window) if lasting else None
                found += _shifted(matrix, usual_levels(matrix, before, fresh), after, skipped, lately)
            elif (whole := _whole(matrix, window)).sum() >= COMPARABLE:
                levels, settled = beginning_levels(matrix, whole)
                found += _shifted(matrix, levels, settled, skipped)
    found.sort(key=lambda s: (-s.score, s.service, s.indicator, s.peer or ""))
    return found[:KEPT]


def has_baseline(matrices: Sequence[Matrix], onset: Onset, window: Window) -> bool:
    """Whether anything was measured before the onset that says what is usual; true where nothing was measured."""
    return not matrices or any(int(_columns(m, onset, window, ())[0].sum()) >= LEAST for m in matrices)


def _lately(matrix: Matrix, after: BoolArray, window: Window) -> BoolArray | None:
    """The last columns of the window; None where they are among those `after` the onset anyway."""
    columns = np.flatnonzero(matrix.times <= window.end.timestamp())[-max(LAST, round(LATELY_S / matrix.step_s)) :]
    if not columns.size or after[columns].any():
        return None
    lately = np.zeros_like(after)
    lately[columns] = True
    return lately


def _whole(matrix: Matrix, window: Window) -> BoolArray:
    start, end = window.start.timestamp(), window.end.timestamp()
    return np.asarray((matrix.times >= start) & (matrix.times <= end))


def follow_excess(
    matrices: Sequence[Matrix],
    edges: Sequence[Edge],
    onset: Onset,
    window: Window,
    *,
    symptom: tuple[str, Family],
    spliced: Sequence[Stretch] = (),
) -> Followed | None:
    """Where the excess of the alarm leads; None where it is not about errors or latency, or cannot be measured."""
    if symptom[1] not in FOLLOWED:
        return None
    for matrix in matrices:
        before, fresh, after = _columns(matrix, onset, window, spliced)
        if before.any() and after.any():
            with np.errstate(all="ignore"):
                followed = _followed_excess(matrix, usual_levels(matrix, before, fresh), after, edges, symptom)
            if followed is not None:
                return followed
    return None


def _columns(
    matrix: Matrix, onset: Onset, window: Window, spliced: Sequence[Stretch]
) -> tuple[BoolArray, BoolArray | None, BoolArray]:
    """Before the onset; of that, what was recorded together with the incident; after it."""
    at = onset.at.timestamp()
    before = (matrix.times >= window.start.timestamp()) & (matrix.times <= at - onset.guard_s)
    fresh = before & ~within(matrix.times, spliced) if spliced else None
    start, end = np.nextafter(at, np.inf), window.end.timestamp()
    return before, fresh, horizon(matrix.times, matrix.step_s, start, end, onset.late_s)


def _followed_excess(
    matrix: Matrix, levels: Levels, after: BoolArray, edges: Iterable[Edge], symptom: tuple[str, Family]
) -> Followed | None:
    portions = divide_excess(matrix, levels, after, edges, symptom)
    if not portions:
        return None
    high = present_levels(matrix, after)[2]
    alarm = next(p.row for p in portions if p.service == symptom[0])
    plain = _score(high[alarm], levels, alarm)
    found = []
    for portion in portions:
        row = matrix.rows[portion.row]
        found.append(
            Suspicion(
                service=row.service,
                family=row.family,
                indicator=row.indicator,
                score=max(ALARMED, plain) * portion.share,
                direction="up",
                baseline=float(levels.middle[portion.row]),
                current=float(high[portion.row]),
                unit=row.unit,
                source="metrics",
                exemplar=f"answers for {portion.share:.0%} of what {symptom[0]} suffers",
            )
        )
    return Followed(
        suspicions=tuple(found),
        shares={p.service: p.share for p in portions},
        plain=plain,
        unseen={p.service: p.unseen for p in portions if p.unseen},
    )


def _score(value: float, levels: Levels, row: int) -> float:
    return float(soften(np.array([(value - levels.middle[row]) / levels.up_noise[row]]))[0])


def _shifted(
    matrix: Matrix,
    levels: Levels,
    after: BoolArray,
    skipped: Collection[Family],
    lately: BoolArray | None = None,
) -> list[Suspicion]:
    low, middle, high = present_levels(matrix, after)
    up = (high - levels.middle) / levels.up_noise
    down = (levels.middle - low) / levels.down_noise
    rising = matrix.fleet.rising(up, down)
    z = np.where(rising, up, down)
    z = np.where(levels.known & np.isfinite(z) & (z < np.inf), z, 0.0)
    busiest = np.where(matrix.fleet.keeps, LOST, STOPPED) * levels.middle
    stopped = np.where(high < busiest, fallen(matrix, levels, middle), 0.0)
    stopped = np.where(stopped >= Z_ABNORMAL, stopped, 0.0)
    rising = rising & (stopped == 0)
    z = np.where(stopped > 0, np.fmax(stopped, z), z)
    if lately is not None:
        now = quantiles(deviations(matrix, levels, lately), (0.5,))[0]
        still = fallen(matrix, levels, quantiles(matrix.values[:, lately], (0.5,))[0])
        away = np.where(rising, now, np.where(stopped > 0, still, -now))
        z = np.where(away >= Z_ABNORMAL, z, 0.0)
    current = np.where(rising, high, np.where(stopped > 0, middle, low))
    steady = (middle - levels.middle) / np.where(current == levels.middle, np.inf, current - levels.middle)
    score = soften(z) * np.where(steady >= STEADY_SHARE, 1.0, FITFUL_WEIGHT)
    kept_share = amount_weights(matrix.fleet, levels.middle, np.where(z >= Z_ABNORMAL, current, levels.middle), rising)
    score *= np.where(stopped > 0, 1.0, kept_share)  # whoever stopped did all that it does
    kept = [i for i in np.flatnonzero(z >= Z_ABNORMAL).tolist() if matrix.rows[i].family not in skipped]
    score = _less_shared(matrix, kept, score)
    kept = sorted(kept, key=lambda i: -score[i])[:KEPT]
    found = [
        _suspicion(
            matrix.rows[i], float(levels.middle[i]), float(current[i]), float(score[i]), "up" if rising[i] else "down"
        )
        for i in kept
    ]
    return [replace(s, weight=STOPPED_WEIGHT) if stopped[i] > 0 else s for i, s in zip(kept, found, strict=True)]


def _less_shared(matrix: Matrix, kept: Iterable[int], score: FloatArray) -> FloatArray:
    """Samples that several services report alike are of something that they share, a machine for example."""
    alike: dict[tuple[str, bytes], set[int]] = defaultdict(set)
    for index in kept:
        alike[matrix.rows[index].indicator, matrix.values[index].tobytes()].add(index)
    lowered = score.copy()
    for rows in alike.values():
        if len({matrix.rows[i].service for i in rows}) > 1:
            lowered[list(rows)] *= SHARED_WEIGHT
    return lowered


def _suspicion(row: Series, baseline: float, current: float, score: float, direction: Direction) -> Suspicion:
    return Suspicion(
        service=row.service,
        family=row.family,
        indicator=row.indicator,
        score=score,
        direction=direction,
        baseline=baseline,
        current=current,
        unit=row.unit,
        source="metrics",
        peer=row.peer,
    )


def fills_memory(
    matrices: Sequence[Matrix],
    suspicions: Iterable[Suspicion],
    onset: Onset,
    window: Window,
    spliced: Sequence[Stretch] = (),
) -> frozenset[str]:
    """Of the services suspected for their memory those in which it plainly grew while their CPU use was high.

    Filling memory costs CPU time, while burning CPU time fills no memory: of such a service memory is the trouble. A
    shell or a debugger started beside it takes some megabytes, too; the growth must be large for it and for the fleet.
    """
    suspected = {s.service for s in suspicions if s.family == "memory" and s.source == "metrics"}
    found: set[str] = set()
    for matrix in matrices if suspected else ():
        before, _fresh, after = _columns(matrix, onset, window, spliced)
        rows = [i for i, r in enumerate(matrix.rows) if r.family == "memory"]
        if not rows or not before.any() or not after.any():
            continue
        with np.errstate(all="ignore"):
            usual = quantiles(matrix.values[rows][:, before], (0.5,))[0]
        typical = _typical([matrix.rows[i] for i in rows], usual)
        busy = {s: _busy(matrix, before, after, s) for s in suspected}
        for index, level, fleet in zip(rows, usual.tolist(), typical, strict=True):
            service = matrix.rows[index].service
            if service not in suspected or not np.isfinite(level):
                continue
            values = matrix.values[index, after][busy[service]]
            values = values[np.isfinite(values)]
            present = float(np.median(values)) if values.size else level
            if present >= GROWN * level and present - level >= COUNTS * fleet:
                found.add(service)
    return frozenset(found)


def _typical(rows: Sequence[Series], usual: FloatArray) -> list[float]:
    """Per row the median level of the same indicator in the fleet."""
    groups: dict[tuple[str, str], list[float]] = defaultdict(list)
    for row, level in zip(rows, usual.tolist(), strict=True):
        if np.isfinite(level):
            groups[row.indicator, row.unit].append(abs(level))
    return [float(np.median(groups.get((r.indicator, r.unit), [0.0]))) for r in rows]


def _busy(matrix: Matrix, before: BoolArray, after: BoolArray, service: str) -> BoolArray:
    """The columns of `after` in which the service's CPU use was plainly high; all where it never was."""
    rows = [i for i, r in enumerate(matrix.rows) if r.service == service and r.family == "cpu"]
    everything = np.ones(int(after.sum()), dtype=np.bool_)
    if not rows:
        return everything
    part = matrix.pick(rows)
    with np.errstate(all="ignore"):
        height = np.nan_to_num(deviations(part, usual_levels(part, before), after))
    peak = height.max(axis=1, keepdims=True, initial=0.0)
    busy = ((height >= Z_ABNORMAL) & (height >= STEADY_SHARE * peak)).any(axis=0)
    return busy if busy.any() else everything
