import asyncio
import json
import math
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol

import numpy as np
import pytest

from agents.connecting.connector import ConnectorContext, MetricSource
from agents.connecting.connectors.openmetrics import (
    CONNECTOR,
    LatestMetrics,
    MetricHistory,
    OpenMetrics,
    OpenMetricsConfig,
)
from agents.connecting.connectors.openmetrics.exposition import MalformedMetrics, Sample, parse_metrics
from agents.connecting.connectors.openmetrics.ring import Ring
from agents.errors import BadArguments
from agents.evidence.types import RawSeries, Window
from agents.investigation import analysis
from store.secrets.redaction import Redacted

ContextOf = Callable[..., ConnectorContext]


class Clock(Protocol):
    now: datetime


class Page:
    """A metrics page on loopback whose body a test changes; None answers 500."""

    def __init__(self) -> None:
        self.body: str | None = ""
        self.url = ""
        self.answered = asyncio.Event()
        self.writers: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                body = (self.body or "").encode()
                status = "200 OK" if self.body is not None else "500 Broken"
                writer.write(f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)
                await writer.drain()
                self.answered.set()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    site = Page()
    server = await asyncio.start_server(site.serve, "127.0.0.1", 0)
    site.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/metrics"
    yield site
    server.close()
    for writer in site.writers:
        writer.close()
    await asyncio.sleep(0)


def by_name(series: tuple[RawSeries, ...]) -> dict[str, RawSeries]:
    return {raw.name: raw for raw in series}


def test_both_text_formats_are_parsed_with_types_labels_timestamps_and_exemplars() -> None:
    text = (
        "# HELP http_requests_total Requests.\n# TYPE http_requests_total counter\n"
        'http_requests_total{path="/a\\"b\\\\c\\nd",code="200",} 12 1700000000000\n'
        "# TYPE jobs counter\njobs_total 3\njobs_created 1.7e9\n"
        "# TYPE latency_seconds histogram\n"
        'latency_seconds_bucket{le="0.5"} 4 # {trace_id="ab}c"} 0.3 1.2\nlatency_seconds_bucket{le="+Inf"} 5\n'
        "latency_seconds_sum 1.5\nlatency_seconds_count 5\n"
        "# TYPE temperature gauge\ntemperature -3.5e-1\nodd NaN\nlimit +Inf\nseen_total 1\n\n# EOF\n"
    )
    samples = list(parse_metrics(text))
    assert samples[0].labels == {"path": '/a"b\\c\nd', "code": "200"}
    kinds = {s.name: s.kind for s in samples}
    assert kinds == {
        "http_requests_total": "counter",
        "jobs_total": "counter",
        "jobs_created": "gauge",
        "latency_seconds_bucket": "histogram_bucket",
        "latency_seconds_sum": "counter",
        "latency_seconds_count": "counter",
        "temperature": "gauge",
        "odd": "unknown",
        "limit": "unknown",
        "seen_total": "counter",
    }
    values = {s.name: s.value for s in samples}
    assert values["temperature"] == -0.35
    assert math.isnan(values["odd"])
    assert values["limit"] == math.inf


@pytest.mark.parametrize(
    "line",
    [
        "<html>",
        "a",
        "a{",
        'a{b="c} 1',
        "a{b=c} 1",
        "a 1_000",
        "a 0x10",
        "1a 2",
        'a{b="1",b="2"} 1',
        "a 1 2 3",
        'a{b="\\"} 1',
    ],
)
def test_what_is_no_metric_is_refused_with_its_line(line: str) -> None:
    with pytest.raises(MalformedMetrics, match="line 2"):
        list(parse_metrics(f"ok 1\n{line}\n"))


def gauge(name: str, value: float) -> Sample:
    return Sample(name=name, labels={}, kind="gauge", value=value)


def test_the_ring_keeps_the_last_scrapes_in_order_and_frees_rows_of_series_that_left() -> None:
    start = datetime.fromisoformat("2026-03-01T12:00:00+00:00")
    ring = Ring(capacity=3, max_series=2)
    for second in range(5):
        ring.add(start + timedelta(seconds=second), [gauge("a", second), gauge("old" if second == 0 else "b", second)])
    window = Window(start=start, end=start + timedelta(minutes=1))
    kept = {raw.name: list(raw.values) for raw in ring.series(window)}
    assert kept == {"a": [2, 3, 4], "b": [2, 3, 4]}
    assert ring.forgotten == 1
    ring.add(start + timedelta(seconds=5), [gauge("a", 5), gauge("b", 5), gauge("c", 5)])
    assert ring.dropped == 1
    only = Window(start=start + timedelta(seconds=4), end=start + timedelta(seconds=4))
    assert [list(raw.values) for raw in ring.series(only)] == [[4], [4]]
    assert ring.forgotten == 0


def test_a_full_ring_gives_up_what_ended_longest_ago_and_nothing_that_is_there() -> None:
    """Pods that come and go: each new one has new labels."""
    start = datetime.fromisoformat("2026-03-01T12:00:00+00:00")
    ring = Ring(capacity=100, max_series=3)
    pods = [
        ("up", "pod1"),
        ("up", "pod1", "pod2"),
        ("up", "pod2"),
        ("up",),
        ("pod3", "up", "pod2"),
        ("pod4", "up", "pod2"),
    ]
    for second, names in enumerate(pods):
        ring.add(start + timedelta(seconds=second), [gauge(name, second) for name in names])
    kept = {raw.name: list(raw.values) for raw in ring.series(Window(start=start, end=start + timedelta(minutes=1)))}
    assert kept == {"up": [0, 1, 2, 3, 4, 5], "pod2": [1, 2, 4, 5], "pod3": [4]}
    assert (ring.forgotten, ring.dropped) == (1, 1)


async def test_series_are_read_with_service_label_kind_and_scrape_times(
    context_of: ContextOf, clock: Clock, page: Page
) -> None:
    connector = OpenMetrics(OpenMetricsConfig(targets={"checkout": page.url}), context_of("checkout", "payments"))
    assert isinstance(connector, MetricSource)
    start = clock.now
    for count in (1, 5, 2):
        page.body = f'# TYPE hits_total counter\nhits_total{{service="other",code="200"}} {count}\nup 7\n'
        await connector.scrape()
        clock.now += timedelta(seconds=5)
    read = await connector.read_series(Window(start=start, end=clock.now))
    series = by_name(read.series)
    assert read.gaps == ()
    assert series["hits_total"].labels == {"service": "checkout", "exported_service": "other", "code": "200"}
    assert series["hits_total"].kind == "counter"
    assert list(series["hits_total"].values) == [1, 5, 2]
    assert list(np.diff(series["hits_total"].times)) == [5, 5]
    assert list(series["up"].values) == [1, 1, 1]
    history = await connector.metric_history(MetricHistory(service="checkout", name="hits_total"))
    assert [value for _, value in next(iter(history.facts["series"].values()))] == [0.8, 0.4]
    latest = await connector.latest_metrics(LatestMetrics(service="checkout", contains="hits"))
    assert 'hits_total{code="200",exported_service="other",service="checkout"}' not in latest.text
    assert "hits_total" in latest.text
    assert "up" not in latest.text


@pytest.mark.parametrize(("body", "said"), [(None, "500"), ("<html>oops", "line 1")])
async def test_a_target_that_fails_is_a_gap_and_an_up_of_zero(
    context_of: ContextOf, clock: Clock, page: Page, body: str | None, said: str
) -> None:
    connector = OpenMetrics(OpenMetricsConfig(targets={"checkout": page.url}), context_of("checkout"))
    start = clock.now
    page.body = "a 1\n"
    await connector.scrape()
    clock.now += timedelta(seconds=5)
    page.body = body
    await connector.scrape()
    read = await connector.read_series(Window(start=start, end=clock.now))
    assert list(by_name(read.series)["up"].values) == [1, 0]
    assert list(by_name(read.series)["a"].values) == [1]
    assert len(read.gaps) == 1
    assert read.gaps[0].startswith("checkout: no metrics since 12:00:05")
    assert said in read.gaps[0]
    assert not (await connector.check()).ok


async def test_a_page_never_read_is_a_gap_and_a_history_says_how_far_it_reaches_back(
    context_of: ContextOf, clock: Clock, page: Page
) -> None:
    connector = OpenMetrics(OpenMetricsConfig(targets={"checkout": page.url}), context_of("checkout"))
    window = Window(start=clock.now - timedelta(hours=1), end=clock.now)
    assert (await connector.read_series(window)).gaps == ("checkout: its metrics page was not read yet",)
    page.body = "a 1\n"
    await connector.scrape()
    assert (await connector.read_series(window)).gaps == ()
    found = await connector.metric_history(MetricHistory(service="checkout", name="a", minutes=60))
    assert found.gap == "checkout: metrics are kept only since 12:00:00"


async def test_scraping_goes_on_in_the_background_until_closed(context_of: ContextOf, clock: Clock, page: Page) -> None:
    page.body = "a 1\n"
    connector = OpenMetrics(OpenMetricsConfig(targets={"checkout": page.url}, interval_s=0.2), context_of("checkout"))
    await connector.start()
    async with asyncio.timeout(60):
        while len((await connector.read_series(Window(start=clock.now, end=clock.now))).series) < 2:
            await page.answered.wait()
            page.answered.clear()
    await connector.close()
    assert (await connector.check()).ok


def test_a_target_that_is_no_declared_service_is_refused(context_of: ContextOf) -> None:
    with pytest.raises(BadArguments, match=r"connectors.openmetrics.targets: chekout is not a declared service"):
        OpenMetrics(OpenMetricsConfig(targets={"chekout": "http://127.0.0.1/"}), context_of("checkout"))


def test_it_is_discovered_by_its_name() -> None:
    assert CONNECTOR.name == "openmetrics"


def test_names_in_quotation_marks_are_read() -> None:
    page = (
        '# TYPE "http.server.duration" histogram\n'
        '{"http.server.duration_count","http.route"="/pay, {a}"} 3\n'
        '{"queue.length"} 4\n'
        'plain_total{"status.code"="5\\"xx",route="/a"} 5\n'
    )
    found = [(sample.name, dict(sample.labels), sample.kind, sample.value) for sample in parse_metrics(page)]
    assert found == [
        ("http.server.duration_count", {"http.route": "/pay, {a}"}, "counter", 3),
        ("queue.length", {}, "unknown", 4),
        ("plain_total", {"status.code": '5"xx', "route": "/a"}, "counter", 5),
    ]
    for bad in ("{} 1\n", '{"a"="b"} 1\n', '{"a",,"b"="c"} 1\n', 'a{"b"="1","b"="2"} 1\n', '{"a" 1\n'):
        with pytest.raises(MalformedMetrics):
            list(parse_metrics(bad))


class Drawer:
    """`Keeps` in memory: what outlives a connector."""

    def __init__(self) -> None:
        self.records: dict[str, list[str]] = {}

    async def recall(self, name: str) -> list[str]:
        return list(self.records.get(name, []))

    async def keep(self, name: str, record: Redacted, *, most: int) -> None:
        self.records[name] = [*self.records.get(name, []), str(record)][-2 * most :]


async def test_after_a_restart_the_history_goes_on_with_a_hole_that_is_named(
    context_of: ContextOf, clock: Clock, page: Page
) -> None:
    context = replace(context_of("checkout"), kept=Drawer())
    config = OpenMetricsConfig(targets={"checkout": page.url})
    first = OpenMetrics(config, context)
    for scrape in range(4):
        page.body = (
            f'# TYPE hits counter\nhits_total{{user="mia",token="ghp_{"a1B2c3D4e5" * 3}F6g7h8"}} {10 * scrape}\n'
            + "extra 1\n" * (scrape > 1)
        )
        await first.scrape()
        clock.now += timedelta(seconds=5)
    before = await first.read_series(Window(start=clock.now - timedelta(minutes=5), end=clock.now))
    clock.now += timedelta(seconds=60)
    again = OpenMetrics(config, context)
    await again.recall()
    window = Window(start=clock.now - timedelta(minutes=5), end=clock.now)
    found = await again.read_series(window)
    assert {name: raw.values.tolist() for name, raw in by_name(found.series).items()} == {
        name: raw.values.tolist() for name, raw in by_name(before.series).items()
    }
    assert by_name(found.series)["hits_total"].kind == "counter"
    assert found.gaps == ()
    page.body = "hits_total 50\n"
    await again.scrape()
    found = await again.read_series(Window(start=window.start, end=clock.now))
    (gap,) = found.gaps
    assert gap.startswith("checkout: nobody read its metrics page from ")
    assert "a1B2c3D4e5" not in json.dumps(context.kept.records)  # type: ignore[attr-defined]
    clock.now += timedelta(hours=2)
    late = OpenMetrics(config, context)
    await late.recall()
    assert (await late.read_series(Window(start=window.start, end=clock.now))).series == ()
    context.kept.records["openmetrics checkout"].insert(0, "{}")  # type: ignore[attr-defined]
    await late.recall()


async def test_healing_is_measured_at_once_after_a_restart(context_of: ContextOf, clock: Clock, page: Page) -> None:
    """By the reading that the check of a remedy takes."""
    context = replace(context_of("checkout"), kept=Drawer())
    config = OpenMetricsConfig(targets={"checkout": page.url})
    first = OpenMetrics(config, context)
    for scrape in range(30):
        page.body = (
            "# TYPE http_requests_total counter\n"
            f'http_requests_total{{code="200"}} {90 * scrape}\nhttp_requests_total{{code="500"}} {10 * scrape}\n'
        )
        await first.scrape()
        clock.now += timedelta(seconds=5)
    window = Window(start=clock.now - timedelta(minutes=3), end=clock.now)

    async def measured(connector: OpenMetrics) -> float | None:
        series = (await connector.read_series(window)).series
        return analysis.measure(series, "checkout", "error ratio", 30.0, clock.now.timestamp())

    was = await measured(first)
    assert was == pytest.approx(0.1)
    again = OpenMetrics(config, context)
    assert await measured(again) is None
    await again.recall()
    assert await measured(again) == was
