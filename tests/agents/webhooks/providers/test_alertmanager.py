"""Groups of alerts: one, several, without a fingerprint, of older versions."""

from datetime import UTC, datetime
from typing import Any

from agents.webhooks import Normalised
from agents.webhooks.providers.alertmanager import PROVIDER


def alert(**labels: str) -> dict[str, Any]:
    return {
        "status": "firing",
        "labels": {"alertname": "HighErrors", **labels},
        "annotations": {"summary": "too many errors", "runbook_url": "https://runbooks.example/errors"},
        "startsAt": "2026-05-01T10:00:00Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus.example/graph",
    }


def read(*alerts: dict[str, Any], **more: Any) -> Normalised:
    return PROVIDER.normalise({"version": "4", "groupKey": "{}:{job=~}", "alerts": list(alerts), **more}, {})


def test_one_alert_is_known_by_its_fingerprint() -> None:
    found = read({**alert(service="cart", severity="page", env="prod"), "fingerprint": "ab12"}, status="firing")
    assert (found.kind, found.status, found.severity) == ("alert", "firing", "critical")
    assert (found.service, found.environment, found.key) == ("cart", "prod", "alertmanager:ab12")
    assert found.title == "HighErrors: too many errors"
    assert found.runbook_url == "https://runbooks.example/errors"
    assert found.occurred_at == datetime(2026, 5, 1, 10, tzinfo=UTC)


def test_a_resolved_alert_happened_when_it_ended() -> None:
    ended = {**alert(), "status": "resolved", "endsAt": "2026-05-01T11:00:00Z", "fingerprint": "ab12"}
    found = read(ended, status="resolved")
    assert (found.status, found.occurred_at) == ("resolved", datetime(2026, 5, 1, 11, tzinfo=UTC))


def test_several_alerts_are_a_group_with_parts_of_their_own() -> None:
    one, two = {**alert(pod="a"), "fingerprint": "1"}, {**alert(pod="b"), "fingerprint": "2", "status": "resolved"}
    found = read(one, two, commonLabels={"alertname": "HighErrors"}, groupKey='{}:{alertname="HighErrors"}')
    assert found.key == 'alertmanager:{}:{alertname="HighErrors"}'
    assert [(part.key, part.status) for part in found.each()] == [
        ("alertmanager:1", "firing"),
        ("alertmanager:2", "resolved"),
    ]
    assert found.status == "firing"
    assert found.source_url == "http://prometheus.example/graph"
    assert "HighErrors" in found.title


def test_no_key_of_a_group_is_a_key_when_it_names_nothing() -> None:
    one, two = read(alert(pod="a"), groupKey="{}:{}"), read(alert(pod="b"), groupKey="{}:{}")
    assert one.key != two.key
    assert read(alert(pod="a"), groupKey="{}:{}").key == one.key


def test_a_job_is_no_service_and_a_bare_alert_is_read() -> None:
    found = PROVIDER.normalise(alert(job="node"), {})
    assert (found.kind, found.service) == ("alert", None)
    assert PROVIDER.normalise([alert(pod="a"), alert(pod="b")], {}).parts[1].labels["pod"] == "b"
    assert read(alert(), version="3", groupKey=1234567).key == "alertmanager:1234567"


def test_a_silenced_alert_is_acknowledged() -> None:
    found = PROVIDER.normalise([{**alert(), "status": {"state": "suppressed", "silencedBy": ["x"]}}], {})
    assert found.status == "acknowledged"
