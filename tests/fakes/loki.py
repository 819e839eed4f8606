"""A small strict Loki: it answers what its HTTP API documents, to whom it may, and refuses whatever else is asked.

https://grafana.com/docs/loki/latest/reference/loki-http-api/
"""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import re2
from aiohttp import web

from tests.fakes.openapi import Asked

TOKEN = "a-token-of-the-gateway"
_MATCHER = re.compile(r'(\w+)(=~|!~|!=|=)"((?:[^"\\]|\\.)*)"')
_SELECTOR = re.compile(r'\{(?:\w+(?:=~|!~|!=|=)"(?:[^"\\]|\\.)*",?)+\}')
_COUNT = re.compile(r"sum by \(([\w, ]+)\) \(count_over_time\((\{.*\})\[(\d+)s\]\)\)")
_SPAN = {"start", "end"}
_PARAMETERS = {
    "labels": _SPAN,
    "values": {*_SPAN, "query"},
    "query_range": {*_SPAN, "query", "limit", "direction", "step"},
    "buildinfo": set(),
}


@dataclass(kw_only=True)
class Stream:
    labels: dict[str, str]
    lines: list[tuple[int, str, dict[str, str]]] = field(default_factory=list)
    """Nanoseconds, the line, and what was attached to it."""


@dataclass(kw_only=True)
class FakeLoki:
    """`tenants`: only these in X-Scope-OrgID. `refuse`: answered instead, (status, headers, body) or "hang".

    `prefix` is where its API begins, as behind a proxy.
    """

    streams: list[Stream] = field(default_factory=list)
    tenants: frozenset[str] = frozenset()
    token: str = TOKEN
    most_entries: int = 5_000
    longest_s: float = 721 * 3_600
    categorizes: bool = True
    refuse: Any = None
    prefix: str = "/loki/api/v1/"
    asked: list[Asked] = field(default_factory=list)
    url: str = ""

    def add(
        self, labels: Mapping[str, str], *lines: tuple[datetime, str], attached: Mapping[str, str] | None = None
    ) -> Stream:
        stream = next((one for one in self.streams if one.labels == dict(labels)), None)
        if stream is None:
            stream = Stream(labels=dict(labels))
            self.streams.append(stream)
        stream.lines += [(round(at.timestamp() * 1e6) * 1_000, text, dict(attached or {})) for at, text in lines]
        return stream

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
        return self._answered(request)

    def _answered(self, request: web.Request) -> web.Response:
        parts = request.path.removeprefix(self.prefix).split("/")
        kind = parts[-1]
        if kind not in _PARAMETERS or set(request.query) - _PARAMETERS[kind]:
            return web.Response(status=404, text="404 page not found")
        if kind == "buildinfo":
            return web.json_response({"version": "3.4.2", "revision": "1", "branch": "", "goVersion": "go1.24"})
        start, end = (_nanoseconds(request.query[name]) for name in ("start", "end"))
        if (end - start) / 1e9 > self.longest_s:
            told = f"query length: {round((end - start) / 1e9)}s, limit: {self.longest_s / 3600:.0f}h"
            return web.Response(status=400, text=f"the query time range exceeds the limit ({told})")
        if kind == "labels":
            names = {name for one in self._within(start, end) for name in one.labels}
            return _success(sorted(names))
        if kind == "values":
            chosen = self._within(start, end, request.query.get("query", ""))
            return _success(sorted({one.labels[parts[1]] for one in chosen if parts[1] in one.labels}))
        return self._queried(request, start, end)

    def _queried(self, request: web.Request, start: int, end: int) -> web.Response:
        query = request.query["query"]
        if (counted := _COUNT.fullmatch(query)) is not None:
            labels, selector, span = counted.groups()
            return self._counted(labels.split(", "), selector, int(span), request.query["step"], (start, end))
        if not _SELECTOR.fullmatch(query):
            return web.Response(status=400, text="parse error at line 1, col 1: syntax error: unexpected IDENTIFIER")
        limit = int(request.query.get("limit", "100"))
        if limit > self.most_entries:
            told = f"limit > max_entries_limit ({limit} > {self.most_entries})"
            return web.Response(status=400, text=f"max entries limit per query exceeded, {told}")
        assert request.query.get("direction") == "backward"
        newest = sorted(
            (
                (at, number, one, text, attached)
                for one in self._within(start, end, query)
                for number, (at, text, attached) in enumerate(one.lines)
                if start <= at < end
            ),
            key=lambda entry: entry[:2],
            reverse=True,
        )[:limit]
        categorizes = self.categorizes and request.headers.get("x-loki-response-encoding-flags") == "categorize-labels"
        groups: dict[str, list[Any]] = defaultdict(list)
        for at, _, one, text, attached in newest:
            shown = one.labels if categorizes else {**one.labels, **attached}
            beside = [{"structuredMetadata": attached} if attached else {}] if categorizes else []
            groups[json.dumps(shown, sort_keys=True)].append([str(at), text, *beside])
        result = [{"stream": json.loads(key), "values": values} for key, values in groups.items()]
        flags = {"encodingFlags": ["categorize-labels"]} if categorizes else {}
        return _success({"resultType": "streams", "result": result, "stats": {}, **flags})

    def _counted(
        self, labels: list[str], selector: str, span_s: int, step: str, window: tuple[int, int]
    ) -> web.Response:
        """Each number counts the lines of the span that ends at its moment, as range vectors do."""
        counts: dict[str, Counter[int]] = defaultdict(Counter)
        for at in range(window[0], window[1] + 1, int(step) * 10**9):
            for one in self._within(0, 2**63, selector):
                for when, _, attached in one.lines:
                    if at - span_s * 10**9 < when <= at:
                        shown = {**one.labels, **attached}
                        key = json.dumps({name: shown[name] for name in labels if name in shown}, sort_keys=True)
                        counts[key][at // 10**9] += 1
        series = [
            {"metric": json.loads(key), "values": [[at, str(count)] for at, count in sorted(cells.items())]}
            for key, cells in counts.items()
        ]
        return _success({"resultType": "matrix", "result": series, "stats": {}})

    def _within(self, start: int, end: int, selector: str = "") -> list[Stream]:
        matchers = _MATCHER.findall(selector)
        return [
            one
            for one in self.streams
            if any(start <= at < end for at, *_ in one.lines) and all(_fits(one.labels, *m) for m in matchers)
        ]


def _fits(labels: Mapping[str, str], name: str, sign: str, wanted: str) -> bool:
    wanted, value = json.loads(f'"{wanted}"'), labels.get(name, "")
    found = re2.fullmatch(wanted, value) is not None if "~" in sign else wanted == value
    return found != sign.startswith("!")


def _nanoseconds(text: str) -> int:
    return int(text) if len(text) > 12 else int(text) * 10**9


def _success(data: Any) -> web.Response:
    return web.json_response({"status": "success", "data": data})


@asynccontextmanager
async def fake_loki(**settings: Any) -> AsyncIterator[FakeLoki]:
    fake = FakeLoki(**settings)
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
