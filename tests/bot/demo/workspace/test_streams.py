"""Streamed messages, with the SDK's own AsyncChatStream."""

from typing import Any

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_chat_stream import AsyncChatStream
from slack_sdk.web.async_client import AsyncWebClient

from bot.demo.workspace import ManualClock, Workspace
from tests.bot.demo.workspace.support import button


async def stream(workspace: Workspace, client: AsyncWebClient, mode: str = "plan") -> tuple[str, AsyncChatStream]:
    ts = await workspace.post("mia", "#incidents", "look")
    return ts, await client.chat_stream(
        buffer_size=1,
        channel=workspace.channels["incidents"].id,
        thread_ts=ts,
        recipient_team_id=workspace.team_id,
        recipient_user_id=workspace.users["mia"].id,
        task_display_mode=mode,
    )


def update(number: str, title: str, status: str, **more: Any) -> dict[str, Any]:
    return {"type": "task_update", "id": number, "title": title, "status": status, **more}


async def code(call: Any) -> str:
    with pytest.raises(SlackApiError) as caught:
        await call
    return str(caught.value.response["error"])


async def test_chunks_fold_into_one_plan_and_text(workspace: Workspace, client: AsyncWebClient) -> None:
    ts, flow = await stream(workspace, client)
    await flow.append(chunks=[{"type": "plan_update", "title": "Checking"}, update("1", "logs", "in_progress")])
    await flow.append(chunks=[update("2", "git", "pending"), update("1", "logs read", "complete", output="12 lines")])
    await flow.append(markdown_text="All **read**.")
    message = workspace.messages("incidents", ts)[-1]
    assert message.streaming == "streaming"
    assert message.plan_title == "Checking"
    assert [(one["title"], one["status"]) for one in message.tasks] == [("logs read", "complete"), ("git", "pending")]
    assert message.markdown == "All **read**."
    await flow.stop(blocks=[button("more", "Details")])
    message = workspace.messages("incidents", ts)[-1]
    assert message.streaming == "stopped"
    assert [block["type"] for block in message.all_blocks] == ["plan", "markdown", "actions"]
    assert workspace.pushes("incidents", ts) == 0
    assert workspace.violations == []


async def test_task_details_are_appended_and_titles_replaced(workspace: Workspace, client: AsyncWebClient) -> None:
    ts, flow = await stream(workspace, client, "timeline")
    await flow.append(chunks=[update("1", "a", "in_progress", details="one")])
    await flow.append(chunks=[update("1", "b", "complete", details=", two")])
    (task,) = workspace.messages("incidents", ts)[-1].tasks
    assert task["title"] == "b"
    assert task["details"]["elements"][0]["elements"][0]["text"] == "one, two"


async def test_stream_that_starts_with_text_is_a_push(workspace: Workspace, client: AsyncWebClient) -> None:
    ts, flow = await stream(workspace, client)
    await flow.append(markdown_text="Checking checkout")
    assert workspace.pushes("incidents", ts) == 1


async def test_stream_ends_after_five_minutes_and_is_edited_instead(
    workspace: Workspace, client: AsyncWebClient, clock: ManualClock
) -> None:
    ts, flow = await stream(workspace, client)
    await flow.append(markdown_text="one")
    await clock.advance(299)
    await flow.append(markdown_text=" two")
    assert (
        await code(client.chat_update(channel="C0INCIDENTS", ts=str(flow.ts), text="x")) == "streaming_state_conflict"
    )
    await clock.advance(1)
    assert await code(flow.append(markdown_text=" three")) == "message_not_in_streaming_state"
    await client.chat_update(channel="C0INCIDENTS", ts=str(flow.ts), text="whole", blocks=[])
    message = workspace.messages("incidents", ts)[-1]
    assert (message.streaming, message.text, message.edits, message.markdown) == ("expired", "whole", 1, "")


async def test_stream_ends_on_command_and_after_stop(workspace: Workspace, client: AsyncWebClient) -> None:
    _, flow = await stream(workspace, client)
    await flow.append(markdown_text="one")
    workspace.faults.expire_streams()
    assert await code(flow.append(markdown_text="two")) == "message_not_in_streaming_state"
    _, other = await stream(workspace, client)
    await other.append(markdown_text="one")
    await other.stop()
    stopped = client.chat_appendStream(channel="C0INCIDENTS", ts=str(other.ts), markdown_text="x")
    assert await code(stopped) == "message_not_in_streaming_state"


async def test_only_a_stream_of_the_app_is_appended_to(workspace: Workspace, client: AsyncWebClient) -> None:
    ts = await workspace.post("mia", "#incidents", "hello")
    call = client.chat_appendStream(channel="C0INCIDENTS", ts=ts, markdown_text="x")
    assert await code(call) == "message_not_owned_by_app"


async def test_stream_limits(workspace: Workspace, client: AsyncWebClient) -> None:
    ts, flow = await stream(workspace, client)
    await flow.append(markdown_text="x" * 11_999)
    assert await code(flow.append(markdown_text="xx")) == "msg_too_long"
    both = client.chat_appendStream(
        channel="C0INCIDENTS", ts=str(flow.ts), markdown_text="x", chunks=[update("1", "a", "pending")]
    )
    assert await code(both) == "cannot_provide_both_markdown_text_and_chunks"
    switched = client.chat_appendStream(channel="C0INCIDENTS", ts=str(flow.ts), markdown_text="x")
    assert await code(switched) == "streaming_mode_mismatch"
    alone = client.chat_startStream(channel="C0INCIDENTS", thread_ts=ts, markdown_text="x")
    assert await code(alone) == "missing_recipient_team_id"
    many = [update(str(one), "t", "pending") for one in range(51)]
    assert await code(flow.append(chunks=many)) == "msg_too_long"  # the SDK still holds the text that was refused
    _, fresh = await stream(workspace, client)
    assert await code(fresh.append(chunks=many)) == "invalid_chunks"
