"""The draft of a post-incident report."""

from datetime import timedelta
from typing import Any

from agents.trace import Costs, Objection, Steered, Trace, Weighed
from handlers.slack.blocks.status import StatusView
from handlers.slack.report import MOST, draft_report
from store.ids import ApprovalId
from store.incidents.approvals import ApprovalState
from tests.handlers.slack.blocks.examples import a_verdict, an_approval, at, decided
from tests.handlers.slack.blocks.test_status import INCIDENT, a_status


def a_case(**changes: Any) -> StatusView:
    given: dict[str, Any] = {
        "verdict": a_verdict(),
        "approvals": [decided(ApprovalState.HEALED, outcome={"last": 0.002})],
        "now": at(600),
    }
    return a_status(**{**given, **changes})


def test_it_tells_cause_timeline_and_gaps_and_asks_what_only_people_know() -> None:
    draft = draft_report(a_case())
    lines = draft.splitlines()
    assert lines[0] == "Incident #7: checkout, open for 10 min"
    timeline = lines[lines.index("Timeline (UTC)") + 1 :]
    moments = [line[:12] for line in timeline[: timeline.index("")]]
    assert moments == sorted(moments)
    for said in (
        "proposed: Roll back checkout",
        "approved: Roll back",
        "applied",
        "healed",
        "(inferred, confidence",
    ):
        assert said in draft
    assert "traces not connected" in draft
    assert "&gt;" not in draft
    assert lines[-1] == "- Follow-ups, each with an owner and a date:"


def test_it_tells_how_it_was_decided() -> None:
    weighed = Weighed(id="H2", text="payments is slow", state="refuted", reason="p95 flat", opposing=(1,))
    trace = Trace(
        reads=(),
        hypotheses=(weighed,),
        review=(Objection(by="traffic", outcome="doubtful", reason="requests rose 2 times as it began"),),
        steered=(Steered(note="n1", at="2026-11-12T02:49:10+00:00", text="look at payments"),),
        drafted="high",
        drafts=2,
        costs=Costs(turns=4, tool_calls=6, input_tokens=1, output_tokens=1, cost_usd=0.05, seconds=20),
    )
    lines = draft_report(a_case(verdict=a_verdict(trace=trace))).splitlines()
    decided = lines[lines.index("How it was decided") + 1 :]
    assert decided[:3] == [
        "- H2 payments is slow: refuted, p95 flat",
        "- review: requests rose 2 times as it began",
        "- people steered it 1 time",
    ]
    assert "How it was decided" not in draft_report(a_case())


def test_nobody_is_named() -> None:
    draft = draft_report(a_case())
    assert "U0RAJ" not in draft
    assert "u1" not in draft.split()


def test_without_a_verdict_the_cause_is_not_known() -> None:
    assert "Cause\nNot known." in draft_report(a_case(verdict=None, approvals=[an_approval()]))


def test_a_long_story_is_cut_and_the_questions_stay() -> None:
    many = [
        decided(
            ApprovalState.NOT_HEALED, id=ApprovalId(f"a{n}"), decided_at=at(n), finished_at=at(n) + timedelta(days=n)
        )
        for n in range(60)
    ]
    draft = draft_report(a_case(incident=INCIDENT, approvals=many))
    assert len(draft) <= MOST
    assert draft.endswith("- Follow-ups, each with an owner and a date:")
