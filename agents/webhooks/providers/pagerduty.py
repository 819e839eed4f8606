"""PagerDuty: version 3 of its webhooks, and bodies of versions 1 and 2, which old extensions still send.

A body of the old versions may hold several messages of one incident; the newest counts. The signature is that of
version 3; while secrets rotate there are several. https://developer.pagerduty.com/docs/webhooks-overview
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from agents.webhooks import reading
from agents.webhooks.contract import Normalised, Provider, Refusal, Severity, Status, Verified
from agents.webhooks.headers import Headers
from agents.webhooks.reading import at, first, items, mapping, moment, text, url
from agents.webhooks.signing import sent_secret, usable, verify_hex, verify_token

SIGNATURE: Final = "X-PagerDuty-Signature"
_STATES: Final[Mapping[str, Status]] = {
    "triggered": "firing",
    "trigger": "firing",
    "reopened": "firing",
    "unacknowledged": "firing",
    "unacknowledge": "firing",
    "acknowledged": "acknowledged",
    "acknowledge": "acknowledged",
    "resolved": "resolved",
    "resolve": "resolved",
}


class PagerDutyProvider(Provider):
    name = "pagerduty"
    title = "PagerDuty"
    docs_url = "https://support.pagerduty.com/main/docs/webhooks"
    setup = (
        "PagerDuty makes the secret itself and shows it once when the webhook subscription is created: "
        "give it to Autoheal then (Integrations, Generic Webhooks (v3)); `/autoheal webhook secret` takes it."
    )
    settings: ClassVar = {"scheme": "token for the old version 2, with the secret in a custom header Authorization"}

    def vendor_makes_secret(self, config: Mapping[str, Any]) -> bool:
        return config.get("scheme") != "token"

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
        del now, certificates
        if config.get("scheme") == "token":
            return verify_token(sent_secret(headers), secrets)
        if not usable(secrets):
            return Refusal("no_secret")
        if not headers[SIGNATURE]:
            return Refusal("no_signature")
        pairs = [one.strip().partition("=") for one in headers[SIGNATURE].split(",")]
        sent = [digest for version, _, digest in pairs if version == "v1" and digest]
        return Verified(raw) if verify_hex(raw, sent, secrets) else Refusal("wrong_signature")

    def read(self, body: Any, headers: Headers, config: Mapping[str, Any]) -> Normalised | None:
        del headers, config
        if isinstance(at(body, "event"), Mapping):
            return _version_3(body["event"])
        messages = items(at(body, "messages"))
        return _old(messages) if messages else None


def _version_3(event: Mapping[str, Any]) -> Normalised | None:
    what = text(event.get("event_type"))
    data = mapping(event.get("data"))
    if not what:
        return None
    if not what.startswith("incident.") or text(data.get("type")) not in ("", "incident"):
        return _news(what, event, data)
    return _incident(what, data, occurred_at=event.get("occurred_at"))


def _news(what: str, event: Mapping[str, Any], data: Mapping[str, Any]) -> Normalised:
    """A note, a responder, a status update, a service, a ping: nothing that starts or ends an incident."""
    about = mapping(data.get("incident"))
    subject = about or data
    title = first(
        data.get("content"), data.get("message"), about.get("summary"), data.get("summary"), data.get("name"), what
    )
    return Normalised(
        provider="pagerduty",
        event=what,
        kind="other",
        title=title,
        service=first(at(data, "service", "summary")) or None,
        source_url=url(about.get("html_url"), data.get("html_url")),
        key=f"pagerduty:{first(subject.get('id'), event.get('id'), what)}",
        occurred_at=moment(event.get("occurred_at")),
    )


def _old(messages: Sequence[Mapping[str, Any]]) -> Normalised | None:
    """Versions 1 (`type` and `data.incident`) and 2 (`event` and `incident`)."""
    ordered = sorted(messages, key=lambda one: when.timestamp() if (when := moment(one.get("created_on"))) else 0.0)
    newest = ordered[-1]
    incident = mapping(newest.get("incident")) or mapping(at(newest, "data", "incident"))
    what = first(newest.get("event"), newest.get("type"))
    if not incident or not what:
        return None
    return _incident(what, incident, occurred_at=newest.get("created_on"))


def _incident(what: str, incident: Mapping[str, Any], *, occurred_at: Any) -> Normalised:
    title = first(
        incident.get("title"),
        at(incident, "trigger_summary_data", "subject"),
        at(incident, "trigger_summary_data", "description"),
        incident.get("description"),
        incident.get("summary"),
        incident.get("incident_key"),
        what,
    )
    service = first(at(incident, "service", "summary"), at(incident, "service", "name"), incident.get("service"))
    team = first(at(incident, "teams", 0, "summary"))
    return Normalised(
        provider="pagerduty",
        event=what,
        kind="alert",
        status=_STATES.get(what.rpartition(".")[2]) or _STATES.get(text(incident.get("status"))) or "info",
        severity=_severity(incident),
        title=title,
        text=first(at(incident, "body", "details"), at(incident, "first_trigger_log_entry", "summary")),
        service=service or None,
        source_url=url(incident.get("html_url")),
        key=f"pagerduty:{first(incident.get('id'), incident.get('incident_key'), title)}",
        occurred_at=moment(occurred_at, incident.get("last_status_change_at"), incident.get("created_at")),
        labels={
            name: value
            for name, value in {
                "urgency": text(incident.get("urgency")),
                "number": first(incident.get("number"), incident.get("incident_number")),
                "team": team,
            }.items()
            if value
        },
    )


def _severity(incident: Mapping[str, Any]) -> Severity:
    """By its priority; else by its urgency, of which there are two."""
    priority = reading.severity(at(incident, "priority", "summary"), at(incident, "priority", "name"))
    if priority != "unknown":
        return priority
    urgency: Mapping[str, Severity] = {"high": "high", "low": "warning"}
    return urgency.get(text(incident.get("urgency")).lower(), "unknown")


PROVIDER = PagerDutyProvider()
