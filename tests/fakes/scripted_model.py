"""A model that follows a script: each turn is a function of the messages so far, so it resumes like a real one."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agents.models.model import Block, OnText, Turn, TurnRequest

Script = Callable[[TurnRequest, int], list[Block]]


@dataclass(frozen=True, kw_only=True)
class ScriptedModel:
    """`script(request, turn)` answers the content blocks of turn number `turn` (0, 1, ...)."""

    script: Script
    name: str = "scripted"
    offline: bool = True

    async def ask(self, request: TurnRequest, *, on_text: OnText | None = None) -> Turn:
        turn = sum(1 for message in request.messages if message["role"] == "assistant")
        content = self.script(request, turn)
        calls = any(block["type"] == "tool_use" for block in content)
        return Turn(content=content, stop_reason="tool_use" if calls else "end_turn", model=self.name)


def call(turn: int, number: int, name: str, arguments: Mapping[str, Any]) -> Block:
    """A tool_use block with a deterministic id."""
    return {"type": "tool_use", "id": f"toolu_{turn}_{number}", "name": name, "input": dict(arguments)}


def say(text: str) -> Block:
    return {"type": "text", "text": text}


def results(request: TurnRequest) -> Sequence[Mapping[str, Any]]:
    """All tool_result blocks so far."""
    return [
        block
        for message in request.messages
        if message["role"] == "user" and not isinstance(message["content"], str)
        for block in message["content"]
        if block.get("type") == "tool_result"
    ]
