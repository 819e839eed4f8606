from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.verdict import Chart, ChartSeries, Claim, Hypothesis, Looked, Verdict
from handlers.slack.blocks.details import details
from handlers.slack.blocks.verdict import VerdictView, figures, headline, verdict_message
from tests.handlers.slack.blocks.examples import a_claim, a_verdict, action_ids, assert_sound, links, words

LINK = "https://prometheus.example.com/graph?g0=errors"


def view(verdict: Verdict, **changes: Any) -> VerdictView:
    return VerdictView(investigation_id="v1", verdict=verdict, links={"A3": LINK}, **changes)


def body(message: Any) -> list[str]:
    lines: list[str] = message.blocks[0]["text"]["text"].splitlines()
    return lines


def test_the_push_is_the_verdict_with_confidence_and_remedy() -> None:
    message = verdict_message(view(a_verdict()))
    assert message.text == "checkout: 4f2a91 cut the DB pool 50-&gt;5. High. Rollback ready."
    assert_sound(message)


def test_the_body_tells_all_in_eight_lines() -> None:
    message = verdict_message(view(a_verdict()))
    lines = body(message)
    assert len(lines) + 1 <= 8
    assert lines[0] == ("*Cause* (_inferred, high confidence_) *checkout*: 4f2a91 cut the DB pool from 50 to 5.")
    assert lines[1].startswith("*Impact* _observed_: checkout since 02:41: errors 0.3% -&gt; 9%.")
    assert lines[2] == (
        f"• _observed_: Errors rose at 02:41 (<{LINK}|A3 prometheus 02:49:10>) `pool exhausted: 5 of 5 in use`"
    )
    assert lines[3] == "• _observed_: The pool is exhausted (A4 logs 02:49:10)"
    assert lines[5].startswith("*Against* _observed_: Payments is steady")
    assert lines[6] == "*Not known* traces not connected"
    assert "13 s, 11 reads, $0.19" in words(message)


def test_the_chart_and_the_buttons_follow() -> None:
    message = verdict_message(view(a_verdict()))
    drawn = next(block for block in message.blocks if block["type"] == "data_visualization")
    assert drawn["chart"]["axis_config"]["categories"] == ["02:40", "02:41", "02:42"]
    assert action_ids(message) == ["details", "feedback"]
    thumbs = message.blocks[-1]["elements"][0]
    assert thumbs["positive_button"]["value"] == "v1:good"
    assert thumbs["negative_button"]["value"] == "v1:bad"


def test_a_false_alarm_says_what_was_read() -> None:
    looked = Looked(read=("Prometheus", "Git"), nothing_wrong=True)
    quiet = a_verdict(cause=None, confidence="none", symptom=None, proposal=None, claims=(), chart=None, looked=looked)
    message = verdict_message(view(quiet))
    assert message.text == "No fault found: I looked at Prometheus and Git and found nothing"
    assert_sound(message)


def test_without_a_confident_cause_the_symptom_is_still_named() -> None:
    looked = Looked(read=("Prometheus",), silent=(("Git", "did not answer within 30 s"),))
    assert headline(a_verdict(cause=None, confidence="none", proposal=None, looked=looked)) == (
        "No confident cause since 02:41: errors 0.3% -> 9%; I looked at Prometheus; Git did not answer"
    )


def test_a_verdict_that_an_earlier_version_stored_keeps_its_words() -> None:
    old = a_verdict(cause=None, confidence="none", proposal=None, looked=None, headline="No fault found.")
    assert headline(old) == "No fault found"


def test_a_change_that_only_coincides_is_said_to() -> None:
    verdict = a_verdict()
    assert verdict.cause is not None
    coincides = verdict.model_copy(update={"cause": verdict.cause.model_copy(update={"change_verdict": "coincides"})})
    assert "4f2a91 only coincides." in body(verdict_message(view(coincides)))[0]


def test_advice_takes_the_place_of_a_proof() -> None:
    lines = body(verdict_message(view(a_verdict(proposal=None, advice="Call the payment provider"))))
    assert len(lines) + 1 <= 8
    assert lines[-1] == "*Next* Call the payment provider"


def test_a_remedy_that_did_not_heal_strikes_the_cause_through() -> None:
    message = verdict_message(view(a_verdict(), struck=True))
    assert body(message)[0].startswith("*Cause* ~4f2a91 cut the DB pool from 50 to 5~.")
    assert_sound(message)


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({"model": "offline", "cost_usd": 0.0}, "13 s, 11 reads, offline investigator, $0"),
        (
            {"model": "offline", "cost_usd": 0.05, "offline_because": "Claude did not answer in time."},
            "13 s, 11 reads, $0.05. The offline investigator took over: Claude did not answer in time.",
        ),
    ],
)
def test_the_offline_investigator_is_named(changes: dict[str, Any], shown: str) -> None:
    assert figures(a_verdict(**changes)) == shown


def test_a_claim_cannot_write_a_link_or_a_mention() -> None:
    nasty = a_claim("<!channel> <https://evil.example|look> [x](https://evil.example) ![i](https://evil.example/i.png)")
    message = verdict_message(view(a_verdict(claims=(nasty,), impact="<@U0MIA> https://evil.example")))
    assert links(message) == {LINK}
    assert "<!" not in words(message)
    assert "<@" not in words(message)
    assert_sound(message)


def test_only_the_first_quote_is_shown_and_to_the_letter() -> None:
    claims = (a_claim("one", quote="Table `orders` is gone"), a_claim("two", quote="other"))
    lines = body(verdict_message(view(a_verdict(claims=claims))))
    assert lines[2].endswith("```Table `orders` is gone```")
    assert "other" not in lines[3]


def test_details_hold_every_claim_and_fit_a_modal() -> None:
    blocks = details(a_verdict(), [], {})
    assert len(blocks) <= 100
    assert "Payments is steady" in str(blocks)


TEXT = st.text(max_size=400)
POINT = st.tuples(st.text(max_size=30), st.floats())
CLAIM = st.builds(
    Claim,
    text=TEXT,
    status=st.sampled_from(["observed", "inferred", "unknown"]),
    side=st.sampled_from(["for", "against", "context"]),
    artifact=st.none() | st.just("A3") | st.text(max_size=8),
    source=st.none() | TEXT,
    taken_at=st.none() | TEXT,
    quote=st.none() | TEXT,
)
VERDICT = st.builds(
    a_verdict,
    headline=TEXT,
    impact=TEXT,
    claims=st.lists(CLAIM, max_size=12).map(tuple),
    hypotheses=st.lists(
        st.builds(Hypothesis, id=TEXT, text=TEXT, state=st.sampled_from(["open", "supported", "refuted"]), reason=TEXT),
        max_size=8,
    ).map(tuple),
    not_known=st.lists(TEXT, max_size=12).map(tuple),
    looked=st.none()
    | st.builds(
        Looked,
        read=st.lists(TEXT, max_size=12).map(tuple),
        silent=st.lists(st.tuples(TEXT, TEXT), max_size=12).map(tuple),
    ),
    advice=TEXT,
    chart=st.none()
    | st.builds(
        Chart,
        title=TEXT,
        series=st.lists(
            st.builds(ChartSeries, name=TEXT, points=st.lists(POINT, max_size=30).map(tuple)), max_size=9
        ).map(tuple),
    ),
    seconds=st.floats(),
    cost_usd=st.floats(),
    model=TEXT,
    offline_because=st.none() | TEXT,
)


@settings(max_examples=60, deadline=None)
@given(VERDICT, st.booleans(), st.booleans())
def test_no_verdict_makes_an_unsound_message(verdict: Verdict, struck: bool, abstains: bool) -> None:  # noqa: FBT001
    shown = verdict.model_copy(update={"cause": None}) if abstains else verdict
    message = verdict_message(view(shown, struck=struck))
    assert_sound(message)
    assert links(message) <= {LINK}
    assert sum(len(block["text"]["text"].splitlines()) for block in message.blocks if block["type"] == "section") < 8


def test_the_service_is_named_once() -> None:
    cause = a_verdict().cause
    assert cause is not None
    said = cause.model_copy(update={"statement": "checkout: 4f2a91 cut the DB pool from 50 to 5."})
    assert body(verdict_message(view(a_verdict(cause=said))))[0] == (
        "*Cause* (_inferred, high confidence_) *checkout*: 4f2a91 cut the DB pool from 50 to 5."
    )
