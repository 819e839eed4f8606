"""What is the same of a fleet's rows whichever moment is looked at, in columns, so that looks need no loop over rows.

Series that measure the same (one indicator in one unit) are a kind; what is usual for a kind over all services is the
yardstick where no unit is known.
"""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from agents.evidence.norms import NORMS, absolute_floor, bad_direction
from agents.evidence.types import BoolArray, Family, FloatArray, IntArray, Series

WORK: frozenset[Family] = frozenset(("traffic", "network", "cpu"))
_SIDE = {"up": 1, "down": -1, None: 0}


@dataclass(frozen=True, kw_only=True, eq=False)
class Fleet:
    """One entry a row. `side` is 1 where a rise hurts, -1 where a fall does, 0 where either may.

    `floor` is 0 where no unit is known. `adds` leaves out what is measured per called side. `works` is true of the
    amount of work that is done: requests, bytes sent, busy cores. `keeps` is true of stocks that hurt when they are
    low: members of a pool, free space.
    """

    kind: IntArray
    service: IntArray
    relative: FloatArray
    floor: FloatArray
    weight: FloatArray
    side: IntArray
    adds: BoolArray
    works: BoolArray
    keeps: BoolArray

    @classmethod
    def of(cls, rows: Sequence[Series]) -> "Fleet":
        norms = [NORMS[row.family] for row in rows]
        return cls(
            kind=_numbered((row.indicator, row.unit) for row in rows),
            service=_numbered(row.service for row in rows),
            relative=np.array([n.relative for n in norms], dtype=np.float64),
            floor=np.array([absolute_floor(r.family, r.unit) if r.unit else 0.0 for r in rows], dtype=np.float64),
            weight=np.array([n.weight for n in norms], dtype=np.float64),
            side=np.array([_SIDE[bad_direction(row)] for row in rows], dtype=np.int64),
            adds=np.array([row.adds and row.peer is None for row in rows], dtype=np.bool_),
            works=np.array([row.family in WORK and row.peer is None for row in rows], dtype=np.bool_),
            keeps=np.array([r.family == "saturation" and bad_direction(r) == "down" for r in rows], dtype=np.bool_),
        )

    def pick(self, rows: IntArray | BoolArray) -> "Fleet":
        """The same for some of the rows."""
        return Fleet(**{name: column[rows] for name, column in vars(self).items()})

    def typical(self, values: FloatArray) -> FloatArray:
        """Per row the median of its kind, of the values that are finite; 0 where none is."""
        order = np.lexsort((values, self.kind))  # NaN comes last within a kind
        kinds = self.kind[order]
        first = np.searchsorted(kinds, np.arange(int(self.kind.max(initial=-1)) + 1))
        count = np.bincount(self.kind, weights=np.isfinite(values), minlength=first.size).astype(np.int64)
        ordered = values[order]
        last = max(ordered.size - 1, 0)
        low, high = first + np.maximum(count - 1, 0) // 2, first + count // 2
        middle = (ordered[np.minimum(low, last)] + ordered[np.minimum(high, last)]) / 2 if ordered.size else first
        return np.asarray(np.where(count > 0, middle, 0.0)[self.kind], dtype=np.float64)

    def rising(self, up: FloatArray, down: FloatArray) -> BoolArray:
        """Which rows are judged by their rise: those that hurt when high, those of either direction that rose more."""
        return np.asarray((self.side > 0) | ((self.side == 0) & (np.nan_to_num(up) >= np.nan_to_num(down))))


def _numbered(keys: Iterable[Hashable]) -> IntArray:
    number: dict[Hashable, int] = {}
    return np.array([number.setdefault(key, len(number)) for key in keys], dtype=np.int64)
