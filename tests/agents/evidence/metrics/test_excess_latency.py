"""Who answers for an alarm, where the calls add up."""

from typing import Any

import numpy as np
import pytest

from agents.evidence.levels import group_series, usual_levels
from agents.evidence.metrics.excess_latency import Portion, divide_excess
from agents.evidence.types import Edge

ROWS = 40
BEFORE = 36


def system(made: Any, latency: dict[str, tuple[float, float]], calls: dict[str, float], seed: int = 1) -> Any:
    """Mean latencies before and after, and calls per interval."""
    times = None
    rows = []
    for n, (service, (before, after)) in enumerate(sorted(latency.items())):
        values = np.where(np.arange(ROWS) >= BEFORE, after, before) * np.random.default_rng(seed + n).normal(
            1, 0.01, ROWS
        )
        pair = [
            made.row(service, "latency", values, indicator="latency.mean", step=300.0),
            made.row(service, "traffic", np.full(ROWS, calls[service]), indicator="requests", step=300.0),
        ]
        times = pair[0].times if times is None else times
        rows += [type(r)(**{**vars(r), "times": times}) for r in pair]
    (matrix,) = group_series(rows)
    return matrix


def portions(matrix: Any, edges: list[str], symptom: str) -> list[Portion]:
    after = np.arange(ROWS) >= BEFORE
    calls = [Edge(caller=a, callee=b) for a, b in (e.split(">") for e in edges)]
    return divide_excess(matrix, usual_levels(matrix, ~after), after, calls, (symptom, "latency"))


def divided(matrix: Any, edges: list[str], symptom: str) -> dict[str, float]:
    return {p.service: p.share for p in portions(matrix, edges, symptom)}


def unseen(matrix: Any, edges: list[str], symptom: str, service: str) -> tuple[str, ...]:
    (mine,) = (p for p in portions(matrix, edges, symptom) if p.service == service)
    return mine.unseen


def with_values(matrix: Any, service: str, families: set[str], columns: Any, value: float) -> Any:
    """The same matrix with other values of a service in some columns."""
    values = matrix.values.copy()
    for index, row in enumerate(matrix.rows):
        if row.service == service and row.family in families:
            values[index, columns] = value
    return type(matrix)(**{**vars(matrix), "values": values})


def test_the_excess_is_followed_to_the_deepest_service_that_accounts_for_it(made: Any) -> None:
    matrix = system(
        made,
        {"web": (0.1, 0.3), "orders": (0.05, 0.25), "stock": (0.01, 0.11), "mail": (0.02, 0.02)},
        {"web": 100, "orders": 100, "stock": 200, "mail": 50},
    )
    shares = divided(matrix, ["web>orders", "orders>stock", "web>mail"], "web")
    assert max(shares, key=lambda s: shares[s]) == "stock"
    assert shares["stock"] > 0.9


def test_a_rarely_called_service_cannot_account_for_much_however_slow_it_is(made: Any) -> None:
    matrix = system(
        made,
        {"web": (0.1, 0.3), "orders": (0.05, 0.24), "report": (0.1, 5.0)},
        {"web": 100, "orders": 100, "report": 1},
    )
    shares = divided(matrix, ["web>orders", "web>report"], "web")
    assert max(shares, key=lambda s: shares[s]) == "orders"


def test_what_wavers_at_another_time_accounts_for_nothing(made: Any) -> None:
    matrix = system(made, {"web": (0.1, 0.1), "orders": (0.05, 0.05)}, {"web": 100, "orders": 100})
    values = matrix.values.copy()
    latency = {r.service: i for i, r in enumerate(matrix.rows) if r.family == "latency"}
    values[latency["web"], BEFORE : BEFORE + 2] = 0.3
    values[latency["orders"], BEFORE + 2 :] = 0.3
    shares = divided(type(matrix)(**{**vars(matrix), "values": values}), ["web>orders"], "web")
    assert shares["web"] > 0.9


def test_a_fault_of_its_own_stays_with_the_alarming_service(made: Any) -> None:
    matrix = system(made, {"web": (0.1, 0.4), "orders": (0.05, 0.05)}, {"web": 100, "orders": 100})
    shares = divided(matrix, ["web>orders"], "web")
    assert shares["web"] == 1.0
    assert shares.get("orders", 0.0) < 0.01


def test_calls_in_a_circle_end(made: Any) -> None:
    matrix = system(made, {"a": (0.1, 0.3), "b": (0.1, 0.3)}, {"a": 100, "b": 100})
    assert set(divided(matrix, ["a>b", "b>a", "a>a"], "a")) == {"a", "b"}


@pytest.mark.parametrize("symptom", ["nobody", "web"])
def test_without_a_mean_or_a_count_nothing_is_divided(made: Any, symptom: str) -> None:
    values = np.where(np.arange(ROWS) >= BEFORE, 0.3, 0.1)
    (matrix,) = group_series([made.row("web", "latency", values, indicator="latency.p99", step=300.0)])
    assert divided(matrix, [], symptom) == {}


SLOW_ORDERS = {"web": (0.1, 0.3), "orders": (0.05, 0.25), "stock": (0.01, 0.21)}
CALLS = {"web": 100.0, "orders": 100.0, "stock": 100.0}
CHAIN = ["web>orders", "orders>stock"]


def test_a_callee_that_nobody_measures_may_answer_in_its_callers_place(made: Any) -> None:
    matrix = system(made, {s: SLOW_ORDERS[s] for s in ("web", "orders")}, CALLS)
    assert unseen(matrix, CHAIN, "web", "orders") == ("stock",)


@pytest.mark.parametrize("lost", [{"latency"}, {"traffic"}, {"latency", "traffic"}])
def test_so_may_one_that_was_not_measured_when_it_mattered(made: Any, lost: set[str]) -> None:
    matrix = with_values(system(made, SLOW_ORDERS, CALLS), "stock", lost, slice(BEFORE, None), np.nan)
    assert unseen(matrix, CHAIN, "web", "orders") == ("stock",)


def test_one_that_is_as_fast_as_ever_or_that_nobody_called_may_not(made: Any) -> None:
    fast = with_values(
        system(made, {**SLOW_ORDERS, "stock": (0.01, 0.0)}, CALLS), "stock", {"traffic"}, slice(BEFORE, None), np.nan
    )
    assert unseen(fast, CHAIN, "web", "orders") == ()
    idle = with_values(system(made, SLOW_ORDERS, CALLS), "stock", {"latency"}, slice(BEFORE, None), np.nan)
    idle = with_values(idle, "stock", {"traffic"}, slice(BEFORE, None), 0.0)
    assert unseen(idle, CHAIN, "web", "orders") == ()
    seldom = with_values(system(made, SLOW_ORDERS, CALLS), "stock", {"latency", "traffic"}, slice(10, None), np.nan)
    assert unseen(seldom, CHAIN, "web", "orders") == ()


def test_a_few_lost_samples_change_nothing(made: Any) -> None:
    matrix = with_values(system(made, SLOW_ORDERS, CALLS), "stock", {"latency"}, BEFORE, np.nan)
    shares = divided(matrix, CHAIN, "web")
    assert shares["stock"] > 0.9
