"""What adds up is judged by its share of the fleet's change, in any unit."""

import numpy as np
import pytest

from agents.evidence.amounts import amount_weights
from agents.evidence.fleet import Fleet
from agents.evidence.ranking.suspects import rank_suspects
from agents.evidence.types import Edge, Family, Series, Telemetry, Window, as_utc

TIMES = np.arange(240) * 5.0 + 1.7e9
AT = TIMES[120]


def series(service: str, before: float, after: float, *, family: Family = "cpu", adds: bool = True) -> Series:
    rng = np.random.default_rng(abs(hash((service, family))) % 2**32)
    level = np.where(TIMES < AT, before, after) * rng.normal(1.0, 0.04, TIMES.size)
    return Series(
        service=service,
        indicator=f"{family} used",
        family=family,
        unit="",
        labels={},
        times=TIMES,
        values=level,
        adds=adds,
    )


def ranked(rows: list[Series], edges: tuple[Edge, ...] = ()) -> list[str]:
    window = Window(start=as_utc(float(TIMES[0])), end=as_utc(float(TIMES[-1])))
    told = Telemetry(window=window, series=tuple(rows), edges=edges, reported_at=as_utc(float(AT)))
    return [c.service for c in rank_suspects(told).causes]


@pytest.mark.parametrize("unit", [1.0, 1000.0, 1e-6, 37.0])
def test_a_hundredfold_trifle_does_not_outrank_the_bulk_in_any_unit(unit: float) -> None:
    fleet = [series(f"s{i}", 0.2 * unit, 0.2 * unit) for i in range(6)]
    trifle, bulk = series("trifle", 0.0024 * unit, 0.35 * unit), series("bulk", 0.24 * unit, 13.7 * unit)
    assert ranked([*fleet, trifle, bulk])[0] == "bulk"


def test_what_does_not_add_up_keeps_its_score() -> None:
    rows = [series(f"s{i}", 1.0, 1.0, adds=i > 0) for i in range(4)]
    before, after = np.ones(4), np.array([2.0, 2.0, 101.0, 1.5])
    weights = amount_weights(Fleet.of(rows), before, after, np.ones(4, dtype=np.bool_))
    assert weights[0] == 1.0
    assert weights[2] == 1.0
    assert weights[1] == pytest.approx(0.1)
    assert weights[3] < weights[1]


def test_falls_are_compared_with_falls_and_two_services_are_no_fleet() -> None:
    rows = [series(f"s{i}", 1.0, 1.0) for i in range(4)]
    before, after = np.full(4, 100.0), np.array([300.0, 10.0, 91.0, 100.0])
    weights = amount_weights(Fleet.of(rows), before, after, np.array([True, False, False, False]))
    assert weights[1] == 1.0
    assert weights[2] == pytest.approx(np.sqrt(0.1))
    assert (amount_weights(Fleet.of(rows[:2]), before[:2], after[:2], np.ones(2, dtype=np.bool_)) == 1.0).all()


def test_without_a_baseline_it_says_so_and_ranks_by_how_the_recording_begins() -> None:
    settled = np.clip((TIMES - TIMES[0]) / 60.0, 0, 1)
    rng = np.random.default_rng(5)

    def ramp(service: str, family: Family, by: float) -> Series:
        values = (1 + by * settled) * rng.normal(1.0, 0.03, TIMES.size)
        return Series(
            service=service, indicator=f"{family} x", family=family, unit="", labels={}, times=TIMES, values=values
        )

    rows = [ramp(s, "cpu", by) for s, by in (("hit", 9.0), ("web", -0.7), ("db", -0.6), ("mail", -0.5))]
    rows += [ramp(s, "latency", by) for s, by in (("hit", 3.0), ("web", 3.0), ("db", 0.0), ("mail", 0.0))]
    told = Telemetry(
        window=Window(start=as_utc(float(TIMES[0])), end=as_utc(float(TIMES[-1]))),
        series=tuple(rows),
        edges=(Edge(caller="web", callee="hit"),),
        reported_at=as_utc(float(TIMES[1])),
    )
    ranking = rank_suspects(told)
    assert ranking.causes[0].service == "hit"
    assert ranking.causes[0].confidence == "low"
    assert any("nothing was measured before it" in gap for gap in ranking.gaps)
    bare = rank_suspects(Telemetry(window=told.window, series=(ramp("web", "cpu", 0.0),), reported_at=told.reported_at))
    assert not bare.quiet
