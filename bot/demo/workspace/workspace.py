"""A workspace that speaks Slack's protocols on 127.0.0.1, for the demo and for tests.

It is stricter than Slack: it refuses unknown methods and arguments, invalid or over-long blocks, and whatever the
manifest does not name. All that it refused is in `violations`. People act through the methods below or on the page.
"""

import asyncio
import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Literal, TypeVar

from aiohttp import web

from bot.demo.workspace.clock import Clock, SystemClock
from bot.demo.workspace.delivery import HttpDelivery, SocketDelivery
from bot.demo.workspace.events import WorkspaceEvents
from bot.demo.workspace.faults import Faults
from bot.demo.workspace.interactions import Interactions
from bot.demo.workspace.manifest import ManifestError, read_manifest
from bot.demo.workspace.method import Context
from bot.demo.workspace.model import (
    AgentSession,
    Channel,
    Json,
    StoredMessage,
    StoredView,
    Violation,
    WebApiCall,
    WorkspaceUser,
)
from bot.demo.workspace.page_server import PageServer, local_only
from bot.demo.workspace.people import WorkspacePeople
from bot.demo.workspace.seed import BOT_USER_ID, TEAM_ID
from bot.demo.workspace.state import WorkspaceState
from bot.demo.workspace.web_api import WebApi

T = TypeVar("T")


class Workspace(WorkspacePeople):
    """Start it, point an app's `base_url` at `api_url` with `bot_token`, and act as its people."""

    def __init__(
        self,
        manifest: Mapping[str, Any],
        *,
        clock: Clock | None = None,
        port: int = 0,
        delivery: Literal["socket", "http"] = "socket",
        request_url: str | None = None,
        signing_secret: str | None = None,
    ) -> None:
        """`port` 0 takes a free one. `request_url` is where `delivery="http"` posts to. Raises ManifestError."""
        app = read_manifest(manifest)
        if delivery == "socket" and not app.socket_mode:
            raise ManifestError("settings.socket_mode_enabled must be true for delivery over Socket Mode")
        if delivery == "http" and not request_url:
            raise ManifestError("delivery over HTTP needs the app's request_url")
        self.signing_secret = signing_secret or secrets.token_hex(16)
        self.page_token = secrets.token_urlsafe(18)
        self._port = port
        self._request_url = request_url if delivery == "http" else None
        self._state = WorkspaceState(app=app, clock=clock or SystemClock())
        self.faults = Faults(close_connections=self._drop_connections, end_streams=self._end_streams)
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listen on 127.0.0.1 and be ready for the app."""
        state = self._state
        self._delivery: SocketDelivery | HttpDelivery
        if self._request_url:
            self._delivery = HttpDelivery(state, url=self._request_url, signing_secret=self.signing_secret)
        else:
            self._delivery = SocketDelivery(state)
        self._events = WorkspaceEvents(state=state, faults=self.faults, delivery=self._delivery)
        self._context = Context(state=state, events=self._events)
        self._interactions = Interactions(context=self._context, delivery=self._delivery)
        self._page = PageServer(self, state, token=self.page_token, connections=lambda: self.connections)
        state.listeners.append(self._page.publish)
        app = web.Application(middlewares=[local_only], client_max_size=4 * 1024 * 1024)
        api = WebApi(self._context, self.faults)
        app.router.add_route("*", "/api/{method}", api.handle)
        app.router.add_post("/response/{key}", self._interactions.respond)
        if isinstance(self._delivery, SocketDelivery):
            app.router.add_get("/socket/{ticket}", self._delivery.handle)
        self._page.add_routes(app)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port)
        await site.start()
        self._port = self._runner.addresses[0][1]
        state.origin = f"http://127.0.0.1:{self._port}"

    async def stop(self) -> None:
        """Close every connection and task; nothing listens afterwards. May be called twice."""
        if self._runner is None:
            return
        await self._events.close()
        await self._page.close()
        await self._delivery.close()
        await self._runner.cleanup()
        self._state.listeners.clear()
        self._runner = None

    @property
    def base_url(self) -> str:
        """The page, with the token that lets a browser in."""
        return f"{self._state.origin}/?token={self.page_token}"

    @property
    def api_url(self) -> str:
        return f"{self._state.origin}/api/"

    @property
    def bot_token(self) -> str:
        return self._state.bot_token

    @property
    def app_token(self) -> str:
        return self._state.app_token

    @property
    def team_id(self) -> str:
        return TEAM_ID

    @property
    def bot_user_id(self) -> str:
        return BOT_USER_ID

    @property
    def users(self) -> dict[str, WorkspaceUser]:
        """People and bots by name: olga, mia, raj, gus, pagerbot, eve, and the app's own user."""
        return {user.name: user for user in self._state.users.values()}

    @property
    def channels(self) -> dict[str, Channel]:
        """Channels by name without #; direct messages with the app are `dm:mia` and so on."""
        return {f"dm:{one.name}" if one.is_im else one.name: one for one in self._state.channels.values()}

    @property
    def views(self) -> dict[str, StoredView]:
        """Open modals by view id."""
        return dict(self._state.views)

    @property
    def violations(self) -> list[Violation]:
        """All that was refused so far, and what the app failed to acknowledge."""
        return self._state.violations

    @property
    def connections(self) -> int:
        """Open Socket Mode connections."""
        return self._delivery.connected if isinstance(self._delivery, SocketDelivery) else 0

    def home(self, user: str) -> StoredView | None:
        """The Home tab that the app published for a person."""
        return self._state.homes.get(self._state.user(user).id)

    def status(self, channel: str, thread_ts: str) -> str:
        """The status line that the app shows in a thread."""
        return self._state.status(self._state.channel(channel).id, thread_ts)

    def session(self, channel: str, thread_ts: str) -> AgentSession | None:
        """What the app shows that it is doing in a thread."""
        return self._state.sessions.get((self._state.channel(channel).id, thread_ts))

    def messages(self, channel: str, thread_ts: str | None = None) -> list[StoredMessage]:
        """By time: the whole channel with all replies, or one thread with its parent. Private messages are included."""
        found = self._state.messages(self._state.channel(channel).id)
        return [one for one in found if thread_ts is None or thread_ts in (one.ts, one.thread_ts)]

    def pushes(self, channel: str, thread_ts: str | None = None) -> int:
        """How many of the app's messages rang phones: new posts with text, not edits, not private ones."""
        return sum(message.notified for message in self.messages(channel, thread_ts))

    def calls(self, method: str | None = None) -> list[WebApiCall]:
        """Requests to the Web API in order, those to one method or all."""
        return [call for call in self._state.calls if method in (None, call.method)]

    def deactivate(self, user: str) -> None:
        """As when somebody leaves the company: Slack calls the account deleted."""
        person = self._state.user(user)
        self._state.users[person.id] = replace(person, deleted=True)

    def delete(self, ts: str) -> None:
        """As when an admin deletes a message, of whomever."""
        self._state.remove(self._state.locate(ts))

    def forget_event(self, name: str, *, back: bool = False) -> None:
        """As an installation of an older manifest, which did not subscribe to it; `back`: it was installed anew."""
        app = self._state.app
        self._state.app = replace(app, events=app.events | {name} if back else app.events - {name})

    def uninstall(self) -> None:
        """Remove the app: its tokens stop working, `tokens_revoked` and `app_uninstalled` are sent."""
        self._events.emit("tokens_revoked", {"type": "tokens_revoked", "tokens": {"bot": [BOT_USER_ID]}}, None)
        self._events.emit("app_uninstalled", {"type": "app_uninstalled"}, None)
        self._state.installed = False

    def retry_now(self) -> None:
        """Let waiting retries go at once, instead of 1 and 5 minutes after the first attempts."""
        self._events.retry_now()

    async def refresh_connections(self) -> None:
        """Ask the app to reconnect its Socket Mode connections."""
        if isinstance(self._delivery, SocketDelivery):
            await self._delivery.refresh()

    async def verify_request_url(self) -> bool:
        """The `url_verification` handshake of HTTP delivery."""
        return isinstance(self._delivery, HttpDelivery) and await self._delivery.challenge()

    async def wait_for(self, predicate: "Callable[[Workspace], T]", timeout: float = 60.0) -> T:  # noqa: ASYNC109
        """The predicate's first true result, asked now and after each change. TimeoutError after real seconds."""
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()

        def look(_kind: str = "", _data: Json | None = None) -> None:
            if not done.done() and (result := predicate(self)):
                done.set_result(result)

        look()
        self._state.listeners.append(look)
        try:
            async with asyncio.timeout(timeout):
                return await done
        except TimeoutError as exc:
            last = [f"{one.user}: {one.text or one.markdown}" for one in self._recent(5)]
            raise TimeoutError(f"not true within {timeout} s; last messages {last}, {self.violations[-3:]}") from exc
        finally:
            if look in self._state.listeners:
                self._state.listeners.remove(look)

    def _recent(self, count: int) -> list[StoredMessage]:
        everything = [one for channel in self._state.channels for one in self._state.messages(channel)]
        return sorted(everything, key=lambda one: one.ts)[-count:]

    def _drop_connections(self) -> None:
        if isinstance(self._delivery, SocketDelivery):
            self._delivery.drop()

    def _end_streams(self) -> None:
        for message in self._recent(10**6):
            if message.streaming == "streaming":
                message.streaming = "expired"
                self._state.changed(message)
