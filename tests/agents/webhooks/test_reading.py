"""Times, severities, texts and tags as senders write them."""

from datetime import UTC, datetime
from typing import Any

import pytest

from agents.webhooks import reading

NOON = datetime(2026, 3, 4, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "told",
    [
        "2026-03-04T12:00:00Z",
        "2026-03-04T12:00:00.000000000Z",
        "2026-03-04 12:00:00 UTC",
        "2026-03-04 13:00:00 +0100",
        "2026-03-04T07:00:00.000-05:00",
        "2026-03-04 12:00",
        1772625600,
        "1772625600000",
        1772625600.0,
    ],
)
def test_a_time_is_read_in_every_usual_notation(told: Any) -> None:
    assert reading.moment(told) == NOON


@pytest.mark.parametrize(
    "told", ["0001-01-01T00:00:00Z", "", None, True, "soon", "2026-13-40", 12, "9" * 30, float("nan")]
)
def test_what_is_no_time_is_none(told: Any) -> None:
    assert reading.moment(told) is None
    assert reading.moment(told, "2026-03-04T12:00:00Z") == NOON


@pytest.mark.parametrize(
    ("word", "severity"),
    [
        *[(word, "critical") for word in ("CRITICAL", "fatal", "P1", "page", "sev1", "Highest", "1")],
        *[(word, "high") for word in ("error", "High", "P2", "2")],
        *[(word, "warning") for word in ("warn", "medium", "P3")],
        *[(word, "info") for word in ("info", "Low", "P4", "P5", "none", 5)],
        *[(word, "unknown") for word in ("", None, "blue", {}, "null")],
    ],
)
def test_severities_by_word_and_number(word: Any, severity: str) -> None:
    assert reading.severity(word) == severity


def test_what_a_template_left_unfilled_says_nothing() -> None:
    assert reading.first("{{host.name}}", "$HOSTNAME", "null", "", None, [], "web-1") == "web-1"
    assert reading.tags("host:{{host.name}}, env: prod,service:a:b,monitor") == {"env": "prod", "service": "a:b"}
    assert reading.tags(["env:prod", 3, None]) == {"env": "prod"}


def test_only_an_absolute_address_is_one() -> None:
    assert reading.url("?orgId=1", "/x", "javascript:alert(1)", "http://[", "https://a.example/x y") is None
    assert reading.url(None, "https://a.example/x") == "https://a.example/x"
