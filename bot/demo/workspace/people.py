"""What people do in the workspace: write, click, send commands, fill in forms. Scripts and the page act through it."""

import re
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from bot.demo.workspace.events import WorkspaceEvents
from bot.demo.workspace.interactions import ImpossibleInSlack, Interactions
from bot.demo.workspace.model import Ack, AgentSession, Json, StoredMessage, StoredView, WorkspaceUser
from bot.demo.workspace.seed import BOT_USER_ID, PAGER_BOT_ID
from bot.demo.workspace.state import WorkspaceState

_MENTION = re.compile(r"(?<![\w<])@([a-z0-9][a-z0-9_-]*)")


class WorkspacePeople:
    """Base of a workspace that has been started. People are given by name."""

    _state: WorkspaceState
    _events: WorkspaceEvents
    _interactions: Interactions

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

    async def stop_session(self, user: str, channel: str, thread_ts: str) -> None:
        """Press Slack's own Stop button, which ends the app's streams there. Raises ImpossibleInSlack without one."""
        person, session = self._need_session(user, channel, thread_ts)
        if not self._state.is_stoppable(session):
            raise ImpossibleInSlack(f"there is no Stop button: the session is {session.status}")
        streams = []
        for message in self._state.replies(session.channel, thread_ts):
            if message.streaming == "streaming":
                message.streaming = "stopped_by_user"
                self._state.changed(message)
                streams.append(message.ts)
        self._events.session_stopped(session, person, streams)

    async def rename_session(self, user: str, channel: str, thread_ts: str, title: str) -> None:
        person, session = self._need_session(user, channel, thread_ts)
        previous, session.title = session.title, title
        self._state.announce("session", {"session": session})
        self._events.session_renamed(session, person, previous)

    def look_at(self, user: str, channel: str | None) -> None:
        """Open another channel beside the app, or none, which sends `app_context_changed`."""
        person = self._state.user(user)
        self._events.context_changed(person, None if channel is None else self._state.channel(channel))

    def invite(self, user: str, channel: str) -> None:
        """Add the app to a channel, which sends `member_joined_channel`."""
        inviter = self._state.user(user)
        self._events.member_joined(BOT_USER_ID, self._state.channel(channel), inviter.id)

    def _need_session(self, user: str, channel: str, thread_ts: str) -> tuple[WorkspaceUser, AgentSession]:
        person = self._state.user(user)
        place = self._state.channel(channel, user=person)
        session = self._state.sessions.get((place.id, thread_ts))
        if session is None or person.id not in place.members:
            raise ImpossibleInSlack(f"{person.name} sees no session of the app in {place.name}")
        return person, session

    def _need_view(self, user: str, view_id: str) -> StoredView:
        view = self._state.views.get(view_id)
        if view is None or view.user != self._state.user(user).id:
            raise ImpossibleInSlack(f"{user} has no open view {view_id}")
        return view

    def _with_mentions(self, text: str) -> str:
        ids = {user.name: user.id for user in self._state.users.values()}
        return _MENTION.sub(lambda found: f"<@{ids[found[1]]}>" if found[1] in ids else found[0], text)
