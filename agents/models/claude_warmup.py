"""What a first answer makes the client's library do, done ahead of it.

The library builds the types of its answers when they are first used: a fifth of a second in which the event loop would
stand still. So a canned answer is played through it in a thread while the process starts.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any, Final

import httpx2

from agents.models.claude_model import DEFAULT_MODEL, ClaudeModel, make_client
from agents.models.model import TurnRequest

_USAGE: Final = {"input_tokens": 1, "output_tokens": 1}
_BLOCKS: Final[tuple[tuple[dict[str, Any], dict[str, Any]], ...]] = (
    (
        {"type": "thinking", "thinking": "", "signature": ""},
        {"type": "thinking_delta", "thinking": "Nothing to think about."},
    ),
    ({"type": "text", "text": ""}, {"type": "text_delta", "text": "Ready."}),
    (
        {"type": "tool_use", "id": "toolu_0", "name": "none", "input": {}},
        {"type": "input_json_delta", "partial_json": '{"ready": true}'},
    ),
)


def warm() -> None:
    """Blocks for about half a second; reaches no network. Call it in a thread."""
    asyncio.run(_play())


async def _play() -> None:
    transport = httpx2.MockTransport(
        lambda _: httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=_answer())
    )
    async with httpx2.AsyncClient(transport=transport) as wire:
        client = make_client(api_key="none", check_egress=lambda _: None, http_client=wire)
        await ClaudeModel(client).ask(
            TurnRequest(system="", tools=[], messages=[{"role": "user", "content": "Are you ready?"}])
        )


def _answer() -> bytes:
    message: dict[str, Any] = {
        "id": "msg_0",
        "type": "message",
        "role": "assistant",
        "model": DEFAULT_MODEL,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": _USAGE,
    }
    events: list[dict[str, Any]] = [{"type": "message_start", "message": message}]
    for index, (block, delta) in enumerate(_BLOCKS):
        events += [
            {"type": "content_block_start", "index": index, "content_block": block},
            {"type": "content_block_delta", "index": index, "delta": delta},
            {"type": "content_block_stop", "index": index},
        ]
    events += [
        {"type": "message_delta", "delta": {"stop_reason": "tool_use", "stop_sequence": None}, "usage": _USAGE},
        {"type": "message_stop"},
    ]
    return "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events).encode()
