"""Spans of several recorders as one recording."""

from collections.abc import Iterable, Sequence

import numpy as np

from agents.evidence.types import BoolArray, IntArray, Spans


def merge_spans(parts: Sequence[Spans]) -> Spans | None:
    """One recording of all parts, or None if no part holds a span.

    Services and operations of the same name become one. Traces and spans are renumbered and stay apart: what two
    recorders saw of one request is two traces.
    """
    parts = [part for part in parts if part.ts.size]
    if len(parts) <= 1:
        return parts[0] if parts else None
    services = tuple(dict.fromkeys(name for part in parts for name in part.services))
    operations = tuple(dict.fromkeys(name for part in parts for name in part.operations))
    traces = _after_each_other([int(part.trace.max()) + 1 for part in parts])
    ids = [_numbered(part) for part in parts]
    firsts = _after_each_other([count for _, _, count in ids])
    named = any(part.trace_ids for part in parts)
    return Spans(
        ts=np.concatenate([part.ts for part in parts]),
        service=np.concatenate([_renamed(part.service, part.services, services) for part in parts]),
        operation=np.concatenate([_renamed(part.operation, part.operations, operations) for part in parts]),
        duration_s=np.concatenate([part.duration_s for part in parts]),
        trace=np.concatenate([part.trace + first for part, first in zip(parts, traces, strict=False)]),
        span=np.concatenate([span + first for (span, _, _), first in zip(ids, firsts, strict=False)]),
        parent=np.concatenate(
            [np.where(parent >= 0, parent + first, -1) for (_, parent, _), first in zip(ids, firsts, strict=False)]
        ),
        services=services,
        operations=operations,
        failed=_failed(parts),
        trace_ids=_trace_ids(parts) if named else (),
    )


def _after_each_other(counts: Iterable[int]) -> list[int]:
    """The first number of each part when they are numbered on."""
    firsts = [0]
    for count in counts:
        firsts.append(firsts[-1] + count)
    return firsts


def _numbered(part: Spans) -> tuple[IntArray, IntArray, int]:
    """Span and parent as numbers from 0 on, and how many there are: ids may be anything that identifies."""
    found, number = np.unique(np.concatenate([part.span, part.parent]), return_inverse=True)
    number = number.astype(np.int64)
    return number[: part.span.size], np.where(part.parent >= 0, number[part.span.size :], -1), found.size


def _renamed(column: IntArray, names: Sequence[str], all_names: Sequence[str]) -> IntArray:
    place = {name: i for i, name in enumerate(all_names)}
    return np.array([place[name] for name in names], dtype=np.int64)[column]


def _failed(parts: Sequence[Spans]) -> BoolArray | None:
    """None if no part recorded failures; where only some did, the others' spans count as not failed."""
    if all(part.failed is None for part in parts):
        return None
    return np.concatenate([np.zeros(p.ts.size, dtype=np.bool_) if p.failed is None else p.failed for p in parts])


def _trace_ids(parts: Sequence[Spans]) -> tuple[str, ...]:
    found: list[str] = []
    for part in parts:
        count = int(part.trace.max()) + 1
        found += [*part.trace_ids, *("" for _ in range(count))][:count]
    return tuple(found)
