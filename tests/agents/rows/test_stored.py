"""Rows are stored as JSON and come back as they were; what is not understood is left out."""

import json
from datetime import UTC, datetime

import pytest

from agents.rows import (
    KINDS,
    Alerted,
    Altered,
    Began,
    Changed,
    Configured,
    Contents,
    Filed,
    Logged,
    Moved,
    Noted,
    Printed,
    Row,
    Sampled,
    Searched,
    Silenced,
    Spent,
    State,
    Suspect,
    Traced,
    Tracked,
    Unread,
)
from agents.rows.stored import as_json, from_json, rows_of

AT = datetime(2026, 3, 1, 12, 0, 3, 250_000, tzinfo=UTC)
EACH: tuple[Row, ...] = (
    Began(at=AT, within_s=5.0, score=12.5, line="onset 12:00:03 UTC (+-5s), score 12.5"),
    Moved(service="pay", indicator="error ratio", unit="ratio", before=0.0, now=0.45, since=AT, peer="bank"),
    Suspect(service="pay", place=1, family="errors", score=1.9, confidence="medium", explains=("till",)),
    Changed(service="pay", change="deploy/pay/7", at=AT, files=("pay.toml",), precedes_onset=True, before_onset_s=-1.5),
    Logged(service="pay", example="no room", first=AT, last=AT, fields={"status": "503"}),
    Sampled(service="pay", name="requests_total", points=((AT, 7.25),), labels={"route": "/a"}, counted="rate"),
    Altered(service="pay", change="deploy/pay/7", diff="-a\n+b", whole=False, link="https://code.example/7"),
    State(service="pay", name="instances", value="2", at=AT),
    Alerted(service="pay", name="Slow", state="silenced", since=AT, labels={"pod": "a"}, by=("8f",)),
    Silenced(service="pay", silence="8f", matchers=('service="pay"',), since=AT, until=AT, comment="known"),
    Filed(service="pay", kind="issue", key="7", title="KeyError", state="unresolved", first=AT, last=AT, count=58),
    Noted(service="pay", about="Q1", text="looking", at=AT, by="Mia"),
    Contents(path="pay.toml", version="4f2a91c", text="a = 1\n"),
    Tracked(service="pay", path="pay.toml", version="4f2a91c", size=6, altered=True),
    Configured(service="pay", path="pay.toml", key="a", value="1", version="4f2a91c", before="2", kind="changed"),
    Searched(service="pay", what="log lines", found=0, start=AT, end=AT, wanted={"level": "warn"}),
    Unread(service="pay", reason="it did not answer", part=True),
    Spent(service="pay", part="calls to bank", before_s=0.2, now_s=None, callee=True, most=True),
    Traced(service="pay", trace="ab12", operation="POST /a", at=AT, lasted_s=0.25, failed_in=("bank",)),
    Printed(service="pay", program="status", text="fine"),
)


def test_each_kind_comes_back_as_it_was_stored() -> None:
    assert {type(row) for row in EACH} == set(KINDS)
    assert from_json(json.loads(json.dumps(as_json(EACH)))) == EACH


@pytest.mark.parametrize(
    "found",
    [
        None,
        "rows",
        [None, 3, "x"],
        [{"row": "dreamed"}],
        [{"row": "moved", "indicator": "x"}],
        [{"row": "logged", "example": "x", "first": "yesterday"}],
    ],
)
def test_what_is_not_understood_is_left_out(found: object) -> None:
    assert from_json(found) == ()


def test_a_field_of_a_newer_version_is_ignored() -> None:
    (stored,) = as_json(EACH[7:8])
    assert from_json([{**stored, "colour": "green"}]) == EACH[7:8]


def test_facts_without_rows_have_none() -> None:
    assert rows_of({"quiet": True}) == ()
