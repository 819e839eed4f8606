"""PagerDuty as its documents say: services, incidents with alerts and notes, people on call, change events."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.fakes.openapi import Asked
from tests.fakes.vendor import FakeVendor, Told

TOKEN = "u+aBcDeFgHiJkLmNoPqR"
USER = "autoheal@acme.example"
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_LIMIT_KNOWN = frozenset({"limit", "offset", "total"})
_QUERIES: Mapping[str, frozenset[str]] = {
    "services": frozenset({"sort_by", "query"}),
    "incidents": frozenset({"statuses[]", "service_ids[]", "sort_by", "date_range", "since", "until"}),
    "alerts": frozenset({"statuses[]", "sort_by"}),
    "oncalls": frozenset({"escalation_policy_ids[]"}),
    "change_events": frozenset({"since", "until"}),
    "related_change_events": frozenset(),
}


def stamp(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


def ref(key: str, kind: str, summary: str) -> dict[str, Any]:
    page = f"https://acme.pagerduty.com/{kind}s/{key}"
    return {"id": key, "type": f"{kind}_reference", "summary": summary, "html_url": page}


def a_service(key: str, name: str, **more: Any) -> dict[str, Any]:
    policy = ref("PPOLICY", "escalation_policy", "Shop")
    return {
        **ref(key, "service", name),
        "type": "service",
        "name": name,
        "status": "active",
        "escalation_policy": policy,
        **more,
    }


def an_incident(key: str, number: int, service: str, title: str, *, minutes: int = 5, **more: Any) -> dict[str, Any]:
    at = stamp(NOW - timedelta(minutes=minutes))
    return {
        **ref(key, "incident", f"[#{number}] {title}"),
        "type": "incident",
        "incident_number": number,
        "title": title,
        "status": "triggered",
        "urgency": "high",
        "incident_key": f"key-{number}",
        "created_at": at,
        "last_status_change_at": at,
        "service": ref(service, "service", service),
        **more,
    }


def an_alert_of(incident: str, key: str, summary: str, **more: Any) -> dict[str, Any]:
    return {
        **ref(key, "alert", summary),
        "type": "alert",
        "status": "triggered",
        "severity": "critical",
        "alert_key": f"dedup-{key}",
        "suppressed": False,
        "created_at": stamp(NOW - timedelta(minutes=4)),
        "service": ref("PCHECKOUT", "service", "Checkout"),
        "incident": ref(incident, "incident", incident),
        **more,
    }


def a_change(key: str, summary: str, service: str = "PCHECKOUT", *, minutes: int = 20, **more: Any) -> dict[str, Any]:
    return {
        "id": key,
        "type": "change_event",
        "summary": summary,
        "timestamp": stamp(NOW - timedelta(minutes=minutes)),
        "source": "ci",
        "services": [ref(service, "service", service)],
        "links": [{"href": f"https://ci.example/{key}", "text": "build"}],
        **more,
    }


def on_call(level: int, who: str) -> dict[str, Any]:
    return {
        "escalation_policy": ref("PPOLICY", "escalation_policy", "Shop"),
        "escalation_level": level,
        "user": ref(f"PUSER{level}", "user", who),
        "schedule": ref("PSCHED", "schedule", "Primary"),
        "start": stamp(NOW - timedelta(hours=4)),
        "end": stamp(NOW + timedelta(hours=8)),
    }


@dataclass(kw_only=True)
class FakePagerDuty(FakeVendor):
    """A token that may write, unless `read_only`."""

    services: list[dict[str, Any]] = field(default_factory=list)
    incidents: list[dict[str, Any]] = field(default_factory=list)
    alerts: list[dict[str, Any]] = field(default_factory=list)
    notes: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    changes: list[dict[str, Any]] = field(default_factory=list)
    related: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    on_calls: list[dict[str, Any]] = field(default_factory=list)
    read_only: bool = False

    def answered(self, asked: Asked) -> Told:  # noqa: PLR0911, PLR0912 -- one each
        if asked.headers.get("authorization") != f"Token token={TOKEN}":
            return 401, {"error": {"message": "Unauthorized"}}
        if (
            "version=2" not in asked.headers.get("accept", "")
            or asked.headers.get("content-type") != "application/json"
        ):
            return 400, _error("Invalid headers")
        kind = asked.path.rsplit("/", 1)[-1]
        unknown = set(asked.query) - _QUERIES.get(kind, frozenset()) - _LIMIT_KNOWN
        if unknown and kind in _QUERIES:
            return 400, _error(f"Unknown {sorted(unknown)}")
        if not all(_STAMP.fullmatch(asked.query.get(name, stamp(NOW))) for name in ("since", "until")):
            return 400, _error("Invalid since or until")
        match asked.method, asked.path.strip("/").split("/"):
            case "GET", ["services"]:
                return self._page(asked, "services", self.services)
            case "GET", ["incidents"]:
                return self._page(
                    asked, "incidents", [self._counted(i) for i in self.incidents if _asked_for(i, asked)]
                )
            case "GET", ["incidents", key] if self._incident(key):
                return 200, {"incident": self._counted(self._incident(key) or {})}
            case "PUT", ["incidents", key] if self._incident(key):
                return self._changed(key, asked)
            case "GET", ["incidents", key, "alerts"] if self._incident(key):
                mine = [a for a in self.alerts if a["incident"]["id"] == key]
                return self._page(asked, "alerts", [a for a in mine if a["status"] in asked.repeated["statuses[]"]])
            case "GET", ["incidents", key, "notes"] if self._incident(key):
                return 200, {"notes": self.notes.get(key, [])}
            case "GET", ["incidents", key, "related_change_events"] if self._incident(key):
                return 200, {"change_events": self.related.get(key, [])}
            case "GET", ["oncalls"]:
                return self._page(asked, "oncalls", self.on_calls)
            case "GET", ["change_events"]:
                return self._page(asked, "change_events", self.changes)
            case "GET", ["services", key, "change_events"]:
                mine = [c for c in self.changes if c["services"][0]["id"] == key and _within(c["timestamp"], asked)]
                return self._page(asked, "change_events", mine)
        return 404, _error("Not Found")

    def _incident(self, key: str) -> dict[str, Any] | None:
        return next((one for one in self.incidents if one["id"] == key), None)

    def _counted(self, incident: dict[str, Any]) -> dict[str, Any]:
        mine = [one["status"] for one in self.alerts if one["incident"]["id"] == incident["id"]]
        counts = {"all": len(mine), "triggered": mine.count("triggered"), "resolved": mine.count("resolved")}
        return {**incident, "alert_counts": counts}

    def _changed(self, key: str, asked: Asked) -> Told:
        if self.read_only:
            return 403, _error("Access Denied")
        if asked.headers.get("from") != USER:
            return 400, _error("Requester User Not Found")
        incident = self._incident(key) or {}
        incident["status"] = json.loads(asked.body)["incident"]["status"]
        if incident["status"] == "resolved":
            for one in self.alerts:
                if one["incident"]["id"] == key:
                    one["status"] = "resolved"
        return 200, {"incident": self._counted(incident)}

    def _page(self, asked: Asked, key: str, items: list[dict[str, Any]]) -> Told:
        at, limit = int(asked.query.get("offset", "0")), int(asked.query.get("limit", "25"))
        page = items[at : at + limit]
        if key == "change_events":
            return 200, {key: page}
        return 200, {key: page, "offset": at, "limit": limit, "more": len(items) > at + limit}


def _error(message: str) -> dict[str, Any]:
    return {"error": {"message": message, "code": 2001, "errors": []}}


def _asked_for(incident: Mapping[str, Any], asked: Asked) -> bool:
    states = asked.repeated.get("statuses[]")
    of = asked.repeated.get("service_ids[]")
    fits = (states is None or incident["status"] in states) and (of is None or incident["service"]["id"] in of)
    return fits and (asked.query.get("date_range") == "all" or _within(incident["created_at"], asked))


def _within(at: str, asked: Asked) -> bool:
    since, until = (asked.query.get(name, otherwise) for name, otherwise in (("since", "2026-02"), ("until", "2027")))
    return since <= at <= until
