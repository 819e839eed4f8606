"""What a change touches against what broke; the words are of no recorded system."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from agents.evidence.changes import correlate_changes
from agents.evidence.changes.change_evidence import source_files, weigh_changes
from agents.evidence.types import Anomaly, Change, Family, LogLine, Onset

AT = datetime(2026, 3, 4, 5, 6, tzinfo=UTC)


def change(name: str, summary: str, *paths: str, before_s: float = 60.0, service: str = "parcels") -> Change:
    return Change(
        id=name,
        service=service,
        at=AT - timedelta(seconds=before_s),
        kind="deployment",
        summary=summary,
        paths=paths,
    )


def anomaly(indicator: str, exemplar: str | None = None, family: Family = "errors") -> Anomaly:
    return Anomaly(
        service="parcels",
        indicator=indicator,
        family=family,
        peer=None,
        baseline=0.0,
        current=1.0,
        ratio=None,
        score=20.0,
        onset=None,
        unit="",
        direction="up",
        exemplar=exemplar,
    )


def test_the_change_that_speaks_of_what_broke_outranks_a_nearer_one() -> None:
    guilty = change("a", "Pack labels with the new barcode encoder", "labels/barcode.py", before_s=900)
    nearer = change("b", "Sort the depot list by name", "depots/listing.py", before_s=20)
    broke = [anomaly("log: new ERROR cannot encode barcode of label", "ERROR cannot encode barcode of label")]
    onset = Onset(at=AT, guard_s=5.0, score=20.0, direction="up")
    findings = {f.change.id: f for f in correlate_changes([guilty, nearer], onset, None, (), broke)}
    assert findings["a"].verdict == "cause_candidate"
    assert findings["b"].verdict == "coincides"
    assert findings["a"].score > findings["b"].score


def test_the_only_change_before_an_onset_needs_no_shared_word() -> None:
    only = change("b", "Sort the depot list by name", "depots/listing.py")
    onset = Onset(at=AT, guard_s=5.0, score=20.0, direction="up")
    [finding] = correlate_changes([only], onset, None, (), [anomaly("requests failed")])
    assert finding.verdict == "cause_candidate"


def test_wording_and_style_fit_no_fault() -> None:
    styled = change("c", "Restyle barcode page", "web/barcode.css", "locales/de.po")
    assert weigh_changes([styled], [anomaly("barcode errors")]) == [0.0]


def test_too_few_words_tell_nothing() -> None:
    assert weigh_changes([change("d", "v2")], [anomaly("barcode errors")]) == [None]
    assert weigh_changes([change("d", "Pack labels with a barcode")], []) == [None]


def test_a_lone_change_that_cannot_have_done_it_merely_coincides() -> None:
    onset = Onset(at=AT, guard_s=5.0, score=20.0, direction="up")
    said = anomaly("log: new ERROR", "ERROR the certificate of depot.example has expired")
    for only in (change("a", "Tidy the TLS ciphers", "net/tls.go"), change("c", "Restyle", "web/barcode.css")):
        [finding] = correlate_changes([only], onset, None, (), [said])
        assert finding.verdict == "coincides"


def test_what_worked_for_long_needs_a_reason_to_be_blamed() -> None:
    only = change("b", "Sort the depot list by name", "depots/listing.py", before_s=1500)
    onset = Onset(at=AT, guard_s=5.0, score=20.0, direction="up")
    [finding] = correlate_changes([only], onset, None, (), [anomaly("barcode encoder rejects")])
    assert finding.verdict == "coincides"


def test_what_worked_for_long_without_a_reason_is_no_rival_to_a_fresh_change() -> None:
    fresh = change("b", "Adjust depot settings", "depots/config.toml", before_s=5)
    old = change("a", "Print bigger postcards on Sundays", "postcards/print.py", before_s=30_000)
    onset = Onset(at=AT, guard_s=5.0, score=20.0, direction="up")
    broke = [anomaly("log: new ERROR call ran into its limit of 0.2 s")]
    verdicts = {f.change.id: f.verdict for f in correlate_changes([fresh, old], onset, None, (), broke)}
    assert verdicts == {"a": "coincides", "b": "cause_candidate"}
    reason = [*broke, anomaly("log: new ERROR cannot print postcards of Sundays")]
    verdicts = {f.change.id: f.verdict for f in correlate_changes([fresh, old], onset, None, (), reason)}
    assert verdicts == {"a": "cause_candidate", "b": "coincides"}


def test_who_says_too_little_yields_to_who_speaks_of_what_broke() -> None:
    guilty = change("a", "Pack labels with the new barcode encoder", "labels/barcode.py", before_s=500)
    onset = Onset(at=AT, guard_s=5.0, score=20.0, direction="up")
    broke = [anomaly("log: new ERROR cannot encode barcode of label")]
    first, second = correlate_changes([change("b", "v2", before_s=20), guilty], onset, None, (), broke)
    assert (first.change.id, first.verdict, second.verdict) == ("a", "cause_candidate", "coincides")


def test_a_certificate_that_ran_out_was_ended_by_no_change_of_code() -> None:
    tidy = change("a", "Tidy the list of TLS ciphers", "net/tls_client.go")
    renewed = change("b", "Renew the certificate of the depot", "deploy/depot.pem")
    said = anomaly("log: new ERROR", "ERROR handshake: x509: certificate has expired or is not yet valid")
    left = anomaly("tls_certificate_seconds_until_expiry")
    assert weigh_changes([tidy], [said]) == [0.0]
    assert weigh_changes([renewed], [said]) != [0.0]
    assert weigh_changes([tidy], [replace(left, current=-5.0, direction="down")]) == [0.0]
    assert weigh_changes([tidy], [replace(left, current=9e6)]) != [0.0]
    assert weigh_changes([tidy], [anomaly("tls handshakes failed")]) != [0.0]


def test_a_stack_trace_names_the_change_that_it_runs_through() -> None:
    lines = [
        LogLine(time=AT - timedelta(minutes=9), service="parcels", level="ERROR", text="timeout (retry.py:7)"),
        LogLine(
            time=AT + timedelta(seconds=9),
            service="parcels",
            level="ERROR",
            text="Unhandled",
            fields={
                "stack": 'File "/srv/labels/weigh.py", line 3\n at pack (Sizes.java:88)\n at /srv/labels/retry.py:7'
            },
        ),
        LogLine(time=AT, service="parcels", level="INFO", text="loaded depots.py"),
    ]
    named = source_files(lines, AT)
    assert named == {"weigh.py", "Sizes.java"}
    guilty, other = change("a", "Small things", "labels/weigh.py"), change("b", "Sort the depots", "depots/list.py")
    weights = weigh_changes([guilty, other], [anomaly("barcode encoder rejects")], named)
    assert weights[0] == 1.0
    assert weights[1] == 0.0


def test_what_callers_ask_for_does_not_fit_a_change_of_the_service_they_call() -> None:
    mine, theirs = anomaly("log: new ERROR cannot encode barcode"), anomaly("log: new ERROR depots list unavailable")
    sorts = change("b", "Sort the depots of the list", "depots/listing.py")
    assert weigh_changes([sorts], [mine, replace(theirs, service="shop")]) == [0.0]
