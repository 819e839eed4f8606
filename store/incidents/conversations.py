"""Slack threads, and what people and the bot said in them."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from store.database.schema import ChatMessageRow, ConversationRow
from store.database.session import TenantSession
from store.ids import ConversationId, new_id
from store.secrets.redaction import Redacted


@dataclass(frozen=True, kw_only=True)
class Conversation:
    id: ConversationId
    channel_id: str
    thread_ts: str
    created_at: datetime


@dataclass(frozen=True, kw_only=True)
class ChatMessage:
    """`slack_user_id` is None for the bot's own messages. `kind` is the caller's word, such as `mention`."""

    slack_ts: str
    slack_user_id: str | None
    kind: str
    text: Redacted
    recorded_at: datetime


async def conversation(
    s: TenantSession, *, channel_id: str, thread_ts: str, create: bool = True
) -> Conversation | None:
    """The conversation of a thread. With `create` it is made when absent, and the answer is never None."""
    if create:
        await s.insert_if_absent(
            ConversationRow,
            {"id": new_id(), "channel_id": channel_id, "thread_ts": thread_ts, "created_at": s.now()},
        )
    row = await s.one(ConversationRow, ConversationRow.channel_id == channel_id, ConversationRow.thread_ts == thread_ts)
    return None if row is None else _conversation(row)


async def conversation_by_id(s: TenantSession, conversation_id: ConversationId) -> Conversation | None:
    row = await s.one(ConversationRow, ConversationRow.id == conversation_id)
    return None if row is None else _conversation(row)


async def record_chat(
    s: TenantSession,
    conversation_id: ConversationId,
    *,
    slack_ts: str,
    slack_user_id: str | None,
    text: Redacted,
    kind: str,
) -> bool:
    """Safe to repeat: False when this message is there already."""
    row_id = new_id()
    added = await s.insert_if_absent(
        ChatMessageRow,
        {
            "id": row_id,
            "conversation_id": conversation_id,
            "slack_ts": slack_ts,
            "slack_user_id": slack_user_id,
            "kind": kind,
            "text": s.seal("chat_messages", "text", row_id, text),
            "recorded_at": s.now(),
        },
    )
    return row_id in added


async def chat(s: TenantSession, conversation_id: ConversationId) -> list[ChatMessage]:
    """In the order of Slack's timestamps."""
    rows = await s.all(
        select(ChatMessageRow)
        .where(ChatMessageRow.conversation_id == conversation_id)
        .order_by(ChatMessageRow.slack_ts)
    )
    return [
        ChatMessage(
            slack_ts=row.slack_ts,
            slack_user_id=row.slack_user_id,
            kind=row.kind,
            text=s.open("chat_messages", "text", row.id, row.text),
            recorded_at=row.recorded_at,
        )
        for row in rows
    ]


async def last_of(s: TenantSession, conversation_id: ConversationId, kinds: Collection[str]) -> str | None:
    """The kind of the latest message of one of these kinds."""
    kind: str | None = await s.value(
        select(ChatMessageRow.kind)
        .where(ChatMessageRow.conversation_id == conversation_id, ChatMessageRow.kind.in_(kinds))
        .order_by(ChatMessageRow.slack_ts.desc())
        .limit(1)
    )
    return kind


async def was_said_by(s: TenantSession, conversation_id: ConversationId, kind: str, slack_user_id: str) -> bool:
    """Whether somebody said anything of a kind."""
    said = select(func.count(ChatMessageRow.id)).where(
        ChatMessageRow.conversation_id == conversation_id,
        ChatMessageRow.kind == kind,
        ChatMessageRow.slack_user_id == slack_user_id,
    )
    return bool(await s.value(said))


def _conversation(row: ConversationRow) -> Conversation:
    return Conversation(
        id=ConversationId(row.id), channel_id=row.channel_id, thread_ts=row.thread_ts, created_at=row.created_at
    )
