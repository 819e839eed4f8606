"""Agent sessions, as strict as Slack has them."""

import asyncio
import copy
from typing import Any

import pytest
from slack_bolt.app.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.demo.workspace import Workspace
from bot.demo.workspace.interactions import ImpossibleInSlack
from bot.demo.workspace.manifest import ManifestError, read_manifest
from tests.bot.demo.workspace.support import MANIFEST, bolt_app, connected

CHANNEL = "C0INCIDENTS"


async def code(call: Any) -> str:
    with pytest.raises(SlackApiError) as caught:
        await call
    return str(caught.value.response["error"])


async def test_a_session_begins_with_its_title_and_changes_by_being_set(
    workspace: Workspace, client: AsyncWebClient
) -> None:
    ts = await workspace.post("mia", "incidents", "look")
    at = {"channel_id": CHANNEL, "thread_ts": ts}
    answer = await client.agents_sessions_setStatus(status="processing", title="a: b", initiator_user_id="U0MIA", **at)
    assert (answer["agent_status"], answer["title"]) == ("processing", "a_ b")
    assert "response_metadata" not in answer.data
    await client.agents_sessions_setStatus(status="suspended", title="other", **at)
    await client.agents_sessions_rename(title="Checkout", **at)
    session = workspace.session("incidents", ts)
    assert session is not None
    assert (session.status, session.title, session.initiator) == ("suspended", "Checkout", "U0MIA")


async def test_what_slack_refuses_is_refused(workspace: Workspace, client: AsyncWebClient) -> None:
    ts = await workspace.post("mia", "incidents", "look")
    at = {"channel_id": CHANNEL, "thread_ts": ts}
    assert await code(client.agents_sessions_setStatus(channel_id=CHANNEL, status="active")) == "invalid_arguments"
    assert await code(client.agents_sessions_setStatus(status="busy", **at)) == "invalid_arguments"
    assert await code(client.agents_sessions_setStatus(status="active", title="x" * 201, **at)) == "invalid_arguments"
    assert await code(client.agents_sessions_setStatus(status="active", username="me", **at)) == "missing_scope"
    assert await code(client.agents_sessions_setStatus(status="active", initiator_user_id="U0EVE", **at)) == (
        "user_not_in_channel"
    )
    assert await code(client.agents_sessions_rename(title="x", **at)) == "session_not_found"
    elsewhere = {"channel_id": "C0GENERAL", "thread_ts": ts}
    assert await code(client.agents_sessions_setStatus(status="active", **elsewhere)) == "not_in_channel"


async def test_a_stream_makes_it_processing_and_may_end_with_another_status(
    workspace: Workspace, client: AsyncWebClient
) -> None:
    ts = await workspace.post("mia", "incidents", "look")
    given = {"recipient_team_id": workspace.team_id, "recipient_user_id": "U0MIA"}
    stream = await client.chat_startStream(channel=CHANNEL, thread_ts=ts, markdown_text="reading", **given)
    session = workspace.session("incidents", ts)
    assert session is not None
    assert session.status == "processing"
    await client.chat_stopStream(channel=CHANNEL, ts=str(stream["ts"]), session_status="suspended")
    assert session.status == "suspended"


async def test_the_stop_button_ends_streams_and_leaves_the_status_to_the_app(
    workspace: Workspace, client: AsyncWebClient
) -> None:
    app: AsyncApp = bolt_app(workspace, client)
    heard: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    @app.event("agent_session_stopped")
    async def stopped(event: dict[str, Any]) -> None:
        heard.put_nowait(event)

    ts = await workspace.post("mia", "incidents", "look")
    given = {"recipient_team_id": workspace.team_id, "recipient_user_id": "U0MIA"}
    stream = await client.chat_startStream(channel=CHANNEL, thread_ts=ts, markdown_text="reading", **given)
    async with connected(workspace, app):
        await workspace.stop_session("mia", "incidents", ts)
        async with asyncio.timeout(60):
            event = await heard.get()
    assert event["streaming_message_ts"] == [stream["ts"]]
    session = workspace.session("incidents", ts)
    assert session is not None
    assert session.status == "processing"
    more = client.chat_appendStream(channel=CHANNEL, ts=str(stream["ts"]), markdown_text="more")
    assert await code(more) == "stopped_by_user"


async def test_without_the_event_it_warns_and_there_is_no_button() -> None:
    manifest = copy.deepcopy(MANIFEST)
    manifest["settings"]["event_subscriptions"]["bot_events"].remove("agent_session_stopped")
    workspace = Workspace(manifest)
    await workspace.start()
    client = AsyncWebClient(token=workspace.bot_token, base_url=workspace.api_url)
    ts = await workspace.post("mia", "incidents", "look")
    answer = await client.agents_sessions_setStatus(channel_id=CHANNEL, thread_ts=ts, status="processing")
    assert answer["response_metadata"]["warnings"] == ["missing_agent_session_stopped_event_subscription"]
    with pytest.raises(ImpossibleInSlack):
        await workspace.stop_session("mia", "incidents", ts)
    await workspace.stop()


def test_an_app_that_is_no_agent_hears_of_no_sessions() -> None:
    manifest = copy.deepcopy(MANIFEST)
    del manifest["features"]["agent_view"]
    with pytest.raises(ManifestError, match="agent_session_stopped needs features"):
        read_manifest(manifest)
