"""The deterministic investigator behind the same protocol as Claude: no network, no key, nothing kept between calls.

It reads only what a model reads, the conversation and the tools' texts, and asks for the same tools; so it can take
over in the middle of another model's run, and a run that died goes on. `routine.py` is its method, `judgement.py` its
doubt.
"""

from __future__ import annotations

from typing import Any

from agents.models.model import Block, OnText, Turn, TurnRequest
from agents.models.offline.routine import first_calls, next_calls
from agents.models.offline.transcript import CALL_PREFIX, read_transcript


def first_look(request: TurnRequest) -> list[tuple[str, dict[str, Any]]]:
    """The reads with which every investigation of an incident begins, whoever goes on with it."""
    return [(call.tool, dict(call.arguments)) for call in first_calls(read_transcript(request))]


class OfflineModel:
    """Stateless: the same request gives the same turn."""

    @property
    def name(self) -> str:
        return "offline"

    @property
    def offline(self) -> bool:
        return True

    async def ask(self, request: TurnRequest, *, on_text: OnText | None = None) -> Turn:
        """The next turn of the routine. Raises nothing on odd content; costs nothing."""
        transcript = read_transcript(request)
        said, calls = next_calls(transcript)
        if on_text is not None:
            await on_text(said)
        content: list[Block] = [{"type": "text", "text": said}]
        content += [
            {
                "type": "tool_use",
                "id": f"{CALL_PREFIX}{transcript.turn}_{number}",
                "name": call.tool,
                "input": dict(call.arguments),
            }
            for number, call in enumerate(calls)
        ]
        return Turn(content=content, stop_reason="tool_use" if calls else "end_turn", model="offline")
