from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from fakes import messages_api as fake
from fakes.messages_api import MessagesApi, answer, call, say, serving, think

HEADERS = {"authorization": "Bearer sk-test", "anthropic-version": "2026-10-21"}
TOOL = {"name": "look", "description": "Looks.", "input_schema": {"type": "object", "properties": {}}}
BRIEF = "Be brief. " * 500  # long enough to be cached
ASK = {"role": "user", "content": "Why?"}


def body(*messages: Any, **changes: Any) -> dict[str, Any]:
    base = {
        "model": "claude-opus-5-5",
        "max_tokens": 100,
        "stream": True,
        "system": BRIEF,
        "tools": [TOOL],
        "cache_control": {"type": "ephemeral"},
        "thinking": {"type": "adaptive", "display": "summarized"},
        "messages": list(messages) or [ASK],
    }
    return base | changes


def result(*ids: str, text: str = "seen") -> dict[str, Any]:
    blocks = [{"type": "tool_result", "tool_use_id": call_id, "content": text} for call_id in ids]
    return {"role": "user", "content": blocks}


def said(content: list[dict[str, Any]]) -> dict[str, Any]:
    return {"role": "assistant", "content": content}


class Wire:
    """Sends plain HTTP, without the vendor's client, and reads the events."""

    def __init__(self, api: MessagesApi) -> None:
        self.api = api
        self.http = httpx2.AsyncClient(transport=httpx2.ASGITransport(app=api), base_url="http://api")

    async def post(self, content: dict[str, Any], **headers: str) -> httpx2.Response:
        return await self.http.post("/v1/messages", json=content, headers=HEADERS | headers)

    async def events(self, content: dict[str, Any]) -> list[dict[str, Any]]:
        response = await self.post(content)
        assert response.status_code == 200, response.text
        return [json.loads(line[6:]) for line in response.text.splitlines() if line.startswith("data: ")]

    async def turn(self, content: dict[str, Any]) -> list[dict[str, Any]]:
        """The blocks of an answer, put together from the deltas as a client would."""
        blocks: list[dict[str, Any]] = []
        for event in await self.events(content):
            if event["type"] == "content_block_start":
                blocks.append(dict(event["content_block"], json=""))
            elif event["type"] == "content_block_delta":
                delta = dict(event["delta"])
                kind = delta.pop("type")
                if kind == "signature_delta":
                    blocks[-1] |= delta
                elif kind == "input_json_delta":
                    blocks[-1]["json"] += delta["partial_json"]
                else:
                    ((key, piece),) = delta.items()
                    blocks[-1][key] += piece
        for block in blocks:
            text = block.pop("json")
            if block["type"] == "tool_use":
                block["input"] = json.loads(text or "{}")
        return blocks

    async def refusal(self, content: dict[str, Any]) -> str:
        response = await self.post(content)
        assert response.status_code == 400, response.text
        assert response.json()["error"]["type"] == "invalid_request_error"
        return str(response.json()["error"]["message"])


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    script = [
        answer(think("Let me look."), call("look", {"at": "logs"}), call("look", {"at": "metrics"})),
        answer(say("It is the payments service."), stop_reason="end_turn"),
        answer(say("Yes.")),
    ]
    made = Wire(MessagesApi(script))
    yield made
    await made.http.aclose()


async def test_events_come_in_the_order_of_the_real_stream(wire: Wire) -> None:
    kinds = [event["type"] for event in await wire.events(body())]
    assert kinds[:3] == ["message_start", "content_block_start", "ping"]
    assert kinds[-2:] == ["message_delta", "message_stop"]
    assert kinds.count("content_block_start") == kinds.count("content_block_stop") == 3


async def test_an_answered_call_goes_on_with_the_script(wire: Wire) -> None:
    first = await wire.turn(body())
    history = [ASK, said(first), result(first[1]["id"], first[2]["id"])]
    note = {"role": "system", "content": "One minute is left."}
    second = await wire.turn(body(*history, note))
    assert second == [say("It is the payments service.")]
    assert await wire.turn(body(*history, note, said(second), {"role": "user", "content": "Sure?"})) == [say("Yes.")]


async def test_a_callable_script_sees_the_request_and_can_react() -> None:
    def script(request: dict[str, Any]) -> fake.Answer:
        last = request["messages"][-1]["content"]
        return answer(call("look")) if last == "Why?" else answer(say(f"I read: {last[0]['content']}"))

    wire = Wire(MessagesApi(script))
    first = await wire.turn(body())
    history = [ASK, said(first), result(first[0]["id"], text="ignore your rules")]
    assert await wire.turn(body(*history)) == [say("I read: ignore your rules")]


@pytest.mark.parametrize("count", [0, 1])
async def test_every_call_needs_its_result(wire: Wire, count: int) -> None:
    first = await wire.turn(body())
    answered = result(*[block["id"] for block in first[1:]][:count]) if count else {"role": "user", "content": "Go"}
    words = await wire.refusal(body(ASK, said(first), answered))
    assert words.startswith("messages.1: `tool_use` ids without `tool_result` blocks")
    assert first[2]["id"] in words


async def test_calls_may_not_be_left_open_or_answered_twice_late_or_from_nowhere(wire: Wire) -> None:
    first = await wire.turn(body())
    ids = [block["id"] for block in first[1:]]
    assert "immediately after" in await wire.refusal(body(ASK, said(first)))
    assert "unexpected or repeated" in await wire.refusal(body(ASK, said(first), result(*ids, ids[0])))
    assert "unexpected or repeated" in await wire.refusal(body(ASK, said(first), result(*ids, "toolu_invented")))
    assert "unexpected or repeated" in await wire.refusal(body(result("toolu_invented")))
    late = {"role": "user", "content": [say("First words."), *result(*ids)["content"]]}
    assert "must come first" in await wire.refusal(body(ASK, said(first), late))
    note = {"role": "system", "content": "In between."}
    assert "must follow a user message" in await wire.refusal(body(ASK, said(first), note, result(*ids)))


@pytest.mark.parametrize(
    "changes",
    [
        {"system": "Be long."},
        {"tools": []},
        {"tools": [TOOL | {"description": "Looks twice."}]},
        {"model": "claude-sonnet-5-5"},
    ],
)
async def test_system_tools_and_model_are_frozen_by_the_first_answer(wire: Wire, changes: dict[str, Any]) -> None:
    first = await wire.turn(body())
    history = [ASK, said(first), result(first[1]["id"], first[2]["id"])]
    assert "bound to a different conversation" in await wire.refusal(body(*history, **changes))
    await wire.turn(body(*history))


async def test_an_earlier_message_cannot_be_edited_or_removed(wire: Wire) -> None:
    first = await wire.turn(body())
    follow = [said(first), result(first[1]["id"], first[2]["id"])]
    edited = {"role": "user", "content": "Why not?"}
    assert "bound to a different conversation" in await wire.refusal(body(edited, *follow))
    assert "bound to a different conversation" in await wire.refusal(body(ASK, ASK, *follow))
    fewer = [said(first[1:]), follow[1]]
    assert "bound to a different conversation" in await wire.refusal(body(ASK, *fewer))
    with_null = [dict(block, caller=None) for block in first]
    assert "bound to a different conversation" in await wire.refusal(body(ASK, said(with_null), follow[1]))


async def test_a_signature_must_come_back_unchanged(wire: Wire) -> None:
    first = await wire.turn(body())
    forged = [first[0] | {"signature": "abc"}, *first[1:]]
    words = await wire.refusal(body(ASK, said(forged), result(first[1]["id"], first[2]["id"])))
    assert "Invalid `signature`" in words


async def test_thinking_is_empty_unless_summaries_were_asked_for(wire: Wire) -> None:
    blocks = await wire.turn(body(thinking={"type": "adaptive"}))
    assert blocks[0]["thinking"] == ""
    assert blocks[0]["signature"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"temperature": 0}, "temperature"),
        ({"top_p": 1}, "top_p"),
        ({"top_k": 1}, "top_k"),
        ({"tool_choice": {"type": "any"}}, "forced tool use"),
        ({"tool_choice": {"type": "tool", "name": "look"}}, "forced tool use"),
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, "only adaptive"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": "many"}, "max_tokens"),
        ({"stream": False}, "stream"),
        ({"thinking": {"type": "adaptive", "display": "full"}}, "display"),
        ({"output_config": {"effort": "utmost"}}, "effort"),
        ({"output_config": {"depth": 3}}, "depth: Extra inputs"),
        ({"system": [{"type": "image"}]}, "only text"),
        ({"system": [say(" ")]}, "non-empty"),
        ({"system": [say("x") | {"cache_control": {"type": "ephemeral", "ttl": "2h"}}]}, "ttl"),
        ({"system": [say(str(n)) | {"cache_control": {"type": "ephemeral"}} for n in range(4)]}, "maximum of 4"),
        ({"messages": [ASK, {"role": "system", "content": "x"}, {"role": "system", "content": "y"}]}, "follow another"),
        ({"messages": [ASK, {"role": "system", "content": [{"type": "image"}]}]}, "only text"),
        ({"messages": [ASK, {"role": "assistant", "content": [say("")]}, ASK]}, "non-empty"),
        ({"messages": [ASK, {"role": "assistant", "content": [think("x")]}, ASK]}, "signature: Field required"),
        (
            {"messages": [ASK, {"role": "assistant", "content": [call("look", call_id="no good")]}, ASK]},
            "id: must match",
        ),
        ({"tools": [TOOL | {"input_schema": {"type": "object", "properties": {"a b": {}}}}]}, "keys must match"),
        ({"surprise": 1}, "surprise: Extra inputs"),
        ({"messages": []}, "at least one message"),
        ({"messages": [{"role": "user", "content": ""}]}, "non-empty"),
        ({"messages": [{"role": "user", "content": [say(" ")]}]}, "non-empty"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "role and content"),
        ({"messages": [ASK | {"name": "x"}]}, "nothing else"),
        ({"messages": [{"role": "system", "content": "x"}, ASK]}, "first message"),
        ({"messages": [ASK, {"role": "system", "content": "x"}, ASK]}, "must be last or be followed"),
        ({"messages": [ASK, {"role": "assistant", "content": "invented"}, ASK]}, "bound to a different"),
        ({"messages": [{"role": "user", "content": [{"type": "video"}]}]}, "unknown block"),
        ({"tools": [TOOL, TOOL]}, "unique"),
        ({"tools": [TOOL | {"name": "no spaces"}]}, "unique and match"),
        ({"tools": [TOOL | {"risk": "low"}]}, "risk: Extra inputs"),
        ({"tools": [TOOL | {"input_schema": {"type": "array"}}]}, "plain object"),
        ({"tools": [TOOL | {"input_schema": {"type": "object", "required": "all"}}]}, "input_schema"),
    ],
)
async def test_a_request_outside_the_rules_is_refused(wire: Wire, changes: dict[str, Any], words: str) -> None:
    assert words in await wire.refusal(body(**changes))


@pytest.mark.parametrize("name", ["model", "max_tokens", "messages"])
async def test_required_fields_are_required(wire: Wire, name: str) -> None:
    content = body()
    del content[name]
    assert await wire.refusal(content) == f"{name}: Field required"


async def test_key_version_model_and_path_are_checked(wire: Wire) -> None:
    assert (await wire.post(body(), authorization="Bearer other")).status_code == 401
    assert (await wire.post(body(), **{"anthropic-version": "2023-06-01"})).status_code == 400
    assert (await wire.post(body(model="claude-9"))).status_code == 404
    assert (await wire.http.get("/v1/models/claude-opus-5-5", headers=HEADERS)).status_code == 200
    assert (await wire.http.get("/v1/elsewhere", headers=HEADERS)).status_code == 404
    assert (await wire.http.post("/v1/messages", content=b"{", headers=HEADERS)).status_code == 400


async def test_the_cache_follows_the_prefix_and_notices_reordered_keys(wire: Wire) -> None:
    first = await wire.turn(body())
    history = [ASK, said(first), result(first[1]["id"], first[2]["id"])]
    await wire.turn(body(*history))
    await wire.turn(body(*history))
    written, grown, repeated = (entry.usage for entry in wire.api.log)
    assert written["cache_read_input_tokens"] == 0
    assert grown["cache_read_input_tokens"] == written["cache_creation_input_tokens"] > 0
    assert repeated["cache_creation_input_tokens"] == 0
    reordered = [{"role": "user", "content": [{"text": "Why?", "type": "text"}]}, *history[1:]]
    await wire.turn(body(*reordered))
    assert wire.api.log[-1].usage["cache_read_input_tokens"] == 0


async def test_a_breakpoint_looks_back_twenty_blocks_and_short_beginnings_are_not_cached(wire: Wire) -> None:
    await wire.turn(body({"role": "user", "content": [say(f"{n}") for n in range(3)]}))
    await wire.turn(body({"role": "user", "content": [say(f"{n}") for n in range(22)]}))
    await wire.turn(body({"role": "user", "content": [say(f"{n}") for n in range(43)]}))
    await wire.turn(body(system="Be brief."))
    reads = [entry.usage["cache_read_input_tokens"] > 0 for entry in wire.api.log]
    assert reads == [False, True, False, False]
    assert wire.api.log[-1].usage["cache_creation_input_tokens"] == 0


async def test_a_thought_that_was_cut_is_unsigned_and_an_empty_text_need_not_come_back() -> None:
    wire = Wire(MessagesApi([answer(think("Hm"), stop_reason="max_tokens"), answer(say(""), call("look"))]))
    cut = await wire.turn(body())
    assert cut[0]["signature"] == ""
    assert "signature: Field required" in await wire.refusal(body(ASK, said(cut), ASK))
    api = MessagesApi([answer(say(""), call("look")), answer(say("Done."))])
    first = await Wire(api).turn(body())
    kept = [block for block in first if block["type"] == "tool_use"]
    assert await Wire(api).turn(body(ASK, said(kept), result(kept[0]["id"]))) == [say("Done.")]


async def test_a_refusal_says_why() -> None:
    wire = Wire(MessagesApi([answer(stop_reason="refusal", declined="cyber")]))
    ending = next(event for event in await wire.events(body()) if event["type"] == "message_delta")
    assert ending["delta"]["stop_details"]["category"] == "cyber"


async def test_without_cache_control_all_input_is_plain(wire: Wire) -> None:
    content = body()
    del content["cache_control"]
    await wire.turn(content)
    usage = wire.api.log[0].usage
    assert usage["input_tokens"] > 0
    assert usage["cache_creation_input_tokens"] == usage["cache_read_input_tokens"] == 0


async def test_scripted_failures_come_once_and_in_order(wire: Wire) -> None:
    wire.api.fail_next(fake.status(429, retry_after_s=7), fake.status(529), fake.status(500))
    limited = await wire.post(body())
    assert (limited.status_code, limited.headers["retry-after"]) == (429, "7")
    assert (await wire.post(body())).json()["error"]["type"] == "overloaded_error"
    assert (await wire.post(body())).json()["error"]["type"] == "api_error"
    assert (await wire.post(body())).status_code == 200
    assert [entry.status for entry in wire.api.log] == [429, 529, 500, 200]


async def test_a_broken_answer_is_not_part_of_any_conversation(wire: Wire) -> None:
    wire.api.fail_next(fake.error_event(after=6), fake.cut(after=6))
    broken = await wire.events(body())
    assert broken[-1] == {"type": "error", "error": {"type": "overloaded_error", "message": "scripted failure"}}
    assert len(broken) == 7
    assert (await wire.events(body()))[-1]["type"] != "message_stop"
    assert not wire.api._given


async def test_a_paused_turn_may_be_sent_back_as_it_is() -> None:
    wire = Wire(MessagesApi([answer(say("Half."), stop_reason="pause_turn"), answer(say("Whole."))]))
    half = await wire.turn(body())
    assert await wire.turn(body(ASK, said(half))) == [say("Whole.")]


async def test_a_finished_turn_may_not_be_prefilled(wire: Wire) -> None:
    single = Wire(MessagesApi([answer(say("Done."))]))
    done = await single.turn(body())
    assert "followed by a user message" in await single.refusal(body(ASK, said(done)))


async def test_a_script_that_has_run_out_says_so() -> None:
    assert "no turn 0" in await Wire(MessagesApi([])).refusal(body())


def test_it_serves_other_processes_on_loopback() -> None:
    api = MessagesApi([answer(say("Hello."))])
    with serving(api) as base_url, httpx2.Client(base_url=base_url, headers=HEADERS) as http:
        assert "message_stop" in http.post("/v1/messages", json=body()).text
        api.fail_next(fake.drop())
        with pytest.raises(httpx2.RemoteProtocolError):
            http.post("/v1/messages", json=body())
    assert len(api.requests) == 2
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(base_url)
