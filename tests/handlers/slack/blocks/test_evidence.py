"""Rows in a colleague's words."""

from datetime import UTC, datetime
from typing import Any

import pytest

from agents.rows import (
    Alerted,
    Altered,
    Began,
    Changed,
    Filed,
    Logged,
    Moved,
    Row,
    Searched,
    Silenced,
    Spent,
    State,
    Suspect,
    Traced,
)
from agents.rows.stored import as_json
from agents.verdict import Symptom
from handlers.slack.blocks import text as t
from handlers.slack.blocks.evidence import diff_line, measured_thing, say, say_symptom, trace_back
from store.ids import ArtifactId, InvestigationId
from store.incidents.artifacts import Artifact
from store.secrets.redaction import Redacted
from tests.handlers.slack.blocks.examples import a_claim

AT = datetime(2026, 11, 12, 2, 41, tzinfo=UTC)


def moved(**changes: Any) -> Moved:
    given: dict[str, Any] = {
        "service": "payments",
        "indicator": "error ratio /charges",
        "unit": "ratio",
        "family": "errors",
        "before": 0.0,
        "now": 0.634,
    }
    return Moved(**{**given, **changes})


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (moved(), "63.4% of payments' /charges requests fail (0% before)"),
        (
            moved(indicator="error ratio", peer="api.example"),
            "63.4% of payments' calls to api.example fail (0% before)",
        ),
        (
            moved(service="web", indicator="latency /orders p95", unit="s", before=0.0049, now=2.31),
            "web's /orders takes 2.31 s at the 95th percentile (5 ms before)",
        ),
        (
            moved(service="web", indicator="requests rate", unit="/s", before=30, now=90),
            "web's requests: 90/s (30/s before)",
        ),
        (moved(service="web", indicator="restarts", unit="restarts", before=0, now=1), "web restarted once (0 before)"),
        (
            moved(service="web", indicator="pool_in_use", unit="count", before=3, now=20),
            "web's pool in use: 20 (3 before)",
        ),
        (
            Logged(service="web", example="KeyError: 'SEK'", level="error", first=AT, count=58, shift="new"),
            "web logs a new error since 02:41:00 UTC, 58 times",
        ),
        (
            Changed(service="web", change="deploy/web/4", at=AT, version="4f2a91c", before_onset_s=12.0),
            "4f2a91c of web was deployed 12 s before it began",
        ),
        (Began(at=AT, within_s=5, score=30), "It began at 02:41:00 UTC, give or take 5 s"),
        (
            Suspect(service="web", place=2, family="dependency_latency", score=1, confidence="low"),
            "web has slow calls too",
        ),
        (State(service="web", name="version", value="4f2a91c"), "web version: 4f2a91c"),
        (
            Alerted(service="web", name="Slow", state="silenced", since=AT),
            "Slow of web fires since 02:41:00 UTC, silenced",
        ),
        (
            Silenced(silence="s1", matchers=('service="web"', 'pod="a"'), since=AT, until=AT),
            'service="web", pod="a" is silenced until 12 Nov 02:41 UTC',
        ),
        (
            Filed(service="web", kind="issue", key="7", title="KeyError", state="unresolved", first=AT, count=58),
            "issue KeyError of web: unresolved since 02:41:00 UTC, 58 times",
        ),
        (
            Searched(service="web", what="active alerts", found=0, wanted={"neighbours": "db, till"}),
            "No active alerts of web with neighbours db, till",
        ),
        (
            Traced(trace="t", operation="GET /x", at=AT, lasted_s=2.3, failed_in=("payments",)),
            "One GET /x took 2.3 s, failed in payments",
        ),
        (
            Searched(service="web", what="log lines", found=0, start=AT, end=AT, wanted={"grep": "panic"}),
            "No log lines of web with grep panic between 02:41 UTC and 02:41 UTC",
        ),
        (
            Spent(service="web", part="calls to payments", before_s=0.02, now_s=1.2, most=True),
            "web's requests spend 1.2 s on calls to payments (20 ms before), most of the time that was added",
        ),
        (Searched(what="log lines", found=3), ""),
    ],
)
def test_a_row_is_a_sentence(row: Row, sentence: str) -> None:
    assert t.unescape(say(row)) == sentence


def test_a_symptom_is_what_customers_suffer() -> None:
    symptom = Symptom(service="web", indicator="error ratio->payments", unit="ratio", before=0.0, now=0.5, onset=None)
    assert say_symptom(symptom) == "50% of web's calls to payments fail (0% before)"
    assert say_symptom(symptom, whose="its") == "50% of its calls to payments fail (0% before)"


def test_an_indicator_has_a_name() -> None:
    assert measured_thing("checkout", "error_ratio", "ratio") == "checkout errors"
    assert measured_thing("checkout", "error ratio /pay", "ratio") == "checkout /pay errors"
    assert measured_thing("", "latency /pay p95", "seconds") == "/pay latency p95"


def test_a_claim_leads_back_to_the_row_that_it_quotes() -> None:
    diff = "--- a/app.py\n+++ b/app.py\n@@ -1 +1 @@\n-size = 50\n+size = 5\n"
    found = (
        moved(line="payments,error ratio /charges,0%->63.4%"),
        Logged(service="web", example="pool exhausted: 5 of 5"),
        Altered(change="deploy/web/4", diff=diff, to_version="4f2a91c"),
    )
    artifact = Artifact(
        id=ArtifactId("a3"),
        investigation_id=InvestigationId("v1"),
        number=3,
        tool_use_id="t",
        tool="rank_causes",
        source="evidence",
        is_error=False,
        taken_at=AT,
        arguments={},
        text=Redacted.ours("text"),
        facts={"rows": as_json(found)},
    )
    quotes = ("payments,error ratio /charges,0%->63.4%", "pool exhausted: 5 of 5", "+size = 5", "nowhere")
    claims = [a_claim(quote, artifact="A3", quote=quote) for quote in quotes]
    traced = trace_back(claims, [artifact], {"A3": "https://logs.example/x"})
    assert [one.row for one in traced] == [*found, None]
    assert [one.genuine for one in traced] == ["", "pool exhausted: 5 of 5", "+size = 5", ""]
    assert traced[3].link == "https://logs.example/x"
    assert diff_line(found[2], "+size = 5") == "4f2a91c added to app.py"
