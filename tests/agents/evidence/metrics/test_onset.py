from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from agents.evidence.metrics.onset import earlier_incidents, find_onset, known_good
from agents.evidence.types import Series

T0 = 1_780_000_000.0


def noisy(levels: Any, seed: int = 3, share: float = 0.08) -> Any:
    levels = np.asarray(levels, dtype=float)
    return levels * np.random.default_rng(seed).normal(1, share, levels.size)


@pytest.mark.parametrize("at", [80, 120, 200, 270])
@pytest.mark.parametrize("seed", range(5))
def test_a_step_is_found_to_a_few_seconds_and_never_much_late(series: Any, at: int, seed: int) -> None:
    onset = find_onset(series(noisy([0.02] * at + [0.06] * (300 - at), seed)))
    assert onset is not None
    assert -8 <= onset.at.timestamp() - (T0 + at) <= 2
    assert onset.direction == "up"


def test_a_slow_rise_is_dated_near_its_beginning(series: Any) -> None:
    onset = find_onset(series(noisy(np.concatenate([np.full(150, 0.02), np.linspace(0.02, 0.4, 150)]))))
    assert onset is not None
    assert -5 <= onset.at.timestamp() - (T0 + 150) <= 40


def test_a_steady_series_has_no_onset(series: Any) -> None:
    assert find_onset(series(noisy(np.full(300, 0.02)))) is None
    assert find_onset(series(np.full(300, 5.0))) is None


def test_what_has_healed_is_no_onset(series: Any) -> None:
    assert find_onset(series(noisy([0.02] * 100 + [0.2] * 60 + [0.02] * 140))) is None


def test_an_earlier_healed_incident_neither_hides_nor_dates_the_present_one(series: Any) -> None:
    row = series(noisy([0.02] * 80 + [0.3] * 60 + [0.02] * 140 + [0.1] * 40))
    onset = find_onset(row)
    assert onset is not None
    assert abs(onset.at.timestamp() - (T0 + 280)) <= 6
    ((start, end),) = earlier_incidents([row], onset)
    assert T0 + 70 <= start <= T0 + 80
    assert T0 + 140 <= end <= T0 + 150
    assert known_good([(start, end)], onset, T0) == [(end, onset.at.timestamp() - onset.guard_s)]


def test_bursts_of_a_restarting_process_are_one_incident(series: Any) -> None:
    values = np.zeros(300)
    for start in (160, 200, 240, 280):
        values[start : start + 8] = 0.5
    onset = find_onset(series(values, "errors", unit="ratio"))
    assert onset is not None
    assert abs(onset.at.timestamp() - (T0 + 160)) <= 3


def test_a_stray_failure_is_not_the_beginning_of_the_outage(series: Any) -> None:
    values = np.zeros(300)
    values[150:160] = 0.05
    values[200:] = 0.6
    onset = find_onset(series(values, "errors", unit="ratio"))
    assert onset is not None
    assert abs(onset.at.timestamp() - (T0 + 200)) <= 3


def test_a_single_blip_is_ignored(series: Any) -> None:
    values = np.zeros(300)
    values[285:295] = 0.2
    assert find_onset(series(values, "errors", unit="ratio")) is None


def test_few_errors_for_a_moment_count_only_if_a_process_died_meanwhile(series: Any) -> None:
    values = np.zeros(300)
    values[291:] = 0.06
    row = series(values, "errors", unit="ratio")
    assert find_onset(row) is None
    onset = find_onset(row, crashes=[T0 + 290])
    assert onset is not None
    assert abs(onset.at.timestamp() - (T0 + 291)) <= 3
    assert find_onset(row, crashes=[T0 + 100]) is None


def test_two_bursts_are_no_rhythm_and_what_has_ended_is_over(series: Any) -> None:
    values = np.zeros(300)
    values[220:235] = values[262:280] = 0.4
    assert find_onset(series(values, "errors", unit="ratio")) is None
    values[290:] = 0.4
    onset = find_onset(series(values, "errors", unit="ratio"))
    assert onset is not None
    assert abs(onset.at.timestamp() - (T0 + 220)) <= 3


def test_an_outage_after_a_short_calm_is_another_one(series: Any) -> None:
    values = np.zeros(300)
    values[200:260] = 0.5
    values[270:] = 0.3
    onset = find_onset(series(values, "errors", unit="ratio"))
    assert onset is not None
    assert abs(onset.at.timestamp() - (T0 + 270)) <= 3


def test_less_latency_is_no_incident_but_less_traffic_is(series: Any) -> None:
    fall = noisy([50.0] * 200 + [10.0] * 100)
    assert find_onset(series(fall, "latency")) is None
    onset = find_onset(series(fall, "traffic", unit="/s"))
    assert onset is not None
    assert onset.direction == "down"


def test_minute_samples_over_hours(series: Any) -> None:
    onset = find_onset(series(noisy([0.05] * 200 + [0.3] * 20), step=60.0))
    assert onset is not None
    assert -120 <= onset.at.timestamp() - (T0 + 200 * 60) <= 60


@settings(max_examples=200, deadline=None)
@given(
    hnp.arrays(np.float64, st.integers(0, 40), elements=st.floats(width=64)),
    hnp.arrays(np.float64, st.integers(0, 40), elements=st.floats(width=64)),
    st.sampled_from(["errors", "latency", "traffic", "memory", "other", "restarts"]),
)
def test_garbage_never_raises(times: Any, values: Any, family: Any) -> None:
    size = min(times.size, values.size)
    row = Series(
        service="s", indicator="i", family=family, unit="", labels={}, times=times[:size], values=values[:size]
    )
    onset = find_onset(row)
    if onset is not None:
        known_good(earlier_incidents([row], onset), onset, 0.0)
