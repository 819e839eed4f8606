"""Of which channels somebody may be told elsewhere: public ones, and private ones that the person is a member of. What
was said in a direct message is told there only.

Slack is asked each time: whoever left a channel must not read on.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

_PAGE = 1000


async def visible_channels(
    client: AsyncWebClient, channels: Iterable[str | None], slack_user_id: str, *, here: str | None = None
) -> set[str]:
    """Those of `channels` that may be told of. `here` is where the person asks: that one they see already."""
    asked = sorted({channel for channel in channels if channel and channel != here and not channel.startswith("D")})
    answers = await asyncio.gather(*(_may_see(client, channel, slack_user_id) for channel in asked))
    return {channel for channel, may_see in zip(asked, answers, strict=True) if may_see} | ({here} if here else set())


async def members_alone(client: AsyncWebClient, channel_id: str) -> frozenset[str] | None:
    """Whom a private channel is for, by Slack id; None for a public one, of which everybody may be told.

    Not for direct messages. Raises what Slack's client raises: nobody is told of what Slack does not tell about.
    """
    if await _is_public(client, channel_id):
        return None
    return frozenset([member async for page in _members(client, channel_id) for member in page])


async def _may_see(client: AsyncWebClient, channel_id: str, slack_user_id: str) -> bool:
    """What Slack does not tell is not shown."""
    try:
        return await _is_public(client, channel_id) or await _is_member(client, channel_id, slack_user_id)
    except SlackApiError:
        return False


async def _is_public(client: AsyncWebClient, channel_id: str) -> bool:
    channel: dict[str, Any] = (await client.conversations_info(channel=channel_id))["channel"]
    return channel.get("is_private") is False


async def _is_member(client: AsyncWebClient, channel_id: str, slack_user_id: str) -> bool:
    async for page in _members(client, channel_id):
        if slack_user_id in page:
            return True
    return False


async def _members(client: AsyncWebClient, channel_id: str) -> AsyncIterator[list[str]]:
    cursor = ""
    while True:
        page = await client.conversations_members(channel=channel_id, limit=_PAGE, cursor=cursor)
        yield page["members"]
        rest: dict[str, Any] = page.get("response_metadata") or {}
        cursor = rest.get("next_cursor") or ""
        if not cursor:
            return
