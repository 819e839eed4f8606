"""What identifies a conversation and a cached prefix, and how tokens are counted."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from fakes.messages_api.script import Json

LOOKBACK = 20  # blocks before a breakpoint among which a cached beginning is looked for
LEAST_CACHED = 1024  # tokens; a shorter beginning is not cached


def canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def unsigned(blocks: Any) -> Any:
    if not isinstance(blocks, list):
        return blocks
    return [{key: value for key, value in block.items() if key != "signature"} for block in blocks]


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def bare(content: Any) -> Any:
    """A content without breakpoints; words alone are short for one block of text."""
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    if not isinstance(blocks, list):
        return blocks
    return [{key: value for key, value in block.items() if key != "cache_control"} for block in blocks]


def speakable(blocks: Any) -> list[Any]:
    """What of an answer can be sent back: empty texts and thoughts without a signature are refused, so they may go."""
    return [
        block
        for block in blocks
        if not (block.get("type") == "text" and not block["text"].strip())
        and not (block.get("type") == "thinking" and not block.get("signature"))
    ]


def conversation_key(body: Json, end: int) -> str:
    """What an answer is bound to: model, system, tools and the messages before `end`, whatever the order of keys."""
    said = [{**message, "content": bare(message["content"])} for message in body["messages"][:end]]
    return digest(canonical([body["model"], bare(body.get("system")), bare(body.get("tools") or []), said]))


def tokens(value: Any) -> int:
    """An estimate: a token is four characters of JSON."""
    return max(1, len(json.dumps(value)) // 4)


def cached(body: Json, known: set[str]) -> tuple[int, int, int]:
    """Tokens read from the cache, written to it, and neither; notes in `known` what is written.

    A beginning is written where a breakpoint stands, and found among the twenty blocks before one.
    """
    blocks, breakpoints = _flat(body)
    counts = [tokens(block) for block in blocks]
    sums = [sum(counts[: end + 1]) for end in range(len(blocks))]
    keys, key = [], digest(body["model"])
    for block in blocks:
        key = digest(key + json.dumps(block))
        keys.append(key)
    hits = [
        end for point in breakpoints for end in range(max(0, point - LOOKBACK + 1), point + 1) if keys[end] in known
    ]
    points = [point for point in breakpoints if sums[point] >= LEAST_CACHED]
    read = sums[max(hits)] if hits else 0
    written = max(0, sums[max(points)] - read) if points else 0
    known |= {keys[point] for point in points}
    return read, written, sums[-1] - read - written


def _flat(body: Json) -> tuple[list[Any], list[int]]:
    """Every block in the order in which the API renders them, and where breakpoints stand."""
    found: list[tuple[Any, bool]] = [(bare([t])[0], "cache_control" in t) for t in body.get("tools") or []]
    system = body.get("system") or []
    given = [{"type": "text", "text": system}] if isinstance(system, str) else system
    found += [(["system", bare([block])[0]], "cache_control" in block) for block in given]
    for message in body["messages"]:
        content = message["content"]
        words = [{"type": "text", "text": content}] if isinstance(content, str) else content
        found += [([message["role"], bare([block])[0]], "cache_control" in block) for block in words]
    points = [n for n, (_, marked) in enumerate(found) if marked]
    if body.get("cache_control") and len(found) - 1 not in points:
        points.append(len(found) - 1)
    return [block for block, _ in found], points
