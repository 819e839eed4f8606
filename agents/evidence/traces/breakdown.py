"""Where the time of one service or endpoint goes, before and after: its own work, and each callee's.

The parts are means per request, so they add up; calls made at the same time add up to more than the request took.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from agents.evidence.traces.calls import SpanTable, inside, read_calls
from agents.evidence.types import BoolArray, FloatArray, IntArray, Spans, Stretch, Window

EXEMPLARS = 3
MAX_PARTS = 20
MAX_STEPS = 5


@dataclass(frozen=True, kw_only=True)
class TimePart:
    """`callee` is None for the service's own work. Seconds and calls are means per request of the endpoint.

    `network_s` is what the way to the callee and back took of it; NaN where no call was answered.
    """

    callee: str | None
    before_s: float
    after_s: float
    calls_before: float
    calls_after: float
    network_before_s: float
    network_after_s: float


@dataclass(frozen=True, kw_only=True)
class Step:
    """An operation inside the service's own work, such as a query of its database. Means per request."""

    operation: str
    before_s: float
    after_s: float


@dataclass(frozen=True, kw_only=True)
class TraceBreakdown:
    """`parts` are in order of how much their time changed. Mean seconds are NaN on a side without requests.

    `steps` are what the service's own work consists of, those that grew most first; the request's own span is none.
    The ids are those of typical slow traces after, and of one typical trace before: the recorder's own where known.
    """

    service: str
    operation: str | None
    requests_before: int
    requests_after: int
    before_s: float
    after_s: float
    parts: tuple[TimePart, ...]
    steps: tuple[Step, ...]
    slow_trace_ids: tuple[str, ...]
    usual_trace_ids: tuple[str, ...]


def trace_breakdown(
    spans: Spans,
    service_or_operation: str,
    window: Window,
    good: Sequence[Stretch] = (),
    *,
    service: str | None = None,
) -> TraceBreakdown | None:
    """Requests in `window` beside those in the `good` stretches (without any: all before it); None for an unknown name.

    A name is a service's or, where no service is called so, an operation's; of several the most requested one is taken,
    or that of `service`.
    """
    calls = read_calls(spans)
    rows, found, operation = _requests(calls, service_or_operation, service)
    if rows.size == 0:
        return None
    start, end = window.start.timestamp(), window.end.timestamp()
    after = (calls.ts >= start) & (calls.ts <= end)
    before = inside(calls.ts, good) & ~after if good else calls.ts < start
    old, new = rows[before[rows]], rows[after[rows]]
    return TraceBreakdown(
        service=found,
        operation=operation,
        requests_before=int(old.size),
        requests_after=int(new.size),
        before_s=_mean(calls.end[old] - calls.ts[old]),
        after_s=_mean(calls.end[new] - calls.ts[new]),
        parts=_parts(calls, old, new),
        steps=_steps(calls, old, new),
        slow_trace_ids=_typical(calls, new, 0.75, EXEMPLARS),
        usual_trace_ids=_typical(calls, old, 0.5, 1),
    )


def _requests(calls: SpanTable, name: str, of: str | None) -> tuple[IntArray, str, str | None]:
    """Server calls of the name, and of the service if one is given."""
    names = calls.spans.services
    entries = calls.server & (calls.owner >= 0)
    if of is not None:
        entries &= calls.service == (names.index(of) if of in names else -1)
    if name in names:
        return np.flatnonzero(entries & (calls.service == names.index(name))), name, None
    if name not in calls.spans.operations:
        return np.empty(0, dtype=np.int64), "", None
    rows = np.flatnonzero(entries & (calls.operation == calls.spans.operations.index(name)))
    if rows.size == 0:
        return rows, "", None
    service = int(np.bincount(calls.service[rows]).argmax())
    return rows[calls.service[rows] == service], names[service], name


def _parts(calls: SpanTable, old: IntArray, new: IntArray) -> tuple[TimePart, ...]:
    own = TimePart(
        callee=None,
        before_s=_mean(calls.local_s[old]),
        after_s=_mean(calls.local_s[new]),
        calls_before=1.0,
        calls_after=1.0,
        network_before_s=float("nan"),
        network_after_s=float("nan"),
    )
    side = np.zeros(calls.ts.size, dtype=np.int64)
    side[old], side[new] = 1, 2
    client = np.flatnonzero(calls.client & (calls.owner >= 0))
    client = client[side[calls.owner[client]] > 0]
    reached = calls.callee[client] >= 0
    callee = np.where(reached, calls.service[np.maximum(calls.callee[client], 0)], -1)
    of = side[calls.owner[client]]
    # Some recorders leave out the caller's span: then the callee's own stands for the wait.
    direct = np.flatnonzero(calls.server & (calls.parent >= 0) & calls.server[calls.parent])
    direct = direct[side[calls.parent[direct]] > 0]
    client = np.concatenate([client, direct])
    callee = np.concatenate([callee, calls.service[direct]])
    of = np.concatenate([of, side[calls.parent[direct]]])
    spent = calls.end[client] - calls.ts[client]
    parts = [own]
    for service in np.unique(callee).tolist():
        mine = callee == service
        parts.append(
            TimePart(
                callee=calls.spans.services[service] if service >= 0 else "unanswered calls",
                before_s=_per(spent[mine & (of == 1)], old.size),
                after_s=_per(spent[mine & (of == 2)], new.size),
                calls_before=_count(mine & (of == 1), old.size),
                calls_after=_count(mine & (of == 2), new.size),
                network_before_s=_per(calls.wait_s[client[mine & (of == 1)]], old.size),
                network_after_s=_per(calls.wait_s[client[mine & (of == 2)]], new.size),
            )
        )
    parts.sort(key=lambda p: (-abs(np.nan_to_num(p.after_s) - np.nan_to_num(p.before_s)), p.callee or ""))
    return tuple(parts[:MAX_PARTS])


def _steps(calls: SpanTable, old: IntArray, new: IntArray) -> tuple[Step, ...]:
    side = np.zeros(calls.ts.size, dtype=np.int64)
    side[old], side[new] = 1, 2
    inner = np.flatnonzero((calls.owner >= 0) & ~calls.server & ~calls.client)
    of, operation = side[calls.owner[inner]], calls.operation[inner]
    found = []
    for number in np.unique(operation[of > 0]).tolist():
        mine = operation == number
        before, after = (_per(calls.own_s[inner[mine & (of == i)]], n) for i, n in ((1, old.size), (2, new.size)))
        found.append(Step(operation=calls.spans.operations[number], before_s=before, after_s=after))
    found.sort(key=lambda s: (np.nan_to_num(s.before_s) - np.nan_to_num(s.after_s), s.operation))
    return tuple(found[:MAX_STEPS])


def _mean(values: FloatArray) -> float:
    return float(values.mean()) if values.size else float("nan")


def _per(values: FloatArray, requests: int) -> float:
    return float(values.sum()) / requests if requests else float("nan")


def _count(mine: BoolArray, requests: int) -> float:
    return float(mine.sum()) / requests if requests else float("nan")


def _typical(calls: SpanTable, rows: IntArray, level: float, wanted: int) -> tuple[str, ...]:
    """Ids of the traces whose request took nearest to that quantile."""
    if rows.size == 0:
        return ()
    spent = calls.end[rows] - calls.ts[rows]
    nearest = rows[np.argsort(np.abs(spent - np.quantile(spent, level)), kind="stable")]
    traces = list(dict.fromkeys(calls.trace[nearest[: 10 * wanted]].tolist()))[:wanted]
    known = calls.spans.trace_ids
    return tuple(known[t] if 0 <= t < len(known) else str(t) for t in traces)
