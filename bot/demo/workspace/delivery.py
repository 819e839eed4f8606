"""How requests reach the app: over Socket Mode websockets or signed HTTP POSTs, with Slack's 3 s and its retries.

https://docs.slack.dev/apis/events-api/using-socket-mode and https://docs.slack.dev/apis/events-api (retries)
"""

import asyncio
import contextlib
import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass
from typing import Any, Literal, Protocol
from urllib.parse import urlencode

import aiohttp
from aiohttp import web

from bot.demo.workspace.clock import Clock
from bot.demo.workspace.model import Ack, Json
from bot.demo.workspace.seed import APP_ID
from bot.demo.workspace.state import WorkspaceState

Kind = Literal["events_api", "slash_commands", "interactive"]

ACK_TIMEOUT_S = 3.0
RETRY_DELAYS_S = (0.0, 60.0, 300.0)
TICKET_LIFETIME_S = 30.0


@dataclass(frozen=True, kw_only=True)
class Retry:
    """The how-manieth retry, and why: `timeout` or `http_error` and the like."""

    number: int
    reason: str


class EventDelivery(Protocol):
    async def send(self, kind: Kind, payload: Json, retry: Retry | None = None) -> Ack:
        """Deliver once and wait at most 3 s of the workspace's clock for the answer."""
        ...

    async def close(self) -> None: ...


async def within(clock: Clock, seconds: float, work: "asyncio.Future[Ack]") -> Ack | None:
    """The result of `work`, or None once `seconds` of the workspace's clock have passed."""
    timer = asyncio.ensure_future(clock.sleep(seconds))
    waits: set[asyncio.Future[Any]] = {work, timer}
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        return work.result() if work.done() else None
    finally:
        work.cancel()
        timer.cancel()


@dataclass(frozen=True, kw_only=True)
class _Connection:
    socket: web.WebSocketResponse
    transport: asyncio.WriteTransport | None


class SocketDelivery:
    def __init__(self, state: WorkspaceState) -> None:
        self._state = state
        self._tickets: dict[str, float] = {}
        self._connections: list[_Connection] = []
        self._waiting: dict[str, asyncio.Future[Ack]] = {}
        self._turn = 0

    @property
    def connected(self) -> int:
        return len(self._connections)

    def new_url(self) -> str:
        ticket = secrets.token_urlsafe(24)
        self._tickets[ticket] = self._state.clock.time() + TICKET_LIFETIME_S
        return f"{self._state.origin.replace('http', 'ws', 1)}/socket/{ticket}"

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """One connection, from hello until it closes. A ticket opens one connection."""
        if self._tickets.pop(request.match_info["ticket"], 0.0) < self._state.clock.time():
            return web.json_response({"ok": False, "error": "invalid_ticket"}, status=404)
        socket = web.WebSocketResponse(heartbeat=10)
        await socket.prepare(request)
        connection = _Connection(socket=socket, transport=request.transport)
        self._connections.append(connection)
        await socket.send_json(
            {
                "type": "hello",
                "num_connections": len(self._connections),
                "connection_info": {"app_id": APP_ID},
                "debug_info": {"host": "local", "approximate_connection_time": 3600},
            }
        )
        self._state.announce("connections", {"count": len(self._connections)})
        try:
            async for message in socket:
                if message.type is aiohttp.WSMsgType.TEXT:
                    self._receive(message.data)
        finally:
            self._connections.remove(connection)
            self._state.announce("connections", {"count": len(self._connections)})
        return socket

    def _receive(self, text: str) -> None:
        try:
            answer = json.loads(text)
        except ValueError:
            answer = None
        if not isinstance(answer, dict) or "envelope_id" not in answer:
            self._state.refuse("delivery", "not_an_acknowledgement", (text[:200],))
            return
        waiting = self._waiting.get(answer["envelope_id"])
        if waiting and not waiting.done():
            waiting.set_result(Ack(acked=True, payload=answer.get("payload") or None))

    async def send(self, kind: Kind, payload: Json, retry: Retry | None = None) -> Ack:
        if not self._connections:
            return Ack(acked=False, error="no_connection")
        self._turn += 1
        connection = self._connections[self._turn % len(self._connections)]
        envelope: Json = {
            "envelope_id": secrets.token_hex(16),
            "type": kind,
            "payload": payload,
            "accepts_response_payload": kind != "events_api",
        }
        if kind == "events_api":
            envelope |= {"retry_attempt": retry.number if retry else 0, "retry_reason": retry.reason if retry else ""}
        answer: asyncio.Future[Ack] = asyncio.get_running_loop().create_future()
        self._waiting[envelope["envelope_id"]] = answer
        try:
            await connection.socket.send_json(envelope)
            return await within(self._state.clock, ACK_TIMEOUT_S, answer) or Ack(acked=False, error="timeout")
        except (ConnectionError, aiohttp.ClientConnectionError):
            return Ack(acked=False, error="connection_failed")
        finally:
            del self._waiting[envelope["envelope_id"]]

    async def refresh(self) -> None:
        """Ask every connection to reconnect, as Slack does about once an hour."""
        for connection in list(self._connections):
            await connection.socket.send_json({"type": "disconnect", "reason": "refresh_requested", "debug_info": {}})

    def drop(self) -> None:
        for connection in list(self._connections):
            if connection.transport:
                connection.transport.abort()

    async def close(self) -> None:
        for connection in list(self._connections):
            with contextlib.suppress(ConnectionError):
                await connection.socket.close(code=1001)


class HttpDelivery:
    def __init__(self, state: WorkspaceState, *, url: str, signing_secret: str) -> None:
        self._state = state
        self._url = url
        self._secret = signing_secret
        self._session = aiohttp.ClientSession()

    def headers(self, body: str, content_type: str, retry: Retry | None) -> dict[str, str]:
        """https://docs.slack.dev/authentication/verifying-requests-from-slack"""
        timestamp = str(int(self._state.clock.time()))
        signature = hmac.new(self._secret.encode(), f"v0:{timestamp}:{body}".encode(), hashlib.sha256).hexdigest()
        headers = {
            "Content-Type": content_type,
            "X-Slack-Request-Timestamp": timestamp,
            "X-Slack-Signature": f"v0={signature}",
            "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
        }
        if retry:
            headers |= {"X-Slack-Retry-Num": str(retry.number), "X-Slack-Retry-Reason": retry.reason}
        return headers

    async def send(self, kind: Kind, payload: Json, retry: Retry | None = None) -> Ack:
        form = "application/x-www-form-urlencoded"
        match kind:
            case "events_api":
                body, content_type = json.dumps(payload), "application/json"
            case "slash_commands":
                body, content_type = urlencode(payload), form
            case _:
                body, content_type = urlencode({"payload": json.dumps(payload)}), form
        posting = asyncio.ensure_future(self._post(body, self.headers(body, content_type, retry)))
        return await within(self._state.clock, ACK_TIMEOUT_S, posting) or Ack(acked=False, error="http_timeout")

    async def _post(self, body: str, headers: dict[str, str]) -> Ack:
        try:
            async with self._session.post(self._url, data=body.encode(), headers=headers) as response:
                text = await response.text()
                if response.status != 200:
                    final = response.headers.get("X-Slack-No-Retry") == "1"
                    return Ack(acked=False, error="no_retry" if final else "http_error")
        except aiohttp.ClientError:
            return Ack(acked=False, error="connection_failed")
        return Ack(acked=True, payload=_payload(text))

    async def challenge(self) -> bool:
        """The `url_verification` handshake: True when the app returned the challenge."""
        challenge = secrets.token_hex(20)
        ack = await self.send("events_api", {"type": "url_verification", "token": "local", "challenge": challenge})
        return bool(ack.acked and ack.payload and challenge in (ack.payload.get("challenge"), ack.payload.get("text")))

    async def close(self) -> None:
        await self._session.close()


def _payload(text: str) -> Json | None:
    """A JSON object as it is, other text as the text of a reply, nothing as None."""
    if not text.strip():
        return None
    try:
        parsed = json.loads(text)
    except ValueError:
        return {"text": text}
    return parsed if isinstance(parsed, dict) and parsed else None
