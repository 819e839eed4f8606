"""How the fake speaks: answers as server-sent events, errors as JSON."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, MutableMapping, Sequence
from typing import Any

from fakes.messages_api.keys import digest
from fakes.messages_api.script import Answer, Block, Json

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


def complete(block: Block, seed: str, index: int, body: Json, *, cut: bool = False) -> Block:
    """The block as it is given; a thought that was `cut` is not signed."""
    if block["type"] == "thinking":
        signature = "" if cut else digest(f"{seed} {index} {block['thinking']}")
        summarized = body.get("thinking", {}).get("display") == "summarized"
        return {
            "type": "thinking",
            "thinking": block["thinking"] if summarized else "",
            "signature": signature,
        }
    if block["type"] == "tool_use" and "id" not in block:
        return {**block, "id": f"toolu_{digest(f'{seed} {index}')[:24]}"}
    return dict(block)


def events(model: str, prefix: str, given: Answer, usage: Json) -> Iterator[Json]:
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
    ending = {"stop_reason": given.stop_reason, "stop_sequence": None, "stop_details": given.stop_details}
    yield {"type": "message_delta", "delta": ending, "usage": {"output_tokens": usage["output_tokens"]}}
    yield {"type": "message_stop"}


def _deltas(block: Block) -> tuple[Block, list[Json]]:
    match block["type"]:
        case "text":
            return {**block, "text": ""}, [{"type": "text_delta", "text": t} for t in _pieces(block["text"])]
        case "thinking":
            words = [{"type": "thinking_delta", "thinking": t} for t in _pieces(block["thinking"])]
            signed = [{"type": "signature_delta", "signature": block["signature"]}] if block["signature"] else []
            return {**block, "thinking": "", "signature": ""}, [*words, *signed]
        case "tool_use":
            pieces = ["", *_pieces(json.dumps(block["input"]))] if block["input"] else [""]
            return {**block, "input": {}}, [{"type": "input_json_delta", "partial_json": t} for t in pieces]
        case _:
            return block, []


def _pieces(text: str, size: int = 12) -> list[str]:
    return [text[start : start + size] for start in range(0, len(text), size)]


async def read(receive: Receive) -> bytes:
    async def chunks() -> AsyncIterator[bytes]:
        more = True
        while more:
            message = await receive()
            yield message.get("body", b"")
            more = message.get("more_body", False)

    return b"".join([chunk async for chunk in chunks()])


async def start(send: Send, code: int, headers: list[tuple[bytes, bytes]], seed: str = "") -> None:
    request_id = f"req_{digest(seed)[:20]}".encode()
    await send({"type": "http.response.start", "status": code, "headers": [*headers, (b"request-id", request_id)]})


async def send_event(send: Send, event: Json) -> None:
    data = f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()
    await send({"type": "http.response.body", "body": data, "more_body": True})
    await asyncio.sleep(0)


async def send_json(send: Send, code: int, body: Json, headers: Sequence[tuple[bytes, bytes]] = ()) -> None:
    await start(send, code, [(b"content-type", b"application/json"), *headers])
    await send({"type": "http.response.body", "body": json.dumps(body).encode(), "more_body": False})


async def send_error(send: Send, code: int, kind: str, message: str, retry_after_s: float | None = None) -> None:
    headers = [] if retry_after_s is None else [(b"retry-after", str(retry_after_s).encode())]
    body = {"type": "error", "error": {"type": kind, "message": message}}
    await send_json(send, code, body, headers)
