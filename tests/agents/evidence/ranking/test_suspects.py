"""Incidents of which somebody says roughly when they began, in any indicators."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents.evidence.digest import RANKING_TOKENS, estimate_tokens, render_ranking
from agents.evidence.ranking import bounds
from agents.evidence.ranking.causes import rank_causes
from agents.evidence.types import Change, LogLine, Series, Spans, Telemetry, Window, as_utc

T0 = 1_780_000_000.0
NAMES = ("ba", "ko", "ri", "mu", "te", "sa")


def resource_fault(made: Any, service: str, family: str, seed: int) -> Any:
    """Six services; one of them begins to burn processor time, or to fill memory, which costs some, too."""
    rows = []
    for n, name in enumerate(NAMES):
        sick = name == service
        cpu = made.stepped(2.0, 95.0, seed + n) if sick else made.stepped(2.0, 2.6, seed + n)
        fills = sick and family == "memory"
        memory = made.stepped(1e8, 7e8, seed + 50 + n) if fills else made.wavering(1e8, seed + 50 + n, share=0.01)
        rows += [made.row(name, "cpu", cpu), made.row(name, "memory", memory), made.row(name, "latency", cpu / 100)]
    return [replace(r, times=rows[0].times) for r in rows]


@pytest.mark.parametrize("wrong", [-60.0, 0.0, 60.0, 120.0])
@pytest.mark.parametrize("family", ["cpu", "memory"])
def test_the_service_and_the_kind_of_resource_are_named_whatever_time_was_told(
    made: Any, family: str, wrong: float
) -> None:
    telemetry = made.told(resource_fault(made, "ri", family, 3), reported=made.ONSET + wrong)
    ranking = rank_causes(telemetry)
    best = ranking.causes[0]
    assert (best.service, best.family, best.confidence) == ("ri", family, "high")
    assert ranking.onset is not None
    assert abs(ranking.onset.at.timestamp() - made.T0 - made.ONSET) <= 5


def test_a_report_near_the_beginning_of_the_recording_leaves_something_to_compare_with(made: Any) -> None:
    best = rank_causes(made.told(resource_fault(made, "ri", "cpu", 3), reported=made.ONSET - 120)).causes[0]
    assert (best.service, best.family) == ("ri", "cpu")


@pytest.mark.parametrize("seconds", [60.0, 200.0, 400.0])
def test_without_a_told_time_what_began_in_the_last_minutes_is_found(made: Any, seconds: float) -> None:
    rows = resource_fault(made, "ri", "cpu", 3)
    kept = rows[0].times <= made.T0 + made.ONSET + seconds
    times = rows[0].times[kept]
    told = made.told([replace(r, times=times, values=r.values[kept]) for r in rows])
    ranking = rank_causes(replace(told, reported_at=None))
    assert (ranking.causes[0].service, ranking.causes[0].confidence) == ("ri", "high")
    assert ranking.onset is not None
    assert abs(ranking.onset.at.timestamp() - made.T0 - made.ONSET) <= 5


def fleet_of(gone_by: float | None, unit: float) -> Telemetry:
    """Six services for an hour; one burns processor time from the 40th minute, until `gone_by` (seconds) if told."""
    rng = np.random.default_rng(7)
    times = 1.7e9 + 10.0 * np.arange(360)
    since = times - 1.7e9
    series = []
    for i in range(6):
        values = unit * rng.lognormal(0, 0.05, times.size)
        if i == 2:
            values[(since >= 2400) & (since < (gone_by or 1e9))] *= 6
        series.append(
            Series(
                service=f"s{i}", indicator="cores used", family="cpu", unit="", labels={}, times=times, values=values
            )
        )
    return Telemetry(window=Window(start=as_utc(1.7e9), end=as_utc(float(times[-1]))), series=tuple(series))


@pytest.mark.parametrize("unit", [1.0, 1e-4, 900.0])
def test_asked_live_what_is_over_for_long_is_not_named_and_what_lasts_is(unit: float) -> None:
    lasting = rank_causes(fleet_of(None, unit))
    assert lasting.causes[0].service == "s2"
    assert lasting.causes[0].confidence != "low"
    over = rank_causes(fleet_of(2700.0, unit))
    assert not over.causes or over.causes[0].confidence == "low"
    asked_about = rank_causes(replace(fleet_of(2700.0, unit), reported_at=as_utc(1.7e9 + 2430)))
    assert asked_about.causes[0].service == "s2"
    assert asked_about.causes[0].confidence != "low"


def one_server(changes: bool, seed: int, scale: float) -> Telemetry:  # noqa: FBT001
    """Half a minute of history and half a minute more of thirty gauges under names that say nothing."""
    rng = np.random.default_rng(seed)
    times = 1.7e9 + np.arange(70.0)
    series = []
    for i in range(30):
        values = scale * np.exp(rng.uniform(-4, 9)) * rng.lognormal(0, 0.3, times.size)
        if changes and i % 2:
            values[30:] *= 0.15 if i % 4 == 1 else 2.5
        series.append(
            Series(service="box", indicator=f"g{i}", family="other", unit="", labels={}, times=times, values=values)
        )
    return Telemetry(window=Window(start=as_utc(1.7e9), end=as_utc(1.7e9 + 69)), series=tuple(series))


@pytest.mark.parametrize("scale", [1.0, 1e-6, 1e5])
def test_one_server_whose_gauges_step_together_is_named_after_half_a_minute_of_history(scale: float) -> None:
    for seed in range(3):
        found = rank_causes(one_server(changes=True, seed=seed, scale=scale))
        assert found.causes[0].service == "box"
        assert found.causes[0].confidence == "medium"  # where it is was no question
        assert found.onset is not None
        assert abs(found.onset.at.timestamp() - 1.7e9 - 30) <= 5
        quiet = rank_causes(one_server(changes=False, seed=seed, scale=scale))
        assert not quiet.causes or quiet.causes[0].confidence == "low"


def test_without_a_told_time_quiet_minutes_are_quiet(made: Any) -> None:
    rows = [made.row(n, "cpu", made.wavering(5.0, 7 * i, share=0.2)) for i, n in enumerate(NAMES)]
    assert rank_causes(replace(made.told(rows), reported_at=None)).quiet


def test_removing_the_source_that_decides_lowers_the_confidence(made: Any) -> None:
    rows = resource_fault(made, "ri", "cpu", 3)
    without = made.told([r for r in rows if r.service != "ri"], edges=("ba>ri", "ba>ko"))
    causes = rank_causes(without).causes
    assert not causes or causes[0].confidence == "low"


def test_quiet_time_names_nobody(made: Any) -> None:
    alarms = 0
    for seed in range(30):
        rows = [made.row(n, f, made.wavering(5.0, seed * 100 + 7 * i + len(f), share=0.2)) for i, n in enumerate(NAMES)
                for f in ("cpu", "memory", "latency", "traffic")]  # fmt: skip
        causes = rank_causes(made.told(rows, reported=250.0 + 5 * seed)).causes
        alarms += bool(causes) and causes[0].confidence != "low"
    assert alarms <= 1


def test_an_alarm_is_followed_along_the_calls(made: Any) -> None:
    calls = np.full(made.LENGTH, 100.0)
    rows = []
    for n, (name, then) in enumerate((("web", 0.55), ("orders", 0.5), ("stock", 0.48), ("mail", 0.05))):
        rows += [
            made.row(name, "latency", made.stepped(0.05, then, n), indicator="latency average"),
            made.row(name, "traffic", calls, indicator="requests"),
        ]
    rows = [replace(r, times=rows[0].times) for r in rows]
    told = made.told(
        rows, edges=("web>orders", "orders>stock", "web>mail"), symptom_service="web", symptom_family="latency"
    )
    best = rank_causes(told).causes[0]
    assert (best.service, best.family, best.confidence) == ("stock", "latency", "high")
    assert best.anomalies[0].exemplar is not None
    assert "web" in best.anomalies[0].exemplar
    hidden = rank_causes(replace(told, series=tuple(r for r in told.series if r.service != "stock")))
    assert (hidden.causes[0].service, hidden.causes[0].confidence) == ("orders", "medium")
    assert "orders calls stock, which was not measured then" in hidden.gaps


def test_reference_rows_of_another_time_do_not_set_the_level(made: Any) -> None:
    """Two quiet rows of the incident's own recording, at another level than the reference of days before."""
    rows = []
    for n, (name, own, then) in enumerate((("web", 0.2, 0.6), ("stock", 0.1, 0.5), ("mail", 0.9, 0.9))):
        reference = made.wavering(0.1 if name != "mail" else 0.3, n, length=200)
        values = np.concatenate([reference, [own, own, then, then, then]])
        rows += [
            made.row(name, "latency", values, indicator="latency average", step=300.0),
            made.row(name, "traffic", np.full(205, 100.0), indicator="requests", step=300.0),
        ]
    rows = [replace(r, times=rows[0].times) for r in rows]
    told = made.told(
        rows,
        reported=202 * 300.0,
        edges=("web>stock", "web>mail"),
        symptom_service="web",
        symptom_family="latency",
        spliced=((made.T0, made.T0 + 199 * 300.0),),
    )
    assert rank_causes(told).causes[0].service == "stock"


def test_a_change_right_before_the_onset_is_named_with_its_service(made: Any) -> None:
    change = Change(id="c-1", service="ri", at=as_utc(made.T0 + made.ONSET - 30), kind="deployment")
    later = replace(change, id="c-2", at=change.at + timedelta(seconds=120))
    ranking = rank_causes(made.told(resource_fault(made, "ri", "cpu", 3), changes=(change, later)))
    best = ranking.causes[0].change
    assert best is not None
    assert best.change.id == "c-1"
    assert {f.change.id: f.verdict for f in ranking.changes}["c-2"] == "after_onset"


def test_the_digest_keeps_its_budget_and_its_order(made: Any) -> None:
    told = made.told(resource_fault(made, "ri", "cpu", 3), gaps=("the traces could not be read",))
    text = render_ranking(rank_causes(told))
    assert estimate_tokens(text) <= RANKING_TOKENS
    assert "1. ri [cpu]" in text
    assert "gap: the traces could not be read" in text
    backwards = replace(told, series=told.series[::-1])
    assert render_ranking(rank_causes(backwards)) == text


def test_a_fleet_too_large_is_looked_at_in_part_and_the_gap_is_named(
    made: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "MAX_SERIES", 6)
    told = made.told(resource_fault(made, "ri", "cpu", 3), edges=("ko>ri",), symptom_service="ri")
    ranking = rank_causes(told)
    assert ranking.gaps[0] == "only 6 of 18 series were looked at"
    assert ranking.causes[0].service == "ri"


def test_too_many_lines_are_cut_to_the_latest(made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "MAX_LINES", 5)
    lines = tuple(LogLine(time=as_utc(T0 + s), service="ri", level="INFO", text=f"beat {s}") for s in range(9))
    told = bounds.bound(made.told(resource_fault(made, "ri", "cpu", 3), logs=lines))
    assert [line.text for line in told.logs] == ["beat 4", "beat 5", "beat 6", "beat 7", "beat 8"]
    assert told.gaps == ("only the latest 5 of 9 log lines were looked at",)


def test_spans_that_end_before_the_onset_are_a_gap(made: Any) -> None:
    spans = Spans(
        ts=T0 + np.arange(50.0),
        service=np.zeros(50, dtype=np.int64),
        operation=np.zeros(50, dtype=np.int64),
        duration_s=np.full(50, 0.1),
        trace=np.arange(50),
        span=np.arange(50),
        parent=np.full(50, -1),
        services=("ri",),
        operations=("GET /",),
    )
    ranking = rank_causes(made.told(resource_fault(made, "ri", "cpu", 3), spans=spans))
    assert "no spans were recorded after the onset" in ranking.gaps
    assert ranking.causes[0].service == "ri"


numbers = st.floats(width=64)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.sampled_from(NAMES[:3]),
            st.sampled_from(["errors", "latency", "traffic", "memory", "cpu", "dependency_latency", "network", "log"]),
            st.lists(numbers, max_size=25),
            st.sampled_from(["", "ratio", "s"]),
            st.sampled_from([0.0, 1.0, 60.0, -5.0]),
        ),
        max_size=8,
    ),
    st.lists(st.tuples(numbers, st.integers(0, 2), numbers, st.integers(-1, 5)), max_size=12),
    st.lists(st.tuples(st.integers(-99, 499), st.text(max_size=20)), max_size=8),
    st.sampled_from([None, "ba", "nobody"]),
    st.booleans(),
)
def test_garbage_never_raises(rows: Any, calls: Any, lines: Any, symptom: str | None, live: Any) -> None:
    series = tuple(
        Series(
            service=s, indicator=f"{f} mean", family=f, unit=unit, labels={},
            times=T0 + step * np.arange(len(values), dtype=np.float64), values=np.array(values, dtype=float),
        )
        for s, f, values, unit, step in rows
    )  # fmt: skip
    size = len(calls)
    spans = Spans(
        ts=np.array([T0 + c[0] for c in calls], dtype=np.float64),
        service=np.array([c[1] for c in calls], dtype=np.int64),
        operation=np.zeros(size, dtype=np.int64),
        duration_s=np.array([c[2] for c in calls], dtype=np.float64),
        trace=np.arange(size) % 3,
        span=np.arange(size),
        parent=np.array([c[3] for c in calls], dtype=np.int64),
        services=NAMES[:3],
        operations=("GET /",),
    )
    telemetry = Telemetry(
        window=Window(start=as_utc(T0), end=as_utc(T0 + 600)),
        series=series,
        spans=spans if calls else None,
        logs=tuple(LogLine(time=as_utc(T0 + s), service="ba", level="ERROR", text=text) for s, text in lines),
        symptom_service=symptom,
        symptom_family="latency" if symptom else None,
        reported_at=None if live else as_utc(T0 + 300),
        coverage=((T0, T0 + 400),) if live else None,
        spliced=((T0, T0 + 100),),
    )
    assert estimate_tokens(render_ranking(rank_causes(telemetry))) <= RANKING_TOKENS
