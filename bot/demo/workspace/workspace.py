"""A workspace that speaks Slack's protocols on 127.0.0.1, for the demo and for tests.

It is stricter than Slack: it refuses unknown methods and arguments, invalid or over-long blocks, and whatever the
manifest does not name. All that it refused is in `violations`. People act through the methods below or on the page.
"""

import asyncio
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, TypeVar

from aiohttp import web

from bot.demo.workspace.clock import Clock, SystemClock
from bot.demo.workspace.delivery import HttpDelivery, SocketDelivery
from bot.demo.workspace.events import WorkspaceEvents
from bot.demo.workspace.faults import Faults
from bot.demo.workspace.interactions import ImpossibleInSlack, Interactions
from bot.demo.workspace.manifest import ManifestError, read_manifest
from bot.demo.workspace.method import Context
from bot.demo.workspace.model import Ack, Channel, Json, StoredMessage, StoredView, Violation, WebApiCall, WorkspaceUser
from bot.demo.workspace.page_server import PageServer, local_only
from bot.demo.workspace.seed import BOT_USER_ID, PAGER_BOT_ID, TEAM_ID
from bot.demo.workspace.state import WorkspaceState
from bot.demo.workspace.web_api import WebApi

T = TypeVar("T")

_MENTION = re.compile(r"(?<![\w<])@([a-z0-9][a-z0-9_-]*)")


class Workspace:
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
        self._page = PageServer(self, state)
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

    async def post(
        self,
        user: str,
        channel: str,
        text: str,
        thread_ts: str | None = None,
        *,
        blocks: Sequence[Json] = (),
        attachments: Sequence[Json] = (),
    ) -> str:
        """Write as a person (or as pagerbot, with blocks or attachments). `@name` becomes a mention. Returns the ts.

        `channel` is a name, an id, or `dm` for the person's direct message with the app. Events are not awaited.
        """
        author = self._state.user(user)
        place = self._state.channel(channel, user=author)
        if author.id not in place.members:
            raise ImpossibleInSlack(f"{author.name} is not a member of {place.name}")
        if thread_ts and self._state.find(place.id, thread_ts) is None:
            raise ImpossibleInSlack(f"there is no message {thread_ts} in {place.name}")
        if place.is_im and not self._state.app.messages_tab:
            raise ImpossibleInSlack("features.app_home.messages_tab_enabled is off in the manifest")
        message = StoredMessage(
            channel=place.id,
            ts=self._state.new_ts(),
            user=author.id,
            text=self._with_mentions(text),
            thread_ts=thread_ts,
            blocks=list(blocks),
            attachments=list(attachments),
            bot_id=PAGER_BOT_ID if author.is_bot else None,
        )
        self._state.add(message)
        self._events.message_posted(message, client_msg_id=None if author.is_bot else secrets.token_hex(16))
        return message.ts

    async def click(self, user: str, ts: str, action_id: str, *, value: str | None = None) -> Ack:
        """Use the button, select or feedback of that action_id in the message `ts` or the view of that id.

        `value` picks one of several with the same action_id, or names the option. Waits for the acknowledgement.
        Raises ImpossibleInSlack when the message has no such button now or the person cannot see it.
        """
        person = self._state.user(user)
        views = {**self._state.views, **{home.id: home for home in self._state.homes.values()}}
        target = views.get(ts) or self._state.locate(ts)
        return await self._interactions.click(person, target, action_id, value)

    async def slash(self, user: str, channel: str, text: str, thread_ts: str | None = None) -> Ack:
        """Send a slash command, `/autoheal status`. Raises ImpossibleInSlack in a thread: Slack offers none there."""
        person = self._state.user(user)
        place = self._state.channel(channel, user=person)
        if thread_ts is not None:
            raise ImpossibleInSlack(f"{text!r}: Slack has no slash commands in threads")
        if text.split() == ["/invite", f"@{self._state.app.bot_name}"]:
            self.invite(user, channel)
            return Ack(acked=True)
        return await self._interactions.slash(person, place, text)

    async def submit_view(self, user: str, view_id: str, values: Mapping[str, Any]) -> Ack:
        """Submit a modal with `values` by action_id, options by value. What the app objects to: `views[id].errors`."""
        return await self._interactions.submit(self._state.user(user), self._need_view(user, view_id), values)

    async def close_view(self, user: str, view_id: str) -> Ack:
        return await self._interactions.close(self._state.user(user), self._need_view(user, view_id))

    async def open_home(self, user: str, tab: Literal["home", "messages"] = "home") -> None:
        """Enter the app's Home, which sends `app_home_opened`."""
        self._events.home_opened(self._state.user(user), tab)

    def deactivate(self, user: str) -> None:
        """As when somebody leaves the company: Slack calls the account deleted."""
        person = self._state.user(user)
        self._state.users[person.id] = replace(person, deleted=True)

    def invite(self, user: str, channel: str) -> None:
        """Add the app to a channel, which sends `member_joined_channel`."""
        inviter = self._state.user(user)
        self._events.member_joined(BOT_USER_ID, self._state.channel(channel), inviter.id)

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

    def _need_view(self, user: str, view_id: str) -> StoredView:
        view = self._state.views.get(view_id)
        if view is None or view.user != self._state.user(user).id:
            raise ImpossibleInSlack(f"{user} has no open view {view_id}")
        return view

    def _with_mentions(self, text: str) -> str:
        ids = {user.name: user.id for user in self._state.users.values()}
        return _MENTION.sub(lambda found: f"<@{ids[found[1]]}>" if found[1] in ids else found[0], text)

    def _drop_connections(self) -> None:
        if isinstance(self._delivery, SocketDelivery):
            self._delivery.drop()

    def _end_streams(self) -> None:
        for message in self._recent(10**6):
            if message.streaming == "streaming":
                message.streaming = "expired"
                self._state.changed(message)
