"""Jira, Cloud and Data Center: issues, comments, versions. A body may lack the issue (comments of older servers), the
changelog, or its browser address, which is built from where the issue's own address lies and its key.

https://developer.atlassian.com/server/jira/platform/webhooks/
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from agents.webhooks import reading
from agents.webhooks.contract import Normalised, Provider, Refusal, ReportedChange, Status, Verified
from agents.webhooks.headers import Headers
from agents.webhooks.reading import at, first, items, mapping, moment, text, url
from agents.webhooks.signing import verify_hub


class JiraProvider(Provider):
    name = "jira"
    title = "Jira"
    docs_url = "https://developer.atlassian.com/server/jira/platform/webhooks/"
    setup = "In System, WebHooks: the field Secret of the webhook."

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
        return verify_hub(raw, headers["X-Hub-Signature"], secrets)

    def read(self, body: Any, headers: Headers, config: Mapping[str, Any]) -> Normalised | None:
        del headers, config
        what = text(at(body, "webhookEvent")).removeprefix("jira:")
        issue = mapping(at(body, "issue"))
        if not issue and at(body, "fields") and at(body, "key"):
            issue = mapping(body)  # an automation rule sends the issue itself
        if issue:
            return _issue(what, body, issue)
        if what.startswith(("comment_", "worklog_", "issue", "attachment_")):
            return _without_issue(what, body)
        if what.startswith("version_"):
            return _version(what, body)
        return _news(what, body) if what else None


def _when(body: Any, *others: Any) -> Any:
    return moment(at(body, "timestamp"), *others)


def _issue(what: str, body: Any, issue: Mapping[str, Any]) -> Normalised:
    fields, key = mapping(issue.get("fields")), first(issue.get("key"), issue.get("id"))
    summary = first(fields.get("summary"))
    components = [name for one in items(fields.get("components")) if (name := text(one.get("name")))]
    event = first(at(body, "issue_event_type_name"))
    return Normalised(
        provider="jira",
        event=f"{what}/{event}" if event else what,
        kind="ticket",
        status=_status(what, fields),
        severity=reading.severity(at(fields, "priority", "name")),
        title=f"{key} {summary}".strip() or what or "Issue",
        text=first(at(body, "comment", "body"), fields.get("description")),
        source_url=_browse(issue.get("self"), key),
        key=f"jira:{key or summary or what}",
        occurred_at=_when(body, fields.get("updated"), fields.get("created")),
        labels={
            name: value
            for name, value in {
                "type": text(at(fields, "issuetype", "name")),
                "project": text(at(fields, "project", "key")),
                "status": text(at(fields, "status", "name")),
                "components": ", ".join(components),
            }.items()
            if value
        },
    )


def _status(what: str, fields: Mapping[str, Any]) -> Status:
    """Over when its status belongs to the category of what is done, whatever the status is called."""
    category = text(at(fields, "status", "statusCategory", "key")).lower()
    return "resolved" if category == "done" and what != "issue_deleted" else "info"


def _browse(address: Any, key: str) -> str | None:
    """Jira may live under a path. The address of the API gateway is no place for a browser."""
    found = url(address)
    base, api, _ = (found or "").partition("/rest/")
    return f"{base}/browse/{key}" if api and key and "api.atlassian.com" not in base else None


def _without_issue(what: str, body: Any) -> Normalised:
    about = mapping(at(body, "comment")) or mapping(at(body, "worklog")) or mapping(at(body, "issueLink"))
    address = text(about.get("self"))
    _, _, rest = address.partition("/issue/")
    number = first(about.get("issueId"), rest.split("/", 1)[0])
    return Normalised(
        provider="jira",
        event=what,
        kind="ticket",
        title=first(about.get("body"), about.get("comment"), what.replace("_", " ")),
        key=f"jira:{number or first(about.get('id'), what)}",
        occurred_at=_when(body, about.get("updated"), about.get("created")),
    )


def _version(what: str, body: Any) -> Normalised:
    """A version that was released is a change; one that was made or renamed is not."""
    version = mapping(at(body, "version"))
    name = first(version.get("name"), version.get("id"), what)
    released = what == "version_released"
    return Normalised(
        provider="jira",
        event=what,
        kind="change" if released else "other",
        title=f"Version {name} {what.removeprefix('version_')}",
        text=first(version.get("description")),
        key=f"jira:version:{first(version.get('id'), name)}",
        occurred_at=_when(body, version.get("releaseDate")),
        change=ReportedChange(kind="release", version=name, outcome="released") if released else None,
    )


def _news(what: str, body: Any) -> Normalised:
    about = next((one for name in ("sprint", "project", "board", "user") if (one := mapping(at(body, name)))), {})
    name = first(about.get("name"), about.get("displayName"), about.get("key"))
    return Normalised(
        provider="jira",
        event=what,
        kind="other",
        title=f"{what.replace('_', ' ')} {name}".strip(),
        key=f"jira:{what}:{first(about.get('id'), about.get('key'), name)}",
        occurred_at=_when(body),
    )


PROVIDER = JiraProvider()
