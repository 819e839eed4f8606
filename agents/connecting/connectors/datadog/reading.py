"""Logs and recorded requests of a window: asked for in slices, so that what was before is seen as well as what is now.

A search answers the newest first, a thousand at most, and may be asked some hundred times an hour: a reading asks a
fixed number of questions, whatever the number of services.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from agents.connecting.clean_lines import READ, clean_lines
from agents.connecting.connector import ConnectorContext, LogsRead, SpansRead
from agents.connecting.connectors.datadog.client import DatadogClient, SearchFound
from agents.connecting.connectors.datadog.settings import Tier
from agents.connecting.connectors.datadog.spans import Items, read_items, trace_ids
from agents.connecting.connectors.datadog.tags import ServiceTags
from agents.english import counted
from agents.errors import AgentError
from agents.evidence.types import LogLine, Window
from store.secrets.redaction import Redactor

LOGS: Final = "/api/v2/logs/events/search"
SPANS: Final = "/api/v2/spans/events/search"
PAGE: Final = 1_000
_QUESTIONS: Final = 24
_MOST_SERVICES: Final = 12
_SLICES: Final = 6
_SHORTEST_SLICE: Final = timedelta(seconds=30)
_AT_ONCE: Final = 4
_TRACES_AT_ONCE: Final = 40
_WHOLE_TRACES: Final = 8  # questions for the rest of the traces
_MAX_SPANS: Final = 50_000
_MOST_FIELDS: Final = 40


class SearchReader:
    """Of one connection."""

    def __init__(self, client: DatadogClient, context: ConnectorContext, tags: ServiceTags) -> None:
        self._client, self._context, self._tags = client, context, tags

    async def logs(self, window: Window, services: Sequence[str], tiers: Sequence[Tier]) -> LogsRead:
        """Lines of the services in all of these tiers, in time order. Raises an AgentError when none could be read."""
        chosen, gaps = self._chosen(services, "logs")

        async def ask(service: str, part: Window, tier: str) -> SearchFound:
            filters = {**within(part), "query": self._tags.clause([service]), "storage_tier": tier}
            return await self._client.search(LOGS, filters, what=f"logs of {service}", limit=PAGE)

        found, cut = await self._slices(chosen, window, tiers, ask, gaps)
        if cut:
            gaps.append(f"Datadog: only a part of the lines was read of {', '.join(sorted(cut))}")
        lines = await self.lines([item for one in found for item in one.items], gaps)
        return LogsRead(lines=sorted(lines, key=lambda line: line.time), gaps=tuple(dict.fromkeys(gaps)))

    async def lines(self, items: Items, gaps: list[str]) -> list[LogLine]:
        """SearchFound lines, cleaned, each once."""
        unique = list({str(item.get("id")): item for item in items}.values())
        names = self._names(unique)
        lines = await self._context.compute(log_lines, unique, names, await self._context.portable_redactor())
        if len(lines) < len(unique):
            gaps.append(f"Datadog: {counted(len(unique) - len(lines), 'line')} could not be understood")
        return lines

    async def spans(self, window: Window, services: Sequence[str]) -> SpansRead:
        """Whole traces that passed through the services. Raises an AgentError when none could be read."""
        chosen, gaps = self._chosen(services, "recorded requests")

        async def ask(service: str, part: Window, _tier: str) -> SearchFound:
            filters = {**within(part), "query": self._tags.clause([service])}
            return await self._client.search(SPANS, filters, what=f"spans of {service}", limit=PAGE, wrapped=True)

        found, cut = await self._slices(chosen, window, [""], ask, gaps)
        items = [item for one in found for item in one.items]
        read = {service for item in items if (service := self._tags.service_of(_service(item)))}
        gaps += [f"{service}: Datadog kept no spans of it" for service in chosen if service not in read]
        if cut:
            gaps.append(f"Datadog: only a part of the spans was read of {', '.join(sorted(cut))}")
        items += await self._rest(items, window, gaps)
        redactor = await self._context.portable_redactor()
        parsed = await self._context.compute(read_items, items, self._names(items), _MAX_SPANS, redactor)
        if parsed.left_out:
            gaps.append(f"Datadog: {parsed.left_out} traces were left out")
        if parsed.unreadable:
            gaps.append(f"Datadog: {parsed.unreadable} spans could not be understood")
        return SpansRead(spans=parsed.spans, gaps=tuple(dict.fromkeys(gaps)))

    async def whole(self, ids: Sequence[str], window: Window) -> SearchFound:
        """All kept spans of these traces."""
        filters = {**within(window), "query": f"trace_id:({' OR '.join(ids)})"}
        return await self._client.search(SPANS, filters, what="whole traces", limit=PAGE, wrapped=True)

    def names(self, items: Items) -> dict[str, str]:
        return self._names(items)

    async def _rest(self, items: Items, window: Window, gaps: list[str]) -> list[dict[str, Any]]:
        """Spans of the same traces in other services; of a sample over the window, where they are many."""
        ids = trace_ids(items)
        most = _WHOLE_TRACES * _TRACES_AT_ONCE
        step = max(1, -(-len(ids) // most))
        chosen = ids[::step]
        rest: list[dict[str, Any]] = []
        for at in range(0, len(chosen), _TRACES_AT_ONCE):
            try:
                rest += (await self.whole(chosen[at : at + _TRACES_AT_ONCE], window)).items
            except AgentError as exc:
                gaps.append(f"Datadog: not all traces were read whole: {exc}")
                break
        return rest

    def _chosen(self, services: Sequence[str], what: str) -> tuple[list[str], list[str]]:
        chosen = list(services[:_MOST_SERVICES])
        left = len(services) - len(chosen)
        return chosen, [f"Datadog: {what} of {len(chosen)} of {len(services)} services were read"] if left else []

    async def _slices(
        self,
        services: Sequence[str],
        window: Window,
        tiers: Sequence[str],
        ask: Callable[[str, Window, str], Awaitable[SearchFound]],
        gaps: list[str],
    ) -> tuple[list[SearchFound], set[str]]:
        """What was found, and the services of which there was more. Raises the first failure when all failed."""
        turns, failures, cut = asyncio.Semaphore(_AT_ONCE), list[AgentError](), set[str]()
        count = max(1, min(_SLICES, _QUESTIONS // max(1, len(services) * len(tiers))))
        questions = [(s, part, tier) for part in _parts(window, count) for s in services for tier in tiers]

        async def answer(service: str, part: Window, tier: str) -> SearchFound | None:
            async with turns:
                try:
                    found = await ask(service, part, tier)
                except AgentError as exc:
                    failures.append(exc)
                    return None
            if found.more:
                cut.add(service)
            return found

        found = [one for one in await asyncio.gather(*(answer(*q) for q in questions)) if one is not None]
        if failures and not found:
            raise failures[0]
        gaps += [f"Datadog: {failure}" for failure in dict.fromkeys(map(str, failures))]
        gaps += [f"Datadog: {warning}" for one in found for warning in one.warnings]
        return found, cut

    def _names(self, items: Items) -> dict[str, str]:
        values = {_service(item) for item in items}
        return {value: service for value in values if (service := self._tags.service_of(value))}


def log_lines(items: Items, names: Mapping[str, str], redactor: Redactor) -> list[LogLine]:
    """Items as lines of declared services, those of each host in the order in which they were written, cleaned."""
    written: dict[tuple[str, str], list[LogLine]] = {}
    for item in items:
        told = item.get("attributes")
        if not isinstance(told, dict):
            continue
        try:
            at = datetime.fromisoformat(str(told["timestamp"])).astimezone(UTC)
        except (KeyError, ValueError):
            continue
        service = names.get(_service(item), "")
        if service:
            line = LogLine(
                time=at,
                service=service,
                level=str(told.get("status") or "").lower()[:20],
                text=str(told.get("message") or "")[:READ],
                fields=dict(_flat(told.get("attributes"))),
            )
            written.setdefault((service, str(told.get("host") or "")), []).append(line)
    lines: list[LogLine] = []
    for of_host in written.values():
        lines += clean_lines(sorted(of_host, key=lambda line: line.time), redactor)
    return lines


def within(window: Window) -> dict[str, str]:
    return {
        "from": window.start.isoformat(timespec="milliseconds"),
        "to": window.end.isoformat(timespec="milliseconds"),
    }


def _service(item: Mapping[str, Any]) -> str:
    told = item.get("attributes")
    return str(told.get("service") or "") if isinstance(told, dict) else ""


def _flat(node: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Nested attributes as words with dots, few of them."""
    left = _MOST_FIELDS
    due = [(path, node)]
    while due and left:
        name, value = due.pop(0)
        if isinstance(value, dict):
            due += [(f"{name}.{key}" if name else str(key), inner) for key, inner in value.items()]
        elif name and value is not None and not isinstance(value, list):
            left -= 1
            yield name, str(value)[:READ]


def _parts(window: Window, count: int) -> list[Window]:
    """Every second first: what a limit cuts off is then spread over the window."""
    length = window.end - window.start
    count = max(1, min(count, length // _SHORTEST_SLICE))
    parts = [
        Window(start=window.start + length * n / count, end=window.start + length * (n + 1) / count)
        for n in range(count)
    ]
    return [*parts[::2], *parts[1::2]]
