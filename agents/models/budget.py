"""How much an investigation may spend, judged in code.

`judge` is pure: what was spent comes in, a value comes out. Near a limit the loop tells the model to conclude; past it
the loop stops. The reasons are sentences for the person who reads the thread. The wall clock leaves out the time during
which the run waited for somebody's approval.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

from agents.models.model import Turn
from agents.tool import JsonValue

NEAR = 0.8  # share of a limit from which the model is told to conclude


@dataclass(frozen=True, kw_only=True)
class Budget:
    """Limits of one run, all inclusive of cached input. A limit of zero is used up from the start.

    `review_usd` must be left for a second reader of the conclusion to be asked; zero asks none.

    `max_repeats` counts how often one tool call may be repeated with the same arguments after its first time.
    """

    max_input_tokens: int = 2_000_000
    max_output_tokens: int = 80_000
    max_usd: float = 1.0
    max_wall: timedelta = timedelta(minutes=10)
    max_tool_calls: int = 60
    max_turns: int = 30
    max_repeats: int = 3
    review_usd: float = 0.0
    usd_is_rest_of_day: bool = False


@dataclass(frozen=True, kw_only=True)
class BudgetSpent:
    """What a run has used so far; every method returns a new value. `calls` counts each tool with its arguments."""

    input_tokens: int = 0
    output_tokens: int = 0
    usd: float = 0.0
    wall: timedelta = timedelta(0)
    turns: int = 0
    calls: Mapping[str, int] = field(default_factory=dict)

    def after_turn(self, turn: Turn) -> BudgetSpent:
        return replace(
            self,
            input_tokens=self.input_tokens + turn.usage.total_input,
            output_tokens=self.output_tokens + turn.usage.output,
            usd=self.usd + turn.cost_usd,
            turns=self.turns + 1,
        )

    def after_call(self, name: str, arguments: Mapping[str, JsonValue]) -> BudgetSpent:
        key = _call_key(name, arguments)
        return replace(self, calls={**self.calls, key: self.calls.get(key, 0) + 1})

    def at(self, wall: timedelta) -> BudgetSpent:
        """`wall` is the time since it began."""
        return replace(self, wall=wall)

    @property
    def tool_calls(self) -> int:
        return sum(self.calls.values())

    @property
    def most_repeated(self) -> tuple[str, int]:
        """Tool name and how often it was repeated with the same arguments; ("", 0) before the first call."""
        if not self.calls:
            return "", 0
        key = max(self.calls, key=lambda k: self.calls[k])
        return key.rsplit("#", 1)[0], self.calls[key] - 1


@dataclass(frozen=True, kw_only=True)
class Within:
    """Go on."""


@dataclass(frozen=True, kw_only=True)
class ConcludeNow:
    """Near a limit: ask the model for its conclusion. `reason` is for people."""

    reason: str


@dataclass(frozen=True, kw_only=True)
class Exhausted:
    """A limit is reached: no further turn. `reason` is for people."""

    reason: str


Judgement = Within | ConcludeNow | Exhausted


@dataclass(frozen=True, kw_only=True)
class _Line:
    """One limit and how much of it is used; `step` is the smallest amount that one more turn or call uses."""

    used: float
    limit: float
    reason: Callable[[], str]
    step: float = 0.0

    @property
    def share(self) -> float:
        return self.used / self.limit if self.limit > 0 else 1.0

    @property
    def near(self) -> bool:
        return self.used > 0 and self.used >= min(NEAR * self.limit, self.limit - self.step)


def judge(budget: Budget, spent: BudgetSpent) -> Judgement:
    """The most used limit decides. Near means 80 %, or one step before the end where a limit is a small count."""
    lines = _lines(budget, spent)
    fullest = max(lines, key=lambda line: line.share)
    if fullest.share >= 1:
        return Exhausted(reason=fullest.reason())
    near = [line for line in lines if line.near]
    if near:
        return ConcludeNow(reason=max(near, key=lambda line: line.share).reason())
    return Within()


def _lines(budget: Budget, spent: BudgetSpent) -> list[_Line]:
    tool, repeats = spent.most_repeated
    rest = " that were left of today's cap" if budget.usd_is_rest_of_day else ""
    return [
        _Line(
            used=spent.usd,
            limit=budget.max_usd,
            reason=lambda: f"spent ${spent.usd:.2f} of ${budget.max_usd:.2f}{rest}",
        ),
        _Line(
            used=spent.input_tokens,
            limit=budget.max_input_tokens,
            reason=lambda: f"read {spent.input_tokens:,} of {budget.max_input_tokens:,} input tokens",
        ),
        _Line(
            used=spent.output_tokens,
            limit=budget.max_output_tokens,
            reason=lambda: f"wrote {spent.output_tokens:,} of {budget.max_output_tokens:,} output tokens",
        ),
        _Line(
            used=spent.wall.total_seconds(),
            limit=budget.max_wall.total_seconds(),
            reason=lambda: f"worked {_duration(spent.wall)} of {_duration(budget.max_wall)}",
        ),
        _Line(
            used=spent.tool_calls,
            limit=budget.max_tool_calls,
            step=1,
            reason=lambda: f"made {spent.tool_calls} of {budget.max_tool_calls} tool calls",
        ),
        _Line(
            used=spent.turns,
            limit=budget.max_turns,
            step=1,
            reason=lambda: f"took {spent.turns} of {budget.max_turns} turns",
        ),
        _Line(
            used=repeats,
            limit=budget.max_repeats,
            step=1,
            reason=lambda: f"repeated the same {tool} call {repeats} of {budget.max_repeats} times",
        ),
    ]


def remaining_today(cap_usd: float, spent_today_usd: float) -> float:
    """US dollars a tenant may still spend today, never below zero."""
    return max(0.0, cap_usd - spent_today_usd)


def run_budget(budget: Budget, remaining_usd: float) -> Budget:
    """The budget of a run within what is left of the day; its reason then says that the daily cap was the limit."""
    if remaining_usd >= budget.max_usd:
        return budget
    return replace(budget, max_usd=remaining_usd, usd_is_rest_of_day=True)


def _call_key(name: str, arguments: Mapping[str, JsonValue]) -> str:
    canonical = json.dumps(arguments, sort_keys=True, separators=(",", ":"), default=str)
    return f"{name}#{hashlib.sha256(canonical.encode()).hexdigest()[:16]}"


def _duration(span: timedelta) -> str:
    minutes, seconds = divmod(round(span.total_seconds()), 60)
    if minutes and seconds:
        return f"{minutes} min {seconds} s"
    return f"{minutes} min" if minutes else f"{seconds} s"
