from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.rows import Changed, Logged, Moved, Row
from agents.rows.stored import as_json
from agents.verdict import Chart, ChartSeries, Claim, Hypothesis, Looked, Verdict
from handlers.slack.blocks.details import details
from handlers.slack.blocks.message import Message
from handlers.slack.blocks.verdict import VerdictView, figures, headline, verdict_message
from store.ids import ArtifactId, InvestigationId
from store.incidents.artifacts import Artifact
from store.secrets.redaction import Redacted
from tests.handlers.slack.blocks.examples import T0, a_claim, a_verdict, action_ids, assert_sound, links, words

LINK = "https://prometheus.example.com/graph?g0=errors"


def view(verdict: Verdict, **changes: Any) -> VerdictView:
    return VerdictView(investigation_id="v1", verdict=verdict, links={"A3": LINK}, **changes)


def body(message: Any) -> list[str]:
    """What stands above the chart and the figures, as one reads it."""
    sections = [block for block in message.blocks if block["type"] == "section"]
    return words(Message(text="x", blocks=tuple({"text": one["text"]} for one in sections))).splitlines()


def test_the_push_is_the_verdict_with_confidence_and_remedy() -> None:
    message = verdict_message(view(a_verdict()))
    assert message.text == "checkout: 4f2a91 cut the DB pool 50→5. High. Rollback ready."
    assert_sound(message)


def test_the_first_line_is_complete_and_three_proofs_follow() -> None:
    message = verdict_message(view(a_verdict()))
    assert body(message) == [
        (
            "*9% of checkout's requests fail since 02:41 (0.3% before). 4f2a91 cut the DB pool from 50 to 5.*"
            " High confidence."
        ),
        f"• Errors rose (<{LINK}|prometheus>).",
        "• The pool is exhausted.",
        "• The diff sets pool_size to 5.",
        "*Not* payment provider (p95 flat).",
    ]
    assert "13 s, 11 reads, $0.19" in words(message)
    assert "traces" not in words(message)  # at high confidence nobody decides otherwise for want of them
    accessories = [block["accessory"] for block in message.blocks if "accessory" in block]
    assert [(one["action_id"], one["value"]) for one in accessories] == [("details:2", "v1:A4"), ("details:3", "v1:A5")]


def an_artifact(number: int, rows: tuple[Row, ...]) -> Artifact:
    return Artifact(
        id=ArtifactId(f"a{number}"),
        investigation_id=InvestigationId("v1"),
        number=number,
        tool_use_id=f"t{number}",
        tool="rank_causes",
        source="evidence",
        is_error=False,
        taken_at=T0,
        arguments={},
        text=Redacted.ours("checkout,pool_in_use,5->50"),
        facts={"rows": as_json(rows)},
    )


def test_the_sentences_are_made_from_the_rows_and_one_genuine_line_is_quoted() -> None:
    pool = Moved(service="checkout", indicator="pool_in_use", unit="count", before=5, now=50, line="pool,5->50,z=30")
    logged = Logged(service="checkout", example="pool exhausted: 5 of 5", level="error", count=412, shift="new")
    change = Changed(
        service="checkout",
        change="4f2a91",
        at=T0,
        version="4f2a91",
        summary="Smaller pool",
        author="Ada",
        before_onset_s=12.0,
        line="checkout,deployment,4f2a91",
    )
    claims = (
        a_claim("internal", artifact="A1", quote="pool,5->50,z=30"),
        a_claim("internal", artifact="A1", quote="pool exhausted: 5 of 5"),
        a_claim("internal", artifact="A1", quote="checkout,deployment,4f2a91"),
    )
    message = verdict_message(view(a_verdict(claims=claims), artifacts=[an_artifact(1, (pool, logged, change))]))
    lines = body(message)
    assert lines[0].endswith(
        "4f2a91 cut the DB pool from 50 to 5 (Ada, \u201cSmaller pool\u201d, deployed 12 s before it began).*"
        " High confidence."
    )
    assert lines[1:4] == [
        "• checkout's pool in use: 50 (5 before).",
        "• checkout logs a new error, 412 times",
        "`pool exhausted: 5 of 5`",
    ]
    assert "z=30" not in words(message)
    shown = details(a_verdict(claims=claims), [an_artifact(1, (pool, logged, change))], {}, place="A1")
    assert "Where this stands" in shown[0]["text"]["text"]
    assert "pool,5->50,z=30" in str(shown)


def test_what_is_missing_is_told_where_it_may_change_the_decision() -> None:
    silent = Looked(read=("Git",), silent=(("Prometheus", "did not answer"), ("Logs", "was not read")))
    lines = body(verdict_message(view(a_verdict(confidence="medium", looked=silent))))
    assert lines[-1] == "*Not known* Prometheus could not be read (did not answer)."
    assert "*Against it* Payments is steady." in lines


def test_the_chart_and_the_buttons_follow() -> None:
    message = verdict_message(view(a_verdict()))
    drawn = next(block for block in message.blocks if block["type"] == "data_visualization")
    assert drawn["chart"]["axis_config"]["categories"] == ["02:40", "02:41", "02:42"]
    assert action_ids(message) == ["details", "resolve", "false_alarm", "feedback"]
    assert action_ids(verdict_message(view(a_verdict(), card=True))) == ["details", "feedback"]
    assert action_ids(verdict_message(view(a_verdict(), ended="Resolved"))) == ["details", "feedback"]
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
        "No confident cause since 02:41 UTC: 9% of checkout's requests fail (0.3% before); I looked at Prometheus; "
        "Git did not answer"
    )


def test_a_verdict_that_an_earlier_version_stored_keeps_its_words() -> None:
    old = a_verdict(cause=None, confidence="none", proposal=None, looked=None, headline="No fault found.")
    assert headline(old) == "No fault found"


def test_a_change_that_happened_to_lie_near_gets_no_credit() -> None:
    verdict = a_verdict()
    assert verdict.cause is not None
    near = verdict.model_copy(update={"cause": verdict.cause.model_copy(update={"change_verdict": "coincides"})})
    made = Changed(service="checkout", change="4f2a91", at=T0, version="4f2a91", summary="Smaller pool")
    assert "Smaller pool" not in words(verdict_message(view(near, artifacts=[an_artifact(1, (made,))])))


def test_advice_comes_last() -> None:
    lines = body(verdict_message(view(a_verdict(proposal=None, advice="Call the payment provider"))))
    assert lines[-1] == "*Next* Call the payment provider"


def test_a_remedy_that_did_not_heal_strikes_the_cause_through() -> None:
    message = verdict_message(view(a_verdict(), struck=True))
    assert "~4f2a91 cut the DB pool from 50 to 5~ The remedy for it did not heal." in body(message)[0]
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
    assert links(message) <= {LINK}
    assert "<!" not in words(message)
    assert "<@" not in words(message)
    assert_sound(message)


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
        "*9% of checkout's requests fail since 02:41 (0.3% before). 4f2a91 cut the DB pool from 50 to 5.*"
        " High confidence."
    )
