from typing import Any

import numpy as np
import pytest

from agents.evidence.levels import group_series
from agents.evidence.ranking.dating import EARLY_S, Search, date_incident


def dated(made: Any, rows: Any, reported: float, only: Any = None) -> Any:
    onset = date_incident(group_series(rows), Search.around(made.T0 + reported), only)
    return onset, onset.at.timestamp() - made.T0


@pytest.mark.parametrize("wrong", [-60.0, 0.0, 60.0, 120.0])
@pytest.mark.parametrize("seed", range(3))
def test_a_report_minutes_off_does_not_matter(made: Any, wrong: float, seed: int) -> None:
    rows = [made.row("a", "cpu", made.stepped(1.0, 40.0, seed)), made.row("b", "cpu", made.wavering(5.0, seed))]
    _, at = dated(made, rows, made.ONSET + wrong)
    assert -5 <= at - made.ONSET <= 1


@pytest.mark.parametrize("wrong", [-60.0, 0.0, 60.0, 120.0])
def test_minute_samples_date_it_to_the_sample_before(made: Any, wrong: float) -> None:
    rows = [made.row("a", "latency", made.stepped(0.1, 2.0, 3, at=1800.0, length=40, step=60.0), step=60.0)]
    _, at = dated(made, rows, 1800.0 + wrong)
    assert at == 1740.0


def test_where_nothing_stands_out_the_earliest_moment_is_taken(made: Any) -> None:
    onset, at = dated(made, [made.row("a", "cpu", made.wavering(1.0, 1))], 400.0)
    assert at == 400.0 - EARLY_S
    assert onset.score < 8


def test_the_alarms_own_indicator_dates_it_before_louder_ones(made: Any) -> None:
    rows = [
        made.row("front", "latency", made.stepped(0.1, 0.4, 1, at=310)),
        made.row("else", "latency", made.stepped(0.1, 99.0, 2, at=260)),
    ]
    assert abs(dated(made, rows, 300.0, ("front", "latency"))[1] - 309) <= 5
    assert abs(dated(made, rows, 300.0)[1] - 259) <= 5


def test_a_spike_is_no_beginning(made: Any) -> None:
    values = made.stepped(1.0, 40.0, 4)
    values[200:203] = 60.0
    _, at = dated(made, [made.row("a", "cpu", values)], 320.0)
    assert -5 <= at - made.ONSET <= 1


@pytest.mark.parametrize("size", [0, 1, 2, 5])
def test_short_series_do_not_raise(made: Any, size: int) -> None:
    dated(made, [made.row("a", "cpu", np.ones(size))], 100.0)
