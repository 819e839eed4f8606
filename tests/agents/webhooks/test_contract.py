"""For all providers: without a secret no belief, no body breaks a reader, what is unknown is shown as such."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents.webhooks import Refusal, Verified, discover_providers
from agents.webhooks.contract import SEVERITIES
from agents.webhooks.headers import Headers

PROVIDERS = discover_providers()
HEADERS = ("X-GitHub-Event", "Sentry-Hook-Resource", "X-Gitlab-Event", "x-amz-sns-message-type")
# The names that the readers look for, so that made-up bodies reach deep into them.
NAMES = [
    *("alerts", "labels", "annotations", "status", "state", "startsAt", "groupKey", "fingerprint", "evalMatches"),
    *("event", "data", "messages", "incident", "event_type", "type", "title", "priority", "urgency", "service"),
    *("issue", "comment", "pull_request", "deployment", "deployment_status", "release", "workflow_run", "check_run"),
    *("ref", "head_commit", "commits", "repository", "project", "alert", "rule", "action", "object_kind"),
    *("object_attributes", "webhookEvent", "fields", "self", "key", "timestamp", "version", "metric_alert", "tags"),
    *("alert_transition", "alert_id", "date", "Type", "Message", "AlarmName", "Trigger", "Dimensions", "detail-type"),
]
WORDS = [
    *("push", "issues", "pull_request", "deployment_status", "release", "workflow_run", "check_run", "alert", "build"),
    *("incident.triggered", "incident.annotated", "issue", "metric_alert", "event_alert", "Notification", "ALARM"),
    *("2026-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "9999-99-99 99:99:99", "1772100000000", "null", "{{host.name}}"),
    *("https://a.example/x", "http://[", "P1", "critical", "dependabot_alert", "note", "jira:issue_updated"),
]
LEAVES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=12), st.sampled_from(WORDS))
BODIES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(st.sampled_from(NAMES), st.text(max_size=3)), inner, max_size=6),
    ),
    max_leaves=25,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(body=BODIES, word=st.sampled_from(WORDS), name=st.sampled_from(NAMES), inner=BODIES)
def test_no_body_breaks_a_reader(body: Any, word: str, name: str, inner: Any) -> None:
    whole = {**body, name: inner} if isinstance(body, dict) else body
    for provider in PROVIDERS.values():
        found = provider.normalise(whole, dict.fromkeys(HEADERS, word))
        assert found.title
        assert found.key.startswith(f"{provider.name}:")
        assert found.severity in SEVERITIES
        for part in found.each():
            assert part.occurred_at is None or part.occurred_at.utcoffset() is not None
            assert part.source_url is None or part.source_url.startswith("http")
        if not found.known:
            assert found.kind == "other", "nothing is done because of what nobody knows"


def test_a_body_that_is_too_deep_is_an_unknown_one() -> None:
    deep: Any = {}
    for _ in range(3000):
        deep = {"data": deep}
    for provider in PROVIDERS.values():
        assert provider.normalise(deep, {}).kind in ("other", "alert")


@pytest.mark.parametrize("name", PROVIDERS)
def test_an_unknown_shape_is_kept_and_says_that_it_is_one(name: str) -> None:
    found = PROVIDERS[name].normalise({"quite": {"something": ["else"]}}, {})
    assert not found.known
    assert "Unknown message" in found.title
    again = PROVIDERS[name].normalise({"quite": {"something": ["else"]}}, {})
    other = PROVIDERS[name].normalise({"quite": "another"}, {})
    assert found.key == again.key != other.key


@settings(max_examples=60, deadline=None)
@given(raw=st.binary(max_size=200), value=st.text(max_size=80))
def test_whatever_is_sent_nothing_is_believed_without_the_secret(raw: bytes, value: str) -> None:
    names = [
        *("Authorization", "X-Hub-Signature", "X-Hub-Signature-256", "X-PagerDuty-Signature", "X-Gitlab-Token"),
        *("X-Grafana-Alerting-Signature", "Sentry-Hook-Signature", "webhook-id", "webhook-timestamp"),
    ]
    headers = Headers({**dict.fromkeys(names, value), "webhook-signature": value})
    for provider in PROVIDERS.values():
        for secrets in ([], [""], ["  "], ["a-secret-that-nobody-sends"]):
            judged = provider.verify(raw, headers, secrets=secrets, now=1e9, config={}, certificates={})
            assert isinstance(judged, Refusal)
            if provider.needs_secret and not "".join(secrets).strip():
                assert judged.reason == "no_secret"


def test_while_a_secret_is_rotated_both_are_believed() -> None:
    headers = Headers({"Authorization": "Bearer old"})
    for name in ("alertmanager", "datadog"):
        given: dict[str, Any] = {"now": 0.0, "config": {}, "certificates": {}}
        assert PROVIDERS[name].verify(b"{}", headers, secrets=["new", "old"], **given) == Verified(None)
        assert PROVIDERS[name].verify(b"{}", headers, secrets=["new"], **given) == Refusal("wrong_signature")


def test_each_provider_says_where_its_secret_goes_and_where_that_is_written() -> None:
    for provider in PROVIDERS.values():
        assert provider.docs_url.startswith("https://")
        assert len(provider.setup) > 20
        assert provider.required <= set(provider.settings)
        secret = provider.new_secret()
        assert secret is None or len(secret) > 30


def test_a_body_and_its_parts_can_be_written_as_json() -> None:
    body = {"alerts": [{"labels": {"alertname": "A", "n": str(n)}, "status": "firing"} for n in range(3)]}
    found = PROVIDERS["alertmanager"].normalise(body, {})
    assert len(found.each()) == 3
    assert json.dumps([dict(part.labels) for part in found.each()])
    assert len({part.key for part in found.each()}) == 3
