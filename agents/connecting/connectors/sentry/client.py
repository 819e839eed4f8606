"""Asks Sentry's API: proves who asks, follows pages by their cursor, and says in words what a refusal means.

https://docs.sentry.io/api/ -- sentry.io and a server of one's own speak the same one, below `/api/0/`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from agents.connecting.connector import ConnectorContext
from agents.connecting.foreign_json import read_json
from agents.connecting.outbound import Answer
from agents.errors import BadArguments, NeedsReauthorisation, Unavailable

_TOLD: Final = frozenset({400, 401, 403, 404})
_NEXT: Final = re.compile(r'rel="next";\s*results="true";\s*cursor="([0-9:]+)"')
_LONGEST_WORDS: Final = 300
Params = Mapping[str, str | list[str]]


@dataclass(frozen=True, kw_only=True)
class SentryPages:
    """Items of all pages that were read; `more` where there are further ones."""

    items: list[Any]
    more: bool


class SentryClient:
    """Of one organization."""

    def __init__(self, base: str, organization: str, context: ConnectorContext) -> None:
        self._root, self._context = f"{base}/api/0/organizations/{organization}", context

    def url(self, path: str) -> str:
        return f"{self._root}{path}"

    async def get(self, path: str, params: Params | None = None, *, what: str, timeout_s: float = 10.0) -> Any:
        """One document; `what` names it for people. Raises as `Outbound`, with Sentry's own reasons."""
        return (await self._asked(path, params, what=what, timeout_s=timeout_s)).json()

    async def pages(self, path: str, params: Params, *, what: str, most_pages: int = 3) -> SentryPages:
        """The items of the first pages, in Sentry's order."""
        items: list[Any] = []
        cursor = ""
        for _ in range(most_pages):
            answer = await self._asked(path, {**params, **({"cursor": cursor} if cursor else {})}, what=what)
            found = answer.json()
            if not isinstance(found, list):
                raise undocumented_form(what)
            items += found
            following = _NEXT.search(answer.headers.get("link", ""))
            if following is None:
                return SentryPages(items=items, more=False)
            cursor = following[1]  # the cursor alone: the address of the next page is not followed
        return SentryPages(items=items, more=True)

    async def put(self, path: str, body: Mapping[str, Any], *, what: str) -> Any:
        """Sent once."""
        answer = await self._context.outbound.request(
            "PUT",
            self.url(path),
            headers={**self._context.authorization(), "content-type": "application/json"},
            content=json.dumps(body).encode(),
            accept=_TOLD,
        )
        return (await self._judged(answer, what)).json()

    async def _asked(self, path: str, params: Params | None, *, what: str, timeout_s: float = 10.0) -> Answer:
        answer = await self._context.outbound.get(
            self.url(path),
            params=params,
            headers=self._context.authorization(),
            accept=_TOLD,
            timeout_s=timeout_s,
            max_bytes=16_000_000,
        )
        return await self._judged(answer, what)

    async def _judged(self, answer: Answer, what: str) -> Answer:
        if answer.status not in _TOLD:
            return answer
        said = (await self._context.clean(_said(answer)))[:_LONGEST_WORDS]
        told = f": {said}" if said else ""
        match answer.status:
            case 401:
                raise NeedsReauthorisation(
                    "Sentry does not accept the token (401): it was deleted, or is of another region"
                )
            case 403:
                raise NeedsReauthorisation(f"the token may not do this at Sentry: {what} (403){told}")
            case 404:
                raise BadArguments(f"Sentry shows no {what} to this token (404): is the organization's slug right?")
            case _:
                raise BadArguments(f"Sentry refused {what} ({answer.status}){told}")


def undocumented_form(what: str) -> Unavailable:
    return Unavailable(f"Sentry answered {what} in a form that it does not document")


def moment_of(at: datetime) -> str:
    """As Sentry takes one, in UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}"


def _said(answer: Answer) -> str:
    try:
        document = read_json(answer.body)
    except ValueError:
        return ""
    return str(document.get("detail", "")) if isinstance(document, dict) else ""
