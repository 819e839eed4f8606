"""`response_url`: five uses within 30 minutes, and what each does."""

import json
from typing import Any

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient

from bot.demo.workspace import ManualClock, Workspace
from tests.bot.demo.workspace.support import bolt_app, button, connected


@pytest.fixture
async def clicked(workspace: Workspace, client: AsyncWebClient) -> tuple[str, AsyncWebhookClient]:
    """A message with a button, and the response_url of a click on it."""
    app = bolt_app(workspace, client)
    urls: list[str] = []

    @app.action("go")
    async def go(ack: Any, body: dict[str, Any]) -> None:
        urls.append(body["response_url"])
        await ack()

    async with connected(workspace, app):
        posted = await client.chat_postMessage(channel="C0INCIDENTS", text="Go?", blocks=[button("go", "Go")])
        await workspace.click("mia", posted["ts"], "go")
    return str(posted["ts"]), AsyncWebhookClient(urls[0])


async def test_answer_is_private_unless_it_asks_for_the_channel(
    workspace: Workspace, clicked: tuple[str, AsyncWebhookClient]
) -> None:
    _, hook = clicked
    await hook.send(text="for you")
    await hook.send(text="for all", response_type="in_channel")
    found = {one.text: one.ephemeral_for for one in workspace.messages("incidents")}
    assert found == {"Go?": None, "for you": workspace.users["mia"].id, "for all": None}


async def test_original_is_replaced_and_deleted(workspace: Workspace, clicked: tuple[str, AsyncWebhookClient]) -> None:
    ts, hook = clicked
    await hook.send(text="Gone", replace_original=True, blocks=[])
    (message,) = workspace.messages("incidents", ts)
    assert (message.text, message.blocks, message.edits) == ("Gone", [], 1)
    await hook.send(delete_original=True)
    assert workspace.messages("incidents", ts) == []


async def test_sixth_use_is_refused(workspace: Workspace, clicked: tuple[str, AsyncWebhookClient]) -> None:
    _, hook = clicked
    for _ in range(5):
        assert (await hook.send(text="again")).status_code == 200
    refused = await hook.send(text="again")
    assert (refused.status_code, json.loads(refused.body)["error"]) == (404, "used_url")
    assert workspace.violations[-1].where == "response_url"


async def test_url_ends_after_30_minutes(
    workspace: Workspace, clicked: tuple[str, AsyncWebhookClient], clock: ManualClock
) -> None:
    _, hook = clicked
    await clock.advance(30 * 60 + 1)
    assert json.loads((await hook.send(text="late")).body)["error"] == "expired_url"


async def test_blocks_are_checked_here_too(workspace: Workspace, clicked: tuple[str, AsyncWebhookClient]) -> None:
    _, hook = clicked
    refused = await hook.send(text="x", blocks=[{"type": "marquee"}])
    assert (refused.status_code, json.loads(refused.body)["error"]) == (400, "invalid_blocks")


async def test_trigger_opens_one_modal_within_3_seconds(
    workspace: Workspace, client: AsyncWebClient, clock: ManualClock
) -> None:
    state = workspace._state
    view = {"type": "modal", "title": {"type": "plain_text", "text": "Why"}, "blocks": [{"type": "divider"}]}
    first, late = state.new_trigger("U0MIA"), state.new_trigger("U0MIA")
    opened = await client.views_open(trigger_id=first, view=view)
    assert workspace.views[opened["view"]["id"]].user == "U0MIA"
    for trigger, code in ((first, "exchanged_trigger_id"), (late, "expired_trigger_id")):
        if trigger == late:
            await clock.advance(3.1)
        with pytest.raises(SlackApiError, match=code):
            await client.views_open(trigger_id=trigger, view=view)
    with pytest.raises(SlackApiError, match="hash_conflict"):
        await client.views_update(view_id=opened["view"]["id"], hash="old", view=view)
