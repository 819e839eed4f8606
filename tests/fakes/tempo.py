"""A small strict Tempo: searches of the TraceQL that is asked here, tag values and traces by id, and refuses the rest.

https://grafana.com/docs/tempo/latest/api_docs/
"""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from aiohttp import web

from tests.fakes.openapi import Asked

TOKEN = "a-token-of-the-gateway"
_QUERY = re.compile(r"\{ \(?((?:resource\.service\.name = \"[^\"]+\"(?: \|\| )?)+)\)?(?: && \((.*)\))? \}")
_PARAMETERS = {"search": {"q", "limit", "spss", "start", "end"}, "values": {"start", "end"}, "traces": set()}


@dataclass(frozen=True, kw_only=True)
class FakeSpan:
    id: int
    service: str
    name: str
    at: datetime
    ms: float
    parent: int = 0
    failed: bool = False
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(kw_only=True)
class FakeTempo:
    """`refuse`: answered instead of anything, (status, headers, body) or "hang"; `gone` are traces that it forgot."""

    traces: dict[str, list[FakeSpan]] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    tenants: frozenset[str] = frozenset()
    token: str = TOKEN
    old: bool = False
    longest_s: int = 168 * 3_600
    refuse: Any = None
    prefix: str = "/api/"
    asked: list[Asked] = field(default_factory=list)
    url: str = ""

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(
            Asked(
                method=request.method,
                path=request.path,
                query=dict(request.query),
                headers={name.lower(): value for name, value in request.headers.items()},
                body=await request.read(),
            )
        )
        if self.refuse == "hang":
            await asyncio.Event().wait()
        if self.refuse is not None:
            status, headers, body = self.refuse
            return web.Response(status=status, headers=headers, body=body)
        if self.token and request.headers.get("authorization") != f"Bearer {self.token}":
            return web.Response(status=401, text="401 Unauthorized")
        if self.tenants and request.headers.get("x-scope-orgid") not in self.tenants:
            return web.Response(status=401, text="no org id")
        if request.method != "GET" or not request.path.startswith(self.prefix):
            return web.Response(status=404, text="404 page not found")
        return self._answered(request, request.path.removeprefix(self.prefix))

    def _answered(self, request: web.Request, path: str) -> web.Response:  # noqa: PLR0911 -- one each
        services = sorted({span.service for spans in self.traces.values() for span in spans})
        if path == "status/buildinfo":
            return web.json_response({"version": "2.8.1"})
        if path == "v2/search/tag/resource.service.name/values" and not self.old:
            values = [{"type": "string", "value": one} for one in services]
            return web.json_response({"tagValues": values, "metrics": {}})
        if path == "search/tag/service.name/values":
            return web.json_response({"tagValues": services})
        if path == "search" and not set(request.query) - _PARAMETERS["search"]:
            return self._searched(request.query)
        if path.startswith("traces/") and not request.query:
            trace = path.removeprefix("traces/")
            if trace not in self.traces or trace in self.gone:
                return web.Response(status=404, text="trace not found")
            return web.json_response(told(trace, self.traces[trace]))
        return web.Response(status=404, text="404 page not found")

    def _searched(self, query: Mapping[str, str]) -> web.Response:
        start, end = int(query["start"]), int(query["end"])
        if end - start > self.longest_s:
            words = f"range specified by start and end exceeds {self.longest_s // 3600}h0m0s. received start={start}"
            return web.Response(status=400, text=words)
        found = _QUERY.fullmatch(query["q"])
        if found is None:
            return web.Response(status=400, text="invalid TraceQL query: parse error at line 1, col 3")
        services, where = re.findall(r'"([^"]+)"', found[1]), found[2] or ""
        assert where in ("", "status = error", "duration > 200ms"), "the fake knows no other conditions"
        matched = [
            trace
            for trace, spans in self.traces.items()
            if any(
                span.service in services
                and start <= span.at.timestamp() <= end
                and (where != "status = error" or span.failed)
                and (where != "duration > 200ms" or span.ms > 200)
                for span in spans
            )
        ]
        rows = [{"traceID": trace, "rootServiceName": "web", "durationMs": 1} for trace in matched]
        return web.json_response({"traces": rows[: int(query["limit"])], "metrics": {"inspectedTraces": len(rows)}})


def told(trace: str, spans: list[FakeSpan]) -> dict[str, Any]:
    """As protobuf's JSON has it."""
    return {
        "batches": [
            {
                "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": span.service}}]},
                "scopeSpans": [{"scope": {"name": "sdk"}, "spans": [_row(trace, span)]}],
            }
            for span in spans
        ]
    }


def _row(trace: str, span: FakeSpan) -> dict[str, Any]:
    begun = round(span.at.timestamp() * 1e6) * 1_000
    values = [{"key": name, "value": {"stringValue": str(value)}} for name, value in span.attributes.items()]
    return {
        "traceId": base64.b64encode(bytes.fromhex(trace)).decode(),
        "spanId": _id(span.id),
        **({"parentSpanId": _id(span.parent)} if span.parent else {}),
        "name": span.name,
        "kind": "SPAN_KIND_SERVER",
        "startTimeUnixNano": str(begun),
        "endTimeUnixNano": str(begun + round(span.ms * 1e6)),
        "attributes": values,
        "status": {"code": "STATUS_CODE_ERROR"} if span.failed else {},
    }


def _id(number: int) -> str:
    return base64.b64encode(number.to_bytes(8, "big")).decode()


@asynccontextmanager
async def fake_tempo(**settings: Any) -> AsyncIterator[FakeTempo]:
    fake = FakeTempo(**settings)
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
