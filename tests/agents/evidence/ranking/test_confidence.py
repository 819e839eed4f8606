from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from agents.evidence.metrics.metric_signals import Followed
from agents.evidence.ranking.awaited import AWAITED
from agents.evidence.ranking.confidence import RankingBasis, judge
from agents.evidence.ranking.fusion import FusedSuspect
from agents.evidence.suspicion import Suspicion
from agents.evidence.types import Edge, Family, Onset, as_utc

ONSET = Onset(at=as_utc(1_780_000_000.0), guard_s=5.0, score=12.0, direction="up")
UNDATED = Onset(at=as_utc(1_780_000_000.0), guard_s=5.0, score=2.0, direction="up")


def suspect(service: str, score: float, family: Family = "latency") -> FusedSuspect:
    found = Suspicion(
        service=service, family=family, indicator=family, score=score, direction="up", baseline=1.0, current=9.0,
        unit="", source="metrics",
    )  # fmt: skip
    return FusedSuspect(service=service, family=family, score=score, found=[found])


def confidence(ranked: Sequence[FusedSuspect], **known: Any) -> str:
    return judge(ranked, RankingBasis(**{"onset": ONSET, **known}))


def test_plain_evidence_with_a_clear_lead_is_high() -> None:
    assert confidence([suspect("a", 20), suspect("b", 6)]) == "high"
    assert confidence([suspect("a", 20)]) == "high"


def test_a_near_second_lowers_it_and_a_tie_names_nobody() -> None:
    assert confidence([suspect("a", 20), suspect("b", 12)]) == "medium"
    assert confidence([suspect("a", 20), suspect("b", 19)]) == "low"


def test_who_is_only_waited_for_is_not_named() -> None:
    awaited = suspect("a", 25)
    awaited.found = [replace(awaited.found[0], indicator=AWAITED)]
    assert confidence([awaited, suspect("b", 6)]) == "low"
    awaited.found.append(replace(awaited.found[0], indicator="busy", family="cpu"))
    assert confidence([awaited, suspect("b", 6)]) == "high"


def test_weak_evidence_names_nobody() -> None:
    assert confidence([suspect("a", 8)]) == "low"


def test_an_incident_that_nothing_dates_names_nobody() -> None:
    assert confidence([suspect("a", 25)], onset=UNDATED) == "low"


def test_a_gap_lowers_it_unless_a_resource_is_used_up() -> None:
    assert confidence([suspect("a", 20)], gaps=("no logs",)) == "medium"
    assert confidence([suspect("a", 20), suspect("b", 12)], gaps=("no logs",)) == "low"
    assert confidence([suspect("a", 20, "cpu")], gaps=("no logs",)) == "high"


def test_a_service_that_only_waits_longer_is_not_named() -> None:
    assert confidence([suspect("a", 25, "dependency_latency")]) == "low"


def test_memory_alone_is_no_incident() -> None:
    assert confidence([suspect("a", 25, "memory")]) == "low"


def test_a_service_that_is_not_seen_or_calls_one_that_is_not_cannot_be_certain() -> None:
    edges = [Edge(caller="a", callee="b")]
    assert confidence([suspect("a", 20)], blind={"b"}, edges=edges) == "medium"
    assert confidence([suspect("a", 20)], blind={"a"}) == "medium"
    assert confidence([suspect("a", 20)], blind={"c"}, edges=edges) == "high"


def test_an_excess_followed_to_a_callee_is_high_and_one_that_stays_is_not() -> None:
    moved = Followed(suspicions=(), shares={"web": 0.1, "stock": 0.9}, plain=4.0)
    assert confidence([suspect("stock", 6), suspect("web", 1)], followed=moved, symptom="web") == "high"
    hidden = Followed(suspicions=(), shares={"web": 0.1, "stock": 0.9}, plain=4.0, unseen={"stock": ("disk",)})
    assert confidence([suspect("stock", 6), suspect("web", 1)], followed=hidden, symptom="web") == "medium"
    stayed = Followed(suspicions=(), shares={"web": 1.0}, plain=9.0)
    assert confidence([suspect("web", 9)], followed=stayed, symptom="web") == "low"


def test_an_alarm_about_next_to_nothing_names_nobody() -> None:
    faint = Followed(suspicions=(), shares={"web": 0.1, "stock": 0.9}, plain=0.7)
    assert confidence([suspect("stock", 6), suspect("web", 1)], followed=faint, symptom="web") == "low"
