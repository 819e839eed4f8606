"""Demand that was counted behind a limiter."""

from fakes.refuted import deployed, subject

from agents.review.refuters.shed_demand import REFUTER
from agents.rows import Logged

REFUSED = Logged(service="web", example="429 Too Many Requests for /cart", level="warning", shift="new", count=800)


def test_flat_traffic_says_nothing_while_requests_are_refused() -> None:
    found = REFUTER.judge(subject(REFUSED, claims=("Traffic at web stayed flat at 120 requests per second.",)))
    assert found.outcome == "doubtful"
    assert REFUTER.judge(subject(claims=("Traffic at web stayed flat.",))).outcome == "held"


def test_a_change_that_does_not_rest_on_the_load_keeps_its_place() -> None:
    assert REFUTER.judge(subject(REFUSED, deployed(), change="deploy/9")).outcome == "held"
    rests = subject(REFUSED, deployed(), change="deploy/9", claims=("The load did not rise.",))
    assert REFUTER.judge(rests).outcome == "doubtful"


def test_a_surge_and_old_refusals_are_no_matter() -> None:
    assert REFUTER.judge(subject(REFUSED, kind="surge")).outcome == "held"
    usual = Logged(service="web", example="429 Too Many Requests", shift="seen")
    assert REFUTER.judge(subject(usual, claims=("Traffic was steady.",))).outcome == "held"
