"""Finding our own message again by the marker of its key, after a crash or a lost answer.

A posted message carries the marker in its metadata. A stream cannot be started with metadata, so there it stands in
the first block's id or in the tasks' ids.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from handlers.slack.delivery.call import SlackCalls
from store.ids import TenantId

EVENT_TYPE: Final = "autoheal_delivery"
_PAGES: Final = 5


@dataclass(frozen=True, kw_only=True)
class Self:
    """The bot in one workspace."""

    team_id: str
    user_id: str
    bot_id: str


def marker(key: str) -> str:
    """What a key looks like inside Slack: it says nothing about what it stands for."""
    return f"ah{hashlib.sha256(key.encode()).hexdigest()[:20]}"


def metadata(key: str) -> dict[str, Any]:
    """Message metadata with the marker. https://docs.slack.dev/messaging/message-metadata"""
    return {"event_type": EVENT_TYPE, "event_payload": {"marker": marker(key)}}


async def find_message(
    calls: SlackCalls, tenant: TenantId, own: Self, *, channel: str, thread_ts: str | None, wanted: str
) -> str | None:
    """The ts of our message that carries the marker, in the thread or among the channel's latest 1,000.

    Raises SlackFailure.
    """
    cursor = ""
    for _ in range(_PAGES):
        page = await _page(calls, tenant, channel, thread_ts, cursor)
        for message in page.get("messages") or []:
            if _is_own(message, own) and _carries(message, wanted):
                return str(message["ts"])
        cursor = str((page.get("response_metadata") or {}).get("next_cursor") or "")
        if not cursor:
            break
    return None


async def _page(
    calls: SlackCalls, tenant: TenantId, channel: str, thread_ts: str | None, cursor: str
) -> Mapping[str, Any]:
    given: dict[str, Any] = {"channel": channel, "limit": 200, "include_all_metadata": True}
    if cursor:
        given["cursor"] = cursor
    if thread_ts is None:
        return await calls.call(tenant, "conversations.history", lambda client: client.conversations_history(**given))
    given["ts"] = thread_ts
    return await calls.call(tenant, "conversations.replies", lambda client: client.conversations_replies(**given))


def _is_own(message: Mapping[str, Any], own: Self) -> bool:
    return bool(own.user_id and message.get("user") == own.user_id) or bool(
        own.bot_id and message.get("bot_id") == own.bot_id
    )


def _carries(message: Mapping[str, Any], wanted: str) -> bool:
    payload = (message.get("metadata") or {}).get("event_payload") or {}
    if payload.get("marker") == wanted:
        return True
    blocks = message.get("blocks") or []
    ids = [block.get("block_id") for block in blocks]
    ids += [task.get("task_id") for block in blocks for task in block.get("tasks") or []]
    return any(isinstance(one, str) and one.partition(":")[0] == wanted for one in ids)
