"""Two windows side by side."""

from datetime import UTC, datetime, timedelta

import numpy as np

from agents.evidence.ranking.comparison import compare_windows
from agents.evidence.types import LogLine, Series, Window

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
LENGTH = timedelta(minutes=10)
LATER = Window(start=NOW - LENGTH, end=NOW)
EARLIER = Window(start=NOW - timedelta(days=1) - LENGTH, end=NOW - timedelta(days=1))


def a_series(window: Window, level: float, *, service: str = "checkout", indicator: str = "errors") -> Series:
    times = np.arange(window.start.timestamp(), window.end.timestamp(), 5.0)
    values = level + 0.001 * np.sin(np.arange(times.size))
    return Series(
        service=service, indicator=indicator, family="errors", unit="ratio", labels={}, times=times, values=values
    )


def lines(window: Window, text: str, count: int = 60) -> list[LogLine]:
    return [
        LogLine(time=window.start + timedelta(seconds=n), service="checkout", level="error", text=f"{text} {n}")
        for n in range(count)
    ]


def test_what_is_worse_than_yesterday_is_found_although_nothing_lies_between() -> None:
    found = compare_windows(
        EARLIER,
        LATER,
        series_then=[a_series(EARLIER, 0.01), a_series(EARLIER, 0.01, service="cart")],
        series_now=[a_series(LATER, 0.2), a_series(LATER, 0.01, service="cart")],
        lines_then=lines(EARLIER, "order placed"),
        lines_now=lines(LATER, "pool exhausted"),
    )
    assert [a.service for a in found.anomalies] == ["checkout"]
    assert abs(found.anomalies[0].baseline - 0.01) < 0.005
    assert abs(found.anomalies[0].current - 0.2) < 0.005
    assert any(s.kind == "new" and "pool exhausted" in s.exemplar for s in found.shifts)
    assert all(s.first_seen >= LATER.start for s in found.shifts if s.kind == "new")
    assert found.gaps == ()


def test_two_equal_windows_show_nothing() -> None:
    found = compare_windows(EARLIER, LATER, series_then=[a_series(EARLIER, 0.01)], series_now=[a_series(LATER, 0.01)])
    assert (found.anomalies, found.shifts) == ((), ())


def test_what_only_one_window_has_is_named() -> None:
    found = compare_windows(
        EARLIER,
        LATER,
        series_then=[a_series(EARLIER, 0.01, indicator="queue")],
        series_now=[a_series(LATER, 0.01)],
    )
    assert found.gaps == (
        "measured only in the later window: checkout errors",
        "measured only in the earlier window: checkout queue",
    )


def test_empty_windows_are_no_error() -> None:
    found = compare_windows(EARLIER, LATER, series_then=[], series_now=[])
    assert (found.anomalies, found.shifts, found.gaps) == ((), (), ())
