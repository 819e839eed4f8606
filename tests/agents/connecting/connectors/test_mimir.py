"""Mimir is read as a Prometheus below a prefix, by its tenant, and what is over one of its limits costs only itself."""

import json
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web

from agents.connecting.connector import ConnectorContext, MetricSource
from agents.connecting.connectors.mimir import CONNECTOR, Mimir, MimirConfig
from agents.connecting.connectors.prometheus.settings import QueryRange
from agents.errors import BadArguments
from agents.evidence.types import Window
from store.secrets.redaction import Secret
from tests.agents.connecting.connectors.conftest import NOW

ContextOf = Callable[..., ConnectorContext]
LAST = Window(start=NOW - timedelta(minutes=10), end=NOW)


@dataclass
class FakeMimir:
    """Metrics of `checkout`; `too_much` has more series than the tenant's limit. No targets and no metadata."""

    metrics: tuple[str, ...] = ("requests_total", "errors_total", "queue_length", "too_much")
    seen: list[str] = field(default_factory=list)
    url: str = ""

    async def answer(self, request: web.Request) -> web.Response:  # noqa: PLR0911 -- one each
        self.seen.append(request.path)
        if request.headers.get("x-scope-orgid") != "acme":
            return web.Response(status=401, text="no org id")
        if request.headers.get("authorization") != "Bearer key":
            return web.Response(status=401)
        path = request.path.removeprefix("/prometheus/api/v1/")
        asked = request.query
        if path == "status/buildinfo":
            return _told({"application": "Grafana Mimir", "version": "2.17.0"})
        if path == "query" and "count by" in asked["query"]:
            rows = [{"metric": {"__name__": name, "job": "checkout"}, "value": [0, "1"]} for name in self.metrics]
            return _told({"resultType": "vector", "result": rows})
        if path == "query":
            return _told({"resultType": "vector", "result": [{"metric": {}, "value": [0, "40"]}]})
        if path == "query_range":
            found = re.search(r'__name__=~"([^"]+)"', asked["query"])
            names = found[1].split("|") if found else []
            if "too_much" in names:
                words = (
                    "the query exceeded the maximum number of series (limit: 1 series) (err-mimir-max-series-per-query)"
                )
                told = {"status": "error", "errorType": "execution", "error": words}
                return web.json_response(told, status=422)
            rows = [{"metric": {"__name__": n, "job": "checkout"}, "values": [[NOW.timestamp(), "1"]]} for n in names]
            return _told({"resultType": "matrix", "result": rows})
        return web.Response(status=404, text="404 page not found")


def _told(data: Any) -> web.Response:
    return web.Response(text=json.dumps({"status": "success", "data": data}), content_type="application/json")


@pytest.fixture
async def server() -> AsyncIterator[FakeMimir]:
    fake = FakeMimir()
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", fake.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    fake.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield fake
    await runner.cleanup()


def mimir(server: FakeMimir, context_of: ContextOf, *, tenant: str = "acme", path: str = "") -> Mimir:
    context = context_of("checkout", credentials={"token": Secret("key")})
    return CONNECTOR(MimirConfig(url=f"{server.url}{path}", tenant=tenant), context)


async def test_it_is_read_below_its_prefix_and_a_metric_over_a_limit_is_the_only_gap(
    server: FakeMimir, context_of: ContextOf
) -> None:
    source = mimir(server, context_of)
    assert isinstance(source, MetricSource)
    check = await source.check()
    assert (check.ok, check.detail) == (True, "Mimir 2.17.0, 1 service seen")
    read = await source.read_series(LAST)
    assert sorted(one.name for one in read.series) == ["errors_total", "queue_length", "requests_total"]
    (gap,) = read.gaps
    assert gap.startswith("too_much: not read. Mimir refused it: the query exceeded the maximum number of series")
    assert all(path.startswith("/prometheus/api/v1/") for path in server.seen)
    with pytest.raises(BadArguments, match="exceeded the maximum"):
        await source.query_range(QueryRange(promql='{__name__=~"too_much",job="checkout"}'))


async def test_a_path_that_is_given_is_kept_and_a_missing_tenant_is_told(
    server: FakeMimir, context_of: ContextOf
) -> None:
    assert (await mimir(server, context_of, path="/prometheus").check()).ok
    assert str(MimirConfig(url="https://x.example/api/prom").as_prometheus().url) == "https://x.example/api/prom"
    refused = await mimir(server, context_of, tenant="").check()
    assert not refused.usable
    assert "(401)" in refused.detail


def test_beside_a_prometheus_of_the_operators_file_its_tools_have_names_of_their_own(context_of: ContextOf) -> None:
    names = {one.name for one in CONNECTOR(MimirConfig(url="http://mimir.example"), context_of()).tools()}
    assert names == {f"mimir_{name}" for name in ("query", "query_range", "list_alerts", "list_metrics", "list_rules")}
