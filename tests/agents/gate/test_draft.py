"""A whole draft: what is the model's and passes stays, the rest goes and is named, nothing is refused for its form."""

import json
from typing import Any

import pytest
from fakes.gate_battery import SERVICES, run
from hypothesis import given
from hypothesis import strategies as st

from agents.gate.draft import Checked, check_draft
from agents.verdict import Draft, read_draft

EVIDENCE = tuple(run().evidence.values())
CAUSE = {
    "service": "ledger",
    "change": "deploy/ledger/41",
    "kind": "pool exhausted",
    "statement": "The deployment cut the pool of ledger to 12 connections; requests find it exhausted.",
}
PROVEN = [
    {
        "text": "The diff cuts max_size of the pool from 40 to 12.",
        "status": "observed",
        "artifact": "A3",
        "quote": "-max_size = 40\n+max_size = 12",
    },
    {
        "text": "ledger logs that its pool is exhausted.",
        "status": "observed",
        "artifact": "A2",
        "quote": "pool exhausted after 750 ms",
    },
]
ROLLBACK = {"remediation": "rollback_deployment", "arguments": {"service": "ledger"}}


def check(**parts: Any) -> Checked:
    whole = {"headline": "ledger: pool cut too small", "cause": CAUSE, "confidence": "high", "claims": PROVEN}
    return check_draft(read_draft({**whole, "proposal": ROLLBACK, **parts}), EVIDENCE, SERVICES)


def test_what_is_borne_throughout_passes_whole() -> None:
    checked = check(impact="31.5 % of the transfers at gateway fail.", advice="Tell the owner of ledger.")
    assert (checked.problems, checked.dropped) == ((), ())
    assert checked.headline == "ledger: pool cut too small"
    assert checked.cause is not None
    assert (checked.cause.change, checked.cause.change_verdict, checked.confidence) == (
        "deploy/ledger/41",
        "cause",
        "high",
    )
    assert checked.proposal is not None
    assert [claim.status for claim in checked.claims] == ["observed", "observed"]
    assert checked.claims[0].proofs[0].quote == "-max_size = 40\n+max_size = 12"


def test_the_verbatim_text_is_stored_however_it_was_copied() -> None:
    claim = {**PROVEN[1], "quote": "`post /book:  Pool exhausted … (12 in use)`"}
    checked = check(claims=[PROVEN[0], claim])
    assert checked.claims[1].quote is not None
    assert checked.claims[1].quote.startswith("POST /book: pool exhausted after 750 ms (12 in use")


def test_three_proofs_are_kept() -> None:
    proofs = [{"artifact": p["artifact"], "quote": p["quote"]} for p in PROVEN]
    claim = {"text": "The pool is set to 12, and 12 are in use.", "status": "observed", "proofs": proofs}
    assert [len(c.proofs) for c in check(claims=[*PROVEN, claim]).claims] == [1, 1, 2]


@pytest.mark.parametrize(
    ("cause", "told"),
    [
        ({"service": "billing"}, "not one of the declared services: gateway, ledger, mailer, search"),
        ({"external": "acme-bank"}, "stands in no result"),
        ({"change": "deploy/ledger/99"}, "known are: deploy/ledger/41, deploy/search/12, deploy/mailer/7"),
        ({"change": "deploy/search/12"}, "is one of search"),
        ({"service": "search", "change": "deploy/search/12"}, "only coincides: nothing of its own service is abnormal"),
        ({"service": "mailer", "change": "deploy/mailer/7"}, "it does not precede the onset"),
    ],
)
def test_a_cause_that_was_not_read_or_is_innocent_is_named_as_a_problem(cause: dict[str, str], told: str) -> None:
    checked = check(cause={**CAUSE, **cause})
    assert any(told in problem for problem in checked.problems), checked.problems
    assert checked.cause is None or checked.cause.change_verdict != "cause"
    assert checked.proposal is None
    assert checked.confidence != "high"


@pytest.mark.parametrize("named", ["deploy/ledger/41", "ledger/41", "9e0b77aa", "9E0B77A"])
def test_a_change_is_found_by_the_end_of_its_id_or_by_its_commit(named: str) -> None:
    cause = check(cause={**CAUSE, "change": named}).cause
    assert cause is not None
    assert (cause.change, cause.change_verdict) == ("deploy/ledger/41", "cause")


def test_a_diff_that_was_not_read_makes_no_cause() -> None:
    unread = [one for one in EVIDENCE if one.id != "A3"]
    draft = read_draft({"headline": "x", "cause": CAUSE, "confidence": "high", "claims": PROVEN})
    cause = check_draft(draft, unread, SERVICES).cause
    assert cause is not None
    assert cause.change_verdict == "coincides"


@pytest.mark.parametrize(("claims", "confidence"), [(PROVEN, "high"), (PROVEN[:1], "medium"), ([], "none")])
def test_confidence_is_capped_by_the_proofs(claims: list[dict[str, str]], confidence: str) -> None:
    assert check(claims=claims).confidence == confidence


def test_proofs_against_it_or_of_other_suspects_do_not_raise_the_confidence() -> None:
    for side in ("against", "rules_out", "context"):
        assert check(claims=[PROVEN[0], {**PROVEN[1], "side": side}]).confidence == "medium"


@pytest.mark.parametrize(
    "proposal",
    [
        {"remediation": "rollback_deployment", "arguments": {"service": "search"}},
        {"remediation": "drop_everything", "arguments": {"service": "ledger"}},
        {"remediation": "restart_service", "arguments": {}},
        {
            "remediation": "propose_fix",
            "arguments": {"service": "ledger", "path": "unread.py", "version": "9e0b77aa12"},
        },
    ],
)
def test_a_proposal_acts_on_the_cause_by_a_remediation_that_exists(proposal: dict[str, Any]) -> None:
    checked = check(proposal=proposal)
    assert checked.proposal is None
    assert checked.proposal_refused
    assert "drop_everything" not in checked.proposal_refused


def test_at_low_confidence_nothing_is_proposed_for_a_service_that_the_measurements_do_not_put_first() -> None:
    accused = {"service": "gateway", "kind": "errors", "statement": "gateway answers with errors."}
    claim = {
        "text": "31.5 % of the requests to /transfer fail at gateway.",
        "status": "observed",
        "artifact": "A1",
        "quote": "gateway,error ratio /transfer,0.2%->31.5%,x158,z=25.1,03:14:21",
    }
    restart = {"remediation": "restart_service", "arguments": {"service": "gateway"}}
    low = check(cause=accused, claims=[claim], confidence="low", proposal=restart)
    assert low.cause is not None
    assert low.cause.service == "gateway"
    assert low.proposal is None
    assert low.proposal_refused == (
        "The measurements put ledger first, and confidence is low: no remedy is offered for gateway."
    )
    assert check(cause=accused, claims=[claim], confidence="medium", proposal=restart).proposal is not None
    own = {"remediation": "restart_service", "arguments": {"service": "ledger"}}
    assert check(confidence="low", proposal=own).proposal is not None


def test_no_cause_means_no_proposal_and_no_all_clear_without_a_quiet_ranking() -> None:
    checked = check(cause=None, confidence="none", headline="No fault found, everything is fine", claims=[])
    assert (checked.cause, checked.proposal) == (None, None)
    assert checked.headline.startswith("No confident cause")
    assert any(drop.where == "headline" for drop in checked.dropped)


@pytest.mark.parametrize(
    "headline",
    [
        "search: sorting by date broke it",
        "ledger: 93 % of transfers fail",
        "ledger: lightning struck the rack",
        "All fine",
    ],
)
def test_a_headline_that_does_not_fit_becomes_the_codes(headline: str) -> None:
    checked = check(headline=headline)
    assert checked.headline == "ledger: pool exhausted. High."
    assert [drop.where for drop in checked.dropped] == ["headline"]
    assert checked.notes


def test_the_confidence_in_a_headline_is_the_gates() -> None:
    checked = check(headline="ledger: pool cut too small. High confidence.", claims=PROVEN[:1])
    assert checked.confidence == "medium"
    assert "high" not in checked.headline.lower()


def test_a_side_claim_that_fails_goes_alone_and_is_told() -> None:
    lie = {
        "text": "93 % of all transfers fail.",
        "status": "observed",
        "artifact": "A1",
        "quote": "gateway,error ratio",
    }
    checked = check(claims=[*PROVEN, {**lie, "side": "context"}])
    assert len(checked.claims) == 2
    assert checked.problems == ()
    assert "93 %" in checked.notes[0]
    assert checked.confidence == "high"


def test_what_is_never_shown_goes_sentence_by_sentence_and_stays_in_the_trace() -> None:
    checked = check(
        impact="31.5 % of the transfers at gateway fail. Customers were charged twice.",
        advice="Tell the owner of ledger. Run kubectl delete pod ledger-1.",
        not_known=["Whether 9 users lost money", "What the mailer does"],
        hypotheses=[{"id": "H1", "text": "A careless engineer broke it", "state": "open"}],
    )
    assert checked.impact == "31.5 % of the transfers at gateway fail."
    assert checked.advice == "Tell the owner of ledger."
    assert checked.not_known == ("What the mailer does",)
    assert checked.hypotheses == ()
    assert {drop.where for drop in checked.dropped} == {"impact", "advice", "not_known", "hypotheses"}
    assert not any(drop.shown for drop in checked.dropped)


def test_nothing_is_refused_for_its_form() -> None:
    long = "The deployment cut the pool of ledger to 12 connections. " * 9
    raw = {
        "headline": "ledger: " + "pool cut too small " * 20,
        "confidence": "high",
        "cause": json.dumps({**CAUSE, "statement": long, "mood": "sure"}),
        "claims": json.dumps([*PROVEN, {"text": "no status"}, 7]),
        "proposal": "none",
        "not_known": "one thing",
        "colour": "green",
    }
    for form in (raw, json.dumps(raw)):
        checked = check_draft(read_draft(form), EVIDENCE, SERVICES)
        assert checked.cause is not None
        assert checked.cause.statement.endswith("12 connections.")
        assert len(checked.headline) <= 120
        assert len(checked.claims) == 2
        assert checked.proposal is None
        assert checked.not_known == ("one thing",)


@pytest.mark.slow
@given(
    st.builds(
        dict,
        headline=st.text(max_size=60),
        confidence=st.sampled_from(["high", "medium", "low", "none"]),
        impact=st.text(max_size=80),
        claims=st.lists(
            st.fixed_dictionaries(
                {
                    "text": st.text(max_size=60),
                    "status": st.sampled_from(["observed", "inferred", "unknown"]),
                    "artifact": st.sampled_from(["A1", "A2", "A9", "A99"]),
                    "quote": st.text(max_size=40)
                    | st.sampled_from(["pool exhausted", "0.2%->31.5%", "state: running"]),
                }
            ),
            max_size=3,
        ),
    )
)
def test_odd_words_never_raise_and_observed_claims_quote_the_results(raw: dict[str, Any]) -> None:
    checked = check_draft(Draft.model_validate(raw), EVIDENCE, SERVICES)
    texts = {one.id: one.text for one in EVIDENCE}
    for claim in checked.claims:
        for proof in claim.proofs:
            assert proof.quote in texts[proof.artifact]
