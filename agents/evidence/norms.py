"""What counts as noise and which direction is bad, per family: the engine's only table of constants.

A change below a floor is not worth a person's attention however regular the baseline was.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from agents.evidence.types import BoolArray, Direction, Family, FloatArray, Series

Z_ABNORMAL = 3.0  # noise units from which a level is abnormal
Z_CAP = 30.0  # beyond this a larger number says nothing more


@dataclass(frozen=True, kw_only=True)
class Norm:
    """`relative` is a share of the normal level; `absolute` is in the unit; `bad` None means both directions count.

    `weight` is how much an unexplained anomaly of this family speaks for its service being the cause.
    """

    bad: Direction | None
    relative: float
    absolute: float
    weight: float


NORMS: dict[Family, Norm] = {
    "errors": Norm(bad="up", relative=0.10, absolute=0.01, weight=1.0),
    "dependency_errors": Norm(bad="up", relative=0.10, absolute=0.01, weight=0.8),
    "latency": Norm(bad="up", relative=0.15, absolute=0.002, weight=1.0),
    "dependency_latency": Norm(bad="up", relative=0.15, absolute=0.002, weight=0.6),
    "saturation": Norm(bad="up", relative=0.10, absolute=0.05, weight=0.7),
    "memory": Norm(bad="up", relative=0.05, absolute=0.0, weight=0.7),
    "cpu": Norm(bad="up", relative=0.10, absolute=0.02, weight=0.7),
    "restarts": Norm(bad="up", relative=0.0, absolute=0.3, weight=0.9),
    "traffic": Norm(bad=None, relative=0.08, absolute=0.1, weight=0.15),
    "network": Norm(bad=None, relative=0.10, absolute=0.0, weight=0.3),
    "syscall": Norm(bad=None, relative=0.10, absolute=0.0, weight=0.15),
    "log": Norm(bad=None, relative=0.10, absolute=0.0, weight=0.8),
    "structure": Norm(bad=None, relative=0.10, absolute=0.0, weight=0.8),
    "other": Norm(bad=None, relative=0.10, absolute=0.0, weight=0.15),
}

UNIT_FLOORS = {"count": 1.0, "/s": 0.05, "bytes": 1e6, "bytes/s": 1e5}


def absolute_floor(family: Family, unit: str) -> float:
    """The family's floor, or the unit's where that is larger: a queue of one or a megabyte is nothing."""
    return max(NORMS[family].absolute, UNIT_FLOORS.get(unit, 0.0))


def bad_direction(series: Series) -> Direction | None:
    """Which direction of this series hurts; None if either may."""
    if series.bad is None:
        return NORMS[series.family].bad
    return None if series.bad == "both" else series.bad


def directions(series: Series) -> tuple[Direction, ...]:
    """Directions worth looking at."""
    bad = bad_direction(series)
    return (bad,) if bad is not None else ("up", "down")


def rising_side(rows: Sequence[Series], up: FloatArray, down: FloatArray) -> BoolArray:
    """Which rows are judged by their rise: those that hurt when high, and those of either direction that rose more."""
    bad = [bad_direction(row) for row in rows]
    either = np.array([b is None for b in bad], dtype=np.bool_)
    high = np.array([b == "up" for b in bad], dtype=np.bool_)
    return np.asarray(high | (either & (np.nan_to_num(up) >= np.nan_to_num(down))))
