"""Groups of alerts as Alertmanager posts them, which Grafana and others post too.

A group of one alert is that alert. A group of several is known by its group key, and has an address or a time only
where all of its alerts share it. https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from agents.webhooks import reading
from agents.webhooks.contract import Normalised, Part, Status
from agents.webhooks.reading import at, first, items, labels, moment, text, url
from agents.webhooks.unknown import digest

_NO_KEY: Final = frozenset({"", "{}:{}", "{}/{}:{}"})
_SEVERITY_LABELS: Final = ("severity", "priority", "level")
_SHOWN_ALERTS: Final = 10_000


def read_group(provider: str, body: Any) -> Normalised | None:
    """A group, a list of alerts, or one bare alert; None for anything else."""
    if isinstance(body, list):
        body = {"alerts": body}
    if _is_alert(body) and not isinstance(at(body, "alerts"), list):
        body = {"alerts": [body], "status": body.get("status")}
    alerts = [one for one in items(at(body, "alerts")) if _is_alert(one)][:_SHOWN_ALERTS]
    if not alerts:
        return None
    parts = tuple(_part(provider, one, body) for one in alerts)
    return _whole(provider, body, parts)


def _is_alert(value: Any) -> bool:
    return isinstance(value, Mapping) and isinstance(value.get("labels"), Mapping) and bool(value["labels"])


def _part(provider: str, alert: Mapping[str, Any], body: Any) -> Part:
    common = at(body, "commonLabels")
    named, notes = labels(common, alert["labels"]), labels(at(body, "commonAnnotations"), alert.get("annotations"))
    status = _status(alert, body)
    is_over = status == "resolved"
    return Part(
        kind="alert",
        status=status,
        severity=reading.severity(*(named.get(name) for name in _SEVERITY_LABELS), notes.get("severity")),
        title=_title(named, notes),
        text=first(notes.get("description"), notes.get("message"), notes.get("summary")),
        service=reading.service(named),
        environment=reading.environment(named),
        source_url=url(*_links(alert)),
        runbook_url=url(notes.get("runbook_url"), notes.get("runbook"), named.get("runbook_url")),
        key=f"{provider}:{text(alert.get('fingerprint')) or _own_key(named, body)}",
        occurred_at=moment(alert.get("endsAt") if is_over else None, alert.get("startsAt")),
        labels=named,
    )


def _links(alert: Mapping[str, Any]) -> Sequence[Any]:
    return [alert.get(name) for name in ("generatorURL", "panelURL", "dashboardURL")]


def _own_key(named: Mapping[str, str], body: Any) -> str:
    """Of an alert without a fingerprint: its group's key where it is alone, else its labels."""
    if len(items(at(body, "alerts"))) == 1 and (group := _group_key(body)):
        return group
    return digest(dict(named))


def _status(alert: Mapping[str, Any], body: Any) -> Status:
    """Alertmanager's own API has an object with a state in its place."""
    told = reading.status(alert.get("status"), at(body, "status"), at(body, "state"))
    if at(alert, "status", "state") == "suppressed":
        return "acknowledged"
    return told or "firing"


def _title(named: Mapping[str, str], notes: Mapping[str, str]) -> str:
    name = first(named.get("alertname"), named.get("rulename"), "Alert")
    summary = first(notes.get("summary"), notes.get("title"))
    return f"{name}: {summary}" if summary and summary.lower() not in name.lower() else name


def _group_key(body: Any) -> str:
    """Version 3 has a number."""
    key = text(at(body, "groupKey"))
    return "" if key in _NO_KEY else key


def _shared(values: Sequence[Any]) -> Any:
    return values[0] if values and all(value == values[0] for value in values) else None


def _whole(provider: str, body: Any, parts: tuple[Part, ...]) -> Normalised:
    status = _group_status(body, parts)
    if len(parts) == 1:
        one = parts[0]
        return Normalised(provider=provider, event=f"group {status}", **{**one.__dict__, "status": status})
    common = labels(at(body, "groupLabels"), at(body, "commonLabels"))
    notes = labels(at(body, "commonAnnotations"))
    speaking = [part for part in parts if part.status == status] or list(parts)
    told = reading.severity(*(common.get(name) for name in _SEVERITY_LABELS))
    name = first(common.get("alertname"), *(part.labels.get("alertname") for part in speaking), "Alerts")
    return Normalised(
        provider=provider,
        event=f"group {status}",
        kind="alert",
        status=status,
        severity=told if told != "unknown" else reading.worst(part.severity for part in speaking),
        title=f"{_title({**common, 'alertname': name}, notes)} ({len(parts)} alerts)",
        text=first(notes.get("description"), notes.get("message")),
        service=reading.service(common) or _shared([part.service for part in parts]),
        environment=reading.environment(common) or _shared([part.environment for part in parts]),
        source_url=_shared([part.source_url for part in parts]),
        runbook_url=_shared([part.runbook_url for part in parts]),
        key=f"{provider}:{_group_key(body) or digest(sorted(part.key for part in parts))}",
        occurred_at=_shared([part.occurred_at for part in parts]),
        labels=common,
        parts=parts,
    )


def _group_status(body: Any, parts: Sequence[Part]) -> Status:
    """Of the group as it says, else firing while one of it fires."""
    told = reading.status(at(body, "status"), at(body, "state"))
    if told is not None:
        return told
    return "firing" if any(part.status == "firing" for part in parts) else parts[0].status
