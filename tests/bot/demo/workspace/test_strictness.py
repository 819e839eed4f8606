"""What the workspace refuses: everything that Slack refuses, and a little more."""

from typing import Any

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.demo.workspace import ManifestError, Workspace
from bot.demo.workspace.validation import check_attachments, check_blocks, check_chunks, check_view
from tests.bot.demo.workspace.support import MANIFEST, button

Json = dict[str, Any]


def plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


def mrkdwn(text: str) -> Json:
    return {"type": "mrkdwn", "text": text}


def section(text: str = "x", **more: Any) -> Json:
    return {"type": "section", "text": mrkdwn(text), **more}


def actions(count: int) -> Json:
    return {
        "type": "actions",
        "elements": [{"type": "button", "text": plain("x"), "action_id": f"a{one}"} for one in range(count)],
    }


def raw(text: str) -> Json:
    return {"type": "raw_text", "text": text}


def chart(
    points: int = 3, *, series: int = 1, title: str = "Errors", label: str = "p", kind: str = "line", **axis: Any
) -> Json:
    labels = [f"{label}{one}" for one in range(points)]
    data = [{"label": one, "value": 1.5} for one in labels]
    return {
        "type": "data_visualization",
        "title": title,
        "chart": {
            "type": kind,
            "series": [{"name": f"s{one}", "data": data} for one in range(series)],
            "axis_config": {"categories": labels, **axis},
        },
    }


def task(number: int, status: str = "pending") -> Json:
    return {"type": "task_card", "task_id": str(number), "title": "look", "status": status}


def plan(count: int) -> Json:
    return {"type": "plan", "title": "Plan", "tasks": [task(one) for one in range(count)]}


def rows(y: int, x: int, text: str = "x") -> list[list[Json]]:
    return [[raw(text) for _ in range(x)] for _ in range(y)]


def data_table(y: int, x: int = 2, text: str = "x", **more: Any) -> Json:
    return {"type": "data_table", "caption": "Services", "rows": rows(y, x, text), **more}


def feedback(**more: Any) -> Json:
    good, bad = {"text": plain("Good"), "value": "1"}, {"text": plain("Bad"), "value": "0"}
    element = {"type": "feedback_buttons", "action_id": "f", "positive_button": good, "negative_button": bad, **more}
    return {"type": "context_actions", "elements": [element]}


GOOD: dict[str, list[Json]] = {
    "50 blocks": [section() for _ in range(50)],
    "section of 3,000": [section("x" * 3000)],
    "10 fields of 2,000": [{"type": "section", "fields": [mrkdwn("x" * 2000)] * 10}],
    "header of 150": [{"type": "header", "text": plain("x" * 150)}],
    "25 buttons": [actions(25)],
    "button text 75, value 2,000": [button("a", "x" * 75, value="v" * 2000, style="primary")],
    "markdown of 12,000": [{"type": "markdown", "text": "x" * 12_000}],
    "table 100 x 20": [{"type": "table", "rows": rows(100, 20)}],
    "data table 201 x 20": [data_table(201, 20)],
    "two charts": [chart(), chart(kind="area")],
    "chart of 20 points, 6 series": [chart(20, series=6, x_label="time", y_label="errors")],
    "pie": [
        {
            "type": "data_visualization",
            "title": "Share",
            "chart": {"type": "pie", "segments": [{"label": "a", "value": 1}]},
        }
    ],
    "plan of 50": [plan(50)],
    "feedback": [feedback()],
    "alert": [{"type": "alert", "level": "warning", "text": mrkdwn("careful")}],
    "rich text": [
        {
            "type": "rich_text",
            "elements": [
                {
                    "type": "rich_text_list",
                    "style": "bullet",
                    "elements": [{"type": "rich_text_section", "elements": [{"type": "text", "text": "x"}]}],
                }
            ],
        }
    ],
}

BAD: dict[str, tuple[list[Any], str]] = {
    "51 blocks": ([section() for _ in range(51)], "no more than 50 items"),
    "not a list": ("x", "must be an array"),  # type: ignore[dict-item]
    "unknown block": ([{"type": "marquee"}], "unsupported type: marquee"),
    "input in a message": ([{"type": "input"}], "unsupported type: input"),
    "unknown element": ([{"type": "actions", "elements": [{"type": "slider"}]}], "unsupported type: slider"),
    "unknown property": ([section(colour="red")], "invalid additional property: colour"),
    "section of 3,001": ([section("x" * 3001)], "less than 3001"),
    "empty section": ([section("")], "more than 0"),
    "section without anything": ([{"type": "section"}], "either text or fields"),
    "11 fields": ([{"type": "section", "fields": [mrkdwn("x")] * 11}], "no more than 10 items"),
    "field of 2,001": ([{"type": "section", "fields": [mrkdwn("x" * 2001)]}], "less than 2001"),
    "header of 151": ([{"type": "header", "text": plain("x" * 151)}], "less than 151"),
    "header in mrkdwn": ([{"type": "header", "text": mrkdwn("x")}], "plain_text"),
    "26 buttons": ([actions(26)], "no more than 25 items"),
    "button text 76": ([button("a", "x" * 76)], "less than 76"),
    "button value 2,001": ([button("a", "x", value="v" * 2001)], "less than 2001"),
    "button style": ([button("a", "x", style="green")], "must be one of danger, primary"),
    "button url": ([button("a", "x", url="javascript:alert(1)")], "valid URL"),
    "duplicate action_id": (
        [{"type": "actions", "elements": [*actions(1)["elements"], *actions(1)["elements"]]}],
        "not unique",
    ),
    "duplicate block_id": ([section(block_id="b"), section(block_id="b")], "`block_id` is not unique"),
    "block_id of 256": ([section(block_id="b" * 256)], "less than 256"),
    "11 in context": ([{"type": "context", "elements": [mrkdwn("x")] * 11}], "no more than 10 items"),
    "6 in context_actions": (
        [{"type": "context_actions", "elements": [feedback(action_id=str(n))["elements"][0] for n in range(6)]}],
        "no more than 5 items",
    ),
    "markdown of 12,001 together": (
        [{"type": "markdown", "text": "x" * 6000}, {"type": "markdown", "text": "x" * 6001}],
        "12000 characters together",
    ),
    "table of 101 rows": ([{"type": "table", "rows": rows(101, 1)}], "no more than 100 items"),
    "table of 21 columns": ([{"type": "table", "rows": rows(1, 21)}], "no more than 20 items"),
    "empty cell": ([{"type": "table", "rows": [[raw("")]]}], "more than 0"),
    "two tables": ([{"type": "table", "rows": rows(1, 1)}] * 2, "only one table"),
    "table of 10,001 characters": ([{"type": "table", "rows": [[raw("x" * 10_001)]]}], "10000 characters"),
    "data table without body": ([data_table(1)], "at least 2 items"),
    "data table of 202 rows": ([data_table(202)], "no more than 201 items"),
    "data table of 20,001 characters": ([data_table(2, 1, "x" * 10_001)], "20000 characters"),
    "data table page": ([data_table(2, page_size=101)], "between 1 and 100"),
    "three charts": ([chart()] * 3, "no more than 2 data_visualization"),
    "chart title of 51": ([chart(title="x" * 51)], "less than 51"),
    "chart of 21 points": ([chart(21)], "no more than 20 items"),
    "chart label of 21": ([chart(label="x" * 20)], "less than 21"),
    "7 series": ([chart(series=7)], "no more than 6 items"),
    "radar chart": ([chart(kind="radar")], "must be a chart of type"),
    "chart labels differ": ([chart(categories=["a", "b", "c"])], "labels must match"),
    "plan of 51": ([plan(51)], "no more than 50 items"),
    "task status": ([task(1, "done")], "must be one of complete, error, in_progress, pending"),
}


@pytest.mark.parametrize("name", GOOD)
def test_what_fits_is_accepted(name: str) -> None:
    assert check_blocks(GOOD[name]) == []


@pytest.mark.parametrize("name", BAD)
def test_what_does_not_fit_is_refused_with_its_place(name: str) -> None:
    blocks, reason = BAD[name]
    messages = check_blocks(blocks)
    assert any(reason in message and "[json-pointer:/blocks" in message for message in messages), messages


def test_modal_limits() -> None:
    modal = {"type": "modal", "title": plain("x" * 24), "blocks": [section() for _ in range(100)]}
    assert check_view(modal, "modal") == []
    assert check_view({**modal, "title": plain("x" * 25)}, "modal")
    assert check_view({**modal, "blocks": [section() for _ in range(101)]}, "modal")
    assert check_view({**modal, "private_metadata": "x" * 3001}, "modal")
    assert check_view({**modal, "blocks": [{"type": "markdown", "text": "x"}]}, "modal")
    assert check_view(modal, "home")
    field = {"type": "input", "label": plain("Why"), "element": {"type": "plain_text_input", "action_id": "a"}}
    assert "must have a submit button" in check_view({**modal, "blocks": [field]}, "modal")[0]
    assert check_view({**modal, "blocks": [field], "submit": plain("Send")}, "modal") == []


def test_chunks_are_limited() -> None:
    update = {"type": "task_update", "id": "1", "title": "t", "status": "complete", "details": "x" * 256}
    assert check_chunks([update]) == []
    assert check_chunks([{**update, "details": "x" * 257}])
    assert check_chunks([{**update, "status": "done"}])
    assert check_chunks([{"type": "text", "text": "x"}])


def test_attachment_blocks_are_checked_too() -> None:
    assert check_attachments([{"color": "#f00", "blocks": [section()]}]) == []
    assert check_attachments([{"blocks": [section("")]}])
    assert check_attachments([{"colour": "red"}])


async def refusal(call: Any) -> SlackApiError:
    with pytest.raises(SlackApiError) as caught:
        await call
    return caught.value


async def test_refusal_carries_slacks_code_and_is_recorded(workspace: Workspace, client: AsyncWebClient) -> None:
    channel = workspace.channels["incidents"].id
    error = await refusal(client.chat_postMessage(channel=channel, text="x", blocks=[section("")]))
    assert error.response["error"] == "invalid_blocks"
    assert "json-pointer:/blocks/0/text/text" in error.response["response_metadata"]["messages"][0]
    assert [(one.where, one.error) for one in workspace.violations] == [("chat.postMessage", "invalid_blocks")]
    assert workspace.messages("incidents") == []


@pytest.mark.parametrize(
    ("method", "arguments", "code"),
    [
        ("chat.sendTelegram", {}, "unknown_method"),
        ("chat.postMessage", {"channel": "#incidents", "text": "x"}, "channel_not_found"),
        ("chat.postMessage", {"channel": "C0GENERAL", "text": "x"}, "not_in_channel"),
        ("chat.postMessage", {"channel": "C0INCIDENTS", "text": "x" * 4001}, "msg_too_long"),
        ("chat.postMessage", {"channel": "C0INCIDENTS", "text": " "}, "no_text"),
        ("chat.postMessage", {"channel": "C0INCIDENTS", "text": "x", "thread_ts": "1.0"}, "thread_not_found"),
        ("chat.postMessage", {"channel": "C0INCIDENTS", "text": "x", "colour": "red"}, "invalid_arguments"),
        ("chat.postEphemeral", {"channel": "C0CHECKOUT", "text": "x", "user": "U0GUS"}, "user_not_in_channel"),
        ("chat.update", {"channel": "C0INCIDENTS", "ts": "1.0", "text": "x"}, "message_not_found"),
        ("chat.startStream", {"channel": "C0INCIDENTS", "thread_ts": "1.0"}, "thread_not_found"),
        ("conversations.info", {"channel": "C404"}, "channel_not_found"),
        ("conversations.history", {"channel": "C0GENERAL"}, "not_in_channel"),
        ("users.info", {"user": "U404"}, "user_not_found"),
        ("views.open", {"trigger_id": "1", "view": {}}, "invalid_trigger_id"),
        ("apps.connections.open", {}, "not_allowed_token_type"),
    ],
)
async def test_methods_refuse_as_slack_does(
    workspace: Workspace, client: AsyncWebClient, method: str, arguments: Json, code: str
) -> None:
    error = await refusal(client.api_call(method, json=arguments))
    assert error.response["error"] == code
    assert workspace.violations[-1].error == code


async def test_only_own_messages_are_changed(workspace: Workspace, client: AsyncWebClient) -> None:
    channel = workspace.channels["incidents"].id
    ts = await workspace.post("mia", "#incidents", "mine")
    assert (await refusal(client.chat_update(channel=channel, ts=ts, text="x"))).response[
        "error"
    ] == "cant_update_message"
    assert (await refusal(client.chat_delete(channel=channel, ts=ts))).response["error"] == "cant_delete_message"


async def test_missing_scope_names_what_is_needed(client: AsyncWebClient, workspace: Workspace) -> None:
    manifest = {**MANIFEST, "oauth_config": {"scopes": {"bot": ["commands", "users:read"]}}}
    manifest["settings"] = {**MANIFEST["settings"], "event_subscriptions": {"bot_events": []}}
    manifest["features"] = {key: value for key, value in MANIFEST["features"].items() if key != "agent_view"}
    poor = Workspace(manifest)
    await poor.start()
    try:
        with_token = AsyncWebClient(token=poor.bot_token, base_url=poor.api_url)
        error = await refusal(with_token.chat_postMessage(channel="C0INCIDENTS", text="x"))
        assert (error.response["error"], error.response["needed"]) == ("missing_scope", "chat:write")
        assert error.response["provided"] == "commands,users:read"
        error = await refusal(with_token.conversations_info(channel="C0INCIDENTS"))
        assert error.response["needed"] == "channels:read"
        answer = await with_token.auth_test()
        assert answer.headers["x-oauth-scopes"] == "commands,users:read"
    finally:
        await poor.stop()


async def test_foreign_token_is_refused(workspace: Workspace) -> None:
    stranger = AsyncWebClient(token="xoxb-other", base_url=workspace.api_url)
    assert (await refusal(stranger.auth_test())).response["error"] == "invalid_auth"


async def test_uninstalled_app_has_no_access(workspace: Workspace, client: AsyncWebClient) -> None:
    workspace.uninstall()
    assert (await refusal(client.auth_test())).response["error"] == "token_revoked"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"settings": {"event_subscriptions": {"bot_events": ["pin_added"]}}}, "pin_added is not one"),
        ({"oauth_config": {"scopes": {"bot": ["chat:write"]}}}, "needs the scope"),
        ({"features": {}}, "bot_user is missing"),
        ({"settings": {"socket_mode_enabled": False}}, "socket_mode_enabled must be true"),
    ],
)
def test_manifest_that_contradicts_itself_is_refused(change: Json, reason: str) -> None:
    with pytest.raises(ManifestError, match=reason):
        Workspace({**MANIFEST, **change})
