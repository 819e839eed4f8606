"""Two windows side by side: what is worse in the later one than it was in the earlier one.

The earlier window is moved up to the later one's beginning, so that a day between them is no gap in the data; its
samples are the whole baseline. What was never measured in one of the two cannot be compared and is named.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from agents.evidence.logs.templates import shift_templates
from agents.evidence.metrics.anomalies import rank_anomalies
from agents.evidence.types import Anomaly, LogLine, Onset, Series, TemplateShift, Window

MANY = 5


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """`anomalies` strongest first, `shifts` of log patterns, and `gaps`: sentences on what only one window has."""

    anomalies: tuple[Anomaly, ...]
    shifts: tuple[TemplateShift, ...]
    gaps: tuple[str, ...]


def compare_windows(
    then: Window,
    now: Window,
    *,
    series_then: Sequence[Series],
    series_now: Sequence[Series],
    lines_then: Iterable[LogLine] = (),
    lines_now: Iterable[LogLine] = (),
) -> Comparison:
    """`now` must begin at or after the end of `then`. Onsets of anomalies lie in `now`."""
    moved = now.start - then.end
    whole = Window(start=then.start + moved, end=now.end)
    before = {_key(s): s for s in series_then}
    joined = [_joined(before[_key(s)], s, moved.total_seconds()) for s in series_now if _key(s) in before]
    start = Onset(at=now.start, guard_s=0.0, score=0.0, direction="up")
    good = [(whole.start.timestamp(), now.start.timestamp())]
    earlier = [replace(line, time=line.time + moved) for line in lines_then]
    return Comparison(
        anomalies=tuple(rank_anomalies(joined, start, whole, good=good)),
        shifts=tuple(shift_templates([*earlier, *lines_now], start, whole, good=good)),
        gaps=tuple(_gaps(before.keys(), {_key(s) for s in series_now})),
    )


_Key = tuple[str, str, str, tuple[tuple[str, str], ...]]


def _key(series: Series) -> _Key:
    return series.service, series.indicator, series.peer or "", tuple(sorted(series.labels.items()))


def _joined(then: Series, now: Series, moved_s: float) -> Series:
    times, values = np.concatenate([then.times + moved_s, now.times]), np.concatenate([then.values, now.values])
    order = np.argsort(times, kind="stable")
    return replace(now, times=times[order], values=values[order])


def _gaps(then: Iterable[_Key], now: Iterable[_Key]) -> Iterable[str]:
    earlier, later = set(then), set(now)
    for keys, what in ((later - earlier, "only in the later window"), (earlier - later, "only in the earlier window")):
        if keys:
            names = sorted({f"{service} {indicator}" for service, indicator, _, _ in keys})
            more = f" and {len(names) - MANY} more" if len(names) > MANY else ""
            yield f"measured {what}: {', '.join(names[:MANY])}{more}"
