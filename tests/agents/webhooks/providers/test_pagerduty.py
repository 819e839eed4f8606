"""PagerDuty: incidents, what is only news of them, and bodies of the old versions."""

import hashlib
import hmac

import pytest

from agents.webhooks import Refusal, Verified
from agents.webhooks.headers import Headers
from agents.webhooks.providers.pagerduty import PROVIDER

INCIDENT = {
    "id": "Q1",
    "type": "incident",
    "html_url": "https://acme.pagerduty.com/incidents/Q1",
    "title": "Cart is slow",
    "status": "triggered",
    "service": {"summary": "cart"},
    "urgency": "high",
    "priority": None,
}


@pytest.mark.parametrize(
    ("what", "state", "status"),
    [
        ("incident.triggered", "triggered", "firing"),
        ("incident.reopened", "triggered", "firing"),
        ("incident.unacknowledged", "triggered", "firing"),
        ("incident.acknowledged", "acknowledged", "acknowledged"),
        ("incident.escalated", "acknowledged", "acknowledged"),
        ("incident.priority_updated", "triggered", "firing"),
        ("incident.resolved", "resolved", "resolved"),
    ],
)
def test_an_incident_by_what_happened_else_by_its_state(what: str, state: str, status: str) -> None:
    event = {"event_type": what, "occurred_at": "2026-05-01T10:00:00Z", "data": {**INCIDENT, "status": state}}
    found = PROVIDER.normalise({"event": event}, {})
    assert (found.kind, found.status, found.severity) == ("alert", status, "high")
    assert (found.key, found.service) == ("pagerduty:Q1", "cart")


@pytest.mark.parametrize(
    ("priority", "urgency", "severity"),
    [("P1", "low", "critical"), ("SEV-2", "high", "high"), (None, "low", "warning"), ("Odd", "high", "high")],
)
def test_the_priority_counts_before_the_urgency(priority: str | None, urgency: str, severity: str) -> None:
    data = {**INCIDENT, "priority": {"summary": priority} if priority else None, "urgency": urgency}
    found = PROVIDER.normalise({"event": {"event_type": "incident.triggered", "data": data}}, {})
    assert found.severity == severity


def test_a_note_a_service_and_a_ping_are_news() -> None:
    note = {"type": "incident_note", "content": "looking", "incident": {"id": "Q1", "html_url": "https://a.example/Q1"}}
    found = PROVIDER.normalise({"event": {"event_type": "incident.annotated", "data": note}}, {})
    assert (found.kind, found.key, found.title) == ("other", "pagerduty:Q1", "looking")
    ping = {"event": {"event_type": "pagey.ping", "id": "01", "data": {"message": "Hello", "type": "ping"}}}
    assert PROVIDER.normalise(ping, {}).kind == "other"


def test_of_several_old_messages_the_newest_counts() -> None:
    messages = [
        {"event": "incident.resolve", "created_on": "2026-05-01T10:05:00Z", "incident": {**INCIDENT, "title": "null"}},
        {"event": "incident.trigger", "created_on": "2026-05-01T10:00:00Z", "incident": INCIDENT},
    ]
    found = PROVIDER.normalise({"messages": messages}, {})
    assert (found.status, found.key) == ("resolved", "pagerduty:Q1")
    first = {
        "type": "incident.acknowledge",
        "data": {"incident": {"id": "Q1", "trigger_summary_data": {"subject": "S"}}},
    }
    assert PROVIDER.normalise({"messages": [first]}, {}).status == "acknowledged"


def test_one_right_signature_of_several_is_enough() -> None:
    right = hmac.new(b"s", b"{}", hashlib.sha256).hexdigest()
    for sent, is_right in ((f"v1=00,v1={right}", True), (f"v2={right}", False), ("v1=", False), (right, False)):
        headers = Headers({"X-PagerDuty-Signature": sent})
        judged = PROVIDER.verify(b"{}", headers, secrets=["s"], now=0, config={}, certificates={})
        assert judged == (Verified(b"{}") if is_right else Refusal("wrong_signature"))
