"""When many series stepped together, found without a baseline: the stretch in which each differs most from the rest.

A fault that began and may have ended again leaves most series at another level for one stretch. For each series every
stretch is tried, and the one is kept whose mean is furthest from the mean of all, measured by how far sums of so many
samples stray by chance (the epidemic change of Levin and Kline). One series may find any stretch; that several find
the same beginning is no chance. Needs a second or two of history more than the incident, and no time told.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from agents.evidence.levels import Matrix
from agents.evidence.types import FloatArray, IntArray, Onset, as_utc

LEAST = 24  # samples in which a stretch can be found
MOST = 400  # the latest samples that are looked at; every stretch of them is tried
SHORTEST = 5  # samples of a stretch, and before it
BEFORE = 12  # samples that must lie before it, else the recording begins with it; unless a whole server shows it
ROWS = 96  # series that move most
SURE = 6.0  # times what sums stray by chance
AGREE = 0.4  # of the sure series that begin together
TOGETHER_S = 10.0
FEWEST = 3
WIDE = 10  # series that step together, from which a server has changed its state: fewer may be one cause's echo
MOVING = 0.15  # of those that move at all


@dataclass(frozen=True, kw_only=True)
class Stepped:
    """`wide` where so many series stepped together that the whole server changed, whatever each of them means."""

    onset: Onset
    wide: bool


def date_by_steps(matrices: Sequence[Matrix], start_s: float, end_s: float) -> Stepped | None:
    """When several series began to differ, between `start_s` and `end_s` (epoch seconds); None if they do not agree."""
    found: list[tuple[float, float, float]] = []
    moving, begins_s, begins_wide_s = 0, start_s, start_s
    for matrix in matrices:
        columns = np.flatnonzero((matrix.times >= start_s) & (matrix.times <= end_s))[-MOST:]
        if columns.size < LEAST:
            continue
        times = matrix.times[columns]
        begins_s = max(begins_s, float(times[BEFORE]))
        begins_wide_s = max(begins_wide_s, float(times[SHORTEST - 1]))
        rows = _levelled(matrix.values[:, columns])
        moving += len(rows)
        height, first = _stretches(rows)
        found += [
            (float(times[i]), float(h), matrix.step_s)
            for i, h in zip(first.tolist(), height.tolist(), strict=True)
            if h >= SURE
        ]
    onset = _agreed(found)
    wide = len(found) >= max(WIDE, MOVING * moving)
    services = {row.service for matrix in matrices for row in matrix.rows}
    if onset is None or onset.at.timestamp() < (begins_wide_s if wide and len(services) == 1 else begins_s):
        return None
    return Stepped(onset=onset, wide=wide)


def _agreed(found: Sequence[tuple[float, float, float]]) -> Onset | None:
    strong = sorted(found, key=lambda f: -f[1])[: ROWS // 4]
    if len(strong) < FEWEST:
        return None
    step = float(np.median([s for _, _, s in strong]))
    middle = float(np.median([t for t, _, _ in strong]))
    near = [f for f in strong if abs(f[0] - middle) <= max(TOGETHER_S, 2 * step)]
    if len(near) < max(FEWEST, AGREE * len(strong)):
        return None
    at = float(np.median([t for t, _, _ in near]))
    score = float(np.median([h for _, h, _ in near]))
    return Onset(
        at=as_utc(at - step), guard_s=step if step < TOGETHER_S else 0.0, score=round(score, 2), direction="up"
    )


def _levelled(values: FloatArray) -> FloatArray:
    """The rows that move most, without outliers, around their mean, in units of what they stray between samples."""
    rows: FloatArray = np.asarray(values[np.isfinite(values).mean(axis=1) > AGREE], dtype=np.float64)
    if not rows.size:
        return rows
    middle = np.nanmedian(rows, axis=1, keepdims=True)
    rows = np.where(np.isfinite(rows), rows, middle)
    low, high = np.quantile(rows, (0.1, 0.9), axis=1, keepdims=True)
    rows = np.clip(rows, middle - 2 * (high - low), middle + 2 * (high - low))
    rows = rows - rows.mean(axis=1, keepdims=True)
    stray = np.maximum(_stray(rows), np.sqrt(SHORTEST) * _stray(_means(rows)))
    whole = rows.std(axis=1, keepdims=True)
    moving = (whole > 0)[:, 0]
    rows = (rows / np.maximum(np.maximum(stray, 0.2 * whole), 1e-12))[moving]
    return np.asarray(rows[np.argsort(-np.abs(rows).mean(axis=1), kind="stable")[:ROWS]], dtype=np.float64)


def _stray(rows: FloatArray) -> FloatArray:
    """How far neighbours lie apart, as a standard deviation; a step moves few of the neighbours."""
    return np.asarray(np.median(np.abs(np.diff(rows, axis=1)), axis=1, keepdims=True) / 0.954)


def _means(rows: FloatArray) -> FloatArray:
    """Means of neighbouring samples. Of what was smoothed they stray more than chance alone allows."""
    blocks = rows.shape[1] // SHORTEST
    return np.asarray(rows[:, -blocks * SHORTEST :].reshape(len(rows), blocks, SHORTEST).mean(axis=2))


def _stretches(rows: FloatArray) -> tuple[FloatArray, IntArray]:
    """Per row how far its most different stretch is from the rest, and the column in which that begins."""
    count, size = rows.shape
    total = np.concatenate([np.zeros((count, 1)), np.cumsum(rows, axis=1)], axis=1)
    best, at = np.zeros(count), np.zeros(count, dtype=np.int64)
    for length in range(SHORTEST, size - SHORTEST):
        inside = np.abs(total[:, length:] - total[:, : size - length + 1])
        inside[:, :SHORTEST] = 0.0
        first = inside.argmax(axis=1)
        height = inside[np.arange(count), first] / np.sqrt(length * (1 - length / size))
        better = height > best
        best[better], at[better] = height[better], first[better]
    return best, at
