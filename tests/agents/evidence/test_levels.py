from typing import Any

import numpy as np
import pytest

from agents.evidence.levels import (
    deviations,
    group_series,
    horizon,
    present_levels,
    soften,
    usual_levels,
    within,
)


def test_series_sampled_together_are_one_matrix_and_others_are_brought_to_grids(made: Any) -> None:
    shared = [made.row("a", "cpu", np.ones(60)), made.row("b", "cpu", np.ones(60))]
    times = shared[0].times
    shared = [type(s)(**{**vars(s), "times": times}) for s in shared]
    slow = made.row("c", "cpu", np.ones(20), step=60.0)
    sizes = sorted(len(m.rows) for m in group_series([*shared, slow]))
    assert sizes == [1, 2]


def test_garbage_becomes_gaps(made: Any) -> None:
    values = np.ones(30)
    values[[3, 4, 5]] = np.nan, np.inf, -np.inf
    (matrix,) = group_series([made.row("a", "cpu", values)])
    assert np.isnan(matrix.values[0, 3:6]).all()
    assert np.isfinite(np.delete(matrix.values[0], [3, 4, 5])).all()


@pytest.mark.parametrize("size", [0, 1])
def test_a_series_of_hardly_a_sample_is_left_out(made: Any, size: int) -> None:
    assert group_series([made.row("a", "cpu", np.ones(size))]) == []


def test_a_clock_that_jumps_back_is_put_in_order(made: Any) -> None:
    row = made.row("a", "cpu", np.arange(40.0))
    skewed = row.times.copy()
    skewed[20:] -= 30.0
    (matrix,) = group_series([type(row)(**{**vars(row), "times": skewed})])
    assert (np.diff(matrix.times) > 0).all()


def test_what_was_recorded_together_gives_the_level_and_the_reference_the_noise(made: Any) -> None:
    values = np.concatenate([made.wavering(10.0, 1, length=100), [20.0, 20.0, 30.0]])
    (matrix,) = group_series([made.row("a", "latency", values)])
    before = np.arange(103) < 102
    levels = usual_levels(matrix, before, before & (np.arange(103) >= 100))
    assert levels.middle[0] == 20.0
    assert 1.0 <= levels.up_noise[0] <= 4.0


def test_a_service_that_is_hardly_known_is_allowed_the_fleets_noise(made: Any) -> None:
    noisy = [made.row(f"s{n}", "latency", made.wavering(10.0, n, share=0.5)) for n in range(6)]
    new = np.full(made.LENGTH, np.nan)
    new[[10, 20, 30]] = 10.0, 10.0, 10.0
    matrices = group_series([*noisy, made.row("new", "latency", new)])
    noise = {
        row.service: float(usual_levels(m, m.times < made.T0 + 300).up_noise[i])
        for m in matrices
        for i, row in enumerate(m.rows)
    }
    assert noise["s1"] > 3.0
    joined = group_series(
        [type(s)(**{**vars(s), "times": noisy[0].times}) for s in (*noisy, made.row("new", "latency", new))]
    )
    (matrix,) = joined
    levels = usual_levels(matrix, matrix.times < made.T0 + 300)
    assert levels.up_noise[[r.service for r in matrix.rows].index("new")] > 3.0


def test_the_present_is_what_a_part_of_the_samples_shows_but_not_a_spike(made: Any) -> None:
    spike, half = np.full(60, 1.0), np.full(60, 1.0)
    spike[50] = 99.0
    half[30::2] = 9.0
    rows = [made.row("a", "cpu", spike), made.row("b", "cpu", half)]
    (matrix,) = group_series([type(s)(**{**vars(s), "times": rows[0].times}) for s in rows])
    high = present_levels(matrix, np.arange(60) >= 30)[2]
    assert high.tolist() == [1.0, 9.0]


def test_deviations_are_signed_noise_units(made: Any) -> None:
    (matrix,) = group_series([made.row("a", "cpu", [10.0] * 50 + [20.0, 5.0])])
    before = np.arange(52) < 50
    up, down = deviations(matrix, usual_levels(matrix, before), ~before)[0]
    assert up == pytest.approx(10.0)
    assert down == pytest.approx(-5.0)


def test_the_horizon_is_minutes_or_a_few_coarse_samples() -> None:
    fine = np.arange(1000.0)
    assert horizon(fine, 1.0, 100.0, 999.0).sum() == 301
    coarse = np.arange(20, dtype=np.float64) * 300.0
    assert horizon(np.asarray(coarse, dtype=np.float64), 300.0, 1.0, 1e9).sum() == 3


def test_scores_keep_their_order_and_are_capped() -> None:
    found = soften(np.array([-5.0, 0.0, 4.0, 10.0, 100.0, 1e9, np.nan, np.inf]))
    assert found[:4].tolist() == [0.0, 0.0, 4.0, 10.0]
    assert found[4] == pytest.approx(20.0)
    assert found[5] == 30.0
    assert np.isfinite(found).all()


def test_stretches_include_their_ends() -> None:
    assert within(np.arange(6.0), [(1.0, 2.0), (4.0, 4.0)]).tolist() == [False, True, True, False, True, False]
