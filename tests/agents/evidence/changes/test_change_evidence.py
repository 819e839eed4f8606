"""What a change touches against what broke; the words are of no recorded system."""

from datetime import UTC, datetime, timedelta

from agents.evidence.changes import correlate_changes
from agents.evidence.changes.change_evidence import change_fits
from agents.evidence.types import Anomaly, Change, Family, Onset

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
    assert change_fits([styled], [anomaly("barcode errors")]) == [0.0]


def test_too_few_words_tell_nothing() -> None:
    assert change_fits([change("d", "v2")], [anomaly("barcode errors")]) == [None]
    assert change_fits([change("d", "Pack labels with a barcode")], []) == [None]
