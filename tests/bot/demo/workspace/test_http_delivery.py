"""Delivery over signed HTTP POSTs, checked with the SDK's own verifier."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from urllib.parse import parse_qs

import pytest
from aiohttp import web
from slack_sdk.signature import SignatureVerifier
from slack_sdk.web.async_client import AsyncWebClient

from bot.demo.workspace import ManualClock, Workspace
from tests.bot.demo.workspace.support import MANIFEST, button

SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
Answer = Callable[[str], Awaitable[web.Response]]


async def fine(body: str) -> web.Response:
    if "url_verification" in body:
        return web.json_response({"challenge": json.loads(body)["challenge"]})
    return web.Response()


@dataclass
class Receiver:
    """An app's HTTP endpoint: keeps what it was sent."""

    answer: Answer = fine
    got: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.text()
        self.got.append((body, {key.lower(): value for key, value in request.headers.items()}))
        self.news.set()
        return await self.answer(body)

    async def wait(self, count: int) -> None:
        async with asyncio.timeout(60):
            while len(self.got) < count:
                self.news.clear()
                await self.news.wait()


@pytest.fixture
async def receiver() -> AsyncIterator[tuple[Receiver, str]]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/slack/events", receiver.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield receiver, f"http://127.0.0.1:{runner.addresses[0][1]}/slack/events"
    await runner.cleanup()


@pytest.fixture
async def remote(receiver: tuple[Receiver, str], clock: ManualClock) -> AsyncIterator[Workspace]:
    workspace = Workspace(MANIFEST, clock=clock, delivery="http", request_url=receiver[1], signing_secret=SECRET)
    await workspace.start()
    yield workspace
    await workspace.stop()


async def test_everything_is_signed(remote: Workspace, receiver: tuple[Receiver, str]) -> None:
    app, _ = receiver
    assert await remote.verify_request_url()
    await remote.post("mia", "dm", "hi")
    await app.wait(2)
    await remote.slash("mia", "#incidents", "/autoheal status")
    verifier = SignatureVerifier(SECRET)
    assert [verifier.is_valid_request(body, headers) for body, headers in app.got] == [True] * 3
    assert not SignatureVerifier("other").is_valid_request(*app.got[0])
    assert json.loads(app.got[1][0])["event"]["channel_type"] == "im"
    assert parse_qs(app.got[2][0])["command"] == ["/autoheal"]
    assert "x-slack-retry-num" not in app.got[1][1]


async def test_click_arrives_as_a_form_with_a_payload(remote: Workspace, receiver: tuple[Receiver, str]) -> None:
    app, _ = receiver
    client = AsyncWebClient(token=remote.bot_token, base_url=remote.api_url)
    posted = await client.chat_postMessage(channel="C0CHECKOUT", text="x", blocks=[button("go", "Go", value="7")])
    await app.wait(1)
    ack = await remote.click("raj", posted["ts"], "go")
    payload = json.loads(parse_qs(app.got[-1][0])["payload"][0])
    assert ack.acked
    assert payload["actions"][0]["value"] == "7"
    assert payload["message"]["ts"] == posted["ts"]
    assert payload["user"]["id"] == remote.users["raj"].id


async def test_silent_app_is_asked_again_at_once_then_after_one_and_five_minutes(
    remote: Workspace, receiver: tuple[Receiver, str], clock: ManualClock
) -> None:
    app, _ = receiver

    async def silent(_body: str) -> web.Response:
        await asyncio.Event().wait()
        return web.Response()

    app.answer = silent
    await remote.post("mia", "dm", "hi")
    await app.wait(1)
    times = []
    for count, wait in ((2, 0), (3, 60), (4, 300)):
        await clock.until_asleep(3)
        await clock.advance(3)
        if wait:
            await clock.until_asleep(wait)
            await clock.advance(wait)
        await app.wait(count)
        times.append(clock.time())
    assert [headers.get("x-slack-retry-num") for _, headers in app.got] == [None, "1", "2", "3"]
    assert app.got[1][1]["x-slack-retry-reason"] == "http_timeout"
    assert len({json.loads(body)["event_id"] for body, _ in app.got}) == 1
    await clock.until_asleep(3)
    await clock.advance(3)
    await remote.wait_for(lambda it: it.violations)
    assert remote.violations[0].messages == ("message", "http_timeout")


async def test_error_status_is_retried_unless_the_app_declines(
    remote: Workspace, receiver: tuple[Receiver, str]
) -> None:
    app, _ = receiver

    async def failing(_body: str) -> web.Response:
        headers = {"X-Slack-No-Retry": "1"} if len(app.got) > 1 else {}
        return web.Response(status=500, headers=headers)

    app.answer = failing
    await remote.post("mia", "dm", "hi")
    await remote.wait_for(lambda it: it.violations)
    assert [headers.get("x-slack-retry-reason") for _, headers in app.got] == [None, "http_error"]


async def test_unanswered_click_is_an_error_and_not_repeated(
    remote: Workspace, receiver: tuple[Receiver, str], clock: ManualClock
) -> None:
    app, _ = receiver

    async def silent(_body: str) -> web.Response:
        await asyncio.Event().wait()
        return web.Response()

    app.answer = silent
    asking = asyncio.ensure_future(remote.slash("mia", "#incidents", "/autoheal status"))
    await app.wait(1)
    await clock.until_asleep(3)
    await clock.advance(3)
    ack = await asking
    assert (ack.acked, len(app.got)) == (False, 1)
    assert remote.violations[0].error == "operation_timeout"


async def test_json_in_the_answer_to_a_command_is_shown(remote: Workspace, receiver: tuple[Receiver, str]) -> None:
    app, _ = receiver

    async def answer(_body: str) -> web.Response:
        return web.json_response({"text": "fine", "blocks": [{"type": "divider"}]})

    app.answer = answer
    await remote.slash("mia", "#incidents", "/autoheal status")
    (message,) = remote.messages("incidents")
    assert (message.text, message.ephemeral_for) == ("fine", remote.users["mia"].id)
