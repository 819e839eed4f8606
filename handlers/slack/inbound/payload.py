"""Slack's payloads, parsed into arrivals. Pure: no store, no network.

`Any` ends here. A payload that is not understood is `Unreadable`; one that is understood but is nothing to us is
None. The table `EVENTS` names every event subscription that is routed, which `tests/test_manifest.py` compares with
the manifest.
https://docs.slack.dev/apis/events-api/  https://docs.slack.dev/interactivity/handling-user-interaction/
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from handlers.slack.inbound.arrival import (
    Arrival,
    ButtonClick,
    ChannelMessage,
    ContextChanged,
    DirectMessage,
    HomeOpened,
    MemberJoined,
    ModalSubmission,
    SessionRenamed,
    SessionStopped,
    SlackActor,
    SlackMention,
    SlashCommand,
    TokensRevoked,
    Uninstalled,
)
from handlers.slack.inbound.markup import readable
from handlers.slack.inbound.wording import said_lines

MOST_TEXT: Final = 12_000
"""Characters of a message that are kept: what Slack lets a person see at once, and far more than a question needs."""

Payload = Mapping[str, Any]
_MOST_ID: Final = 250
_LONGEST_TITLE: Final = 200
_CHANNEL_ENTITY: Final = "slack#/types/channel_id"
_LATEST: Final = 4_102_444_800
"""Seconds since 1970, the year 2100: a time that is later is none."""
_ADDRESSED: Final = re.compile(r"<@([A-Z0-9]{2,30})(?:\|[^>]*)?>")
SECRET_FIELD: Final = "secret:"  # noqa: S105 -- the name of a field, not a secret
"""What the action id of a form's field begins with whose value is a credential."""
_OPAQUE: Final = re.compile(r'[A-Za-z0-9{}":,._ -]{0,3000}')


@dataclass(frozen=True, kw_only=True)
class InstallationOrigin:
    """The installation that an arrival belongs to, as Slack names it. Empty means that Slack did not say."""

    team_id: str
    enterprise_id: str = ""
    is_enterprise_install: bool = False


@dataclass(frozen=True, kw_only=True)
class ParsedPayload:
    """`external_id` is the same for each delivery of the same thing."""

    origin: InstallationOrigin
    external_id: str
    arrival: Arrival


@dataclass(frozen=True)
class Unreadable:
    """Signed by Slack, yet not in a shape that we know."""

    reason: str


class _Lax(BaseModel):
    model_config = ConfigDict(extra="ignore")


class _Named(_Lax):
    id: str
    team_id: str | None = None
    enterprise_id: str | None = None


class _Authorization(_Lax):
    team_id: str | None = None
    enterprise_id: str | None = None
    is_enterprise_install: bool = False


class _Tokens(_Lax):
    bot: list[str] = Field(default_factory=list)


class _Edited(_Lax):
    ts: str


class _Entity(_Lax):
    type: str
    value: Any = None


class _Context(_Lax):
    entities: list[_Entity] = Field(default_factory=list)


class _Event(_Lax):
    type: str
    user: str | None = None
    bot_id: str | None = None
    subtype: str | None = None
    channel: str | None = None
    channel_type: str | None = None
    ts: str | None = None
    thread_ts: str | None = None
    text: str | None = None
    team: str | None = None
    user_team: str | None = None
    source_team: str | None = None
    tab: str | None = None
    inviter: str | None = None
    title: str | None = None
    context: _Context = Field(default_factory=_Context)
    tokens: _Tokens = Field(default_factory=_Tokens)
    blocks: list[Any] = Field(default_factory=list)
    attachments: list[Any] = Field(default_factory=list)
    files: list[Any] = Field(default_factory=list)
    message: _Event | None = None
    previous_message: _Event | None = None
    edited: _Edited | None = None


class _EventCallback(_Lax):
    event_id: str = Field(min_length=1, max_length=_MOST_ID)
    event_time: int | None = Field(default=None, ge=0, le=_LATEST)
    team_id: str = ""
    enterprise_id: str | None = None
    is_ext_shared_channel: bool | None = None
    authorizations: list[_Authorization] = Field(default_factory=list)
    event: _Event


class _Option(_Lax):
    value: str


class _Action(_Lax):
    action_id: str
    value: str | None = None
    selected_option: _Option | None = None

    @property
    def chosen(self) -> str:
        return self.value or (self.selected_option.value if self.selected_option else "")


class _Container(_Lax):
    channel_id: str | None = None
    message_ts: str | None = None
    thread_ts: str | None = None


class _ViewState(_Lax):
    values: dict[str, dict[str, dict[str, Any]]] = Field(default_factory=dict)


class _View(_Lax):
    callback_id: str = ""
    private_metadata: str = ""
    state: _ViewState = Field(default_factory=_ViewState)


class _Interaction(_Lax):
    type: str
    team: _Named | None = None
    enterprise: _Named | None = None
    is_enterprise_install: bool = False
    user: _Named
    channel: _Named | None = None
    container: _Container = Field(default_factory=_Container)
    actions: list[_Action] = Field(default_factory=list)
    view: _View = Field(default_factory=_View)
    trigger_id: str | None = None
    response_url: str | None = None


class _SlashCommand(_Lax):
    command: str
    text: str = ""
    team_id: str = ""
    enterprise_id: str | None = None
    is_enterprise_install: bool = False
    user_id: str
    channel_id: str
    trigger_id: str | None = None
    response_url: str | None = None


def parse(body: Payload) -> ParsedPayload | Unreadable | None:
    """One payload of any kind. Never raises."""
    try:
        if body.get("type") == "event_callback":
            return _parse_event(_EventCallback.model_validate(body))
        if "command" in body:
            return _parse_command(_SlashCommand.model_validate(body), body)
        if body.get("type") in _INTERACTIONS:
            return _parse_interaction(_Interaction.model_validate(body), body)
    except ValidationError as exc:
        fields = ", ".join(sorted({".".join(map(str, problem["loc"])) or "payload" for problem in exc.errors()}))
        return Unreadable(f"missing or of another type: {fields}")
    except (TypeError, ValueError, AttributeError, LookupError, RecursionError) as exc:
        return Unreadable(f"in no shape of Slack's: {type(exc).__name__}")
    return None


def read_text(*, text: str | None, blocks: Sequence[Any], attachments: Sequence[Any], files: Sequence[Any] = ()) -> str:
    """All that a message says, as a person reads it: its text, what blocks and attachments say beside it, its files.

    Alerting tools often write a few words for the notification into `text`, and the rest elsewhere.
    """
    return "\n".join(said_lines(text=text, blocks=blocks, attachments=attachments, files=files))[:MOST_TEXT]


def _parse_event(callback: _EventCallback) -> ParsedPayload | Unreadable | None:
    event = callback.event
    name = subscription(event.type, event.channel_type)
    make = EVENTS.get(name)
    arrival = make(callback) if make else None
    if arrival is None:
        return None
    # In a channel shared between workspaces `team_id` may be the sender's; `authorizations` names the installation.
    first = callback.authorizations[0] if callback.authorizations else None
    origin = InstallationOrigin(
        team_id=(first.team_id if first else None) or callback.team_id,
        enterprise_id=(first.enterprise_id if first else None) or callback.enterprise_id or "",
        is_enterprise_install=first.is_enterprise_install if first else False,
    )
    return ParsedPayload(origin=origin, external_id=callback.event_id, arrival=arrival)


def subscription(event_type: str, channel_type: str | None) -> str:
    """The manifest's name of an event: `message` events are subscribed to by kind of channel."""
    if event_type != "message":
        return event_type
    kinds = {"im": "im", "channel": "channels", "group": "groups", "mpim": "mpim"}
    return f"message.{kinds[channel_type]}" if channel_type in kinds else "message"


def _actor(callback: _EventCallback) -> SlackActor:
    event = callback.event
    return SlackActor(
        user_id=event.user or "",
        team_id=event.user_team or event.source_team or event.team,
        bot_id=event.bot_id,
        shared_outside=callback.is_ext_shared_channel,
    )


_SAID: Final = frozenset({None, "bot_message", "file_share", "thread_broadcast"})
"""Subtypes by which something new is said; edits, deletions and joins are not."""


def _said(callback: _EventCallback, kind: type[SlackMention | DirectMessage | ChannelMessage]) -> Arrival | None:
    event = callback.event
    if event.subtype == "message_changed":
        return _edited(callback, kind)
    if event.subtype not in _SAID or not event.channel or not event.ts:
        return None
    elsewhere = [name for name in _addressed(event) if name not in (event.text or "")]
    return kind(
        actor=_actor(callback),
        channel_id=event.channel,
        ts=event.ts,
        thread_ts=event.thread_ts,
        text=_text_of(event),
        addressed=tuple(_addressed(event) if event.channel_type == "mpim" else elsewhere),
    )


def _text_of(event: _Event) -> str:
    return read_text(text=event.text, blocks=event.blocks, attachments=event.attachments, files=event.files)


def _addressed(event: _Event) -> list[str]:
    """Whom it mentions. Slack's own event for mentions comes for those in the text of a channel's message only."""
    return list(dict.fromkeys(_ADDRESSED.findall(_text_of(event))))


def _edited(callback: _EventCallback, kind: type[SlackMention | DirectMessage | ChannelMessage]) -> Arrival | None:
    """What a person says anew in a message of theirs: like a further message in its thread, told once an edit.

    A link that unfolds, or a reply that is counted, changes a message, too, and says nothing.
    """
    event, now, before = callback.event, callback.event.message, callback.event.previous_message
    if now is None or not event.channel or not now.ts or not now.user or now.bot_id or now.edited is None:
        return None
    if before is not None and before.text == now.text:
        return None
    return kind(
        actor=_actor(callback.model_copy(update={"event": now})),
        channel_id=event.channel,
        ts=now.edited.ts,
        thread_ts=now.thread_ts or now.ts,
        text=_text_of(now),
        addressed=tuple(_addressed(now)),
    )


def _mention(callback: _EventCallback) -> Arrival | None:
    return _said(callback, SlackMention)


def _direct_message(callback: _EventCallback) -> Arrival | None:
    return None if callback.event.bot_id else _said(callback, DirectMessage)


def _group_message(callback: _EventCallback) -> Arrival | None:
    return None if callback.event.bot_id else _said(callback, ChannelMessage)


def _channel_message(callback: _EventCallback) -> Arrival | None:
    return _said(callback, ChannelMessage)


def _home_opened(callback: _EventCallback) -> Arrival | None:
    # The Messages tab of the app raises the same event; it needs no answer.
    return HomeOpened(actor=_actor(callback)) if callback.event.tab == "home" else None


def _session_stopped(callback: _EventCallback) -> Arrival | None:
    event = callback.event
    if not (event.channel and event.thread_ts and event.user):
        return None
    return SessionStopped(actor=_actor(callback), channel_id=event.channel, thread_ts=event.thread_ts)


def _session_renamed(callback: _EventCallback) -> Arrival | None:
    event = callback.event
    if not (event.channel and event.thread_ts and event.user and event.title):
        return None
    return SessionRenamed(
        actor=_actor(callback),
        channel_id=event.channel,
        thread_ts=event.thread_ts,
        title=event.title[:_LONGEST_TITLE],
    )


def _context_changed(callback: _EventCallback) -> Arrival | None:
    """Entities are ordered by relevance."""
    if not callback.event.user:
        return None
    viewed = next((str(one.value) for one in callback.event.context.entities if one.type == _CHANNEL_ENTITY), None)
    return ContextChanged(actor=_actor(callback), viewed=viewed if _opaque(viewed or "") else None)


def _member_joined(callback: _EventCallback) -> Arrival | None:
    event = callback.event
    if not event.channel or not event.user:
        return None
    return MemberJoined(actor=_actor(callback), channel_id=event.channel, inviter=event.inviter)


def _uninstalled(callback: _EventCallback) -> Arrival:
    return Uninstalled(event_time=callback.event_time)


def _tokens_revoked(callback: _EventCallback) -> Arrival:
    return TokensRevoked(bot_user_ids=tuple(callback.event.tokens.bot), event_time=callback.event_time)


EVENTS: Final[Mapping[str, Callable[[_EventCallback], Arrival | None]]] = {
    "app_mention": _mention,
    "message.im": _direct_message,
    "message.channels": _channel_message,
    "message.groups": _channel_message,
    "message.mpim": _group_message,
    "app_home_opened": _home_opened,
    "agent_session_stopped": _session_stopped,
    "agent_session_title_changed": _session_renamed,
    "app_context_changed": _context_changed,
    "member_joined_channel": _member_joined,
    "app_uninstalled": _uninstalled,
    "tokens_revoked": _tokens_revoked,
}


def _parse_command(command: _SlashCommand, body: Payload) -> ParsedPayload:
    return ParsedPayload(
        origin=InstallationOrigin(
            team_id=command.team_id,
            enterprise_id=command.enterprise_id or "",
            is_enterprise_install=command.is_enterprise_install,
        ),
        external_id=command.trigger_id or _digest(body),
        arrival=SlashCommand(
            actor=SlackActor(user_id=command.user_id, team_id=command.team_id or None),
            channel_id=command.channel_id,
            text=readable(command.text)[:MOST_TEXT],
            trigger_id=command.trigger_id,
            response_url=command.response_url,
        ),
    )


def _parse_interaction(interaction: _Interaction, body: Payload) -> ParsedPayload | Unreadable:
    enterprise = interaction.enterprise.id if interaction.enterprise else ""
    team = interaction.team.id if interaction.team else ""
    if not interaction.is_enterprise_install and not team:
        return Unreadable("neither a team nor an enterprise install")
    return ParsedPayload(
        origin=InstallationOrigin(
            team_id=team, enterprise_id=enterprise, is_enterprise_install=interaction.is_enterprise_install
        ),
        external_id=interaction.trigger_id or _digest(body),
        arrival=_INTERACTIONS[interaction.type](interaction),
    )


def _click(interaction: _Interaction) -> Arrival:
    action = interaction.actions[0] if interaction.actions else _Action(action_id="")
    container = interaction.container
    return ButtonClick(
        actor=SlackActor(user_id=interaction.user.id, team_id=interaction.user.team_id),
        action_id=action.action_id,
        value=_opaque(action.chosen),
        channel_id=container.channel_id or (interaction.channel.id if interaction.channel else None),
        message_ts=container.message_ts,
        thread_ts=container.thread_ts,
        trigger_id=interaction.trigger_id,
        response_url=interaction.response_url,
    )


def _submission(interaction: _Interaction) -> Arrival:
    values: dict[str, str] = {}
    secrets: dict[str, str] = {}
    for block in interaction.view.state.values.values():
        for action_id, element in block.items():
            chosen = element.get("value") or (element.get("selected_option") or {}).get("value")
            kept = secrets if action_id.startswith(SECRET_FIELD) else values
            kept[action_id.removeprefix(SECRET_FIELD)] = str(chosen or "")[:MOST_TEXT]
    return ModalSubmission(
        actor=SlackActor(user_id=interaction.user.id, team_id=interaction.user.team_id),
        callback_id=interaction.view.callback_id,
        values=values,
        metadata=_opaque(interaction.view.private_metadata),
        secrets=json.dumps(secrets) if any(secrets.values()) else "",
    )


_INTERACTIONS: Final[Mapping[str, Callable[[_Interaction], Arrival]]] = {
    "block_actions": _click,
    "view_submission": _submission,
}


def _opaque(value: str) -> str:
    """Ids and the punctuation between them. What else a client sends there is not from us."""
    return value if _OPAQUE.fullmatch(value) else ""


def _digest(body: Payload) -> str:
    """The same for the same payload, for the rare one without an id of its own."""
    return "sha256:" + hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
