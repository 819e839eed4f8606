"""Work that stopped is found by its ratio, in any unit and scale; demand, chance and consequences are no collapse."""

from typing import Any

import numpy as np
import pytest

from agents.evidence.collapses import fallen, lasting
from agents.evidence.levels import Matrix, usual_levels
from agents.evidence.ranking.suspects import rank_suspects
from agents.evidence.types import Family, Series

SCALES = [1e-4, 1.0, 3.7e6]


def fleet(made: Any, scale: float, collapsed: dict[str, float], *, family: Family = "traffic") -> list[Series]:
    """Five services with loads of their own; some of them do a share of their work only since the onset."""
    levels = {"brook": 40.0, "fern": 7.0, "heath": 300.0, "moor": 90.0, "vale": 15.0}
    rows = []
    for n, (name, level) in enumerate(levels.items()):
        then = level * collapsed.get(name, 1.0)
        rows.append(made.row(name, family, made.stepped(level * scale, then * scale, 3 * n + 1), indicator="parcels"))
        latency = made.wavering(0.05, 70 + n)
        rows.append(made.row(name, "latency", latency, indicator="handling", unit="s"))
    times = rows[0].times
    return [Series(**{**vars(r), "times": times}) for r in rows]


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("family", ["traffic", "network", "cpu"])
def test_a_service_that_stops_working_is_first_in_any_unit(made: Any, scale: float, family: Family) -> None:
    rows = fleet(made, scale, {"fern": 0.02}, family=family)
    best = rank_suspects(made.told(rows, edges=["brook>fern", "fern>vale"])).causes[0]
    assert best.service == "fern"
    assert best.anomalies[0].direction == "down"
    assert best.score > 8


def test_where_nobody_is_asked_any_more_the_first_of_the_callers_is_to_blame(made: Any) -> None:
    rows = fleet(made, 1.0, {"brook": 0.05, "fern": 0.05, "vale": 0.05})
    ranking = rank_suspects(made.told(rows, edges=["brook>fern", "fern>vale", "heath>moor"]))
    assert ranking.causes[0].service == "brook"
    assert ranking.causes[0].explained_away == ("fern",)


def test_who_waits_for_a_sick_callee_does_less_and_is_not_to_blame(made: Any) -> None:
    rows = fleet(made, 1.0, {"brook": 0.1})
    slow = {"brook": (0.05, 4.0), "fern": (0.02, 3.9)}
    rows = [
        made.row(r.service, "latency", made.stepped(*slow[r.service], 9), indicator="handling", unit="s")
        if r.family == "latency" and r.service in slow
        else r
        for r in rows
    ]
    assert rank_suspects(made.told(rows, edges=["brook>fern"])).causes[0].service == "fern"


def test_a_third_less_work_is_demand_and_no_collapse(made: Any) -> None:
    causes = rank_suspects(made.told(fleet(made, 1.0, {"heath": 0.66}))).causes
    assert not causes or causes[0].score < 3


def matrix(values: Any, family: Family = "traffic", step: float = 60.0, **more: Any) -> Matrix:
    times = 1.79e9 + step * np.arange(values.shape[1])
    rows = tuple(
        Series(
            service=f"s{i}",
            indicator="x",
            family=family,
            unit="",
            labels={},
            times=times,
            values=v,
            **more,
        )
        for i, v in enumerate(values)
    )
    return Matrix(rows=rows, times=times, values=values, step_s=step)


def collapse_of(told: Matrix, now: float) -> float:
    before = np.ones(told.times.size, dtype=np.bool_)
    return float(fallen(told, usual_levels(told, before), np.array([now]))[0])


@pytest.mark.parametrize("rate", [False, True])
def test_counts_of_a_few_events_may_be_none_by_chance(rate: bool) -> None:  # noqa: FBT001 -- a case
    few = np.full((1, 30), 4.0) / (60.0 if rate else 1.0)
    many = np.full((1, 30), 400.0) / (60.0 if rate else 1.0)
    assert collapse_of(matrix(few), 0.0) < 10 < collapse_of(matrix(many), 0.0)


def test_zero_means_nothing_where_a_series_was_scaled_by_its_own_extremes() -> None:
    scaled = np.linspace(1.0, 0.0, 40)[None, :] ** 0.1
    assert scaled.min() == 0
    assert collapse_of(matrix(scaled), 0.01) == 0


def test_a_pool_of_two_that_lost_one_has_collapsed() -> None:
    assert collapse_of(matrix(np.full((1, 30), 2.0), "saturation", bad="down"), 1.0) > 6
    assert collapse_of(matrix(np.full((1, 30), 20.0), "saturation", bad="down"), 19.0) == 0


def test_what_comes_back_has_not_stopped() -> None:
    gone = np.array([[False, True, True, False, False, False], [False, False, True, True, False, True]])
    assert lasting(gone).tolist() == [
        [False, False, False, False, False, False],
        [False, False, True, True, False, True],
    ]
