"""What the agent tells whoever measures it: names from code and numbers, never a tenant, never content.

The process fills it with its metrics; every method returns at once and never raises.
"""

from __future__ import annotations

from typing import Protocol


class Meter(Protocol):
    def workflow_ended(self, workflow: str, outcome: str, seconds: float) -> None:
        """`seconds` of this process: a workflow that was recovered is counted from its recovery."""

    def verdict_stored(self, confidence: str, seconds: float) -> None:
        """From the start of the investigation to its verdict."""

    def tool_called(self, source: str, outcome: str) -> None:
        """`outcome` is ok, error or unknown_tool."""

    def model_called(self, model: str, *, input_tokens: int, output_tokens: int, cost_usd: float) -> None:
        """One answer of a model."""


class Unmetered:
    """Where nobody measures."""

    def workflow_ended(self, workflow: str, outcome: str, seconds: float) -> None:
        pass

    def verdict_stored(self, confidence: str, seconds: float) -> None:
        pass

    def tool_called(self, source: str, outcome: str) -> None:
        pass

    def model_called(self, model: str, *, input_tokens: int, output_tokens: int, cost_usd: float) -> None:
        pass
