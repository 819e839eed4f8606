from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from agents.evidence.suspicion import Suspicion
from agents.evidence.traces import trace_breakdown, trace_suspicions
from agents.evidence.traces.calls import read_calls
from agents.evidence.traces.event_dating import call_events, date_events
from agents.evidence.types import Onset, Spans, Window, as_utc
from tests.agents.evidence.recording import END_S, ONSET_S, START_S, as_spans

ONSET = Onset(at=as_utc(ONSET_S), guard_s=2.0, score=10.0, direction="up")
WINDOW = Window(start=as_utc(START_S), end=as_utc(END_S))
EVERYTHING = ((START_S, END_S),)


def suspects(spans: Spans, **settings: Any) -> list[Suspicion]:
    return trace_suspicions(spans, ONSET, WINDOW, **settings)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("role", ["front", "middle", "side", "leaf"])
def test_own_work_that_takes_longer_is_held_against_its_service_alone(record: Any, role: str, seed: int) -> None:
    spans, _, names = record(f"{role}:work", seed)
    found = suspects(spans)
    assert {s.service for s in found} == {getattr(names, role)}
    assert found[0].family == "latency"
    assert found[0].current - found[0].baseline == pytest.approx(0.08, rel=0.3)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("role", ["middle", "side", "leaf"])
def test_a_service_all_of_whose_edges_are_slow_explains_them(record: Any, role: str, seed: int) -> None:
    spans, _, names = record(f"{role}:network", seed)
    found = suspects(spans)
    assert {s.service for s in found} == {getattr(names, role)}
    assert all(s.indicator.startswith("trace:gap") for s in found)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("role", ["front", "middle", "side"])
def test_a_service_that_stops_before_it_calls_anybody_is_suspected_first(record: Any, role: str, seed: int) -> None:
    spans, _, names = record(f"{role}:stops", seed)
    found = suspects(spans)
    assert found[0].service == getattr(names, role)
    assert found[0].family == "structure"


def test_a_call_after_which_several_callers_stop_is_the_callees_fault(record: Any) -> None:
    spans, _, names = record("leaf:answers_badly", 1)
    found = suspects(spans)
    assert found[0].service == names.leaf
    assert names.front not in {s.service for s in found}


def test_a_call_after_which_one_caller_stops_is_the_callers_first(record: Any) -> None:
    spans, _, names = record("side:answers_badly", 1)
    found = [s for s in suspects(spans) if s.family == "structure"]
    assert found[0].service == names.front
    assert found[0].peer == names.side
    assert any(s.service == names.side and s.score < found[0].score for s in found)


def test_a_step_that_is_left_out_is_told(record: Any) -> None:
    spans, _, names = record("side:skips", 2)
    found = suspects(spans)
    assert {s.service for s in found} == {names.side}
    assert "check stock" in found[0].indicator


@pytest.mark.parametrize("seed", range(12))
def test_nothing_is_found_where_nothing_happened(record: Any, seed: int) -> None:
    spans, _, _ = record("", seed)
    assert suspects(spans) == []


def test_two_slow_calls_may_be_chance(record: Any) -> None:
    spans, _, names = record("leaf:work", 3, per_second=0.25, until_s=ONSET_S + 12)
    few = [s for s in suspects(spans) if s.service == names.leaf]
    plain, _, names = record("leaf:work", 3)
    many = [s for s in suspects(plain) if s.service == names.leaf]
    assert max((s.score for s in few), default=0.0) < 0.5 * many[0].score


def test_what_has_healed_counts_little(record: Any) -> None:
    spans, _, names = record("leaf:work", 4, until_s=ONSET_S + 30)
    healed = max((s.score for s in suspects(spans) if s.service == names.leaf), default=0.0)
    plain, _, _ = record("leaf:work", 4)
    assert healed < 0.4 * suspects(plain)[0].score


def test_requests_that_still_ran_when_the_recording_ended_did_not_stop_early(record: Any) -> None:
    spans, _, _ = record("", 5)
    calls = read_calls(spans)
    ends = calls.end[calls.server & (calls.parent < 0)]
    for end in ends[-40:-20].tolist():
        cut = spans.ts <= end - 0.004
        columns = ("ts", "service", "operation", "duration_s", "trace", "span", "parent")
        part = replace(spans, **{name: getattr(spans, name)[cut] for name in columns})
        assert suspects(part, coverage=((START_S, end - 0.004),)) == []


def test_good_stretches_are_the_baseline(record: Any) -> None:
    spans, _, names = record("leaf:work", 6)
    found = trace_suspicions(spans, Onset(at=as_utc(END_S - 40), guard_s=2.0, score=1.0, direction="up"), WINDOW)
    assert found == []
    late = Onset(at=as_utc(END_S - 40), guard_s=2.0, score=1.0, direction="up")
    told = trace_suspicions(spans, late, WINDOW, good=((START_S, ONSET_S - 5),))
    assert told[0].service == names.leaf


def test_the_order_of_rows_does_not_matter(record: Any) -> None:
    spans, _, _ = record("middle:network", 7)
    order = np.random.default_rng(1).permutation(spans.ts.size)
    columns = ("ts", "service", "operation", "duration_s", "trace", "span", "parent")
    shuffled = replace(spans, **{name: getattr(spans, name)[order] for name in columns})
    assert suspects(shuffled) == suspects(spans)


def test_repeated_rows_and_a_skewed_clock_change_nothing(record: Any) -> None:
    spans, _, names = record("leaf:network", 8)
    columns = ("ts", "service", "operation", "duration_s", "trace", "span", "parent")
    twice = replace(spans, **{name: np.tile(getattr(spans, name), 2) for name in columns})
    assert suspects(twice) == suspects(spans)
    skewed = replace(spans, ts=spans.ts + 0.4 * (spans.service == spans.services.index(names.leaf)))
    assert {s.service for s in suspects(skewed)} == {names.leaf}


def test_where_the_time_goes(record: Any) -> None:
    spans, _, names = record("leaf:network", 9)
    found = trace_breakdown(spans, names.middle, Window(start=ONSET.at, end=WINDOW.end), ((START_S, ONSET_S - 2),))
    assert found is not None
    assert found.parts[0].callee == names.leaf
    assert found.parts[0].after_s - found.parts[0].before_s == pytest.approx(0.2, rel=0.2)
    assert found.parts[0].network_after_s == pytest.approx(0.2, rel=0.2)
    assert found.after_s == pytest.approx(sum(p.after_s for p in found.parts), rel=0.05)
    assert len(found.slow_trace_ids) == 3
    named = replace(spans, trace_ids=tuple(f"id-{n}" for n in range(int(spans.trace.max()) + 1)))
    by_operation = trace_breakdown(named, f"serve {names.middle}", Window(start=ONSET.at, end=WINDOW.end))
    assert by_operation is not None
    assert all(name.startswith("id-") for name in by_operation.slow_trace_ids)
    assert trace_breakdown(spans, "nobody", WINDOW) is None


def test_the_onset_is_found_however_wrongly_it_was_told(record: Any) -> None:
    for fault in ("leaf:work", "middle:network", "side:stops", "leaf:answers_badly"):
        spans, _, _ = record(fault, 10)
        for shift in (-60.0, 0.0, 60.0, 120.0):
            earliest = ONSET_S + shift - 150
            events = call_events(read_calls(spans), earliest, None)
            onset = date_events(events, earliest, earliest + 240, None)
            assert onset is not None
            assert abs(onset.at.timestamp() - ONSET_S) <= 10, (fault, shift)


def test_quiet_spans_date_nothing_plainly(record: Any) -> None:
    plain = 0
    for seed in range(6):
        spans, _, _ = record("", 20 + seed)
        earliest = ONSET_S - 150
        onset = date_events(call_events(read_calls(spans), earliest, None), earliest, earliest + 240, None)
        plain += onset is not None and onset.score >= 4.5
    assert plain == 0


ints = hnp.arrays(np.int64, 40, elements=st.integers(-2, 6))


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(
        hnp.arrays(np.float64, 40, elements=st.floats(width=64) | st.floats(START_S, END_S)),
        hnp.arrays(np.float64, 40, elements=st.floats(width=64) | st.floats(0, 5)),
        ints,
        ints,
        ints,
        hnp.arrays(np.int64, 40, elements=st.integers(-3, 20)),
        hnp.arrays(np.int64, 40, elements=st.integers(-3, 20)),
    )
)
def test_garbage_never_raises(columns: Any) -> None:
    ts, duration, service, operation, trace, span, up = columns
    spans = Spans(
        ts=ts,
        service=service,
        operation=operation,
        duration_s=duration,
        trace=trace,
        span=span,
        parent=up,
        services=("a", "b", "c"),
        operations=("x", "y", "z", "w"),
    )
    for coverage in (None, (), ((START_S, END_S),), ((END_S, START_S),), ((START_S, START_S),)):
        assert all(np.isfinite(s.score) and s.score <= 30 for s in suspects(spans, coverage=coverage))
        date_events(call_events(read_calls(spans), ONSET_S - 150, coverage), ONSET_S - 150, ONSET_S + 90, coverage)
    trace_breakdown(spans, "a", WINDOW)


def test_no_spans_are_no_suspicion() -> None:
    empty = as_spans([])
    assert suspects(empty) == []


def test_parents_in_a_ring_belong_to_nobody() -> None:
    rows = [(START_S + i, "a", "x", 1.0, 1, i, (i + 1) % 4) for i in range(4)]
    calls = read_calls(as_spans(rows))
    assert (calls.owner == -1).all()


def test_a_service_that_no_longer_answers_is_suspected(record: Any) -> None:
    spans, _, names = record("", 12)
    silent = (spans.service == spans.services.index(names.leaf)) & (spans.ts >= ONSET_S)
    columns = ("ts", "service", "operation", "duration_s", "trace", "span", "parent")
    left = replace(spans, **{name: getattr(spans, name)[~silent] for name in columns})
    found = [s for s in suspects(left) if s.indicator.startswith("trace:missing answers")]
    assert {s.service for s in found} == {names.leaf}
    assert {s.peer for s in found} == {names.middle, names.side}
