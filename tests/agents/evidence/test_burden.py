"""Who answers for an alarm, where the calls add up."""

from typing import Any

import numpy as np
import pytest

from agents.evidence.burden import divide_burden
from agents.evidence.levels import group_series, usual_levels
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


def divided(matrix: Any, edges: list[str], symptom: str) -> dict[str, float]:
    after = np.arange(ROWS) >= BEFORE
    calls = [Edge(caller=a, callee=b) for a, b in (e.split(">") for e in edges)]
    found = divide_burden(matrix, usual_levels(matrix, ~after), after, calls, (symptom, "latency"))
    return {p.service: p.share for p in found}


def test_the_burden_is_followed_to_the_deepest_service_that_accounts_for_it(made: Any) -> None:
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
