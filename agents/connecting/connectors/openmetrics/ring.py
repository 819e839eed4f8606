"""A bounded memory of what one target's `/metrics` said. When it is full, what ended makes room for what is new.

One row of float64 per series and one column per scrape, so all series share their times. Memory is at most
8 bytes x `max_series` x `capacity` per target: 8 MB with the connector's defaults of 500 series and 2,000 scrapes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

import numpy as np

from agents.connecting.connectors.openmetrics.exposition import Sample
from agents.evidence.types import RawKind, RawSeries, Window

_Key = tuple[str, tuple[tuple[str, str], ...]]


class Ring:
    """The last `capacity` scrapes. A series that left frees its row once its last sample is overwritten, or when a new
    one needs it: then it counts in `forgotten` for as long as its samples would have been kept.
    """

    def __init__(self, *, capacity: int, max_series: int) -> None:
        self.capacity, self.max_series = capacity, max_series
        self.dropped = 0
        self._forgotten: list[int] = []  # the scrapes at which they were
        self._scrapes = 0
        self._times = np.full(capacity, np.nan)
        self._values = np.full((0, capacity), np.nan)
        self._rows: dict[_Key, int] = {}
        self._kinds: dict[_Key, RawKind] = {}
        self._free: list[int] = []
        self._seen: dict[_Key, int] = {}  # the last scrape that had it

    def add(self, at: datetime, samples: Iterable[Sample]) -> None:
        """Store one scrape. Series above the cap are counted in `dropped`, which speaks of the last scrape."""
        column = self._scrapes % self.capacity
        self._times[column] = at.timestamp()
        self._values[:, column] = np.nan
        self._scrapes += 1
        self.dropped = 0
        given = [((sample.name, tuple(sorted(sample.labels.items()))), sample) for sample in samples]
        self._seen |= {key: self._scrapes for key, _ in given if key in self._rows}
        for key, sample in given:
            row = self._row(key)
            if row is None:
                self.dropped += 1
                continue
            self._kinds[key] = sample.kind
            self._seen[key] = self._scrapes
            self._values[row, column] = sample.value

    def series(self, window: Window) -> Iterator[RawSeries]:
        """What was seen within the window (both ends included), in time order."""
        order = np.argsort(self._times[: min(self._scrapes, self.capacity)], kind="stable")
        times = self._times[order]
        order = order[(times >= window.start.timestamp()) & (times <= window.end.timestamp())]
        for (name, labels), row in self._rows.items():
            values = self._values[row, order]
            seen = ~np.isnan(values)
            if seen.any():
                kind = self._kinds[name, labels]
                yield RawSeries(
                    name=name, labels=dict(labels), kind=kind, times=self._times[order][seen], values=values[seen]
                )

    @property
    def forgotten(self) -> int:
        """How many series that ended were given up before their time."""
        self._forgotten = [scrape for scrape in self._forgotten if scrape > self._scrapes - self.capacity]
        return len(self._forgotten)

    @property
    def oldest(self) -> float | None:
        """Epoch seconds of the oldest scrape kept."""
        return float(np.nanmin(self._times)) if self._scrapes else None

    def longest_hole(self, window: Window) -> tuple[float, float] | None:
        """Between which two scrapes of the window most time went by. None with fewer than two."""
        times = np.sort(self._times[: min(self._scrapes, self.capacity)])
        times = times[(times >= window.start.timestamp()) & (times <= window.end.timestamp())]
        if len(times) < 2:
            return None
        at = int(np.argmax(np.diff(times)))
        return float(times[at]), float(times[at + 1])

    def _row(self, key: _Key) -> int | None:
        row = self._rows.get(key)
        if row is not None:
            return row
        if len(self._rows) >= self.max_series:
            self._forget_the_gone()
        if len(self._rows) >= self.max_series and not self._forget_the_ended():
            return None
        if not self._free:
            self._grow()
        self._rows[key] = self._free.pop()
        return self._rows[key]

    def _grow(self) -> None:
        rows = len(self._values)
        wanted = min(max(16, 2 * rows), self.max_series)
        self._values = np.concatenate([self._values, np.full((wanted - rows, self.capacity), np.nan)])
        self._free.extend(range(rows, wanted))

    def _forget_the_gone(self) -> None:
        for key, row in list(self._rows.items()):
            if np.isnan(self._values[row]).all():
                self._forget(key, row)

    def _forget_the_ended(self) -> bool:
        """Make room by the series that ended longest ago. False where all are still there."""
        key = min(self._rows, key=lambda one: self._seen.get(one, 0))
        if self._seen.get(key, 0) >= self._scrapes - 1:
            return False
        self._forgotten.append(self._scrapes)
        row = self._rows[key]
        self._values[row] = np.nan
        self._forget(key, row)
        return True

    def _forget(self, key: _Key, row: int) -> None:
        del self._rows[key]
        self._kinds.pop(key, None)
        self._seen.pop(key, None)
        self._free.append(row)
