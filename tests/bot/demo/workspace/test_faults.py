"""Faults on demand, and what is counted."""

import asyncio

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient

from bot.demo.workspace import ManualClock, Workspace

CHANNEL = "C0INCIDENTS"


async def test_rate_limit_is_answered_with_429_and_passes(workspace: Workspace, client: AsyncWebClient) -> None:
    workspace.faults.rate_limit("chat.postMessage", times=1, retry_after=7)
    with pytest.raises(SlackApiError) as caught:
        await client.chat_postMessage(channel=CHANNEL, text="x")
    assert (caught.value.response.status_code, caught.value.response.headers["Retry-After"]) == (429, "7")
    await client.chat_postMessage(channel=CHANNEL, text="x")
    assert [call.error for call in workspace.calls("chat.postMessage")] == ["ratelimited", None]
    assert workspace.violations == []


async def test_sdks_own_retry_handler_gets_over_a_rate_limit(workspace: Workspace, client: AsyncWebClient) -> None:
    client.retry_handlers.append(AsyncRateLimitErrorRetryHandler(max_retry_count=1))
    workspace.faults.rate_limit("chat.postMessage", times=1, retry_after=0)
    await client.chat_postMessage(channel=CHANNEL, text="x")
    assert len(workspace.calls("chat.postMessage")) == 2


async def test_failure_does_nothing_and_is_counted_down(workspace: Workspace, client: AsyncWebClient) -> None:
    workspace.faults.fail("chat.postMessage", "internal_error", times=2)
    for _ in range(2):
        with pytest.raises(SlackApiError, match="internal_error"):
            await client.chat_postMessage(channel=CHANNEL, text="x")
    await client.chat_postMessage(channel=CHANNEL, text="x")
    assert len(workspace.messages("incidents")) == 1


async def test_lost_response_has_posted_all_the_same(workspace: Workspace, client: AsyncWebClient) -> None:
    client.retry_handlers.clear()
    workspace.faults.lose_response("chat.postMessage")
    with pytest.raises(aiohttp.ClientError):
        await client.chat_postMessage(channel=CHANNEL, text="x")
    assert len(workspace.messages("incidents")) == 1


async def test_slow_method_waits_for_the_clock(
    workspace: Workspace, client: AsyncWebClient, clock: ManualClock
) -> None:
    workspace.faults.slow("chat.postMessage", 20)
    posting = asyncio.ensure_future(client.chat_postMessage(channel=CHANNEL, text="x"))
    await asyncio.sleep(0.05)
    assert not posting.done()
    async with asyncio.timeout(60):
        while not posting.done():
            await clock.advance(20)
            await asyncio.sleep(0.01)
    assert workspace.pushes("incidents") == 1


async def test_pushes_are_new_posts_only(workspace: Workspace, client: AsyncWebClient) -> None:
    posted = await client.chat_postMessage(channel=CHANNEL, text="verdict")
    await client.chat_update(channel=CHANNEL, ts=posted["ts"], text="verdict, later")
    await client.chat_postEphemeral(channel=CHANNEL, user=workspace.users["mia"].id, text="only you")
    await client.chat_postMessage(channel=CHANNEL, text="reply", thread_ts=posted["ts"])
    await workspace.post("raj", "#incidents", "thanks", posted["ts"])
    assert workspace.pushes("incidents") == 2
    assert workspace.pushes("incidents", posted["ts"]) == 2
    assert [one.text for one in workspace.messages("incidents", posted["ts"])] == ["verdict, later", "reply", "thanks"]


async def test_reading_methods_answer_what_apps_read(workspace: Workspace, client: AsyncWebClient) -> None:
    parent = await workspace.post("mia", "#incidents", "hello @raj")
    await client.chat_postMessage(channel=CHANNEL, text="reply", thread_ts=parent)
    await client.reactions_add(channel=CHANNEL, timestamp=parent, name="eyes")
    history = (await client.conversations_history(channel=CHANNEL))["messages"]
    assert [(one["text"], one["reply_count"]) for one in history] == [("hello <@U0RAJ>", 1)]
    replies = (await client.conversations_replies(channel=CHANNEL, ts=parent))["messages"]
    assert [one["text"] for one in replies] == ["hello <@U0RAJ>", "reply"]
    assert replies[0]["reactions"][0]["name"] == "eyes"
    gus = (await client.users_info(user=workspace.users["gus"].id))["user"]
    eve = (await client.users_info(user=workspace.users["eve"].id))["user"]
    olga = (await client.users_info(user=workspace.users["olga"].id))["user"]
    assert (gus["is_restricted"], eve["is_stranger"], olga["is_admin"]) == (True, True, True)
    assert eve["team_id"] != workspace.team_id
    shared = await client.conversations_info(channel=workspace.channels["shared-with-acme"].id)
    assert shared["channel"]["is_ext_shared"] is True
    channels = (await client.conversations_list())["channels"]
    assert {one["name"]: one["is_member"] for one in channels}["general"] is False
    members = (await client.conversations_members(channel=CHANNEL))["members"]
    assert workspace.bot_user_id in members
    opened = await client.conversations_open(users=workspace.users["mia"].id)
    assert opened["channel"]["id"] == workspace.channels["dm:mia"].id
    joined = await client.conversations_join(channel=workspace.channels["general"].id)
    assert joined["channel"]["is_member"] is True
    link = (await client.chat_getPermalink(channel=CHANNEL, message_ts=parent))["permalink"]
    assert link.endswith(f"/archives/{CHANNEL}/p{parent.replace('.', '')}")
    await client.assistant_threads_setStatus(channel_id=CHANNEL, thread_ts=parent, status="is reading")
    assert workspace.status("incidents", parent) == "is reading"
    await client.assistant_threads_setSuggestedPrompts(
        channel_id=workspace.channels["dm:mia"].id, prompts=[{"title": "Status", "message": "status"}]
    )
    assert workspace.violations == []
