"""What the outcomes of a review do to a confidence."""

import pytest
from fakes.refuted import SYMPTOM, later, moved, subject

from agents.review.refuter import at_most, discover_refuters, review
from agents.trace import Objection, Outcome
from agents.verdict import Confidence


@pytest.mark.parametrize(
    ("outcomes", "drafted", "left"),
    [
        (("held", "not_judged"), "high", "high"),
        (("held", "doubtful"), "high", "medium"),
        (("doubtful", "refuted"), "high", "low"),
        (("doubtful",), "low", "low"),
        (("refuted",), "none", "none"),
    ],
)
def test_the_gravest_outcome_bounds_the_confidence(
    outcomes: tuple[Outcome, ...], drafted: Confidence, left: Confidence
) -> None:
    found = [Objection(by="x", outcome=outcome, reason="because") for outcome in outcomes]
    assert at_most(drafted, found) == left


def test_every_refuter_is_asked_and_answers_in_words() -> None:
    late = moved("orders", "latency mean", 0.05, 1.8, since=later(400))
    found = review(subject(ranking=(SYMPTOM, late)))
    assert {one.by for one in found} == set(discover_refuters())
    assert all(one.reason for one in found)
    assert [one.by for one in found if one.outcome == "refuted"] == ["timing"]
