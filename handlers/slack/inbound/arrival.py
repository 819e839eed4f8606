"""What arrives from Slack, with only the fields that are used.

Slack's own shapes end in `handlers/slack/inbound/intake.py`; everything after it works with these. They are what the
durable inbox holds, so a stored arrival must stay readable by the next release: add optional fields, never rename one.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class SlackActor(_Frozen):
    """Who did it, as Slack says. `shared_outside` is None where Slack does not say whether outsiders read the
    channel.
    """

    user_id: str
    team_id: str | None = None
    bot_id: str | None = None
    shared_outside: bool | None = None


class SlackMessage(_Frozen):
    """Something written in a channel, thread or direct message. `addressed` are people and apps that it mentions where
    Slack raises no event of its own for that: in attachments, in group messages, by an edit.
    """

    actor: SlackActor
    channel_id: str
    ts: str
    thread_ts: str | None = None
    text: str
    addressed: tuple[str, ...] = ()

    @property
    def thread(self) -> str:
        """The thread in which the answer belongs: that of the message, or the one it starts."""
        return self.thread_ts or self.ts


class SlackMention(SlackMessage):
    kind: Literal["mention"] = "mention"


class DirectMessage(SlackMessage):
    kind: Literal["direct_message"] = "direct_message"


class ChannelMessage(SlackMessage):
    """Without a mention: an alert by another bot, or a reply in a thread whose channel opted in."""

    kind: Literal["channel_message"] = "channel_message"


class SlashCommand(_Frozen):
    kind: Literal["command"] = "command"
    actor: SlackActor
    channel_id: str
    text: str
    trigger_id: str | None = None
    response_url: str | None = None


class ButtonClick(_Frozen):
    """`channel_id` is None for a button on the Home tab."""

    kind: Literal["button"] = "button"
    actor: SlackActor
    action_id: str
    value: str
    channel_id: str | None = None
    message_ts: str | None = None
    thread_ts: str | None = None
    trigger_id: str | None = None
    response_url: str | None = None


class ModalSubmission(_Frozen):
    """`values` by action id. `metadata` is what the modal was opened with; it passed through the person's client.

    `secrets` are the values of fields that the form declared as secret, as a JSON object: they pass the redactor as
    they are, lie here sealed, and are taken out as soon as the submission was handled.
    """

    kind: Literal["modal_submission"] = "modal_submission"
    actor: SlackActor
    callback_id: str
    values: dict[str, str]
    metadata: str = ""
    secrets: str = Field(default="", repr=False)


class HomeOpened(_Frozen):
    kind: Literal["home_opened"] = "home_opened"
    actor: SlackActor


class SessionStopped(_Frozen):
    """Somebody pressed Slack's own Stop button beside a thread. Slack has ended the streams there itself."""

    kind: Literal["session_stopped"] = "session_stopped"
    actor: SlackActor
    channel_id: str
    thread_ts: str


class SessionRenamed(_Frozen):
    """Somebody gave the session of a thread a title of their own."""

    kind: Literal["session_renamed"] = "session_renamed"
    actor: SlackActor
    channel_id: str
    thread_ts: str
    title: str


class ContextChanged(_Frozen):
    """What somebody has open beside the app; `viewed` is None where that is no channel. It is never written down."""

    kind: Literal["context_changed"] = "context_changed"
    actor: SlackActor
    viewed: str | None = None


class MemberJoined(_Frozen):
    """Somebody joined a channel; recorded only when it is this app's own bot user, `inviter` having invited it."""

    kind: Literal["member_joined"] = "member_joined"
    actor: SlackActor
    channel_id: str
    inviter: str | None = None


class Uninstalled(_Frozen):
    """`event_time` is when it happened, as Slack says: seconds since 1970. A delivery may come hours later."""

    kind: Literal["uninstalled"] = "uninstalled"
    event_time: int | None = None


class TokensRevoked(_Frozen):
    """`bot_user_ids` are those whose bot tokens no longer work. `event_time` as in `Uninstalled`."""

    kind: Literal["tokens_revoked"] = "tokens_revoked"
    bot_user_ids: tuple[str, ...] = ()
    event_time: int | None = None


Arrival = Annotated[
    SlackMention
    | DirectMessage
    | ChannelMessage
    | SlashCommand
    | ButtonClick
    | ModalSubmission
    | HomeOpened
    | SessionStopped
    | SessionRenamed
    | ContextChanged
    | MemberJoined
    | Uninstalled
    | TokensRevoked,
    Field(discriminator="kind"),
]
ARRIVAL: TypeAdapter[Arrival] = TypeAdapter(Arrival)

_CAPABILITIES = frozenset({"response_url", "trigger_id"})
_IDS = frozenset(
    {"kind", "user_id", "team_id", "bot_id", "channel_id", "inviter", "ts", "thread_ts", "message_ts", "action_id"}
)
SECRETS = "secrets"
VERBATIM = _CAPABILITIES | _IDS | {SECRETS}
"""Keys that pass the redactor as they are: short-lived capabilities, which must survive, Slack's own ids, which are no
text, and what somebody hands in as a credential. Everything in the inbox is sealed all the same.
"""
