"""The truth gate: what was not read in this run does not get through, and ordinary sentences do."""

import string
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.citations import Checked, check_draft, numbers_borne
from agents.gate.evidence import Evidence
from agents.verdict import Draft

SERVICES = ("checkout", "payments")
RANKING = "symptom checkout errors 0.3% -> 8.7% since 02:41:07\n1. checkout errors; p95 0.45 s; pool 50 -> 5"
LOGS = "new x4213 checkout: PoolTimeout: no connection within 1200ms (size=5) at 10.0.0.1 v1.2.3"
CHANGE = {"id": "4f2a91c0", "service": "checkout", "precedes_onset": True, "reaches_symptom": True}


def evidence(
    number: int, text: str, *, tool: str = "rank_causes", facts: Mapping[str, Any] | None = None, is_error: bool = False
) -> Evidence:
    return Evidence(
        id=f"A{number}",
        tool=tool,
        source="evidence",
        text=text,
        facts=facts or {},
        taken_at=datetime(2026, 11, 5, 2, 42, tzinfo=UTC),
        is_error=is_error,
    )


TWO = (evidence(1, RANKING, facts={"causes": [{"service": "checkout"}]}), evidence(2, LOGS, tool="log_patterns"))


def observed(text: str, artifact: str = "A1", quote: str = "checkout errors 0.3% -> 8.7%") -> dict[str, Any]:
    return {"text": text, "status": "observed", "artifact": artifact, "quote": quote}


PROVEN = (
    observed("checkout errors rose to 9%"),
    observed("the pool ran dry", "A2", "PoolTimeout: no connection within 1200ms"),
)
CAUSE = {"service": "checkout", "kind": "pool exhausted", "statement": "checkout: its pool is exhausted"}


def check(found: tuple[Evidence, ...] = TWO, **parts: Any) -> Checked:
    whole = {"headline": "checkout is ill", "cause": CAUSE, "confidence": "high", "claims": PROVEN}
    return check_draft(Draft.model_validate({**whole, **parts}), found, SERVICES)


# Numbers


@pytest.mark.parametrize(
    ("statement", "text"),
    [
        ("errors rose to 9%", "errors 8.7%"),
        ("errors rose to 8.7 %", "ratio=0.087"),
        ("errors rose to 9 percent", "errors 8.7%"),
        ("p95 is 450 ms", "p95=0.45"),
        ("p95 is 0.45s", "p95=450ms"),
        ("it waited 1.2 seconds", "within 1200ms"),
        ("12 minutes ago", "720 s before"),
        ("memory is 512 MB", "rss=536870912"),
        ("memory is 1.2 GB", "rss 1200 MB"),
        ("memory is 512 MiB", "rss=536870912 bytes"),
        ("1,234 requests", "count 1234"),
        ("1234 requests", "count 1,234"),
        ("since 02:41", "onset 02:41:07"),
        ("since 02:41:07 UTC", "onset 02:41:07"),
        ("on 2026-11-05", "at 2026-11-05T02:41:07Z"),
        ("it ran 4f2a91c before", "version 4f2a91c0de"),
        ("it runs 1234567 now", "deployed 1234567890ab"),
        ("12e4567 was deployed", "deployed 12e4567"),
        ("it runs v1.2.3", "checkout 1.2.3 started"),
        ("it calls 10.0.0.1", "connect 10.0.0.1:5432 refused"),
        ("the pool went from 50->5", "pool 50 -> 5"),
        ("2 services and 1 path are affected", ""),
        ("its p95 and p99 rose, H1 holds, k8s and s3 are fine", ""),
        ("it answers HTTP 500", "status=500"),
        ("5xx answers on the 2nd instance", ""),
        ("us-east-1 and utf-8 and /v2/pay are names", ""),
        ("see #1234", ""),
        ("nothing to count here", ""),
        ("-5 degrees", "delta -5"),
        ("17 s before the onset", "8b7a6f5e4d3c2b1a,20:29:42,17s before onset"),
        ("31 of 200 failed", "ERROR,31,200,new"),
        ("31,200 requests", "count 31,200"),
        ("8.24x slower", "103ms->847ms,x8.24,z=30.0"),
        ("4213 new errors", "new x4213 checkout"),
        ("5, 6 and 7 failed", "5,6,7"),
    ],
)
def test_an_ordinary_sentence_passes(statement: str, text: str) -> None:
    assert numbers_borne(statement, text)


@pytest.mark.parametrize(
    ("statement", "text"),
    [
        ("errors rose to 93%", "errors 8.7%"),
        ("errors rose to 10%", "errors 8.7%"),
        ("p95 is 460 ms", "p95=0.45"),
        ("it waited 7 s", "within 1200ms"),
        ("memory is 600 MB", "rss=536870912"),
        ("12 minutes ago", "600 s before"),
        ("3 s", ""),
        ("it is 3x slower", ""),
        ("it is 93x slower", ""),
        ("93k requests failed", "count 1234"),
        ("93rps", "12"),
        ("since 02:40", "onset 02:41:07"),
        ("it runs deadbe7f", "version 4f2a91c0de"),
        ("it runs v9.9.9", "checkout 1.2.3 started"),
        ("it calls 10.0.0.2", "connect 10.0.0.1:5432 refused"),
        ("between 10-93%", "10%"),
        ("5/93 requests", "5 requests"),
        ("91 failed", "version 4f2a91c"),
        ("95 failed", "p95 is high"),
        ("$4,000 lost", "4 lost"),
        ("1e9 rows", "12 rows"),
    ],
)
def test_an_invented_number_time_or_version_does_not_pass(statement: str, text: str) -> None:
    assert not numbers_borne(statement, text)


@given(st.text(max_size=200))
def test_any_text_bears_its_own_numbers_and_nothing_raises(text: str) -> None:
    numbers_borne(text, "")
    words = " ".join(text.split())
    assert numbers_borne("nothing to count", words)


@given(st.integers(min_value=4, max_value=10**9), st.integers(min_value=4, max_value=10**9))
def test_a_whole_number_passes_only_if_it_was_read(written: int, read: int) -> None:
    assert numbers_borne(f"there were {written} of them", f"count={read}") == (written == read)


@given(st.floats(min_value=0.001, max_value=1e6), st.integers(min_value=0, max_value=3))
def test_rounding_to_fewer_places_passes(value: float, places: int) -> None:
    assert numbers_borne(f"it took {value:.{places}f} of them", f"took {value!r}")


# Claims


@pytest.mark.parametrize(
    ("claim", "reason"),
    [
        (observed("checkout errors rose", quote="a quote that nobody read"), "does not stand in A1"),
        (observed("checkout errors rose", quote=LOGS[:30]), "does not stand in A1"),
        (observed("checkout errors rose to 93%"), "a number or version that A1 does not contain"),
        (observed("the pool has 1200 ms"), "a number or version that A1 does not contain"),
        (observed("checkout errors rose", "A7"), "A7 is not a result of this run"),
        (observed("checkout errors rose", "A3", "connection refused"), "A3 is not a result of this run"),
        (observed("checkout errors rose", quote="e"), "too short"),
        ({"text": "it is so", "status": "observed"}, "needs an artifact and a quote"),
        ({"text": "so 93% fail", "status": "inferred"}, "no result of this run contains"),
        ({"text": "so it fails", "status": "inferred", "quote": "never read by anyone"}, "stands in no result"),
        ({"text": "93% may fail", "status": "unknown"}, "no result of this run contains"),
    ],
)
def test_a_claim_without_its_evidence_is_dropped_with_the_reason(claim: dict[str, Any], reason: str) -> None:
    failed = evidence(3, "connection refused by prometheus", is_error=True)
    checked = check((*TWO, failed), claims=[claim])
    assert checked.claims == ()
    assert reason in checked.dropped[0].reason
    assert any(reason in problem for problem in checked.problems)


def test_what_was_read_passes_with_source_and_time() -> None:
    checked = check()
    assert [claim.artifact for claim in checked.claims] == ["A1", "A2"]
    assert checked.claims[0].source == "evidence"
    assert checked.claims[0].taken_at == "2026-11-05T02:42:00+00:00"
    assert checked.problems == ()
    assert checked.confidence == "high"


def test_numbers_of_an_error_result_bear_nothing() -> None:
    failed = evidence(3, "no such tool 'errors are 93%'", is_error=True)
    checked = check(
        (*TWO, failed), headline="checkout: 93% errors", impact="93% of payments fail", advice="scale to 93"
    )
    assert "93" not in f"{checked.headline}{checked.impact}{checked.advice}"


# Cause and change


def test_an_undeclared_service_is_no_cause() -> None:
    checked = check(cause={**CAUSE, "service": "billing"})
    assert checked.cause is None
    assert checked.confidence == "none"
    assert checked.headline.startswith("No confident cause")
    assert "'billing' is not one of the declared services" in checked.problems[0]


def test_an_outside_dependency_must_have_been_read() -> None:
    assert check(cause={**CAUSE, "external": "acme-pay"}).cause is None
    named = (*TWO, evidence(3, "calls to acme-pay time out"))
    cause = check(named, cause={**CAUSE, "external": "acme-pay"}).cause
    assert cause is not None
    assert cause.external == "acme-pay"


@pytest.mark.parametrize(
    ("facts", "diff", "verdict"),
    [
        ({}, "read", "cause"),
        ({}, "unread", "coincides"),
        ({"precedes_onset": False}, "read", "coincides"),
        ({"reaches_symptom": False}, "read", "coincides"),
        ({"reaches_symptom": None}, "read", "coincides"),
    ],
)
def test_a_change_is_a_cause_only_if_it_precedes_reaches_and_was_read(
    facts: dict[str, Any], diff: str, verdict: str
) -> None:
    found = [*TWO, evidence(3, "4f2a91c0", tool="what_changed", facts={"changes": [{**CHANGE, **facts}]})]
    if diff == "read":
        found.append(evidence(4, "- pool 50\n+ pool 5", tool="read_diff", facts={"diff_of": CHANGE["id"]}))
    proposal = {"remediation": "rollback_deployment", "arguments": {"service": "checkout"}}
    checked = check(tuple(found), cause={**CAUSE, "change": CHANGE["id"]}, proposal=proposal)
    assert checked.cause is not None
    assert checked.cause.change_verdict == verdict
    assert (checked.proposal is not None) == (verdict == "cause")
    assert checked.confidence == ("high" if verdict == "cause" else "low")
    if verdict == "coincides":
        assert "a rollback needs a change that is the cause" in (checked.proposal_refused or "")


def test_a_diff_that_could_not_be_read_was_not_read() -> None:
    found = (
        *TWO,
        evidence(3, "4f2a91c0", tool="what_changed", facts={"changes": [CHANGE]}),
        evidence(4, "no diff", tool="read_diff", facts={"diff_of": CHANGE["id"]}, is_error=True),
    )
    cause = check(found, cause={**CAUSE, "change": CHANGE["id"]}).cause
    assert cause is not None
    assert cause.change_verdict == "coincides"


def test_a_change_that_no_tool_found_is_dropped_and_a_rollback_refused() -> None:
    proposal = {"remediation": "rollback_deployment", "arguments": {"service": "checkout"}}
    checked = check(cause={**CAUSE, "change": "deadbeef"}, proposal=proposal)
    assert checked.cause is not None
    assert (checked.cause.change, checked.cause.change_verdict) == (None, "none")
    assert checked.proposal is None


# Confidence, proposal, words


@pytest.mark.parametrize(("claims", "confidence"), [(PROVEN, "high"), (PROVEN[:1], "medium"), ((), "none")])
def test_confidence_is_capped_by_the_proofs(claims: tuple[dict[str, Any], ...], confidence: str) -> None:
    assert check(claims=claims).confidence == confidence


def test_two_quotes_of_one_result_are_one_proof() -> None:
    assert check(claims=[PROVEN[0], observed("the pool is small", quote="pool 50 -> 5")]).confidence == "medium"


@pytest.mark.parametrize(
    "claims",
    [
        (),
        [{**claim, "side": "against"} for claim in PROVEN],
        [{**claim, "side": "context"} for claim in PROVEN],
        [{**claim, "status": "inferred"} for claim in PROVEN],
        [observed("the disk is full", quote="the disk is full")],
    ],
)
def test_without_an_observed_proof_for_it_there_is_no_cause_and_nothing_to_approve(claims: Any) -> None:
    proposal = {"remediation": "restart_service", "arguments": {"service": "checkout"}}
    checked = check(claims=claims, proposal=proposal)
    assert (checked.cause, checked.confidence, checked.proposal) == (None, "none", None)
    assert checked.headline.startswith("No confident cause")
    assert any("no cause without a proof" in problem for problem in checked.problems)


def test_disagreeing_with_the_evidence_engine_caps_at_medium() -> None:
    other = (evidence(1, RANKING, facts={"causes": [{"service": "payments"}]}), TWO[1])
    assert check(other).confidence == "medium"


def test_a_modest_claim_is_not_raised() -> None:
    assert check(confidence="low").confidence == "low"


def test_confidence_none_is_an_abstention_without_a_proposal() -> None:
    proposal = {"remediation": "restart_service", "arguments": {"service": "checkout"}}
    checked = check(confidence="none", proposal=proposal)
    assert (checked.cause, checked.proposal) == (None, None)
    assert checked.proposal_refused is not None


@pytest.mark.parametrize("target", ["payments", "billing", "checkout; rm -rf /", "--all", "", None])
def test_a_proposal_acts_on_the_service_of_the_cause_alone(target: str | None) -> None:
    arguments = {} if target is None else {"service": target}
    checked = check(proposal={"remediation": "restart_service", "arguments": arguments})
    assert checked.cause is not None
    assert checked.proposal is None
    assert "is not checkout, the service of the cause" in (checked.proposal_refused or "")


@pytest.mark.parametrize("name", ["delete_database", "restart", "", "restart_service "])
def test_an_invented_remediation_is_refused(name: str) -> None:
    checked = check(proposal={"remediation": name, "arguments": {"service": "checkout"}})
    assert (checked.proposal is None) == (name.strip() != "restart_service")
    assert ("is not a remediation" in (checked.proposal_refused or "")) == (checked.proposal is None)


def test_an_invented_number_leaves_headline_statement_kind_and_lists() -> None:
    checked = check(
        headline="checkout: 93% lost",
        cause={**CAUSE, "kind": "93% lost", "statement": "checkout lost 93%"},
        impact="93% lost",
        advice="call 93",
        not_known=["whether 93% are lost", "traces"],
        hypotheses=[{"id": "H1", "text": "93% lost", "state": "open"}],
    )
    assert "93" not in _said(checked)
    assert checked.headline == "checkout: fault. High."


def _said(checked: Checked) -> str:
    return " ".join(
        [
            checked.headline,
            checked.impact,
            checked.advice,
            str(checked.cause),
            *checked.not_known,
            *(h.text for h in checked.hypotheses),
        ]
    )


def test_a_borne_headline_stays_word_for_word() -> None:
    headline = "checkout: pool cut 50->5, 8.7% errors. High."
    assert check(headline=headline).headline == headline


def test_nothing_read_bears_nothing() -> None:
    checked = check(())
    assert checked.claims == ()
    assert (checked.cause, checked.confidence) == (None, "none")


texts = st.one_of(
    st.sampled_from([RANKING, LOGS, "checkout errors 93%", "4f2a91c0", "pool 50 -> 5 since 02:41"]),
    st.text(alphabet=string.ascii_letters + string.digits + " .:%/-", max_size=60),
).map(lambda text: text[:100])


@given(
    headline=texts,
    claims=st.lists(
        st.tuples(
            texts, st.sampled_from(["observed", "inferred", "unknown"]), st.sampled_from(["A1", "A2", "A9"]), texts
        ),
        max_size=4,
    ),
    confidence=st.sampled_from(["high", "medium", "low", "none"]),
    cause=st.sampled_from([None, CAUSE, {**CAUSE, "service": "billing"}]),
)
def test_what_passed_the_gate_passes_it_again_unchanged(
    headline: str, claims: list[tuple[str, str, str, str]], confidence: str, cause: dict[str, Any] | None
) -> None:
    rows = [{"text": t, "status": s, "artifact": a, "quote": q or None} for t, s, a, q in claims]
    once = check(headline=headline, claims=rows, confidence=confidence, cause=cause)
    for claim in once.claims:
        if claim.status == "observed":
            assert claim.quote
            assert claim.quote in {"A1": RANKING, "A2": LOGS}[claim.artifact or ""]
    kept = [
        {"text": c.text, "status": c.status, "side": c.side, "artifact": c.artifact, "quote": c.quote}
        for c in once.claims
    ]
    again_cause = None if once.cause is None else {**CAUSE, "statement": once.cause.statement, "kind": once.cause.kind}
    again = check(headline=once.headline, claims=kept, confidence=once.confidence, cause=again_cause)
    assert again.claims == once.claims
    assert again.confidence == once.confidence
    assert again.headline == once.headline
    assert again.dropped == ()
