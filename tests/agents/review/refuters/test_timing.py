"""Whether the cause came before the effect."""

from fakes.refuted import OWN, SYMPTOM, deployed, later, moved, result, subject

from agents.gate.claims import Run
from agents.review.refuter import Subject
from agents.review.refuters.timing import REFUTER


def test_what_moved_minutes_after_users_noticed_is_an_effect() -> None:
    late = moved("orders", "latency mean", 0.05, 1.8, since=later(400))
    found = REFUTER.judge(subject(ranking=(SYMPTOM, late)))
    assert (found.outcome, "400 s after" in found.reason) == ("refuted", True)


def test_one_series_that_moved_in_time_is_enough() -> None:
    late = moved("orders", "queue", 1, 9, since=later(400))
    assert REFUTER.judge(subject(ranking=(SYMPTOM, late, OWN))).outcome == "held"


def test_a_second_or_two_is_within_what_dating_can_tell() -> None:
    assert REFUTER.judge(subject(ranking=(SYMPTOM, moved("orders", "x", 1, 9, since=later(40))))).outcome == "held"


def test_a_change_that_came_after_it_began() -> None:
    found = REFUTER.judge(subject(deployed(-90), change="deploy/9"))
    assert (found.outcome, found.reason) == ("refuted", "deploy/9 came 90 s after it began")


def test_a_change_that_had_run_for_hours_is_doubtful_unless_something_fills_up() -> None:
    old = deployed(9 * 3600)
    assert REFUTER.judge(subject(old, change="deploy/9")).outcome == "doubtful"
    leak = moved("orders", "memory", 1e8, 9e8, unit="bytes", family="memory")
    assert REFUTER.judge(subject(old, ranking=(SYMPTOM, leak), change="deploy/9")).outcome == "held"


def test_without_an_onset_or_a_dated_series_it_is_not_told() -> None:
    assert REFUTER.judge(subject(ranking=(SYMPTOM,))).outcome == "not_judged"
    asked = subject()
    bare = Run(evidence={"A1": result(1, OWN)}, services=asked.run.services)
    assert REFUTER.judge(Subject(cause=asked.cause, confidence="high", run=bare)).outcome == "not_judged"
