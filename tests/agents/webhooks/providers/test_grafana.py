"""Grafana: signed with and without a time, new and old messages."""

import hashlib
import hmac
from typing import Any

import pytest

from agents.webhooks import Refusal, Verified
from agents.webhooks.headers import Headers
from agents.webhooks.providers.grafana import PROVIDER


def verify(headers: dict[str, str], config: dict[str, Any]) -> Verified | Refusal:
    return PROVIDER.verify(b"{}", Headers(headers), secrets=["s"], now=1000, config=config, certificates={})


def signed(message: bytes) -> str:
    return hmac.new(b"s", message, hashlib.sha256).hexdigest()


def test_the_time_is_signed_where_it_is_configured() -> None:
    config = {"timestamp_header": "X-Time", "signature_header": "X-Sig"}
    assert verify({"X-Sig": signed(b"990:{}"), "X-Time": "990"}, config) == Verified(b"990:{}")
    assert verify({"X-Sig": signed(b"600:{}"), "X-Time": "600"}, config) == Refusal("stale")
    assert verify({"X-Sig": signed(b"600:{}"), "X-Time": "990"}, config) == Refusal("wrong_signature")
    assert verify({"X-Sig": signed(b"{}")}, config) == Refusal("no_signature"), "the way around the time is closed"
    assert verify({"X-Grafana-Alerting-Signature": signed(b"{}")}, {}) == Verified(b"{}")
    assert verify({"Authorization": "Bearer s"}, {}) == Refusal("no_signature")
    assert verify({"Authorization": "Bearer s"}, {"scheme": "token"}) == Verified(None)


@pytest.mark.parametrize(
    ("state", "status"), [("alerting", "firing"), ("ok", "resolved"), ("no_data", "firing"), ("paused", "info")]
)
def test_the_old_message_has_a_state_of_its_rule(state: str, status: str) -> None:
    body = {
        "state": state,
        "ruleId": 9,
        "ruleName": "Slow",
        "title": "[Alerting] Slow",
        "ruleUrl": "https://grafana.example/d/1",
        "tags": {"service": "cart", "severity": "warning"},
        "evalMatches": [{"tags": {"instance": "a"}}],
    }
    found = PROVIDER.normalise(body, {})
    assert (found.status, found.key, found.service, found.severity) == (status, "grafana:9", "cart", "warning")
    assert found.labels["instance"] == "a"


def test_the_new_message_is_a_group() -> None:
    alert = {
        "status": "resolved",
        "labels": {"alertname": "Disk", "service": "db"},
        "fingerprint": "f1",
        "generatorURL": "?orgId=1",
        "panelURL": "https://grafana.example/d/2?viewPanel=1",
        "endsAt": "2026-05-01T10:00:00Z",
    }
    found = PROVIDER.normalise({"version": "1", "status": "resolved", "alerts": [alert]}, {})
    assert (found.status, found.key) == ("resolved", "grafana:f1")
    assert found.source_url == "https://grafana.example/d/2?viewPanel=1"
