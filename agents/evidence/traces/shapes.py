"""What requests do: which steps a server call takes and after which step it ends, compared before and after.

A request that fails stops early, and the step after which it stopped says where to look: in the service itself, or in
what it called last. What reaches an endpoint may change with the users' mood; so a share must move further than it
moved between slices of the baseline.
"""

from dataclasses import dataclass

import numpy as np

from agents.evidence.traces.calls import SpanTable
from agents.evidence.traces.timing import Sides
from agents.evidence.types import FloatArray, IntArray

MAX_CELLS = 5_000_000
LEAST_VARIANCE = 0.25


@dataclass(frozen=True, kw_only=True, eq=False)
class CallSteps:
    """The steps of server calls, in order. `rows` are the server calls' rows in `SpanTable`.

    A step is a key of `SpanTable`: the callee's, plus `keys`, for a call that another service answered. A step repeated
    at once counts once. The steps of call `i` are `step[start[i]:start[i + 1]]`; `call` is each step's `i`.
    """

    rows: IntArray
    start: IntArray
    step: IntArray
    call: IntArray
    keys: int


def read_steps(calls: SpanTable, rows: IntArray) -> CallSteps:
    """Steps of the server calls at `rows`."""
    keys = int(calls.key.max()) + 1 if calls.key.size else 0
    index = np.full(calls.ts.size, -1, dtype=np.int64)
    index[rows] = np.arange(rows.size)
    member = np.flatnonzero((calls.owner >= 0) & ~calls.server)
    call = index[calls.owner[member]]
    member, call = member[call >= 0], call[call >= 0]
    order = np.argsort(call, kind="stable")  # rows are in time order already
    member, call = member[order], call[order]
    answered = calls.client[member] & (calls.callee[member] >= 0)
    step = np.where(answered, keys + calls.key[np.maximum(calls.callee[member], 0)], calls.key[member])
    if member.size:
        fresh = np.ones(member.size, dtype=np.bool_)
        fresh[1:] = (call[1:] != call[:-1]) | (step[1:] != step[:-1])
        step, call = step[fresh], call[fresh]
    start = np.concatenate([[0], np.cumsum(np.bincount(call, minlength=rows.size))])
    return CallSteps(rows=rows, start=start, step=step, call=call, keys=keys)


@dataclass(frozen=True, kw_only=True, eq=False)
class Shares:
    """One entry per kind of event at an endpoint: in how many of the endpoint's calls it occurred, before and after.

    `z` is signed (positive: more than before), in units of what chance and the baseline's own wandering explain.
    """

    endpoint: IntArray
    kind: IntArray
    before: IntArray
    calls_before: IntArray
    after: IntArray
    calls_after: IntArray
    z: FloatArray


def endings(calls: SpanTable, steps: CallSteps, sides: Sides) -> Shares:
    """After which step calls ended; the kind `2 * keys` is "before the first"."""
    return _compare(calls, steps, np.arange(steps.rows.size), last_steps(steps), sides)


def last_steps(steps: CallSteps) -> IntArray:
    """The step after which each call ended; `2 * keys` if it took none."""
    taken = np.diff(steps.start)
    last = np.full(steps.rows.size, 2 * steps.keys, dtype=np.int64)
    last[taken > 0] = steps.step[steps.start[1:][taken > 0] - 1]
    return last


def presences(calls: SpanTable, steps: CallSteps, sides: Sides) -> Shares:
    """In which calls a step occurred at all."""
    width = np.int64(max(2 * steps.keys, 1))
    once = np.unique(steps.call * width + steps.step)
    return _compare(calls, steps, once // width, once % width, sides)


def _compare(calls: SpanTable, steps: CallSteps, call: IntArray, kind: IntArray, sides: Sides) -> Shares:
    """Event `i` is of `kind[i]`, in call `call[i]`."""
    key = calls.key[steps.rows]
    width = np.int64(2 * steps.keys + 1)
    pairs, code = np.unique(key[call] * width + kind, return_inverse=True)
    code = code.astype(np.int64)
    endpoint = pairs // width
    old, new = sides.before[steps.rows], sides.after[steps.rows]
    x = np.bincount(code[old[call]], minlength=pairs.size)
    y = np.bincount(code[new[call]], minlength=pairs.size)
    n = np.bincount(key[old], minlength=steps.keys)[endpoint]
    m = np.bincount(key[new], minlength=steps.keys)[endpoint]
    slice_of = np.where(old, sides.chunk[steps.rows], -1)
    wander = dispersion(code, slice_of[call], key, slice_of, endpoint)
    g = signed_g(x, n, y, m) / wander
    return Shares(
        endpoint=endpoint,
        kind=pairs % width,
        before=x,
        calls_before=n,
        after=y,
        calls_after=m,
        z=np.sign(g) * np.sqrt(np.abs(g)),
    )


def dispersion(
    kind: IntArray, kind_chunk: IntArray, group: IntArray, group_chunk: IntArray, group_of_kind: IntArray
) -> FloatArray:
    """Per kind: how much more than by chance its share of its group's events varies between slices; 1 at least.

    `kind` and `group` number the counted events and those they are a share of, with the slice of each (-1: none). With
    few slices the estimate is drawn towards 1.
    """
    kinds = group_of_kind.size
    chunks = int(max(kind_chunk.max(initial=-1), group_chunk.max(initial=-1))) + 1
    groups = int(max(group.max(initial=-1), group_of_kind.max(initial=-1))) + 1
    if chunks <= 0 or kinds * chunks > MAX_CELLS or groups * chunks > MAX_CELLS:
        return np.ones(kinds)
    known = kind_chunk >= 0
    seen = np.bincount(kind[known] * chunks + kind_chunk[known], minlength=kinds * chunks).reshape(kinds, chunks)
    known = group_chunk >= 0
    total = np.bincount(group[known] * chunks + group_chunk[known], minlength=groups * chunks)
    total = total.reshape(groups, chunks)[group_of_kind]
    share = seen.sum(axis=1) / np.maximum(total.sum(axis=1), 1)
    expected = total * share[:, None]
    variance = np.maximum(expected * (1 - share[:, None]), LEAST_VARIANCE)
    used = total > 0
    squares = np.where(used, (seen - expected) ** 2 / variance, 0.0).sum(axis=1)
    freedom = np.maximum(used.sum(axis=1) - 1, 0)
    return np.asarray(np.maximum((squares + 2.0) / (freedom + 2.0), 1.0))


def signed_g(x: IntArray, n: IntArray, y: IntArray, m: IntArray) -> FloatArray:
    """Twice the log likelihood ratio of "x of n and y of m are the same share", positive where the share has grown."""
    xs, ns, ys, ms = (np.asarray(v, dtype=np.float64) for v in (x, n, y, m))
    share = (xs + ys) / np.maximum(ns + ms, 1)
    g = _part(xs, ns * share) + _part(ns - xs, ns * (1 - share))
    g += _part(ys, ms * share) + _part(ms - ys, ms * (1 - share))
    sign = np.where(ys * ns >= xs * ms, 1.0, -1.0)
    return np.where((ns > 0) & (ms > 0), sign * np.maximum(2 * g, 0.0), 0.0)


def _part(seen: FloatArray, expected: FloatArray) -> FloatArray:
    usable = (seen > 0) & (expected > 0)
    return np.where(usable, seen * np.log(np.where(usable, seen, 1.0) / np.where(usable, expected, 1.0)), 0.0)
