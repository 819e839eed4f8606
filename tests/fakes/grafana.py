"""A small strict Grafana: its own API as documented and as its service account is permitted, and the proxy of its data
sources, behind which strict servers stand.

https://grafana.com/docs/grafana/latest/developers/http_api/
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.fakes.alertmanager import TOKEN, FakeAlertmanager
from tests.fakes.loki import FakeLoki
from tests.fakes.openapi import Asked
from tests.fakes.prometheus import FakePrometheus
from tests.fakes.tempo import FakeTempo

Behind = FakeLoki | FakePrometheus | FakeTempo
PERMISSIONS = frozenset(
    {
        "datasources:query",
        "datasources:read",
        "alert.rules:read",
        "alert.instances:read",
        "annotations:read",
        "dashboards:read",
    }
)
_NEEDS = {
    "annotations": "annotations:read",
    "search": "dashboards:read",
    "datasources": "datasources:read",
    "prometheus": "alert.rules:read",
    "alertmanager": "alert.instances:read",
}
_PARAMETERS = {
    "annotations": {"from", "to", "type", "tags", "matchAny", "limit"},
    "search": {"type", "query", "limit"},
}


@dataclass(kw_only=True)
class FakeGrafana:
    """`sources` by uid; `ill` are those that it does not reach. `refuse`: answered instead, (status, headers, body)."""

    sources: dict[str, Behind] = field(default_factory=dict)
    alerts: FakeAlertmanager = field(default_factory=FakeAlertmanager)
    annotations: list[dict[str, Any]] = field(default_factory=list)
    dashboards: list[dict[str, Any]] = field(default_factory=list)
    rules: list[dict[str, Any]] = field(default_factory=list)
    permissions: frozenset[str] = PERMISSIONS
    ill: set[str] = field(default_factory=set)
    refuse: Any = None
    asked: list[Asked] = field(default_factory=list)
    url: str = ""

    def put(self, uid: str, behind: Behind) -> None:
        """A server behind the proxy: it is asked below the uid's path, with Grafana's own token."""
        below = f"/api/datasources/proxy/uid/{uid}"
        behind.token = TOKEN
        if isinstance(behind, FakeLoki):
            behind.prefix = f"{below}/loki/api/v1/"
        elif isinstance(behind, FakeTempo):
            behind.prefix = f"{below}/api/"
        self.sources[uid] = behind

    async def answer(self, request: web.Request) -> web.StreamResponse:  # noqa: PLR0911 -- one each
        self.asked.append(
            Asked(method=request.method, path=request.path, query=dict(request.query), headers={}, body=b"")
        )
        if self.refuse is not None:
            status, headers, body = self.refuse
            return web.Response(status=status, headers=headers, body=body)
        parts = request.path.removeprefix("/api/").split("/")
        if parts == ["health"]:
            return web.json_response({"database": "ok", "version": "11.6.0", "commit": "1"})
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return _said(401, "Invalid API key")
        if parts[:3] == ["datasources", "proxy", "uid"]:
            if "datasources:query" not in self.permissions:
                return _said(403, "You'll need additional permissions: datasources:query")
            behind = self.sources.get(parts[3])
            return _said(404, "Data source not found") if behind is None else await behind.answer(request)
        needed = "datasources:query" if parts[-1] == "health" else _NEEDS.get(parts[0])
        if needed is not None and needed not in self.permissions:
            return _said(
                403, f"You'll need additional permissions to perform this action. Permissions needed: {needed}"
            )
        if parts[0] == "alertmanager":
            return await self.alerts.answer(request) if parts[1] == "grafana" else _said(404, "Not found")
        if request.method != "GET" or set(request.query) - _PARAMETERS.get(parts[0], set()):
            return _said(400, "bad request data")
        return self._answered(parts, request)

    def _answered(self, parts: list[str], request: web.Request) -> web.Response:  # noqa: PLR0911 -- one each
        match parts:
            case ["org"]:
                return web.json_response({"id": 1, "name": "Example Shop"})
            case ["access-control", "user", "permissions"]:
                return web.json_response({name: ["*"] for name in self.permissions})
            case ["datasources"]:
                return web.json_response([self._source(uid) for uid in self.sources])
            case ["datasources", "uid", uid] if uid in self.sources:
                return web.json_response(self._source(uid))
            case ["datasources", "uid", uid, "health"] if uid in self.sources:
                if uid in self.ill:
                    return web.json_response({"status": "ERROR", "message": "connection refused"}, status=400)
                return web.json_response({"status": "OK", "message": "Data source is working"})
            case ["annotations"]:
                start, end = int(request.query["from"]), int(request.query["to"])
                tags = set(request.query.getall("tags"))
                found = [one for one in self.annotations if start <= one["time"] <= end and tags & set(one["tags"])]
                newest = sorted(found, key=lambda one: -one["time"])
                return web.json_response(newest[: int(request.query["limit"])])
            case ["search"]:
                wanted = request.query["query"].lower()
                return web.json_response([one for one in self.dashboards if wanted in one["title"].lower()])
            case ["prometheus", "grafana", "api", "v1", "rules"]:
                group = {"name": "shop", "file": "folder", "interval": 60, "rules": self.rules}
                return web.json_response({"status": "success", "data": {"groups": [group], "totals": {}}})
            case _:
                return _said(404, "Not found")

    def _source(self, uid: str) -> dict[str, Any]:
        kind = {"FakeLoki": "loki", "FakeTempo": "tempo"}.get(type(self.sources[uid]).__name__, "prometheus")
        return {"id": 1, "uid": uid, "orgId": 1, "name": f"The {kind}", "type": kind, "access": "proxy"}


def _said(status: int, message: str) -> web.Response:
    return web.json_response({"message": message, "traceID": ""}, status=status)


@asynccontextmanager
async def fake_grafana(**settings: Any) -> AsyncIterator[FakeGrafana]:
    fake = FakeGrafana(**settings)
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", fake.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    fake.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield fake
    finally:
        await runner.cleanup()
