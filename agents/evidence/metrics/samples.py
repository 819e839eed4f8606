"""Cumulative samples to increments, and gauges to their last known level.

A counter below its predecessor has been reset and counts from zero again, as in PromQL. A counter that is born while
its process was already being scraped counts from zero too: the very first error is not lost.
"""

from dataclasses import dataclass, field

import numpy as np

from agents.evidence.grid import Grid, last_seen
from agents.evidence.names import INSTANCE_LABELS, first_label
from agents.evidence.types import BoolArray, FloatArray, IntArray, RawKind, RawSeries

STALE_CELLS = 4  # scrapes that may be missed before "unchanged" turns into "unknown"


@dataclass(kw_only=True, eq=False)
class Rows:
    """One row per raw series that belongs to a service, with what its name means."""

    raw: list[RawSeries]
    service: list[str]
    kind: list[RawKind]
    grid: Grid
    increments: FloatArray = field(default_factory=lambda: np.empty((0, 0)))
    known: BoolArray = field(default_factory=lambda: np.empty((0, 0), dtype=np.bool_))
    level: FloatArray = field(default_factory=lambda: np.empty((0, 0)))


def process_of(series: RawSeries, service: str) -> tuple[str, str]:
    return service, first_label(series.labels, INSTANCE_LABELS) or ""


def fill_rows(rows: Rows) -> None:
    """Compute per-cell increments (for counters) and the last known level (for gauges) of every row."""
    values = rows.grid.values
    valid = np.isfinite(values)
    seen = last_seen(valid)
    columns = np.arange(values.shape[1])
    known = seen >= 0
    level = np.where(known, np.take_along_axis(values, np.maximum(seen, 0), axis=1), np.nan)
    typical_gap = np.maximum(1, (values.shape[1] // np.maximum(valid.sum(axis=1), 1)))[:, None]
    fresh = known & (columns - seen <= STALE_CELLS * typical_gap)
    first = np.where(valid.any(axis=1), valid.argmax(axis=1), values.shape[1])
    born_late = first > _first_of_process(rows, first)
    cumulative = np.where(~known & born_late[:, None], 0.0, level)
    step = np.diff(cumulative, axis=1)
    step = np.where(step < 0, cumulative[:, 1:], step)
    rows.increments = np.where(
        fresh | (~known & born_late[:, None]), np.pad(step, ((0, 0), (1, 0)), constant_values=np.nan), np.nan
    )
    rows.known = np.isfinite(rows.increments)
    rows.level = np.where(fresh, level, np.nan)


def _first_of_process(rows: Rows, first: IntArray) -> IntArray:
    """For each row the first cell in which any series of its process was seen."""
    earliest: dict[tuple[str, str], int] = {}
    keys = [process_of(r, s) for r, s in zip(rows.raw, rows.service, strict=True)]
    for key, cell in zip(keys, first.tolist(), strict=True):
        earliest[key] = min(cell, earliest.get(key, cell))
    return np.array([earliest[key] for key in keys], dtype=np.int64)
