"""Instances of a service against each other."""

from fakes.refuted import deployed, sampled, subject

from agents.review.refuters.siblings import REFUTER
from agents.rows import Sampled

SICK = sampled("latency", {"instance": "a"}, 0.1, 2.0)
WELL = sampled("latency", {"instance": "b"}, 0.1, 0.1)


def versioned(unit: str, version: str, now: float) -> Sampled:
    return sampled("latency", {"instance": unit, "version": version}, 0.1, now)


def test_a_change_that_all_got_does_not_break_one_alone() -> None:
    found = REFUTER.judge(subject(deployed(), SICK, WELL, change="deploy/9"))
    assert (found.outcome, found.reason) == ("doubtful", "a moved and b did not, though deploy/9 reached all of them")


def test_versions_decide_where_instances_run_different_ones() -> None:
    new, old = "4f2a91c077", "1111111111"
    alone = (versioned("a", new, 2.0), versioned("b", old, 0.1))
    both = (versioned("a", new, 2.0), versioned("b", new, 0.1))
    other = (versioned("a", old, 2.0), versioned("b", new, 0.1))
    outcomes = [REFUTER.judge(subject(deployed(), *rows, change="deploy/9")).outcome for rows in (alone, both, other)]
    assert outcomes == ["held", "refuted", "refuted"]


def test_moving_together_or_without_a_change_is_no_objection() -> None:
    together = sampled("latency", {"instance": "b"}, 0.1, 1.8)
    assert REFUTER.judge(subject(deployed(), SICK, together, change="deploy/9")).outcome == "held"
    assert REFUTER.judge(subject(SICK, WELL)).outcome == "held"


def test_series_of_other_things_are_no_siblings() -> None:
    stock = sampled("latency", {"instance": "b"}, 0.1, 0.1, service="stock")
    assert REFUTER.judge(subject(deployed(), SICK, stock, change="deploy/9")).outcome == "not_judged"
    route = sampled("latency", {"instance": "b", "route": "/x"}, 0.1, 0.1)
    assert REFUTER.judge(subject(deployed(), SICK, route, change="deploy/9")).outcome == "not_judged"
