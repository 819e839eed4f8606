"""When an incident began, as spans and log lines tell it: the moment that divides them best into before and after.

Everything is counted: how often a log statement occurs among its service's lines, after which step an endpoint's calls
end, how many of them are slower than nine in ten were. For each possible moment the counts on both sides are compared;
the moment at which the few plainest differences are largest together wins, and of nearly equal ones the earliest.
What was recorded well before the report is always "before", so that an onset told minutes too late does no harm.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from agents.evidence.traces.calls import SpanTable, before_onset, chunk_of, cut_off, inside
from agents.evidence.traces.shapes import dispersion, last_steps, read_steps
from agents.evidence.types import FloatArray, IntArray, Onset, Stretch, as_utc

BIN_S = 5.0
AFTER_S = 240.0  # how much after the latest possible moment is looked at
SLICE_S = 20.0
SLOW = 0.9  # quantile of the usual times beyond which a call is slow,
TIMES = (1.1, 2.0, 5.0)  # and by how much: what is usual may itself drift
LEAST_S = 0.0005
LEAST_USUAL = 5  # calls from which it is read
PLAIN_Z = 4.5  # noise units of the plainest difference from which nothing else need be asked for the moment;
LEAST_Z = 3.5  # below this no moment is named
SPLICED_SHARE = 0.5
REPORTED_AFTER_S = 45.0  # a late onset does more harm than an early one
EDGE = 2  # bins that do not make a hole
NEARLY = 0.92
TOGETHER = 3  # services whose plainest differences count
NEVER_BEFORE = 1.3
FEWER = 0.6  # share that a count loses with what is left
MAX_KINDS = 20_000


@dataclass(frozen=True, kw_only=True, eq=False)
class EventTable:
    """Countable events: each has a time, a kind and belongs to a group of which the kind is a share.

    `member_*` are the events of the kinds, `whole_*` those of the groups; the rest is per kind: its service and group,
    and what it counts if it becomes more frequent, if it is all new, if it becomes rarer.
    """

    member_ts: FloatArray
    member_kind: IntArray
    whole_ts: FloatArray
    whole_group: IntArray
    service: IntArray
    group: IntArray
    rise: FloatArray
    fresh: FloatArray
    fall: FloatArray


def date_events(
    events: Sequence[EventTable],
    earliest: float,
    latest: float,
    coverage: Sequence[Stretch] | None,
    spliced: Sequence[Stretch] = (),
    *,
    reported: float | None = None,
) -> Onset | None:
    """The onset within [earliest, latest], epoch seconds; None if nothing recorded changed plainly enough.

    Where the incident's own recording shows both sides of a moment, what was `spliced` in counts half. If it began
    while nothing was recorded, any moment of that hole would do: the one a little before the `reported` is taken.
    """
    edges = np.arange(earliest, latest + AFTER_S + BIN_S, BIN_S)
    moments = np.flatnonzero(edges <= latest + BIN_S)
    per_service: list[FloatArray] = []
    for found in events:
        if found.service.size == 0 or found.whole_ts.size == 0:
            continue
        bounded = _most_frequent(found)
        g = _gains(bounded, edges, moments, coverage, spliced)
        order = np.argsort(bounded.service, kind="stable")
        first = np.flatnonzero(np.diff(bounded.service[order], prepend=-1))
        per_service.append(np.maximum.reduceat(g[order], first, axis=0))
    if not per_service:
        return None
    gains = np.concatenate(per_service)
    plainest = np.sort(gains, axis=0)[-TOGETHER:]
    total = plainest.sum(axis=0)
    top = float(plainest[-1].max(initial=0.0))
    if np.sqrt(top) < LEAST_Z:
        return None
    alike = edges[moments[_as_good(total)]]
    wanted = np.flatnonzero(alike <= (reported if reported is not None else -np.inf) - REPORTED_AFTER_S)
    at = float(alike[wanted[-1]] if wanted.size else alike[0])
    return Onset(
        at=as_utc(at),
        guard_s=BIN_S,
        score=round(float(np.sqrt(top)), 2),
        direction="up",
        late_s=float(alike[-1]) - at,
    )


def _most_frequent(events: EventTable) -> EventTable:
    """The same events without the rarest kinds, where there are too many."""
    if events.service.size <= MAX_KINDS:
        return events
    count = np.bincount(events.member_kind, minlength=events.service.size)
    kept = np.sort(np.argsort(-count, kind="stable")[:MAX_KINDS])
    place = np.full(events.service.size, -1, dtype=np.int64)
    place[kept] = np.arange(kept.size)
    member = place[events.member_kind] >= 0
    groups = np.unique(events.group[kept])
    number = np.full(max(int(events.whole_group.max()), int(groups[-1])) + 1, -1, dtype=np.int64)
    number[groups] = np.arange(groups.size)
    whole = number[events.whole_group] >= 0
    return replace(
        events,
        whole_ts=events.whole_ts[whole],
        whole_group=number[events.whole_group[whole]],
        member_ts=events.member_ts[member],
        member_kind=place[events.member_kind[member]],
        service=events.service[kept],
        group=number[events.group[kept]],
        rise=events.rise[kept],
        fresh=events.fresh[kept],
        fall=events.fall[kept],
    )


def _as_good(total: FloatArray) -> slice:
    """The moments to choose from: the earliest that is nearly the best, or the hole in the recording around it."""
    first, best = int(np.flatnonzero(total >= NEARLY * total.max())[0]), int(total.argmax())
    start = first if np.isclose(total[first], total[best], rtol=1e-9) or best - first > EDGE else best
    other = np.flatnonzero(~np.isclose(total[start:], total[start], rtol=1e-9))
    stop = start + int(other[0]) if other.size else total.size
    return slice(start, stop) if stop - start > EDGE else slice(first, first + 1)


def _gains(
    events: EventTable,
    edges: FloatArray,
    moments: IntArray,
    coverage: Sequence[Stretch] | None,
    spliced: Sequence[Stretch],
) -> FloatArray:
    """Per kind and moment: how much better two shares than one explain the counts, less what wanders anyway."""
    kinds, groups = events.service.size, int(events.group.max()) + 1
    seen = _histogram(events.member_ts, events.member_kind, kinds, edges)
    whole = _histogram(events.whole_ts, events.whole_group, groups, edges)
    g = _split(seen, whole, events.group, moments)
    moved, moved_whole = inside(events.member_ts, spliced), inside(events.whole_ts, spliced)
    if moved_whole.any():
        own = seen.copy()
        own[:, 0] -= np.bincount(events.member_kind[moved], minlength=kinds)
        own_whole = whole.copy()
        own_whole[:, 0] -= np.bincount(events.whole_group[moved_whole], minlength=groups)
        alone = _split(own, own_whole, events.group, moments)
        g = np.where(np.abs(alone) > np.abs(SPLICED_SHARE * g), alone, SPLICED_SHARE * g)
    start = float(edges[0])
    quiet = before_onset(events.whole_ts, start, (), coverage, spliced)
    wander = dispersion(
        events.member_kind,
        chunk_of(events.member_ts, quiet, SLICE_S),
        events.whole_group,
        chunk_of(events.whole_ts, quiet, SLICE_S),
        events.group,
    )
    g = g / wander[:, None]
    unseen = np.cumsum(seen, axis=1)[:, moments] == 0
    factor = np.where(unseen, events.fresh[:, None], events.rise[:, None])
    return np.where(g >= 0, g * factor**2, -g * (events.fall[:, None] * _gone(seen, whole, events.group, moments)) ** 2)


def _gone(seen: FloatArray, whole: FloatArray, group: IntArray, moments: IntArray) -> FloatArray:
    """What a smaller share counts: most if nothing is left of it."""
    x, n = np.cumsum(seen, axis=1)[:, moments], np.cumsum(whole, axis=1)[:, moments][group]
    y, m = seen.sum(axis=1)[:, None] - x, whole.sum(axis=1)[group][:, None] - n
    left = y * np.maximum(n, 1.0) / np.maximum(x * np.maximum(m, 1.0), 1e-9)
    return np.where(left < 1, 1.0 - FEWER * np.clip(left, 0.0, 1.0), 0.0)


def _split(seen: FloatArray, whole: FloatArray, group: IntArray, moments: IntArray) -> FloatArray:
    """Per kind and moment the signed evidence that its share differs between the two sides."""
    x = np.cumsum(seen, axis=1)[:, moments]  # column j holds all before edge j
    n = np.cumsum(whole, axis=1)[:, moments][group]
    return _two_shares(x, n, seen.sum(axis=1)[:, None] - x, whole.sum(axis=1)[group][:, None] - n)


def _histogram(ts: FloatArray, kind: IntArray, kinds: int, edges: FloatArray) -> FloatArray:
    """Counts per kind: first column all before the first edge, then one per bin; later ones are left out."""
    place = np.searchsorted(edges, ts, side="right")
    inside = place < edges.size
    flat = np.bincount(kind[inside] * np.int64(edges.size) + place[inside], minlength=kinds * edges.size)
    return flat[: kinds * edges.size].reshape(kinds, edges.size).astype(np.float64)


def _two_shares(x: FloatArray, n: FloatArray, y: FloatArray, m: FloatArray) -> FloatArray:
    share = (x + y) / np.maximum(n + m, 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        g = _term(x, n * share) + _term(n - x, n * (1 - share)) + _term(y, m * share) + _term(m - y, m * (1 - share))
    return np.where((n > 0) & (m > 0), np.where(y * n >= x * m, 2.0, -2.0) * np.maximum(g, 0.0), 0.0)


def _term(seen: FloatArray, expected: FloatArray) -> FloatArray:
    return np.where((seen > 0) & (expected > 0), seen * np.log(seen / expected), 0.0)


def call_events(
    calls: SpanTable, earliest: float, coverage: Sequence[Stretch] | None, spliced: Sequence[Stretch] = ()
) -> list[EventTable]:
    """Early ends and slow calls, to be dated."""
    whole = ~cut_off(calls, coverage, spliced) & (calls.owner >= 0)
    rows = np.flatnonzero(calls.server & whole)
    if rows.size == 0:
        return []
    steps = read_steps(calls, rows)
    width = np.int64(2 * steps.keys + 1)
    key = calls.key[rows]
    pairs, kind = np.unique(key * width + last_steps(steps), return_inverse=True)
    first = np.zeros(int(calls.key.max()) + 1, dtype=np.int64)
    first[calls.key] = calls.service
    ends = EventTable(
        member_ts=calls.ts[rows],
        member_kind=kind.astype(np.int64),
        whole_ts=calls.ts[rows],
        whole_group=key,
        service=first[pairs // width],
        group=pairs // width,
        rise=np.ones(pairs.size),
        fresh=np.full(pairs.size, NEVER_BEFORE),
        fall=np.zeros(pairs.size),
    )
    client = np.flatnonzero(np.isfinite(calls.wait_s))
    width = np.int64(len(calls.spans.services))
    pair = calls.service[client] * width + calls.service[calls.callee[client]]
    edges, edge = np.unique(pair, return_inverse=True)
    return [
        ends,
        _slow(calls.ts[rows], calls.local_s[rows], key, first, earliest),
        _slow(calls.ts[client], calls.wait_s[client], edge.astype(np.int64), edges % width, earliest),
    ]


def _slow(ts: FloatArray, seconds: FloatArray, group: IntArray, service: IntArray, earliest: float) -> EventTable:
    """Calls slower, by each of `TIMES`, than nine in ten of their group were before `earliest`."""
    groups = service.size
    usual = ts < earliest
    count = np.bincount(group[usual], minlength=groups)
    limit = np.full(groups, np.inf)
    if usual.any():
        ordered = seconds[usual][np.lexsort((seconds[usual], group[usual]))]
        place = np.cumsum(count) - count + np.floor(SLOW * np.maximum(count - 1, 0) + 0.5).astype(np.int64)
        known = count >= LEAST_USUAL
        limit[known] = ordered[place[known]]
    slow = [np.flatnonzero(seconds > times * limit[group] + LEAST_S) for times in TIMES]
    member = np.concatenate(slow)
    level = np.repeat(np.arange(len(TIMES)), [s.size for s in slow])
    return EventTable(
        member_ts=ts[member],
        member_kind=level * groups + group[member],
        whole_ts=ts,
        whole_group=group,
        service=np.tile(service, len(TIMES)),
        group=np.tile(np.arange(groups), len(TIMES)),
        rise=np.ones(groups * len(TIMES)),
        fresh=np.ones(groups * len(TIMES)),
        fall=np.zeros(groups * len(TIMES)),
    )
