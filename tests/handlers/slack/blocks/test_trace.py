"""The decision trace behind Details."""

from agents.trace import Costs, Objection, Steered, Trace, TracedRead, Weighed
from handlers.slack.blocks import trace
from tests.handlers.slack.blocks.examples import a_verdict

COSTS = Costs(
    turns=4, tool_calls=6, input_tokens=37_000, output_tokens=900, cost_usd=0.05, reviewer_usd=0.01, seconds=20
)
READ = TracedRead(
    artifact="A1", tool="rank_causes", source="evidence", taken_at="2026-11-12T02:49:10+00:00", told="web"
)
TRACE = Trace(
    reads=(READ.model_copy(update={"asked_by": "code"}), READ),
    hypotheses=(
        Weighed(id="H1", text="pool cut", state="supported", reason="the diff", supporting=(1, 3), opposing=(2,)),
    ),
    review=(
        Objection(by="timing", outcome="held", reason="no later than the symptom"),
        Objection(by="traffic", outcome="doubtful", reason="requests rose 2 times", returned=False),
        Objection(by="reviewer", outcome="refuted", reason="A4 is of another service", returned=True),
    ),
    steered=(Steered(note="n1", at="2026-11-12T02:49:10+00:00", text="look at <payments>"),),
    drafted="high",
    drafts=2,
    costs=COSTS,
)


def test_explanations_name_the_claims_for_and_against_them() -> None:
    assert trace.explanations(a_verdict(trace=TRACE)) == [
        "H1 pool cut: supported, the diff (claims for it 1, 3; against it 2)"
    ]
    assert trace.explanations(a_verdict())[0].startswith("H1 ")


def test_what_speaks_against_the_cause_stands_first() -> None:
    assert trace.reviewed(a_verdict(trace=TRACE)) == [
        "A second reader: against the cause, A4 is of another service; the draft went back",
        "Is it demand rather than a fault, or the other way round? Doubtful: requests rose 2 times",
        "Did the cause come before the effect? Nothing against it: no later than the symptom",
    ]
    assert trace.reviewed(a_verdict()) == []


def test_who_steered_is_mentioned_while_they_are_known() -> None:
    verdict = a_verdict(trace=TRACE)
    (known,), (gone,) = trace.steered(verdict, {"n1": "U0MIA"}), trace.steered(verdict, {})
    assert known.startswith("<@U0MIA> ")
    assert gone.startswith("somebody ")
    assert known.endswith("look at &lt;payments&gt;")


def test_costs_and_who_asked() -> None:
    lines = trace.costs(a_verdict(trace=TRACE, confidence="medium"))
    assert lines == [
        "4 turns, 6 calls, 37000 tokens read, 900 written, $0.05",
        "of that the second reader $0.01",
        "asked: 1 by code, 1 by Claude",
        "drafted with confidence high, shown with medium",
    ]
