"""Requests that a vendor counts an interval at a time, as the running totals that the evidence engine reads: so that
traffic, failures and latency of a service are judged alike, whoever measured them.
"""

from __future__ import annotations

import numpy as np

from agents.evidence.types import FloatArray, RawSeries


def request_totals(
    base: str,
    service: str,
    begins: FloatArray,
    interval_s: float,
    *,
    hits: FloatArray,
    errors: FloatArray,
    spent_s: FloatArray | None,
) -> list[RawSeries]:
    """Of one service's requests: how many went well and failed and, where it is known, the seconds that they took.

    `base` names what was measured, without a unit; `begins` are those of the intervals, epoch seconds, ascending.
    """
    ends = np.concatenate([begins[:1], begins + interval_s])
    errors = np.minimum(errors, hits)
    name, labels = f"{base}_duration_seconds", {"service": service}
    series = [
        _total(f"{name}_count", {**labels, "status": "ok"}, ends, hits - errors),
        _total(f"{name}_count", {**labels, "status": "error"}, ends, errors),
    ]
    if spent_s is not None:
        series.append(_total(f"{name}_sum", {**labels, "status": "ok"}, ends, spent_s))
    return series


def at_times(times: FloatArray, known_at: FloatArray, values: FloatArray) -> FloatArray:
    """The values at these times, 0 where there is none: what nobody counted did not happen."""
    known = dict(zip(known_at.tolist(), values.tolist(), strict=True))
    return np.array([known.get(at, 0.0) for at in times.tolist()], dtype=np.float64)


def _total(name: str, labels: dict[str, str], ends: FloatArray, counts: FloatArray) -> RawSeries:
    """From nothing at the beginning of the first interval."""
    total = np.concatenate([[0.0], np.cumsum(counts)])
    return RawSeries(name=name, labels=labels, kind="counter", times=ends, values=total)
