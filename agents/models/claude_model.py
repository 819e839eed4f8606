"""Claude behind the `ChatModel` seam: one streamed turn, its cost, and each failure as one of two fates.

The surprising thing: an `error` event in the middle of a stream arrives as a plain `APIStatusError` with status 200,
which the client does not retry. Nothing of such a partial answer was kept, so the same history is sent again. What
passes by itself (overload, a lost connection) is waited for here and not by the client, which gives up after seconds.
Source: https://platform.claude.com/docs/en/build-with-claude/streaming
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final, Literal, cast

import anthropic
import httpx2
from anthropic.lib.streaming import BetaAsyncMessageStream
from anthropic.types.beta import BetaMessage

from agents.errors import NotPermitted
from agents.models.model import Block, ModelBug, ModelUnavailable, OnText, StopReason, Turn, TurnRequest, Usage
from agents.models.prices import cost_usd, price_of

BASE_URL: Final = "https://api.anthropic.com"
DEFAULT_MODEL: Final = "claude-sonnet-5-5"
RESTARTED: Final = "\n\n_The connection broke; this answer starts again._\n\n"

EgressCheck = Callable[[str], object]  # takes the full URL; raises NotPermitted
Sleep = Callable[[float], Awaitable[None]]

_TRANSIENT = {"overloaded_error", "api_error", "timeout_error", "rate_limit_error"}
_LONGEST_PAUSE_S: Final = 16.0
_CACHED: Final = {"type": "ephemeral"}
Effort = Literal["low", "medium", "high", "xhigh", "max"]
_WHERE = re.compile(r"^[a-z_]+(?:\.(?:\d+|[a-z_]+))*(?=: )")  # "messages.3.content.0: ..." -> the path alone


_DECLINED: Final = {
    "cyber": "it took the request for work on attacks",
    "bio": "it took the request for work on dangerous biology",
    "frontier_llm": "it took the request for work on competing models",
    "reasoning_extraction": "it took the request for one to reveal its reasoning",
    "general_harms": "it took the request for harmful",
}


class _EgressRefused(anthropic.AnthropicError):
    """Of the client's own kind, so that it neither wraps nor retries it."""


class _StreamBroken(Exception):
    """A stream that ended before its message did. Sending the same history again is safe."""

    def __init__(self, why: str, *, overloaded: bool = False) -> None:
        super().__init__(why)
        self.overloaded = overloaded


def make_client(
    *,
    api_key: str,
    check_egress: EgressCheck,
    base_url: str = BASE_URL,
    http_client: httpx2.AsyncClient | None = None,
    timeout: timedelta = timedelta(seconds=120),
    max_retries: int = 2,
) -> anthropic.AsyncAnthropic:
    """The only place that builds the client; the caller closes it. Every request passes `check_egress` first.

    `timeout` is the longest silence on the wire (the stream sends pings); connecting takes at most 5 s. Redirects are
    not followed and proxies of the environment not used, unless `http_client` does so. A NotPermitted that the
    transport of `http_client` raises on connecting is understood as well. Raises ValueError for an empty key.
    """
    if not api_key.strip():
        raise ValueError("the Anthropic API key is empty")
    wire = http_client or anthropic.DefaultAsyncHttpxClient(follow_redirects=False, trust_env=False)

    async def check(request: httpx2.Request) -> None:
        try:
            check_egress(str(request.url))
        except NotPermitted as exc:
            raise _EgressRefused(str(exc)) from exc

    hooks = wire.event_hooks
    wire.event_hooks = {**hooks, "request": [*hooks.get("request", []), check]}
    return anthropic.AsyncAnthropic(
        api_key=api_key.strip(),
        base_url=base_url,
        timeout=httpx2.Timeout(timeout.total_seconds(), connect=5.0),
        max_retries=max_retries,
        http_client=wire,
        open_telemetry=False,
    )


class ClaudeModel:
    """Asks Claude. Holds no conversation; concurrent calls are fine.

    `tries` bounds how often one turn is started when its stream breaks; how long an overloaded or unreachable service
    is waited for is the request's `patience`; `turn_timeout` bounds the whole turn, waiting included. With
    `show_thinking` the summaries between tool calls go to `on_text` as well: they are the only words that these models
    emit there. `on_text` is a live view and untrusted; what counts is the returned turn. Raises ValueError for a model
    without a known price.
    """

    offline = False

    def __init__(
        self,
        client: anthropic.AsyncAnthropic,
        *,
        model: str = DEFAULT_MODEL,
        effort: Effort = "medium",
        tries: int = 3,
        turn_timeout: timedelta = timedelta(minutes=5),
        show_thinking: bool = True,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        price_of(model)
        self._client = client
        self._model = model
        self._effort = effort
        self._tries = tries
        self._turn_timeout = turn_timeout
        self._show_thinking = show_thinking
        self._sleep = sleep

    @property
    def name(self) -> str:
        return self._model

    async def check(self) -> None:
        """Whether key and model can be used, at no cost. Raises ModelUnavailable with the next action."""
        try:
            await self._client.models.retrieve(self._model)
        except anthropic.AnthropicError as exc:
            raise _fate(exc, self._model) from exc

    async def ask(self, request: TurnRequest, *, on_text: OnText | None = None) -> Turn:
        """One turn, whatever its stop reason. Raises ModelUnavailable or ModelBug, neither with any content in it.

        After a broken stream `on_text` gets `RESTARTED`, then the answer from its beginning.
        """
        try:
            async with asyncio.timeout(self._turn_timeout.total_seconds()) as deadline:
                return await self._ask_until_whole(request, on_text)
        except TimeoutError as exc:
            if not deadline.expired():
                raise
            seconds = round(self._turn_timeout.total_seconds())
            raise ModelUnavailable(f"Claude did not finish its turn within {seconds} s", passes=True) from exc

    async def _ask_until_whole(self, request: TurnRequest, on_text: OnText | None) -> Turn:
        broken = overloaded = 0
        waited = 0.0
        while True:
            try:
                return self._turn(await self._stream(request, on_text))
            except _StreamBroken as exc:
                broken += not exc.overloaded
                overloaded += exc.overloaded
                fate = ModelUnavailable(f"Claude's answer broke off {broken + overloaded} times ({exc})", passes=True)
                if broken >= self._tries:
                    raise fate from exc
                pause = _pause(overloaded if exc.overloaded else broken)
                if on_text is not None:
                    await on_text(RESTARTED)
            except anthropic.AnthropicError as exc:
                found = _fate(exc, self._model)
                if isinstance(found, ModelBug) or not found.passes:
                    raise found from exc
                overloaded += 1
                asked = _retry_after(exc.response.headers) if isinstance(exc, anthropic.APIStatusError) else None
                fate, pause = found, _pause(overloaded) if asked is None else max(1.0, asked)
            if overloaded and waited + pause > request.patience.total_seconds():
                raise fate
            await self._sleep(pause)
            waited += pause

    async def _stream(self, request: TurnRequest, on_text: OnText | None) -> BetaMessage:
        parameters: dict[str, Any] = {
            "model": self._model,
            "max_tokens": request.max_tokens,
            "messages": _with_breakpoint(request.messages),
            "thinking": {"type": "adaptive", "display": "summarized"},
            "output_config": {"effort": self._effort},
            "cache_control": _CACHED,
        }
        if request.system:  # behind the tools, so that every run of a tenant reads both from the cache
            parameters["system"] = [{"type": "text", "text": request.system, "cache_control": _CACHED}]
        if request.tools:
            parameters["tools"] = list(request.tools)
        async with self._client.with_options(max_retries=0).beta.messages.stream(**parameters) as stream:
            async for text in self._texts(stream):
                if on_text is not None:
                    await on_text(text)
            return await stream.get_final_message()

    async def _texts(self, stream: BetaAsyncMessageStream[Any]) -> AsyncIterator[str]:
        """The words as they come, a blank line between blocks. Raises _StreamBroken unless the message was finished."""
        finished = spoke = False
        gap = ""
        async for event in _events(stream):
            if event.type == "content_block_delta":
                words = self._words(event.delta)
                if words:
                    yield gap + words
                    gap, spoke = "", True
            elif event.type == "content_block_stop" and spoke:
                gap = "\n\n"
            elif event.type == "message_stop":
                finished = event.message.stop_reason is not None
        if not finished:
            raise _StreamBroken(f"ended early, {_request_id(stream.request_id)}")

    def _words(self, delta: Any) -> str:
        if delta.type == "text_delta":
            return str(delta.text)
        return str(delta.thinking) if delta.type == "thinking_delta" and self._show_thinking else ""

    def _turn(self, message: BetaMessage) -> Turn:
        usage = Usage(
            input=message.usage.input_tokens,
            output=message.usage.output_tokens,
            cache_read=message.usage.cache_read_input_tokens or 0,
            cache_write=message.usage.cache_creation_input_tokens or 0,
        )
        return Turn(
            # a plain dump would add null fields, which changes the bytes and loses the prompt cache
            content=cast("list[Block]", message.to_dict(mode="json")["content"]),
            stop_reason=cast("StopReason", message.stop_reason),
            usage=usage,
            cost_usd=cost_usd(self._model, usage),
            model=message.model,
            declined=_declined(message),
        )


def _declined(message: BetaMessage) -> str | None:
    """In our own words: the provider's explanation may change at any time."""
    if message.stop_reason != "refusal":
        return None
    details = message.stop_details
    return _DECLINED.get(details.category or "") if details is not None else None


def _with_breakpoint(messages: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """A cache breakpoint at the end of what the request before this one sent.

    The API looks for a cached beginning among the twenty blocks before a breakpoint only; a turn of many calls is
    longer than that, and would be paid for anew in full.
    """
    answers = [n for n, message in enumerate(messages) if message["role"] == "assistant"]
    if not answers or answers[-1] == 0:
        return list(messages)
    at = answers[-1] - 1
    content = messages[at]["content"]
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else list(content)
    marked = {**messages[at], "content": [*blocks[:-1], {**blocks[-1], "cache_control": _CACHED}]}
    return [*messages[:at], marked, *messages[at + 1 :]]


def _pause(times: int) -> float:
    return float(min(_LONGEST_PAUSE_S, 2.0 ** (times - 1)))


def _retry_after(headers: httpx2.Headers) -> float | None:
    """Seconds that the service asks to wait, as a number or as a date."""
    told = headers.get("retry-after", "")
    try:
        return max(0.0, float(told))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(told) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return None


async def _events(stream: BetaAsyncMessageStream[Any]) -> AsyncIterator[Any]:
    """The client's events; the failures that it lets through raw in mid-stream become _StreamBroken."""
    try:
        async for event in stream:
            yield event
    except anthropic.APIStatusError as exc:
        if exc.status_code == httpx2.codes.OK and (exc.type is None or exc.type in _TRANSIENT):
            busy = exc.type in ("overloaded_error", "rate_limit_error")
            raise _StreamBroken(f"{exc.type}, {_request_id(exc.request_id)}", overloaded=busy) from exc
        raise
    except (httpx2.HTTPError, httpx2.StreamError) as exc:
        raise _StreamBroken(f"{type(exc).__name__}, {_request_id(stream.request_id)}") from exc
    except ValueError:
        # its text quotes the model's bytes, so it must not be chained into a log
        raise _StreamBroken(f"unreadable, {_request_id(stream.request_id)}") from None


def _fate(exc: anthropic.AnthropicError, model: str) -> ModelUnavailable | ModelBug:
    """Our error for the client's, with class, request id and next action, never with content."""
    match exc:
        case anthropic.APIStatusError():
            return _fate_of_status(exc, model)
        case _EgressRefused():
            return ModelUnavailable(f"Claude's host is not allowed by the egress list: {exc}")
        case anthropic.APIConnectionError(__cause__=NotPermitted() as cause):
            return ModelUnavailable(f"Claude's host is not allowed by the egress list: {cause}")
        case anthropic.APITimeoutError():
            return ModelUnavailable("Claude did not answer in time (APITimeoutError)", passes=True)
        case anthropic.APIConnectionError():
            return ModelUnavailable(f"Claude cannot be reached ({type(exc).__name__})", passes=True)
        case _:
            return ModelUnavailable(f"Claude cannot be reached ({type(exc).__name__})")


def _fate_of_status(exc: anthropic.APIStatusError, model: str) -> ModelUnavailable | ModelBug:
    who = f"({type(exc).__name__}, {_request_id(exc.request_id)})"
    match exc.status_code, exc.type:
        case (401, _) | (_, "authentication_error"):
            action = "Claude refused the API key: set a valid one"
        case (402, _) | (_, "billing_error"):
            action = "the Anthropic account cannot be billed: check its plan and credit"
        case (403, _) | (_, "permission_error"):
            action = f"the API key may not use {model}: give it access or set another key"
        case (404, _) | (_, "not_found_error"):
            action = f"{model} does not exist for this API key: choose another model"
        case (400 | 413 | 422, _) | (_, "invalid_request_error"):
            found = _WHERE.match(exc.api_message or "")
            where = found[0] if found else None
            text = f"Claude refused the request as malformed{f' at {where}' if where else ''} {who}"
            return ModelBug(text, where=where, request_id=exc.request_id)
        case status, kind:
            action = f"Claude is overloaded or down: {kind or 'no reason given'}, status {status}"
            return ModelUnavailable(f"{action} {who}", passes=True)
    return ModelUnavailable(f"{action} {who}")


def _request_id(value: str | None) -> str:
    return f"request {value}" if value else "no request id"
