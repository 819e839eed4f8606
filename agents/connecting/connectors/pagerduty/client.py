"""Asks PagerDuty's REST API, version 2: proves who asks, follows pages, and says in words what a refusal means.

https://developer.pagerduty.com/docs/rest-api-overview -- pages are counted by offset, up to 10,000; 429 is waited for.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from agents.connecting.connector import ConnectorContext
from agents.connecting.foreign_json import read_json
from agents.connecting.outbound import Answer
from agents.errors import BadArguments, NeedsReauthorisation, Unavailable

_TOLD: Final = frozenset({400, 401, 402, 403, 404})
_PER_PAGE: Final = 100
_LONGEST_WORDS: Final = 300
Params = Mapping[str, str | list[str]]


@dataclass(frozen=True, kw_only=True)
class PagerDutyPages:
    """Items of all pages that were read; `more` where there are further ones."""

    items: list[Any]
    more: bool


class PagerDutyClient:
    def __init__(self, base: str, context: ConnectorContext) -> None:
        self._base, self._context = base, context

    async def get(self, path: str, params: Params | None = None, *, what: str, timeout_s: float = 10.0) -> Any:
        """One document; `what` names it for people. Raises as `Outbound`, with PagerDuty's own reasons."""
        answer = await self._context.outbound.get(
            f"{self._base}{path}", params=params, headers=self._headers(), accept=_TOLD, timeout_s=timeout_s
        )
        return await self._document(answer, what)

    async def pages(
        self, path: str, params: Params, *, key: str, what: str, most_pages: int = 3, per_page: int = _PER_PAGE
    ) -> PagerDutyPages:
        """The items of the first pages, in PagerDuty's order; `key` is where a page keeps them."""
        items: list[Any] = []
        for page in range(most_pages):
            asked = {**params, "limit": str(per_page), **({"offset": str(page * per_page)} if page else {})}
            document = await self.get(path, asked, what=what)
            found = document.get(key) if isinstance(document, dict) else None
            if not isinstance(found, list):
                raise unreadable(what)
            items += found
            if not document.get("more", len(found) == per_page):  # change events do not say it
                return PagerDutyPages(items=items, more=False)
        return PagerDutyPages(items=items, more=True)

    async def put(self, path: str, body: Mapping[str, Any], *, acts_as: str, what: str) -> Any:
        """Sent once. `acts_as` is whose name it is done in."""
        answer = await self._context.outbound.request(
            "PUT",
            f"{self._base}{path}",
            headers={**self._headers(), "from": acts_as},
            content=json.dumps(body).encode(),
            accept=_TOLD,
        )
        return await self._document(answer, what)

    def _headers(self) -> dict[str, str]:
        return {
            "accept": "application/vnd.pagerduty+json;version=2",
            "content-type": "application/json",
            "authorization": f"Token token={self._context.credentials['token'].reveal()}",
        }

    async def _document(self, answer: Answer, what: str) -> Any:
        if answer.status not in _TOLD:
            return answer.json()
        said = (await self._context.clean(_said(answer)))[:_LONGEST_WORDS]
        raise _refusal(answer.status, what, f": {said}" if said else "")


def stamp(at: datetime) -> str:
    """A moment as PagerDuty wants it, in UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def unreadable(what: str) -> Unavailable:
    return Unavailable(f"PagerDuty answered {what} in a form that it does not document")


def _refusal(status: int, what: str, said: str) -> Exception:
    match status:
        case 401:
            return NeedsReauthorisation(
                "PagerDuty does not accept the API key (401): it was deleted, or belongs to the other region"
            )
        case 402:
            return BadArguments(f"the PagerDuty plan of this account has no {what} (402){said}")
        case 403:
            return NeedsReauthorisation(f"the API key may not do this at PagerDuty: {what} (403){said}")
        case 404:
            return BadArguments(f"PagerDuty shows no {what} to this key (404)")
        case _:
            return BadArguments(f"PagerDuty refused {what} ({status}){said}")


def _said(answer: Answer) -> str:
    """`{"error": {"message": ..., "errors": [...]}}`"""
    try:
        error = read_json(answer.body)["error"]
        return ", ".join([str(error.get("message", "")), *map(str, error.get("errors", []))]).strip(", ")
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""
