"""Requests and errors per service over time, as spans and log lines tell them: indicators where no metrics are.

For charts and for what works on series. Dating an incident by its events needs no grid and knows holes in a recording
better: see `event_dating`.
"""

from collections.abc import Sequence

import numpy as np

from agents.evidence.log_signals import LogColumns
from agents.evidence.traces.calls import inside, read_calls
from agents.evidence.types import Family, FloatArray, IntArray, Series, Spans, Stretch

STEP_S = 10.0
MAX_STEPS = 5_000


def event_series(
    spans: Spans | None, logs: LogColumns | None = None, coverage: Sequence[Stretch] | None = None
) -> tuple[Series, ...]:
    """Request rate, mean latency, share of failed requests and rate of error lines per service.

    One value every ten seconds, or more rarely over a long time; NaN outside `coverage` and where nothing was asked.
    """
    calls = read_calls(spans) if spans is not None else None
    found = [column.ts for column in (calls, logs) if column is not None and column.ts.size]
    if not found:
        return ()
    start, end = min(float(t.min()) for t in found), max(float(t.max()) for t in found)
    step = max(STEP_S, (end - start) / (MAX_STEPS - 1))
    times = start + step * np.arange(int((end - start) / step) + 1, dtype=np.float64)
    known = inside(times + step / 2, coverage) if coverage is not None else np.ones(times.size, dtype=np.bool_)
    out: list[Series] = []

    def add(service: str, indicator: str, family: Family, unit: str, values: FloatArray) -> None:
        out.append(
            Series(
                service=service,
                indicator=indicator,
                family=family,
                unit=unit,
                labels={},
                times=times,
                values=np.where(known, values, np.nan),
            )
        )

    if calls is not None and calls.ts.size:
        rows = np.flatnonzero(calls.server)
        cell = np.minimum(((calls.ts[rows] - start) / step).astype(np.int64), times.size - 1)
        names = calls.spans.services
        count = _table(calls.service[rows], cell, len(names), times.size)
        spent = _table(calls.service[rows], cell, len(names), times.size, calls.end[rows] - calls.ts[rows])
        failed = _table(calls.service[rows], cell, len(names), times.size, calls.failed[rows].astype(np.float64))
        with np.errstate(invalid="ignore", divide="ignore"):
            for i in np.flatnonzero(count.any(axis=1)).tolist():
                add(names[i], "requests rate", "traffic", "/s", count[i] / step)
                add(names[i], "latency mean", "latency", "s", np.where(count[i] > 0, spent[i] / count[i], np.nan))
                if calls.spans.failed is not None:
                    share = np.where(count[i] > 0, failed[i] / count[i], np.nan)
                    add(names[i], "failed requests share", "errors", "ratio", share)
    if logs is not None and logs.ts.size:
        bad = np.flatnonzero(logs.bad[logs.statement])
        cell = np.minimum(((logs.ts[bad] - start) / step).astype(np.int64), times.size - 1)
        errors = _table(logs.service[bad], cell, len(logs.services), times.size)
        for i in np.unique(logs.service).tolist():
            add(logs.services[i], "error log lines", "errors", "/s", errors[i] / step)
    return tuple(out)


def _table(row: IntArray, cell: IntArray, rows: int, cells: int, weight: FloatArray | None = None) -> FloatArray:
    flat = np.bincount(row * np.int64(cells) + cell, weight, rows * cells)
    return np.asarray(flat, dtype=np.float64).reshape(rows, cells)
