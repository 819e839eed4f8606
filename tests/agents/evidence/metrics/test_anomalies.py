from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from agents.evidence.metrics.anomalies import rank_anomalies
from agents.evidence.types import Onset, Series, Window, as_utc

T0 = 1_780_000_000.0
ONSET = Onset(at=as_utc(T0 + 200), guard_s=5.0, score=10.0, direction="up")
WINDOW = Window(start=as_utc(T0), end=as_utc(T0 + 300))


def noisy(levels: Any, seed: int = 1, share: float = 0.1) -> Any:
    levels = np.asarray(levels, dtype=float)
    return levels * np.random.default_rng(seed).normal(1, share, levels.size)


def test_the_changed_indicator_comes_first_with_its_numbers(series: Any) -> None:
    rows = [
        series(noisy(np.full(300, 0.02), 1), service="calm"),
        series(noisy([0.02] * 200 + [0.09] * 100, 2), service="slow"),
        series(noisy(np.full(300, 40.0), 3), "traffic", unit="/s", indicator="requests rate"),
    ]
    (found,) = rank_anomalies(rows, ONSET, WINDOW)
    assert found.service == "slow"
    assert found.baseline == pytest.approx(0.02, rel=0.1)
    assert found.current == pytest.approx(0.09, rel=0.2)
    assert found.ratio == pytest.approx(4.5, rel=0.25)
    assert found.onset is not None


def test_better_is_not_an_anomaly(series: Any) -> None:
    assert rank_anomalies([series(noisy([0.09] * 200 + [0.02] * 100))], ONSET, WINDOW) == []


def test_a_single_spike_does_not_count_but_a_part_of_the_samples_does(series: Any) -> None:
    spike = noisy(np.full(300, 0.02))
    spike[250] = 3.0
    half = noisy(np.full(300, 0.02))
    half[200::2] = 0.2
    found = rank_anomalies([series(spike, service="spike"), series(half, service="half")], ONSET, WINDOW)
    assert [a.service for a in found] == ["half"]


def test_a_file_that_always_grew_is_not_news_but_a_faster_one_is(series: Any) -> None:
    steady = 5e7 + 1e5 * np.arange(300)
    faster = steady + np.where(np.arange(300) > 200, 3e6 * (np.arange(300) - 200), 0)
    rows = [
        series(steady, "saturation", unit="bytes", service="steady", indicator="file bytes"),
        series(faster, "saturation", unit="bytes", service="faster", indicator="file bytes"),
    ]
    assert [a.service for a in rank_anomalies(rows, ONSET, WINDOW)] == ["faster"]


def test_scores_are_capped(series: Any) -> None:
    (found,) = rank_anomalies([series([0.0] * 200 + [1e9] * 100, "errors", unit="ratio")], ONSET, WINDOW)
    assert found.score == 30.0


def test_an_earlier_incident_can_be_left_out_of_the_baseline(series: Any) -> None:
    row = series(noisy([0.5] * 110 + [0.02] * 90 + [0.2] * 100))
    assert rank_anomalies([row], ONSET, WINDOW) == []
    assert len(rank_anomalies([row], ONSET, WINDOW, good=[(T0 + 115, ONSET.at.timestamp() - ONSET.guard_s)])) == 1


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(
            hnp.arrays(np.float64, 30, elements=st.floats(width=64)),
            st.sampled_from(["errors", "latency", "traffic", "memory", "other", "restarts", "saturation"]),
            st.sampled_from(["", "bytes", "ratio", "s"]),
        ),
        max_size=5,
    ),
    st.integers(-50, 400),
)
def test_garbage_never_raises_and_order_does_not_matter(rows: list[Any], shift: int) -> None:
    made = [
        Series(
            service=str(n),
            indicator="i",
            family=f,
            unit=u,
            labels={},
            times=T0 + 10.0 * np.arange(30, dtype=np.float64),
            values=v,
        )
        for n, (v, f, u) in enumerate(rows)
    ]
    onset = Onset(at=as_utc(T0) + timedelta(seconds=shift), guard_s=10.0, score=5.0, direction="up")
    found = rank_anomalies(made, onset, WINDOW)
    assert found == rank_anomalies(made[::-1], onset, WINDOW)
    assert all(np.isfinite(a.score) for a in found)
