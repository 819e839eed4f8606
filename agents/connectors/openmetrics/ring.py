"""A bounded memory of what one target's `/metrics` said.

One row of float64 per series and one column per scrape, so all series share their times. Memory is at most
8 bytes x `max_series` x `capacity` per target: 8 MB with the connector's defaults of 500 series and 2,000 scrapes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

import numpy as np

from agents.connectors.openmetrics.exposition import Sample
from agents.evidence.types import RawKind, RawSeries, Window

_Key = tuple[str, tuple[tuple[str, str], ...]]


class Ring:
    """The last `capacity` scrapes. A series that left frees its row once its last sample is overwritten."""

    def __init__(self, *, capacity: int, max_series: int) -> None:
        self.capacity, self.max_series = capacity, max_series
        self.dropped = 0
        self._scrapes = 0
        self._times = np.full(capacity, np.nan)
        self._values = np.full((0, capacity), np.nan)
        self._rows: dict[_Key, int] = {}
        self._kinds: dict[_Key, RawKind] = {}
        self._free: list[int] = []

    def add(self, at: datetime, samples: Iterable[Sample]) -> None:
        """Store one scrape. Series above the cap are counted in `dropped`, which speaks of the last scrape."""
        column = self._scrapes % self.capacity
        self._times[column] = at.timestamp()
        self._values[:, column] = np.nan
        self._scrapes += 1
        self.dropped = 0
        for sample in samples:
            key = (sample.name, tuple(sorted(sample.labels.items())))
            row = self._row(key)
            if row is None:
                self.dropped += 1
                continue
            self._kinds[key] = sample.kind
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
    def oldest(self) -> float | None:
        """Epoch seconds of the oldest scrape kept."""
        return float(np.nanmin(self._times)) if self._scrapes else None

    def _row(self, key: _Key) -> int | None:
        row = self._rows.get(key)
        if row is not None:
            return row
        if len(self._rows) >= self.max_series:
            self._forget_the_gone()
        if len(self._rows) >= self.max_series:
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
                del self._rows[key]
                self._kinds.pop(key, None)
                self._free.append(row)
