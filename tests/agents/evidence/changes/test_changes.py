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


def version(name: str, before_s: float, old: str, new: str, summary: str = "") -> Change:
    return Change(
        id=name, service="back", at=AT - timedelta(seconds=before_s), kind="deployment", version=new,
        previous_version=old, summary=summary,
    )  # fmt: skip


@pytest.mark.parametrize(
    "later",
    [version("back", 20, "v2", "v1"), version("revert", 20, "v2", "v3", 'Revert "Tidy up"')],
    ids=["rolled back", "reverted"],
)
def test_a_change_that_was_taken_back_runs_no_more_and_is_no_cause(later: Change) -> None:
    found = correlate_changes([version("bad", 60, "v1", "v2", "Tidy up"), later], ONSET, "front", EDGES, [sick("back")])
    assert {f.change.id: f.verdict for f in found} == {"bad": "undone", later.id: "cause_candidate"}


def test_a_change_that_others_were_built_upon_still_runs() -> None:
    changes = [version("first", 60, "v1", "v2"), version("second", 20, "v2", "v3")]
    found = correlate_changes(changes, ONSET, "front", EDGES, [sick("back")])
    assert {f.verdict for f in found} == {"cause_candidate"}


def test_a_change_with_a_good_time_after_it_only_coincides() -> None:
    changes = [version("old", 120, "v1", "v2"), version("new", 10, "v2", "v3")]
    healed_s = AT.timestamp() - 60
    found = correlate_changes(changes, ONSET, "front", EDGES, [sick("back")], good_since=healed_s)
    assert [(f.change.id, f.verdict) for f in found] == [("new", "cause_candidate"), ("old", "coincides")]
