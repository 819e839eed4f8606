"""Several recorders' spans as one recording."""

import numpy as np

from agents.evidence.traces.merging import merge_spans
from agents.evidence.types import Spans


def recording(
    *rows: tuple[str, str, int, int, int], failed: bool | None = None, trace_ids: tuple[str, ...] = ()
) -> Spans:
    """Rows are service, operation, trace, span, parent."""
    services = tuple(dict.fromkeys(row[0] for row in rows))
    operations = tuple(dict.fromkeys(row[1] for row in rows))
    return Spans(
        ts=np.arange(len(rows), dtype=np.float64),
        service=np.array([services.index(row[0]) for row in rows], dtype=np.int64),
        operation=np.array([operations.index(row[1]) for row in rows], dtype=np.int64),
        duration_s=np.ones(len(rows)),
        trace=np.array([row[2] for row in rows], dtype=np.int64),
        span=np.array([row[3] for row in rows], dtype=np.int64),
        parent=np.array([row[4] for row in rows], dtype=np.int64),
        services=services,
        operations=operations,
        failed=None if failed is None else np.full(len(rows), failed, dtype=np.bool_),
        trace_ids=trace_ids,
    )


def rows(spans: Spans) -> list[tuple[str, str, int, int, int]]:
    columns = (spans.service, spans.operation, spans.trace, spans.span, spans.parent)
    return [
        (spans.services[s], spans.operations[o], int(t), int(i), int(p)) for s, o, t, i, p in zip(*columns, strict=True)
    ]


def test_nothing_read_is_none_and_one_recording_is_itself() -> None:
    assert merge_spans([]) is None
    assert merge_spans([recording()]) is None
    only = recording(("a", "get", 0, 0, -1))
    assert merge_spans([recording(), only]) is only


def test_names_become_one_and_traces_stay_apart() -> None:
    first = recording(("a", "get", 0, 900, -1), ("b", "get", 0, 7, 900), trace_ids=("x1",))
    second = recording(("b", "put", 0, 900, -1), ("a", "get", 1, 900, -1), ("c", "put", 1, 5, 900))
    merged = merge_spans([first, second])
    assert merged is not None
    assert rows(merged) == [
        ("a", "get", 0, 2, -1),
        ("b", "get", 0, 1, 2),
        ("b", "put", 1, 5, -1),
        ("a", "get", 2, 5, -1),
        ("c", "put", 2, 4, 5),
    ]
    assert merged.services == ("a", "b", "c")
    assert merged.trace_ids == ("x1", "", "")
    assert merged.failed is None


def test_spans_of_a_recorder_that_tells_no_failures_count_as_not_failed() -> None:
    merged = merge_spans([recording(("a", "get", 0, 0, -1), failed=True), recording(("a", "get", 0, 0, -1))])
    assert merged is not None
    assert merged.failed is not None
    assert merged.failed.tolist() == [True, False]
