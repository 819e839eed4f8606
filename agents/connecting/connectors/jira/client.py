"""Asks Jira's REST API: Cloud in version 3, a Data Center of one's own in version 2, and says what a refusal means.

https://developer.atlassian.com/cloud/jira/platform/rest/v3/ -- Cloud searches by `search/jql` alone, whose pages have
tokens. Whoever is not believed may be taken for nobody and shown nothing: that is told by a header, and is a refusal.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from agents.connecting.connector import ConnectorContext
from agents.connecting.connectors.jira.adf import document_of
from agents.connecting.foreign_json import read_json
from agents.connecting.outbound import Answer
from agents.errors import BadArguments, NeedsReauthorisation, Unavailable

_TOLD: Final = frozenset({400, 401, 403, 404, 410})
_PER_PAGE: Final = 50
_LONGEST_WORDS: Final = 300


@dataclass(frozen=True, kw_only=True)
class JiraFound:
    """Issues of all pages that were read; `more` where there are further ones."""

    issues: list[Any]
    more: bool


class JiraClient:
    """Cloud, unless it is asked with a personal access token."""

    def __init__(self, base: str, context: ConnectorContext) -> None:
        self._base, self._context = base, context
        self.is_cloud = "token" not in context.credentials

    def url(self, path: str) -> str:
        return f"{self._base}/rest/api/{3 if self.is_cloud else 2}{path}"

    def body_of(self, text: str) -> Any:
        """A description or a comment as this Jira takes it."""
        return document_of(text) if self.is_cloud else text

    async def get(
        self, path: str, params: Mapping[str, str] | None = None, *, what: str, timeout_s: float = 10.0
    ) -> Any:
        """One document; `what` names it for people. Raises as `Outbound`, with Jira's own reasons."""
        answer = await self._context.outbound.get(
            self.url(path), params=params, headers=self._headers(), accept=_TOLD, timeout_s=timeout_s
        )
        return await self._document(answer, what)

    async def post(self, path: str, body: Mapping[str, Any], *, what: str) -> Any:
        """Sent once."""
        answer = await self._context.outbound.request(
            "POST",
            self.url(path),
            headers={**self._headers(), "content-type": "application/json"},
            content=json.dumps(body).encode(),
            accept=_TOLD,
        )
        return await self._document(answer, what)

    async def search(
        self,
        jql: str,
        *,
        fields: str,
        what: str,
        most_pages: int = 2,
        known: str | None = None,
        timeout_s: float = 10.0,
    ) -> JiraFound:
        """`known` is the id of an issue that was made a moment before, which the index may not have yet."""
        issues: list[Any] = []
        params = {"jql": jql, "fields": fields, "maxResults": str(_PER_PAGE)}
        if known is not None and self.is_cloud:
            params["reconcileIssues"] = known
        for _ in range(most_pages):
            path = "/search/jql" if self.is_cloud else "/search"
            document = await self.get(path, params, what=what, timeout_s=timeout_s)
            found = document.get("issues") if isinstance(document, dict) else None
            if not isinstance(found, list):
                raise strange(what)
            issues += found
            following = self._following(document, len(issues))
            if following is None:
                return JiraFound(issues=issues, more=False)
            params |= following
        return JiraFound(issues=issues, more=True)

    def _following(self, document: Mapping[str, Any], read: int) -> dict[str, str] | None:
        if self.is_cloud:
            token = document.get("nextPageToken")
            return {"nextPageToken": str(token)} if token and document.get("isLast") is not True else None
        return {"startAt": str(read)} if read < int(document.get("total") or 0) else None

    def _headers(self) -> dict[str, str]:
        return {**self._context.authorization(), "accept": "application/json"}

    async def _document(self, answer: Answer, what: str) -> Any:
        if answer.status == 401 or "AUTHENTICATED_FAILED" in answer.headers.get("x-seraph-loginreason", ""):
            raise NeedsReauthorisation("Jira does not accept the credential: the token ended, or is of another account")
        if answer.status not in _TOLD:
            return answer.json()
        said = (await self._context.clean(_said(answer)))[:_LONGEST_WORDS]
        told = f": {said}" if said else ""
        match answer.status:
            case 403:
                raise NeedsReauthorisation(f"the account may not do this at Jira: {what} (403){told}")
            case 404 | 410:
                raise BadArguments(
                    f"Jira shows no {what} to this account ({answer.status}): there is none, or no right"
                )
            case _:
                raise BadArguments(f"Jira refused {what} ({answer.status}){told}")


def strange(what: str) -> Unavailable:
    return Unavailable(f"Jira answered {what} in a form that it does not document")


def quoted(value: str) -> str:
    """A value as JQL writes it."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _said(answer: Answer) -> str:
    """`{"errorMessages": [...], "errors": {field: why}}`"""
    try:
        document = read_json(answer.body)
        fields = [f"{name}: {why}" for name, why in (document.get("errors") or {}).items()]
        return " ".join([*map(str, document.get("errorMessages") or []), *fields])
    except (ValueError, AttributeError, TypeError):
        return ""
