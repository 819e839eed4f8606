"""Asks GitHub's REST API: proves who asks, follows pages, and says in words what a refusal means.

https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api -- a 404 may be a repository that the
credential may not see, a 403 a rate limit, a missing right, or an organisation that wants single sign-on. An
installation token of a GitHub App lasts an hour; it is renewed before that, by one caller for all.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from agents.connecting.connector import ConnectorContext
from agents.connecting.foreign_json import read_json
from agents.connecting.outbound import Answer
from agents.errors import BadArguments, NeedsReauthorisation, Unavailable
from store.secrets.redaction import Secret

VERSION: Final = "2022-11-28"
_RENEW_BEFORE: Final = timedelta(minutes=5)
_TOLD: Final = frozenset({401, 403, 404, 409, 410, 422, 429, 451})
_NEXT: Final = re.compile(r'<[^>]*[?&]page=([0-9]{1,9})[^>]*>;\s*rel="next"')
_PER_PAGE: Final = 100
_NUMBER: Final = re.compile(r"[0-9]{1,12}")


@dataclass(frozen=True, kw_only=True)
class _Token:
    secret: Secret
    ends: datetime
    permissions: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Listed:
    """Items of all pages that were read; `more` where there are further ones."""

    items: list[Any]
    more: bool


class GitHubClient:
    """One connection's. `app` is its App's id and installation id, where it is no plain token."""

    _live: ClassVar[dict[str, _Token]] = {}
    """Installation tokens of this process by a digest of what they were made with, so that they can be revoked."""

    def __init__(self, api: str, context: ConnectorContext, *, app: tuple[str, str] | None) -> None:
        self._api, self._context, self._app = api.rstrip("/"), context, app
        self._renewing = asyncio.Lock()

    async def get(
        self, path: str, params: Mapping[str, str] | None = None, *, what: str, timeout_s: float = 10.0
    ) -> Any:
        """One document. `what` names it for people. Raises as `Outbound`, with GitHub's own reasons."""
        return (await self._asked(path, params, what=what, timeout_s=timeout_s)).json()

    async def pages(
        self, path: str, params: Mapping[str, str], *, what: str, key: str = "", most_pages: int = 3
    ) -> Listed:
        """The items of the first pages, in GitHub's order. `key` is where a page keeps them; "" where it is a list."""
        items: list[Any] = []
        page = "1"
        for _ in range(most_pages):
            asked = {"per_page": str(_PER_PAGE), **params, **({"page": page} if page != "1" else {})}
            answer = await self._asked(path, asked, what=what)
            document = answer.json()
            found = document.get(key) if key and isinstance(document, dict) else document
            if not isinstance(found, list):
                raise Unavailable(f"GitHub answered {what} in a form that it does not document")
            items += found
            following = _NEXT.search(answer.headers.get("link", ""))
            if following is None:
                return Listed(items=items, more=False)
            page = following[1]  # only the number: the address of the next page is not followed
        return Listed(items=items, more=True)

    async def send(self, method: str, path: str, body: Any = None, *, what: str) -> Any:
        """Changes something at GitHub; sent once. The document of the answer, None where there is none. Raises as
        `get`, but BadArguments for a rate limit; Unavailable only where nobody knows what became of it.
        """
        content = None if body is None else json.dumps(body).encode()
        answer = await self._context.outbound.request(
            method,
            f"{self._api}{path}",
            headers={
                **self._headers(f"Bearer {await self._token()}"),
                **({"content-type": "application/json"} if content else {}),
            },
            content=content,
            accept=_TOLD,
            timeout_s=20.0,
        )
        if answer.status in (409, 422):
            raise BadArguments(f"GitHub refused {what} ({answer.status}): {await self._reason(answer)}")
        if answer.status in _TOLD:
            found = refusal(answer, what, now=self._context.now(), verb="do")
            if isinstance(found, Unavailable):  # a rate limit: refused for certain, not an answer that stayed away
                raise BadArguments(f"{str(found).partition(';')[0]}: {what} was not done")
            raise found
        return answer.json() if answer.body.strip() else None

    async def granted(self) -> Mapping[str, str] | None:
        """The rights of an App's installation as GitHub lists them; None of a plain token, whose rights it does not."""
        if self._app is None:
            return None
        await self._token()
        return self._live[self._key()].permissions

    async def _reason(self, answer: Answer) -> str:
        return (await self._context.clean(_message(answer)))[:200] or "no reason given"

    async def end(self) -> None:
        """The installation token is revoked, if there is one. Safe to repeat."""
        live = self._live.pop(self._key(), None)
        if live is not None and live.ends > self._context.now():
            headers = self._headers(f"Bearer {live.secret.reveal()}")
            await self._context.outbound.request(
                "DELETE", f"{self._api}/installation/token", headers=headers, accept={401, 404}
            )

    async def end_plain(self) -> None:
        """The plain token is reported to GitHub as one to revoke, which needs no right beside having it."""
        body = json.dumps({"credentials": [self._context.credentials["token"].reveal()]}).encode()
        headers = {**self._headers(""), "content-type": "application/json"}
        headers.pop("authorization")
        await self._context.outbound.request("POST", f"{self._api}/credentials/revoke", headers=headers, content=body)

    async def _asked(
        self, path: str, params: Mapping[str, str] | None, *, what: str, timeout_s: float = 10.0
    ) -> Answer:
        answer = await self._once(path, params, timeout_s)
        if answer.status == 401 and self._app is not None:  # revoked before its hour was over
            self._live.pop(self._key(), None)
            answer = await self._once(path, params, timeout_s)
        if answer.status in _TOLD:
            raise refusal(answer, what, now=self._context.now())
        return answer

    async def _once(self, path: str, params: Mapping[str, str] | None, timeout_s: float) -> Answer:
        return await self._context.outbound.get(
            f"{self._api}{path}",
            params=params,
            headers=self._headers(f"Bearer {await self._token()}"),
            accept=_TOLD,
            timeout_s=timeout_s,
            max_bytes=32_000_000,
        )

    async def _token(self) -> str:
        if self._app is None:
            return self._context.credentials["token"].reveal()
        async with self._renewing:
            live = self._live.get(self._key())
            if live is None or live.ends - self._context.now() < _RENEW_BEFORE:
                live = self._live[self._key()] = await self._renewed(*self._app)
        return live.secret.reveal()

    async def _renewed(self, app_id: str, installation: str) -> _Token:
        """https://docs.github.com/en/rest/apps/apps#create-an-installation-access-token-for-an-app"""
        signed = signed_by_app(app_id, self._context.credentials["private_key"], self._context.now())
        answer = await self._context.outbound.request(
            "POST",
            f"{self._api}/app/installations/{installation}/access_tokens",
            headers=self._headers(f"Bearer {signed}"),
            accept=_TOLD,
        )
        if answer.status == 404:
            raise NeedsReauthorisation(
                f"GitHub knows no installation {installation} of App {app_id}: the number stands at the end of the "
                "installation's address, under the settings of the organisation"
            )
        if answer.status == 401:
            raise NeedsReauthorisation(
                f"GitHub did not accept the private key for App {app_id}: make a new one in the App's settings"
            )
        if answer.status in _TOLD:
            raise refusal(answer, "an installation token", now=self._context.now())
        try:
            document = answer.json()
            ends = datetime.fromisoformat(str(document["expires_at"]))
            rights = {str(name): str(value) for name, value in (document.get("permissions") or {}).items()}
            return _Token(secret=Secret(str(document["token"])), ends=ends.astimezone(UTC), permissions=rights)
        except (KeyError, ValueError, TypeError, AttributeError) as exc:
            raise Unavailable("GitHub answered the request for a token in a form that it does not document") from exc

    def _headers(self, authorization: str) -> dict[str, str]:
        return {
            "accept": "application/vnd.github+json",
            "x-github-api-version": VERSION,
            "authorization": authorization,
        }

    def _key(self) -> str:
        if self._app is None:
            return ""
        made_with = "\0".join((self._api, *self._app, self._context.credentials["private_key"].reveal()))
        return hashlib.sha256(made_with.encode()).hexdigest()


def signed_by_app(app_id: str, private_key: Secret, now: datetime) -> str:
    """The App's own proof: a token that it signed itself, for nine minutes. Raises NeedsReauthorisation for a key that
    is none. https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app
    """
    try:
        key = load_pem_private_key(private_key.reveal().encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise NeedsReauthorisation(
            "the private key cannot be read: paste the whole .pem file that GitHub gave, from BEGIN to END"
        )
    issued = int(now.timestamp()) - 60  # clocks differ
    head = {"alg": "RS256", "typ": "JWT"}
    claims = {"iat": issued, "exp": issued + 600, "iss": app_id}
    unsigned = b".".join(_url_safe(json.dumps(part, separators=(",", ":")).encode()) for part in (head, claims))
    return b".".join((unsigned, _url_safe(key.sign(unsigned, padding.PKCS1v15(), SHA256())))).decode()


def refusal(answer: Answer, what: str, *, now: datetime, verb: str = "read") -> Exception:
    """What GitHub's refusal means, and what to do."""
    headers = answer.headers
    said = _message(answer)
    limited = headers.get("x-ratelimit-remaining") == "0" or "rate limit" in said.lower() or "retry-after" in headers
    if answer.status == 429 or (answer.status == 403 and limited):
        return Unavailable(f"GitHub's rate limit is used up{_until(headers, now)}; {what} could not be read")
    if answer.status == 401:
        return NeedsReauthorisation(
            "GitHub does not accept the credential (401): it ended or was revoked; connect GitHub again"
        )
    if answer.status == 403 and "required" in headers.get("x-github-sso", ""):
        return NeedsReauthorisation(
            f"the organisation wants single sign-on before it shows {what}: authorise the token for it at GitHub, "
            "under Settings, Developer settings, Personal access tokens, Configure SSO"
        )
    if answer.status == 403:
        needed = headers.get("x-accepted-github-permissions", "")
        right = f", it lacks {needed.replace('=', ':')}" if needed else ""
        return NeedsReauthorisation(f"the credential may not {verb} {what} (403){right}")
    return _plain_refusal(answer.status, what)


def _plain_refusal(status: int, what: str) -> Exception:
    if status in {404, 410, 451}:
        return BadArguments(f"GitHub shows no {what} to this credential ({status}): there is none, or no right")
    if status == 409:
        return BadArguments(f"GitHub has no {what}: the repository is empty (409)")
    return BadArguments(f"GitHub refused the question for {what} ({status})")


def _until(headers: Mapping[str, str], now: datetime) -> str:
    if _NUMBER.fullmatch(wait := headers.get("retry-after", "")):
        return f" for {int(wait)} s"
    reset = headers.get("x-ratelimit-reset", "")
    if _NUMBER.fullmatch(reset) and 0 <= (left := int(reset) - now.timestamp()) < 86_400:
        return f" until {now + timedelta(seconds=left):%H:%M} UTC"
    return ""


def _message(answer: Answer) -> str:
    try:
        document = read_json(answer.body)
    except ValueError:
        return ""
    return str(document.get("message", "")) if isinstance(document, dict) else ""


def _url_safe(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")
