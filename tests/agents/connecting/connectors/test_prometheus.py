import asyncio
import os
import shutil
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from aiohttp import web
from pydantic import ValidationError

from agents.connecting.connector import ConnectorContext, MetricSource
from agents.connecting.connectors.prometheus import (
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
from store.secrets.redaction import Secret

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
    async with asyncio.timeout(120), httpx2.AsyncClient(trust_env=False) as client:
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


COUNTED = {"__name__": "http_requests_total", "job": "checkout", "code": "200"}
END = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATELY = Window(start=END - timedelta(minutes=10), end=END)


class Server:
    """A local server with Prometheus' pages; `without` are those that it has not, `more` goes into each answer."""

    def __init__(self, *, without: Sequence[str] = (), more: Mapping[str, Any] | None = None) -> None:
        self.without, self.more = without, more or {}
        self.rows: list[dict[str, Any]] = [
            {"metric": COUNTED, "values": [[END.timestamp() - s, "7"] for s in range(600, 0, -15)]}
        ]
        self.names: dict[str, int] = {"http_requests_total": 1}
        self.asked: list[tuple[str, str, dict[str, str], Mapping[str, str]]] = []

    async def reply(self, request: web.Request) -> web.Response:
        form = {**request.query, **(await request.post() if request.method == "POST" else {})}
        asked = {key: str(value) for key, value in form.items()}
        path = request.path.removeprefix("/api/v1/")
        self.asked.append((request.method, path, asked, request.headers))
        if path in self.without:
            return web.Response(status=404, text="404 page not found")
        return web.json_response({"status": "success", "data": self._data(path, asked), **self.more})

    def _data(self, path: str, asked: Mapping[str, str]) -> Any:
        if path == "query" and "count_over_time" in asked["query"]:
            return {"resultType": "vector", "result": [{"metric": {}, "value": [0, "40"]}]}
        if path == "query":
            rows = [
                {"metric": {"__name__": name, "job": "checkout"}, "value": [0, str(n)]}
                for name, n in self.names.items()
            ]
            return {"resultType": "vector", "result": rows}
        if path == "query_range":
            return {"resultType": "matrix", "result": self.rows}
        if path == "targets":
            return {"activeTargets": [{"labels": {"job": "checkout"}, "scrapeInterval": "15s"}]}
        return {"version": "3.1"} if path == "status/buildinfo" else {}


@pytest.fixture
async def serving() -> AsyncIterator[Callable[..., Awaitable[str]]]:
    runners: list[web.AppRunner] = []

    async def start(server: Server) -> str:
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", server.reply)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        runners.append(runner)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}"

    yield start
    for runner in runners:
        await runner.cleanup()


def reading(context_of: ContextOf, url: str, **settings: Any) -> Prometheus:
    config = PrometheusConfig.model_validate({"url": url, **settings})
    return Prometheus(config, context_of("checkout", now=lambda: END))


async def test_a_server_without_targets_metadata_or_version_is_read_all_the_same(
    context_of: ContextOf, serving: Callable[..., Awaitable[str]]
) -> None:
    server = Server(without=("targets", "metadata", "status/buildinfo"))
    prometheus = reading(context_of, await serving(server))
    read = await prometheus.read_series(LATELY)
    assert [(raw.name, raw.kind) for raw in read.series] == [("http_requests_total", "counter")]
    assert read.gaps == ()
    (asked,) = [form for _, path, form, _ in server.asked if path == "query_range"]
    assert float(asked["step"]) == 15.0  # 40 samples in 10 minutes
    assert "unknown version" in (await prometheus.check()).detail


async def test_warnings_and_partial_answers_are_gaps(
    context_of: ContextOf, serving: Callable[..., Awaitable[str]]
) -> None:
    prometheus = reading(
        context_of, await serving(Server(more={"warnings": ["store a did not answer"], "isPartial": True}))
    )
    read = await prometheus.read_series(LATELY)
    assert read.gaps == ("Prometheus warns: store a did not answer", "Prometheus warns: the answer is partial")
    shown = await prometheus.query(Query(promql="up"))
    assert "store a did not answer" in (shown.gap or "")


async def test_headers_are_sent_and_hold_no_secret(
    context_of: ContextOf, serving: Callable[..., Awaitable[str]]
) -> None:
    server = Server()
    await reading(context_of, await serving(server), headers={"X-Scope-OrgID": "shop"}).read_series(LATELY)
    assert {headers["X-Scope-OrgID"] for *_, headers in server.asked} == {"shop"}
    for bad in ({"Authorization": "Bearer x"}, {"X Y": "z"}, {"X-A": "b\r\nX-C: d"}):
        with pytest.raises(ValidationError):
            PrometheusConfig.model_validate({"url": "http://x", "headers": bad})


async def test_native_histograms_are_counted_and_summed(
    context_of: ContextOf, serving: Callable[..., Awaitable[str]]
) -> None:
    server = Server()
    samples = [[END.timestamp() - s, {"count": str(600 - s), "sum": "0.5", "buckets": []}] for s in (300, 0)]
    server.rows.append(
        {"metric": {"__name__": "http_request_duration_seconds", "job": "checkout"}, "histograms": samples}
    )
    prometheus = reading(context_of, await serving(server))
    found = {raw.name: raw for raw in (await prometheus.read_series(LATELY)).series}
    assert found["http_request_duration_seconds_count"].values.tolist() == [300.0, 600.0]
    assert {found[f"http_request_duration_seconds_{part}"].kind for part in ("count", "sum")} == {"counter"}
    shown = await prometheus.query_range(QueryRange(promql="http_request_duration_seconds"))
    assert "600" in shown.text


async def test_a_dotted_label_and_several_values_are_asked_for_in_one_form(
    context_of: ContextOf, serving: Callable[..., Awaitable[str]]
) -> None:
    server = Server()
    metric = {"__name__": "http_requests_total", "service.name": "checkout-worker"}
    server.rows = [{"metric": metric, "values": [[END.timestamp(), "1"]]}]
    server.names = {f"a_rather_long_metric_name_of_requests_{n}_total": 1 for n in range(80)}
    settings = {"service_label": "service.name", "names": {"checkout": ["checkout-api", "checkout-worker"]}}
    read = await reading(context_of, await serving(server), **settings).read_series(LATELY)
    assert [raw.labels["service"] for raw in read.series] == ["checkout"]
    (method, query) = next((m, form["query"]) for m, path, form, _ in server.asked if path == "query_range")
    assert method == "POST"
    assert query.startswith('{"service.name"=~"checkout\\\\-api|checkout\\\\-worker"')
    for bad in ('a"b', "a b", "", "a}"):
        with pytest.raises(ValidationError):
            PrometheusConfig.model_validate({"url": "http://x", "service_label": bad})


def test_the_cap_keeps_what_users_feel_and_drops_a_runtimes_internals(context_of: ContextOf) -> None:
    sizes = {
        "jvm_gc_pause_seconds_count": 3,
        "go_goroutines": 3,
        "process_resident_memory_bytes": 3,
        "http_requests_total": 40,
        "rpc_errors_total": 20,
        "http_request_duration_seconds_sum": 20,
        "db_pool_connections_in_use": 10,
        "http_request_duration_seconds_bucket": 500,
        "build_info": 1,
    }
    prometheus = reading(context_of, "http://x", max_series=95)
    rows = [{"metric": {"__name__": name}, "value": [0, str(n)]} for name, n in sizes.items()]
    kept, gaps = prometheus._within_cap(rows)
    assert set(kept[:3]) == {"http_requests_total", "rpc_errors_total", "http_request_duration_seconds_sum"}
    assert "db_pool_connections_in_use" in kept
    assert not {"http_request_duration_seconds_bucket", "go_goroutines"} & set(kept)
    assert gaps == [f"Prometheus: {len(sizes) - len(kept)} metrics are left out; max_series is 95"]
