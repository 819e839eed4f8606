"""The few series that matter, as Slack's native line chart.

Limits (title 50 characters, 20 points, labels of 20 characters, 6 series, unique names, every series on the same
categories): https://docs.slack.dev/reference/block-kit/blocks/data-visualization-block
"""

from collections.abc import Sequence
from datetime import datetime

import numpy as np

from agents.evidence.grid import clean
from agents.evidence.types import FloatArray, Onset, Series, as_utc

MAX_POINTS = 20
MAX_SERIES = 6
MAX_TITLE = 50
MAX_LABEL = 20
JsonObject = dict[str, object]


def chart_points(series: Series, onset: Onset | None, points: int = MAX_POINTS) -> list[tuple[str, float]]:
    """At most `points` (label, value) pairs that keep the shape; the onset, if inside, begins a bucket of its own.

    Labels are HH:MM:SS UTC and unique (with the day in front where the series is longer than that).
    """
    times, values = clean(series.times, series.values)
    if times.size == 0 or points < 1:
        return []
    bounds = _bounds(float(times[0]), float(times[-1]), onset, points)
    return _sample(times, values, bounds)


def data_visualization(title: str, series: Sequence[Series], *, onset: Onset | None = None) -> JsonObject:
    """The block as a plain dict, without `block_id`. At most six series; a missing value repeats its predecessor.

    Raises ValueError if no series has a sample: there is nothing to draw.
    """
    cleaned = [(s, *clean(s.times, s.values)) for s in series[:MAX_SERIES]]
    cleaned = [(s, t, v) for s, t, v in cleaned if t.size]
    if not cleaned:
        raise ValueError("no series with samples to draw")
    start, end = min(float(t[0]) for _, t, _ in cleaned), max(float(t[-1]) for _, t, _ in cleaned)
    bounds = _bounds(start, end, onset, MAX_POINTS)
    drawn = []
    categories = _labels(bounds[:-1])
    names = _names([row for row, _, _ in cleaned])
    for name, (_, times, values) in zip(names, cleaned, strict=True):
        filled = _fill(dict(_sample(times, values, bounds)), categories)
        data = [{"label": label, "value": value} for label, value in zip(categories, filled, strict=True)]
        drawn.append({"name": name, "data": data})
    unit = cleaned[0][0].unit or "value"
    axis = {"categories": categories, "x_label": "UTC", "y_label": unit[:MAX_LABEL]}
    return {
        "type": "data_visualization",
        "title": title[:MAX_TITLE] or "Indicator",
        "chart": {"type": "line", "series": drawn, "axis_config": axis},
    }


def _bounds(start: float, end: float, onset: Onset | None, points: int) -> FloatArray:
    """Bucket edges, one more than buckets; shifted so that the onset lies on an edge."""
    if end <= start:
        return np.array([start, start + 1.0])
    bounds = np.linspace(start, end, points + 1)
    if onset is not None and start < onset.at.timestamp() < end:
        inner = int(np.argmin(np.abs(bounds[1:-1] - onset.at.timestamp()))) + 1 if points > 1 else 0
        if 0 < inner < points:
            bounds[inner] = onset.at.timestamp()
    bounds[-1] = end + 1e-3
    return np.unique(bounds)


def _sample(times: FloatArray, values: FloatArray, bounds: FloatArray) -> list[tuple[str, float]]:
    """Per bucket the value furthest from the series' median, averaged with the bucket's mean: spikes stay visible."""
    centre = float(np.median(values))
    labels = _labels(bounds[:-1])
    place = np.clip(np.searchsorted(bounds, times, side="right") - 1, 0, bounds.size - 2)
    out = []
    for bucket in range(bounds.size - 1):
        inside = values[place == bucket]
        if inside.size:
            extreme = float(inside[np.argmax(np.abs(inside - centre))])
            out.append((labels[bucket], float(f"{(extreme + float(inside.mean())) / 2:.4g}")))
    return out


def _labels(starts: FloatArray) -> list[str]:
    moments = [as_utc(float(s)) for s in starts]
    tenths = [f"{m:%H:%M:%S.%f}"[:10] for m in moments]
    for pattern in ("%H:%M:%S", "%d %H:%M:%S", "%y-%m-%d %H:%M:%S"):
        labels = [_stamp(m, pattern) for m in moments]
        if len(set(labels)) == len(labels):
            return labels
    if len(set(tenths)) == len(tenths):
        return tenths
    return [f"{m:%H:%M:%S}.{place:02d}" for place, m in enumerate(moments)]  # shorter than a clock can tell apart


def _stamp(moment: datetime, pattern: str) -> str:
    return moment.strftime(pattern)


def _fill(known: dict[str, float], categories: Sequence[str]) -> list[float]:
    value = next(iter(known.values()))
    filled = []
    for label in categories:
        value = known.get(label, value)
        filled.append(value)
    return filled


def _names(rows: Sequence[Series]) -> list[str]:
    """What tells the series apart and fits whole: the service, else what is measured of it, else both."""
    for told in (_service, _thing, _both):
        names = [told(row) for row in rows]
        if len(set(names)) == len(names) and all(0 < len(name) <= MAX_LABEL for name in names):
            return names
    taken: set[str] = set()
    return [_cut(_both(row), taken) for row in rows]


def _service(row: Series) -> str:
    return row.service


def _thing(row: Series) -> str:
    """The called side, the route or the statistic."""
    return row.peer or row.indicator.removeprefix("error ratio").removeprefix("latency").strip()


def _both(row: Series) -> str:
    return f"{row.service} {_thing(row) or row.indicator}".strip()


def _cut(name: str, taken: set[str]) -> str:
    """A unique name where even the shortest is too long."""
    short = name if len(name) <= MAX_LABEL else f"{name[: MAX_LABEL - 1].rstrip()}…"
    place = 2
    while short in taken:
        suffix = f" {place}"
        short = f"{name[: MAX_LABEL - len(suffix) - 1]}…{suffix}"
        place += 1
    taken.add(short)
    return short
