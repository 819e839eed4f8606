"""The real slack_bolt over Socket Mode against the workspace."""

import asyncio
from copy import deepcopy
from typing import Any

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.demo.workspace import ImpossibleInSlack, ManualClock, Workspace
from tests.bot.demo.workspace.support import MANIFEST, bolt_app, button, connected


async def test_mention_is_answered_in_its_thread(workspace: Workspace, client: AsyncWebClient) -> None:
    app = bolt_app(workspace, client)
    seen: dict[str, Any] = {}

    @app.event("app_mention")
    async def answer(event: dict[str, Any], body: dict[str, Any], context: Any, say: Any) -> None:
        seen.update(event=event, body=body, team=context.team_id, user=context.user_id, bot=context.bot_user_id)
        await say(text="Checking checkout", thread_ts=event["ts"])

    async with connected(workspace, app):
        ts = await workspace.post("mia", "#incidents", "@autoheal why is checkout slow?")
        await workspace.wait_for(lambda it: it.pushes("incidents", ts) == 1)
    assert seen["event"]["text"] == f"<@{workspace.bot_user_id}> why is checkout slow?"
    assert (seen["team"], seen["user"]) == (workspace.team_id, workspace.users["mia"].id)
    assert seen["bot"] == workspace.bot_user_id
    assert seen["body"]["authorizations"][0]["is_bot"] is True
    assert seen["body"]["is_ext_shared_channel"] is False
    assert [one.text for one in workspace.messages("incidents", ts)][1:] == ["Checking checkout"]
    assert workspace.violations == []


async def test_person_of_another_organisation_is_told_apart(workspace: Workspace, client: AsyncWebClient) -> None:
    app = bolt_app(workspace, client)
    seen: list[Any] = []

    @app.event("app_mention")
    async def listen(body: dict[str, Any], context: Any) -> None:
        seen.append((body["is_ext_shared_channel"], context.team_id, context.actor_team_id, context.actor_user_id))
        workspace._state.announce("seen", {})

    async with connected(workspace, app):
        await workspace.post("eve", "#shared-with-acme", "@autoheal hello")
        await workspace.wait_for(lambda _: seen)
    eve = workspace.users["eve"]
    assert seen == [(True, workspace.team_id, eve.team_id, eve.id)]


async def test_direct_message_arrives_as_message_im_and_no_mention(
    workspace: Workspace, client: AsyncWebClient
) -> None:
    app = bolt_app(workspace, client)
    kinds: list[str] = []

    @app.event("app_mention")
    async def mention() -> None:
        kinds.append("mention")

    @app.event("message")
    async def message(event: dict[str, Any], say: Any) -> None:
        kinds.append(event["channel_type"])
        await say(text="hello")

    async with connected(workspace, app):
        await workspace.post("raj", "dm", "@autoheal hi")
        await workspace.wait_for(lambda it: it.pushes("D0RAJ"))
    assert kinds == ["im"]


async def test_button_opens_a_modal_whose_submission_updates_the_message(
    workspace: Workspace, client: AsyncWebClient
) -> None:
    app = bolt_app(workspace, client)
    modal = {
        "type": "modal",
        "callback_id": "reject",
        "title": {"type": "plain_text", "text": "Reject"},
        "submit": {"type": "plain_text", "text": "Send"},
        "blocks": [
            {
                "type": "input",
                "block_id": "why",
                "label": {"type": "plain_text", "text": "Why?"},
                "element": {"type": "plain_text_input", "action_id": "reason", "max_length": 100},
            }
        ],
    }

    @app.action("reject")
    async def reject(ack: Any, body: dict[str, Any]) -> None:
        await ack()
        await client.views_open(
            trigger_id=body["trigger_id"], view={**modal, "private_metadata": body["message"]["ts"]}
        )

    @app.view("reject")
    async def submitted(ack: Any, view: dict[str, Any]) -> None:
        reason = view["state"]["values"]["why"]["reason"]["value"]
        if reason == "no":
            await ack(response_action="errors", errors={"why": "Say more"})
            return
        await ack()
        await client.chat_update(
            channel=workspace.channels["incidents"].id,
            ts=view["private_metadata"],
            text=f"Rejected: {reason}",
            blocks=[],
        )

    async with connected(workspace, app):
        posted = await client.chat_postMessage(
            channel=workspace.channels["incidents"].id, text="Roll back?", blocks=[button("reject", "Reject")]
        )
        assert (await workspace.click("mia", posted["ts"], "reject")).acked
        await workspace.wait_for(lambda it: it.views)
        (view,) = workspace.views
        with pytest.raises(ImpossibleInSlack, match="required"):
            await workspace.submit_view("mia", view, {})
        await workspace.submit_view("mia", view, {"reason": "no"})
        assert workspace.views[view].errors == {"why": "Say more"}
        await workspace.submit_view("mia", view, {"reason": "wrong service"})
        await workspace.wait_for(lambda it: it.messages("incidents")[-1].text == "Rejected: wrong service")
        assert not workspace.views
        with pytest.raises(ImpossibleInSlack, match="no 'reject'"):
            await workspace.click("mia", posted["ts"], "reject")
    assert workspace.violations == []


async def test_private_channel_is_heard_as_a_group_only_when_subscribed() -> None:
    manifest = deepcopy(MANIFEST)
    manifest["settings"]["event_subscriptions"]["bot_events"].append("message.groups")
    manifest["oauth_config"]["scopes"]["bot"].append("groups:history")
    workspace = Workspace(manifest)
    await workspace.start()
    own = AsyncWebClient(token=workspace.bot_token, base_url=workspace.api_url)
    app = bolt_app(workspace, own)
    kinds: list[str] = []

    @app.event("message")
    async def heard(event: dict[str, Any], say: Any) -> None:
        kinds.append(event["channel_type"])
        await say(text="heard")

    async with connected(workspace, app):
        await workspace.post("mia", "#leads", "hello")
        await workspace.wait_for(lambda it: it.pushes("leads"))
    await workspace.stop()
    assert kinds == ["group"]


async def test_slash_command_answers_privately_and_not_in_threads(workspace: Workspace, client: AsyncWebClient) -> None:
    app = bolt_app(workspace, client)

    @app.command("/autoheal")
    async def command(ack: Any, command: dict[str, Any], respond: Any) -> None:
        await ack(f"{command['text']}: fine")
        await respond(text="and public", response_type="in_channel")

    async with connected(workspace, app):
        await workspace.slash("raj", "#incidents", "/autoheal status now")
        await workspace.wait_for(lambda it: len(it.messages("incidents")) == 2)
        readers = {one.text: one.ephemeral_for for one in workspace.messages("incidents")}
        assert readers == {"status now: fine": workspace.users["raj"].id, "and public": None}
        with pytest.raises(ImpossibleInSlack, match="threads"):
            await workspace.slash("raj", "#incidents", "/autoheal status", thread_ts="1.0")
        with pytest.raises(ImpossibleInSlack, match="not a command"):
            await workspace.slash("raj", "#incidents", "/other")


async def test_private_message_is_clicked_by_its_reader_only_and_replaced(
    workspace: Workspace, client: AsyncWebClient
) -> None:
    app = bolt_app(workspace, client)

    @app.action("go")
    async def go(ack: Any, respond: Any, body: dict[str, Any]) -> None:
        await ack()
        assert body["container"]["is_ephemeral"]
        assert "message" not in body
        await respond(text="done", replace_original=True)

    async with connected(workspace, app):
        channel = workspace.channels["incidents"].id
        sent = await client.chat_postEphemeral(
            channel=channel, user=workspace.users["mia"].id, text="only you", blocks=[button("go", "Go")]
        )
        with pytest.raises(ImpossibleInSlack, match="cannot see"):
            await workspace.click("raj", sent["message_ts"], "go")
        await workspace.click("mia", sent["message_ts"], "go")
        await workspace.wait_for(lambda it: it.messages("incidents")[0].text == "done")
    assert workspace.pushes("incidents") == 0


async def test_unacknowledged_event_is_resent_with_its_id_and_attempt(
    workspace: Workspace, client: AsyncWebClient, clock: ManualClock
) -> None:
    app = bolt_app(workspace, client)
    attempts: list[tuple[str, str]] = []
    silent = True

    @app.middleware
    async def lose(req: Any, next: Any) -> None:  # noqa: A002  Bolt passes it by this name
        attempts.append((req.body["event_id"], req.headers["x-slack-retry-num"][0]))
        workspace._state.announce("seen", {})
        if silent:
            await asyncio.Event().wait()
        await next()

    @app.event("app_mention")
    async def answer(say: Any) -> None:
        await say(text="at last")

    async with connected(workspace, app):
        await workspace.post("mia", "#incidents", "@autoheal hi")
        await workspace.wait_for(lambda _: len(attempts) == 2)  # app_mention and message.channels
        await clock.until_asleep(3, sleepers=2)
        await clock.advance(3)
        await workspace.wait_for(lambda _: len(attempts) == 4)
        await clock.until_asleep(3, sleepers=2)
        silent = False
        await clock.advance(3)
        async with asyncio.timeout(60):
            while len(attempts) < 6:
                workspace.retry_now()
                await asyncio.sleep(0.01)
        await workspace.wait_for(lambda it: it.pushes("incidents"))
    by_event: dict[str, list[str]] = {}
    for event_id, number in attempts:
        by_event.setdefault(event_id, []).append(number)
    assert list(by_event.values()) == [["0", "1", "2"]] * 2


async def test_event_nobody_acknowledges_is_given_up_after_three_retries(
    workspace: Workspace, clock: ManualClock
) -> None:
    await workspace.post("mia", "#incidents", "@autoheal is anybody there?")
    for seconds in (60, 300):
        await clock.until_asleep(seconds)
        await clock.advance(seconds)
    await workspace.wait_for(lambda it: it.violations)
    assert workspace.violations[0].error == "event_not_acknowledged"


async def test_event_is_delivered_twice_on_command(workspace: Workspace, client: AsyncWebClient) -> None:
    app = bolt_app(workspace, client)
    ids: list[str] = []

    @app.event("app_mention")
    async def listen(body: dict[str, Any], say: Any) -> None:
        ids.append(body["event_id"])
        await say(text="seen")

    async with connected(workspace, app):
        workspace.faults.deliver_twice()
        await workspace.post("mia", "#incidents", "@autoheal hi")
        await workspace.wait_for(lambda it: it.pushes("incidents") == 2)
    assert len(ids) == 2
    assert len(set(ids)) == 1


async def test_app_comes_back_after_a_refresh_and_after_a_cut(workspace: Workspace, client: AsyncWebClient) -> None:
    app = bolt_app(workspace, client)

    @app.event("app_mention")
    async def answer(say: Any) -> None:
        await say(text="here")

    async with connected(workspace, app):
        opened = len(workspace.calls("apps.connections.open"))
        await workspace.refresh_connections()
        await workspace.wait_for(lambda it: len(it.calls("apps.connections.open")) > opened and it.connections == 1)
        workspace.faults.drop_connection()
        await workspace.wait_for(lambda it: it.connections == 0)
        await workspace.wait_for(lambda it: it.connections == 1)
        await workspace.post("mia", "#incidents", "@autoheal hi")
        await workspace.wait_for(lambda it: it.pushes("incidents") == 1)


async def test_home_tab_is_published_when_opened(workspace: Workspace, client: AsyncWebClient) -> None:
    app = bolt_app(workspace, client)

    @app.event("app_home_opened")
    async def opened(event: dict[str, Any]) -> None:
        view = {"type": "home", "blocks": [{"type": "header", "text": {"type": "plain_text", "text": event["tab"]}}]}
        await client.views_publish(user_id=event["user"], view=view)

    async with connected(workspace, app):
        await workspace.open_home("olga")
        await workspace.wait_for(lambda it: it.home("olga"))
    assert workspace.home("mia") is None


async def test_invited_app_hears_of_it_and_of_messages_from_then_on(
    workspace: Workspace, client: AsyncWebClient
) -> None:
    app = bolt_app(workspace, client)
    seen: list[str] = []

    @app.event("member_joined_channel")
    async def joined(event: dict[str, Any], say: Any) -> None:
        seen.append(event["inviter"])
        await say(text="thanks")

    async with connected(workspace, app):
        await workspace.post("mia", "#general", "@autoheal nobody hears this")
        await workspace.slash("mia", "#general", "/invite @autoheal")
        await workspace.wait_for(lambda it: it.pushes("general") == 1)
    assert seen == [workspace.users["mia"].id]


async def test_nothing_is_left_after_stop(workspace: Workspace, client: AsyncWebClient) -> None:
    await workspace.post("mia", "#incidents", "@autoheal hi")
    port = int(workspace.api_url.split(":")[2].split("/")[0])
    await workspace.stop()
    with pytest.raises(OSError, match="Connect call failed"):
        await asyncio.open_connection("127.0.0.1", port)
    others = asyncio.all_tasks() - {asyncio.current_task()}
    assert [task for task in others if "workspace" in str(task.get_coro())] == []
