from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from fakes import messages_api as fake
from fakes.messages_api import MessagesApi, answer, call, say, serving, think

from agents.errors import NotPermitted
from agents.models.claude_model import RESTARTED, ClaudeModel, make_client
from agents.models.model import Block, ChatModel, ModelBug, ModelUnavailable, Turn, TurnRequest, Usage
from agents.models.prices import PRICES, cost_usd

TOOLS = [
    {
        "name": "query_metrics",
        "description": "Reads metrics.",
        "input_schema": {"type": "object", "properties": {"query": {"type": "string"}}},
    }
]
SYSTEM = "You investigate. " * 300  # long enough to be cached
QUESTION: Block = {"role": "user", "content": "Why is checkout slow?"}
LONG = "The latency of checkout rose at 12:04, two minutes after a deployment of payments."


def request(*messages: Block, tools: Any = TOOLS) -> TurnRequest:
    told: list[Block] = [QUESTION, *messages]
    return TurnRequest(system=SYSTEM, tools=tools, messages=told, max_tokens=500, patience=timedelta(seconds=90))


def results(turn: Turn, text: str = "12 ms") -> Block:
    return {
        "role": "user",
        "content": [
            {"type": "tool_result", "tool_use_id": block["id"], "content": text}
            for block in turn.content
            if block["type"] == "tool_use"
        ],
    }


class Listener:
    def __init__(self) -> None:
        self.heard: list[str] = []

    async def __call__(self, text: str) -> None:
        self.heard.append(text)

    @property
    def text(self) -> str:
        return "".join(self.heard)


async def test_a_turn_carries_content_stop_reason_usage_and_cost(claude_of: Callable[..., ClaudeModel]) -> None:
    api = MessagesApi([answer(think("Look at latency."), call("query_metrics", {"query": "p95"}))])
    model: ChatModel = claude_of(api)
    turn = await model.ask(request())
    thinking, tool_use = turn.content
    assert not model.offline
    assert set(thinking) == {"type", "thinking", "signature"}
    assert tool_use["name"] == "query_metrics"
    assert tool_use["input"] == {"query": "p95"}
    assert turn.stop_reason == "tool_use"
    assert turn.model == model.name == "claude-sonnet-5-5"
    assert turn.usage.total_input == api.log[0].usage["cache_creation_input_tokens"] > 0
    assert turn.cost_usd == pytest.approx((turn.usage.cache_write * 2.5 + turn.usage.output * 10) / 1e6)


async def test_the_history_goes_back_unchanged_over_several_turns(claude_of: Callable[..., ClaudeModel]) -> None:
    api = MessagesApi(
        [
            answer(think("First."), say("Reading."), call("query_metrics", {"query": "a"}), call("query_metrics")),
            answer(think("Second."), call("query_metrics", {"query": 'b"\\ü'})),
            answer(say(LONG)),
        ]
    )
    model = claude_of(api)
    history: list[Block] = []
    for _ in range(3):
        turn = await model.ask(request(*json.loads(json.dumps(history))))
        history.append({"role": "assistant", "content": turn.content})
        if turn.stop_reason == "tool_use":
            history.append(results(turn))
            history.append({"role": "system", "content": "Two minutes are left."})
    assert turn.content == [{"type": "text", "text": LONG}]
    assert [entry.status for entry in api.log] == [200, 200, 200]


async def test_the_prefix_of_the_turn_before_is_read_from_the_cache(claude_of: Callable[..., ClaudeModel]) -> None:
    model = claude_of(MessagesApi([answer(call("query_metrics")), answer(say("Done."))]))
    first = await model.ask(request())
    second = await model.ask(request({"role": "assistant", "content": first.content}, results(first)))
    assert first.usage.cache_read == 0
    assert second.usage.cache_read == first.usage.cache_write > 0


async def test_a_turn_of_many_calls_still_reads_all_that_was_sent_before(claude_of: Callable[..., ClaudeModel]) -> None:
    calls = [call("query_metrics", {"query": f"q{n}"}) for n in range(15)]  # 30 blocks: more than the API looks back
    model = claude_of(MessagesApi([answer(*calls), answer(say("Done."))]))
    first = await model.ask(request())
    second = await model.ask(request({"role": "assistant", "content": first.content}, results(first)))
    assert second.usage.cache_read == first.usage.cache_write > 0


async def test_another_run_reads_tools_and_system_from_the_cache(claude_of: Callable[..., ClaudeModel]) -> None:
    model = claude_of(MessagesApi([answer(say("Done."))]))
    first = await model.ask(request())
    other = replace(request(), messages=[{"role": "user", "content": "Why does search fail?"}])
    second = await model.ask(other)
    assert first.usage.cache_read == 0
    assert second.usage.cache_read > 0.9 * second.usage.total_input


async def test_the_request_asks_for_caching_and_summaries_and_forces_nothing(
    claude_of: Callable[..., ClaudeModel],
) -> None:
    api = MessagesApi([answer(say("Hello."))])
    await claude_of(api).ask(request())
    body = api.requests[0]
    assert body["cache_control"] == {"type": "ephemeral"}
    assert body["thinking"] == {"type": "adaptive", "display": "summarized"}
    assert body["system"] == [{"type": "text", "text": SYSTEM, "cache_control": {"type": "ephemeral"}}]
    assert body["output_config"] == {"effort": "medium"}
    assert body["tools"] == TOOLS
    assert not {"tool_choice", "temperature", "top_p", "top_k"} & set(body)


async def test_a_request_without_tools_sends_none(claude_of: Callable[..., ClaudeModel]) -> None:
    api = MessagesApi([answer(say("Hello."))])
    await claude_of(api).ask(request(tools=[]))
    assert "tools" not in api.requests[0]


@pytest.mark.parametrize(
    "stop_reason",
    [
        "end_turn",
        "max_tokens",
        "pause_turn",
        "refusal",
        "compaction",
        "model_context_window_exceeded",
        "stop_sequence",
    ],
)
async def test_every_stop_reason_is_passed_on(claude_of: Callable[..., ClaudeModel], stop_reason: str) -> None:
    api = MessagesApi([answer(say("So far."), stop_reason=stop_reason)])
    assert (await claude_of(api).ask(request())).stop_reason == stop_reason


async def test_a_refusal_may_be_empty(claude_of: Callable[..., ClaudeModel]) -> None:
    turn = await claude_of(MessagesApi([answer(stop_reason="refusal")])).ask(request())
    assert (turn.content, turn.stop_reason) == ([], "refusal")


async def test_words_and_summaries_are_heard_as_they_come(claude_of: Callable[..., ClaudeModel]) -> None:
    listener = Listener()
    api = MessagesApi([answer(think("I look at the latency first."), say(LONG), call("query_metrics"))])
    await claude_of(api).ask(request(), on_text=listener)
    assert listener.text == f"I look at the latency first.\n\n{LONG}"
    assert len(listener.heard) > 5


@pytest.mark.parametrize("fault", [fake.error_event(), fake.cut(), fake.cut(after=0)])
async def test_a_broken_stream_is_dropped_and_the_same_history_sent_again(
    claude_of: Callable[..., ClaudeModel], naps: Any, fault: fake.Fault
) -> None:
    listener = Listener()
    api = MessagesApi([answer(say(LONG))])
    api.fail_next(fault)
    turn = await claude_of(api).ask(request(), on_text=listener)
    assert turn.content == [{"type": "text", "text": LONG}]
    assert naps.seconds == [1.0]
    assert api.requests[0] == api.requests[1]
    heard, again = listener.text.split(RESTARTED)
    assert LONG.startswith(heard)
    assert again == LONG


async def test_streams_that_break_every_time_end_in_unavailable(
    claude_of: Callable[..., ClaudeModel], naps: Any
) -> None:
    api = MessagesApi([answer(say(LONG))])
    api.fail_next(*[fake.error_event(error_type="api_error"), fake.cut()] * 2)
    with pytest.raises(ModelUnavailable, match=r"broke off 3 times \(api_error, request req_") as caught:
        await claude_of(api).ask(request())
    assert naps.seconds == [1.0, 2.0]
    assert len(api.log) == 3
    assert "latency" not in str(caught.value)


async def test_a_refusal_in_mid_stream_is_not_tried_again(claude_of: Callable[..., ClaudeModel]) -> None:
    api = MessagesApi([answer(say(LONG))])
    api.fail_next(fake.error_event(error_type="invalid_request_error"))
    with pytest.raises(ModelBug):
        await claude_of(api).ask(request())
    assert len(api.log) == 1


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (fake.status(429, retry_after_s=0), "overloaded or down: rate_limit_error, status 429 .RateLimitError"),
        (fake.status(529), "overloaded or down: overloaded_error, status 529 .OverloadedError, request req_"),
        (fake.status(500), "overloaded or down: api_error, status 500"),
        (fake.status(401), "refused the API key: set a valid one"),
        (fake.status(402), "check its plan and credit"),
        (fake.status(403), "may not use claude-sonnet-5-5: give it access"),
        (fake.status(404), "choose another model"),
    ],
)
async def test_a_refused_request_is_unavailable_and_says_what_to_do(
    claude_of: Callable[..., ClaudeModel], fault: fake.Fault, words: str
) -> None:
    api = MessagesApi([answer(say(LONG))])
    api.fail_next(fault)
    with pytest.raises(ModelUnavailable, match=words) as caught:
        await claude_of(api).ask(replace(request(), patience=timedelta(0)))
    assert "scripted failure" not in str(caught.value)
    assert caught.value.passes == (fault.status in (429, 529, 500))
    assert len(api.log) == 1


async def test_an_overloaded_service_is_asked_for_more_than_a_minute(
    claude_of: Callable[..., ClaudeModel], naps: Any
) -> None:
    api = MessagesApi([answer(say("Hello."))])
    api.fail_next(*[fake.status(529)] * 5, fake.error_event(), fake.status(500))
    turn = await claude_of(api).ask(request())
    assert turn.content == [{"type": "text", "text": "Hello."}]
    assert naps.seconds == [1, 2, 4, 8, 16, 16, 16]
    api.fail_next(*[fake.status(529)] * 50)
    naps.seconds.clear()
    with pytest.raises(ModelUnavailable, match="overloaded") as caught:
        await claude_of(api).ask(request())
    assert caught.value.passes
    assert 60 <= sum(naps.seconds) <= 90


async def test_the_time_that_the_service_asks_for_is_waited(claude_of: Callable[..., ClaudeModel], naps: Any) -> None:
    api = MessagesApi([answer(say("Hello."))])
    api.fail_next(fake.status(429, retry_after_s=41), fake.status(529, retry_after_s=3))
    assert (await claude_of(api, client_retries=2).ask(request())).stop_reason == "end_turn"
    assert naps.seconds == [41, 3]
    assert [entry.status for entry in api.log] == [429, 529, 200]
    api.fail_next(fake.status(429, retry_after_s=600))
    with pytest.raises(ModelUnavailable, match="status 429"):
        await claude_of(api).ask(request())
    assert naps.seconds == [41, 3]


async def test_a_refusal_says_its_kind_in_our_words(claude_of: Callable[..., ClaudeModel]) -> None:
    api = MessagesApi([answer(say("I"), stop_reason="refusal", declined="cyber")])
    assert (await claude_of(api).ask(request())).declined == "it took the request for work on attacks"
    assert (await claude_of(MessagesApi([answer(stop_reason="refusal")])).ask(request())).declined is None


async def test_a_wrong_key_is_unavailable(claude_of: Callable[..., ClaudeModel]) -> None:
    api = MessagesApi([answer(say(LONG))])
    with pytest.raises(ModelUnavailable, match="set a valid one"):
        await claude_of(api, api_key="sk-wrong").ask(request())


async def test_a_malformed_request_is_our_bug_and_names_the_place_but_no_content(
    claude_of: Callable[..., ClaudeModel],
) -> None:
    api = MessagesApi([answer(call("query_metrics", call_id="toolu_secret")), answer(say("x"))])
    model = claude_of(api)
    turn = await model.ask(request())
    unanswered = request({"role": "assistant", "content": turn.content}, {"role": "user", "content": "Go on"})
    with pytest.raises(ModelBug, match=r"malformed at messages\.1 \(BadRequestError, request req_") as caught:
        await model.ask(unanswered)
    assert caught.value.where == "messages.1"
    assert str(caught.value.request_id).startswith("req_")
    assert "toolu_secret" not in str(caught.value)


async def test_an_edited_history_is_our_bug(claude_of: Callable[..., ClaudeModel]) -> None:
    api = MessagesApi([answer(say("One.")), answer(say("Two."))])
    model = claude_of(api)
    turn = await model.ask(request())
    edited = [{**turn.content[0], "text": "Changed."}]
    with pytest.raises(ModelBug):
        await model.ask(request({"role": "assistant", "content": edited}, {"role": "user", "content": "And?"}))


async def test_silence_ends_the_turn_at_its_time_out(claude_of: Callable[..., ClaudeModel]) -> None:
    api = MessagesApi([answer(say(LONG))])
    api.fail_next(fake.hang())
    model = claude_of(api, turn_timeout=timedelta(milliseconds=50))
    with pytest.raises(ModelUnavailable, match="did not finish its turn"):
        await model.ask(request())


async def test_an_error_of_the_listener_is_not_taken_for_one_of_the_stream(
    claude_of: Callable[..., ClaudeModel],
) -> None:
    async def deaf(text: str) -> None:
        raise ValueError("listener")

    with pytest.raises(ValueError, match="listener"):
        await claude_of(MessagesApi([answer(say(LONG))])).ask(request(), on_text=deaf)

    async def late(text: str) -> None:
        raise TimeoutError("listener")

    with pytest.raises(TimeoutError, match="listener"):
        await claude_of(MessagesApi([answer(say(LONG))])).ask(request(), on_text=late)


async def test_a_cancelled_turn_is_cancelled(claude_of: Callable[..., ClaudeModel]) -> None:
    reached = asyncio.Event()

    def script(body: Block) -> fake.Answer:
        reached.set()
        return answer(say(LONG))

    api = MessagesApi(script)
    api.fail_next(fake.hang())
    task = asyncio.create_task(claude_of(api).ask(request()))
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_forbidden_host_is_not_contacted_nor_tried_again(claude_of: Callable[..., ClaudeModel]) -> None:
    asked: list[str] = []

    def forbid(url: str) -> None:
        asked.append(url)
        raise NotPermitted("api.anthropic.com is not on the list")

    api = MessagesApi([answer(say(LONG))])
    with pytest.raises(ModelUnavailable, match=r"egress list: api\.anthropic\.com is not on the list"):
        await claude_of(api, check_egress=forbid, client_retries=2).ask(request())
    assert asked == ["https://api.anthropic.com/v1/messages"]
    assert api.log == []


async def test_an_address_that_the_transport_refuses_is_named_as_such(claude_of: Callable[..., ClaudeModel]) -> None:
    class Guarded(httpx2.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            raise NotPermitted("the name leads inside")

    wire = httpx2.AsyncClient(transport=Guarded())
    with pytest.raises(ModelUnavailable, match=r"egress list: the name leads inside"):
        await claude_of(MessagesApi([]), http_client=wire).ask(request())


async def test_thinking_can_be_kept_out_of_the_live_view(claude_of: Callable[..., ClaudeModel]) -> None:
    listener = Listener()
    model = claude_of(MessagesApi([answer(think("Hm."), say("Hello."))]))
    model._show_thinking = False
    await model.ask(request(), on_text=listener)
    assert listener.text == "Hello."


async def test_a_cut_in_the_middle_of_an_event_is_a_broken_stream(claude_of: Callable[..., ClaudeModel]) -> None:
    class Garbled(httpx2.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            text = 'event: message_start\ndata: {"type": "message_start", "message": {"sec\n\n'
            return httpx2.Response(200, headers={"content-type": "text/event-stream"}, text=text)

    wire = httpx2.AsyncClient(transport=Garbled())
    with pytest.raises(ModelUnavailable, match=r"broke off 3 times \(unreadable") as caught:
        await claude_of(MessagesApi([]), http_client=wire).ask(request())
    assert caught.value.__cause__ is not None
    assert caught.value.__cause__.__suppress_context__


async def test_check_tells_a_usable_key_from_a_bad_one_and_from_a_missing_model(
    claude_of: Callable[..., ClaudeModel],
) -> None:
    api = MessagesApi([], models=["claude-sonnet-5-5"])
    await claude_of(api).check()
    with pytest.raises(ModelUnavailable, match="set a valid one"):
        await claude_of(api, api_key="sk-wrong").check()
    with pytest.raises(ModelUnavailable, match="claude-opus-5-5 does not exist"):
        await claude_of(api, model="claude-opus-5-5").check()


async def test_over_a_socket_dropped_connections_and_silence_are_survived() -> None:
    def anywhere(url: str) -> None:
        """Loopback only."""

    naps: list[float] = []

    async def nap(seconds: float) -> None:
        naps.append(seconds)

    api = MessagesApi([answer(think("Hm."), say(LONG))])
    with serving(api) as base_url:
        client = make_client(
            api_key="sk-test",
            base_url=base_url,
            check_egress=anywhere,
            timeout=timedelta(milliseconds=300),
            max_retries=0,
        )
        async with client:
            model = ClaudeModel(client, sleep=nap)
            api.fail_next(fake.drop(), fake.hang(after=3))
            turn = await model.ask(request())
            api.fail_next(fake.hang())
            with pytest.raises(ModelUnavailable, match=r"broke off|in time"):
                await ClaudeModel(client, sleep=nap, tries=1).ask(request())
    assert turn.content[-1] == {"type": "text", "text": LONG}
    assert naps == [1.0, 2.0]


async def test_an_unreachable_host_is_unavailable() -> None:
    def anywhere(url: str) -> None:
        """Loopback only."""

    with serving(MessagesApi([])) as base_url:
        pass
    async with make_client(api_key="k", base_url=base_url, check_egress=anywhere, max_retries=0) as client:
        with pytest.raises(ModelUnavailable, match="cannot be reached") as caught:
            await ClaudeModel(client).ask(replace(request(), patience=timedelta(0)))
    assert caught.value.passes


async def test_the_environment_redirects_neither_key_nor_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "https://elsewhere.example")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-other")

    def anywhere(url: str) -> None:
        """Not called: nothing is sent."""

    async with make_client(api_key="sk-mine", check_egress=anywhere) as client:
        assert str(client.base_url).startswith("https://api.anthropic.com")
        assert client.api_key == "sk-mine"
    with pytest.raises(ValueError, match="empty"):
        make_client(api_key=" ", check_egress=anywhere)


def test_a_model_without_a_price_is_refused() -> None:
    with pytest.raises(ValueError, match="choose one of claude-haiku-5-5"):
        cost_usd("claude-unknown", Usage(input=1))


def test_cost_counts_cache_reads_and_writes_at_their_own_rates() -> None:
    usage = Usage(input=1_000_000, output=1_000_000, cache_read=1_000_000, cache_write=1_000_000)
    assert cost_usd("claude-opus-5-5", usage) == pytest.approx(4 + 20 + 5 + 0.2)
    assert cost_usd("claude-sonnet-5-5", usage) == pytest.approx(2 + 10 + 2.5 + 0.1)


def test_a_long_prompt_makes_every_token_of_a_haiku_request_dearer() -> None:
    short = Usage(input=50_000, cache_read=50_000, output=1_000_000)
    long = Usage(input=50_000, cache_read=50_001, output=1_000_000)
    assert cost_usd("claude-haiku-5-5", short) == pytest.approx(0.005 + 0.0005 + 0.5)
    assert cost_usd("claude-haiku-5-5", long) == pytest.approx(0.025 + 0.00250005 + 2.5)


def test_every_cache_read_is_cheaper_than_its_input_and_every_write_dearer() -> None:
    for price in PRICES.values():
        for rates in filter(None, (price.rates, price.long)):
            assert rates.cache_read < rates.input < rates.cache_write < rates.output
