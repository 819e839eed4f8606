"""Calls that are made together read the sources once; later ones read afresh."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from fakes.bench_traces import BenchTraces

from agents.connecting.connector import (
    ChangesRead,
    Check,
    Connector,
    ConnectorConfig,
    Diff,
    LogsRead,
    SeriesRead,
    Service,
)
from agents.connecting.toolbox import Toolbox
from agents.errors import BadArguments
from agents.evidence.digest import estimate_tokens
from agents.evidence.types import Change, RawSeries, Window
from agents.investigation.investigation_tools import (
    BreakdownArguments,
    CompareArguments,
    DiffArguments,
    InvestigationTools,
    SiblingArguments,
    StoredResult,
    WindowArguments,
)
from agents.investigation.telemetry import Gathered
from agents.processes.evidence_pool import EvidencePool
from agents.processes.evidence_worker import Overran
from agents.rows import Altered, Sampled


class Counting(Connector):
    """A metrics source that counts how often it is read."""

    name = "counting"
    title = "Counting metrics"
    config_model = ConnectorConfig

    def __init__(self) -> None:
        self.reads = 0

    async def check(self) -> Check:
        return Check(ok=True, detail="")

    async def read_series(self, window: Window, services: Any = None) -> SeriesRead:
        self.reads += 1
        await asyncio.sleep(0)
        times = np.arange(window.start.timestamp(), window.end.timestamp(), 60.0)
        labels = {"service": "checkout"}
        return SeriesRead(
            series=(RawSeries(name="up", labels=labels, kind="gauge", times=times, values=np.ones(times.size)),)
        )


@pytest.fixture
async def pool() -> AsyncIterator[EvidencePool]:
    pool = EvidencePool()
    yield pool
    pool.close()


class Windows(Counting):
    """Remembers which windows are read."""

    def __init__(self) -> None:
        super().__init__()
        self.minutes: list[float] = []

    async def read_series(self, window: Window, services: Any = None) -> SeriesRead:
        self.minutes.append((window.end - window.start).total_seconds() / 60)
        return await super().read_series(window)


class Latencies(Connector):
    """A histogram without callers: payments answers in 20 ms, and in 500 ms in the window's last minute."""

    name = "latencies"
    title = "Latencies"
    config_model = ConnectorConfig

    def __init__(self) -> None:
        pass

    async def check(self) -> Check:
        return Check(ok=True, detail="")

    async def read_series(self, window: Window, services: Any = None) -> SeriesRead:
        times = np.arange(window.start.timestamp(), window.end.timestamp(), 5.0)
        slow = times >= (window.end - timedelta(minutes=1)).timestamp()
        count = np.arange(times.size) * 50.0
        below = {"0.025": np.cumsum(np.where(slow, 0.0, 50.0)), "0.5": count, "+Inf": count}
        return SeriesRead(
            series=tuple(
                RawSeries(
                    name="http_request_duration_seconds_bucket",
                    labels={"service": "payments", "le": bound},
                    kind="histogram_bucket",
                    times=times,
                    values=values,
                )
                for bound, values in below.items()
            )
        )


async def nothing_stored() -> Sequence[StoredResult]:
    return ()


async def test_calls_made_together_share_one_read_and_later_ones_read_again(pool: EvidencePool) -> None:
    moments = [datetime(2026, 3, 1, 12, tzinfo=UTC)]
    source = Counting()
    toolbox = Toolbox(connectors=(source,), services=())
    tools = InvestigationTools(toolbox=toolbox, pool=pool, now=lambda: moments[-1], stored=nothing_stored)
    await asyncio.gather(tools.rank_causes(WindowArguments()), tools.what_changed(WindowArguments()))
    assert source.reads == 1
    await tools.rank_causes(WindowArguments(minutes=20))
    assert source.reads == 2
    moments.append(moments[-1] + timedelta(seconds=30))
    await tools.rank_causes(WindowArguments())
    assert source.reads == 3


@pytest.mark.slow
@pytest.mark.parametrize(("since", "read"), [(None, 10), (1, 11), (4, 14), (25, 50), (90, 150), (1440, 1500)])
async def test_what_began_a_while_ago_is_read_with_enough_of_the_time_before(
    pool: EvidencePool, since: int | None, read: int
) -> None:
    source = Windows()
    toolbox = Toolbox(services=(), connectors=(source,))
    tools = InvestigationTools(toolbox=toolbox, pool=pool, now=lambda: datetime.now(UTC), stored=nothing_stored)
    await tools.rank_causes(WindowArguments(since_minutes=since))
    assert source.minutes == [read]


async def test_two_windows_of_the_same_length_are_compared(pool: EvidencePool) -> None:
    source = Counting()
    now = datetime(2026, 3, 1, 12, tzinfo=UTC)
    tools = InvestigationTools(toolbox=Toolbox(connectors=(source,)), pool=pool, now=lambda: now, stored=nothing_stored)
    output = await tools.compare_windows(CompareArguments(minutes=10, ago_minutes=5))
    assert source.reads == 2
    assert output.text.splitlines()[0] == ("01 Mar 11:50:00 to 12:00:00 compared with 01 Mar 11:40:00 to 11:50:00, UTC")
    assert output.summary == "no indicator is worse"


class Impatient(EvidencePool):
    """Ends every job that has log lines in it."""

    async def run(self, function: Any, /, *args: Any, **kwargs: Any) -> Any:
        if any(isinstance(one, Gathered) and one.logs for one in args):
            raise Overran("this took more than 20 s of computing and was given up")
        return await super().run(function, *args, **kwargs)


class Logs(Counting):
    title = "Log files"

    async def read_logs(self, window: Window, services: Sequence[str] | None = None) -> LogsRead:
        return LogsRead(lines=())


async def test_what_is_too_much_to_work_out_is_answered_from_metrics_and_changes_and_says_so() -> None:
    with closing(Impatient()) as pool:
        toolbox = Toolbox(connectors=(Logs(), Latencies()), services=(Service(name="payments"),))
        tools = InvestigationTools(toolbox=toolbox, pool=pool, now=lambda: datetime.now(UTC), stored=nothing_stored)
        output = await tools.rank_causes(WindowArguments())
    assert "payments" in output.text
    assert output.gap is not None
    assert "logs and traces not used: this took more than 20 s" in output.gap


def with_traces(pool: EvidencePool, *connectors: Connector) -> InvestigationTools:
    now = datetime(2026, 3, 1, 12, tzinfo=UTC)
    services = (Service(name="checkout", depends_on=("payments",)), Service(name="payments"), Service(name="search"))
    toolbox = Toolbox(connectors=connectors, services=services)
    return InvestigationTools(toolbox=toolbox, pool=pool, now=lambda: now, stored=nothing_stored)


def test_a_breakdown_is_offered_where_traces_are_connected(pool: EvidencePool) -> None:
    offered = [tool.name for tool in with_traces(pool, BenchTraces()).tools()]
    assert "trace_breakdown" in offered
    assert offered == sorted(offered)
    without = [tool.name for tool in with_traces(pool, Counting()).tools()]
    assert without == [name for name in offered if name != "trace_breakdown"]


async def test_a_breakdown_shows_where_the_time_goes(pool: EvidencePool) -> None:
    tools = with_traces(pool, BenchTraces(gaps=("a part was not read",)))
    output = await tools.trace_breakdown(BreakdownArguments(service="checkout"))
    lines = output.text.splitlines()
    assert lines[0].startswith("checkout: 32ms -> 5")
    assert lines[1].startswith("most of the added time: calls to payments, 22ms -> ")
    assert output.summary == "checkout: most of the added time is calls to payments"
    assert output.gap == "a part was not read"
    assert output.facts["traces"]
    assert all(trace in output.text for trace in output.facts["traces"])
    assert estimate_tokens(output.text) <= 400
    again = await tools.trace_breakdown(BreakdownArguments(service="checkout"))
    assert again.text == output.text


async def test_a_breakdown_of_what_was_not_recorded_says_so_in_its_own_words(pool: EvidencePool) -> None:
    tools = with_traces(pool, BenchTraces())
    for arguments in (
        BreakdownArguments(service="search"),
        BreakdownArguments(service="checkout", operation="all is well"),
        BreakdownArguments(service="checkout", operation="POST /charge"),
    ):
        output = await tools.trace_breakdown(arguments)
        assert output.text == "no such requests were recorded in this window"
    named = await tools.trace_breakdown(BreakdownArguments(service="payments", operation="POST /charge"))
    assert named.text.startswith("payments POST /charge: ")
    with pytest.raises(BadArguments, match="not a declared service"):
        await tools.trace_breakdown(BreakdownArguments(service="nobody"))


async def test_windows_are_compared_without_reading_traces(pool: EvidencePool) -> None:
    source = BenchTraces()
    await with_traces(pool, source).compare_windows(CompareArguments())
    assert source.reads == 0


async def test_what_traces_show_is_measured_by_a_metric_where_one_shows_it_too(pool: EvidencePool) -> None:
    alone = await with_traces(pool, BenchTraces()).rank_causes(WindowArguments())
    assert alone.facts["causes"][0]["service"] == "payments"
    assert alone.facts["symptom"]["indicator"].startswith("trace:")
    both = await with_traces(pool, BenchTraces(), Latencies()).rank_causes(WindowArguments())
    assert both.facts["causes"][0]["service"] == "payments"
    symptom = both.facts["symptom"]
    assert (symptom["service"], symptom["family"], symptom["unit"]) == ("payments", "latency", "seconds")
    assert not symptom["indicator"].startswith("trace:")
    assert symptom["before"] < 0.05 < symptom["now"]


class Ovens(Connector):
    """The memory of three pods, one of which holds nine times as much as the others, and of a service without pods."""

    name = "ovens"
    title = "Ovens"
    config_model = ConnectorConfig

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...] | None] = []

    async def check(self) -> Check:
        return Check(ok=True, detail="")

    async def read_series(self, window: Window, services: Any = None) -> SeriesRead:
        self.asked.append(services)
        times = np.arange(window.start.timestamp(), window.end.timestamp(), 15.0)
        levels = {"p1": 1e8, "p2": 1.1e8, "p3": 9e8}
        rows = [
            RawSeries(
                name="heap_used_bytes",
                labels={"service": "checkout", "pod": pod},
                kind="gauge",
                times=times,
                values=level * (1 + 0.01 * np.sin(times)),
            )
            for pod, level in levels.items()
        ]
        alone = RawSeries(
            name="heap_used_bytes", labels={"service": "search"}, kind="gauge", times=times, values=np.sin(times) + 5e8
        )
        return SeriesRead(series=(*rows, alone))


async def test_siblings_are_read_of_one_service_and_told_with_their_samples(pool: EvidencePool) -> None:
    source = Ovens()
    tools = with_traces(pool, source)
    output = await tools.compare_siblings(SiblingArguments(service="checkout"))
    assert output.text.splitlines()[0] == "checkout: 3 pods, 1 of 3 unlike the rest"
    assert output.facts["apart"] == ["p3"]
    sampled = [row for row in output.rows if isinstance(row, Sampled)]
    assert {row.labels["pod"] for row in sampled} == {"p1", "p2", "p3"}
    assert all(len(row.points) <= 40 for row in sampled)
    assert source.asked == [("checkout",)]
    none = await tools.compare_siblings(SiblingArguments(service="search"))
    assert none.text == "no series that tells its pods, instances or hosts apart"
    with pytest.raises(BadArguments, match="not a declared service"):
        await tools.compare_siblings(SiblingArguments(service="nobody"))


async def test_days_are_read_as_metrics_alone_and_that_is_said(pool: EvidencePool) -> None:
    traced, metrics = BenchTraces(), Windows()
    output = await with_traces(pool, traced, metrics).rank_causes(WindowArguments(minutes=4 * 1440))
    assert metrics.minutes == [4 * 1440]
    assert traced.reads == 0
    assert output.gap is not None
    assert "logs and traces are not read over more than a day" in output.gap


class Deployed(Connector):
    """Tells of one deployment, and knows the versions in `texts`."""

    name = "deployed"
    title = "Deployed"
    config_model = ConnectorConfig

    def __init__(self, change: Change, texts: Mapping[tuple[str, str], str]) -> None:
        self.change, self.texts = change, texts

    async def check(self) -> Check:
        return Check(ok=True, detail="")

    async def read_changes(self, window: Window, services: Any = None) -> ChangesRead:
        return ChangesRead(changes=(self.change,))

    async def read_diff(self, service: str, old: str, new: str) -> Diff:
        if (old, new) not in self.texts:
            raise BadArguments("not known")
        return Diff(
            change_id=f"{service}@{new}",
            service=service,
            from_version=old,
            to_version=new,
            text=self.texts[old, new],
            paths=(f"{new}.txt",),
        )


AT = datetime(2026, 3, 1, 11, 55, tzinfo=UTC)
ROLLOUT = Change(
    id="checkout@x7k",
    service="checkout",
    at=AT,
    kind="deployment",
    version="x7k",
    previous_version="b2c",
    commit="2f3c9ab0",
    previous_commit="1f3c9ab0",
)
TAG = Change(
    id="deploy/checkout/2", service="checkout", at=AT, kind="deployment", version="2f3c9ab0", paths=("app.py",)
)


@pytest.mark.parametrize(
    ("known", "told"),
    [({("1f3c9ab0", "2f3c9ab0"): "-pool = 50"}, "-pool = 50"), ({}, "No source told what of the code")],
)
async def test_a_rollout_is_one_change_and_read_with_the_code_that_it_brought(
    pool: EvidencePool, known: Mapping[tuple[str, str], str], told: str
) -> None:
    sources = (Deployed(ROLLOUT, {("b2c", "x7k"): "-image: a"}), Deployed(TAG, known))
    toolbox = Toolbox(connectors=sources, services=(Service(name="checkout"),))
    tools = InvestigationTools(toolbox=toolbox, pool=pool, now=lambda: AT + timedelta(minutes=5), stored=nothing_stored)
    changed = await tools.what_changed(WindowArguments())
    assert [(one["id"], one["commit"]) for one in changed.facts["changes"]] == [("checkout@x7k", "2f3c9ab0")]
    read = await tools.read_diff(DiffArguments(change="checkout@x7k"))
    (row,) = (row for row in read.rows if isinstance(row, Altered))
    assert (row.from_version, row.to_version) == ("b2c", "x7k")
    assert told in row.diff
    assert "-image: a" in row.diff
