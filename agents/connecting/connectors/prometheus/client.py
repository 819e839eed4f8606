"""Questions to the HTTP API, and what a refusal says. https://prometheus.io/docs/prometheus/latest/querying/api/"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from agents.connecting.connector import (
    ConnectorContext,
)
from agents.connecting.connectors.prometheus.settings import PrometheusConfig
from agents.errors import BadArguments, Unavailable
from agents.evidence.types import Window

_CONFIGURED_FOR = timedelta(minutes=5)
_LONGEST_URL = 1_500
_ABSENT = frozenset((404, 405, 501))


class PrometheusClient:
    """Of one connection to a `server`, its product's name. What changes with its configuration is kept for minutes."""

    def __init__(self, config: PrometheusConfig, context: ConnectorContext, server: str) -> None:
        self._config, self._context, self._server = config, context, server
        self._kept: dict[str, tuple[datetime, Any]] = {}

    async def vector(
        self, promql: str, at: datetime | None = None, told: list[str] | None = None
    ) -> list[dict[str, Any]]:
        moment = f"{(at or self._context.now()).timestamp():.3f}"
        data = await self.ask("query", {"query": promql, "time": moment}, told)
        if data["resultType"] == "vector":
            return list(data["result"])
        if data["resultType"] in {"scalar", "string"}:
            return [{"metric": {}, "value": data["result"]}]
        raise BadArguments("query: the expression gives a range of samples; use query_range, or wrap it in rate()")

    async def matrix(
        self, promql: str, window: Window, step_s: float, told: list[str] | None = None
    ) -> list[dict[str, Any]]:
        span = {"start": f"{window.start.timestamp():.3f}", "end": f"{window.end.timestamp():.3f}"}
        data = await self.ask("query_range", {"query": promql, "step": f"{step_s:.3f}", **span}, told)
        return list(data["result"])

    async def have(self, path: str, params: Mapping[str, str] | None = None) -> Any:
        """The same as `ask`, and None where the server has no such page."""
        return await self.ask(path, params, absent=_ABSENT)

    async def slowly(self, path: str, params: Mapping[str, str]) -> Any:
        """The same for what changes with the server's configuration only: asked again after some minutes."""
        now = self._context.now()
        at, answer = self._kept.get(path, (None, None))
        if at is None or not timedelta(0) <= now - at < _CONFIGURED_FOR:
            answer = await self.have(path, params)
            self._kept[path] = (now, answer)
        return answer

    async def ask(
        self,
        path: str,
        params: Mapping[str, str] | None = None,
        told: list[str] | None = None,
        *,
        absent: frozenset[int] = frozenset(),
    ) -> Any:
        """The `data` of an answer. A refused expression becomes BadArguments with the server's own words.

        Warnings, as of a store that did not answer, are put into `told`. A long expression is sent as a form: proxies
        refuse long URLs.
        """
        form = urlencode(params or {})
        is_long = len(form) > _LONGEST_URL
        typed = {"content-type": "application/x-www-form-urlencoded"} if is_long else {}
        answer = await self._context.outbound.request(
            "POST" if is_long else "GET",
            f"{str(self._config.url).rstrip('/')}/api/v1/{path}",
            params=None if is_long else params,
            content=form.encode() if is_long else None,
            headers={**self._config.headers, **self._context.authorization(), **typed},
            max_bytes=32_000_000,
            timeout_s=15.0,
            accept={400, 422, *absent},
        )
        if answer.status in absent:
            return None
        document = answer.json()
        if not isinstance(document, dict) or "status" not in document:
            raise Unavailable(f"the answer is not one of {self._server}'s API; is the URL right?")
        if document["status"] != "success":
            said = await self._context.clean(str(document.get("error", "no reason given")))
            raise BadArguments(f"{self._server} refused it: {said[:300]}")
        if told is not None:
            told += [(await self._context.clean(str(warning)))[:200] for warning in document.get("warnings") or ()]
            told += ["the answer is partial"] if document.get("isPartial") else []
        return document["data"]
