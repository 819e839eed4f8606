"""Readings by service over all sources: in full precision, on one grid, and three kinds of no."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from agents.connecting.connector import Check, Connector, ConnectorConfig, LogsRead, SeriesRead, Service
from agents.connecting.toolbox import Toolbox
from agents.errors import BadArguments
from agents.evidence.types import LogLine, RawKind, RawSeries, Window
from agents.investigation.reading_tools import ReadingTools
from agents.processes.evidence_pool import EvidencePool
from agents.rows import Logged, Moved, Sampled, Searched, Unread
from agents.tool import Tool, ToolOutput

NOW = datetime(2026, 11, 3, 2, 40, tzinfo=UTC)
SERVICES = (Service(name="web"), Service(name="orders"))


class Meter(Connector):
    """A counter, a gauge, a histogram, and calls to another service that fail for the last five minutes."""

    name = "meter"
    title = "Meter"
    config_model = ConnectorConfig

    def __init__(self, *, broken: bool = False) -> None:
        self._broken = broken

    async def check(self) -> Check:
        return Check(ok=True, detail="here")

    async def read_series(self, window: Window, services: Sequence[str] | None = None) -> SeriesRead:
        if self._broken:
            return SeriesRead(series=(), gaps=("Meter is down",))
        end = window.end.timestamp()
        times = np.arange(window.start.timestamp(), end + 1, 10.0)
        late = times > end - 300

        def series(name: str, kind: RawKind, values: np.ndarray, **labels: str) -> RawSeries:
            return RawSeries(name=name, labels={"service": "web", **labels}, kind=kind, times=times, values=values)

        steps = np.arange(times.size, dtype=float)
        buckets = [
            series("latency_seconds_bucket", "histogram_bucket", steps * share, le=le)
            for le, share in (("0.1", 50.0), ("0.5", 95.0), ("+Inf", 100.0))
        ]
        failed = np.cumsum(np.where(late, 8.0, 0.0))
        calls = [
            series("client_requests_total", "counter", steps * 20, peer="orders", status="200"),
            series("client_requests_total", "counter", failed, peer="orders", status="504"),
        ]
        return SeriesRead(
            series=(
                series("http_requests_total", "counter", steps * 25, status="200"),
                series("pool_in_use", "gauge", np.where(late, 5.0, 1.0)),
                *buckets,
                series("latency_seconds_sum", "counter", steps * 20.0),
                series("latency_seconds_count", "counter", steps * 100.0),
                *calls,
            )
        )


class Lines(Connector):
    name = "lines"
    title = "Lines"
    config_model = ConnectorConfig

    def __init__(self) -> None:
        pass

    async def check(self) -> Check:
        return Check(ok=True, detail="here")

    async def read_logs(self, window: Window, services: Sequence[str] | None = None) -> LogsRead:
        def line(second: int, level: str, text: str) -> LogLine:
            return LogLine(time=NOW - timedelta(seconds=second), service="web", level=level, text=text)

        return LogsRead(
            lines=[
                *(line(500 - n, "info", f"served /cart in {n} ms") for n in range(300)),
                *(line(100 - n, "error", f"pool exhausted after {n} s") for n in range(7)),
            ]
        )


def reading(pool: EvidencePool, *connectors: Connector) -> dict[str, Tool]:
    toolbox = Toolbox(connectors=connectors, services=SERVICES)
    return {one.name: one for one in ReadingTools(toolbox=toolbox, pool=pool, now=lambda: NOW).tools()}


async def read(pool: EvidencePool, tool: str, *connectors: Connector, **arguments: object) -> ToolOutput:
    one = reading(pool, *(connectors or (Meter(), Lines())))[tool]
    return await one.run(one.parse({"service": "web", **arguments}))


@pytest.mark.parametrize(
    ("metric", "shown", "value"),
    [
        ("http_requests_total", "rate", 2.5),
        ("latency_seconds", "rate", 10.0),
        ("latency_seconds", "mean", 0.2),
        ("latency_seconds", "p95", 0.5),
    ],
)
async def test_counters_and_histograms_are_read_as_what_was_asked(
    pool: EvidencePool, metric: str, shown: str, value: float
) -> None:
    found = await read(pool, "metric_window", name=metric, shown=shown)
    (row,) = [row for row in found.rows if isinstance(row, Sampled)]
    assert [round(v, 6) for _, v in row.points] == [value] * len(row.points)
    assert len(row.points) == 30


async def test_a_gauge_is_a_mean_and_no_rate(pool: EvidencePool) -> None:
    found = await read(pool, "metric_window", name="pool_in_use", shown="mean")
    (row,) = [row for row in found.rows if isinstance(row, Sampled)]
    assert [row.points[0][1], row.points[-1][1]] == [1.0, 5.0]
    refused = await read(pool, "metric_window", name="pool_in_use", shown="rate")
    assert "is a gauge: ask for mean or p95" in refused.text


async def test_a_name_that_is_not_there_answers_with_those_that_are(pool: EvidencePool) -> None:
    found = await read(pool, "metric_window", name="latency")
    assert found.text == "no series of that name and labels; web has: latency_seconds"
    assert [row.found for row in found.rows if isinstance(row, Searched)] == [0]


async def test_labels_choose_the_series(pool: EvidencePool) -> None:
    found = await read(pool, "metric_window", name="client_requests_total", labels={"status": "504"}, shown="count")
    (row,) = [row for row in found.rows if isinstance(row, Sampled)]
    assert (row.points[0][1], row.points[-1][1]) == (0.0, 24.0)


async def test_calls_to_others_before_and_since(pool: EvidencePool) -> None:
    found = await read(pool, "call_health", since_minutes=5)
    rows = {row.indicator: row for row in found.rows if isinstance(row, Moved)}
    assert {row.peer for row in rows.values()} == {"orders"}
    ratio = next(row for name, row in rows.items() if "error ratio" in name)
    assert (ratio.before, ratio.now > 0.2) == (0.0, True)
    none = await read(pool, "call_health", service="orders")
    assert none.text == "no calls to others are measured"


async def test_lines_are_grouped_worst_first(pool: EvidencePool) -> None:
    found = await read(pool, "log_groups")
    rows = [row for row in found.rows if isinstance(row, Logged)]
    assert [(row.level, row.count) for row in rows] == [("error", 7), ("info", 300)]
    assert rows[0].first == NOW - timedelta(seconds=100)
    assert found.text.startswith("307 lines of web, 2 patterns: level,count,first,last,example\nerror,7,02:38:20")
    only = await read(pool, "log_groups", level="warning", grep="POOL")
    assert [row.count for row in only.rows if isinstance(row, Logged)] == [7]
    assert (await read(pool, "log_groups", grep="nothing")).text == "no matching lines"


async def test_what_could_not_be_read_is_no_absence(pool: EvidencePool) -> None:
    found = await read(pool, "metric_window", Meter(broken=True), name="x")
    assert [type(row) for row in found.rows] == [Unread]
    assert found.text == "could not look: no metric of web was read"
    assert "Meter is down" in (found.gap or "")


async def test_bad_input_is_told_what_is_right(pool: EvidencePool) -> None:
    for wrong, right in (
        ({"service": "ordres"}, "did you mean orders?"),
        ({"start": NOW.isoformat(), "end": (NOW - timedelta(hours=1)).isoformat()}, "start must be before end"),
        ({"minutes": 10, "since_minutes": 10}, "since_minutes must be less"),
    ):
        with pytest.raises(BadArguments, match=right):
            await read(pool, "call_health", **wrong)


def test_tools_that_no_source_answers_are_not_offered(pool: EvidencePool) -> None:
    assert set(reading(pool, Lines())) == {"log_groups"}
    assert set(reading(pool, Meter())) == {"metric_window", "call_health"}
