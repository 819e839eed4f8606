import asyncio
import os
import shutil
import socket
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from agents.connector import ConnectorContext, MetricSource
from agents.connectors.prometheus import (
    CONNECTOR,
    ListAlerts,
    ListMetrics,
    ListRules,
    Prometheus,
    PrometheusConfig,
    Query,
    QueryRange,
)
from agents.errors import BadArguments, NeedsReauthorisation, Unavailable
from agents.evidence.types import Window
from store.redaction import Secret

ContextOf = Callable[..., ConnectorContext]


@pytest.fixture
async def exporter() -> AsyncIterator[int]:
    """A metrics page whose counter grows by 5 with each scrape."""
    scrapes = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal scrapes
        try:
            await reader.readuntil(b"\r\n\r\n")
            scrapes += 1
            body = (
                "# TYPE http_requests_total counter\n"
                f'http_requests_total{{code="200",service="inner"}} {5 * scrapes}\n'
                "# TYPE queue_length gauge\nqueue_length 3\n"
                "# TYPE latency_seconds histogram\n"
                f'latency_seconds_bucket{{le="0.1"}} {scrapes}\nlatency_seconds_bucket{{le="+Inf"}} {scrapes}\n'
                f"latency_seconds_sum 0.1\nlatency_seconds_count {scrapes}\n"
            ).encode()
            head = f"HTTP/1.1 200 OK\r\ncontent-type: text/plain; version=0.0.4\r\ncontent-length: {len(body)}\r\n"
            writer.write(head.encode() + b"connection: close\r\n\r\n" + body)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


@pytest.fixture
async def prometheus_url(exporter: int, tmp_path: Path) -> AsyncIterator[str]:
    """A real Prometheus that scraped the exporter a few times."""
    program = shutil.which("prometheus")
    if program is None:
        reason = "prometheus is not installed (Debian: apt-get install prometheus)"
        if os.environ.get("AUTOHEAL_REQUIRE_ALL"):
            pytest.fail(reason)
        pytest.skip(reason)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (tmp_path / "rules.yml").write_text(
        "groups:\n- name: shop\n  interval: 1s\n  rules:\n"
        "  - {alert: QueueLong, expr: queue_length > 2, labels: {severity: page}}\n"
        "  - {record: 'job:requests:rate', expr: 'rate(http_requests_total[5s])'}\n"
    )
    (tmp_path / "prometheus.yml").write_text(
        "global: {scrape_interval: 1s, scrape_timeout: 1s}\nrule_files: [rules.yml]\nscrape_configs:\n"
        f"- {{job_name: check.out, static_configs: [{{targets: ['127.0.0.1:{exporter}']}}]}}\n"
        f"- {{job_name: checkXout, static_configs: [{{targets: ['127.0.0.1:{exporter}']}}]}}\n"
    )
    process = await asyncio.create_subprocess_exec(
        program,
        f"--config.file={tmp_path / 'prometheus.yml'}",
        f"--storage.tsdb.path={tmp_path / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        url = f"http://127.0.0.1:{port}"
        await _wait_for_samples(url)
        yield url
    finally:
        process.kill()
        await process.wait()


async def _wait_for_samples(url: str) -> None:
    query = {"query": 'count_over_time(up{job="check.out"}[1m]) >= 3 and on() ALERTS'}
    async with asyncio.timeout(30), httpx2.AsyncClient(trust_env=False) as client:
        while True:
            try:
                answer = await client.get(f"{url}/api/v1/query", params=query)
                if answer.status_code == 200 and answer.json()["data"]["result"]:
                    return
            except httpx2.TransportError:
                pass  # not listening yet
            await asyncio.sleep(0.2)


def wall_clock() -> datetime:
    return datetime.now(UTC)


async def test_a_real_prometheus_gives_raw_series_and_answers_each_tool(
    prometheus_url: str, context_of: ContextOf
) -> None:
    config = PrometheusConfig.model_validate({"url": prometheus_url, "names": {"checkout": "check.out"}})
    prometheus = Prometheus(config, context_of("checkout", "payments", now=wall_clock))
    assert isinstance(prometheus, MetricSource)

    end = wall_clock()
    read = await prometheus.read_series(Window(start=end - timedelta(minutes=2), end=end))
    assert read.gaps == ("payments: Prometheus has no series of it",)
    assert {raw.labels["service"] for raw in read.series} == {"checkout"}
    series = {(raw.name, raw.labels.get("le")): raw for raw in read.series}
    requests = series["http_requests_total", None]
    assert (requests.kind, requests.labels["exported_service"]) == ("counter", "inner")
    assert len(requests.times) >= 2
    assert all(step > 0 for step in requests.times[1:] - requests.times[:-1])
    assert requests.values[-1] > requests.values[0]
    assert series["queue_length", None].kind == "gauge"
    assert series["up", None].kind == "gauge"
    assert series["latency_seconds_bucket", "0.1"].kind == "histogram_bucket"
    assert series["latency_seconds_count", None].kind == "counter"

    value = await prometheus.query(Query(promql='queue_length{job="check.out"}'))
    assert value.text.endswith(" 3")
    for stranger in ("up", 'up{job=~".*"}', "sum by (job) (up)"):
        found = await prometheus.query(Query(promql=stranger))
        assert [row["metric"]["job"] for row in found.facts["rows"]] == ["check.out"]
    assert (await prometheus.query(Query(promql='up{job="prometheus"}'))).text == "nothing found"
    moved = await prometheus.query_range(QueryRange(promql='queue_length{job="check.out"}'))
    assert "=3" in moved.text
    listed = await prometheus.list_metrics(ListMetrics(service="checkout", contains="latency"))
    assert listed.facts["metrics"]["latency_seconds_bucket"] == 2
    alerts = await prometheus.list_alerts(ListAlerts(state="firing"))
    assert 'alertname="QueueLong"' in alerts.text
    rules = await prometheus.list_rules(ListRules(contains="requests"))
    assert "rate(http_requests_total[5s])" in rules.text

    for refused in ("rate(", "up[5m]", "1 + 1", 'label_replace(up, "job", "checkout", "", "")', "vector(93)"):
        with pytest.raises(BadArguments, match="promql"):
            await prometheus.query(Query(promql=refused))
    with pytest.raises(BadArguments, match="not a declared service"):
        await prometheus.list_metrics(ListMetrics(service="nobody"))
    with pytest.raises(BadArguments, match="start must be before end"):
        await prometheus.query_range(QueryRange(promql="up", start=end, end=end))

    check = await prometheus.check()
    assert not check.ok
    assert "payments" in check.detail
    small = PrometheusConfig.model_validate(
        {"url": prometheus_url, "names": {"checkout": "check.out"}, "max_series": 3}
    )
    capped = await Prometheus(small, context_of("checkout", now=wall_clock)).read_series(
        Window(start=end - timedelta(minutes=2), end=end)
    )
    assert len(capped.series) <= 3
    assert "max_series is 3" in capped.gaps[0]
    only = Prometheus(config, context_of("checkout", now=wall_clock))
    assert (await only.check()).ok


@pytest.fixture
async def canned() -> AsyncIterator[dict[str, Any]]:
    """A server that answers one fixed response and keeps what it was asked."""
    site: dict[str, Any] = {"status": "200 OK", "body": b"{}", "asked": []}

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        site["asked"].append((await reader.readuntil(b"\r\n\r\n")).decode().lower())
        head = f"HTTP/1.1 {site['status']}\r\ncontent-length: {len(site['body'])}\r\nconnection: close\r\n\r\n"
        writer.write(head.encode() + site["body"])
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    site["url"] = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/prom/"
    yield site
    server.close()


@pytest.mark.parametrize(
    ("credentials", "header"),
    [
        ({"token": Secret("t0ken")}, "authorization: bearer t0ken"),
        ({"username": Secret("mia"), "password": Secret("pw")}, "authorization: basic bwlhonb3"),
    ],
)
async def test_credentials_are_sent_and_a_refused_one_is_said_so(
    canned: dict[str, Any], context_of: ContextOf, credentials: dict[str, Secret], header: str
) -> None:
    canned["status"] = "401 Unauthorized"
    config = PrometheusConfig.model_validate({"url": canned["url"]})
    prometheus = Prometheus(config, context_of("checkout", credentials=credentials))
    with pytest.raises(NeedsReauthorisation):
        await prometheus.query(Query(promql="up"))
    assert header in canned["asked"][0]
    assert canned["asked"][0].startswith("get /prom/api/v1/query?")
    check = await prometheus.check()
    assert not check.ok
    assert "token" in check.next_action


async def test_an_answer_that_is_none_of_prometheus_is_unavailable(
    canned: dict[str, Any], context_of: ContextOf
) -> None:
    prometheus = Prometheus(PrometheusConfig.model_validate({"url": canned["url"]}), context_of("checkout"))
    for body in (b"{}", b"[]", b"<html>"):
        canned["body"] = body
        with pytest.raises(Unavailable):
            await prometheus.query(Query(promql="up"))


def test_it_needs_no_host() -> None:
    assert not CONNECTOR.host
