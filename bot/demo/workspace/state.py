"""All that the workspace remembers, and the one place where a change is announced."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from bot.demo.workspace.clock import Clock
from bot.demo.workspace.manifest import App
from bot.demo.workspace.model import (
    STREAM_LIFETIME_S,
    AgentSession,
    Channel,
    Json,
    SessionStatus,
    StoredMessage,
    StoredView,
    Violation,
    WebApiCall,
    WorkspaceUser,
)
from bot.demo.workspace.seed import APP_ID, BOT_ID, BOT_USER_ID, TEAM_ID, seed_channels, seed_users

TRIGGER_LIFETIME_S = 3.0
STATUS_LIFETIME_S = 120.0

Listener = Callable[[str, Json], None]


class UnknownName(LookupError):
    """There is no such person, channel, message or view in this workspace; the text names what was asked for."""


@dataclass(kw_only=True)
class Trigger:
    user: str
    expires_at: float
    used: bool = False


@dataclass(kw_only=True)
class WorkspaceState:
    app: App
    clock: Clock
    bot_token: str = field(default_factory=lambda: f"xoxb-local-{secrets.token_hex(16)}")
    app_token: str = field(default_factory=lambda: f"xapp-local-{secrets.token_hex(16)}")
    installed: bool = True
    origin: str = ""
    """`http://127.0.0.1:PORT`, known once the server listens."""
    users: dict[str, WorkspaceUser] = field(default_factory=dict)
    channels: dict[str, Channel] = field(default_factory=dict)
    views: dict[str, StoredView] = field(default_factory=dict)
    homes: dict[str, StoredView] = field(default_factory=dict)
    calls: list[WebApiCall] = field(default_factory=list)
    violations: list[Violation] = field(default_factory=list)
    triggers: dict[str, Trigger] = field(default_factory=dict)
    statuses: dict[tuple[str, str], tuple[str, float]] = field(default_factory=dict)
    sessions: dict[tuple[str, str], AgentSession] = field(default_factory=dict)
    """By channel and thread."""
    prompts: dict[str, list[Json]] = field(default_factory=dict)
    listeners: list[Listener] = field(default_factory=list)
    _messages: dict[str, dict[str, StoredMessage]] = field(default_factory=dict)
    _last_ts: tuple[int, int] = (0, 0)

    def __post_init__(self) -> None:
        people = seed_users(self.app.bot_name)
        self.users = {user.id: user for user in people}
        self.channels = {channel.id: channel for channel in seed_channels(people)}

    def announce(self, kind: str, data: Json) -> None:
        """Tell the page and everybody who waits that something changed."""
        for listener in list(self.listeners):
            listener(kind, data)

    def new_ts(self) -> str:
        """A message timestamp, unique and later than all before."""
        now = self.clock.time()
        candidate = (int(now), int(now % 1 * 1_000_000))
        if candidate <= self._last_ts:
            carry, micros = divmod(self._last_ts[1] + 1, 1_000_000)
            candidate = (self._last_ts[0] + carry, micros)
        self._last_ts = candidate
        return f"{candidate[0]}.{candidate[1]:06d}"

    def new_trigger(self, user: str) -> str:
        trigger_id = f"{secrets.randbelow(10**10)}.{secrets.randbelow(10**10)}.{secrets.token_hex(16)}"
        self.triggers[trigger_id] = Trigger(user=user, expires_at=self.clock.time() + TRIGGER_LIFETIME_S)
        return trigger_id

    def refuse(self, where: str, error: str, messages: tuple[str, ...] = ()) -> None:
        self.violations.append(Violation(where=where, error=error, messages=messages))
        self.announce("violation", {"where": where, "error": error, "messages": list(messages)})

    def user(self, name_or_id: str) -> WorkspaceUser:
        name = name_or_id.removeprefix("@")
        for user in self.users.values():
            if name in (user.id, user.name):
                return user
        raise UnknownName(f"there is no person {name_or_id!r}")

    def channel(self, name_or_id: str, *, user: WorkspaceUser | None = None) -> Channel:
        """A channel by id or name, with or without #; `dm` is the user's direct message with the app."""
        if name_or_id == "dm" and user:
            name_or_id = f"D0{user.name.upper()}"
        name = name_or_id.removeprefix("#")
        for channel in self.channels.values():
            if name == channel.id or (name == channel.name and not channel.is_im):
                return channel
        raise UnknownName(f"there is no channel {name_or_id!r}")

    def add(self, message: StoredMessage) -> None:
        self._messages.setdefault(message.channel, {})[message.ts] = message
        self.changed(message)

    def remove(self, message: StoredMessage) -> None:
        del self._messages[message.channel][message.ts]
        self.announce("deleted", {"channel": message.channel, "ts": message.ts})

    def changed(self, message: StoredMessage) -> None:
        self.announce("message", {"message": message})

    def find(self, channel: str, ts: str) -> StoredMessage | None:
        message = self._messages.get(channel, {}).get(ts)
        if message:
            self._expire(message)
        return message

    def locate(self, ts: str) -> StoredMessage:
        """The message of that timestamp in any channel; they are unique over the whole workspace."""
        for channel in self._messages:
            if message := self.find(channel, ts):
                return message
        raise UnknownName(f"there is no message {ts}")

    def messages(self, channel: str) -> list[StoredMessage]:
        """All messages of a channel by time, replies and private ones included."""
        found = list(self._messages.get(channel, {}).values())
        for message in found:
            self._expire(message)
        return found

    def replies(self, channel: str, thread_ts: str) -> list[StoredMessage]:
        """What was answered in a thread, without its parent and without private messages."""
        return [
            message
            for message in self.messages(channel)
            if message.thread_ts == thread_ts and message.ts != thread_ts and not message.ephemeral_for
        ]

    def api_message(self, message: StoredMessage) -> Json:
        replies = None if message.thread_ts else self.replies(message.channel, message.ts)
        return message.to_api(team_id=TEAM_ID, app_id=APP_ID, replies=replies)

    def api_view(self, view: StoredView) -> Json:
        return view.to_api(team_id=TEAM_ID, app_id=APP_ID, bot_id=BOT_ID)

    def status(self, channel: str, thread_ts: str) -> str:
        """The app's status line in a thread; empty after 2 minutes or once it has answered."""
        text, since = self.statuses.get((channel, thread_ts), ("", 0.0))
        return text if self.clock.time() - since < STATUS_LIFETIME_S else ""

    def set_status(self, channel: str, thread_ts: str, text: str) -> None:
        if self.statuses.get((channel, thread_ts), ("", 0.0))[0] != text:
            self.statuses[channel, thread_ts] = (text, self.clock.time())
            self.announce("status", {"channel": channel, "thread_ts": thread_ts, "text": text})

    def set_session(
        self, channel: str, thread_ts: str, status: SessionStatus, *, title: str = "", initiator: str | None = None
    ) -> AgentSession:
        """Title and initiator count only where this begins the session."""
        session = self.sessions.get((channel, thread_ts))
        if session is None:
            session = AgentSession(
                channel=channel, thread_ts=thread_ts, status=status, title=title, initiator=initiator
            )
            self.sessions[channel, thread_ts] = session
        session.status = status
        self.announce("session", {"session": session})
        return session

    def is_stoppable(self, session: AgentSession) -> bool:
        """Whether Slack shows its Stop button; without the event it shows a loading sign only."""
        return session.status == "processing" and "agent_session_stopped" in self.app.events

    def add_from_app(self, message: StoredMessage) -> None:
        """Store what the app posted, clear its status line, ring phones when it is news."""
        self.set_status(message.channel, message.thread_ts or message.ts, "")
        self.add(message)
        if message.notified:
            text = message.text or message.markdown
            self.announce(
                "push",
                {"channel": message.channel, "ts": message.ts, "thread_ts": message.thread_ts, "text": text},
            )

    def bot_message(self, channel: str, text: str, thread_ts: str | None = None) -> StoredMessage:
        return StoredMessage(
            channel=channel, ts=self.new_ts(), user=BOT_USER_ID, bot_id=BOT_ID, text=text, thread_ts=thread_ts
        )

    def _expire(self, message: StoredMessage) -> None:
        age = self.clock.time() - message.stream_started_at
        if message.streaming == "streaming" and age >= STREAM_LIFETIME_S:
            message.streaming = "expired"
