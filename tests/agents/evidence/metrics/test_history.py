"""What never was on the days before is found; what comes daily, weekly or now and then is not."""

from typing import Any

import numpy as np
import pytest

from agents.evidence.levels import group_series
from agents.evidence.metrics.history import Unprecedented, as_on_other_days, compared, unprecedented
from agents.evidence.ranking.causes import rank_causes
from agents.evidence.suspicion import Suspicion
from agents.evidence.types import Family, Series, Telemetry, Window, as_utc

STEP, DAY = 300.0, 288
T0 = 1.79e9
DAYS = 9


def days(seed: int, *, depth: float = 0.0, noise: float = 0.06) -> Any:
    rng = np.random.default_rng(seed)
    at = np.arange(DAYS * DAY)
    return (1 + depth * np.sin(2 * np.pi * at / DAY)) * rng.normal(1.0, noise, at.size)


def series(values: Any, *, scale: float = 1.0, family: Family = "latency", service: str = "ferry") -> Series:
    times = T0 + STEP * np.arange(values.size)
    return Series(
        service=service, indicator="crossing", family=family, unit="", labels={}, times=times, values=scale * values
    )


def found_in(*rows: Series) -> list[Unprecedented]:
    return unprecedented(group_series(rows), float(rows[0].times[-1]) + STEP)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 5e8])
@pytest.mark.parametrize("depth", [0.0, 0.6])
def test_an_hour_as_it_never_was_is_found(scale: float, depth: float) -> None:
    values = days(3, depth=depth)
    values[-36:-12] += 1.5
    found = found_in(series(values, scale=scale))
    assert [one.direction for one in found] == ["up"]
    assert abs(found[0].at - (T0 + STEP * (values.size - 36))) <= 3600


def test_work_that_falls_counts_where_latency_that_falls_does_not() -> None:
    values = days(4)
    values[-36:] *= 0.2
    assert [one.direction for one in found_in(series(values, family="traffic"))] == ["down"]
    assert found_in(series(values, family="latency")) == []


def test_what_is_high_at_this_hour_every_day_is_no_news() -> None:
    values = days(5)
    for day in range(DAYS):
        values[day * DAY + DAY - 24 : day * DAY + DAY] += 1.5
    assert found_in(series(values)) == []


@pytest.mark.parametrize("depth", [0.0, 0.5])
def test_quiet_days_raise_hardly_any_alarm(depth: float) -> None:
    alarms = sum(bool(found_in(series(days(seed, depth=depth)))) for seed in range(100, 160))
    assert alarms <= 3


def test_many_series_raise_no_more_alarms_than_one() -> None:
    alarms = [found_in(*(series(days(40 * k + i), service=f"s{i}") for i in range(40))) for k in range(4)]
    assert sum(bool(found) for found in alarms) <= 1


def test_less_than_a_day_before_says_nothing() -> None:
    values = days(6)[: DAY + 30]
    values[-12:] += 5
    assert found_in(series(values)) == []


def test_asked_live_it_is_told_and_nobody_is_named() -> None:
    values = days(7, noise=0.1)
    values[-60:] += np.linspace(0, 1.2, 60)
    row = series(values, family="other")
    told = Telemetry(window=Window(start=as_utc(T0), end=as_utc(float(row.times[-1]))), series=(row,))
    ranking = rank_causes(told)
    assert not ranking.quiet
    assert ranking.causes[0].confidence == "low"
    assert any("days before" in gap for gap in ranking.gaps)


def test_a_rise_as_on_the_other_days_is_dropped() -> None:
    values = days(8)
    at = (DAYS - 1) * DAY + 100
    values[at:] += 2.0
    daily = values.copy()
    daily[at - DAY : at - DAY + 24] += 2.0
    daily[at - 7 * DAY : at - 7 * DAY + 24] += 2.0
    seen = Suspicion(
        service="ferry",
        family="latency",
        indicator="crossing",
        score=20.0,
        direction="up",
        baseline=1.0,
        current=3.0,
        unit="",
        source="metrics",
    )
    for told, dropped in ((values, set[int]()), (daily, {0})):
        assert as_on_other_days(group_series([series(told)]), [seen], T0 + STEP * at) == dropped


def test_a_series_without_samples_is_not_judged() -> None:
    values = days(9)
    empty = series(np.full(values.size, np.nan), service="idle")
    alone = np.full(values.size, np.nan)
    alone[5] = 1.0
    assert found_in(series(values), empty, series(alone, service="once")) == []


def test_of_very_many_series_the_most_telling_are_looked_at_and_that_is_counted() -> None:
    rows = [series(days(10)[:400], family="other", service=f"s{i}") for i in range(410)]
    matrices = group_series(rows)
    assert compared(matrices, float(rows[0].times[-1])) == (400, 410)
