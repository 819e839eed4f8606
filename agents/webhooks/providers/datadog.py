"""Datadog's monitors. The body is whatever template the customer wrote, so everything is looked for under the names
that Datadog's own template and its variables suggest. It signs nothing: the secret is a custom header.

https://docs.datadoghq.com/integrations/webhooks/
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from agents.language.alerts import read_alert
from agents.webhooks import reading
from agents.webhooks.contract import Normalised, Provider, Refusal, Severity, Status, Verified
from agents.webhooks.headers import Headers
from agents.webhooks.reading import at, first, mapping, moment, tags, text, url
from agents.webhooks.signing import sent_secret, verify_token
from agents.webhooks.unknown import digest

_MONITOR: Final = re.compile(r"/monitors[/#](\d{1,20})")
_BRACKETS: Final = re.compile(r"^(?:\s*\[[^\]]{1,200}\])+\s*")
_TYPES: Final[Mapping[str, Severity]] = {"error": "high", "warning": "warning", "info": "info"}
_TRANSITIONS: Final[Mapping[str, Severity]] = {"warn": "warning", "re-warn": "warning"}
_KNOWN: Final = frozenset(
    {
        "aggreg_key",
        "alert_cycle_key",
        "alert_id",
        "alert_query",
        "alert_scope",
        "alert_status",
        "alert_title",
        "alert_transition",
        "alert_type",
        "event_msg",
        "event_title",
        "event_type",
        "monitor_id",
        "monitor_name",
        "text_only_msg",
        "title",
    }
)


class DatadogProvider(Provider):
    name = "datadog"
    title = "Datadog"
    docs_url = "https://docs.datadoghq.com/integrations/webhooks/"
    setup = 'In the webhook\'s Custom Headers: {"Authorization": "Bearer <the secret>"}.'

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
        del raw, now, config, certificates
        return verify_token(sent_secret(headers), secrets)

    def read(self, body: Any, headers: Headers, config: Mapping[str, Any]) -> Normalised | None:
        del headers, config
        given = {_plain(name): value for name, value in mapping(body).items()}
        if not _KNOWN & given.keys():
            return None
        return _monitor(given)


def _plain(name: Any) -> str:
    return str(name).strip().lower().replace("-", "_").replace(" ", "_").lstrip("$")


def _monitor(given: Mapping[str, Any]) -> Normalised | None:
    title = first(*(given.get(name) for name in ("title", "alert_title", "event_title", "monitor_name", "name")))
    if not title:
        return None
    words = first(*(given.get(name) for name in ("body", "text_only_msg", "event_msg", "message", "msg", "text")))
    named = tags(given.get("event_tags")) | tags(given.get("tags")) | tags(given.get("alert_scope"))
    named = {name: value for name, value in named.items() if "{{" not in value}
    link = url(*(given.get(name) for name in ("link", "url", "alert_url", "event_url", "monitor_url", "permalink")))
    scope = first(given.get("alert_scope"), given.get("scope")) or ",".join(
        f"{name}:{named[name]}" for name in ("host", "pod_name", "kube_namespace", "region") if name in named
    )
    return Normalised(
        provider="datadog",
        event=first(given.get("event_type"), given.get("type")),
        kind="alert",
        status=_status(given, title),
        severity=_severity(given, title),
        title=title,
        text=words,
        service=reading.service(named) or first(given.get("service")) or None,
        environment=reading.environment(named) or first(given.get("env"), given.get("environment")) or None,
        source_url=link,
        runbook_url=url(given.get("runbook"), given.get("runbook_url")),
        key=f"datadog:{_key(given, title, words, link)}",
        scope=scope,
        occurred_at=moment(
            *(given.get(name) for name in ("date", "last_updated", "timestamp", "date_posix", "time", "event_time"))
        ),
        labels=named,
    )


def _key(given: Mapping[str, Any], title: str, words: str, link: str | None) -> str:
    """The monitor, wherever it is named; else what links the alert's beginning to its end; else its name."""
    told = first(given.get("alert_id"), given.get("monitor_id"), at(given.get("monitor"), "id"))
    if told:
        return told
    if found := _MONITOR.search(f"{link or ''} {words}"):
        return found[1]
    cycle = first(given.get("aggreg_key"), given.get("alert_cycle_key"))
    return cycle or digest(read_alert(_BRACKETS.sub("", title)).name)


def _status(given: Mapping[str, Any], title: str) -> Status:
    told = reading.status(
        *(given.get(name) for name in ("alert_transition", "transition", "status", "state", "alert_state"))
    )
    if told is not None:
        return told
    if text(given.get("alert_type")).lower() == "success":
        return "resolved"
    kind = read_alert(title).kind
    return kind if kind in ("resolved", "acknowledged") else "firing"


def _severity(given: Mapping[str, Any], title: str) -> Severity:
    """By the monitor's priority; else by how the alert passed over; else by the event's type. `normal` and `low` are
    the priorities of events, which say nothing.
    """
    bracket = re.match(r"\s*\[(P[1-5])\]", title)
    told = reading.severity(
        given.get("alert_priority"),
        given.get("monitor_priority"),
        _unless_of_event(given.get("priority")),
        bracket[1] if bracket else None,
        given.get("severity"),
    )
    if told != "unknown":
        return told
    passed = text(given.get("alert_transition")).lower()
    return _TRANSITIONS.get(passed) or _TYPES.get(text(given.get("alert_type")).lower(), "unknown")


def _unless_of_event(priority: Any) -> Any:
    return None if text(priority).lower() in ("normal", "low") else priority


PROVIDER = DatadogProvider()
