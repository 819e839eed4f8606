"""Asks Datadog's API: two keys, its rate limits, and what a refusal says.

https://docs.datadoghq.com/api/latest/rate-limits/ -- a used-up limit says in `X-RateLimit-Reset` in how many seconds it
begins anew. A short wait is waited for once; until a long one is over that question is not asked again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from agents.connecting.connector import ConnectorContext
from agents.connecting.connectors.datadog.settings import DatadogConfig
from agents.connecting.foreign_json import read_json
from agents.connecting.outbound import Answer
from agents.errors import BadArguments, NeedsReauthorisation, Unavailable

_TOLD: Final = frozenset({400, 401, 403, 404, 422, 429})
_SHORT_WAIT_S: Final = 5
_LONGEST_RESET_S: Final = 86_400
_USUAL_RESET_S: Final = 60
_MOST_BYTES: Final = 32_000_000
_NUMBER: Final = re.compile(r"\d+")


@dataclass(frozen=True, kw_only=True)
class SearchFound:
    """Items of the pages that were read; `more` where there are further ones."""

    items: list[dict[str, Any]]
    more: bool = False
    warnings: tuple[str, ...] = ()


class DatadogClient:
    """Of one connection. Raises as `Outbound`, with Datadog's own reasons."""

    def __init__(self, config: DatadogConfig, context: ConnectorContext) -> None:
        self._base, self._context = config.base, context
        self._used_up: dict[str, datetime] = {}

    async def get(self, path: str, params: Mapping[str, str] | None = None, *, what: str, **options: Any) -> Any:
        """One document. `what` names it for people."""
        return (await self._asked("GET", path, what, params=params, **options)).json()

    async def post(self, path: str, body: Mapping[str, Any], *, what: str, **options: Any) -> Any:
        content = json.dumps(body).encode()
        return (await self._asked("POST", path, what, content=content, **options)).json()

    async def delete(self, path: str, *, what: str) -> bool:
        """False where there is none such."""
        return (await self._asked("DELETE", path, what, absent=True)).status != 404

    async def search(
        self,
        path: str,
        filters: Mapping[str, str],
        *,
        what: str,
        limit: int,
        most_pages: int = 1,
        wrapped: bool = False,
    ) -> SearchFound:
        """The newest items of a search of logs, events or, `wrapped` as those want it, spans."""
        items: list[dict[str, Any]] = []
        warnings: list[str] = []
        cursor = ""
        for _ in range(most_pages):
            page: dict[str, Any] = {"limit": limit, **({"cursor": cursor} if cursor else {})}
            asked: dict[str, Any] = {"filter": dict(filters), "sort": "-timestamp", "page": page}
            body = {"data": {"type": "search_request", "attributes": asked}} if wrapped else asked
            document = await self.post(path, body, what=what, timeout_s=15.0)
            items += listed(document, "data", what)
            meta = document.get("meta") or {}
            if meta.get("status") == "timeout":
                warnings.append("Datadog gave up before it had looked through all of it")
            warnings += [str(one.get("detail") or one.get("title")) for one in meta.get("warnings") or ()]
            cursor = (meta.get("page") or {}).get("after") or ""
            if not cursor:
                break
        told = [one[:200] for one in await self._context.clean_words(list(dict.fromkeys(warnings)))]
        return SearchFound(items=items, more=bool(cursor), warnings=tuple(told))

    async def _asked(self, method: str, path: str, what: str, *, absent: bool = False, **options: Any) -> Answer:
        """A short wait for a rate limit is waited for, also before what changes something: nothing was done."""
        kind = f"{method} {_NUMBER.sub('n', path)}"
        self._require_open(kind, what)
        answer = await self._once(method, path, options)
        if answer.status == 429 and (wait_s := _reset_s(answer.headers)) <= _SHORT_WAIT_S:
            await self._context.outbound.pause(wait_s)
            answer = await self._once(method, path, options)
        self._note(kind, answer)
        if answer.status == 404 and absent:
            return answer
        if answer.status in _TOLD:
            raise await self._refusal(answer, what)
        return answer

    async def _once(self, method: str, path: str, options: Mapping[str, Any]) -> Answer:
        secrets = self._context.credentials
        headers = {
            "dd-api-key": secrets["api_key"].reveal(),
            "dd-application-key": secrets["application_key"].reveal(),
            "accept": "application/json",
        }
        if options.get("content") is not None:
            headers["content-type"] = "application/json"
        return await self._context.outbound.request(
            method, f"{self._base}{path}", headers=headers, accept=_TOLD, **{"max_bytes": _MOST_BYTES, **options}
        )

    def _require_open(self, kind: str, what: str) -> None:
        until = self._used_up.get(kind)
        if until is not None and self._context.now() < until:
            raise Unavailable(f"Datadog's rate limit is used up until {until:%H:%M:%S} UTC; {what} could not be read")
        self._used_up.pop(kind, None)

    def _note(self, kind: str, answer: Answer) -> None:
        if answer.status == 429 or answer.headers.get("x-ratelimit-remaining") == "0":
            self._used_up[kind] = self._context.now() + timedelta(seconds=_reset_s(answer.headers))

    async def _refusal(self, answer: Answer, what: str) -> Exception:
        if answer.status == 429:
            name = answer.headers.get("x-ratelimit-name", "")
            of = f" {name}" if name.replace("_", "").isalnum() else ""
            wait = f"{_reset_s(answer.headers):.0f} s"
            return Unavailable(f"Datadog's rate limit{of} is used up for {wait}; {what} could not be read")
        if answer.status == 401:
            return NeedsReauthorisation("Datadog does not accept the API key (401): is it of this site?")
        if answer.status == 403:
            return NeedsReauthorisation(
                f"the keys may not read {what} (403): the application key lacks the scope, or is of another site"
            )
        if answer.status == 404:
            return BadArguments(f"Datadog has no {what} (404), or the keys may not see it")
        said = await self._context.clean(_reasons(answer))
        return BadArguments(f"Datadog refused the question for {what}: {said[:300] or answer.status}")


def listed(document: Any, key: str, what: str) -> list[dict[str, Any]]:
    """The items under a key. Raises Unavailable for another form."""
    found = document.get(key) if isinstance(document, dict) else None
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise Unavailable(f"Datadog answered {what} in a form that it does not document")
    return found


def _reset_s(headers: Mapping[str, str]) -> float:
    """Seconds until the limit begins anew."""
    told = headers.get("x-ratelimit-reset", "").strip()
    return float(min(int(told), _LONGEST_RESET_S)) if told.isascii() and told.isdigit() else float(_USUAL_RESET_S)


def _reasons(answer: Answer) -> str:
    try:
        document = read_json(answer.body)
    except ValueError:
        return ""
    errors = document.get("errors") if isinstance(document, dict) else None
    if not isinstance(errors, list):
        return ""
    return "; ".join(
        str(one.get("detail") or one.get("title")) if isinstance(one, dict) else str(one) for one in errors
    )
