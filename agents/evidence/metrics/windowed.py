"""One metric over a window on one grid: as events, as a rate, as a mean, as the 95th percentile.

Counters are read as increases, a reset counts from zero again; histograms are read from their buckets, sums and counts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal

import numpy as np

from agents.evidence.types import FloatArray, RawSeries, Window, as_utc
from agents.rows import Sampled

Shown = Literal["count", "rate", "p95", "mean"]
POINTS: Final = 30
MOST_SERIES: Final = 12
_PARTS: Final = ("_bucket", "_sum", "_count", "_total")
_OWN: Final = frozenset(("service", "le", "job"))
_PERCENTILE: Final = 95


@dataclass(frozen=True, kw_only=True)
class WantedMetric:
    """Which metric of which service, and how it is shown."""

    service: str
    name: str
    labels: Mapping[str, str]
    shown: Shown


class NoSuchReading(ValueError):
    """A metric of this kind cannot be shown so; the sentence says how it can."""


def metric_names(raw: Sequence[RawSeries]) -> list[str]:
    """All names, a histogram under its own rather than its parts'."""
    buckets = {series.name.removesuffix("_bucket") for series in raw if series.kind == "histogram_bucket"}
    return sorted({base if (base := _base(series.name)) in buckets else series.name for series in raw})


def window_of(raw: Sequence[RawSeries], wanted: WantedMetric, window: Window) -> list[Sampled]:
    """The series of a metric with these labels, each a row in full precision. Raises NoSuchReading."""
    shown = wanted.shown
    mine = [series for series in raw if _is_named(series, wanted.name) and _has(series, wanted.labels)]
    edges = _grid(mine, window)
    buckets = [series for series in mine if series.kind == "histogram_bucket"]
    found: list[tuple[Mapping[str, str], FloatArray]] = []
    if buckets and shown == "p95":
        found = [(rest, _quantile(group, edges)) for rest, group in _grouped(buckets)]
    elif buckets:
        found = _of_histogram(mine, shown, edges)
    else:
        found = [(_own(series), _plain(series, shown, edges)) for series in mine]
    rows = [_row(wanted, rest, edges[1:], values) for rest, values in found]
    return [row for row in rows if row.points][:MOST_SERIES]


def _of_histogram(
    mine: Sequence[RawSeries], shown: Shown, edges: FloatArray
) -> list[tuple[Mapping[str, str], FloatArray]]:
    counts = {str(_own(s)): s for s in mine if s.name.endswith("_count")}
    sums = {str(_own(s)): s for s in mine if s.name.endswith("_sum")}
    found: list[tuple[Mapping[str, str], FloatArray]] = []
    for key, counter in counts.items():
        events = _increases(counter, edges)
        if shown == "count":
            values = events
        elif shown == "rate":
            values = events / np.diff(edges)
        elif key in sums:
            with np.errstate(invalid="ignore", divide="ignore"):
                values = np.where(events > 0, _increases(sums[key], edges) / events, np.nan)
        else:
            continue
        found.append((_own(counter), values))
    return found


def _plain(series: RawSeries, shown: Shown, edges: FloatArray) -> FloatArray:
    if series.kind == "counter" or series.name.endswith("_total"):
        if shown in ("p95", "mean"):
            raise NoSuchReading(f"{series.name} is a counter: ask for rate or count")
        return _increases(series, edges) / (np.diff(edges) if shown == "rate" else 1.0)
    if shown in ("rate", "count"):
        raise NoSuchReading(f"{series.name} is a gauge: ask for mean or p95")
    out = np.full(len(edges) - 1, np.nan)
    for place, (start, end) in enumerate(pairwise(edges)):
        inside = series.values[(series.times > start) & (series.times <= end)]
        inside = inside[np.isfinite(inside)]
        if inside.size:
            out[place] = float(np.percentile(inside, _PERCENTILE) if shown == "p95" else inside.mean())
    return out


def _increases(series: RawSeries, edges: FloatArray) -> FloatArray:
    """How much a total grew in each cell; NaN where no sample lies on either side of it."""
    known = np.isfinite(series.values)
    times, values = series.times[known], series.values[known]
    if times.size < 2:
        return np.full(len(edges) - 1, np.nan)
    steps = np.diff(values)
    grown = np.concatenate([[0.0], np.cumsum(np.where(steps < 0, values[1:], steps))])
    at = np.interp(edges, times, grown)
    inside = (edges[:-1] >= times[0] - 1e-9) & (edges[1:] <= times[-1] + 1e-9)
    cells: FloatArray = np.where(inside, np.diff(at), np.nan)
    return cells


def _quantile(buckets: Sequence[RawSeries], edges: FloatArray) -> FloatArray:
    """Linear within the bucket, as PromQL's histogram_quantile; the last finite bound where it lies beyond."""
    bounds = sorted(
        (float(series.labels.get("le", "inf").replace("+Inf", "inf")), n) for n, series in enumerate(buckets)
    )
    counts = np.array([_increases(buckets[n], edges) for _, n in bounds])
    limits = [bound for bound, _ in bounds]
    out = np.full(len(edges) - 1, np.nan)
    for cell in range(counts.shape[1]):
        column = counts[:, cell]
        if not np.isfinite(column).all() or column[-1] <= 0:
            continue
        rank = column[-1] * _PERCENTILE / 100
        place = int(np.searchsorted(column, rank))
        if not np.isfinite(limits[place]):
            out[cell] = limits[place - 1] if place else np.nan
            continue
        low = limits[place - 1] if place else 0.0
        below = column[place - 1] if place else 0.0
        out[cell] = low + (limits[place] - low) * (rank - below) / max(column[place] - below, 1e-12)
    return out


def _grid(mine: Sequence[RawSeries], window: Window) -> FloatArray:
    """Equal cells for all series: at most `POINTS`, none shorter than the samples lie apart."""
    start, end = window.start.timestamp(), window.end.timestamp()
    gaps = [float(np.median(np.diff(series.times))) for series in mine if series.times.size > 1]
    cells = int(max(1, min(POINTS, (end - start) / max(gaps, default=1.0))))
    edges: FloatArray = np.linspace(start, end, cells + 1)
    return edges


def _grouped(buckets: Sequence[RawSeries]) -> list[tuple[Mapping[str, str], list[RawSeries]]]:
    groups = defaultdict[str, list[RawSeries]](list)
    for series in buckets:
        groups[str(_own(series))].append(series)
    return [(_own(group[0]), group) for group in groups.values()]


def _row(wanted: WantedMetric, labels: Mapping[str, str], at: FloatArray, values: FloatArray) -> Sampled:
    name, shown = wanted.name, wanted.shown
    points = tuple(
        (as_utc(float(moment)), float(value)) for moment, value in zip(at, values, strict=True) if np.isfinite(value)
    )
    told = ",".join(f'{key}="{value}"' for key, value in sorted(labels.items()))
    title = f"{name}{{{told}}} {shown}{' per second' if shown == 'rate' else ''}"
    return Sampled(
        service=wanted.service,
        name=name,
        labels=dict(labels),
        points=points,
        counted="rate" if shown == "rate" else "value",
        line=f"{title}: " + " ".join(f"{moment:%H:%M:%S}={value:.6g}" for moment, value in points),
    )


def _base(name: str) -> str:
    return next((name.removesuffix(part) for part in _PARTS[:3] if name.endswith(part)), name)


def _is_named(series: RawSeries, name: str) -> bool:
    return series.name == name or (_base(series.name) == name and series.name != name)


def _has(series: RawSeries, labels: Mapping[str, str]) -> bool:
    return all(series.labels.get(key) == value for key, value in labels.items())


def _own(series: RawSeries) -> dict[str, str]:
    return {key: value for key, value in sorted(series.labels.items()) if key not in _OWN}
