"""Sentry: an alert and its issue are one thing, and metric alerts are another."""

from typing import Any

import pytest

from agents.webhooks import Normalised
from agents.webhooks.providers.sentry import PROVIDER


def read(resource: str, action: str, **data: Any) -> Normalised:
    return PROVIDER.normalise({"action": action, "data": data}, {"Sentry-Hook-Resource": resource})


@pytest.mark.parametrize(
    ("action", "status"),
    [
        *[("created", "firing"), ("unresolved", "firing"), ("resolved", "resolved")],
        *[("archived", "acknowledged"), ("assigned", "acknowledged")],
    ],
)
def test_an_issue_by_what_was_done_to_it(action: str, status: str) -> None:
    issue = {"id": "9", "title": "Boom", "level": "fatal", "project": {"slug": "cart"}, "permalink": None}
    found = read("issue", action, issue=issue)
    assert (found.kind, found.status, found.severity, found.service) == ("alert", status, "critical", "cart")
    assert found.key == "sentry:9"


def test_the_alert_of_an_issue_has_its_key() -> None:
    event = {
        "title": "Boom",
        "level": "error",
        "issue_url": "https://sentry.io/api/0/organizations/o/issues/9/",
        "web_url": "https://sentry.io/organizations/o/issues/9/events/1/",
        "tags": [["environment", "prod"], {"key": "release", "value": "1.2"}],
        "datetime": "2026-05-01T10:00:00Z",
    }
    found = read("event_alert", "triggered", event=event, triggered_rule="Many")
    assert (found.key, found.status, found.severity, found.environment) == ("sentry:9", "firing", "high", "prod")
    assert read("error", "created", error={**event, "issue_id": "9"}).key == "sentry:9"
    assert found.labels["release"] == "1.2"


@pytest.mark.parametrize(
    ("action", "status", "severity"),
    [("critical", "firing", "critical"), ("warning", "firing", "warning"), ("resolved", "resolved", "unknown")],
)
def test_a_metric_alert_is_known_by_its_rule(action: str, status: str, severity: str) -> None:
    alert = {"id": "3", "title": "Slow", "projects": ["a", "b"], "alert_rule": {"id": "5", "environment": "prod"}}
    found = read("metric_alert", action, metric_alert=alert, web_url="https://sentry.io/x/")
    assert (found.status, found.severity, found.key) == (status, severity, "sentry:metric:5")
    assert found.service is None, "two projects are no service"


def test_comments_and_what_is_newer_are_news() -> None:
    assert read("comment", "created", comment="hi", issue_id=9, project_slug="cart").kind == "other"
    newer = read("preprod_artifact", "size_analysis_completed", x=1)
    assert (newer.kind, newer.known) == ("other", False)


def test_the_old_plugin_is_read_too() -> None:
    body = {
        "id": "9",
        "project_slug": "cart",
        "message": "Boom",
        "url": "https://sentry.io/x/",
        "level": "error",
        "event": {},
    }
    found = PROVIDER.normalise(body, {})
    assert (found.kind, found.title, found.service, found.severity) == ("alert", "Boom", "cart", "high")
