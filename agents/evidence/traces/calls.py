"""Spans as a table of calls: who called whom, whose time it was, which recording it belongs to.

A *server* span is where a request enters a service; the spans of that service below it belong to it (`owner`). A
*client* span waits for another service: its time is the callee's and the network's, never its own. Orphans, cycles,
duplicates and impossible numbers are dropped or cut off here and nowhere else.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from agents.evidence.grid import LATEST_EPOCH_S
from agents.evidence.types import BoolArray, FloatArray, IntArray, Spans, Stretch

MAX_SPANS = 1_000_000  # beyond it whole traces are left out
LONGEST_S = 86_400.0
DOUBLINGS = 8  # 2**8 levels below a server span; deeper ones belong to nobody
CLIENT_SHARE = 0.25  # of an operation's spans that must have reached another service for all of them to be calls


@dataclass(frozen=True, kw_only=True, eq=False)
class SpanTable:
    """One row per usable span, in time order. `parent` and `owner` are row numbers, -1 for none.

    `key` numbers the pairs of service and operation that occur, from 0. `own_s` is a span's duration without its
    children; `local_s` (server spans only) what the service itself spent on the request; `wait_s` (client spans that
    reached a server) what the way there and back took. `callee` is the server span that a client span reached, or -1.
    `failed` is false where nobody recorded it.
    """

    spans: Spans
    ts: FloatArray
    end: FloatArray
    service: IntArray
    operation: IntArray
    key: IntArray
    trace: IntArray
    parent: IntArray
    server: BoolArray
    client: BoolArray
    owner: IntArray
    callee: IntArray
    own_s: FloatArray
    local_s: FloatArray
    wait_s: FloatArray
    failed: BoolArray

    def name(self, row: int) -> tuple[str, str]:
        """Service and operation of a row."""
        return self.spans.services[int(self.service[row])], self.spans.operations[int(self.operation[row])]


def read_calls(spans: Spans) -> SpanTable:
    """Sort out a recording. About 1 ms per thousand spans at most."""
    kept = _usable(spans)
    ts, duration = spans.ts[kept], spans.duration_s[kept]
    service, operation = spans.service[kept], spans.operation[kept]
    trace, parent = spans.trace[kept], _parents(spans, kept)
    size = ts.size
    rows = np.arange(size)
    has = parent >= 0
    up = np.maximum(parent, 0)
    remote = has & (service[up] != service)
    server = ~has | remote
    key = np.unique(service * np.int64(len(spans.operations)) + operation, return_inverse=True)[1].astype(np.int64)
    reached = np.zeros(size, dtype=np.bool_)
    reached[parent[remote]] = True
    client = ~server & _mostly(key, reached) if size else server
    client |= reached & ~server
    owner = np.where(server, rows, parent)
    for _ in range(DOUBLINGS):
        owner = owner[owner] if size else owner
    owner = np.where(server[owner] & (service[owner] == service), owner, -1) if size else owner
    callee = np.full(size, -1, dtype=np.int64)
    callee[parent[remote]] = rows[remote]
    children = np.bincount(parent[has], duration[has], size)
    own = np.maximum(duration - children, 0.0)
    below = np.bincount(parent[remote], duration[remote], size)
    local = np.bincount(owner[owner >= 0], np.where(client, 0.0, own)[owner >= 0], size)
    return SpanTable(
        spans=spans,
        ts=ts,
        end=ts + duration,
        service=service,
        operation=operation,
        key=key,
        trace=trace,
        parent=parent,
        server=server,
        client=client,
        owner=owner,
        callee=callee,
        own_s=own,
        local_s=np.where(server, local, np.nan),
        wait_s=np.where(client & (callee >= 0), duration - below, np.nan),
        failed=np.zeros(size, dtype=np.bool_) if spans.failed is None else spans.failed[kept],
    )


def _usable(spans: Spans) -> IntArray:
    """Rows with possible numbers, in time order, one per span."""
    columns = (spans.ts, spans.duration_s, spans.service, spans.operation, spans.trace, spans.span, spans.parent)
    size = min(c.size for c in columns)
    ts, duration, service, operation, trace, span, _ = (c[:size] for c in columns)
    with np.errstate(invalid="ignore"):
        good = (ts >= 0) & (ts < LATEST_EPOCH_S) & (duration >= 0) & (duration <= LONGEST_S)
    good &= (service >= 0) & (service < len(spans.services))
    good &= (operation >= 0) & (operation < len(spans.operations))
    kept = np.flatnonzero(good)
    if kept.size > MAX_SPANS:
        kept = kept[trace[kept] % (kept.size // MAX_SPANS + 1) == 0]
    kept = kept[np.argsort(ts[kept], kind="stable")]
    by_id = np.lexsort((span[kept], trace[kept]))
    ordered = kept[by_id]
    again = (np.diff(trace[ordered]) == 0) & (np.diff(span[ordered]) == 0)
    if again.any():
        first = np.ones(kept.size, dtype=np.bool_)
        first[by_id[1:][again]] = False
        kept = kept[first]
    return kept


def _parents(spans: Spans, kept: IntArray) -> IntArray:
    """Row of each kept span's parent within the kept ones, -1 where there is none, or it is the span itself."""
    span, parent, trace = spans.span[kept], spans.parent[kept], spans.trace[kept]
    if kept.size == 0:
        return np.empty(0, dtype=np.int64)
    order = np.lexsort((span, trace))
    # Ids are unique within a trace only; both together become one sortable number.
    names, code = np.unique(np.concatenate([span, parent]), return_inverse=True)
    trace_code = np.unique(trace, return_inverse=True)[1]
    own = trace_code * np.int64(names.size) + code[: kept.size]
    wanted = trace_code * np.int64(names.size) + code[kept.size :]
    place = np.minimum(np.searchsorted(own[order], wanted), kept.size - 1)
    row = order[place]
    found = (own[row] == wanted) & (parent >= 0) & (row != np.arange(kept.size))
    return np.where(found, row, -1)


def _mostly(key: IntArray, reached: BoolArray) -> BoolArray:
    """Rows whose operation usually reaches another service, whether this span did or not."""
    size = int(key.max()) + 1 if key.size else 0
    total = np.bincount(key, minlength=size)
    there = np.bincount(key, reached, size)
    return np.asarray((there >= CLIENT_SHARE * np.maximum(total, 1))[key] & (there[key] > 0), dtype=np.bool_)


def inside(times: FloatArray, stretches: Sequence[Stretch]) -> BoolArray:
    """Which times lie in any of the stretches."""
    found = np.zeros(times.size, dtype=np.bool_)
    for start, end in stretches:
        found |= (times >= start) & (times <= end)
    return found


def joined(stretches: Iterable[Stretch]) -> list[Stretch]:
    """The same stretches in time order, overlapping ones joined, impossible ones left out."""
    found: list[Stretch] = []
    for start, end in sorted((float(a), float(b)) for a, b in stretches if a <= b):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found


def before_onset(
    ts: FloatArray,
    until: float,
    good: Sequence[Stretch],
    coverage: Sequence[Stretch] | None,
    spliced: Sequence[Stretch],
) -> list[Stretch]:
    """The stretches to compare with: the `good` ones, or all that was recorded `until` the onset's guard band."""
    if good:
        recorded: Sequence[Stretch] = good
    elif coverage is not None:
        recorded = [*coverage, *spliced]
    else:
        recorded = [(float(ts.min()), float(ts.max()))] if ts.size else []
    return joined((start, min(end, until)) for start, end in recorded if start < until)


def chunk_of(times: FloatArray, stretches: Sequence[Stretch], length_s: float) -> IntArray:
    """Number of the slice of about `length_s` that each time falls into, slices not crossing stretches; -1 outside."""
    chunk = np.full(times.size, -1, dtype=np.int64)
    offset = 0
    for start, end in stretches:
        slices = max(1, round((end - start) / length_s))
        within = (times >= start) & (times <= end)
        place = ((times[within] - start) * (slices / max(end - start, 1e-9))).astype(np.int64)
        chunk[within] = offset + np.minimum(place, slices - 1)
        offset += slices
    return chunk


def cut_off(calls: SpanTable, coverage: Sequence[Stretch] | None, spliced: Sequence[Stretch] = ()) -> BoolArray:
    """Rows that were still running when their recording ended: what came below them may be missing."""
    if coverage is None:
        last = float(calls.end.max()) if calls.end.size else 0.0
        return np.asarray(calls.end >= last, dtype=np.bool_)
    running = np.zeros(calls.ts.size, dtype=np.bool_)
    for start, end in joined([*coverage, *spliced]):
        running |= (calls.ts >= start) & (calls.ts <= end) & (calls.end > end)
    return running
