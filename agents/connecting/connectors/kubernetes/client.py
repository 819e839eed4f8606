"""Asks a cluster's API server: proves who asks, follows pages, and says in words what a refusal means.

https://kubernetes.io/docs/reference/using-api/api-concepts/ -- lists come in pages under a token that expires (410); a
403 says that this account may not look, a 404 that the server knows no such thing. Neither says what is there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from agents.connecting.connector import ConnectorContext
from agents.connecting.connectors.kubernetes.access import Access
from agents.connecting.foreign_json import read_json
from agents.connecting.outbound import Answer, Outbound, Untrusted
from agents.errors import AgentError, BadArguments, NeedsReauthorisation, TooLarge, Unavailable

PAGE: Final = 500
MOST_PAGES: Final = 8
MERGE: Final = "application/merge-patch+json"
STRATEGIC: Final = "application/strategic-merge-patch+json"
JSON_PATCH: Final = "application/json-patch+json"
_TOLD: Final = frozenset({400, 401, 403, 404, 405, 409, 410, 415, 422})
_MOST_BYTES: Final = 32_000_000


@dataclass(frozen=True, kw_only=True)
class ListedObjects:
    """Objects of all pages that were read; `more` where there are further ones."""

    items: list[Any]
    more: bool


class Conflict(Unavailable):
    """The object changed since it was read. Read it again, and decide again."""


class NoSuchLog(BadArguments):
    """The container has not started, or has no previous run."""


class KubernetesClient:
    """One connection's. Close it: it has a way out of its own where the cluster has an authority of its own."""

    def __init__(self, access: Access, context: ConnectorContext) -> None:
        self._access = access
        self._own = context.outbound.trusting(access.trusted) if access.trusted is not None else None
        self._outbound: Outbound = self._own or context.outbound

    async def close(self) -> None:
        if self._own is not None:
            await self._own.close()

    async def get(self, path: str, *, what: str, params: Mapping[str, str] | None = None) -> Any:
        """One document. `what` names it for people. Raises as `Outbound`, with the server's reasons."""
        return (await self._asked("GET", path, what=what, params=params)).json()

    async def pages(self, path: str, *, what: str, params: Mapping[str, str] | None = None) -> ListedObjects:
        """The items of a list, as many as are reasonable. A list whose token expired is begun once more."""
        try:
            return await self._pages(path, what, dict(params or {}))
        except _Expired:
            pass
        try:
            return await self._pages(path, what, dict(params or {}))
        except _Expired as exc:
            raise Unavailable(f"the list of {what} changed faster than it could be read") from exc

    async def _pages(self, path: str, what: str, params: dict[str, str]) -> ListedObjects:
        items: list[Any] = []
        following = ""
        for _ in range(MOST_PAGES):
            asked = {"limit": str(PAGE), **params, **({"continue": following} if following else {})}
            document = (await self._asked("GET", path, what=what, params=asked)).json()
            found = document.get("items") if isinstance(document, dict) else None
            meta = document.get("metadata") if isinstance(document, dict) else None
            if not (isinstance(found, list) or found is None) or not isinstance(meta, dict):
                raise Unavailable(f"the cluster answered {what} in a form that it does not document")
            items += found or []
            following = str(meta.get("continue") or "")
            if not following:
                return ListedObjects(items=items, more=False)
        return ListedObjects(items=items, more=True)

    async def log(self, path: str, *, what: str, params: Mapping[str, str]) -> str:
        """The lines of a container. Raises NoSuchLog where there are none to be had."""
        answer = await self._asked("GET", path, what=what, params=params, accept="*/*", max_bytes=4_000_000)
        return answer.text()

    async def post(self, path: str, document: Mapping[str, Any], *, what: str) -> Any:
        """Sent once; used for questions that change nothing."""
        return (await self._asked("POST", path, what=what, body=document, content_type="application/json")).json()

    async def patch(self, path: str, document: Any, *, what: str, content_type: str) -> Any:
        """Sent once. Raises Conflict where the object is not as `metadata.resourceVersion` says."""
        return (await self._asked("PATCH", path, what=what, body=document, content_type=content_type)).json()

    async def _asked(
        self,
        method: str,
        path: str,
        *,
        what: str,
        params: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = "",
        accept: str = "application/json",
        max_bytes: int = _MOST_BYTES,
    ) -> Answer:
        headers = {"accept": accept} | ({"content-type": content_type} if content_type else {})
        token = self._access.token()
        if token is not None:
            headers["authorization"] = f"Bearer {token.reveal()}"
        try:
            answer = await self._outbound.request(
                method,
                f"{self._access.server.rstrip('/')}{path}",
                params=params,
                headers=headers,
                content=None if body is None else json.dumps(body).encode(),
                accept=_TOLD,
                max_bytes=max_bytes,
            )
        except Untrusted as exc:
            raise Unavailable(
                f"the API server's certificate is not trusted ({exc.reason}): give the CA certificate of this cluster"
            ) from exc
        except TooLarge as exc:
            raise TooLarge(f"{what} are more than can be read at once") from exc
        if answer.status in _TOLD:
            raise _refusal(answer, what, method)
        return answer


_MEANING: Final[Mapping[int, tuple[type[AgentError], str]]] = {
    401: (
        NeedsReauthorisation,
        "the cluster does not accept the token (401): it ended or was deleted; connect Kubernetes again",
    ),
    403: (NeedsReauthorisation, "this account may not {verb} {what} (403); a Role must permit it"),
    404: (BadArguments, "the cluster knows no {what} (404)"),
    409: (Conflict, "{what} changed meanwhile (409), so nothing was done"),
}


class _Expired(Exception):
    """The token of the next page is too old."""


def _refusal(answer: Answer, what: str, method: str) -> Exception:
    said, status = _message(answer), answer.status
    verb = "read" if method == "GET" else "change" if method == "PATCH" else "ask for"
    if status == 410 and method == "GET":
        return _Expired()
    if status == 400 and ("waiting to start" in said or "previous terminated" in said):
        waiting = "waiting to start" in said
        return NoSuchLog(f"{what}: {'it has not started' if waiting else 'it has no earlier run that is still kept'}")
    kind, told = _MEANING.get(status, (BadArguments, "the cluster refused to {verb} {what} ({status})"))
    return kind(told.format(verb=verb, what=what, status=status))


def _message(answer: Answer) -> str:
    try:
        document = read_json(answer.body)
    except ValueError:
        return ""
    return str(document.get("message", "")) if isinstance(document, dict) else ""
