from datetime import timedelta
from typing import Any

import pytest

from agents.evidence.ranking.fusion import fuse, weigh_changes
from agents.evidence.suspicion import Suspicion, as_anomaly
from agents.evidence.types import Change, ChangeFinding, Edge, Family, Verdict, as_utc

T0 = 1_780_000_000.0
CALL = (Edge(caller="web", callee="stock"),)


def suspicion(service: str, family: Family, score: float, **more: Any) -> Suspicion:
    fields: dict[str, Any] = {
        "indicator": family, "direction": "up", "baseline": 1.0, "current": 2.0, "unit": "", "source": "metrics",
    }  # fmt: skip
    return Suspicion(service=service, family=family, score=score, **{**fields, **more})


def test_the_best_family_counts_in_full_and_the_next_two_a_quarter() -> None:
    alone = fuse([suspicion("a", "latency", 10)], ())[0].score
    many = [suspicion("a", f, 10) for f in ("latency", "errors", "restarts", "saturation")]
    assert alone == 10
    assert fuse(many, ())[0].score == pytest.approx(10 + 0.25 * (10 + 9))


def test_many_indicators_of_one_family_are_one_reason() -> None:
    many = [suspicion("a", "latency", 10, indicator=f"p{n}") for n in range(20)]
    assert fuse(many, ())[0].score == 10


def test_a_caller_is_explained_away_by_a_sick_callee_and_not_by_a_well_one() -> None:
    slow = [suspicion("web", "latency", 12), suspicion("stock", "latency", 10)]
    best, *_rest = fuse(slow, CALL)
    assert best.service == "stock"
    assert best.explains == {"web"}
    assert fuse([slow[0], suspicion("stock", "latency", 3.5)], CALL)[0].service == "web"


def test_errors_in_the_callers_log_are_explained_by_the_callees() -> None:
    lines = [suspicion("web", "log", 9, source="logs"), suspicion("stock", "log", 6, source="logs")]
    assert fuse(lines, CALL)[0].service == "stock"


def test_own_time_measured_by_spans_is_never_explained_away() -> None:
    spans = [suspicion("web", "latency", 12, source="traces"), suspicion("stock", "latency", 10, source="traces")]
    assert fuse(spans, CALL)[0].service == "web"


def test_a_used_up_processor_is_the_reason_for_a_services_slowness() -> None:
    (found,) = fuse([suspicion("a", "latency", 30), suspicion("a", "cpu", 20)], ())
    assert found.family == "cpu"
    assert found.found[0].family == "cpu"


def test_filled_memory_is_the_reason_for_a_busy_processor_and_wavering_memory_is_none() -> None:
    both = [suspicion("a", "memory", 20), suspicion("a", "cpu", 30)]
    assert fuse(both, (), fills_memory={"a"})[0].family == "memory"
    assert fuse(both, ())[0].family == "cpu"


def test_bytes_and_system_calls_only_support() -> None:
    found = fuse([suspicion("a", "network", 30), suspicion("b", "latency", 5)], ())
    assert [s.service for s in found] == ["b", "a"]


def test_what_the_alarm_does_not_reach_counts_little() -> None:
    found = fuse([suspicion("far", "latency", 12), suspicion("near", "latency", 6)], (), reach={"near": 1})
    assert [s.service for s in found] == ["near", "far"]


def finding(service: str, verdict: Verdict) -> ChangeFinding:
    change = Change(id=f"c-{service}", service=service, at=as_utc(T0) - timedelta(seconds=30), kind="deployment")
    return ChangeFinding(
        change=change, precedes_onset=True, seconds_before_onset=30, reaches_symptom=True, distance=None,
        family_match=1.0, score=0.9, verdict=verdict,
    )  # fmt: skip


def test_a_change_right_before_it_raises_the_suspicion_and_a_coincidence_does_not() -> None:
    suspects = fuse([suspicion("a", "latency", 10), suspicion("b", "latency", 9)], ())
    best, *_rest = weigh_changes(suspects, [finding("b", "cause_candidate"), finding("a", "coincides")])
    assert best.service == "b"
    assert best.change is not None
    assert best.change.change.id == "c-b"


def test_a_suspicion_becomes_a_finding_with_its_numbers_and_its_example() -> None:
    found = as_anomaly(suspicion("a", "log", 7.123, source="logs", onset=T0, exemplar="ERROR no stock", baseline=0.0))
    assert (found.score, found.ratio, found.exemplar, found.source) == (7.12, None, "ERROR no stock", "logs")
    assert found.onset is not None
    assert found.onset.at == as_utc(T0)
