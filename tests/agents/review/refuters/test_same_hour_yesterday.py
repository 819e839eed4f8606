"""The symptom against the same hour of another day."""

from fakes.refuted import moved, result, subject

from agents.gate.evidence import Evidence
from agents.review.refuters.same_hour_yesterday import REFUTER
from agents.rows import Row, Searched, Unread

NONE_WORSE = Searched(what="indicator is worse", found=0)
WORSE = moved("web", "latency mean", 0.1, 2.0, role="compared")


def compared(*rows: Row, ago: int = 1440, **arguments: object) -> Evidence:
    return result(3, *rows, tool="compare_windows", ago_minutes=ago, **arguments)


def test_what_happens_every_day_is_no_incidents_doing() -> None:
    found = REFUTER.judge(subject(more=(compared(NONE_WORSE),)))
    assert (found.outcome, "same hour yesterday" in found.reason) == ("refuted", True)
    week = REFUTER.judge(subject(more=(compared(NONE_WORSE, ago=7 * 1440 + 5),)))
    assert "7 days ago" in week.reason


def test_worse_than_yesterday_holds() -> None:
    assert REFUTER.judge(subject(more=(compared(WORSE),))).outcome == "held"


def test_another_hour_another_service_or_half_a_read_tells_nothing() -> None:
    others = (
        compared(NONE_WORSE, ago=60),
        compared(NONE_WORSE, service="mail"),
        compared(NONE_WORSE, Unread(reason="no metrics of yesterday")),
    )
    assert {REFUTER.judge(subject(more=(one,))).outcome for one in others} == {"not_judged"}
    assert REFUTER.judge(subject()).outcome == "not_judged"
