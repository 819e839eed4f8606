from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from agents.evidence.metrics.indicators import derive_indicators
from agents.evidence.types import RawSeries, Series

T0 = 1_780_000_000.0


def named(found: list[Series], indicator: str, peer: str | None = None) -> Series:
    (one,) = [s for s in found if s.indicator == indicator and s.peer == peer]
    return one


def derive(*raw: RawSeries) -> list[Series]:
    return derive_indicators(raw, lambda r: r.labels["job"])


def test_a_counter_becomes_a_rate_and_survives_a_reset(raw: Any) -> None:
    values = np.concatenate([np.arange(50) * 4.0, 4.0 + np.arange(50) * 4.0])
    rate = named(derive(raw("http_requests_total", values, status="200")), "requests rate").values
    assert np.allclose(rate[15:], 4.0)


def test_the_error_ratio_counts_the_very_first_failure_of_a_new_label(raw: Any) -> None:
    good = raw("http_requests_total", np.arange(60) * 10.0, status="200")
    born = RawSeries(
        name=good.name,
        labels={"job": "svc", "status": "503"},
        kind="counter",
        times=good.times[30:],
        values=np.full(30, 100.0),
    )
    ratio = named(derive(good, born), "error ratio").values
    assert ratio[29] == 0
    assert ratio[30] == pytest.approx(0.5)


def test_a_client_error_status_is_not_an_error_of_the_service(raw: Any) -> None:
    found = derive(
        raw("http_requests_total", np.arange(60) * 10.0, status="200"),
        raw("http_requests_total", np.arange(60) * 10.0, status="404"),
    )
    assert np.nanmax(named(found, "error ratio").values) == 0


@pytest.mark.parametrize("status", ["500", "timeout", "connection_refused", "DeadlineExceeded"])
def test_failed_calls_to_a_peer_are_dependency_errors(raw: Any, status: str) -> None:
    found = derive(
        raw("rpc_client_requests_total", np.arange(60) * 3.0, peer="ledger", status="200"),
        raw("rpc_client_requests_total", np.arange(60) * 1.0, peer="ledger", status=status),
    )
    ratio = named(found, "error ratio", peer="ledger")
    assert ratio.family == "dependency_errors"
    assert ratio.values[-1] == pytest.approx(0.25)


def test_a_histogram_gives_mean_and_p95_overall_and_per_route(raw: Any) -> None:
    seconds = np.arange(60.0)
    rows = []
    for route, slow in (("/a", 0.0), ("/b", 1.0)):
        for bound, share in (("0.1", 1 - slow), ("1", 1.0), ("+Inf", 1.0)):
            rows.append(raw("http_request_duration_seconds_bucket", 20 * seconds * share, le=bound, route=route))
        rows.append(raw("http_request_duration_seconds_sum", seconds * (1.0 + 9 * slow), route=route))
        rows.append(raw("http_request_duration_seconds_count", 20 * seconds, route=route))
    found = derive(*rows)
    assert named(found, "latency /a mean").values[-1] == pytest.approx(0.05)
    assert named(found, "latency /b mean").values[-1] == pytest.approx(0.5)
    assert named(found, "latency /a p95").values[-1] == pytest.approx(0.095)
    assert 0.9 < named(found, "latency p95").values[-1] <= 1.0
    assert named(found, "requests rate").values[-1] == pytest.approx(40.0)


def test_milliseconds_become_seconds(raw: Any) -> None:
    found = derive(
        raw("request_latency_ms_sum", np.arange(60) * 500.0), raw("request_latency_ms_count", np.arange(60) * 10.0)
    )
    mean = named(found, "latency mean")
    assert mean.unit == "s"
    assert mean.values[-1] == pytest.approx(0.05)


def test_own_time_leaves_out_calls_to_services_but_not_the_database(raw: Any) -> None:
    seconds = np.arange(60.0)
    found = derive(
        raw("http_request_duration_seconds_sum", 10 * seconds * 0.5),
        raw("http_request_duration_seconds_count", 10 * seconds),
        raw("http_client_request_duration_seconds_sum", 10 * seconds * 0.3, peer="stock"),
        raw("http_client_request_duration_seconds_count", 10 * seconds, peer="stock"),
        raw("db_query_duration_seconds_sum", 10 * seconds * 0.1),
        raw("db_query_duration_seconds_count", 10 * seconds),
    )
    assert named(found, "own time mean").values[-1] == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("used", "limit"),
    [
        ("db_pool_in_use", "db_pool_size"),
        ("process_open_fds", "process_max_fds"),
        ("worker_connections_active", "worker_connections_limit"),
    ],
)
def test_a_gauge_with_a_limit_becomes_a_share(raw: Any, used: str, limit: str) -> None:
    found = derive(raw(used, np.full(30, 6.0), "gauge"), raw(limit, np.full(30, 8.0), "gauge"))
    share = named(found, f"{used} share of limit")
    assert share.family == "saturation"
    assert share.values[-1] == pytest.approx(0.75)


def test_restarts_are_counted_from_the_start_time_and_without_it_from_resets(raw: Any) -> None:
    start = np.where(np.arange(60) < 30, T0 - 100, T0 + 30)
    told = derive(raw("process_start_time_seconds", start, "gauge"))
    assert named(told, "restarts").values[-1] == 1
    saw = np.concatenate([np.arange(1, 31), np.arange(1, 31)]).astype(float)
    seen = derive(raw("jobs_done_total", saw), raw("things_total", saw * 3))
    assert named(seen, "restarts").values[-1] == 1


def test_two_instances_are_added(raw: Any) -> None:
    rows = [
        raw("http_requests_total", np.arange(60) * 5.0, status="200", instance="a"),
        raw("http_requests_total", np.arange(60) * 7.0, status="200", instance="b"),
    ]
    assert named(derive(*rows), "requests rate").values[-1] == pytest.approx(12.0)


@pytest.mark.parametrize("step", [1.0, 5.0, 15.0, 60.0])
def test_rates_do_not_depend_on_the_sampling_interval(raw: Any, step: float) -> None:
    found = derive(raw("http_requests_total", np.arange(40) * 3.0 * step, step=step, status="200"))
    assert named(found, "requests rate").values[-1] == pytest.approx(3.0)


def test_a_longer_gap_is_unknown_and_not_zero(raw: Any) -> None:
    whole = raw("http_requests_total", np.arange(100) * 2.0, status="200")
    kept = (whole.times < T0 + 40) | (whole.times > T0 + 70)
    holed = RawSeries(
        name=whole.name, labels=whole.labels, kind="counter", times=whole.times[kept], values=whole.values[kept]
    )
    beside = raw("process_resident_memory_bytes", np.full(100, 1e8), "gauge")
    rate = named(derive(holed, beside), "requests rate").values
    assert np.isnan(rate[60])
    assert np.isfinite(rate[95])


NAMES = st.sampled_from(
    ["http_requests_total", "a_bucket", "a_sum", "a_count", "db_pool_in_use", "db_pool_size", "up", "x", "mem_bytes",
     "process_start_time_seconds", "request_duration_seconds_bucket", "request_duration_seconds_sum", "_", ""]
)  # fmt: skip
NUMBERS = hnp.arrays(np.float64, st.integers(0, 12), elements=st.floats(width=64))


def test_times_closer_than_any_clock_ticks_are_no_grid() -> None:
    times = np.array([-2.2e-309, 0.0])
    rows = [RawSeries(name="http_requests_total", kind="counter", labels={"job": "a"}, times=times, values=np.zeros(2))]
    assert isinstance(derive_indicators(rows, lambda r: r.labels["job"]), list)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.tuples(NAMES, st.sampled_from(["counter", "gauge", "histogram_bucket", "unknown"]), NUMBERS, NUMBERS,
                  st.dictionaries(st.sampled_from(["le", "status", "route", "peer", "instance", "quantile"]),
                                  st.sampled_from(["", "500", "0.5", "+Inf", "NaN", "x"]))),
        max_size=8,
    )
)  # fmt: skip
def test_garbage_never_raises(rows: list[Any]) -> None:
    raw = [RawSeries(name=n, kind=k, times=t, values=v, labels={**lab, "job": "s"}) for n, k, t, v, lab in rows]
    for found in derive_indicators(raw, lambda r: r.labels["job"]):
        assert found.times.shape == found.values.shape


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.randoms(use_true_random=False))
def test_the_order_of_the_input_does_not_matter(simulate: Any, shuffler: Any) -> None:
    rows = list(simulate("slow", 1, seconds=60, onset=40).raw)
    expected = derive(*rows)
    shuffler.shuffle(rows)
    found = derive(*rows)
    assert [(s.service, s.indicator, s.peer) for s in found] == [(s.service, s.indicator, s.peer) for s in expected]
    assert all(np.array_equal(a.values, b.values, equal_nan=True) for a, b in zip(found, expected, strict=True))


def test_disordered_and_doubled_samples_are_put_right(raw: Any) -> None:
    tidy = raw("http_requests_total", np.arange(50) * 2.0, status="200")
    order = np.random.default_rng(1).permutation(50)
    untidy = RawSeries(
        name=tidy.name,
        labels=tidy.labels,
        kind="counter",
        times=np.concatenate([tidy.times[order], tidy.times[:5], [np.nan]]),
        values=np.concatenate([tidy.values[order], tidy.values[:5], [1.0]]),
    )
    assert np.allclose(named(derive(untidy), "requests rate").values[12:], 2.0)


def test_a_restart_that_is_over_falls_back_to_zero(raw: Any) -> None:
    found = derive(raw("process_start_time_seconds", np.where(np.arange(120) < 30, T0 - 100, T0 + 30), "gauge"))
    assert [named(found, "restarts").values[second] for second in (20, 40, 110)] == [0, 1, 0]
