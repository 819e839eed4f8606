"""Slack's side of the process: one handler for everything, over Socket Mode or signed HTTP.

Bolt keeps the web socket and reads the formats; the rest is ours: over HTTP the signature is checked on the bytes as
they came, before anything is parsed, and a refusal is recorded; each payload goes to the intake, where many listeners
would match it in turn, and authorisation asks Slack nothing.
https://docs.slack.dev/authentication/verifying-requests-from-slack/
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final, Literal

import aiohttp
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.adapter.starlette.async_handler import to_async_bolt_request, to_starlette_response
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.context.async_context import AsyncBoltContext
from slack_bolt.middleware.async_middleware import AsyncMiddleware
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse
from slack_sdk.errors import SlackApiError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from agents.failure import log_failure
from bot.slack_clients import SlackNotReady, guarded_session, make_client
from bot.waiting import absence
from handlers.slack.inbound.intake import ArrivalRefused, Intake
from store.secrets.redaction import Secret

EVENTS_PATH: Final = "/slack/events"
MOST_BYTES: Final = 1_000_000
"""Of one request. Slack's largest, a modal with its state, stays far below."""
BODY_S: Final = 10.0
_MOST_CHALLENGE: Final = 200
_OLDEST_S: Final = 300
log: Final = logging.getLogger("autoheal.slack")
_LOGGER: Final = logging.getLogger("autoheal.bolt")

Next = Callable[[], Awaitable[BoltResponse]]


Verdict = Literal["good", "stale", "forged"]


def check_signature(secret: Secret, *, timestamp: str, signature: str, body: bytes, now: float) -> Verdict:
    """Slack's v0 signature over the bytes as they came. `now` is epoch seconds. Stale means rightly signed, but more
    than five minutes away from now.
    """
    if not timestamp.isascii() or not timestamp.isdigit() or len(timestamp) > 12 or not signature.isascii():
        return "forged"
    base = f"v0:{timestamp}:".encode() + body
    expected = "v0=" + hmac.new(secret.reveal().encode(), base, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected, signature):
        return "forged"
    return "good" if abs(now - int(timestamp)) <= _OLDEST_S else "stale"


class SlackApp(AsyncApp):
    """Bolt's app, and what the HTTP route needs, which leaves Bolt's own middleware out: it trusts what it is sent."""

    intake: Intake
    verify: Callable[[Request, bytes], Verdict]
    hand_over: HandOver


def verifier(secret: Secret | None, clock: Callable[[], float]) -> Callable[[Request, bytes], Verdict]:
    """Without a secret everything is forged."""

    def verify(request: Request, body: bytes) -> Verdict:
        if secret is None or not secret.reveal():
            return "forged"
        return check_signature(
            secret,
            timestamp=request.headers.get("x-slack-request-timestamp", ""),
            signature=request.headers.get("x-slack-signature", ""),
            body=body,
            now=clock(),
        )

    return verify


class HandOver(AsyncMiddleware):
    """The one handler: gives the payload to the intake and answers Slack as soon as it is written down."""

    def __init__(self, intake: Intake, acknowledged: Callable[[float], None]) -> None:
        self._intake = intake
        self._acknowledged = acknowledged

    async def async_process(self, *, req: AsyncBoltRequest, resp: BoltResponse, next: Next) -> BoltResponse | None:  # noqa: A002, ARG002 - Bolt's names
        return await self.answer(req)

    async def answer(self, req: AsyncBoltRequest) -> BoltResponse:
        started = time.perf_counter()
        answer = await self.take(req)
        self._acknowledged(time.perf_counter() - started)
        return answer

    async def take(self, req: AsyncBoltRequest) -> BoltResponse:
        taken = await self._intake.take(
            req.body,
            over_http=req.mode != "socket_mode",
            is_retry=bool(_header(req, "x-slack-retry-num")),
        )
        if isinstance(taken, ArrivalRefused):
            if taken.reason == "replayed":
                return BoltResponse(status=401, body="")
            if "command" in req.body:
                return BoltResponse(status=200, body={"response_type": "ephemeral", "text": _REFUSED[taken.reason]})
        # What cannot be read now cannot be read later either: a repetition would not help.
        return BoltResponse(status=200, body="")


_REFUSED: Final = {
    "unknown_workspace": "Autoheal is not connected to this workspace. Ask an admin to install it again.",
    "unreadable": "I could not read that. Please try again.",
    "unredactable": "I could not make that safe to store, so I did not keep it. Please write it in another way.",
}


def build_app(
    *,
    intake: Intake,
    session: aiohttp.ClientSession,
    api_url: str,
    signing_secret: Secret | None,
    clock: Callable[[], float],
    acknowledged: Callable[[float], None] = lambda _seconds: None,
) -> SlackApp:
    """`clock` is epoch seconds; `acknowledged` is told how many seconds each acknowledgement took.

    Without a signing secret every HTTP request is refused, as Socket Mode needs none.
    """
    app = SlackApp(
        name="autoheal",
        logger=_LOGGER,
        client=make_client(session, api_url, None),
        signing_secret="",
        authorize=_authorize,
        request_verification_enabled=False,  # the route does it before anything is parsed, and records what it refuses
        ignoring_self_events_enabled=False,  # the intake knows its own bot user
        attaching_function_token_enabled=False,
        attaching_conversation_kwargs_enabled=False,
    )
    app.intake, app.verify = intake, verifier(signing_secret, clock)
    app.hand_over = HandOver(intake, acknowledged)
    app.use(app.hand_over)
    return app


async def _authorize(context: AsyncBoltContext, enterprise_id: str | None, team_id: str | None) -> AuthorizeResult:  # noqa: ARG001 - Bolt passes by name
    """The intake looks up the workspace; nothing is asked of Slack and no token is read for an acknowledgement."""
    return AuthorizeResult(enterprise_id=enterprise_id, team_id=team_id)


def routes(app: SlackApp) -> list[Route]:
    """For HTTP mode: one address for events, interactivity and commands."""

    async def receive(request: Request) -> Response:
        length = request.headers.get("content-length", "")
        if "transfer-encoding" in request.headers or not length.isdecimal() or len(length) > 9:
            return Response(status_code=413)  # chunks would be believed, whatever the length says
        if int(length) > MOST_BYTES:
            return Response(status_code=413)
        try:
            async with asyncio.timeout(BODY_S):
                raw = await request.body()
        except (TimeoutError, ClientDisconnect):
            return Response(status_code=408)
        return await _answer(app, request, raw)

    return [Route(EVENTS_PATH, receive, methods=["POST"])]


async def _answer(app: SlackApp, request: Request, raw: bytes) -> Response:
    """Who sent it comes first: no parser sees what Slack did not sign."""
    verdict = app.verify(request, raw)
    if verdict == "forged":
        await app.intake.refuse_unverified("forged", None)
        return Response(status_code=401)
    try:
        read = to_async_bolt_request(request, raw)
        body: object = read.body
    except (ValueError, RecursionError, TypeError, AttributeError, LookupError):
        body = None
    if not isinstance(body, dict):
        app.intake.refuse_unreadable()
        return Response(status_code=400)
    if verdict == "stale":
        await app.intake.refuse_unverified("stale", body)
        return Response(status_code=401)
    if body.get("type") == "url_verification":
        return JSONResponse({"challenge": str(body.get("challenge", ""))[:_MOST_CHALLENGE]})
    try:
        return to_starlette_response(await app.hand_over.answer(read))
    except Exception as exc:  # noqa: BLE001 -- the outer guard of an entry point: Slack delivers it again
        log_failure(log, "slack.not_taken", exc)
        return Response(status_code=500)


class SocketMode:
    """Slack over a web socket that this side opens: no public address is needed."""

    def __init__(self, app: AsyncApp, *, app_token: Secret, session: aiohttp.ClientSession, api_url: str) -> None:
        self._app = app
        self._app_token = app_token
        self._session = session
        self._api_url = api_url
        self._handler: AsyncSocketModeHandler | None = None

    async def start(self) -> None:
        """Returns once connected; reconnects by itself. Raises SlackNotReady when Slack refuses the app token, and
        SlackApiError where it is only busy or away.
        """
        web = make_client(self._session, self._api_url, None)
        try:  # the handler would retry a refusal for ever
            await web.apps_connections_open(app_token=self._app_token.reveal())
        except SlackApiError as exc:
            if absence(exc) is not None:
                raise
            code = exc.response.get("error")
            raise SlackNotReady(
                f"SLACK_APP_TOKEN was refused by Slack ({code}): generate an App-Level Token with connections:write, "
                "with Socket Mode on, and set it again"
            ) from exc
        handler = AsyncSocketModeHandler(self._app, self._app_token.reveal(), logger=_LOGGER, web_client=web)
        handler.client.proxy = web.proxy
        unguarded, handler.client.aiohttp_client_session = (
            handler.client.aiohttp_client_session,
            guarded_session(self._api_url),
        )
        await unguarded.close()
        self._handler = handler
        await handler.connect_async()  # type: ignore[no-untyped-call] # Bolt leaves it untyped

    async def is_connected(self) -> bool:
        """For health checks."""
        return self._handler is not None and await self._handler.client.is_connected()

    async def stop(self) -> None:
        """Takes nothing more; what was taken is in the inbox."""
        if self._handler is not None:
            await self._handler.close_async()  # type: ignore[no-untyped-call] # Bolt leaves it untyped
            self._handler = None


def _header(req: AsyncBoltRequest, name: str) -> str:
    values = req.headers.get(name)
    return values[0] if values else ""
