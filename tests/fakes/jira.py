"""Jira as its documents say: Cloud in version 3, with pages by token and documents for texts; Data Center in version 2.

It understands as much of JQL as is asked here, and refuses the rest, as what names a component or a type that is none.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.fakes.openapi import Asked
from tests.fakes.vendor import FakeVendor, Told

USER, TOKEN = "autoheal@acme.example", "ATATT3xFfGF0-a-token-of-jira"
BASIC = f"Basic {base64.b64encode(f'{USER}:{TOKEN}'.encode()).decode()}"
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
_TYPES = ("Task", "Incident", "Change")
_AGO = re.compile(r"(created|resolved) >= -(\d+)m")
_IN = re.compile(r"(project|component|labels|issuetype) (?:in \((.+)\)|= (.+))")
_FIELDS = {"created": "created", "resolved": "resolutiondate"}


def stamp(minutes: float) -> str:
    return f"{NOW - timedelta(minutes=minutes):%Y-%m-%dT%H:%M:%S.000+0000}"


def a_ticket(
    number: int, summary: str, *, made: float = 60, kind: str = "Incident", project: str = "OPS", **more: Any
) -> dict[str, Any]:
    fields = {
        "project": {"key": project},
        "summary": summary,
        "status": {"name": "To Do", "statusCategory": {"key": "new"}},
        "issuetype": {"name": kind},
        "priority": {"name": "High"},
        "created": stamp(made),
        "updated": stamp(made / 2),
        "resolutiondate": None,
        "components": [],
        "labels": [],
        "description": None,
        **more,
    }
    return {"id": str(10_000 + number), "key": f"{project}-{number}", "fields": fields}


DONE = {"name": "Done", "statusCategory": {"key": "done"}}


@dataclass(kw_only=True)
class FakeJira(FakeVendor):
    """`late` are ids that the index does not have yet: they are found by `reconcileIssues` alone."""

    tickets: list[dict[str, Any]] = field(default_factory=list)
    components: list[dict[str, Any]] = field(default_factory=lambda: [{"id": "501", "name": "Checkout"}])
    comments: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    late: set[str] = field(default_factory=set)
    is_late: bool = False
    may_write: bool = True
    page: int = 50

    def answered(self, asked: Asked) -> Told:  # noqa: PLR0911 -- one each
        _, _, _, version, *parts = asked.path.split("/")
        if asked.headers.get("authorization") != (BASIC if version == "3" else f"Bearer {TOKEN}"):
            return 401, {"errorMessages": ["Client must be authenticated to access this resource."]}
        match asked.method, parts:
            case "GET", ["myself"]:
                return 200, {"displayName": "Autoheal"}
            case "GET", ["project", "OPS", "components"]:
                return 200, self.components
            case "GET", ["search", "jql"] if version == "3":
                return self._found(asked, by_token=True)
            case "GET", ["search"] if version == "2":
                return self._found(asked, by_token=False)
            case "GET", ["issue", "createmeta", "OPS", "issuetypes"]:
                types = [{"id": str(n), "name": name} for n, name in enumerate(_TYPES)]
                return 200, {"issueTypes" if version == "3" else "values": types, "total": len(types)}
            case "GET", ["issue", key] if self._ticket(key):
                return 200, self._ticket(key)
            case "GET", ["issue", key, "comment"] if self._ticket(key):
                mine = self.comments.get(key, [])[::-1]
                most = int(asked.query["maxResults"])
                return 200, {"comments": mine[:most], "startAt": 0, "maxResults": most, "total": len(mine)}
            case "POST", _ if not self.may_write:
                return 403, {"errorMessages": ["You do not have permission"], "errors": {}}
            case "POST", ["issue", key, "comment"] if self._ticket(key):
                return 201, self._commented(key, json.loads(asked.body), is_cloud=version == "3")
            case "POST", ["issue"]:
                return self._created(json.loads(asked.body), is_cloud=version == "3")
        return 404, {"errorMessages": ["Issue does not exist or you do not have permission to see it."]}

    def _ticket(self, key: str) -> dict[str, Any] | None:
        return next((one for one in self.tickets if one["key"] == key), None)

    def _created(self, body: Mapping[str, Any], *, is_cloud: bool) -> Told:
        fields = body["fields"]
        if fields["issuetype"]["name"] not in _TYPES:
            return 400, {"errorMessages": [], "errors": {"issuetype": "Specify a valid issue type"}}
        _is_text(fields["description"], is_cloud=is_cloud)
        assert not any(" " in label for label in fields["labels"])
        made = a_ticket(100 + len(self.tickets), fields["summary"], made=0, kind=fields["issuetype"]["name"])
        chosen = [one for one in self.components if {"id": one["id"]} in fields.get("components", [])]
        made["fields"] |= {"labels": fields["labels"], "components": chosen, "description": fields["description"]}
        self.tickets.append(made)
        if self.is_late:
            self.late.add(made["id"])
        return 201, {"id": made["id"], "key": made["key"], "self": f"{self.url}/rest/api/3/issue/{made['id']}"}

    def _commented(self, key: str, body: Mapping[str, Any], *, is_cloud: bool) -> dict[str, Any]:
        _is_text(body["body"], is_cloud=is_cloud)
        number = len(self.comments.setdefault(key, []))
        comment = {"id": str(number), "body": body["body"], "created": stamp(0), "author": {"displayName": "Autoheal"}}
        self.comments[key].append(comment)
        return comment

    def _found(self, asked: Asked, *, by_token: bool) -> Told:
        where, _, order = asked.query["jql"].partition(" ORDER BY ")
        known = asked.query.get("reconcileIssues")
        here = [one for one in self.tickets if one["id"] not in self.late or one["id"] == known]
        try:
            tests = [self._test(part) for part in _split(where, " AND ")]
        except ValueError as exc:
            return 400, {"errorMessages": [str(exc)], "errors": {}}
        fitting = [one for one in here if all(test(one["fields"]) for test in tests)]
        fitting.sort(key=lambda one: str(one["fields"]["created"]), reverse=order.endswith("DESC"))
        at = int(asked.query.get("nextPageToken" if by_token else "startAt", "0"))
        page, more = fitting[at : at + self.page], len(fitting) > at + self.page
        if by_token:
            return 200, {"issues": page, "isLast": not more, **({"nextPageToken": str(at + self.page)} if more else {})}
        return 200, {"issues": page, "startAt": at, "maxResults": self.page, "total": len(fitting)}

    def _test(self, part: str) -> Callable[[Mapping[str, Any]], bool]:
        if part.startswith("(") and part.endswith(")"):
            either = [self._test(one) for one in _split(part[1:-1], " OR ")]
            return lambda fields: any(test(fields) for test in either)
        if part == "statusCategory != Done":
            return lambda fields: bool(fields["status"]["statusCategory"]["key"] != "done")
        if ago := _AGO.fullmatch(part):
            since = stamp(float(ago[2]))
            return lambda fields: str(fields[_FIELDS[ago[1]]] or "") >= since
        if found := _IN.fullmatch(part):
            values = {one.strip().strip('"') for one in (found[2] or found[3]).split(",")}
            return self._one_of(found[1], values)
        raise ValueError(f"Error in the JQL Query: {part}")

    def _one_of(self, name: str, values: set[str]) -> Callable[[Mapping[str, Any]], bool]:
        ids = {one["id"] for one in self.components}
        allowed = {"project": {"OPS"}, "component": ids, "issuetype": set(_TYPES)}.get(name, values)
        if values - allowed:
            raise ValueError(f"The value '{min(values - allowed)}' does not exist for the field '{name}'.")
        match name:
            case "project":
                return lambda fields: fields["project"]["key"] in values
            case "component":
                return lambda fields: any(one["id"] in values for one in fields["components"])
            case "issuetype":
                return lambda fields: fields["issuetype"]["name"] in values
        return lambda fields: bool(values & set(fields["labels"]))


def _is_text(body: Any, *, is_cloud: bool) -> None:
    """Cloud takes documents, a server of one's own texts."""
    if not is_cloud:
        assert isinstance(body, str)
        return
    assert (body["type"], body["version"]) == ("doc", 1)
    assert all(node["type"] == "paragraph" and node["content"][0]["text"] for node in body["content"])


def _split(text: str, word: str) -> list[str]:
    """At the word, outside of brackets."""
    parts, depth, begun = [], 0, 0
    for at, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if not depth and text.startswith(word, at):
            parts.append(text[begun:at])
            begun = at + len(word)
    return [*parts, text[begun:]]
