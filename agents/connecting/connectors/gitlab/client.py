"""Asks GitLab's REST API: a token, pages, and what a refusal says.

https://docs.gitlab.com/api/rest/ -- a 404 may be a project that the token may not see.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from urllib.parse import quote

from pydantic import BaseModel, TypeAdapter, ValidationError

from agents.connecting.certificates import own_way_out
from agents.connecting.connector import ConnectorContext
from agents.connecting.connectors.gitlab.settings import GitLabConfig
from agents.connecting.foreign_json import read_json
from agents.connecting.outbound import Answer
from agents.errors import BadArguments, NeedsReauthorisation, Unavailable

_TOLD: Final = frozenset({400, 401, 403, 404, 405, 409, 410, 422, 429})
_PER_PAGE: Final = 100
_NUMBER: Final = re.compile(r"[0-9]{1,9}")
_MOST_BYTES: Final = 32_000_000
M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, kw_only=True)
class GitLabPages:
    """Items of the pages that were read; `more` where there are further ones."""

    items: list[Any]
    more: bool = False


class GitLabClient:
    """Of one connection. Close it: it has a way out of its own where the server has an authority of its own."""

    def __init__(self, config: GitLabConfig, context: ConnectorContext) -> None:
        self._base, self._context = config.base, context
        self._own = own_way_out(context, config.certificate_authority)

    async def close(self) -> None:
        if self._own is not None:
            await self._own.close()

    async def get(self, path: str, params: Mapping[str, str] | None = None, *, what: str, **options: Any) -> Any:
        """One document. `what` names it for people. Raises as `Outbound`, with GitLab's own reasons."""
        return (await self._asked("GET", path, what, params=params, **options)).json()

    async def text(self, path: str, params: Mapping[str, str] | None = None, *, what: str, **options: Any) -> bytes:
        return (await self._asked("GET", path, what, params=params, **options)).body

    async def pages(self, path: str, params: Mapping[str, str], *, what: str, most_pages: int = 3) -> GitLabPages:
        """The items of the first pages, in GitLab's order."""
        items: list[Any] = []
        page = "1"
        for _ in range(most_pages):
            asked = {"per_page": str(_PER_PAGE), **params, **({"page": page} if page != "1" else {})}
            answer = await self._asked("GET", path, what, params=asked)
            found = answer.json()
            if not isinstance(found, list):
                raise Unavailable(f"GitLab answered {what} in a form that it does not document")
            items += found
            page = answer.headers.get("x-next-page", "")
            if not _NUMBER.fullmatch(page):
                return GitLabPages(items=items)
        return GitLabPages(items=items, more=True)

    async def send(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, *, what: str, absent: bool = False
    ) -> Any:
        """Changes something. None where there is nothing to read, or with `absent` none such."""
        content = None if body is None else json.dumps(body).encode()
        answer = await self._asked(method, path, what, absent=absent, content=content)
        return answer.json() if answer.body and answer.status not in (204, 404) else None

    async def _asked(self, method: str, path: str, what: str, *, absent: bool = False, **options: Any) -> Answer:
        outbound = self._own or self._context.outbound
        headers = {"private-token": self._context.credentials["token"].reveal(), "accept": "application/json"}
        if options.get("content") is not None:
            headers["content-type"] = "application/json"
        answer = await outbound.request(
            method,
            f"{self._base}/api/v4{path}",
            headers=headers,
            accept=_TOLD,
            **{"max_bytes": _MOST_BYTES, "timeout_s": 15.0, **options},
        )
        if answer.status == 404 and absent:
            return answer
        if answer.status in _TOLD:
            raise await self._refusal(answer, what)
        return answer

    async def _refusal(self, answer: Answer, what: str) -> Exception:
        if answer.status == 429:
            wait = answer.headers.get("retry-after", "")
            until = f" for {int(wait)} s" if _NUMBER.fullmatch(wait) else ""
            return Unavailable(f"GitLab's rate limit is used up{until}; {what} could not be read")
        if answer.status == 401:
            return NeedsReauthorisation("GitLab does not accept the token (401): it ended or was revoked")
        if answer.status == 403:
            return NeedsReauthorisation(f"the token may not use {what} (403): its scope or its role lacks that")
        if answer.status in (404, 410):
            return BadArguments(f"GitLab shows no {what} to this token ({answer.status}): there is none, or no right")
        said = await self._context.clean(_reason(answer))
        return BadArguments(f"GitLab refused the question for {what} ({answer.status}): {said[:300]}")


def project_path(name: str) -> str:
    return f"/projects/{quote(name, safe='')}"


def as_one(model: type[M], document: Any, what: str) -> M:
    """Raises Unavailable."""
    try:
        return model.model_validate(document)
    except ValidationError as exc:
        raise Unavailable(f"GitLab answered {what} in a form that it does not document") from exc


def as_several(model: type[M], documents: list[Any], what: str) -> list[M]:
    """Raises Unavailable."""
    try:
        return TypeAdapter(list[model]).validate_python(documents)  # type: ignore[valid-type] # a class at run time
    except ValidationError as exc:
        raise Unavailable(f"GitLab answered {what} in a form that it does not document") from exc


def _reason(answer: Answer) -> str:
    try:
        document = read_json(answer.body)
    except ValueError:
        return ""
    found = document.get("message") or document.get("error") if isinstance(document, dict) else None
    return found if isinstance(found, str) else json.dumps(found) if found else ""
