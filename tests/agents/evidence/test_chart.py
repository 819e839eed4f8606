from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from agents.evidence.chart import chart_points, data_visualization
from agents.evidence.types import Onset, Series, as_utc

T0 = 1_780_000_000.0
ONSET = Onset(at=as_utc(T0 + 200), guard_s=5.0, score=10.0, direction="up")


def test_twenty_points_keep_a_short_spike_and_the_level(series: Any) -> None:
    values = np.full(300, 0.02)
    values[150] = 2.0
    points = chart_points(series(values), None)
    assert len(points) == 20
    assert max(v for _, v in points) > 0.9
    assert min(v for _, v in points) == pytest.approx(0.02)


def test_the_onset_begins_a_bucket(series: Any) -> None:
    points = chart_points(series([1.0] * 200 + [9.0] * 100), ONSET)
    assert {v for _, v in points} == {1.0, 9.0}
    assert ONSET.at.strftime("%H:%M:%S") in [label for label, _ in points]


def test_the_block_keeps_slacks_limits(series: Any) -> None:
    rows = [series(np.arange(300.0) * n, service="a-service-with-a-very-long-name", step=600.0) for n in range(9)]
    block: Any = data_visualization("t" * 80, rows, onset=ONSET)
    chart = block["chart"]
    assert block["type"] == "data_visualization"
    assert len(block["title"]) == 50
    assert chart["type"] == "line"
    categories = chart["axis_config"]["categories"]
    assert len(categories) == len(set(categories)) <= 20
    assert all(len(c) <= 20 for c in categories)
    names = [s["name"] for s in chart["series"]]
    assert len(names) == len(set(names)) == 6
    assert all(len(n) <= 20 for n in names)
    assert all([p["label"] for p in s["data"]] == categories for s in chart["series"])


def test_nothing_to_draw_is_refused(series: Any) -> None:
    with pytest.raises(ValueError, match="no series with samples"):
        data_visualization("empty", [series([np.nan, np.nan])])


@settings(max_examples=100, deadline=None)
@given(
    hnp.arrays(np.float64, st.integers(0, 50), elements=st.floats(width=64)),
    hnp.arrays(np.float64, 50, elements=st.floats(width=64)),
    st.integers(0, 30),
)
def test_garbage_never_raises(times: Any, values: Any, points: int) -> None:
    row = Series(
        service="s", indicator="i", family="other", unit="", labels={}, times=times, values=values[: times.size]
    )
    drawn = chart_points(row, ONSET, points)
    assert len(drawn) <= points
    assert len({label for label, _ in drawn}) == len(drawn)
    assert all(len(label) <= 20 and np.isfinite(v) for label, v in drawn)


def test_a_window_of_seconds_is_labelled_by_tenths(series: Any) -> None:
    labels = [label for label, _ in chart_points(series(np.zeros(60), step=0.25), None)]
    assert labels[:3] == ["20:26:40.0", "20:26:40.7", "20:26:41.4"]
    assert len(set(labels)) == len(labels) == 20
