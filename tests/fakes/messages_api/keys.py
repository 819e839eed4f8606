"""What identifies a conversation and a cached prefix, and how tokens are counted."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from fakes.messages_api.script import Json


def canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def unsigned(blocks: Any) -> Any:
    if not isinstance(blocks, list):
        return blocks
    return [{key: value for key, value in block.items() if key != "signature"} for block in blocks]


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def conversation_key(body: Json, end: int) -> str:
    """What an answer is bound to: model, system, tools and the messages before `end`, whatever the order of keys."""
    return digest(canonical([body["model"], body.get("system"), body.get("tools"), body["messages"][:end]]))


def cache_key(body: Json, end: int) -> str:
    """The cache's view of the same: here the order of keys counts."""
    return digest(json.dumps([body["model"], body.get("system"), body.get("tools"), body["messages"][:end]]))


def tokens(value: Any) -> int:
    return max(1, len(json.dumps(value)) // 4)
