"""Sentry: issues, issue alerts, metric alerts, and the messages of its old webhook plugin.

The header names the resource. An issue alert, an issue and an error are known by the issue, so that a resolved issue
ends what its alert began. https://docs.sentry.io/organization/integrations/integration-platform/webhooks/
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from agents.webhooks import reading
from agents.webhooks.contract import Normalised, Provider, Refusal, Status, Verified
from agents.webhooks.headers import Headers
from agents.webhooks.reading import at, first, mapping, moment, text, url
from agents.webhooks.signing import usable, verify_hex

_ISSUE: Final = re.compile(r"/issues/(\d{1,20})")
_ISSUE_STATES: Final[Mapping[str, Status]] = {
    "created": "firing",
    "unresolved": "firing",
    "triggered": "firing",
    "escalating": "firing",
    "regressed": "firing",
    "resolved": "resolved",
    "archived": "acknowledged",
    "ignored": "acknowledged",
    "assigned": "acknowledged",
}


class SentryProvider(Provider):
    name = "sentry"
    title = "Sentry"
    docs_url = "https://docs.sentry.io/organization/integrations/integration-platform/webhooks/"
    setup = (
        "Sentry makes it: the Client Secret of the internal integration (Settings, Custom Integrations). "
        "Give it to Autoheal when the webhook is made; `/autoheal webhook secret` takes it."
    )

    def vendor_makes_secret(self, config: Mapping[str, Any]) -> bool:
        del config
        return True

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
        del now, config, certificates
        if not usable(secrets):
            return Refusal("no_secret")
        sent = headers["Sentry-Hook-Signature"]
        if not sent:
            return Refusal("no_signature")
        return Verified(raw) if verify_hex(raw, [sent], secrets) else Refusal("wrong_signature")

    def read(self, body: Any, headers: Headers, config: Mapping[str, Any]) -> Normalised | None:
        del config
        resource, action = headers["Sentry-Hook-Resource"], text(at(body, "action"))
        data = mapping(at(body, "data"))
        reader = _READERS.get(resource) or _reader_for(data)
        if reader is not None and (found := reader(action, data)) is not None:
            return found
        if isinstance(at(body, "event"), Mapping) and at(body, "url"):
            return _plugin(body)
        return _news(resource, action, data) if resource and action else None


def _reader_for(data: Mapping[str, Any]) -> Callable[[str, Mapping[str, Any]], Normalised | None] | None:
    """By what the body holds, where the header is missing."""
    for name, reader in (("metric_alert", _metric), ("issue", _issue), ("event", _event), ("error", _error)):
        if isinstance(data.get(name), Mapping):
            return reader
    return None


def _metric(action: str, data: Mapping[str, Any]) -> Normalised | None:
    alert = mapping(data.get("metric_alert"))
    rule = mapping(alert.get("alert_rule"))
    title = first(alert.get("title"), rule.get("name"), data.get("description_title"))
    if not title:
        return None
    projects = [name for value in (alert.get("projects"), rule.get("projects")) for name in _texts(value)]
    status: Status = "resolved" if action in ("resolved", "closed") else "firing"
    return Normalised(
        provider="sentry",
        event=f"metric_alert.{action}",
        kind="alert",
        status=status,
        severity=reading.severity(action) if action in ("critical", "warning") else "unknown",
        title=title,
        text=first(data.get("description_text"), data.get("description_title")),
        service=projects[0] if len(set(projects)) == 1 else None,
        environment=first(rule.get("environment")) or None,
        source_url=url(data.get("web_url")),
        key=f"sentry:metric:{first(rule.get('id'), alert.get('identifier'), alert.get('id'), title)}",
        occurred_at=moment(
            alert.get("date_closed") if status == "resolved" else None,
            alert.get("date_started"),
            alert.get("date_detected"),
            alert.get("date_created"),
        ),
    )


def _texts(value: Any) -> list[str]:
    return [found for one in value if (found := text(one))] if isinstance(value, list) else []


def _issue(action: str, data: Mapping[str, Any]) -> Normalised | None:
    """A change of an issue. Somebody who takes it or puts it away has seen it."""
    issue = mapping(data.get("issue"))
    title = first(issue.get("title"), at(issue, "metadata", "title"), at(issue, "metadata", "value"))
    number = first(issue.get("id"))
    if not title and not number:
        return None
    project = mapping(issue.get("project"))
    return Normalised(
        provider="sentry",
        event=f"issue.{action}",
        kind="alert",
        status=_ISSUE_STATES.get(action) or _ISSUE_STATES.get(text(issue.get("status"))) or "info",
        severity=reading.severity(issue.get("level")),
        title=title or f"Issue {number}",
        text=first(issue.get("culprit")),
        service=first(project.get("slug"), project.get("name")) or None,
        source_url=url(issue.get("permalink"), issue.get("web_url")),
        key=f"sentry:{number or title}",
        occurred_at=moment(issue.get("lastSeen"), issue.get("firstSeen")),
        labels=_named(issue, {"issue": text(issue.get("shortId")), "platform": text(issue.get("platform"))}),
    )


def _event(action: str, data: Mapping[str, Any]) -> Normalised | None:
    return _of_event(f"event_alert.{action}", mapping(data.get("event")), rule=text(data.get("triggered_rule")))


def _error(action: str, data: Mapping[str, Any]) -> Normalised | None:
    return _of_event(f"error.{action}", mapping(data.get("error")))


def _of_event(what: str, event: Mapping[str, Any], *, rule: str = "") -> Normalised | None:
    links = " ".join(text(event.get(name)) for name in ("issue_url", "web_url", "url"))
    issue = first(event.get("issue_id"), event.get("group_id"), event.get("groupID"))
    if not issue and (found := _ISSUE.search(links)):
        issue = found[1]
    title = first(event.get("title"), at(event, "metadata", "value"), event.get("message"), rule)
    if not title and not issue:
        return None
    named = _named(event, {"rule": rule, "platform": text(event.get("platform"))})
    return Normalised(
        provider="sentry",
        event=what,
        kind="alert",
        status="firing",
        severity=reading.severity(event.get("level"), named.get("level")),
        title=title or f"Issue {issue}",
        text=first(event.get("culprit"), event.get("message")),
        service=first(event.get("project_slug"), event.get("project_name")) or None,
        environment=first(event.get("environment"), named.get("environment")) or None,
        source_url=url(event.get("web_url")),
        key=f"sentry:{issue or first(event.get('event_id'), title)}",
        occurred_at=moment(event.get("datetime"), event.get("timestamp"), event.get("received")),
        labels=named,
    )


def _named(holder: Mapping[str, Any], own: Mapping[str, str]) -> dict[str, str]:
    """Tags are pairs in a list, or objects with a key and a value."""
    found = {name: value for name, value in own.items() if value}
    given = holder.get("tags")
    for one in given if isinstance(given, list) else []:
        name, value = text(at(one, 0)), text(at(one, 1))
        if isinstance(one, Mapping):
            name, value = text(one.get("key")), text(one.get("value"))
        if name and value:
            found.setdefault(name, value)
    return found


def _plugin(body: Mapping[str, Any]) -> Normalised | None:
    """The old plugin "WebHooks" of a project."""
    event = {**mapping(body["event"]), "web_url": body.get("url"), "issue_id": body.get("id")}
    event.setdefault("level", body.get("level"))
    event["title"] = first(event.get("title"), body.get("message"), body.get("culprit"))
    return _of_event("plugin.alert", {**event, "project_slug": first(body.get("project_slug"), body.get("project"))})


def _news(resource: str, action: str, data: Mapping[str, Any]) -> Normalised:
    """Comments, installations, what Sentry's own assistant says, and resources that are newer than this."""
    about = first(data.get("issue_id"), data.get("group_id"), at(data, "installation", "uuid"))
    return Normalised(
        provider="sentry",
        event=f"{resource}.{action}",
        known=resource in ("comment", "installation", "seer"),
        kind="other",
        title=first(data.get("comment"), f"{resource} {action}".replace("_", " ")),
        service=first(data.get("project_slug")) or None,
        key=f"sentry:{about or f'{resource}.{action}'}",
        occurred_at=moment(data.get("timestamp")),
    )


_READERS: Final[Mapping[str, Callable[[str, Mapping[str, Any]], Normalised | None]]] = {
    "metric_alert": _metric,
    "issue": _issue,
    "event_alert": _event,
    "error": _error,
    "activity_alert": lambda action, data: _issue(text(at(data, "issue", "status")) or action, data),
}
PROVIDER = SentryProvider()
