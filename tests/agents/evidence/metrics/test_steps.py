"""The stretch in which many series differ is found without a time told, in any unit, at any sampling."""

import numpy as np
import pytest

from agents.evidence.levels import group_series
from agents.evidence.metrics.steps import date_by_steps
from agents.evidence.types import FloatArray, Series


def made(times: FloatArray, first: int, last: int, count: int, *, scale: float, seed: int = 1) -> list[Series]:
    rng = np.random.default_rng(seed)
    found = []
    for i in range(count):
        level = np.exp(rng.uniform(-6, 6)) * scale
        values = level * rng.normal(1.0, 0.1, times.size)
        if i < count // 2:
            values[first:last] *= 2.5
        found.append(
            Series(service="one", indicator=f"i{i}", family="other", unit="", labels={}, times=times, values=values)
        )
    return found


@pytest.mark.parametrize("scale", [1.0, 1e-7, 1e9])
@pytest.mark.parametrize("step", [1.0, 15.0])
def test_a_stretch_that_many_series_share_is_dated_though_it_is_over(scale: float, step: float) -> None:
    times = np.arange(130) * step + 1.7e9
    found = date_by_steps(group_series(made(times, 37, 80, 20, scale=scale)), float(times[0]), float(times[-1]))
    assert found is not None
    assert found.wide
    assert abs(found.onset.at.timestamp() - times[37]) <= 2 * step


def test_series_that_merely_waver_agree_on_nothing() -> None:
    times = np.arange(130) * 1.0 + 1.7e9
    found = [
        date_by_steps(group_series(made(times, 0, 0, 20, scale=1.0, seed=s)), float(times[0]), float(times[-1]))
        for s in range(8)
    ]
    assert found == [None] * 8


def test_little_history_and_gaps_raise_nothing() -> None:
    times = np.arange(10) * 1.0 + 1.7e9
    assert date_by_steps(group_series(made(times, 4, 8, 6, scale=1.0)), float(times[0]), float(times[-1])) is None
    assert date_by_steps([], 0.0, 1.0) is None


def test_what_was_smoothed_does_not_step_for_that() -> None:
    times = np.arange(120) * 5.0 + 1.7e9
    steps = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        rows = [np.convolve(rng.normal(50.0, 5.0, 131), np.ones(12) / 12, mode="valid") for _ in range(20)]
        series = [
            Series(service="one", indicator=f"i{i}", family="other", unit="", labels={}, times=times, values=row)
            for i, row in enumerate(rows)
        ]
        steps.append(date_by_steps(group_series(series), float(times[0]), float(times[-1])))
    assert not any(found is not None and found.wide for found in steps)
