from __future__ import annotations

from datetime import timedelta

import pytest

from agents.models.budget import (
    Budget,
    BudgetSpent,
    ConcludeNow,
    Exhausted,
    Within,
    judge,
    remaining_today,
    run_budget,
)
from agents.models.model import Turn, Usage

BUDGET = Budget(
    max_input_tokens=1_000_000,
    max_output_tokens=50_000,
    max_usd=1.0,
    max_wall=timedelta(minutes=10),
    max_tool_calls=50,
    max_turns=20,
    max_repeats=3,
)


def turn(**usage: int) -> Turn:
    return Turn(content=[], stop_reason="end_turn", usage=Usage(**usage), cost_usd=0.25, model="m")


def calls(count: int, *, same: bool = False) -> BudgetSpent:
    spent = BudgetSpent()
    for number in range(count):
        spent = spent.after_call("query_metrics", {"query": "up" if same else f"up{number}"})
    return spent


def test_a_fresh_run_is_within_its_budget() -> None:
    assert judge(BUDGET, BudgetSpent()) == Within()


def test_a_turn_adds_cached_input_output_and_cost() -> None:
    spent = BudgetSpent().after_turn(turn(input=10, cache_read=20, cache_write=30, output=7)).after_turn(turn())
    assert (spent.input_tokens, spent.output_tokens, spent.usd, spent.turns) == (60, 7, 0.5, 2)


@pytest.mark.parametrize(
    ("spent", "judgement"),
    [
        (BudgetSpent(usd=0.79), Within()),
        (BudgetSpent(usd=0.98), ConcludeNow(reason="spent $0.98 of $1.00")),
        (BudgetSpent(usd=1.0), Exhausted(reason="spent $1.00 of $1.00")),
        (BudgetSpent(input_tokens=800_000), ConcludeNow(reason="read 800,000 of 1,000,000 input tokens")),
        (BudgetSpent(input_tokens=1_200_000), Exhausted(reason="read 1,200,000 of 1,000,000 input tokens")),
        (BudgetSpent(output_tokens=40_000), ConcludeNow(reason="wrote 40,000 of 50,000 output tokens")),
        (BudgetSpent(wall=timedelta(minutes=7)), Within()),
        (BudgetSpent(wall=timedelta(minutes=8, seconds=30)), ConcludeNow(reason="worked 8 min 30 s of 10 min")),
        (BudgetSpent(wall=timedelta(minutes=10)), Exhausted(reason="worked 10 min of 10 min")),
        (BudgetSpent(turns=16), ConcludeNow(reason="took 16 of 20 turns")),
        (calls(39), Within()),
        (calls(40), ConcludeNow(reason="made 40 of 50 tool calls")),
        (calls(50), Exhausted(reason="made 50 of 50 tool calls")),
        (calls(2, same=True), Within()),
        (calls(3, same=True), ConcludeNow(reason="repeated the same query_metrics call 2 of 3 times")),
        (calls(4, same=True), Exhausted(reason="repeated the same query_metrics call 3 of 3 times")),
    ],
)
def test_each_limit_warns_near_its_end_and_stops_at_it(spent: BudgetSpent, judgement: object) -> None:
    assert judge(BUDGET, spent) == judgement


def test_the_most_used_limit_gives_the_reason() -> None:
    spent = BudgetSpent(usd=0.85, turns=19)
    assert judge(BUDGET, spent) == ConcludeNow(reason="took 19 of 20 turns")


def test_an_exhausted_limit_outranks_a_near_one() -> None:
    assert judge(BUDGET, BudgetSpent(usd=0.99, turns=20)) == Exhausted(reason="took 20 of 20 turns")


def test_a_single_allowed_turn_is_not_warned_about_before_it_is_taken() -> None:
    assert judge(Budget(max_turns=1, max_repeats=1), BudgetSpent()) == Within()


def test_the_order_of_arguments_does_not_hide_a_repeat() -> None:
    spent = BudgetSpent().after_call("logs", {"a": 1, "b": [2]}).after_call("logs", {"b": [2], "a": 1})
    assert spent.most_repeated == ("logs", 1)
    assert spent.tool_calls == 2


def test_the_same_arguments_to_another_tool_are_no_repeat() -> None:
    assert BudgetSpent().after_call("a", {"x": 1}).after_call("b", {"x": 1}).most_repeated[1] == 0


def test_counting_leaves_the_earlier_value_alone() -> None:
    first = BudgetSpent().after_call("a", {})
    first.after_call("a", {})
    assert first.tool_calls == 1


def test_what_is_left_of_the_day_never_goes_below_zero() -> None:
    assert remaining_today(10.0, 4.0) == 6.0
    assert remaining_today(10.0, 12.0) == 0.0


def test_the_rest_of_the_day_shortens_a_run_and_says_so() -> None:
    budget = run_budget(BUDGET, 0.40)
    assert judge(budget, BudgetSpent(usd=0.39)) == ConcludeNow(
        reason="spent $0.39 of $0.40 that were left of today's cap"
    )


def test_a_run_on_a_used_up_day_does_not_begin() -> None:
    assert isinstance(judge(run_budget(BUDGET, remaining_today(5.0, 5.0)), BudgetSpent()), Exhausted)


def test_a_day_with_enough_left_leaves_the_run_its_budget() -> None:
    assert run_budget(BUDGET, 3.0) == BUDGET
