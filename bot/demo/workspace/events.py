"""What happens in the workspace, told to the app: only events that its manifest subscribes to.

Shapes: https://docs.slack.dev/reference/events and https://docs.slack.dev/apis/events-api
"""

import asyncio
import secrets
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

from bot.demo.workspace.delivery import RETRY_DELAYS_S, EventDelivery, Retry, SocketDelivery
from bot.demo.workspace.faults import Faults
from bot.demo.workspace.method import ApiError
from bot.demo.workspace.model import AgentSession, Channel, Json, StoredMessage, WorkspaceUser
from bot.demo.workspace.seed import APP_ID, BOT_USER_ID, TEAM_ID
from bot.demo.workspace.state import WorkspaceState


@dataclass(kw_only=True)
class WorkspaceEvents:
    state: WorkspaceState
    faults: Faults
    delivery: EventDelivery
    _tasks: set["asyncio.Task[None]"] = field(default_factory=set)
    _hurry: asyncio.Event = field(default_factory=asyncio.Event)

    def socket_url(self) -> str:
        if not isinstance(self.delivery, SocketDelivery):
            raise ApiError("socket_mode_not_enabled", ["[ERROR] this workspace delivers over HTTP"])
        return self.delivery.new_url()

    def message_posted(self, message: StoredMessage, *, client_msg_id: str | None = None) -> None:
        """`app_mention` and `message` for a new message, whoever wrote it."""
        channel, author = self.state.channels[message.channel], self.state.users[message.user]
        shape = self.state.api_message(message) | self._origin(author)
        if client_msg_id:
            shape["client_msg_id"] = client_msg_id
        if message.thread_ts and (parent := self.state.find(channel.id, message.thread_ts)):
            shape["parent_user_id"] = parent.user
        if BOT_USER_ID not in channel.members:
            return
        if f"<@{BOT_USER_ID}>" in message.text and not channel.is_im and message.user != BOT_USER_ID:
            mention = {key: value for key, value in shape.items() if key != "parent_user_id"}
            self.emit("app_mention", {**mention, "type": "app_mention", "channel": channel.id}, channel)
        self._emit_message(shape, channel, message.ts)

    def message_changed(self, message: StoredMessage, previous: Json) -> None:
        shape = {"type": "message", "subtype": "message_changed", "hidden": True, "ts": self.state.new_ts()}
        whole = {**shape, "message": self.state.api_message(message), "previous_message": previous}
        self._emit_message(whole, self.state.channels[message.channel], str(shape["ts"]))

    def message_deleted(self, previous: StoredMessage) -> None:
        ts = self.state.new_ts()
        shape = {"type": "message", "subtype": "message_deleted", "hidden": True, "ts": ts, "deleted_ts": previous.ts}
        whole = {**shape, "previous_message": self.state.api_message(previous)}
        self._emit_message(whole, self.state.channels[previous.channel], ts)

    def member_joined(self, user: str, channel: Channel, inviter: str | None = None) -> None:
        channel.members.add(user)
        self.state.announce("channel", {"channel": channel})
        event: Json = {
            "type": "member_joined_channel",
            "user": user,
            "channel": channel.id,
            "channel_type": "G" if channel.is_private else "C",
            "team": TEAM_ID,
            "event_ts": self.state.new_ts(),
        }
        self.emit("member_joined_channel", event | ({"inviter": inviter} if inviter else {}), channel)

    def home_opened(self, user: WorkspaceUser, tab: str) -> None:
        view = self.state.homes.get(user.id)
        event: Json = {
            "type": "app_home_opened",
            "user": user.id,
            "channel": self.state.channel("dm", user=user).id,
            "tab": tab,
            "event_ts": self.state.new_ts(),
        }
        if tab == "home" and view:
            event["view"] = self.state.api_view(view)
        self.emit("app_home_opened", event, None)

    def session_stopped(self, session: AgentSession, user: WorkspaceUser, streams: list[str]) -> None:
        event = self._of_session("agent_session_stopped", session, user)
        self.emit("agent_session_stopped", event | {"streaming_message_ts": streams}, None)

    def session_renamed(self, session: AgentSession, user: WorkspaceUser, previous: str) -> None:
        event = self._of_session("agent_session_title_changed", session, user) | {"title": session.title}
        before = {"previous_title": previous} if previous else {}
        self.emit("agent_session_title_changed", event | {"team_id": TEAM_ID} | before, None)

    def context_changed(self, user: WorkspaceUser, channel: Channel | None) -> None:
        """What somebody looks at while the app is open beside it."""
        entity = {"type": "slack#/types/channel_id", "value": channel.id, "team_id": TEAM_ID} if channel else None
        event: Json = {
            "type": "app_context_changed",
            "user": user.id,
            "channel": self.state.channel("dm", user=user).id,
            "context": {"entities": [entity]} if entity else {},
            "event_ts": self.state.new_ts(),
        }
        self.emit("app_context_changed", event, None)

    def _of_session(self, kind: str, session: AgentSession, user: WorkspaceUser) -> Json:
        place = {"channel": session.channel, "thread_ts": session.thread_ts}
        return {"type": kind, **place, "user": user.id, "event_ts": self.state.new_ts()}

    def emit(self, subscription: str, event: Json, channel: Channel | None) -> None:
        """Deliver in the background when the manifest subscribes to it."""
        if subscription not in self.state.app.events:
            return
        payload: Json = {
            "token": "local",
            "team_id": TEAM_ID,
            "context_team_id": TEAM_ID,
            "context_enterprise_id": None,
            "api_app_id": APP_ID,
            "event": {"event_ts": event.get("ts", self.state.new_ts()), **event},
            "type": "event_callback",
            "event_id": f"Ev{secrets.token_hex(6).upper()}",
            "event_time": int(self.state.clock.time()),
            "authorizations": [
                {
                    "enterprise_id": None,
                    "team_id": TEAM_ID,
                    "user_id": BOT_USER_ID,
                    "is_bot": True,
                    "is_enterprise_install": False,
                }
            ],
            "is_ext_shared_channel": bool(channel and channel.is_ext_shared),
            "event_context": f"4-{secrets.token_hex(12)}",
        }
        self.spawn(self._deliver(payload))
        if self.faults.take_double():
            self.spawn(self._deliver(payload))

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def retry_now(self) -> None:
        """Let all waiting retries go at once instead of after 1 or 5 minutes."""
        self._hurry.set()
        self._hurry = asyncio.Event()

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _deliver(self, payload: Json) -> None:
        ack = await self.delivery.send("events_api", payload)
        for number, delay in enumerate(RETRY_DELAYS_S, start=1):
            if ack.acked or ack.error == "no_retry":
                break
            await self._pause(delay)
            reason = "connection_failed" if ack.error == "no_connection" else ack.error
            ack = await self.delivery.send("events_api", payload, Retry(number=number, reason=reason))
        if not ack.acked:
            self.state.refuse("delivery", "event_not_acknowledged", (payload["event"]["type"], ack.error))

    async def _pause(self, seconds: float) -> None:
        waits = [asyncio.ensure_future(self.state.clock.sleep(seconds)), asyncio.ensure_future(self._hurry.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    def _emit_message(self, shape: Json, channel: Channel, ts: str) -> None:
        kind = "im" if channel.is_im else "group" if channel.is_private else "channel"
        event = {**shape, "channel": channel.id, "event_ts": ts, "channel_type": kind}
        self.emit(f"message.{kind}" if channel.is_im else f"message.{kind}s", event, channel)

    def _origin(self, author: WorkspaceUser) -> Json:
        """People of other organisations carry their own team, which is how an app tells them apart."""
        if author.team_id == TEAM_ID:
            return {"team": TEAM_ID}
        return {"team": author.team_id, "user_team": author.team_id, "source_team": author.team_id}
