"""Datadog: whatever template the customer wrote."""

from typing import Any

import pytest

from agents.webhooks import Normalised
from agents.webhooks.providers.datadog import PROVIDER


def read(**body: Any) -> Normalised:
    return PROVIDER.normalise({"alert_id": 77, "title": "[P2] [Triggered] Slow", **body}, {})


@pytest.mark.parametrize(
    ("transition", "status"),
    [
        *[(word, "firing") for word in ("Triggered", "Re-Triggered", "Warn", "No Data", "Renotify")],
        ("Recovered", "resolved"),
    ],
)
def test_how_it_passed_over_is_the_state(transition: str, status: str) -> None:
    assert read(alert_transition=transition).status == status


def test_without_it_the_title_says_it() -> None:
    assert read(title="[Recovered] Slow").status == "resolved"
    assert read(title="[Triggered on {host:a}] Slow").status == "firing"
    assert read(title="Slow", alert_type="success").status == "resolved"


@pytest.mark.parametrize(
    ("body", "severity"),
    [
        ({"priority": "P1"}, "critical"),
        ({"priority": 4}, "info"),
        ({"priority": "normal", "title": "Slow"}, "unknown"),
        ({"priority": "normal"}, "high"),
        ({"title": "Slow", "alert_type": "error"}, "high"),
        ({"title": "Slow", "alert_transition": "Warn"}, "warning"),
    ],
)
def test_severity_by_priority_then_by_what_happened(body: dict[str, Any], severity: str) -> None:
    assert read(**body).severity == severity


def test_the_monitor_is_the_key_wherever_it_is_named() -> None:
    linked = read(alert_id="$ALERT_ID", link="https://app.datadoghq.eu/monitors/77?group=a")
    assert read().key == linked.key == read(alert_id=None, body="see https://app.datadoghq.com/monitors#77").key
    hosts = [read(alert_scope=f"host:{name}") for name in "ab"]
    assert hosts[0].key == hosts[1].key
    assert hosts[0].scope != hosts[1].scope
    named = [read(alert_id="", title=f"[{word}] Slow on 3 hosts").key for word in ("Triggered", "Recovered")]
    assert named[0] == named[1]


def test_tags_in_any_form_name_the_service() -> None:
    for tags in ("env:prod, service:cart", "env:prod,service:cart", ["env:prod", "service:cart"]):
        found = read(tags=tags, date="1772625600000")
        assert (found.service, found.environment) == ("cart", "prod")
        assert found.occurred_at is not None
    assert read(tags="service:{{service.name}}").service is None
    assert read(hostname="x", service="pay").service == "pay"
