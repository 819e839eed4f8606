"""Results of an earlier version, which stored no rows, still give rows."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.gate.older import Older, read_older
from agents.rows import Altered, Began, Changed, Logged, Moved, Row, Sampled, Searched, State, Suspect, Unread

NOW = datetime(2026, 3, 2, 0, 1, 0, tzinfo=UTC)
RANKING = """onset 23:59:00 UTC (+-5s), score 19.8
symptom: till->pay,error ratio,0%->44.4%,new,z=30.0,23:59:00
gap: Log files did not answer within 20 s
1. pay [errors] score=1.99 confidence=medium explains=till
  change: pay,deployment,deploy/pay/3,76e67e0c35e7->a790fb152b87,23:59:02,2s after onset,cause_candidate,0.87,Adjust it
  metric: pay,latency p95,4.75ms->88.2ms,x18.6,z=30.0,23:59:01
  log: pay,new,error,0->12,0.0%->4.5%,23:59:03,KeyError: 'a', again
other change: till,deployment,deploy/till/3,?->65e9d08,10:40:48,47892s before onset,coincides,0.10,Add pages
(2 lines left off)"""


def rows(tool: str, text: str, *, is_error: bool = False, facts: Any = None, **arguments: Any) -> tuple[Row, ...]:
    return read_older(
        Older(tool=tool, arguments=arguments, text=text, facts=facts or {}, taken_at=NOW, is_error=is_error)
    )


def test_a_ranking_is_read_with_all_that_belongs_to_its_suspects() -> None:
    began, symptom, gap, suspect, change, metric, log, other = rows("rank_causes", RANKING)
    assert isinstance(began, Began)
    assert (began.at, began.within_s) == (datetime(2026, 3, 1, 23, 59, tzinfo=UTC), 5.0)
    assert isinstance(symptom, Moved)
    assert (symptom.service, symptom.peer, symptom.unit, symptom.now, symptom.role) == (
        "till",
        "pay",
        "ratio",
        pytest.approx(0.444),
        "symptom",
    )
    assert isinstance(gap, Unread)
    assert gap.part
    assert isinstance(suspect, Suspect)
    assert (suspect.service, suspect.confidence, suspect.explains) == ("pay", "medium", ("till",))
    assert isinstance(change, Changed)
    assert (change.verdict, change.before_onset_s, change.suspect) == ("cause_candidate", -2.0, 1)
    assert isinstance(metric, Moved)
    assert (metric.before, metric.now, metric.suspect) == (pytest.approx(0.00475), pytest.approx(0.0882), 1)
    assert isinstance(log, Logged)
    assert (log.example, log.count, log.share_now) == ("KeyError: 'a', again", 12, pytest.approx(0.045))
    assert isinstance(other, Changed)
    assert (other.suspect, other.previous_version, other.at.hour) == (0, "", 10)


def test_an_empty_search_is_an_absence_within_its_window_and_filter() -> None:
    facts = {"count": 0, "start": "2026-03-01T23:46:00+00:00", "end": "2026-03-02T00:01:00+00:00"}
    (found,) = rows("search_logs", "no matching lines", facts=facts, service="pay", level="warn", limit=10)
    assert isinstance(found, Searched)
    assert (found.service, found.found, found.wanted, found.whole) == ("pay", 0, {"level": "warn"}, True)
    assert found.start == datetime(2026, 3, 1, 23, 46, tzinfo=UTC)


def test_log_lines_keep_their_stack_and_fields() -> None:
    text = '2026-03-01T23:59:03.250Z error no room status=503 note="free text"\n  at pay.py:3\nno time here'
    searched, line = rows("search_logs", text, facts={"count": 1, "gap": "only the newest 1"}, service="pay")
    assert isinstance(searched, Searched)
    assert not searched.whole
    assert isinstance(line, Logged)
    assert (line.level, line.example.splitlines()[0], line.fields["note"]) == ("error", "no room", "free text")


def test_series_are_read_as_totals_rates_and_values() -> None:
    _, total = rows("latest_metrics", 'requests_total{route="/a"} 1248 (counter)', service="pay")
    _, rate = rows("metric_history", "requests_total: 23:58:00=7.2 23:59:00=1e+03", service="pay")
    _, value = rows("metric_history", "memory_bytes: 23:58:00=1e+08", service="pay")
    for row, counted in ((total, "total"), (rate, "rate"), (value, "value")):
        assert isinstance(row, Sampled)
        assert row.counted == counted
    assert isinstance(rate, Sampled)
    assert [number for _, number in rate.points] == [7.2, 1000.0]


def test_a_diff_a_state_and_a_failure() -> None:
    head = "pay 76e67e0c35e7 -> a790fb152b87 at 23:59:02 UTC: Adjust it"
    (diff,) = rows("read_diff", f"{head}\n-a = 1\n+a = 2", facts={"diff_of": "deploy/pay/3"}, change="deploy/pay/3")
    assert isinstance(diff, Altered)
    assert (diff.service, diff.change, diff.diff) == ("pay", "deploy/pay/3", "-a = 1\n+a = 2")
    assert [row.name for row in rows("service_status", "service: pay\ninstances: 2") if isinstance(row, State)] == [
        "service",
        "instances",
    ]
    (failed,) = rows("search_logs", "it did not answer", is_error=True, service="pay")
    assert isinstance(failed, Unread)


@given(
    st.sampled_from(
        ["rank_causes", "what_changed", "search_logs", "latest_metrics", "metric_history", "service_status"]
    ),
    st.lists(st.sampled_from(RANKING.splitlines()) | st.text(max_size=60), max_size=8).map("\n".join),
)
def test_odd_text_costs_findings_and_never_the_run(tool: str, text: str) -> None:
    rows(tool, text)
