"""Whether the alarm's own path leads to the cause."""

from dataclasses import replace

from fakes.refuted import OWN, SYMPTOM, moved, subject

from agents.review.refuters.alarm_path import REFUTER
from agents.rows import Printed
from agents.verdict import Claim


def test_a_service_that_the_alarmed_one_never_calls_cannot_slow_it() -> None:
    found = REFUTER.judge(subject(ranking=(SYMPTOM, moved("mail", "latency", 1, 5)), service="mail"))
    assert (found.outcome, "web, where it is noticed, does not call mail" in found.reason) == ("doubtful", True)


def test_called_directly_or_not_or_measured_it_holds() -> None:
    assert REFUTER.judge(subject(service="stock")).outcome == "held"
    assert REFUTER.judge(subject(service="web")).outcome == "held"
    called = moved("web", "calls", 1, 5, peer="mail")
    assert REFUTER.judge(subject(ranking=(SYMPTOM, called), service="mail")).outcome == "held"


def test_a_caller_can_flood_but_not_slow() -> None:
    deep = moved("stock", "latency mean", 0.1, 2.0, role="symptom")
    assert REFUTER.judge(subject(ranking=(deep,), service="web", kind="surge")).outcome == "held"
    assert REFUTER.judge(subject(ranking=(deep,), service="web")).outcome == "doubtful"


def test_an_alarm_that_nothing_else_bears_out() -> None:
    assert REFUTER.judge(subject(ranking=())).outcome == "doubtful"
    assert REFUTER.judge(subject(ranking=(OWN,))).outcome == "not_judged"
    assert REFUTER.judge(subject(calls={"web": ()}, service="elsewhere")).outcome == "not_judged"


def test_what_a_cluster_shows_of_its_own_state_bears_an_alarm_out() -> None:
    state = Printed(service="orders", program="cluster describe", text="Reason: OOMKilled")
    alone = subject(state, ranking=())
    assert REFUTER.judge(alone).outcome == "doubtful", "that it was read proves nothing"
    claim = Claim(text="orders is killed", status="observed", side="for", artifact="A2")
    assert REFUTER.judge(replace(alone, claims=(claim,))).outcome == "not_judged"
