"""What the workspace holds: people, channels, messages, views, and the record of what was asked of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Json = dict[str, Any]
StreamState = Literal["streaming", "stopped", "expired", "stopped_by_user"]
SessionStatus = Literal["active", "processing", "suspended", "closed"]

STREAM_LIFETIME_S = 300.0


@dataclass(frozen=True, kw_only=True)
class WorkspaceUser:
    id: str
    name: str
    real_name: str
    title: str
    team_id: str
    color: str
    is_admin: bool = False
    is_owner: bool = False
    is_restricted: bool = False
    is_bot: bool = False
    is_stranger: bool = False
    deleted: bool = False

    def to_api(self) -> Json:
        """The shape of `users.info`."""
        return {
            "id": self.id,
            "team_id": self.team_id,
            "name": self.name,
            "deleted": self.deleted,
            "color": self.color.removeprefix("#"),
            "real_name": self.real_name,
            "tz": "Etc/UTC",
            "tz_label": "Coordinated Universal Time",
            "tz_offset": 0,
            "profile": {
                "real_name": self.real_name,
                "display_name": self.name,
                "title": self.title,
                "team": self.team_id,
            },
            "is_admin": self.is_admin,
            "is_owner": self.is_owner,
            "is_primary_owner": self.is_owner,
            "is_restricted": self.is_restricted,
            "is_ultra_restricted": False,
            "is_bot": self.is_bot,
            "is_app_user": False,
            "is_stranger": self.is_stranger,
        }


@dataclass(kw_only=True)
class Channel:
    id: str
    name: str
    topic: str = ""
    is_im: bool = False
    is_ext_shared: bool = False
    is_private: bool = False
    user: str | None = None
    """In a direct message with the app: the person's id."""
    members: set[str] = field(default_factory=set)

    def to_api(self, *, team_id: str, bot_user_id: str) -> Json:
        """The shape of `conversations.info`."""
        shape: Json = {
            "id": self.id,
            "created": 1700000000,
            "is_archived": False,
            "is_im": self.is_im,
            "is_org_shared": False,
            "context_team_id": team_id,
            "is_ext_shared": self.is_ext_shared,
            "is_shared": self.is_ext_shared,
        }
        if self.is_im:
            return shape | {"user": self.user, "is_user_deleted": False}
        return shape | {
            "name": self.name,
            "name_normalized": self.name,
            "is_channel": not self.is_private,
            "is_group": self.is_private,
            "is_mpim": False,
            "is_private": self.is_private,
            "is_general": self.name == "general",
            "is_pending_ext_shared": False,
            "is_member": bot_user_id in self.members,
            "topic": {"value": self.topic, "creator": "", "last_set": 0},
            "purpose": {"value": "", "creator": "", "last_set": 0},
            "num_members": len(self.members),
        }


@dataclass(kw_only=True)
class StoredMessage:
    """One message as it stands now; `blocks` are those posted, `stream_blocks` those that a stream built up."""

    channel: str
    ts: str
    user: str
    text: str
    thread_ts: str | None = None
    blocks: list[Json] = field(default_factory=list)
    attachments: list[Json] = field(default_factory=list)
    bot_id: str | None = None
    ephemeral_for: str | None = None
    """User id of the only person who sees it."""
    edits: int = 0
    edited_ts: str | None = None
    streaming: StreamState | None = None
    """None for a message that was never streamed."""
    stream_started_at: float = 0.0
    stream_input: Literal["markdown_text", "chunks"] | None = None
    """The argument by which a stream is fed; Slack refuses to change it midway."""
    task_display_mode: Literal["plan", "timeline"] = "timeline"
    stream_blocks: list[Json] = field(default_factory=list)
    metadata: Json | None = None
    reactions: dict[str, list[str]] = field(default_factory=dict)
    broadcast: bool = False
    notified: bool = False
    """True when posting it rang phones."""

    @property
    def all_blocks(self) -> list[Json]:
        return [*self.stream_blocks, *self.blocks]

    @property
    def markdown(self) -> str:
        """What the stream wrote, without its tasks."""
        return "".join(block["text"] for block in self.stream_blocks if block["type"] == "markdown")

    @property
    def tasks(self) -> list[Json]:
        """The tasks of a plan or timeline in order: `task_id`, `title`, `status`, perhaps `details`, `output`."""
        found: list[Json] = []
        for block in self.all_blocks:
            if block["type"] == "plan":
                found.extend(block.get("tasks", []))
            if block["type"] == "task_card":
                found.append(block)
        return found

    @property
    def plan_title(self) -> str | None:
        return next((block["title"] for block in self.all_blocks if block["type"] == "plan"), None)

    def to_api(self, *, team_id: str, app_id: str, replies: "list[StoredMessage] | None" = None) -> Json:
        """The shape inside `conversations.replies` and events. `replies` are given for a thread's parent."""
        shape: Json = {"type": "message", "user": self.user, "ts": self.ts, "text": self.text, "team": team_id}
        if self.bot_id:
            shape |= {"bot_id": self.bot_id, "app_id": app_id}
        if self.thread_ts:
            shape["thread_ts"] = self.thread_ts
        if self.all_blocks:
            shape["blocks"] = self.all_blocks
        if self.attachments:
            shape["attachments"] = self.attachments
        if self.edited_ts:
            shape["edited"] = {"user": self.user, "ts": self.edited_ts}
        if self.metadata:
            shape["metadata"] = self.metadata
        if self.reactions:
            shape["reactions"] = [
                {"name": name, "users": users, "count": len(users)} for name, users in self.reactions.items()
            ]
        if replies:
            shape |= {
                "thread_ts": self.ts,
                "reply_count": len(replies),
                "reply_users": sorted({reply.user for reply in replies}),
                "latest_reply": replies[-1].ts,
            }
        return shape


@dataclass(kw_only=True)
class AgentSession:
    """What the app is doing in one thread, as Slack shows it beside the thread. It never changes by itself."""

    channel: str
    thread_ts: str
    status: SessionStatus
    title: str = ""
    initiator: str | None = None


@dataclass(kw_only=True)
class StoredView:
    """An open modal, or a person's Home tab."""

    id: str
    user: str
    hash: str
    view: Json
    values: dict[str, dict[str, Json]] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def is_home(self) -> bool:
        return bool(self.view["type"] == "home")

    def to_api(self, *, team_id: str, app_id: str, bot_id: str) -> Json:
        return {
            "id": self.id,
            "team_id": team_id,
            "app_id": app_id,
            "bot_id": bot_id,
            "app_installed_team_id": team_id,
            "type": self.view["type"],
            "title": self.view.get("title"),
            "submit": self.view.get("submit"),
            "close": self.view.get("close"),
            "blocks": self.view["blocks"],
            "private_metadata": self.view.get("private_metadata", ""),
            "callback_id": self.view.get("callback_id", ""),
            "external_id": self.view.get("external_id", ""),
            "notify_on_close": self.view.get("notify_on_close", False),
            "clear_on_close": self.view.get("clear_on_close", False),
            "state": {"values": self.values},
            "hash": self.hash,
            "previous_view_id": None,
            "root_view_id": self.id,
        }


@dataclass(frozen=True, kw_only=True)
class WebApiCall:
    """One request to the Web API; `error` is None when it was answered with ok."""

    method: str
    args: Mapping[str, Any]
    error: str | None
    at: float


@dataclass(frozen=True, kw_only=True)
class Violation:
    """Something that the workspace refused, or that the app left undone. Injected faults are not recorded here."""

    where: str
    """A Web API method, `response_url`, `ack` of a command or view, or `delivery`."""
    error: str
    messages: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Ack:
    """How the app answered within 3 s. `payload` is what it sent along, None when nothing."""

    acked: bool
    payload: Json | None = None
    error: str = ""
