"""Names of the common worlds, and what samples tell where a name does not."""

import numpy as np
import pytest

from agents.evidence.metrics.meaning import as_indicator, as_indicators, read_group, read_name

# name: kind, unit, the direction that hurts
NAMES = {
    # OpenTelemetry
    "http.server.request.duration": ("latency", "", "up"),
    "db.client.connection.pending_requests": ("pool", "count", "up"),
    "process.cpu.utilization": ("cpu", "ratio", "up"),
    "system.memory.utilization": ("memory", "ratio", "up"),
    # Prometheus exporters
    "node_cpu_seconds_total": ("cpu", "cores", "up"),
    "node_memory_MemAvailable_bytes": ("memory", "bytes", "down"),
    "node_memory_MemTotal_bytes": ("limit", "bytes", None),
    "node_filesystem_avail_bytes": ("disk", "bytes", "down"),
    "node_load1": ("cpu", "", "up"),
    "container_cpu_cfs_throttled_seconds_total": ("throttling", "s/s", "up"),
    "container_memory_working_set_bytes": ("memory", "bytes", "up"),
    "kube_deployment_status_replicas_available": ("members", "count", "down"),
    "kube_pod_container_status_restarts_total": ("restarts", "/s", "up"),
    "kafka_consumergroup_lag": ("queue", "count", "up"),
    "pg_stat_replication_lag_seconds": ("queue", "s", "up"),
    "process_open_fds": ("files", "count", "up"),
    "process_max_fds": ("limit", "", None),
    "probe_ssl_earliest_cert_expiry": ("certificate", "", "down"),
    "redis_connected_clients": ("pool", "count", "up"),
    "up": ("availability", "", "down"),
    "job:http_requests:rate5m": ("requests", "/s", None),
    # CloudWatch
    "CPUUtilization": ("cpu", "ratio", "up"),
    "FreeableMemory": ("memory", "", "down"),
    "DatabaseConnections": ("pool", "count", "up"),
    "TargetResponseTime": ("latency", "", "up"),
    "HTTPCode_Target_5XX_Count": ("errors", "/s", "up"),
    "ApproximateNumberOfMessagesVisible": ("queue", "count", "up"),
    "BurstBalance": ("quota", "", "down"),
    "HealthyHostCount": ("members", "count", "down"),
    # Datadog, StatsD, Micrometer
    "trace.http.request.duration.by.service.99p": ("latency", "", "up"),
    "trace.servlet.request.errors": ("errors", "", "up"),
    "stats.timers.login.mean": ("latency", "s", "up"),
    "jvm_gc_pause_seconds_max": ("runtime", "s", "up"),
    "jvm_memory_used_bytes": ("memory", "bytes", "up"),
    "jvm_memory_max_bytes": ("limit", "bytes", None),
    "hikaricp_connections_active": ("pool", "count", "up"),
    "hikaricp_connections_idle": ("pool", "count", None),
    # as people write them
    "http_server_duration_p99_ms": ("latency", "s", "up"),
    "error_rate_5xx_ratio": ("errors", "ratio", "up"),
    "checkout_error_rate_pct": ("errors", "ratio", "up"),
    "requests_per_sec": ("requests", "/s", None),
    "parcels_delivered_per_min": ("requests", "/s", None),
    "cache_hit_ratio": ("cache", "ratio", "down"),
    "Usage of memory (MiB)": ("memory", "bytes", "up"),
}


@pytest.mark.parametrize("name", NAMES)
def test_a_name_tells_kind_unit_and_the_bad_direction(name: str) -> None:
    meaning = read_name(name)
    assert (meaning.kind, meaning.unit, meaning.bad) == NAMES[name]


def test_units_scale_to_the_engine_s_own() -> None:
    assert read_name("wait_p95_ms").scale == pytest.approx(1e-3)
    assert read_name("flushed_per_min").scale == pytest.approx(1 / 60)
    assert read_name("Usage of memory (MiB)").scale == 2.0**20
    assert read_name("latency", unit="us").scale == pytest.approx(1e-6)


def test_calls_to_others_are_told_apart() -> None:
    assert read_name("http_client_error_rate_pct").family == "dependency_errors"
    assert read_name("http.client.request.duration").family == "dependency_latency"
    assert read_name("http_server_client_errors").family == "errors"


def test_what_the_name_does_not_say_stays_open() -> None:
    meaning = read_name("frobnications")
    assert (meaning.kind, meaning.known, meaning.bad) == ("other", False, None)


def rng() -> np.random.Generator:
    return np.random.default_rng(3)


def test_a_series_that_only_rises_is_cumulative_and_one_named_so_that_falls_is_not() -> None:
    rising = [np.cumsum(rng().poisson(20, 60)).astype(float) for _ in range(3)]
    assert read_group("frobnications", rising).shape == "counter"
    assert read_group("orders_total", rising).shape == "counter"
    assert read_group("orders_total", [rng().poisson(20, 60).astype(float) for _ in range(3)]).shape == "rate"
    assert read_group("disk_used", rising).shape != "counter"


def test_a_reset_does_not_hide_a_counter() -> None:
    value = np.cumsum(np.full(60, 5.0))
    value[30:] -= value[30] - 5.0
    assert read_group("jobs", [value, value]).shape == "counter"


def test_percent_and_share_are_told_apart_by_the_fleet() -> None:
    share = [rng().uniform(0.1, 0.6, 40), rng().uniform(0.2, 0.9, 40)]
    assert read_group("cpu_utilization", share).scale == 1.0
    assert read_group("cpu_utilization", [*share[:1], 100 * share[1]]).scale == pytest.approx(0.01)
    assert read_group("error_rate", share).unit == "ratio"
    assert read_group("error_rate", [300 * s for s in share]).unit != "ratio"


def test_latency_without_a_unit_is_told_by_its_size() -> None:
    assert read_group("response_time", [rng().uniform(80, 300, 40)]).scale == pytest.approx(1e-3)
    assert read_group("response_time", [rng().uniform(0.08, 0.3, 40)]).scale == 1.0


def test_what_somebody_scaled_by_its_own_extremes_has_no_amount() -> None:
    def scaled(seed: int) -> np.ndarray:
        value = np.random.default_rng(seed).uniform(3, 9, 40)
        return np.asarray((value - value.min()) / (value.max() - value.min()))

    meaning = read_group("cpu", [scaled(i) for i in range(6)])
    assert (meaning.shape, meaning.adds) == ("scaled", False)
    assert read_group("cpu", [rng().uniform(0, 1, 40) for _ in range(6)]).shape != "scaled"


def test_a_level_that_is_zero_now_and_large_then_is_the_rate_of_one() -> None:
    growth = [np.where(rng().random(60) < 0.4, 0.0, rng().uniform(1e5, 1e7, 60)) for _ in range(4)]
    assert read_group("memory_bytes", growth).shape == "growth"
    assert read_group("memory_bytes", [rng().normal(3e8, 1e6, 60) for _ in range(4)]).shape != "growth"


def test_indicators_are_rates_shares_that_failed_and_time_left() -> None:
    times = np.arange(60) * 15.0 + 1.8e9
    counted = as_indicator("api", "orders_total", read_name("orders_total"), times, np.arange(60) * 30.0)
    assert np.nanmedian(counted.values) == pytest.approx(2.0)
    well = np.full(60, 99.0)
    failed = as_indicator("api", "availability", read_group("availability", [well]), times, well)
    assert (failed.family, failed.bad) == ("errors", "up")
    assert failed.values[0] == pytest.approx(0.01)
    ends = np.full(60, times[-1] + 600.0)
    left = as_indicator("api", "cert_expiry", read_name("cert_expiry"), times, ends)
    assert left.values[-1] == pytest.approx(600.0)
    assert left.bad == "down"


def test_what_a_service_reports_of_its_machine_is_not_its_own() -> None:
    times = np.arange(20) * 60.0
    busy = rng().uniform(0.2, 0.4, 20)
    found = as_indicators(
        [
            ("api", "node_cpu_ratio", times, busy),
            ("api", "cpu_ratio", times, busy),
            ("n1", "node_cpu_ratio", times, busy),
        ]
    )
    assert [s.family for s in found] == ["other", "cpu", "cpu"]
