"""How a conclusion came about, as it is stored with the verdict: what was read, weighed, objected to, said and spent.

What was dropped stands in the verdict itself. Who steered is found by the note's id, so that the trace holds nobody's
name and forgets nobody too late.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

Outcome = Literal["refuted", "doubtful", "held", "not_judged"]
"""Of an attempt to refute: it speaks against the cause, it may, nothing was found, it could not be tried."""
AskedBy = Literal["code", "claude", "offline", "reviewer"]


class _Stored(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TracedRead(_Stored):
    """One source that was asked. `told` is the result in a line; `taken_at` is ISO."""

    artifact: str
    tool: str
    source: str
    taken_at: str
    told: str
    failed: bool = False
    asked_by: AskedBy = "claude"


class Weighed(_Stored):
    """One explanation, with the numbers of the claims (from 1, as the verdict lists them) for and against it."""

    id: str
    text: str
    state: Literal["open", "supported", "refuted"]
    reason: str = ""
    supporting: tuple[int, ...] = ()
    opposing: tuple[int, ...] = ()


class Objection(_Stored):
    """What one attempt to refute the cause found. `returned` where it sent the draft back to the model."""

    by: str
    outcome: Outcome
    reason: str
    returned: bool = False


class Steered(_Stored):
    """What somebody said while the run was going on. `note` is the id of it; `at` is ISO."""

    note: str
    at: str
    text: str


class Costs(_Stored):
    """`reviewer_usd` is part of `cost_usd`."""

    turns: int
    tool_calls: int
    input_tokens: int
    output_tokens: int
    cost_usd: float
    reviewer_usd: float = 0.0
    seconds: float


class Trace(_Stored):
    """The whole of it. `drafted` is the model's own confidence, before gate and review."""

    reads: tuple[TracedRead, ...]
    hypotheses: tuple[Weighed, ...]
    review: tuple[Objection, ...]
    steered: tuple[Steered, ...]
    drafted: Literal["high", "medium", "low", "none"]
    drafts: int
    costs: Costs
