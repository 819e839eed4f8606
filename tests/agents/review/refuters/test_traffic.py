"""Demand or fault."""

from fakes.refuted import OWN, SYMPTOM, deployed, later, moved, subject

from agents.review.refuters.traffic import REFUTER
from agents.rows import Moved


def rate(service: str, before: float, now: float, since_s: float = 0) -> Moved:
    return moved(service, "requests rate", before, now, unit="/s", family="traffic", since=later(since_s))


def test_a_rise_at_the_entry_as_it_began_is_another_explanation() -> None:
    found = REFUTER.judge(subject(ranking=(SYMPTOM, OWN, rate("web", 100, 220, -5))))
    assert (found.outcome, "2.2 times" in found.reason) == ("doubtful", True)


def test_retries_inside_or_after_the_fault_are_effects() -> None:
    assert REFUTER.judge(subject(ranking=(SYMPTOM, OWN, rate("orders", 100, 400, -5)))).outcome == "held"
    assert REFUTER.judge(subject(ranking=(SYMPTOM, OWN, rate("web", 100, 220, 90)))).outcome == "held"


def test_beside_a_change_that_fits_only_a_plain_rise_counts() -> None:
    mild = subject(deployed(), ranking=(SYMPTOM, OWN, rate("web", 100, 220, -5)), change="deploy/9")
    plain = subject(deployed(), ranking=(SYMPTOM, OWN, rate("web", 100, 500, -5)), change="deploy/9")
    assert [REFUTER.judge(one).outcome for one in (mild, plain)] == ["held", "doubtful"]


def test_a_surge_that_was_measured_flat_is_refuted() -> None:
    flat = subject(ranking=(SYMPTOM, OWN, rate("web", 100, 102)), kind="surge")
    risen = subject(ranking=(SYMPTOM, OWN, rate("web", 100, 420)), kind="surge")
    unread = subject(kind="surge")
    assert [REFUTER.judge(one).outcome for one in (flat, risen, unread)] == ["refuted", "held", "not_judged"]
