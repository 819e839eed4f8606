"""What siblings are like, in words and rows: who is unlike the rest, and the samples of each for whoever looks on."""

from collections.abc import Iterator
from datetime import datetime

import numpy as np

from agents.english import counted
from agents.evidence.digest import quantity
from agents.evidence.siblings import Siblings
from agents.evidence.types import IntArray, Onset, Series, as_utc
from agents.rows import Row, Sampled, State

TOLD = 3  # siblings that are named,
SAMPLED = 8  # whose samples are handed out,
POINTS = 20  # and so many of each on either side of the onset


def sibling_rows(found: Siblings, onset: Onset | None) -> tuple[Row, ...]:
    """A sentence first, then one for each that is apart, strongest first; the samples are not printed."""
    return (*_told(found), *_samples(found, onset))


def _told(found: Siblings) -> Iterator[Row]:
    siblings = counted(found.count, found.label)
    if not found.apart:
        value = f"alike in {counted(found.indicators, 'indicator')}"
        yield State(service=found.service, name="siblings", value=value, line=f"{found.service}: {siblings}, {value}")
        return
    apart = len(found.apart)
    value = f"{apart} of {found.count} unlike the rest" + (f", all on node {found.node}" if found.node else "")
    line = f"{found.service}: {siblings}, {value}"
    yield State(service=found.service, name="siblings", value=value, line=line)
    for one in found.apart[:TOLD]:
        unit = one.series.unit
        level, others = quantity(one.level, unit), quantity(one.others, unit)
        where = f" on node {one.node}" if one.node and one.node != one.name else ""
        told = f"{one.series.indicator} {level}, the others {others}"
        name = f"{found.label} {one.name}"
        yield State(service=found.service, name=name, value=told, line=f"{name}{where}: {told}")


def _samples(found: Siblings, onset: Onset | None) -> Iterator[Row]:
    first = [one.name for one in found.apart]
    ordered = sorted(found.shown, key=lambda s: (s.service not in first, s.service))
    for series in ordered[:SAMPLED]:
        points = _points(series, onset)
        if points:
            name = series.indicator
            yield Sampled(service=found.service, name=name, labels={found.label: series.service}, points=points)


def _points(series: Series, onset: Onset | None) -> tuple[tuple[datetime, float], ...]:
    known = np.flatnonzero(np.isfinite(series.values))
    at = onset.at.timestamp() if onset is not None else np.inf
    before, after = known[series.times[known] < at], known[series.times[known] >= at]
    kept = [*_thinned(before), *_thinned(after)]
    return tuple((as_utc(float(series.times[i])), float(series.values[i])) for i in kept)


def _thinned(index: IntArray) -> list[int]:
    if index.size <= POINTS:
        return [int(i) for i in index]
    return [int(i) for i in index[np.linspace(0, index.size - 1, POINTS).astype(int)]]
