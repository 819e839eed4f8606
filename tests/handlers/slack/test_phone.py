"""The verdict and the card fit one screen of a phone, measured in a real browser."""

from collections.abc import AsyncIterator

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.demo.workspace import Workspace
from tests.bot.demo.workspace.chromium import chromium
from tests.bot.demo.workspace.support import MANIFEST
from tests.handlers.slack.test_messages import SCENARIOS, messages

PHONE = (390, 844)


@pytest.fixture
async def slack() -> AsyncIterator[Workspace]:
    workspace = Workspace(MANIFEST)
    await workspace.start()
    yield workspace
    await workspace.stop()


@pytest.mark.browser
async def test_no_message_of_the_scenarios_is_longer_than_the_screen(slack: Workspace) -> None:
    client = AsyncWebClient(token=slack.bot_token, base_url=slack.api_url)
    root = await slack.post("mia", "incidents", "what broke?")
    told: dict[str, str] = {}
    for name in ("example", *sorted(SCENARIOS)):
        for message in messages(name):
            if message.text != "x":  # Details and the like are forms, which scroll
                given = {"channel": "C0INCIDENTS", "thread_ts": root, "text": message.text}
                sent = await client.chat_postMessage(**given, blocks=list(message.blocks))
                told[str(sent["ts"])] = f"{name}: {message.text}"
    async with chromium(width=PHONE[0], height=PHONE[1]) as page:
        await page.goto(f"{slack.base_url}#C0INCIDENTS/{root}")
        await page.evaluate("document.body.dataset.pane = 'thread'")
        await page.wait_until(f"document.querySelectorAll('#thread article.msg').length > {len(told)}")
        screen = await page.evaluate("document.querySelector('#thread .scroll').clientHeight")
        heights = await page.evaluate(
            "[...document.querySelectorAll('#thread article.msg')].map((one) => [one.dataset.ts, one.offsetHeight])"
        )
    assert screen > 600
    assert {told[ts]: height for ts, height in heights if ts in told and height > screen} == {}
