"""Reads traces from Grafana Tempo: a search by TraceQL within a service, and whole traces by their id.

https://grafana.com/docs/tempo/latest/api_docs/ -- a search answers ids in no particular order, and each trace is one
more question. So a window is asked for in slices, a few traces of each: what was before the incident must be seen as
well as what is now. What a sample leaves out is told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from agents.connecting.connector import Check, Connector, ConnectorContext, Discovered, Discovery, SpansRead
from agents.connecting.connectors.tempo.answers import read_bodies, render_bodies, render_one
from agents.connecting.connectors.tempo.client import TempoClient
from agents.connecting.connectors.tempo.settings import FORM, ReadTempoTrace, SearchTraces, TempoConfig
from agents.connecting.connectors.tempo.traceql import of_service
from agents.english import counted
from agents.errors import AgentError, BadArguments, TooLarge
from agents.evidence.types import Window
from agents.rows import Searched
from agents.tool import ToolOutput, tool

_SLICES: Final = 10
_SHORTEST_SLICE: Final = timedelta(seconds=30)
_AT_ONCE: Final = 6
_TELLING: Final = 20  # traces of a slice that tell what requests do; of fewer it is said that there were more
_TRACE_BYTES: Final = 16_000_000
_READ_S: Final = 15.0
_LOOKED_BACK: Final = timedelta(hours=1)


@dataclass(kw_only=True)
class _Sample:
    """Traces that were read, and what went wrong. `thin` are services of which more was there in some slice."""

    bodies: dict[str, bytes] = field(default_factory=dict)
    size: int = 0
    full: bool = False
    gone: int = 0
    begun: set[str] = field(default_factory=set)
    thin: set[str] = field(default_factory=set)
    failures: list[str] = field(default_factory=list)
    asked: int = 0
    refused: AgentError | None = None


class Tempo(Connector):
    name = "tempo"
    title = "Tempo"
    config_model = TempoConfig
    about = "Traces: Grafana Tempo, by itself or hosted."
    docs_url = "https://grafana.com/docs/tempo/latest/api_docs/"
    form = FORM
    names_are = "span"
    instructions = (
        "search_traces finds recorded requests of a service by TraceQL conditions, slowest first; tempo_trace reads "
        "one as a tree. Traces are mostly sampled: that none is found does not say that there was no such request."
    )
    leaves_behind = "A token stays valid at Tempo's gateway until it is deleted there."

    def __init__(self, config: Any, context: ConnectorContext) -> None:
        super().__init__(config, context)
        self._client = TempoClient(config, context)
        self._names = {
            one.name: tuple(name for name in one.names_for(self.names_are) if "*" not in name)
            for one in context.services
        }
        self._service_of = {recorded: name for name, all_names in self._names.items() for recorded in all_names}

    @classmethod
    def hosts(cls, config: Any) -> tuple[str, ...]:
        return (config.url.host,)

    async def close(self) -> None:
        await self._client.close()

    async def discover(self) -> Discovery:
        """The services that have spans."""
        recorded = await self.context.clean_words(sorted(await self._client.services(self._lately())))
        return Discovery(services=tuple(Discovered(name=name) for name in recorded if name))

    async def check(self) -> Check:
        try:
            version, recorded = await asyncio.gather(self._client.version(), self._client.services(self._lately()))
        except AgentError as exc:
            where = "the address" if self.context.label else "connectors.tempo.url"
            return Check(
                ok=False, detail=str(exc), next_action=f"Correct {where}, its tenant or the token, and test again."
            )
        server = f"Tempo {version}".strip()
        silent = sorted(name for name in self.context.names if not set(recorded) & set(self._names[name]))
        if silent:
            few = ", ".join(silent[:5]) + (f" and {len(silent) - 5} more" if len(silent) > 5 else "")
            return Check(
                ok=False,
                detail=f"{server} answers and knows {counted(len(recorded), 'service')}, but not {few}",
                next_action="Say in /autoheal services what their spans call them."
                if self.context.label
                else "Give the services an alias such as span:NAME.",
                answers=True,
                lacks=(f"no traces of {few}",),
                has_data=len(silent) < len(self.context.names),
            )
        return Check(
            ok=True,
            detail=f"{server} answers, {counted(len(self.context.names), 'service')} seen",
            has_data=bool(recorded),
        )

    async def read_spans(self, window: Window, services: Sequence[str] | None = None) -> SpansRead:
        """Spans of a sample of traces, spread over the window. Raises an AgentError when nothing could be read."""
        chosen = self.context.names if services is None else tuple(services)
        self.context.require_declared(chosen, key="services")
        recorded = set(await self._client.services(window))
        known = [service for service in chosen if recorded & set(self._names[service])]
        gaps = [f"{service}: Tempo has no traces of it" for service in chosen if service not in known]
        slices = _slices(window)
        each = max(1, self.config.limit // max(1, len(slices) * len(known)))
        questions = [(service, part) for part in (*slices[::2], *slices[1::2]) for service in known]
        sample = _Sample()
        late = await self._gathered([self._sampled(service, part, each, sample) for service, part in questions])
        if sample.refused is not None and not sample.bodies and sample.asked == len(sample.failures):
            raise sample.refused
        parsed = await self.context.compute(
            read_bodies,
            tuple(sample.bodies.items()),
            self._service_of,
            self.config.max_spans,
            await self.context.portable_redactor(),
        )
        gaps += [f"Tempo: {failure}" for failure in dict.fromkeys(sample.failures)]
        gaps += [f"Tempo: {late} of {len(questions)} questions had no answer after {_READ_S:.0f} s"] if late else []
        gaps += [f"Tempo: not all traces were read; max_bytes is {self.config.max_bytes}"] if sample.full else []
        if sample.thin and each < _TELLING:
            gaps.append(f"Tempo: only a part of the traces was read of {', '.join(sorted(sample.thin))}")
        if parsed.left_out:
            gaps.append(f"Tempo: {parsed.left_out} traces were left out; max_spans is {self.config.max_spans}")
        gaps += [f"Tempo: {parsed.unreadable} spans could not be understood"] if parsed.unreadable else []
        return SpansRead(spans=parsed.spans, gaps=tuple(gaps))

    @tool(timeout_s=40.0)
    async def search_traces(self, arguments: SearchTraces) -> ToolOutput:
        """Recorded requests with a span of the service that fits TraceQL conditions, slowest first: id, time, length,
        and where they failed. Example: {"service": "checkout", "where": "status = error && duration > 1s"}
        """
        self.context.require_declared([arguments.service], key="service")
        query = of_service(self._names[arguments.service], arguments.where)
        end = arguments.end or self.context.now()
        window = Window(start=end - timedelta(minutes=arguments.minutes), end=end)
        ids = (await self._client.search(query, window, arguments.limit))[: arguments.limit]
        sample = _Sample()
        late = await self._gathered([self._trace(one, sample) for one in ids])
        if sample.refused is not None and not sample.bodies:
            raise sample.refused
        redactor = await self.context.portable_redactor()
        rows = await self.context.compute(
            render_bodies, tuple(sample.bodies.items()), self._service_of, arguments.limit, redactor
        )
        gaps = list(dict.fromkeys(sample.failures))
        gaps += [f"{late} traces were not read in time"] if late else []
        gaps += [f"{counted(sample.gone, 'trace')} that it found it had forgotten"] if sample.gone else []
        gaps += ["not all traces were read; they are large"] if sample.full else []
        if len(ids) >= arguments.limit:
            gaps.append(
                f"Tempo told {len(ids)} traces, as many as were asked for: slower ones may be left out; narrow it"
            )
        searched = Searched(
            service=arguments.service,
            what="recorded requests",
            found=len(ids),
            start=window.start,
            end=window.end,
            wanted={"where": arguments.where} if arguments.where else {},
            whole=not gaps,
            line="" if rows else "no such traces" if not ids else "what was found could not be read",
        )
        return ToolOutput(
            text="\n".join(row.line for row in rows) or searched.line,
            rows=(searched, *rows),
            summary=f"{counted(len(rows), 'trace')} of {arguments.service}",
            facts={"start": window.start.isoformat(), "end": window.end.isoformat()},
            gap="; ".join(gaps) or None,
        )

    @tool()
    async def tempo_trace(self, arguments: ReadTempoTrace) -> ToolOutput:
        """One recorded request as a tree: each step with its service, length, own time and whether it failed."""
        body = await self._client.trace(arguments.trace, max_bytes=_TRACE_BYTES)
        if body is None:
            raise BadArguments(f"Tempo has no trace {arguments.trace}; it may have been forgotten")
        redactor = await self.context.portable_redactor()
        lines, rows = await self.context.compute(render_one, ((arguments.trace, body),), self._service_of, redactor)
        if not any(row.service in self.context.names for row in rows):
            raise BadArguments(f"trace {arguments.trace} passed through no declared service")
        return ToolOutput(text="\n".join(lines), rows=rows, summary=f"trace {arguments.trace[:16]}: {lines[0][:80]}")

    async def _gathered(self, asking: Sequence[Any]) -> int:
        """All of them within their time; how many are unanswered."""
        turns = asyncio.Semaphore(_AT_ONCE)

        async def in_turn(one: Any) -> None:
            async with turns:
                await one

        tasks = [asyncio.create_task(in_turn(one)) for one in asking]
        if not tasks:
            return 0
        try:
            done, late = await asyncio.wait(tasks, timeout=_READ_S)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for one in asking:
                one.close()
        for task in done:
            task.result()  # our own bug, if any, is for the outer guard
        return len(late)

    async def _sampled(self, service: str, part: Window, each: int, sample: _Sample) -> None:
        """A few traces of a service in one slice."""
        sample.asked += 1
        try:
            ids = await self._client.search(of_service(self._names[service]), part, each)
        except AgentError as exc:
            sample.refused = exc
            sample.failures.append(str(exc))
            return
        if len(ids) >= each:
            sample.thin.add(service)
        for trace in ids:
            await self._trace(trace, sample)

    async def _trace(self, trace: str, sample: _Sample) -> None:
        """Into the sample; with its bytes used up no more is asked."""
        if trace in sample.begun:
            return
        sample.begun.add(trace)
        if sample.size >= self.config.max_bytes:
            sample.full = True
            return
        try:
            body = await self._client.trace(trace, max_bytes=min(_TRACE_BYTES, self.config.max_bytes))
        except TooLarge:
            sample.full = True
        except AgentError as exc:
            sample.refused = exc
            sample.failures.append(str(exc))
        else:
            if body is None:
                sample.gone += 1
                return
            sample.bodies[trace] = body
            sample.size += len(body)

    def _lately(self) -> Window:
        now = self.context.now()
        return Window(start=now - _LOOKED_BACK, end=now)


def _slices(window: Window) -> list[Window]:
    length = window.end - window.start
    count = max(1, min(_SLICES, length // _SHORTEST_SLICE))
    return [
        Window(start=window.start + length * i / count, end=window.start + length * (i + 1) / count)
        for i in range(count)
    ]


CONNECTOR = Tempo
