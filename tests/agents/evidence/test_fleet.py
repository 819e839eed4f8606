"""What is typical of a kind of series over a fleet, without a loop over rows."""

import numpy as np
import pytest

from agents.evidence.fleet import Fleet
from agents.evidence.types import Series

NONE = np.empty(0)


def row(service: str, indicator: str) -> Series:
    return Series(
        service=service, indicator=indicator, family="other", unit="", labels={}, times=NONE, values=NONE, adds=True
    )


def test_the_median_of_each_kind_leaves_out_what_is_unknown() -> None:
    fleet = Fleet.of([row("a", "x"), row("b", "x"), row("c", "x"), row("a", "y"), row("b", "z")])
    typical = fleet.typical(np.array([1.0, np.nan, 3.0, 7.0, np.nan]))
    assert typical.tolist() == [2.0, 2.0, 2.0, 7.0, 0.0]
    assert Fleet.of([]).typical(NONE).size == 0
    assert fleet.pick(np.array([2, 3])).typical(np.array([5.0, 6.0])).tolist() == [5.0, 6.0]


@pytest.mark.parametrize("seed", range(3))
def test_it_is_the_same_as_a_median_row_by_row(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = [row(f"s{i}", f"k{rng.integers(5)}") for i in range(60)]
    values = np.where(rng.random(60) < 0.2, np.nan, rng.normal(size=60))
    expected = [
        float(np.nanmedian([v for r, v in zip(rows, values, strict=True) if r.indicator == mine.indicator]))
        for mine in rows
    ]
    assert Fleet.of(rows).typical(values).tolist() == pytest.approx(expected)
