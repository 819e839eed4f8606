"""The ASGI app and its memory; on loopback for other processes."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import uvicorn
from fakes.messages_api.keys import bare, cached, canonical, conversation_key, speakable, tokens, unsigned
from fakes.messages_api.rules import Refused, check_headers, check_request, lenient, parse
from fakes.messages_api.script import TYPE_OF_STATUS, Answer, Fault, Json, Script
from fakes.messages_api.wire import Receive, Send, complete, events, read, send_error, send_event, send_json, start

MODELS = ("claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5")
_MESSAGES = ("POST", "/v1/messages")
_OTHER_CONVERSATION = "this content is bound to a different conversation; history can only be appended to"


class ConnectionDropped(ConnectionError):
    """Raised through the server so that it closes the connection without ending the body."""


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
        raw = await read(receive)
        headers = {name.decode().lower(): value.decode() for name, value in scope["headers"]}
        where = scope["method"], scope["path"]
        fault = self._faults.pop(0) if self._faults and where == _MESSAGES else None
        seen = Logged(method=scope["method"], path=scope["path"], headers=headers, body=lenient(raw), status=200)
        try:
            check_headers(headers, self._api_key)
            if fault is not None and fault.kind == "status":
                self.log.append(replace(seen, status=fault.status, error=fault.kind))
                await send_error(send, fault.status, fault.error_type, fault.message, fault.retry_after_s)
            elif where == _MESSAGES:
                await self._message(send, receive, parse(raw), seen, fault)
            else:
                await send_json(send, 200, self._model(*where))
                self.log.append(seen)
        except Refused as exc:
            self.log.append(replace(seen, status=exc.code, error=str(exc)))
            await send_error(send, exc.code, TYPE_OF_STATUS.get(exc.code, "api_error"), str(exc))

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
            prefix = conversation_key(body, index)
            known = self._given.get(prefix, set())
            content = bare(message["content"])
            if canonical(content) not in known:
                same_words = {canonical(unsigned(json.loads(text))) for text in known}
                if canonical(unsigned(content)) in same_words:
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
        seed = conversation_key(body, len(body["messages"]))
        last = len(scripted.content) - 1 if scripted.stop_reason == "max_tokens" else None
        blocks = [complete(b, seed, index, body, cut=index == last) for index, b in enumerate(scripted.content)]
        return replace(scripted, content=blocks)

    def _usage(self, body: Json, given: Answer) -> Json:
        """Counted by an estimate, so that shares can be compared, not bills."""
        read, written, plain = cached(body, self._cached)
        return {
            "input_tokens": plain,
            "cache_read_input_tokens": read,
            "cache_creation_input_tokens": written,
            "cache_creation": {"ephemeral_5m_input_tokens": written, "ephemeral_1h_input_tokens": 0},
            "output_tokens": tokens(list(given.content)),
            "service_tier": "standard",
        }

    async def _message(self, send: Send, receive: Receive, body: Json, seen: Logged, fault: Fault | None) -> None:
        check_request(body, self._models)
        self._check_history(body)
        given = self._answer(body)
        usage = self._usage(body, given)
        self.log.append(replace(seen, error=fault.kind if fault else None, usage=usage))
        prefix = conversation_key(body, len(body["messages"]))
        await start(send, 200, [(b"content-type", b"text/event-stream; charset=utf-8")], prefix)
        for sent, event in enumerate(events(body["model"], prefix, given, usage)):
            if fault is not None and sent >= fault.after:
                await _break(fault, send, receive)
                break
            await send_event(send, event)
        else:
            self._given.setdefault(prefix, set()).add(canonical(speakable(given.content)))
            if given.stop_reason == "pause_turn":
                self._paused.add(prefix)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _break(fault: Fault, send: Send, receive: Receive) -> None:
    if fault.kind == "error_event":
        error = {"type": fault.error_type, "message": fault.message}
        await send_event(send, {"type": "error", "error": error})
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
        thread.join(timeout=60)
        listener.close()
