"""A step at the deployment that changed how things are measured."""

import pytest
from fakes.refuted import OWN, SYMPTOM, deployed, moved, subject

from agents.review.refuters.instrumented_deploy import REFUTER
from agents.rows import Altered, Logged

OWN_SYMPTOM = moved("orders", "latency mean", 0.05, 1.8, role="symptom")


def diff(*lines: str) -> Altered:
    return Altered(change="deploy/9", diff="\n".join(("--- a/app.py", "+++ b/app.py", *lines)))


@pytest.mark.parametrize(
    "line",
    ["+    buckets=(0.1, 1, 10)", "+REQUESTS = Histogram('latency')", "+    timer.observe(total)", "-log_level = info"],
)
def test_its_own_metrics_alone_may_be_the_measurement(line: str) -> None:
    found = REFUTER.judge(subject(deployed(), diff(line), ranking=(OWN_SYMPTOM, OWN), change="deploy/9"))
    assert found.outcome == "doubtful"


def test_who_felt_it_elsewhere_or_logged_errors_confirms_it() -> None:
    line = diff("+    timer.observe(total)")
    assert REFUTER.judge(subject(deployed(), line, ranking=(SYMPTOM, OWN), change="deploy/9")).outcome == "held"
    error = Logged(service="orders", example="pool exhausted", level="error", shift="new")
    found = REFUTER.judge(subject(deployed(), line, error, ranking=(OWN_SYMPTOM, OWN), change="deploy/9"))
    assert found.outcome == "held"


def test_other_changes_no_change_and_an_unread_diff() -> None:
    other = subject(deployed(), diff("+    return slow(query)"), ranking=(OWN_SYMPTOM,), change="deploy/9")
    unread = subject(deployed(), ranking=(OWN_SYMPTOM,), change="deploy/9")
    assert [REFUTER.judge(one).outcome for one in (other, unread, subject())] == ["held", "not_judged", "held"]
