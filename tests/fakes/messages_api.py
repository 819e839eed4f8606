"""A strict stand-in for the Messages API, as an ASGI app: in memory through `httpx2.ASGITransport`, or on loopback.

It refuses what a recording would let pass: an unanswered tool call, an edited history, a changed signature, a sampling
parameter. It remembers each answer under the exact prefix that it answered, so that "append-only" is checked for all
conversations at once. The wording of its errors is like the real one only as far as clients may depend on it.
Source: https://platform.claude.com/docs/en/api/messages
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import re
import socket
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import jsonschema
import uvicorn

Json = dict[str, Any]
Block = dict[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

VERSION = "2026-10-21"
_MESSAGES = ("POST", "/v1/messages")
MODELS = ("claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5")
_FIELDS = {"model", "max_tokens", "messages", "system", "tools", "tool_choice", "thinking", "cache_control", "stream"}
_FIELDS |= {"output_config", "metadata", "stop_sequences", "service_tier", "context_management", "compaction"}
_BLOCK_FIELDS = {
    "text": {"type", "text", "citations", "cache_control"},
    "tool_result": {"type", "tool_use_id", "content", "is_error", "cache_control"},
    "image": {"type", "source", "cache_control"},
    "document": {"type", "source", "title", "context", "citations", "cache_control"},
}
_TOOL_NAME = re.compile(r"^[a-zA-Z0-9_-]{1,128}$")
_OTHER_CONVERSATION = "this content is bound to a different conversation; history can only be appended to"


# --- what a test scripts ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One turn of the scripted model. Signatures and missing tool call ids are filled in by the fake."""

    content: Sequence[Block]
    stop_reason: str


def say(text: str) -> Block:
    return {"type": "text", "text": text}


def think(text: str) -> Block:
    return {"type": "thinking", "thinking": text}


def call(name: str, arguments: Mapping[str, Any] | None = None, *, call_id: str | None = None) -> Block:
    block: Block = {"type": "tool_use", "name": name, "input": dict(arguments or {})}
    return block if call_id is None else {**block, "id": call_id}


def answer(*blocks: Block, stop_reason: str | None = None) -> Answer:
    """Stops for tools where a call is among the blocks, else ends the turn, unless told otherwise."""
    calls = any(block["type"] == "tool_use" for block in blocks)
    return Answer(content=blocks, stop_reason=stop_reason or ("tool_use" if calls else "end_turn"))


# A list is indexed by the number of assistant messages in the request: a repeated request gets the same turn, and
# concurrent conversations each follow the whole list. A callable sees the request, and sees a repeated one again.
Script = Sequence[Answer] | Callable[[Json], Answer]


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What goes wrong with one request. `after` counts the stream events (pings too) that are still sent."""

    kind: Literal["status", "error_event", "hang", "drop", "cut"]
    after: int = 0
    status: int = 529
    error_type: str = "overloaded_error"
    message: str = "scripted failure"
    retry_after_s: float | None = None


_TYPE_OF_STATUS = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}


def status(code: int, *, retry_after_s: float | None = None, message: str = "scripted failure") -> Fault:
    kind = _TYPE_OF_STATUS.get(code, "api_error")
    return Fault(kind="status", status=code, error_type=kind, retry_after_s=retry_after_s, message=message)


def error_event(*, after: int = 4, error_type: str = "overloaded_error") -> Fault:
    """An `error` event in mid-stream, under status 200."""
    return Fault(kind="error_event", after=after, error_type=error_type)


def hang(*, after: int = 0) -> Fault:
    """Silence until the client goes away."""
    return Fault(kind="hang", after=after)


def drop(*, after: int = 4) -> Fault:
    """The connection dies in the middle of the body."""
    return Fault(kind="drop", after=after)


def cut(*, after: int = 4) -> Fault:
    """The body ends properly but the message does not."""
    return Fault(kind="cut", after=after)


class ConnectionDropped(ConnectionError):
    """Raised through the server so that it closes the connection without ending the body."""


# --- the server ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Logged:
    """One request as it came in and what became of it. `error` is the message of a refusal or the kind of a fault."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: Json
    status: int
    error: str | None = None
    usage: Mapping[str, Any] = field(default_factory=dict)


class Refused(Exception):
    """A request that breaks a rule."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class MessagesApi:
    """The ASGI app. `log` holds every request; `fail_next` queues faults, one for each coming request for a message."""

    def __init__(self, script: Script, *, api_key: str = "sk-test", models: Sequence[str] = MODELS) -> None:
        self.log: list[Logged] = []
        self._script = script
        self._api_key = api_key
        self._models = models
        self._faults: list[Fault] = []
        self._given: dict[str, set[str]] = {}  # prefix -> answers
        self._paused: set[str] = set()  # prefixes whose answer may stand last
        self._cached: set[str] = set()

    def fail_next(self, *faults: Fault) -> None:
        self._faults.extend(faults)

    @property
    def requests(self) -> list[Json]:
        """The bodies of the requests for a message, refused ones included."""
        return [entry.body for entry in self.log if entry.path == "/v1/messages"]

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        raw = await _read(receive)
        headers = {name.decode().lower(): value.decode() for name, value in scope["headers"]}
        where = scope["method"], scope["path"]
        fault = self._faults.pop(0) if self._faults and where == _MESSAGES else None
        seen = Logged(method=scope["method"], path=scope["path"], headers=headers, body=_lenient(raw), status=200)
        try:
            _check_headers(headers, self._api_key)
            if fault is not None and fault.kind == "status":
                self.log.append(replace(seen, status=fault.status, error=fault.kind))
                await _send_error(send, fault.status, fault.error_type, fault.message, fault.retry_after_s)
            elif where == _MESSAGES:
                await self._message(send, receive, _parse(raw), seen, fault)
            else:
                await _send_json(send, 200, self._model(*where))
                self.log.append(seen)
        except Refused as exc:
            self.log.append(replace(seen, status=exc.code, error=str(exc)))
            await _send_error(send, exc.code, _TYPE_OF_STATUS.get(exc.code, "api_error"), str(exc))

    def _model(self, method: str, path: str) -> Json:
        name = path.removeprefix("/v1/models/")
        if method != "GET" or name == path or name not in self._models:
            raise Refused(404, f"{method} {path} does not exist")
        return {"type": "model", "id": name, "display_name": name, "created_at": "2026-10-07T00:00:00Z"}

    def _check_history(self, body: Json) -> None:
        messages = body["messages"]
        for index, message in enumerate(messages):
            if message["role"] != "assistant":
                continue
            prefix = _prefix(body, index)
            known = self._given.get(prefix, set())
            if _canonical(message["content"]) not in known:
                same_words = {_canonical(_unsigned(json.loads(text))) for text in known}
                if _canonical(_unsigned(message["content"])) in same_words:
                    raise Refused(400, f"messages.{index}.content: Invalid `signature` in `thinking` block")
                raise Refused(400, f"messages.{index}: {_OTHER_CONVERSATION}")
            follower = messages[index + 1]["role"] if index + 1 < len(messages) else None
            if follower in (None, "assistant") and prefix not in self._paused:
                raise Refused(400, f"messages.{index}: an assistant message must be followed by a user message")

    def _answer(self, body: Json) -> Answer:
        if callable(self._script):
            scripted = self._script(body)
        else:
            turn = sum(message["role"] == "assistant" for message in body["messages"])
            if turn >= len(self._script):
                raise Refused(400, f"script: there is no turn {turn}")
            scripted = self._script[turn]
        seed = _prefix(body, len(body["messages"]))
        blocks = [_complete(block, seed, index, body) for index, block in enumerate(scripted.content)]
        return Answer(content=blocks, stop_reason=scripted.stop_reason)

    def _usage(self, body: Json, given: Answer) -> Json:
        """A token is four characters. The longest prefix that an earlier request left in the cache is read."""
        counts = [_tokens([body.get("system"), body.get("tools")])] + [_tokens(m) for m in body["messages"]]
        prefixes = [_bytes_key(body, end) for end in range(len(body["messages"]) + 1)]
        read = written = 0
        if body.get("cache_control"):
            hit = max((end for end, key in enumerate(prefixes) if key in self._cached), default=-1)
            read = sum(counts[: hit + 1])
            written = sum(counts[hit + 1 :])
            self._cached.add(prefixes[-1])
        return {
            "input_tokens": sum(counts) - read - written,
            "cache_read_input_tokens": read,
            "cache_creation_input_tokens": written,
            "cache_creation": {"ephemeral_5m_input_tokens": written, "ephemeral_1h_input_tokens": 0},
            "output_tokens": _tokens(list(given.content)),
            "service_tier": "standard",
        }

    async def _message(self, send: Send, receive: Receive, body: Json, seen: Logged, fault: Fault | None) -> None:
        check_request(body, self._models)
        self._check_history(body)
        given = self._answer(body)
        usage = self._usage(body, given)
        self.log.append(replace(seen, error=fault.kind if fault else None, usage=usage))
        prefix = _prefix(body, len(body["messages"]))
        await _start(send, 200, [(b"content-type", b"text/event-stream; charset=utf-8")], prefix)
        for sent, event in enumerate(_events(body["model"], prefix, given, usage)):
            if fault is not None and sent >= fault.after:
                await _break(fault, send, receive)
                break
            await _send_event(send, event)
        else:
            self._given.setdefault(prefix, set()).add(_canonical(list(given.content)))
            if given.stop_reason == "pause_turn":
                self._paused.add(prefix)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _break(fault: Fault, send: Send, receive: Receive) -> None:
    if fault.kind == "error_event":
        error = {"type": fault.error_type, "message": fault.message}
        await _send_event(send, {"type": "error", "error": error})
    elif fault.kind == "drop":
        raise ConnectionDropped
    elif fault.kind == "hang":
        while (await receive())["type"] != "http.disconnect":
            pass


@contextlib.contextmanager
def serving(api: MessagesApi) -> Iterator[str]:
    """Serves on a free loopback port from a thread, for another process. Yields the base URL; nothing is left after."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        api,
        log_config=None,
        log_level="critical",
        access_log=False,
        lifespan="off",
        ws="none",
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        while not server.started and thread.is_alive():
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(timeout=10)
        listener.close()


# --- rules -----------------------------------------------------------------------------------------------------------


def _check_headers(headers: Mapping[str, str], api_key: str) -> None:
    if headers.get("authorization") != f"Bearer {api_key}":
        raise Refused(401, "invalid bearer token")
    if headers.get("anthropic-version") != VERSION:
        raise Refused(400, f"anthropic-version: {VERSION} is required")


def _parse(raw: bytes) -> Json:
    try:
        body = json.loads(raw)
    except ValueError:
        raise Refused(400, "the body is not JSON") from None
    return dict(_of(body, dict, "body"))


def _lenient(raw: bytes) -> Json:
    """For the log: a body that is no JSON object is kept as text."""
    try:
        return _parse(raw)
    except Refused:
        return {"raw": raw.decode(errors="replace")} if raw else {}


def _of(value: Any, kind: type | tuple[type, ...], where: str) -> Any:
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is int):
        raise Refused(400, f"{where}: wrong type")
    return value


def check_request(body: Json, models: Sequence[str]) -> None:
    """Raises Refused for whatever needs no memory to see."""
    for name in ("temperature", "top_p", "top_k"):
        if name in body:
            raise Refused(400, f"{name}: sampling parameters are not supported by this model")
    for name in ("model", "max_tokens", "messages"):
        if name not in body:
            raise Refused(400, f"{name}: Field required")
    if unknown := set(body) - _FIELDS:
        raise Refused(400, f"{min(unknown)}: Extra inputs are not permitted")
    if body["model"] not in models:
        raise Refused(404, f"model: {body['model']}")
    if not 1 <= _of(body["max_tokens"], int, "max_tokens") <= 128_000:
        raise Refused(400, "max_tokens: must be between 1 and 128000")
    if body.get("stream") is not True:
        raise Refused(400, "stream: this stand-in only streams")
    if body.get("thinking", {"type": "adaptive"}).get("type") != "adaptive":
        raise Refused(400, "thinking.type: only adaptive thinking is supported by this model")
    if body.get("tool_choice", {}).get("type") in ("any", "tool"):
        raise Refused(400, "tool_choice: forced tool use is not supported by this model")
    if body.get("cache_control", {"type": "ephemeral"}).get("type") != "ephemeral":
        raise Refused(400, "cache_control.type: must be ephemeral")
    _of(body.get("system", ""), (str, list), "system")
    _check_tools(_of(body.get("tools", []), list, "tools"))
    _check_messages(_of(body["messages"], list, "messages"))


def _check_tools(tools: list[Any]) -> None:
    names: set[str] = set()
    for index, tool in enumerate(tools):
        where = f"tools.{index}"
        name = _of(_of(tool, dict, where).get("name"), str, f"{where}.name")
        if not _TOOL_NAME.match(name) or name in names:
            raise Refused(400, f"{where}.name: must be unique and match {_TOOL_NAME.pattern}")
        names.add(name)
        if extra := set(tool) - {"name", "description", "input_schema", "strict", "cache_control", "type"}:
            raise Refused(400, f"{where}.{min(extra)}: Extra inputs are not permitted")
        _of(tool.get("description", ""), str, f"{where}.description")
        schema = _of(tool.get("input_schema"), dict, f"{where}.input_schema")
        if schema.get("type") != "object" or {"oneOf", "allOf", "anyOf"} & set(schema):
            raise Refused(400, f"{where}.input_schema: must be a plain object schema at the top level")
        try:
            jsonschema.Draft202012Validator.check_schema(schema)
        except jsonschema.SchemaError as exc:
            raise Refused(400, f"{where}.input_schema: {exc.message}") from exc


def _check_messages(messages: list[Any]) -> None:
    if not messages:
        raise Refused(400, "messages: at least one message is required")
    open_calls: list[str] = []
    before: str | None = None
    for index, message in enumerate(messages):
        where = f"messages.{index}"
        role = _of(message, dict, where).get("role")
        content = _of(message.get("content"), (str, list), f"{where}.content")
        if role not in ("user", "assistant", "system") or set(message) - {"role", "content"}:
            raise Refused(400, f"{where}: role and content are wanted, and nothing else")
        if not content:
            raise Refused(400, f"{where}: content must be non-empty")
        if before is None and role != "user":
            raise Refused(400, f"{where}: the first message must use the user role")
        if role == "system" and before == "assistant":
            raise Refused(400, f"{where}: a system message must follow a user message")
        if role == "user" and before == "system":
            raise Refused(400, f"{where}: a system message must be last or be followed by an assistant message")
        blocks = [say(content)] if isinstance(content, str) else content
        if role != "assistant":
            _check_input_blocks(blocks, where)
            _check_pairing(blocks, open_calls, index)
        open_calls = [block["id"] for block in blocks if block["type"] == "tool_use"]
        before = role
    if open_calls:
        raise Refused(400, f"messages.{len(messages) - 1}: {_unanswered(open_calls)}")


def _check_input_blocks(blocks: list[Any], where: str) -> None:
    for index, block in enumerate(blocks):
        kind = _of(block, dict, f"{where}.content.{index}").get("type")
        if kind not in _BLOCK_FIELDS or set(block) - _BLOCK_FIELDS[kind]:
            raise Refused(400, f"{where}.content.{index}: unknown block or extra inputs")
        if kind == "text" and not _of(block.get("text"), str, f"{where}.content.{index}.text").strip():
            raise Refused(400, f"{where}.content.{index}: text content blocks must be non-empty")
        if kind == "tool_result":
            content = _of(block.get("content", ""), (str, list), f"{where}.content.{index}.content")
            _of(block.get("is_error", False), bool, f"{where}.content.{index}.is_error")
            if isinstance(content, list):
                _check_input_blocks(content, f"{where}.content.{index}")


def _check_pairing(blocks: list[Block], open_calls: list[str], index: int) -> None:
    answered = [block.get("tool_use_id") for block in blocks if block["type"] == "tool_result"]
    if unanswered := [call_id for call_id in open_calls if call_id not in answered]:
        raise Refused(400, f"messages.{index - 1}: {_unanswered(unanswered)}")
    if len(set(answered)) != len(answered) or set(answered) - set(open_calls):
        raise Refused(400, f"messages.{index}: unexpected or repeated `tool_use_id` in `tool_result` blocks")
    if any(block["type"] == "tool_result" for block in blocks[len(answered) :]):
        raise Refused(400, f"messages.{index}: `tool_result` blocks must come first in their message")


def _unanswered(ids: list[str]) -> str:
    return f"`tool_use` ids without `tool_result` blocks immediately after: {', '.join(ids)}"


# --- answers on the wire ---------------------------------------------------------------------------------------------


def _complete(block: Block, seed: str, index: int, body: Json) -> Block:
    if block["type"] == "thinking":
        signature = _digest(f"{seed} {index} {block['thinking']}")
        summarized = body.get("thinking", {}).get("display") == "summarized"
        return {
            "type": "thinking",
            "thinking": block["thinking"] if summarized else "",
            "signature": signature,
        }
    if block["type"] == "tool_use" and "id" not in block:
        return {**block, "id": f"toolu_{_digest(f'{seed} {index}')[:24]}"}
    return dict(block)


def _events(model: str, prefix: str, given: Answer, usage: Json) -> Iterator[Json]:
    message: Json = {
        "id": f"msg_{prefix[:24]}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {**usage, "output_tokens": 1},
    }
    yield {"type": "message_start", "message": message}
    for index, block in enumerate(given.content):
        start, deltas = _deltas(block)
        yield {"type": "content_block_start", "index": index, "content_block": start}
        if index == 0:
            yield {"type": "ping"}
        for delta in deltas:
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    ending = {"stop_reason": given.stop_reason, "stop_sequence": None}
    yield {"type": "message_delta", "delta": ending, "usage": {"output_tokens": usage["output_tokens"]}}
    yield {"type": "message_stop"}


def _deltas(block: Block) -> tuple[Block, list[Json]]:
    match block["type"]:
        case "text":
            return {**block, "text": ""}, [{"type": "text_delta", "text": t} for t in _pieces(block["text"])]
        case "thinking":
            words = [{"type": "thinking_delta", "thinking": t} for t in _pieces(block["thinking"])]
            signed = {"type": "signature_delta", "signature": block["signature"]}
            return {**block, "thinking": "", "signature": ""}, [*words, signed]
        case "tool_use":
            pieces = ["", *_pieces(json.dumps(block["input"]))] if block["input"] else [""]
            return {**block, "input": {}}, [{"type": "input_json_delta", "partial_json": t} for t in pieces]
        case _:
            return block, []


def _pieces(text: str, size: int = 12) -> list[str]:
    return [text[start : start + size] for start in range(0, len(text), size)]


async def _read(receive: Receive) -> bytes:
    async def chunks() -> AsyncIterator[bytes]:
        more = True
        while more:
            message = await receive()
            yield message.get("body", b"")
            more = message.get("more_body", False)

    return b"".join([chunk async for chunk in chunks()])


async def _start(send: Send, code: int, headers: list[tuple[bytes, bytes]], seed: str = "") -> None:
    request_id = f"req_{_digest(seed)[:20]}".encode()
    await send({"type": "http.response.start", "status": code, "headers": [*headers, (b"request-id", request_id)]})


async def _send_event(send: Send, event: Json) -> None:
    data = f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()
    await send({"type": "http.response.body", "body": data, "more_body": True})
    await asyncio.sleep(0)


async def _send_json(send: Send, code: int, body: Json, headers: Sequence[tuple[bytes, bytes]] = ()) -> None:
    await _start(send, code, [(b"content-type", b"application/json"), *headers])
    await send({"type": "http.response.body", "body": json.dumps(body).encode(), "more_body": False})


async def _send_error(send: Send, code: int, kind: str, message: str, retry_after_s: float | None = None) -> None:
    headers = [] if retry_after_s is None else [(b"retry-after", str(retry_after_s).encode())]
    body = {"type": "error", "error": {"type": kind, "message": message}}
    await _send_json(send, code, body, headers)


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _unsigned(blocks: Any) -> Any:
    if not isinstance(blocks, list):
        return blocks
    return [{key: value for key, value in block.items() if key != "signature"} for block in blocks]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _prefix(body: Json, end: int) -> str:
    """What an answer is bound to: model, system, tools and the messages before `end`, whatever the order of keys."""
    return _digest(_canonical([body["model"], body.get("system"), body.get("tools"), body["messages"][:end]]))


def _bytes_key(body: Json, end: int) -> str:
    """The cache's view of the same: here the order of keys counts."""
    return _digest(json.dumps([body["model"], body.get("system"), body.get("tools"), body["messages"][:end]]))


def _tokens(value: Any) -> int:
    return max(1, len(json.dumps(value)) // 4)
