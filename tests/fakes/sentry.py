"""Sentry as its documents say: projects, issues with one event each, releases with deploys and commits."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.fakes.openapi import Asked
from tests.fakes.vendor import FakeVendor, Told

TOKEN = "sntryi_0123456789abcdef0123456789abcdef"
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ROOT = "/api/0/organizations/acme"
_QUERIES = {
    "projects": {"cursor", "query"},
    "issues": {"project", "environment", "start", "end", "statsPeriod", "query", "sort", "limit", "cursor"},
    "releases": {"project", "environment", "per_page", "cursor"},
}


def stamp(minutes: float) -> str:
    """So many minutes before now."""
    return f"{NOW - timedelta(minutes=minutes):%Y-%m-%dT%H:%M:%SZ}"


def a_project(number: int, slug: str) -> dict[str, Any]:
    return {"id": str(number), "slug": slug, "name": slug.title(), "platform": "python"}


def an_issue(
    number: int, title: str, project: dict[str, Any], *, first: float = 5, last: float = 1, **more: Any
) -> dict[str, Any]:
    return {
        "id": str(number),
        "shortId": f"SHOP-{number}",
        "title": title,
        "culprit": "shop.charge in pay",
        "permalink": f"https://acme.sentry.io/issues/{number}/",
        "level": "error",
        "status": "unresolved",
        "substatus": "new",
        "project": project,
        "count": "58",
        "userCount": 12,
        "firstSeen": stamp(first),
        "lastSeen": stamp(last),
        "lifetime": {"count": "58", "userCount": 12, "firstSeen": stamp(first), "lastSeen": stamp(last)},
        **more,
    }


def frame(function: str, line: int, code: str, **more: Any) -> dict[str, Any]:
    return {
        "function": function,
        "filename": "shop/pay.py",
        "lineNo": line,
        "inApp": True,
        "context": [[line - 1, "def charge(order):"], [line, f"    {code}"]],
        **more,
    }


def an_event(
    title: str, *frames: dict[str, Any], crumbs: list[dict[str, Any]] | None = None, release: str = "shop@7"
) -> dict[str, Any]:
    value = {"type": "KeyError", "value": title, "stacktrace": {"frames": list(frames)}}
    entries: list[dict[str, Any]] = [{"type": "exception", "data": {"values": [value]}}]
    entries.append({"type": "breadcrumbs", "data": {"values": crumbs or []}})
    return {
        "id": "ab" * 16,
        "eventID": "ab" * 16,
        "groupID": "7",
        "projectID": "1",
        "title": f"KeyError: {title}",
        "message": title,
        "dateCreated": stamp(1),
        "dateReceived": stamp(1),
        "entries": entries,
        "tags": [{"key": "level", "value": "error"}],
        "release": {"version": release},
    }


def a_deploy(number: int, environment: str, minutes: float) -> dict[str, Any]:
    return {
        "id": str(number),
        "environment": environment,
        "dateStarted": None,
        "dateFinished": stamp(minutes),
        "name": None,
        "url": None,
    }


def a_release(
    version: str, projects: list[dict[str, Any]], *deploys: dict[str, Any], made: float = 60
) -> dict[str, Any]:
    return {
        "id": 1,
        "version": version,
        "shortVersion": version.rpartition("@")[2],
        "status": "open",
        "dateCreated": stamp(made),
        "dateReleased": None,
        "deployCount": len(deploys),
        "lastDeploy": {**deploys[0], "name": ""} if deploys else None,
        "projects": [{**one, "id": int(one["id"])} for one in projects],
    }


@dataclass(kw_only=True)
class FakeSentry(FakeVendor):
    """`deploys` and `commits` by version, `events` by issue."""

    projects: list[dict[str, Any]] = field(default_factory=list)
    issues: list[dict[str, Any]] = field(default_factory=list)
    events: dict[str, dict[str, Any]] = field(default_factory=dict)
    releases: list[dict[str, Any]] = field(default_factory=list)
    deploys: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    commits: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    may_write: bool = True

    def answered(self, asked: Asked) -> Told:  # noqa: PLR0911 -- one each
        if asked.headers.get("authorization") != f"Bearer {TOKEN}":
            return 401, {"detail": "Invalid token"}
        if not asked.path.startswith(f"{ROOT}/") or not asked.path.endswith("/"):
            return 404, {"detail": "The requested resource does not exist"}
        parts = asked.path.removeprefix(ROOT).strip("/").split("/")
        if len(parts) == 1 and (unknown := set(asked.query) - _QUERIES.get(parts[0], set())):
            return 400, {"detail": f"Invalid parameter {sorted(unknown)}"}
        match asked.method, parts:
            case "GET", ["projects"]:
                return 200, self.projects
            case "GET", ["issues"]:
                return self._found(asked)
            case "GET", ["issues", key] if self._issue(key):
                return 200, {k: v for k, v in (self._issue(key) or {}).items() if k != "lifetime"}
            case "PUT", ["issues", key] if self._issue(key):
                if not self.may_write:
                    return 403, {"detail": "You do not have permission to perform this action."}
                (self._issue(key) or {})["status"] = json.loads(asked.body)["status"]
                return 200, {k: v for k, v in (self._issue(key) or {}).items() if k != "lifetime"}
            case "GET", ["issues", key, "events", "latest"] if key in self.events:
                return 200, self.events[key]
            case "GET", ["releases"]:
                return 200, self.releases
            case "GET", ["releases", version, "deploys"]:
                return 200, self.deploys.get(version, [])
            case "GET", ["releases", version, "commits"]:
                return 200, self.commits.get(version, [])
        return 404, {"detail": "The requested resource does not exist"}

    def headers(self, asked: Asked) -> dict[str, str]:
        """Where the next page is, as long as there are more issues than were asked for."""
        if asked.path != f"{ROOT}/issues/" or asked.method != "GET":
            return {}
        at, limit = self._page(asked)
        more = "true" if len(self.issues) > at + limit else "false"
        return {"link": f'<https://elsewhere.example/>; rel="next"; results="{more}"; cursor="0:{at + limit}:0"'}

    def _issue(self, key: str) -> dict[str, Any] | None:
        return next((one for one in self.issues if one["id"] == key), None)

    def _page(self, asked: Asked) -> tuple[int, int]:
        return int(asked.query.get("cursor", "0:0:0").split(":")[1]), int(asked.query.get("limit", "100"))

    def _found(self, asked: Asked) -> Told:
        if ("start" in asked.query) != ("end" in asked.query):
            return 400, {"detail": "start and end are both required"}
        states = (
            ("unresolved",)
            if "is:unresolved" in asked.query.get("query", "")
            else ("unresolved", "resolved", "ignored")
        )
        of = asked.repeated.get("project", ())
        since = asked.query.get("start", "2026-02")
        fitting = [
            i for i in self.issues if i["project"]["id"] in of and i["status"] in states and i["lastSeen"] >= since
        ]
        at, limit = self._page(asked)
        return 200, sorted(fitting, key=lambda one: str(one["lastSeen"]), reverse=True)[at : at + limit]
