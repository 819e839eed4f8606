"""What stands before every operation of the API: who calls, from which page, whether they may; and what is answered
when something is wrong.

A refusal is JSON with a closed word, a sentence and a reference id: no exception's text, nothing of what was sent.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Coroutine
from typing import Any, Final
from urllib.parse import urlsplit

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from agents.failure import log_failure
from agents.permission import Denied, Permission, check
from handlers.web.api_resource import PUBLIC, ApiCall, ApiContext, Missing, Operation, Problem
from handlers.web.credential import COOKIE, Bearer, by_cookie, by_token
from store import audit
from store.database.session import Database
from store.errors import StoreBusy, TenantFrozen
from store.people.sign_in import Origin
from store.secrets.redaction import Secret

log = logging.getLogger("autoheal.api")

MOST_BYTES: Final = 64 * 1024
"""Of one request's body."""
BODY_S: Final = 10.0
_READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})

UNKNOWN_CALLER: Final = Problem(401, "not_signed_in", "Sign in, or send an API token.")
FOREIGN_PAGE: Final = Problem(403, "foreign_origin", "This request does not come from this site's own pages.")
_TOO_LARGE: Final = Problem(413, "too_large", f"A request has at most {MOST_BYTES} bytes.")
_BROKEN_OFF: Final = Problem(400, "broken_off", "The request did not come in full.")
_TOO_SLOW: Final = Problem(408, "too_slow", "The request did not come in time.")
_NO_LENGTH: Final = Problem(411, "no_length", "A request with a body says its length.")
_SCOPE: Final = Problem(403, "scope", "This token's scopes do not cover that.")
_BROWSER_ONLY: Final = Problem(403, "browser_only", "That needs a person who signed in, not a token.")
_BUSY: Final = Problem(503, "busy", "Too much is going on at once. Try again in a moment.", retry_after_s=2)
_FROZEN: Final = Problem(403, "frozen", "This organisation is disconnected.")
_UNREADABLE: Final = Problem(422, "unreadable", "Some fields cannot be read.")
_FAILED: Final = (500, "failed", "Something went wrong inside Autoheal.")


def guarded(operation: Operation) -> type[APIRoute]:
    """The class of the route that serves this operation."""

    class Guarded(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            original = super().get_route_handler()

            async def handle(request: Request) -> Response:
                try:
                    return await _answer(request, operation, original)
                except Exception as exc:  # noqa: BLE001 -- the outer guard of a request
                    reference = log_failure(log, "api.failed", exc, operation=f"{operation.method} {operation.path}")
                    return say(Problem(*_FAILED), reference=reference)

            return handle

    return Guarded


async def _answer(
    request: Request, operation: Operation, original: Callable[[Request], Coroutine[Any, Any, Response]]
) -> Response:
    try:
        await read_body(request)
        await _admit(request, operation)
        return await original(request)
    except Missing as missing:
        await _record_refusal(request, operation, "unknown_id")
        return say(missing)
    except RequestValidationError as exc:
        return say(_UNREADABLE, fields=_wrong_fields(exc))
    except HTTPException as exc:
        return say(Problem(exc.status_code, "refused", "The request cannot be read."))
    except Problem as problem:
        return say(problem)
    except (StoreBusy, TenantFrozen) as exc:
        return say(_BUSY if isinstance(exc, StoreBusy) else _FROZEN)


def say(problem: Problem, *, reference: str | None = None, fields: list[dict[str, str]] | None = None) -> JSONResponse:
    """The refusal as an answer, logged under its reference."""
    if reference is None:
        reference = secrets.token_hex(4)
        log.info("refused %s", problem.code, extra={"action": "api.refused", "code": problem.code, "ref": reference})
    headers = {} if problem.retry_after_s is None else {"Retry-After": str(problem.retry_after_s)}
    error: dict[str, Any] = {"code": problem.code, "message": problem.message, "reference": reference}
    if fields is not None:
        error["fields"] = fields
    return JSONResponse({"error": error}, status_code=problem.status, headers=headers)


async def _admit(request: Request, operation: Operation) -> None:
    """Leaves the call in the request's state, or raises Problem. The body is here already: whoever holds it back could
    else act with rights that were taken meanwhile.
    """
    context: ApiContext = request.app.state.context
    origin = Origin(ip=request.client.host if request.client else "", user_agent=request.headers.get("user-agent", ""))
    if operation.access == PUBLIC:
        if operation.method not in _READING and is_foreign(request, context.public_url):
            raise FOREIGN_PAGE
        request.state.call = ApiCall(origin=origin)
        return
    bearer = await _bearer(request, context.db)
    if bearer is None:
        raise UNKNOWN_CALLER
    request.state.call = ApiCall(
        origin=origin, caller=bearer.person, session_id=bearer.session_id, token_id=bearer.token_id
    )
    if bearer.session_id and operation.method not in _READING and not _is_own(request, context.public_url):
        raise FOREIGN_PAGE
    if isinstance(denied := check(bearer.person.role, Permission(operation.access)), Denied):
        await _record_refusal(request, operation, "role")
        raise Problem(403, "role", denied.reason)
    if bearer.token_id and operation.in_browser_only:
        raise _BROWSER_ONLY
    if not bearer.covers(Permission(operation.access)):
        await _record_refusal(request, operation, "scope")
        raise _SCOPE


async def read_body(request: Request) -> bytes:
    """All of it, soon, and no more than is allowed. It stays with the request. Raises Problem."""
    _check_size(request)
    try:
        async with asyncio.timeout(BODY_S):
            body = await request.body()
    except TimeoutError:
        raise _TOO_SLOW from None
    except ClientDisconnect:
        raise _BROKEN_OFF from None
    if len(body) > MOST_BYTES:
        raise _TOO_LARGE
    return body


def _check_size(request: Request) -> None:
    """With both headers a server would believe the chunks, whatever the length says."""
    if "transfer-encoding" in request.headers:
        raise _NO_LENGTH
    length = request.headers.get("content-length")
    if length is None:
        return
    if not (length.isascii() and length.isdigit()) or len(length) > 9 or int(length) > MOST_BYTES:
        raise _TOO_LARGE


async def _bearer(request: Request, db: Database) -> Bearer | None:
    """A token where one is sent, else the cookie: never one after the other failed."""
    authorization = request.headers.get("authorization")
    if authorization is not None:
        scheme, _, token = authorization.partition(" ")
        return await by_token(db, Secret(token.strip())) if scheme.lower() == "bearer" else None
    cookie = request.cookies.get(COOKIE)
    return await by_cookie(db, Secret(cookie)) if cookie else None


def _is_own(request: Request, public_url: str | None) -> bool:
    """Whether a browser says that the request comes from our own page. One that says nothing is not believed."""
    said = "sec-fetch-site" in request.headers or "origin" in request.headers
    return said and not is_foreign(request, public_url)


def is_foreign(request: Request, public_url: str | None) -> bool:
    """Whether a browser says that another page sent this."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return True
    origin = request.headers.get("origin")
    if origin is None:
        return False
    if public_url is not None:
        return origin != "{0.scheme}://{0.netloc}".format(urlsplit(public_url))
    return urlsplit(origin).netloc != request.headers.get("host", "")


async def _record_refusal(request: Request, operation: Operation, reason: str) -> None:
    call: ApiCall = request.state.call
    if call.caller is None:
        return
    context: ApiContext = request.app.state.context
    async with context.db.tenant(call.caller.tenant_id) as s:
        await audit.record(
            s,
            actor=audit.Actor(type="user", id=call.caller.user_id),
            action=f"{call.source}.access.refused",
            target=call.caller.user_id,
            details={"reason": reason, "operation": f"{operation.method} {operation.path}"},
        )


_WRONG: Final = {
    "missing": "is missing",
    "extra_forbidden": "holds something that is not known here",
    "string_too_short": "is too short",
    "string_too_long": "is too long",
    "json_invalid": "is not JSON",
}


def _wrong_fields(exc: RequestValidationError) -> list[dict[str, str]]:
    """Which fields, and what kind of wrong: not pydantic's sentences, some of which quote the value."""
    fields = []
    for error in exc.errors():
        kind, place = str(error["type"]), [str(part) for part in error["loc"] if not isinstance(part, int)]
        if kind == "extra_forbidden":  # the last part is the caller's own word
            place = place[:-1]
        fields.append({"field": ".".join(place), "problem": _WRONG.get(kind, "cannot be read")})
    return fields
