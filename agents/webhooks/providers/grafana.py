"""Grafana's alerting: the groups that look like Alertmanager's, and the messages of the alerting before version 9.

From Grafana 12 on it signs the body, and the time too where a header for it is configured: then a body without that
header is refused, else it would be a way around the time. Older ones send the secret as an authorization header.
https://grafana.com/docs/grafana/latest/alerting/configure-notifications/manage-contact-points/integrations/webhook-notifier/
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from agents.webhooks import reading
from agents.webhooks.alert_groups import read_group
from agents.webhooks.contract import Normalised, Provider, Refusal, Verified
from agents.webhooks.headers import Headers
from agents.webhooks.reading import at, first, items, labels, moment, text, url
from agents.webhooks.signing import FRESH_S, is_fresh, sent_secret, usable, verify_hex, verify_token
from agents.webhooks.unknown import digest

SIGNATURE: Final = "X-Grafana-Alerting-Signature"


class GrafanaProvider(Provider):
    name = "grafana"
    title = "Grafana"
    docs_url = "https://grafana.com/docs/grafana/latest/alerting/configure-notifications/manage-contact-points/"
    setup = (
        "In the contact point of type Webhook: HMAC Signature, Secret (Grafana 12 or later); "
        "before that Authorization Header, scheme Bearer, credentials."
    )
    settings: ClassVar = {
        "signature_header": "the header of the signature, where it was renamed in Grafana",
        "timestamp_header": "the header of the time, where one is configured in Grafana; then it is required",
        "tolerance_s": "how many seconds old a signed time may be; 300 by default",
        "scheme": "token where Grafana is older than 12 and sends the secret as Authorization: Bearer",
    }

    def verify(
        self,
        raw: bytes,
        headers: Headers,
        *,
        secrets: Sequence[str],
        now: float,
        config: Mapping[str, Any],
        certificates: Mapping[str, bytes],
    ) -> Verified | Refusal:
        del certificates
        if config.get("scheme") == "token":
            return verify_token(sent_secret(headers), secrets)
        sent = headers[text(config.get("signature_header")) or SIGNATURE]
        stamp = text(config.get("timestamp_header"))
        told = headers[stamp] if stamp else ""
        if not usable(secrets):
            return Refusal("no_secret")
        if not sent or (stamp and not told):
            return Refusal("no_signature")
        message = told.encode() + b":" + raw if stamp else raw
        if not verify_hex(raw, [sent], secrets, message=message):
            return Refusal("wrong_signature")
        if stamp and not is_fresh(told, now, _tolerance(config)):
            return Refusal("stale")
        return Verified(message)

    def read(self, body: Any, headers: Headers, config: Mapping[str, Any]) -> Normalised | None:
        del headers, config
        return read_group(self.name, body) or _legacy(body)


def _tolerance(config: Mapping[str, Any]) -> float:
    told = text(config.get("tolerance_s"))
    return float(told) if told.isdigit() else FRESH_S


def _legacy(body: Any) -> Normalised | None:
    """Has a rule and a state, and no time."""
    state, rule = text(at(body, "state")).lower(), first(at(body, "ruleName"), at(body, "title"))
    if not state or not rule or not (at(body, "ruleId") is not None or at(body, "ruleName")):
        return None
    matched = labels(*(one.get("tags") for one in items(at(body, "evalMatches"))[:1]))
    named = {**matched, **labels(at(body, "tags"))}
    return Normalised(
        provider="grafana",
        event=f"legacy {state}",
        kind="alert",
        status=reading.status(state) or "info",  # paused and pending are neither
        severity=reading.severity(named.get("severity"), named.get("priority")),
        title=first(at(body, "title"), rule),
        text=text(at(body, "message")),
        service=reading.service(labels(at(body, "tags"))) or reading.service(named),
        environment=reading.environment(named),
        source_url=url(at(body, "ruleUrl")),
        runbook_url=url(named.get("runbook_url"), named.get("runbook")),
        key=f"grafana:{first(at(body, 'ruleId')) or digest(rule)}",
        occurred_at=moment(at(body, "time")),
        labels=named,
    )


PROVIDER = GrafanaProvider()
