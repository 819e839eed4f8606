"""The contract of a Web API method: its name, scope, arguments, and a function from arguments to an answer."""

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from bot.demo.workspace.model import Channel, Json, StoredMessage
from bot.demo.workspace.seed import BOT_ID, BOT_USER_ID
from bot.demo.workspace.state import WorkspaceState

TEXT_LIMIT = 4000
"""Slack truncates beyond 40,000 in `chat.postMessage` and refuses 4,000 in `chat.update`; one limit for all here."""


class ApiError(Exception):
    """A refusal with Slack's error code; `extra` joins the answer, `messages` go to `response_metadata`."""

    def __init__(self, code: str, messages: list[str] | None = None, **extra: Any) -> None:
        super().__init__(code)
        self.code = code
        self.messages = messages or []
        self.extra = extra


def with_ids(blocks: list[Json]) -> list[Json]:
    """The blocks as Slack stores them: those without a `block_id` are given one."""
    return [block if "block_id" in block else {**block, "block_id": secrets.token_hex(3)} for block in blocks]


class AppEvents(Protocol):
    """What methods may cause beyond their answer."""

    def message_posted(self, message: StoredMessage) -> None: ...

    def message_changed(self, message: StoredMessage, previous: Json) -> None: ...

    def message_deleted(self, previous: StoredMessage) -> None: ...

    def member_joined(self, user: str, channel: Channel, inviter: str | None = None) -> None: ...

    def socket_url(self) -> str: ...


class Args:
    """Arguments as sent: JSON values, or strings from a form. Getters raise `invalid_arguments`."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = values

    def string(self, name: str) -> str | None:
        value = self.values.get(name)
        if value is not None and not isinstance(value, str):
            raise ApiError("invalid_arguments", [f"[ERROR] {name} must be a string"])
        return value

    def need(self, name: str) -> str:
        value = self.string(name)
        if not value:
            raise ApiError("invalid_arguments", [f"[ERROR] missing required field: {name}"])
        return value

    def parsed(self, name: str) -> Any:
        """A JSON value, parsed when it came as a string. None when absent."""
        value = self.values.get(name)
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value)
        except ValueError as exc:
            raise ApiError("invalid_arguments", [f"[ERROR] {name} is not valid JSON"]) from exc

    def flag(self, name: str) -> bool:
        return self.values.get(name) in (True, "true", "1", 1)

    def count(self, name: str, *, default: int, limit: int) -> int:
        value = self.values.get(name, default)
        if not str(value).isdigit() or not 1 <= int(value) <= limit:
            raise ApiError("invalid_limit")
        return int(value)


@dataclass(frozen=True, kw_only=True)
class Context:
    """What a method works with: the state, the events it may cause, and lookups that fail with Slack's codes."""

    state: WorkspaceState
    events: AppEvents

    def need_scope(self, scope: str) -> None:
        if scope not in self.state.app.scopes:
            raise ApiError("missing_scope", needed=scope, provided=",".join(self.state.app.scopes))

    def need_channel(self, channel_id: str) -> Channel:
        """By id only: names are not accepted, as Slack's documentation asks. DMs of others do not exist for the app."""
        channel = self.state.channels.get(channel_id)
        if channel is None or (channel.is_private and BOT_USER_ID not in channel.members):
            raise ApiError("channel_not_found")
        return channel

    def need_place(self, place_id: str) -> Channel:
        """A channel, or the direct messages of the person with this id."""
        own = [one.id for one in self.state.channels.values() if one.is_im and one.user == place_id]
        return self.need_channel(own[0] if own else place_id)

    def need_membership(self, channel: Channel) -> None:
        if BOT_USER_ID not in channel.members:
            raise ApiError("not_in_channel")

    def need_thread(self, channel: Channel, thread_ts: str | None) -> None:
        """Stricter than Slack, which lets a reply point to nothing or to another reply."""
        if thread_ts is None:
            return
        parent = self.state.find(channel.id, thread_ts)
        if parent is None or parent.ephemeral_for:
            raise ApiError("thread_not_found")
        if parent.thread_ts and parent.thread_ts != parent.ts:
            raise ApiError("invalid_thread_ts", ["[ERROR] thread_ts is a reply; give its parent's ts"])

    def need_own_message(self, channel: Channel, ts: str, otherwise: str) -> StoredMessage:
        message = self.state.find(channel.id, ts)
        if message is None or message.ephemeral_for:
            raise ApiError("message_not_found")
        if message.bot_id != BOT_ID:
            raise ApiError(otherwise)
        return message


Handler = Callable[[Context, Args], Json]


@dataclass(frozen=True, kw_only=True)
class Method:
    name: str
    scope: str | None
    arguments: frozenset[str]
    handler: Handler
    needs_app_token: bool = False


METHODS: dict[str, Method] = {}


def method(
    name: str, *, scope: str | None = None, arguments: str = "", needs_app_token: bool = False
) -> Callable[[Handler], Handler]:
    """Register a method. `arguments` are the names it takes, separated by spaces; others are refused."""

    def register(handler: Handler) -> Handler:
        if name in METHODS:
            raise ValueError(f"{name} is registered twice")
        METHODS[name] = Method(
            name=name,
            scope=scope,
            arguments=frozenset(arguments.split()),
            handler=handler,
            needs_app_token=needs_app_token,
        )
        return handler

    return register
