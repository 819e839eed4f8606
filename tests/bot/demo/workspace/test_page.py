"""The page in a real browser, and who may reach it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from slack_bolt.app.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.demo.workspace import Workspace
from tests.bot.demo.workspace.chromium import Page, chromium
from tests.bot.demo.workspace.support import bolt_app, button, connected

CHANNEL = "C0INCIDENTS"


def text(value: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": value}


def small_app(workspace: Workspace, client: AsyncWebClient) -> AsyncApp:
    """Answers a mention with buttons; Approve edits the message, Reject opens a modal."""
    app = bolt_app(workspace, client)
    confirm = {
        "title": text("Sure?"),
        "text": text("Rolls back"),
        "confirm": text("Do it"),
        "deny": text("Wait"),
    }
    modal = {
        "type": "modal",
        "callback_id": "reason",
        "title": text("Reject"),
        "submit": text("Send"),
        "blocks": [
            {
                "type": "input",
                "block_id": "why",
                "label": text("Why?"),
                "element": {"type": "plain_text_input", "action_id": "reason", "multiline": True},
            }
        ],
    }

    @app.event("app_mention")
    async def mention(event: dict[str, Any], say: Any) -> None:
        elements = [
            *button("approve", "Approve", style="primary", confirm=confirm)["elements"],
            *button("reject", "Reject", style="danger")["elements"],
        ]
        blocks = [
            {"type": "section", "text": {"type": "mrkdwn", "text": "Roll back *checkout*?"}},
            {"type": "actions", "elements": elements},
        ]
        await say(text="Roll back checkout?", blocks=blocks, thread_ts=event["ts"])

    @app.action("approve")
    async def approve(ack: Any, body: dict[str, Any]) -> None:
        await ack()
        done = f"Approved by <@{body['user']['id']}>"
        section = {"type": "section", "text": {"type": "mrkdwn", "text": done}}
        await client.chat_update(channel=CHANNEL, ts=body["message"]["ts"], text=done, blocks=[section])

    @app.action("reject")
    async def reject(ack: Any, body: dict[str, Any]) -> None:
        await ack()
        await client.views_open(trigger_id=body["trigger_id"], view=modal)

    @app.view("reason")
    async def reason(ack: Any, view: dict[str, Any], body: dict[str, Any]) -> None:
        value = view["state"]["values"]["why"]["reason"]["value"]
        if len(value) < 5:
            await ack(response_action="errors", errors={"why": "Say a little more"})
            return
        await ack()
        await client.chat_postMessage(channel=CHANNEL, text=f"Rejected: {value}")

    @app.command("/autoheal")
    async def command(ack: Any) -> None:
        await ack("All quiet")

    return app


@pytest.fixture
async def page(workspace: Workspace) -> AsyncIterator[Page]:
    async with chromium() as page:
        await page.goto(workspace.base_url)
        await page.wait_for("#main .composer textarea")
        yield page
        assert page.errors == []


async def ask(page: Page) -> None:
    """Mention the app with the completion's help and open the thread of its answer."""
    await page.type("#main textarea", "@auto")
    await page.wait_for("[role=option]")
    await page.press("Enter")
    await page.send("Input.insertText", text="is checkout fine?")
    await page.press("Enter")
    await page.click(".thread-row")
    await page.wait_for("#thread [data-action=approve]")


@pytest.mark.browser
async def test_mention_thread_and_approval_in_the_page(
    workspace: Workspace, client: AsyncWebClient, page: Page
) -> None:
    async with connected(workspace, small_app(workspace, client)):
        await ask(page)
        assert workspace.messages("incidents")[0].text == f"<@{workspace.bot_user_id}> is checkout fine?"
        assert await page.text(".thread-count") == "1 reply"
        await page.click("#thread [data-action=approve]")
        await page.click("text=Wait")
        await page.wait_gone(".dialog")
        await page.click("#thread [data-action=approve]")
        await page.click("text=Do it")
        await page.wait_until("document.querySelector('#thread').innerText.includes('Approved by @mia')")
        assert await page.count("#thread [data-action=approve]") == 0
    assert workspace.violations == []


@pytest.mark.browser
async def test_modal_shows_the_apps_objection_and_then_closes(
    workspace: Workspace, client: AsyncWebClient, page: Page
) -> None:
    async with connected(workspace, small_app(workspace, client)):
        await ask(page)
        await page.click("#thread [data-action=reject]")
        await page.wait_for("[role=dialog] textarea")
        await page.click("text=Send")
        assert "required" in await page.text(".modal > .input-error:not(:empty)")
        await page.type("[role=dialog] textarea", "no")
        await page.click("text=Send")
        assert await page.text(".input .input-error") == "Say a little more"
        assert await page.evaluate("document.querySelector('[role=dialog] textarea').value") == "no"
        await page.type("[role=dialog] textarea", ", wrong service")
        await page.click("text=Send")
        await page.wait_gone("[role=dialog]")
        await page.wait_until("document.querySelector('#main').innerText.includes('wrong service')")


@pytest.mark.browser
async def test_slash_command_answer_is_seen_by_its_asker_only(
    workspace: Workspace, client: AsyncWebClient, page: Page
) -> None:
    async with connected(workspace, small_app(workspace, client)):
        await page.type("#main textarea", "/au")
        assert "status | stop | help" in await page.text("[role=option]")
        await page.press("Tab")
        await page.press("Enter")
        assert "Only visible to you" in await page.text(".msg-private")
        await page.click("#persona")
        await page.click("[data-persona=raj]")
        await page.wait_gone(".msg-private")
        await page.wait_until("document.querySelector('#persona').innerText.includes('raj')")
        await page.type("#main textarea", "hello", enter=True)
        await page.wait_until("document.querySelector('#main').innerText.includes('Raj Patel')")
        assert workspace.messages("incidents")[-1].user == workspace.users["raj"].id


@pytest.mark.browser
async def test_what_arrives_meanwhile_takes_neither_a_click_nor_the_focus(workspace: Workspace, page: Page) -> None:
    async def arrive(words: str) -> None:
        await workspace.post("raj", "#incidents", words)
        await page.wait_until(f"document.querySelector('#main .list').innerText.includes({words!r})")

    await page.type("#main textarea", "/au")
    await page.wait_for("[role=option]")
    await arrive("one")
    assert await page.evaluate("document.activeElement === document.querySelector('#main textarea')")
    assert await page.count("[role=option]") == 1
    await page.press("Tab")
    assert await page.evaluate("document.querySelector('#main textarea').value") == "/autoheal "
    at = await page.hold("#persona")
    await workspace.post("raj", "#checkout-team", "two")
    await page.wait_until("import('/page/state.js').then((it) => it.state.messages.has('C0CHECKOUT'))")
    await page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    await page.release(at)
    await page.click("[data-persona=raj]")
    await page.wait_until("document.querySelector('#persona').innerText.includes('raj')")
    await arrive("three")


@pytest.mark.browser
async def test_stream_edit_and_push_arrive_live(workspace: Workspace, client: AsyncWebClient, page: Page) -> None:
    ts = await workspace.post("mia", "#incidents", "look")
    flow = await client.chat_stream(
        buffer_size=1,
        channel=CHANNEL,
        thread_ts=ts,
        recipient_team_id=workspace.team_id,
        recipient_user_id=workspace.users["mia"].id,
        task_display_mode="plan",
    )
    task = {"type": "task_update", "id": "1", "title": "Read logs", "status": "in_progress"}
    await flow.append(chunks=[task])
    await page.click(".thread-row")
    await page.wait_for("#thread .task-in_progress")
    await flow.append(chunks=[{**task, "status": "complete"}])
    await page.wait_for("#thread .task-complete")
    await flow.append(markdown_text="The **cause** is known.")
    assert await page.text("#thread .markdown strong") == "cause"
    await client.chat_postMessage(channel="C0CHECKOUT", text="checkout healed")
    assert "checkout healed" in await page.text(".toast")
    assert await page.text("[data-name=checkout-team] .unread") == "1"
    await page.click("[data-name=checkout-team]")
    await page.wait_gone("[data-name=checkout-team] .unread")


@pytest.mark.browser
async def test_every_block_is_drawn_and_nothing_in_it_is_parsed_as_html(
    workspace: Workspace, client: AsyncWebClient, page: Page
) -> None:
    evil = "<img src=x onerror=alert(1)>"
    points = [{"label": str(one), "value": one} for one in range(5)]
    axis = {"categories": [str(one) for one in range(5)], "x_label": "t", "y_label": "n"}
    charts = [
        {"type": "data_visualization", "title": kind, "chart": {"type": kind, "series": series, "axis_config": axis}}
        for kind, series in (("bar", [{"name": "a", "data": points}]), ("line", [{"name": "b", "data": points}]))
    ]
    cell = {"type": "raw_text", "text": evil}
    await client.chat_postMessage(
        channel=CHANNEL,
        text=evil,
        blocks=[
            {"type": "header", "text": text(evil)},
            {"type": "section", "text": {"type": "mrkdwn", "text": f"*{evil}* <https://example.com|{evil}> `{evil}`"}},
            {
                "type": "markdown",
                "text": f"# {evil}\n\n- a\n  - b\n1. c\n\n| x | y |\n|---|--:|\n| {evil} | 2 |\n\n```\n{evil}\n```",
            },
            {"type": "markdown", "text": "[no](javascript:alert(1)) **[yes](https://example.com)** > q"},
            {"type": "table", "rows": [[cell], [cell]]},
            *charts,
            {"type": "context", "elements": [text(f":warning: {evil}")]},
        ],
        attachments=[{"color": "#f00", "title": evil, "text": evil, "fields": [{"title": "a", "value": "b"}]}],
    )
    await page.wait_for(".chart-plot")
    assert await page.count("#main img") == 0
    assert await page.count("#main a[href^='javascript']") == 0
    assert await page.count(".chart-plot") == 2
    assert await page.count(".markdown li") == 3
    assert await page.count(".emoji") == 1
    await page.wait_until("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.browser
async def test_phone_shows_one_pane_at_a_time(workspace: Workspace, page: Page) -> None:
    ts = await workspace.post("mia", "#incidents", "look")
    await workspace.post("raj", "#incidents", "I do", ts)
    await page.resize(390, 844)
    shown = "['sidebar', 'main', 'thread'].filter((one) => document.getElementById(one).offsetWidth > 0).join()"
    assert await page.evaluate(shown) == "main"
    await page.click(".thread-row")
    await page.wait_until(f"{shown} === 'thread'")
    await page.click("#thread .back")
    await page.wait_until(f"{shown} === 'main'")
    await page.click("#main .back")
    await page.wait_until(f"{shown} === 'sidebar'")
    await page.click("[data-name=checkout-team]")
    await page.wait_until(f"{shown} === 'main'")
    assert await page.evaluate("document.documentElement.scrollWidth") == 390


@pytest.mark.browser
async def test_home_tab_and_direct_message(workspace: Workspace, client: AsyncWebClient, page: Page) -> None:
    view = {"type": "home", "blocks": [{"type": "header", "text": text("Connected: git")}]}
    await client.views_publish(user_id=workspace.users["mia"].id, view=view)
    await page.click("[data-name=home]")
    assert await page.text(".home-blocks .header") == "Connected: git"
    await client.assistant_threads_setSuggestedPrompts(
        channel_id="D0MIA", prompts=[{"title": "What is broken?", "message": "status please"}]
    )
    await page.click("text=Messages")
    await page.click("text=What is broken?")
    await workspace.wait_for(lambda it: it.messages("D0MIA"))
    assert workspace.messages("D0MIA")[0].text == "status please"


async def test_page_is_for_the_holder_of_the_token_on_this_machine(workspace: Workspace) -> None:
    origin = workspace.api_url.removesuffix("/api/")
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:

        async def status(method: str, path: str, **more: Any) -> int:
            async with session.request(method, f"{origin}{path}", allow_redirects=False, **more) as response:
                return response.status

        act = {"action": "post", "as": "mia", "channel": CHANNEL, "text": "x"}
        assert await status("GET", "/") == 403
        assert await status("GET", "/page/live") == 403
        assert await status("POST", "/page/act", json=act) == 403
        assert await status("GET", "/?token=wrong") == 403
        assert await status("GET", workspace.base_url.removeprefix(origin)) == 302
        assert await status("GET", "/") == 200
        assert await status("POST", "/page/act", json=act) == 200
        assert await status("POST", "/page/act", json=act, headers={"Origin": "https://evil.example"}) == 403
        assert await status("POST", "/page/act", json=act, headers={"Host": "evil.example"}) == 403
        assert await status("POST", "/page/act", data="{}", headers={"Content-Type": "text/plain"}) == 403
        assert await status("GET", "/page/..%2fworkspace.py") == 404
        async with session.get(f"{origin}/") as response:
            policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert len(workspace.messages("incidents")) == 1
    await asyncio.sleep(0)


@pytest.mark.browser
async def test_a_thread_follows_the_newest_message_and_never_moves_while_one_reads(
    workspace: Workspace, client: AsyncWebClient
) -> None:
    root = await workspace.post("mia", "incidents", "look")
    for number in range(40):
        await client.chat_postMessage(channel=CHANNEL, thread_ts=root, text=f"line {number}")
    box = "document.querySelector('#thread .scroll')"
    async with chromium(width=1440, height=900) as page:
        await page.goto(f"{workspace.base_url}#{CHANNEL}/{root}")
        await page.wait_until(f"{box}?.innerText.includes('line 39')")
        await page.wait_until(f"{box}.scrollHeight - {box}.scrollTop - {box}.clientHeight < 3")
        await client.chat_postMessage(channel=CHANNEL, thread_ts=root, text="newest")
        await page.wait_until(
            f"{box}.innerText.includes('newest') && {box}.scrollHeight - {box}.scrollTop - {box}.clientHeight < 3"
        )
        await page.evaluate(f"{box}.scrollTop = 200")
        await page.wait_until(f"{box}.scrollTop === 200")
        await client.chat_postMessage(channel=CHANNEL, thread_ts=root, text="while one reads")
        await page.wait_until(f"{box}.innerText.includes('while one reads')")
        assert await page.evaluate(f"{box}.scrollTop") == 200
        assert page.errors == []
