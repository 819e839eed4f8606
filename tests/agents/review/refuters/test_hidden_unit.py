"""One part of many that an aggregate hides."""

from fakes.refuted import sampled, subject

from agents.review.refuters.hidden_unit import REFUTER

ROUTES = [sampled("errors", {"route": route}, 0.1, now) for route, now in (("/a", 0.1), ("/b", 0.12), ("/pay", 9.0))]


def test_a_single_part_that_the_cause_does_not_name() -> None:
    found = REFUTER.judge(subject(*ROUTES))
    assert (found.outcome, found.reason) == (
        "doubtful",
        "100% of the rise of errors is route /pay, which the cause does not name",
    )


def test_a_cause_that_names_it_has_seen_it() -> None:
    assert REFUTER.judge(subject(*ROUTES, claims=("Only /pay fails.",))).outcome == "held"


def test_a_rise_that_all_share_or_two_parts_only() -> None:
    shared = [sampled("errors", {"route": route}, 0.1, 5.0) for route in ("/a", "/b", "/c")]
    assert REFUTER.judge(subject(*shared)).outcome == "held"
    assert REFUTER.judge(subject(*ROUTES[1:])).outcome == "not_judged"
