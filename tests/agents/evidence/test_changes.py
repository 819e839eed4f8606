from datetime import timedelta
from typing import Any

import pytest

from agents.evidence.changes import correlate_changes
from agents.evidence.types import Anomaly, Change, Edge, Onset, as_utc

AT = as_utc(1_780_000_000.0)
ONSET = Onset(at=AT, guard_s=5.0, score=10.0, direction="up")
EDGES = (Edge(caller="front", callee="mid"), Edge(caller="mid", callee="back"))


def change(service: str, before_s: float, name: str = "c") -> Change:
    return Change(id=name, service=service, at=AT - timedelta(seconds=before_s), kind="deployment", version="v2")


def sick(service: str, score: float = 20.0, family: Any = "errors") -> Anomaly:
    return Anomaly(
        service=service, indicator="error ratio", family=family, peer=None, baseline=0.0, current=0.4, ratio=None,
        score=score, onset=None, unit="ratio", direction="up",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("service", "before_s", "anomalies", "verdict"),
    [
        ("back", 20, [sick("back")], "cause_candidate"),
        ("back", 20, [], "coincides"),
        ("back", -30, [sick("back")], "after_onset"),
        ("elsewhere", 20, [sick("elsewhere")], "unrelated"),
        ("back", -3, [sick("back")], "cause_candidate"),
        ("back", 20, [sick("back", family="traffic")], "coincides"),
    ],
)
def test_verdicts(service: str, before_s: float, anomalies: list[Anomaly], verdict: str) -> None:
    (found,) = correlate_changes([change(service, before_s)], ONSET, "front", EDGES, anomalies)
    assert found.verdict == verdict
    assert found.precedes_onset == (verdict != "after_onset")
    assert found.seconds_before_onset == before_s


def test_the_nearer_fresher_and_guilty_change_comes_first() -> None:
    changes = [change("mid", 30, "innocent"), change("back", 30, "guilty"), change("back", 7200, "old")]
    found = correlate_changes(changes, ONSET, "front", EDGES, [sick("back")])
    assert [f.change.id for f in found] == ["guilty", "innocent", "old"]
    assert [f.distance for f in found] == [2, 1, 2]


def test_without_a_symptom_service_own_anomalies_decide() -> None:
    found = correlate_changes([change("a", 9), change("b", 9)], ONSET, None, (), [sick("b")])
    assert [(f.change.service, f.verdict) for f in found] == [("b", "cause_candidate"), ("a", "unrelated")]


def test_a_circle_of_calls_ends() -> None:
    edges = (*EDGES, Edge(caller="back", callee="front"))
    (found,) = correlate_changes([change("back", 1)], ONSET, "front", edges, [])
    assert found.distance == 2
