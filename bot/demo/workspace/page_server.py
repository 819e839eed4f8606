"""Serves the page to the person at this machine, and to nobody else.

A web site open in the same browser can send requests to 127.0.0.1 too (DNS rebinding, cross-site POST). So the Host and
Origin headers are checked, and each start makes a token that only the printed address carries.
"""

import asyncio
import hmac
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from aiohttp import web

from bot.demo.workspace.interactions import ImpossibleInSlack
from bot.demo.workspace.model import AgentSession, Channel, Json, StoredMessage, StoredView, WorkspaceUser
from bot.demo.workspace.people import WorkspacePeople
from bot.demo.workspace.seed import BOT_USER_ID, TEAM_NAME
from bot.demo.workspace.state import UnknownName, WorkspaceState

PAGE = Path(__file__).parent / "page"
CONTENT_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def local_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse what was not addressed to this machine by its own name, or comes from another site's page."""
    port = request.url.port
    hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}
    origin = request.headers.get("Origin")
    if request.host not in hosts or (origin is not None and origin != f"http://{request.host}"):
        return web.Response(status=403, text="This workspace answers only to the machine that it runs on.")
    return await handler(request)


class PageServer:
    def __init__(
        self, people: WorkspacePeople, state: WorkspaceState, *, token: str, connections: Callable[[], int]
    ) -> None:
        """`token` admits a browser; `connections` counts those of the app."""
        self._people = people
        self._state = state
        self._token = token
        self._connections = connections
        self._queues: dict[web.WebSocketResponse, asyncio.Queue[str]] = {}

    def add_routes(self, app: web.Application) -> None:
        app.router.add_get("/", self._index)
        app.router.add_get("/archives/{channel}/{message}", self._index)
        app.router.add_get("/page/live", self._live)
        app.router.add_get("/page/{name}", self._file)
        app.router.add_post("/page/act", self._act)

    @property
    def _cookie(self) -> str:
        return f"workspace_{self._state.origin.rpartition(':')[2]}"

    def _knows(self, token: str) -> bool:
        return hmac.compare_digest(token.encode(), self._token.encode())

    def _admitted(self, request: web.Request) -> bool:
        return self._knows(request.cookies.get(self._cookie, ""))

    async def _index(self, request: web.Request) -> web.StreamResponse:
        if self._knows(request.query.get("token", "")):
            response = web.Response(status=302, headers={"Location": request.path, **HEADERS})
            response.set_cookie(self._cookie, self._token, httponly=True, samesite="Strict")
            return response
        if not self._admitted(request):
            return web.Response(status=403, text="Open the address that was printed at the start; it carries a token.")
        return web.Response(text=(PAGE / "index.html").read_text(), content_type="text/html", headers=HEADERS)

    async def _file(self, request: web.Request) -> web.StreamResponse:
        file = next((one for one in PAGE.iterdir() if one.name == request.match_info["name"]), None)
        if not self._admitted(request) or file is None or file.suffix not in CONTENT_TYPES:
            return web.Response(status=404)
        return web.Response(text=file.read_text(), content_type=CONTENT_TYPES[file.suffix], headers=HEADERS)

    async def _live(self, request: web.Request) -> web.StreamResponse:
        """A websocket: first the whole state, then each change."""
        if not self._admitted(request):
            return web.Response(status=403)
        socket = web.WebSocketResponse(heartbeat=20)
        await socket.prepare(request)
        queue: asyncio.Queue[str] = asyncio.Queue()
        queue.put_nowait(json.dumps({"kind": "snapshot", **self._snapshot()}))
        self._queues[socket] = queue
        writer = asyncio.ensure_future(_forward(queue, socket))
        try:
            async for _ in socket:
                pass
        finally:
            del self._queues[socket]
            writer.cancel()
        return socket

    async def _act(self, request: web.Request) -> web.StreamResponse:
        """What the person does on the page; answers `{"ok": false, "error": ...}` when nobody could do it."""
        if not self._admitted(request) or request.content_type != "application/json":
            return web.Response(status=403)
        try:
            result = await self._perform(await request.json())
        except (ImpossibleInSlack, UnknownName) as exc:
            return web.json_response({"ok": False, "error": str(exc)})
        except (KeyError, TypeError, ValueError):
            return web.Response(status=400)
        return web.json_response({"ok": True, **result})

    async def _perform(self, act: Json) -> Json:
        people, person = self._people, str(act["as"])
        match act["action"]:
            case "post":
                return {"ts": await people.post(person, act["channel"], act["text"], act.get("thread_ts"))}
            case "slash":
                ack = await people.slash(person, act["channel"], act["text"], act.get("thread_ts"))
            case "click":
                ack = await people.click(person, act["ts"], act["action_id"], value=act.get("value"))
            case "submit":
                ack = await people.submit_view(person, act["view"], act["values"])
            case "close":
                ack = await people.close_view(person, act["view"])
            case "stop":
                await people.stop_session(person, act["channel"], act["thread_ts"])
                return {}
            case "home":
                await people.open_home(person, act["tab"])
                return {}
            case other:
                raise ValueError(other)
        return {"acked": ack.acked}

    def publish(self, kind: str, data: Json) -> None:
        if self._queues and kind != "call":
            text = json.dumps({"kind": kind, **{name: _shape(value) for name, value in data.items()}})
            for queue in self._queues.values():
                queue.put_nowait(text)

    def _snapshot(self) -> Json:
        state = self._state
        messages = [one for channel in state.channels for one in state.messages(channel)]
        return {
            "team": TEAM_NAME,
            "app": {
                "name": state.app.name,
                "user": BOT_USER_ID,
                "home_tab": state.app.home_tab,
                "prompts": [dict(one) for one in state.app.suggested_prompts],
            },
            "users": [_shape(user) for user in state.users.values()],
            "channels": [_shape(channel) for channel in state.channels.values()],
            "messages": [_shape(message) for message in messages],
            "views": [_shape(view) for view in [*state.views.values(), *state.homes.values()]],
            "statuses": [
                {"channel": channel, "thread_ts": thread, "text": state.status(channel, thread)}
                for channel, thread in state.statuses
            ],
            "sessions": [_shape(session) for session in state.sessions.values()],
            "stoppable": "agent_session_stopped" in state.app.events,
            "connections": self._connections(),
            "prompts": state.prompts,
            "commands": [
                {"name": one.name, "description": one.description, "usage_hint": one.usage_hint}
                for one in state.app.commands.values()
            ],
        }

    async def close(self) -> None:
        for socket in list(self._queues):
            await socket.close(code=1001)


async def _forward(queue: "asyncio.Queue[str]", socket: web.WebSocketResponse) -> None:
    while True:
        text = await queue.get()
        if socket.closed:
            return
        await socket.send_str(text)


def _shape(value: Any) -> Any:
    """What the page is told of a thing; plain values stay as they are."""
    match value:
        case StoredMessage():
            return {
                "channel": value.channel,
                "ts": value.ts,
                "thread_ts": value.thread_ts,
                "user": value.user,
                "text": value.text,
                "blocks": value.all_blocks,
                "attachments": value.attachments,
                "bot": value.bot_id is not None,
                "ephemeral_for": value.ephemeral_for,
                "edited": value.edits > 0,
                "streaming": value.streaming == "streaming",
                "reactions": value.reactions,
                "broadcast": value.broadcast,
            }
        case AgentSession():
            return {
                "channel": value.channel,
                "thread_ts": value.thread_ts,
                "status": value.status,
                "title": value.title,
            }
        case StoredView():
            return {
                "id": value.id,
                "user": value.user,
                "hash": value.hash,
                "view": value.view,
                "errors": value.errors,
            }
        case WorkspaceUser():
            return {
                "id": value.id,
                "name": value.name,
                "real_name": value.real_name,
                "title": value.title,
                "color": value.color,
                "bot": value.is_bot,
                "guest": value.is_restricted,
                "stranger": value.is_stranger,
            }
        case Channel():
            return {
                "id": value.id,
                "name": value.name,
                "topic": value.topic,
                "im": value.is_im,
                "user": value.user,
                "ext": value.is_ext_shared,
                "private": value.is_private,
                "members": sorted(value.members),
            }
    return value
