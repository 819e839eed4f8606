"""What leaks or fills is told from steps, from what comes to rest, and from what more load explains."""

from typing import Any

import numpy as np
import pytest

from agents.evidence.levels import group_series
from agents.evidence.metrics.drifts import drift_suspicions
from agents.evidence.suspicion import Suspicion
from agents.evidence.types import Family, Onset, Series, Window, as_utc

T0 = 1.79e9
STEP = 15.0
SIZE = 480  # two hours
SINCE = 240
RNG = np.random.default_rng(5)


def stock(shape: Any, level: float, *, service: str = "quarry", family: Family = "memory", bad: Any = None) -> Series:
    """A level that grows by `shape`, a share of it since the middle of the recording."""
    grown = np.concatenate([np.zeros(SINCE), shape])
    return Series(
        service=service,
        indicator="held",
        family=family,
        unit="",
        labels={},
        times=T0 + STEP * np.arange(SIZE),
        values=level * (1 + grown) * RNG.normal(1.0, 0.01, SIZE),
        bad=bad,
    )


def drifting(*rows: Series, minutes: float = 60.0) -> list[Suspicion]:
    end = T0 + STEP * (SIZE - 1)
    onset = Onset(at=as_utc(end - 60 * minutes), guard_s=0.0, score=0.0, direction="up")
    return drift_suspicions(group_series(rows), onset, Window(start=as_utc(T0), end=as_utc(end)))


RISE = np.linspace(0.0, 0.8, SIZE - SINCE)


@pytest.mark.parametrize("level", [0.02, 900.0, 6e9])
@pytest.mark.parametrize("family", ["memory", "saturation"])
def test_a_leak_is_found_in_any_unit(level: float, family: Family) -> None:
    found = drifting(stock(RISE, level, family=family), stock(0 * RISE, level, service="meadow", family=family))
    assert [(s.service, s.direction) for s in found] == [("quarry", "up")]
    assert found[0].score > 7


def test_what_runs_out_is_found_where_low_is_bad() -> None:
    assert [s.direction for s in drifting(stock(-RISE, 4e10, family="saturation", bad="down"))] == ["down"]
    assert not drifting(stock(RISE, 4e10, family="saturation", bad="down"))


@pytest.mark.parametrize(
    "shape",
    [
        np.full(SIZE - SINCE, 0.8),
        0.8 * (1 - np.exp(-np.arange(SIZE - SINCE) / 20)),
        0.8 * np.sin(np.arange(SIZE - SINCE) / 12),
        0.02 * RISE,
    ],
    ids=["a step", "comes to rest", "comes and goes", "hardly at all"],
)
def test_what_does_not_go_on_is_no_drift(shape: Any) -> None:
    assert drifting(stock(shape, 900.0)) == []


def test_more_load_explains_that_more_is_held() -> None:
    load = stock(RISE, 50.0, family="traffic")
    assert drifting(stock(RISE, 900.0), load) == []
    assert drifting(stock(RISE, 900.0), stock(0 * RISE, 50.0, family="traffic")) != []


def test_a_few_minutes_show_no_drift() -> None:
    assert drifting(stock(RISE, 900.0), minutes=15) == []
