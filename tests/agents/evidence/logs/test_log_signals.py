from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.evidence.logs.log_signals import as_columns, is_bad, line_events, log_suspicions
from agents.evidence.suspicion import Suspicion
from agents.evidence.traces.event_dating import date_events
from agents.evidence.types import LogLine, Onset, Stretch, Window, as_utc
from tests.agents.evidence.recording import END_S, ONSET_S, START_S

ONSET = Onset(at=as_utc(ONSET_S), guard_s=2.0, score=10.0, direction="up")
WINDOW = Window(start=as_utc(START_S), end=as_utc(END_S))


def line(second: float, text: str, service: str = "svc", level: str = "INFO") -> LogLine:
    return LogLine(time=as_utc(START_S + second), service=service, level=level, text=text)


def steady(text: str, every: float = 1.0, start: float = 0.0, end: float = 400.0, **told: str) -> list[LogLine]:
    return [line(s, text.format(n=n), **told) for n, s in enumerate(np.arange(start, end, every).tolist())]


def suspects(lines: Sequence[LogLine], **told: Any) -> list[Suspicion]:
    return log_suspicions(lines, ONSET, WINDOW, **told)


def dated(lines: Sequence[LogLine], earliest: float, coverage: Sequence[Stretch] | None = None) -> Onset | None:
    return date_events(line_events(as_columns(lines), earliest, coverage), earliest, earliest + 240, coverage)


@pytest.mark.parametrize("seed", range(4))
def test_a_new_error_comes_first_and_is_quoted(record: Any, seed: int) -> None:
    _, lines, names = record("leaf:stops", seed)
    found = suspects(lines)
    assert found[0].service == names.leaf
    assert found[0].indicator.startswith("log: new")
    assert found[0].exemplar in {f"{x.level} {x.text}" for x in lines if x.level == "ERROR"}


@pytest.mark.parametrize("seed", range(8))
def test_nothing_is_found_where_nothing_happened(record: Any, seed: int) -> None:
    _, lines, _ = record("", seed)
    assert suspects(lines) == []


def test_a_statement_that_is_no_longer_reached_is_missed_beside_its_companion(record: Any) -> None:
    _, lines, names = record("side:skips", 1)
    (found, *_) = suspects(lines)
    assert found.service == names.side
    assert found.indicator.startswith("log: gone")
    assert "Store#20" in found.indicator
    assert found.current == 0.0


def test_another_mix_of_requests_is_no_finding() -> None:
    rng = np.random.default_rng(5)
    lines = []
    for second in np.arange(0, 400, 0.25).tolist():
        often = 0.8 if second < 300 else 0.45  # of the requests are of the one kind, then of the other
        kind = "list" if rng.random() < often else "order"
        lines += [
            line(second + k / 100, f"{kind.title()}#{k} {kind} step for {rng.integers(1_000_000)}") for k in (1, 2, 3)
        ]
    found = suspects(lines)
    assert sum(s.indicator.split()[3].startswith("List#") for s in found) <= 1
    assert max((s.score for s in found), default=0.0) < 8.0


def test_more_load_is_no_finding() -> None:
    calm = [x for k in (1, 2, 3) for x in steady(f"Shop#{k} did {{n}}", end=300)]
    busy = [x for k in (1, 2, 3) for x in steady(f"Shop#{k} did {{n}}", every=0.1, start=300)]
    assert suspects([*calm, *busy]) == []


def test_errors_that_stop_are_no_news() -> None:
    lines = [*steady("Shop#1 did {n}"), *steady("Shop#9 failed at {n}", every=3, end=295, level="ERROR")]
    assert suspects(lines) == []


def test_the_place_in_the_source_parts_what_reads_alike() -> None:
    both = [*steady("Shop#1 query {n}"), *steady("Shop#2 query {n}", start=0.5, end=299)]
    found = suspects([*both, *steady("Shop#3 began {n}", every=0.5)])
    assert any("gone" in s.indicator and "Shop#2" in s.indicator for s in found)


def test_lines_without_a_place_are_known_by_their_template() -> None:
    lines = [*steady("stored item {n} of user 7"), *steady("cannot reach the ledger for item {n}", start=301)]
    (found, *_) = suspects(lines)
    assert found.indicator.startswith("log: new")
    assert "cannot reach the ledger" in (found.exemplar or "")


def test_what_a_library_says_for_everybody_counts_less() -> None:
    services = ("a", "b", "c")
    usual = [x for s in services for x in steady(f"Work{s.upper()}#1 did {{n}}", service=s)]
    library = [
        x
        for s, until in zip(services, (400, 305, 305), strict=True)
        for x in steady("Dispatcher#175 failed {n}", start=301, end=until, service=s, level="ERROR")
    ]
    own = steady("WorkB#5 cannot read {n}", start=301, service="b", level="ERROR")
    found = suspects([*usual, *library, *own])
    assert found[0].service == "b"


def test_an_error_is_known_by_its_level_first() -> None:
    assert is_bad("ERROR Shop#1 nothing special")
    assert not is_bad("INFO Shop#1 error rate is zero, no exception")
    assert is_bad("java.lang.IllegalStateException: broken")
    assert not is_bad("stored item 7")


@pytest.mark.parametrize("shift", [-60.0, 0.0, 60.0, 120.0])
@pytest.mark.parametrize("fault", ["leaf:stops", "side:skips", "front:stops"])
def test_lines_date_the_incident_however_wrongly_it_was_told(record: Any, fault: str, shift: float) -> None:
    _, lines, _ = record(fault, 3)
    onset = dated(lines, ONSET_S + shift - 150)
    assert onset is not None
    assert abs(onset.at.timestamp() - ONSET_S) <= 10


def test_an_onset_in_a_hole_of_the_recording_lies_near_the_report(record: Any) -> None:
    _, lines, _ = record("leaf:stops", 4)
    hole = (ONSET_S - 120, ONSET_S + 20)
    kept = [x for x in lines if not hole[0] < x.time.timestamp() < hole[1]]
    coverage = ((START_S, hole[0]), (hole[1], END_S))
    events = line_events(as_columns(kept), ONSET_S - 150, coverage)
    blind = date_events(events, ONSET_S - 150, ONSET_S + 90, coverage)
    told = date_events(events, ONSET_S - 150, ONSET_S + 90, coverage, reported=ONSET_S)
    assert blind is not None
    assert told is not None
    assert hole[0] - 10 <= blind.at.timestamp() <= told.at.timestamp() <= ONSET_S
    assert told.late_s > 0


def test_quiet_lines_date_nothing_plainly(record: Any) -> None:
    for seed in range(6):
        _, lines, _ = record("", 30 + seed)
        onset = dated(lines, ONSET_S - 150)
        assert onset is None or onset.score < 4.5


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.floats(-50, 450), st.text(max_size=60), st.sampled_from(["", "a", "b"])), max_size=40),
    st.randoms(),
)
def test_garbage_never_raises_and_order_does_not_matter(rows: list[Any], shuffler: Any) -> None:
    lines = [line(s, f"{text}", service) for s, text, service in rows]
    expected = suspects(lines)
    dated(lines, ONSET_S - 150)
    for coverage in ((), ((END_S, START_S),), ((START_S, START_S),)):
        assert all(np.isfinite(s.score) for s in suspects(lines, coverage=coverage))
    shuffler.shuffle(lines)
    assert {(s.service, round(s.score, 6)) for s in suspects(lines)} == {
        (s.service, round(s.score, 6)) for s in expected
    }


def test_no_lines_are_no_suspicion() -> None:
    assert suspects([]) == []
    assert line_events(as_columns([]), ONSET_S) == []
