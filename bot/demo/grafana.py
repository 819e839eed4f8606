"""A local Grafana with a Loki behind it, for `autoheal demo --as grafana`: its lines are those of the shop's log files.

Strict, so that what works here is asked as it is documented: the token, known paths, known parameters, a selector; what
else is asked is refused with the status that Grafana or Loki has for it.
https://grafana.com/docs/grafana/latest/developers/http_api/ https://grafana.com/docs/loki/latest/reference/loki-http-api/
"""

from __future__ import annotations

import json
import re
import secrets
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from bot.demo.journal import ShopJournal, parsed

LOKI_UID: Final = "shop-loki"
LABEL: Final = "service_name"
_LOKI: Final = f"datasources/proxy/uid/{LOKI_UID}/loki/api/v1/"
_PERMISSIONS: Final = (
    "datasources:query",
    "datasources:read",
    "alert.rules:read",
    "alert.instances:read",
    "annotations:read",
    "dashboards:read",
)
_MOST_ENTRIES: Final = 5_000
_SPAN: Final = frozenset({"start", "end"})
_PARAMETERS: Final[Mapping[str, frozenset[str]]] = {
    "labels": _SPAN,
    f"label/{LABEL}/values": _SPAN | {"query"},
    "query_range": _SPAN | {"query", "limit", "direction", "step"},
    "status/buildinfo": frozenset(),
    "annotations": frozenset({"from", "to", "type", "tags", "matchAny", "limit"}),
    "search": frozenset({"type", "query", "limit"}),
    "alertmanager/grafana/api/v2/alerts": frozenset({"filter"}),
    "alertmanager/grafana/api/v2/silences": frozenset({"filter", "expired"}),
}
_SELECTOR: Final = re.compile(rf'\{{{LABEL}(=~|=)"((?:[^"\\]|\\.)*)"\}}')
_COUNT: Final = re.compile(r"sum by \(([\w, ]+)\) \(count_over_time\((\{.*\})\[(\d+)s\]\)\)")
_LEVELS: Final[Mapping[str, str]] = {"WARNING": "warn"}

Json = dict[str, Any]


class LocalGrafana:
    """Start it before it is asked. `logs` are files by service, `token` is the one that it knows."""

    def __init__(self, logs: Mapping[str, Path]) -> None:
        self._journals = {service: ShopJournal(path) for service, path in logs.items()}
        self._runner: web.AppRunner | None = None
        self.token = f"glsa_{secrets.token_hex(20)}"
        self.url = ""
        self.refused: list[str] = []
        """What was asked that neither documents."""

    async def start(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/{rest:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        path = request.path.removeprefix("/api/")
        if path == "health":
            return web.json_response({"database": "ok", "version": "11.6.0", "commit": "demo"})
        if request.headers.get("authorization") != f"Bearer {self.token}":
            return web.json_response({"message": "Invalid API key"}, status=401)
        asked = path.removeprefix(_LOKI)
        if request.method != "GET":
            return self._no(request, 405, "Method not allowed")
        if strange := sorted(set(request.query) - _PARAMETERS.get(asked, frozenset())):
            return self._no(request, 400, f"no parameter {strange[0]}")
        if path.startswith(_LOKI):
            return self._of_loki(asked, request)
        source = {"uid": LOKI_UID, "name": "Shop", "type": "loki", "access": "proxy"}
        pages: Mapping[str, Any] = {
            "org": {"id": 1, "name": "The sample shop"},
            "access-control/user/permissions": {name: ["*"] for name in _PERMISSIONS},
            "datasources": [source],
            f"datasources/uid/{LOKI_UID}": source,
            f"datasources/uid/{LOKI_UID}/health": {"status": "OK", "message": "Data source is working"},
            "annotations": [],
            "search": [],
            "prometheus/grafana/api/v1/rules": {"status": "success", "data": {"groups": []}},
            "alertmanager/grafana/api/v2/status": {"versionInfo": {"version": "11.6.0"}},
            "alertmanager/grafana/api/v2/alerts": [],
            "alertmanager/grafana/api/v2/silences": [],
        }
        return web.json_response(pages[path]) if path in pages else self._no(request, 404, "Not found")

    def _of_loki(self, asked: str, request: web.Request) -> web.Response:  # noqa: PLR0911 -- one each
        query = request.query
        if asked == "status/buildinfo":
            return web.json_response({"version": "3.5.0"})
        if asked not in _PARAMETERS:
            return self._no(request, 404, "404 page not found")
        start, end = _nanoseconds(query.get("start", "")), _nanoseconds(query.get("end", ""))
        if start >= end:
            return self._no(request, 400, "end timestamp must not be before or equal to start time")
        if asked == "labels":
            return _success([LABEL] if any(one.between(start, end) for one in self._journals.values()) else [])
        if asked == f"label/{LABEL}/values":
            return _success(sorted(name for name, one in self._journals.items() if one.between(start, end)))
        expression = query.get("query", "")
        if (counted := _COUNT.fullmatch(expression)) and (chosen := self._chosen(counted[2])) is not None:
            step = max(1, int(query.get("step", "1"))) * 10**9
            grid = range(start, end + 1, step)
            return _success({"resultType": "matrix", "result": _counts(chosen, counted[1], int(counted[3]), grid)})
        chosen = self._chosen(expression)
        if chosen is None:
            return self._no(request, 400, "parse error at line 1, col 1: syntax error")
        limit = int(query.get("limit", "100"))
        if limit > _MOST_ENTRIES:
            told = f"limit > max_entries_limit_per_query ({limit} > {_MOST_ENTRIES})"
            return web.Response(status=400, text=f"max entries limit per query exceeded, {told}")
        return _success({"resultType": "streams", "result": _streams(chosen, start, end, limit)})

    def _chosen(self, selector: str) -> dict[str, ShopJournal] | None:
        """The journals that a selector means; None for one that is not understood."""
        found = _SELECTOR.fullmatch(selector)
        if found is None:
            return None
        sign, wanted = found[1], json.loads(f'"{found[2]}"')
        return {
            name: journal
            for name, journal in self._journals.items()
            if (name == wanted if sign == "=" else re.fullmatch(wanted, name) is not None)
        }

    def _no(self, request: web.Request, status: int, message: str) -> web.Response:
        self.refused.append(f"{request.method} {request.path}: {message}")
        return web.json_response({"message": message}, status=status)


def _streams(chosen: Mapping[str, ShopJournal], start: int, end: int, limit: int) -> list[Json]:
    """The newest lines of all of them, the newest first."""
    found = [(at, name, line) for name, journal in chosen.items() for at, line in journal.between(start, end)]
    streams: dict[str, list[Any]] = defaultdict(list)
    for at, name, line in sorted(found, key=lambda one: one[0], reverse=True)[:limit]:
        streams[name].append([str(at), line, {"structuredMetadata": {"detected_level": _level(line)}}])
    return [{"stream": {LABEL: name}, "values": values} for name, values in streams.items()]


def _counts(chosen: Mapping[str, ShopJournal], labels: str, span_s: int, grid: range) -> list[Json]:
    """Each number counts the lines of the span that ends at its moment."""
    counts: dict[str, Counter[int]] = defaultdict(Counter)
    for end in grid:
        for journal in chosen.values():
            for _, line in journal.between(end - span_s * 10**9 + 1, end + 1):
                counts[_level(line)][end // 10**9] += 1
    by_level = "detected_level" in labels.split(", ")
    return [
        {
            "metric": {"detected_level": level} if by_level else {},
            "values": [[at, str(n)] for at, n in sorted(cells.items())],
        }
        for level, cells in counts.items()
    ]


def _level(line: str) -> str:
    level = next((str(entry.get("level", "")) for entry in parsed(line)), "")
    return _LEVELS.get(level, level.lower()) or "unknown"


def _nanoseconds(text: str) -> int:
    if not text.isdigit():
        return 0
    return int(text) if len(text) > 12 else int(text) * 10**9


def _success(data: Any) -> web.Response:
    return web.json_response({"status": "success", "data": data})
