"""A run's stored history as the Messages API takes it.

The API wants more than order: no two system messages in a row, none but the last before an answer, no empty text, no
thought without its signature, and nothing as the assistant's word that Claude did not say. So what stands between two
of Claude's answers is one user message and at most one system message behind it, and turns that somebody else took
(the offline investigator, code) are told as text. Only what stands after Claude's last answer can still grow.
Source: https://platform.claude.com/docs/en/build-with-claude/mid-conversation-system-messages
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from store.incidents.investigations import ModelMessage

Block = dict[str, Any]
BY_CODE = "toolu_code_"
"""Begins the ids of calls that code makes before the first turn."""
BY_OTHERS = "offline"
"""In an answer's meta: that it was not Claude who gave it."""


@dataclass(kw_only=True)
class _Gap:
    """What came since Claude's last answer."""

    said: list[Block] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def messages(self, *, after_answer: bool) -> list[dict[str, Any]]:
        notes = "\n\n".join(self.notes)
        if not self.said and notes and after_answer:
            return [{"role": "user", "content": [_text(notes)]}]  # a system message may not follow an answer
        found = [{"role": "user", "content": self.said}] if self.said else []
        return [*found, {"role": "system", "content": [_text(notes)]}] if notes else found


def as_sent(messages: Sequence[ModelMessage]) -> list[dict[str, Any]]:
    """Pure; a longer history begins with the same answers in the same places."""
    sent: list[dict[str, Any]] = []
    gap, others = _Gap(), dict[str, Block]()
    for message in messages:
        blocks = _blocks(message.content)
        if message.role == "system":
            gap.notes += [str(block["text"]) for block in blocks]
        elif message.role == "user":
            gap.said += [_told(block, others) for block in blocks]
        elif _is_others(message):
            others |= {str(block["id"]): block for block in blocks if block.get("type") == "tool_use"}
        elif answer := [block for block in blocks if _can_be_sent(block)]:
            sent += gap.messages(after_answer=bool(sent))
            sent.append({"role": "assistant", "content": answer})
            gap = _Gap()
    return [*sent, *gap.messages(after_answer=bool(sent))]


def _is_others(message: ModelMessage) -> bool:
    return bool(message.meta.get(BY_OTHERS)) or message.meta.get("model") == "offline"


def _can_be_sent(block: Block) -> bool:
    """An empty text is refused, and so is a thought that was cut off before it was signed."""
    if block.get("type") == "text":
        return bool(str(block.get("text", "")).strip())
    return block.get("type") != "thinking" or bool(block.get("signature"))


def _told(block: Block, others: dict[str, Block]) -> Block:
    """A result of a call that Claude did not make, as text; everything else as it is."""
    call = others.get(str(block.get("tool_use_id"))) if block.get("type") == "tool_result" else None
    if call is None:
        return block
    return _text(f"Read for you by code, {call['name']} {json.dumps(call['input'])}:\n{block.get('content')}")


def _blocks(content: Any) -> list[Block]:
    if isinstance(content, str):
        return [_text(content)] if content.strip() else []
    return [dict(block) for block in content]


def _text(text: str) -> Block:
    return {"type": "text", "text": text}
