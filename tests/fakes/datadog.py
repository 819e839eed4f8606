"""Datadog as its documents say, as far as it is asked: strict about keys, paths and the words of a search."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web

from tests.fakes.openapi import Asked

API_KEY, APPLICATION_KEY = "a" * 32, "b" * 40
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
_CLAUSE = re.compile(
    r'service:\(([a-z0-9_./* -]+(?: OR [a-z0-9_./*-]+)*)\)( env:[a-z0-9-]+)?( -source:alert)?( status:\w+)?( "[^"]+")?'
    r"( @duration:>=\d+)?"
)
_TRACES = re.compile(r"trace_id:\(([0-9a-f]+(?: OR [0-9a-f]+)*)\)")
_METRIC = re.compile(
    r"(avg|sum|max|min|p95):([A-Za-z0-9_.]+)\{service:([a-z0-9_.*-]+)(?:,env:[a-z]+)?\}"
    r"(?: by \{([a-z_]+)\})?(\.as_count\(\)|\.as_rate\(\))?"
)
Refusal = tuple[int, Mapping[str, str], bytes]


@dataclass(kw_only=True)
class FakeDatadog:
    """`refuse` is answered to everything, or to the paths of `refused`; "hang" never answers."""

    monitors: list[dict[str, Any]] = field(default_factory=list)
    downtimes: dict[str, dict[str, Any]] = field(default_factory=dict)
    logs: list[dict[str, Any]] = field(default_factory=list)
    spans: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    deployments: list[dict[str, Any]] = field(default_factory=list)
    series: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    refuse: Refusal | str | None = None
    refused: dict[str, list[Refusal]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    given: list[tuple[Asked, int, Any]] = field(default_factory=list)
    page: int = 1000
    url: str = ""
    now: Callable[[], datetime] = lambda: NOW

    def posted(self, path: str) -> list[Any]:
        return [json.loads(one.body) for one in self.asked if one.method == "POST" and one.path == path]

    async def answer(self, request: web.Request) -> web.Response:
        asked = Asked(
            method=request.method,
            path=request.path,
            query=dict(request.query),
            headers={name.lower(): value for name, value in request.headers.items()},
            body=await request.read(),
        )
        self.asked.append(asked)
        if self.refuse == "hang":
            await asyncio.Event().wait()
        waiting = self.refused.get(request.path)
        refusal = waiting.pop(0) if waiting else self.refuse
        if isinstance(refusal, tuple):
            return web.Response(status=refusal[0], headers=refusal[1], body=refusal[2])
        if asked.headers.get("dd-api-key") != API_KEY:
            return self._given(asked, 401, {"errors": ["Unauthorized"]})
        if asked.headers.get("dd-application-key") != APPLICATION_KEY:
            return self._given(asked, 403, {"errors": ["Forbidden"]})
        status, document = self._told(asked)
        return self._given(asked, status, document)

    def _told(self, asked: Asked) -> tuple[int, Any]:
        body = json.loads(asked.body) if asked.body else {}
        searches = {"logs": self.logs, "spans": self.spans, "events": self.events}
        if found := re.fullmatch(r"/api/v2/(logs|spans|events)/(?:events/)?search", asked.path):
            return self._searched(body["data"]["attributes"] if found[1] == "spans" else body, searches[found[1]])
        if found := re.fullmatch(r"/api/v1/monitor/(\d+)", asked.path):
            one = next((m for m in self.monitors if m["id"] == int(found[1])), None)
            return (200, self._monitor(one)) if one else (404, {"errors": ["Monitor not found"]})
        if found := re.fullmatch(r"/api/v1/metrics/([A-Za-z0-9_.]+)", asked.path):
            return 200, {"type": self.types.get(found[1], "gauge")}
        if found := re.fullmatch(r"/api/v2/downtime/(.+)", asked.path):
            return (204, None) if self.downtimes.pop(found[1], None) else (404, {"errors": ["no such downtime"]})
        tellers: dict[tuple[str, str], Callable[[], tuple[int, Any]]] = {
            ("GET", "/api/v1/monitor/search"): lambda: self._monitors(asked.query),
            ("GET", "/api/v1/metrics"): lambda: (200, {"from": asked.query["from"], "metrics": sorted(self.series)}),
            ("GET", "/api/v1/query"): lambda: self._queried(asked.query),
            ("GET", "/api/v2/downtime"): lambda: (200, {"data": list(self.downtimes.values())}),
            ("POST", "/api/v2/downtime"): lambda: self._muted(body),
            ("POST", "/api/v2/dora/deployments"): lambda: (200, {"data": self.deployments}),
            ("GET", "/api/v2/apm/services"): lambda: (
                200,
                {"data": {"type": "services_list", "id": "1", "attributes": {"services": ["checkout", "web"]}}},
            ),
            ("GET", "/api/v2/catalog/entity"): lambda: (200, {"data": [{"attributes": {"name": "payments"}}]}),
        }
        teller = tellers.get((asked.method, asked.path))
        return teller() if teller else (404, {"errors": ["Not found"]})

    def _searched(self, asked: Mapping[str, Any], items: list[dict[str, Any]]) -> tuple[int, Any]:
        filters = asked["filter"]
        clause, traces = _CLAUSE.fullmatch(filters["query"]), _TRACES.fullmatch(filters["query"])
        if filters["query"] == "*":
            return 200, {"data": [], "meta": {}}
        if clause is None and traces is None:
            return 400, {"errors": [f"cannot parse {filters['query']}"]}
        begin, end = (datetime.fromisoformat(filters[side]) for side in ("from", "to"))
        found = []
        for item in items:
            told = item["attributes"]
            at = datetime.fromisoformat(told.get("timestamp") or told["start_timestamp"])
            tags = [*told.get("tags", []), f"service:{told.get('service', '')}"]
            if not begin <= at <= end:
                continue
            if filters.get("storage_tier", "indexes") != item.get("tier", "indexes"):
                continue
            if traces is not None:
                if told.get("trace_id") in traces[1].split(" OR "):
                    found.append(item)
                continue
            assert clause is not None
            if not any(f"service:{name}" in tags for name in clause[1].split(" OR ")):
                continue
            status = (clause[4] or "").removeprefix(" status:")
            if status and status not in (told.get("status"), (told.get("custom") or {}).get("status")):
                continue
            if clause[5] and clause[5].strip(' "').lower() not in told.get("message", "").lower():
                continue
            found.append(item)
        found.sort(key=lambda one: str(one["attributes"].get("timestamp") or one["attributes"]["start_timestamp"]))
        first = int(asked["page"].get("cursor") or 0)
        limit = min(asked["page"]["limit"], self.page)
        page = found[::-1][first : first + limit]
        meta: dict[str, Any] = {"status": "done"}
        if first + limit < len(found):
            meta["page"] = {"after": str(first + limit)}
        return 200, {"data": [{k: v for k, v in one.items() if k != "tier"} for one in page], "meta": meta}

    def _monitors(self, query: Mapping[str, str]) -> tuple[int, Any]:
        found = self.monitors
        if query.get("query", "").startswith("status:"):
            found = [one for one in found if one["overall_state"] in ("Alert", "Warn", "No Data")]
        elif query.get("query"):
            names = set(re.findall(r'(?:tag|scope):"service:([^"]+)"', query["query"]))
            if not names:
                return 400, {"errors": ["invalid query"]}
            found = [
                m
                for m in found
                if any(f"service:{n}" in (*m["tags"], m["query"]) or f"service:{n}}}" in m["query"] for n in names)
            ]
        size, page = int(query["per_page"]), int(query.get("page", 0))
        shown = [
            {
                "id": m["id"],
                "name": m["name"],
                "query": m["query"],
                "status": m["overall_state"],
                "tags": m["tags"],
                "type": m["type"],
            }
            for m in found[page * size : (page + 1) * size]
        ]
        pages = -(-len(found) // size)
        return 200, {
            "monitors": shown,
            "metadata": {"page": page, "page_count": pages, "per_page": size, "total_count": len(found)},
        }

    def _monitor(self, one: dict[str, Any]) -> dict[str, Any]:
        """With the downtimes that concern it."""
        mine = [
            {"id": int(key), "scope": d["attributes"]["scope"].split(" AND "), "start": int(self.now().timestamp()) - 1}
            for key, d in self.downtimes.items()
            if d["attributes"]["monitor_identifier"].get("monitor_id") == one["id"]
        ]
        return {**one, "matching_downtimes": mine}

    def _muted(self, body: Any) -> tuple[int, Any]:
        key = str(1000 + len(self.downtimes))
        attributes = body["data"]["attributes"]
        attributes["schedule"]["start"] = attributes["schedule"]["start"] or self.now().isoformat()
        self.downtimes[key] = {"id": key, "type": "downtime", "attributes": {**attributes, "status": "active"}}
        return 200, {"data": self.downtimes[key]}

    def _queried(self, query: Mapping[str, str]) -> tuple[int, Any]:
        answered = []
        for place, one in enumerate(re.split(r",(?=(?:avg|sum|max|min|p95):)", query["query"])):
            if one == "avg:datadog.agent.running{*}":
                continue
            found = _METRIC.fullmatch(one)
            if found is None:
                return 400, {"errors": [f"cannot parse {one}"]}
            answered += [
                {"metric": found[2], "query_index": place, "scope": f"service:{found[3]}", **series}
                for series in self.series.get(found[2], [])
                if ("by" in series) == bool(found[4])
            ]
        return 200, {"status": "ok", "series": [{k: v for k, v in s.items() if k != "by"} for s in answered]}

    def _given(self, asked: Asked, status: int, document: Any) -> web.Response:
        self.given.append((asked, status, document))
        return web.Response(status=status) if document is None else web.json_response(document, status=status)


def a_monitor(
    number: int, name: str, *, tags: tuple[str, ...] = (), query: str = "avg(last_5m):x > 1", **more: Any
) -> Any:
    """Triggered ten minutes ago, without groups unless `groups` says which are in which state."""
    at = int((NOW - timedelta(minutes=10)).timestamp())
    groups = more.pop("groups", {})
    return {
        "id": number,
        "name": name,
        "type": "query alert",
        "query": query,
        "message": f"{name} is bad",
        "tags": list(tags),
        "overall_state": "Alert",
        "modified": (NOW - timedelta(days=3)).isoformat(),
        "state": {
            "groups": {g: {"name": g, "status": status, "last_triggered_ts": at} for g, status in groups.items()}
        },
        **more,
    }


def points(values: list[float], *, interval: int = 20, **more: Any) -> dict[str, Any]:
    """The last value is of the last whole interval."""
    begin = NOW.timestamp() - interval * len(values)
    listed = [[(begin + interval * n) * 1000.0, value] for n, value in enumerate(values)]
    return {"pointlist": listed, "interval": interval, **more}


def a_log(message: str, *, seconds_ago: float = 60, service: str = "checkout", **more: Any) -> dict[str, Any]:
    tier = {"tier": more.pop("tier")} if "tier" in more else {}
    stamp = (NOW - timedelta(seconds=seconds_ago)).isoformat(timespec="milliseconds")
    told = {"timestamp": stamp, "service": service, "status": "info", "message": message, "host": "h1", **more}
    return {"id": f"{service}-{seconds_ago}-{len(message)}", "type": "log", "attributes": told, **tier}


def a_span(
    trace: str, span: str, service: str, *, parent: str = "0", ms: float = 20, ago_s: float = 60, **more: Any
) -> Any:
    at = NOW - timedelta(seconds=ago_s)
    told = {
        "trace_id": trace,
        "span_id": span,
        "parent_id": parent,
        "service": service,
        "resource_name": f"GET /{service}",
        "start_timestamp": at.isoformat(timespec="milliseconds"),
        "end_timestamp": (at + timedelta(milliseconds=ms)).isoformat(timespec="milliseconds"),
        "custom": {"duration": ms * 1e6, **more},
    }
    return {"id": span, "type": "spans", "attributes": told}


@asynccontextmanager
async def fake_datadog() -> AsyncIterator[FakeDatadog]:
    fake = FakeDatadog()
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", fake.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    fake.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield fake
    finally:
        await runner.cleanup()
