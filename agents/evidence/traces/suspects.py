"""From recorded calls to suspicions: whose own time grew, whose network, whose requests stop early.

A caller is not suspected for what its callee does: the wait for a call is never its own time, and a request that ends
after a call is the callee's if it ends so for several callers.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from agents.evidence.levels import soften
from agents.evidence.norms import Z_ABNORMAL
from agents.evidence.suspicion import Suspicion
from agents.evidence.traces.calls import SpanTable, before_onset, chunk_of, cut_off, inside, read_calls
from agents.evidence.traces.shapes import CallSteps, Shares, dispersion, endings, presences, read_steps, signed_g
from agents.evidence.traces.timing import Shifts, Sides, compare_times, edge_blame
from agents.evidence.types import BoolArray, Direction, IntArray, Onset, Spans, Stretch, Window

CHUNK_S = 20.0
NEVER_BEFORE = 1.3  # what never happened before counts this much more
CALLED_LAST = 0.4  # share of a caller's early ends that the called service is held for, if it alone ends so


@dataclass(frozen=True, kw_only=True, eq=False)
class Compared:
    """A recording, what of it is before and after the onset, and which of its rows had ended when it ended."""

    calls: SpanTable
    sides: Sides
    whole: BoolArray


def trace_suspicions(
    spans: Spans | SpanTable,
    onset: Onset,
    window: Window,
    *,
    good: Sequence[Stretch] = (),
    coverage: Sequence[Stretch] | None = None,
    spliced: Sequence[Stretch] = (),
) -> list[Suspicion]:
    """Services suspected for their own time, their network, their early ends or their silence, strongest first.

    What came before is read in the `good` stretches; without any, in all that was recorded before the onset's guard
    band. Who calls whom is read from the spans.
    """
    calls = spans if isinstance(spans, SpanTable) else read_calls(spans)
    compared = compare(calls, onset, window, good=good, coverage=coverage, spliced=spliced)
    if not compared.sides.before.any() or not compared.sides.after.any():
        return []
    found = [*own_times(compared), *edge_times(compared), *early_ends(compared), *unanswered(compared)]
    return sorted(found, key=lambda s: (-s.score, s.service, s.indicator))


def compare(
    calls: SpanTable,
    onset: Onset,
    window: Window,
    *,
    good: Sequence[Stretch] = (),
    coverage: Sequence[Stretch] | None = None,
    spliced: Sequence[Stretch] = (),
) -> Compared:
    """Divide a recording at the onset."""
    at, end = onset.at.timestamp(), window.end.timestamp()
    until = at - onset.guard_s
    quiet = before_onset(calls.ts, until, good, coverage, spliced)
    before = inside(calls.ts, quiet) & (calls.ts < until)
    after = np.asarray((calls.ts >= at) & (calls.ts <= end), dtype=np.bool_)
    middle = float(np.median(calls.ts[after])) if after.any() else np.inf
    sides = Sides(
        before=before, after=after, late=after & (calls.ts >= middle), chunk=chunk_of(calls.ts, quiet, CHUNK_S)
    )
    return Compared(
        calls=calls,
        sides=sides,
        whole=~cut_off(calls, coverage, spliced),
    )


def capped(z: float) -> float:
    """Noise units as a score: beyond ten ever slower, and never above the cap."""
    return float(soften(np.array([z]))[0])


def own_times(c: Compared) -> list[Suspicion]:
    """Endpoints whose service spends more time of its own."""
    calls = c.calls
    entry = calls.server & (calls.owner >= 0) & c.whole
    shifts = _times(c, np.where(entry, calls.key, -1), np.where(entry, calls.local_s, np.nan), _size(calls.key))
    first = _first_rows(calls.key)
    found = []
    for key in np.flatnonzero(np.nan_to_num(shifts.score) >= Z_ABNORMAL).tolist():
        service, operation = calls.name(first[key])
        found.append(_slower(service, f"trace:self {operation}", shifts, key))
    return found


def edge_times(c: Compared) -> list[Suspicion]:
    """Services to and from which calls take longer on the way."""
    calls = c.calls
    client = np.flatnonzero(np.isfinite(calls.wait_s))
    width = len(calls.spans.services)
    pair = calls.service[client] * np.int64(width) + calls.service[calls.callee[client]]
    pairs, code = np.unique(pair, return_inverse=True)
    group = np.full(calls.ts.size, -1, dtype=np.int64)
    group[client] = code
    shifts = _times(c, group, calls.wait_s, pairs.size)
    caller, callee = (pairs // width).tolist(), (pairs % width).tolist()
    weight = np.sqrt(shifts.n_after.astype(np.float64))
    blame, blamed = edge_blame(caller, callee, shifts.score, weight)
    names = calls.spans.services
    found = []
    for edge, service in sorted(blamed.items()):
        a, b = names[caller[edge]], names[callee[edge]]
        one = _slower(names[service], f"trace:gap {a} -> {b}", shifts, edge, peer=b if names[service] == a else a)
        found.append(replace(one, score=min(one.score, blame[service])))
    return found


def early_ends(c: Compared) -> list[Suspicion]:
    """Endpoints whose calls end after another step than usual, or take steps they never took, or no longer."""
    calls = c.calls
    rows = np.flatnonzero(calls.server & (calls.owner >= 0) & c.whole & (c.sides.before | c.sides.after))
    steps = read_steps(calls, rows)
    ends = endings(calls, steps, c.sides)
    first = _first_rows(calls.key)
    found: list[Suspicion] = []
    ended: set[int] = set()
    at_callee: dict[int, list[int]] = defaultdict(list)
    for i in np.flatnonzero(ends.z * np.where(ends.before == 0, NEVER_BEFORE, 1.0) >= Z_ABNORMAL).tolist():
        ended.add(int(ends.endpoint[i]))
        if steps.keys <= ends.kind[i] < 2 * steps.keys:
            at_callee[int(ends.kind[i]) - steps.keys].append(i)
        else:
            found.append(_early(calls, steps, ends, i, first))
    for key, group in sorted(at_callee.items()):
        if key in ended:
            continue  # the callee itself ended early, and its callers with it
        found += _after_call(calls, ends, key, group, first)
    return [*found, *_steps_missing(c, steps, ended, first)]


def _after_call(calls: SpanTable, ends: Shares, key: int, group: Sequence[int], first: IntArray) -> list[Suspicion]:
    """Calls that ended after calling the endpoint `key`: the callee's fault if several endpoints end so."""
    callee, operation = calls.name(int(first[key]))
    callers = {calls.name(int(first[ends.endpoint[i]]))[0] for i in group}
    agreed = len(callers) > 1
    found = []
    for i in group:
        caller, endpoint = calls.name(int(first[ends.endpoint[i]]))
        score = _ending_score(ends, i)
        one = _share(caller, f"trace:structure {endpoint} ends after {callee} {operation}", ends, i, score, peer=callee)
        if not agreed:
            found.append(one)
        held = score if agreed else CALLED_LAST * score
        if held >= Z_ABNORMAL:
            found.append(replace(one, service=callee, peer=caller, score=held))
    return found


def _early(calls: SpanTable, steps: CallSteps, ends: Shares, i: int, first: IntArray) -> Suspicion:
    service, endpoint = calls.name(int(first[ends.endpoint[i]]))
    kind = int(ends.kind[i])
    last = calls.name(int(first[kind]))[1] if kind < steps.keys else "nothing"
    return _share(service, f"trace:structure {endpoint} ends after {last}", ends, i, _ending_score(ends, i))


def _steps_missing(c: Compared, steps: CallSteps, ended: set[int], first: IntArray) -> list[Suspicion]:
    """Steps of a service's own that are new or have vanished at an endpoint whose calls end as they always did."""
    calls = c.calls
    seen = presences(calls, steps, c.sides)
    found = []
    for i in np.flatnonzero(np.abs(seen.z) >= Z_ABNORMAL).tolist():
        gone = seen.z[i] < 0
        if (gone and seen.after[i] > 0) or (not gone and seen.before[i] > 0):
            continue
        if int(seen.endpoint[i]) in ended or seen.kind[i] >= steps.keys:
            continue
        service, endpoint = calls.name(int(first[seen.endpoint[i]]))
        step = calls.name(int(first[seen.kind[i]]))[1]
        name = f"trace:missing {step} of {endpoint}" if gone else f"trace:structure new {step} in {endpoint}"
        found.append(_share(service, name, seen, i, capped(abs(float(seen.z[i])))))
    return found


def _ending_score(ends: Shares, i: int) -> float:
    return capped(float(ends.z[i]) * (NEVER_BEFORE if ends.before[i] == 0 else 1.0))


def _share(service: str, indicator: str, shares: Shares, i: int, score: float, *, peer: str | None = None) -> Suspicion:
    direction: Direction = "up" if shares.z[i] >= 0 else "down"
    return Suspicion(
        service=service,
        family="structure",
        indicator=indicator,
        score=score,
        direction=direction,
        baseline=float(shares.before[i]) / max(int(shares.calls_before[i]), 1),
        current=float(shares.after[i]) / max(int(shares.calls_after[i]), 1),
        unit="ratio",
        source="traces",
        peer=peer,
    )


def _slower(service: str, indicator: str, shifts: Shifts, group: int, peer: str | None = None) -> Suspicion:
    return Suspicion(
        service=service,
        family="latency",
        indicator=indicator,
        score=float(shifts.score[group]),
        direction="up",
        baseline=float(shifts.before_s[group]),
        current=float(shifts.after_s[group]),
        unit="s",
        source="traces",
        peer=peer,
    )


def unanswered(c: Compared) -> list[Suspicion]:
    """Services that left calls without a span of their own to which they used to answer."""
    calls, sides = c.calls, c.sides
    rows = np.flatnonzero(calls.client & c.whole & (sides.before | sides.after))
    lost = calls.callee[rows] < 0
    key, old, new = calls.key[rows], sides.before[rows], sides.after[rows]
    size = _size(calls.key)
    x, n = np.bincount(key[old & lost], minlength=size), np.bincount(key[old], minlength=size)
    y, m = np.bincount(key[new & lost], minlength=size), np.bincount(key[new], minlength=size)
    slices = np.where(old, sides.chunk[rows], -1)
    wander = dispersion(key[lost], slices[lost], key, slices, np.arange(size))
    g = signed_g(x, n, y, m) / wander
    first = _first_rows(calls.key)
    found = []
    for k in np.flatnonzero(g >= Z_ABNORMAL**2).tolist():
        answered = calls.callee[rows[(key == k) & old & ~lost]]
        if answered.size == 0:
            continue
        caller, operation = calls.name(int(first[k]))
        callee = calls.spans.services[int(np.bincount(calls.service[answered]).argmax())]
        found.append(
            Suspicion(
                service=callee,
                family="structure",
                indicator=f"trace:missing answers to {operation} of {caller}",
                score=capped(float(np.sqrt(g[k]))),
                direction="up",
                baseline=float(x[k]) / max(int(n[k]), 1),
                current=float(y[k]) / max(int(m[k]), 1),
                unit="ratio",
                source="traces",
                peer=caller,
            )
        )
    return found


def _times(c: Compared, group: IntArray, seconds: np.ndarray, groups: int) -> Shifts:
    return compare_times(group, seconds, c.sides, groups)


def _size(key: IntArray) -> int:
    return int(key.max()) + 1 if key.size else 0


def _first_rows(key: IntArray) -> IntArray:
    """A row of each key."""
    first = np.zeros(_size(key), dtype=np.int64)
    first[key[::-1]] = np.arange(key.size)[::-1]
    return first
