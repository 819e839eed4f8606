"""Short ways to make the telemetry of an incident of which somebody said roughly when it began."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from agents.evidence.types import Edge, Family, Series, Telemetry, Window, as_utc

T0 = 1_780_000_000.0
ONSET = 300.0
LENGTH = 600


def wavering(level: float, seed: int, *, length: int = LENGTH, share: float = 0.05) -> Any:
    return level * np.random.default_rng(seed).normal(1.0, share, length)


def stepped(level: float, then: float, seed: int, *, at: float = ONSET, length: int = LENGTH, step: float = 1.0) -> Any:
    times = step * np.arange(length)
    return np.where(times >= at, wavering(then, seed, length=length), wavering(level, seed + 1, length=length))


def row(
    service: str, family: Family, values: Any, *, indicator: str | None = None, unit: str = "", step: float = 1.0
) -> Series:
    array = np.asarray(values, dtype=np.float64)
    return Series(
        service=service,
        indicator=indicator or family,
        family=family,
        unit=unit,
        labels={},
        times=T0 + step * np.arange(array.size, dtype=np.float64),
        values=array,
    )


def told(series: Sequence[Series], *, reported: float = ONSET, edges: Sequence[str] = (), **more: Any) -> Telemetry:
    """`edges` as "caller>callee"; `reported` in seconds after the first sample."""
    ends = [float(s.times[-1]) for s in series if s.times.size] or [T0 + LENGTH]
    return Telemetry(
        window=Window(start=as_utc(T0), end=as_utc(max(ends))),
        series=tuple(series),
        edges=tuple(Edge(caller=a, callee=b) for a, b in (e.split(">") for e in edges)),
        reported_at=as_utc(T0 + reported),
        **more,
    )
