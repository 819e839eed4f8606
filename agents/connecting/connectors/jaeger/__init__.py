"""Reads traces from a Jaeger query service, or what offers the same JSON: VictoriaTraces, Grafana Tempo's tempo-query.

https://www.jaegertracing.io/docs/latest/architecture/apis/ -- a question answers the newest `limit` traces of one
service, and on a busy service those are the last seconds. So a window is asked for in slices: what was before the
incident must be seen as well as what is now.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Final

from pydantic import Field, HttpUrl, field_validator

from agents.connecting.connector import (
    Check,
    Connector,
    ConnectorConfig,
    ConnectorContext,
    Discovered,
    Discovery,
    SpansRead,
)
from agents.connecting.connectors.jaeger.answers import ParsedTraces, as_json, data_of, read_answers
from agents.connecting.connectors.jaeger.reading import render_trace, render_traces
from agents.connecting.fields import HTTP_LOGIN, HTTP_LOGIN_WAYS, Form
from agents.connecting.fields import Field as Asked
from agents.english import counted
from agents.errors import AgentError, BadArguments, TooLarge
from agents.evidence.types import Window
from agents.rows import Searched
from agents.tool import Arguments, ToolOutput, tool

_SLICES: Final = 10
_SHORTEST_SLICE: Final = timedelta(seconds=30)
_AT_ONCE: Final = 4
_HALVINGS: Final = 5  # times that a slice with too large an answer is cut in half
_TELLING: Final = 20  # so many traces of a slice tell what requests do; of fewer it must be said that there were more
_ANSWER_BYTES: Final = 16_000_000
_READ_S: Final = 15.0
_CHECK_S: Final = 4.0
_FULL: Final = (
    "Jaeger told {limit} traces, as many as were asked for: others of the window, slower ones too, may be left out; "
    "narrow with operation, min_ms or failed, or raise limit"
)


class JaegerConfig(ConnectorConfig):
    """`names` maps a declared service to the name, or names, that its spans carry where they differ.

    `limit` traces of each service are read at most, a sample spread over the window, of which only a thin one is named
    as a gap; `max_bytes` bounds all answers of one reading together.
    """

    url: HttpUrl
    names: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)
    limit: int = Field(default=400, ge=10, le=20_000)
    max_bytes: int = Field(default=64_000_000, ge=100_000, le=1_000_000_000)
    max_spans: int = Field(default=100_000, ge=1_000, le=1_000_000)

    @field_validator("names", mode="before")
    @classmethod
    def _one_or_several(cls, names: object) -> object:
        if not isinstance(names, Mapping):
            return names
        return {name: (value,) if isinstance(value, str) else value for name, value in names.items()}


class FindTraces(Arguments):
    service: str = Field(description="A declared service.")
    operation: str = Field(default="", max_length=200, description="Only requests with this operation; else any.")
    minutes: int = Field(default=15, ge=1, le=1440, description="How far back from now.")
    min_ms: int = Field(
        default=0, ge=0, le=86_400_000, description="Only traces with a span of the service at least this long."
    )
    failed: bool = Field(default=False, description="Only traces in which a span of the service carries error=true.")
    limit: int = Field(default=20, ge=1, le=100, description="How many traces at most.")


class ReadTrace(Arguments):
    trace: str = Field(pattern=r"^[0-9a-fA-F]{1,32}$", description="A trace id as the trace tools print it.")


@dataclass(frozen=True, kw_only=True)
class _Question:
    """The traces of one recorded name in one slice of the window."""

    name: str
    window: Window
    limit: int


@dataclass(kw_only=True)
class _Answers:
    """Bodies with what was asked, and what went wrong."""

    asked: list[_Question] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    size: int = 0
    full: bool = False
    failures: list[AgentError] = field(default_factory=list)


class Jaeger(Connector):
    name = "jaeger"
    title = "Jaeger"
    config_model = JaegerConfig
    about = "Traces: a Jaeger query service, or VictoriaTraces and Grafana Tempo behind the same API."
    docs_url = "https://www.jaegertracing.io/docs/latest/architecture/apis/"
    form = Form(
        fields=(
            Asked(
                name="url",
                label="Address",
                help="Where its web page is, without /api; a base path belongs to it.",
                example="https://jaeger.example.com",
                required=True,
                pattern=r"https?://\S+",
            ),
            *HTTP_LOGIN,
        ),
        ways=HTTP_LOGIN_WAYS,
        open=True,
    )
    names_are = "span"
    leaves_behind = "A token stays valid at Jaeger's proxy until it is deleted there."

    def __init__(self, config: Any, context: ConnectorContext) -> None:
        super().__init__(config, context)
        context.require_declared(config.names, key="connectors.jaeger.names")
        self._names = {
            one.name: config.names.get(one.name) or tuple(name for name in one.names_for("span") if "*" not in name)
            for one in context.services
        }
        self._service_of = {recorded: name for name, all_names in self._names.items() for recorded in all_names}

    @classmethod
    def hosts(cls, config: Any) -> tuple[str, ...]:
        return (config.url.host,)

    async def discover(self) -> Discovery:
        """The services that have spans."""
        recorded = await self.context.clean_words(sorted(await self._recorded(timeout_s=_CHECK_S)))
        return Discovery(services=tuple(Discovered(name=name) for name in recorded if name))

    async def check(self) -> Check:
        try:
            recorded = await self._recorded(timeout_s=_CHECK_S, retries=0)
        except AgentError as exc:
            return Check(
                ok=False,
                detail=str(exc),
                next_action=f"Correct {'the address' if self.context.label else 'connectors.jaeger.url'} or its token, "
                "and test again.",
            )
        silent = [name for name in self.context.names if not recorded.intersection(self._names[name])]
        if silent:
            return Check(
                ok=False,
                detail=f"Jaeger answers and knows {counted(len(recorded), 'service')}, "
                f"but not {', '.join(sorted(silent))}",
                next_action="Say in /autoheal services what their spans call them."
                if self.context.label
                else "Map the services to the names of their spans under connectors.jaeger.names.",
                answers=True,
                lacks=(f"no traces of {', '.join(sorted(silent)[:5])}",),
                has_data=len(silent) < len(self.context.names),
            )
        detail = f"Jaeger answers, {counted(len(self.context.names), 'service')} seen"
        return Check(ok=True, detail=detail, has_data=bool(recorded))

    async def read_spans(self, window: Window, services: Sequence[str] | None = None) -> SpansRead:
        """Spans of the window, sampled evenly over it. Raises an AgentError when nothing at all could be read."""
        chosen = self.context.names if services is None else tuple(services)
        self.context.require_declared(chosen, key="services")
        recorded = await self._recorded()
        known = [name for service in chosen for name in self._names[service] if name in recorded]
        gaps = [f"{s}: Jaeger has no traces of it" for s in chosen if not recorded.intersection(self._names[s])]
        questions = _questions(known, window, self.config.limit)
        answers, late = await self._answers(questions)
        if answers.failures and not answers.bodies:
            raise answers.failures[0]
        gaps += [f"Jaeger: {failure}" for failure in dict.fromkeys(map(str, answers.failures))]
        if late:
            gaps.append(f"Jaeger: {late} of {len(questions)} questions had no answer after {_READ_S:.0f} s")
        if answers.full:
            gaps.append(f"Jaeger: not all traces were read; max_bytes is {self.config.max_bytes}")
        parsed = await self.context.compute(
            read_answers,
            tuple(answers.bodies),
            self._service_of,
            self.config.max_spans,
            await self.context.portable_redactor(),
        )
        return SpansRead(spans=parsed.spans, gaps=(*gaps, *self._caps(answers.asked, parsed)))

    @tool()
    async def find_traces(self, arguments: FindTraces) -> ToolOutput:
        """Recorded requests that passed through a service, slowest first: id, time, length, and where they failed."""
        self.context.require_declared([arguments.service], key="service")
        end = self.context.now()
        window = Window(start=end - timedelta(minutes=arguments.minutes), end=end)
        more = {"operation": arguments.operation} if arguments.operation else {}
        more |= {"minDuration": f"{arguments.min_ms}ms"} if arguments.min_ms else {}
        more |= {"tags": '{"error":"true"}'} if arguments.failed else {}
        bodies = [
            await self._traces(_Question(name=name, window=window, limit=arguments.limit), _ANSWER_BYTES, more)
            for name in self._names[arguments.service]
        ]
        redactor = await self.context.portable_redactor()
        found = await self.context.compute(render_traces, tuple(bodies), self._service_of, arguments.limit, redactor)
        full = len(found) >= arguments.limit
        searched = Searched(
            service=arguments.service,
            what="recorded requests",
            found=len(found),
            start=window.start,
            end=window.end,
            wanted={
                name: str(value)
                for name, value in arguments.model_dump(include={"operation", "min_ms", "failed"}).items()
                if value
            },
            whole=not full,
            line="" if found else "no such traces",
        )
        return ToolOutput(
            text="\n".join(row.line for row in found) or searched.line,
            rows=(searched, *found),
            summary=f"{counted(len(found), 'trace')} of {arguments.service}",
            facts={"start": window.start.isoformat(), "end": window.end.isoformat()},
            gap=_FULL.format(limit=arguments.limit) if full else None,
        )

    @tool()
    async def read_trace(self, arguments: ReadTrace) -> ToolOutput:
        """One recorded request as a tree: each step with its service, length, own time and whether it failed."""
        answer = await self._get(f"traces/{arguments.trace}", {}, max_bytes=_ANSWER_BYTES, accept={400, 404})
        redactor = await self.context.portable_redactor()
        lines, rows = await self.context.compute(render_trace, answer, self._service_of, redactor)
        if not lines:
            raise BadArguments(f"Jaeger has no trace {arguments.trace}; it may have been forgotten")
        return ToolOutput(text="\n".join(lines), rows=rows, summary=f"trace {arguments.trace[:16]}: {lines[0][:80]}")

    async def _recorded(self, *, timeout_s: float = 10.0, retries: int = 2) -> set[str]:
        """The service names that Jaeger has spans of."""
        body = await self._get("services", {}, max_bytes=2_000_000, timeout_s=timeout_s, retries=retries)
        return {name for name in data_of(as_json(body), await self.context.redactor()) if isinstance(name, str)}

    async def _answers(self, questions: Sequence[_Question]) -> tuple[_Answers, int]:
        """What came in time, and how many questions are unanswered.

        With half of the bytes used up no more is asked: what is on its way may use the other half.
        """
        answers, gate = _Answers(), asyncio.Semaphore(_AT_ONCE)

        async def ask(question: _Question) -> None:
            async with gate:
                if answers.size > self.config.max_bytes // 2:
                    answers.full = True
                    return
                await self._ask_in_parts(question, answers, _HALVINGS)

        tasks = [asyncio.create_task(ask(question)) for question in questions]
        if not tasks:
            return answers, 0
        try:
            done, late = await asyncio.wait(tasks, timeout=_READ_S)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for task in done:
            task.result()  # our own bug, if any, is for the outer guard
        return answers, len(late)

    async def _ask_in_parts(self, question: _Question, answers: _Answers, halvings: int) -> None:
        """One slice; where its answer is too large, its halves, so that one huge trace does not cost the others."""
        try:
            body = await self._traces(question, self.config.max_bytes // (2 * _AT_ONCE))
        except TooLarge as exc:
            if not halvings or answers.size > self.config.max_bytes // 2:
                answers.failures.append(TooLarge(f"{_span(question.window)} is left out: {exc}"))
                return
            for half in _halves(question):
                await self._ask_in_parts(half, answers, halvings - 1)
        except AgentError as exc:
            answers.failures.append(exc)
        else:
            answers.asked.append(question)
            answers.bodies.append(body)
            answers.size += len(body)

    def _caps(self, asked: Sequence[_Question], parsed: ParsedTraces) -> Iterable[str]:
        """What the caps kept out, as gaps."""
        full = {
            self._service_of[question.name]: question.limit
            for question, told in zip(asked, parsed.told, strict=True)
            if told >= question.limit < _TELLING
        }
        if full:
            yield f"Jaeger: only a part of the traces was read of {', '.join(sorted(full))} (limit {self.config.limit})"
        if parsed.left_out:
            yield f"Jaeger: {parsed.left_out} traces were left out; max_spans is {self.config.max_spans}"
        if parsed.unreadable:
            yield f"Jaeger: {parsed.unreadable} spans could not be understood"

    async def _traces(self, question: _Question, max_bytes: int, more: Mapping[str, str] | None = None) -> bytes:
        asked = {
            "service": question.name,
            "start": str(round(question.window.start.timestamp() * 1e6)),
            "end": str(round(question.window.end.timestamp() * 1e6)),
            "limit": str(question.limit),
            **(more or {}),
        }
        return await self._get("traces", asked, max_bytes=max_bytes, accept={400})

    async def _get(self, path: str, params: Mapping[str, str], **options: Any) -> bytes:
        """The body of an answer. Statuses in `accept` are read for Jaeger's own words."""
        answer = await self.context.outbound.get(
            f"{str(self.config.url).rstrip('/')}/api/{path}",
            params=params,
            headers=self.context.authorization(),
            **options,
        )
        return answer.body


def _questions(names: Sequence[str], window: Window, limit: int) -> list[_Question]:
    """Every second slice first, so that what a cap cuts off is spread over the window, and all services alike."""
    length = window.end - window.start
    count = max(1, min(_SLICES, length // _SHORTEST_SLICE))
    slices = [
        Window(start=window.start + length * i / count, end=window.start + length * (i + 1) / count)
        for i in range(count)
    ]
    each = max(1, limit // count)
    return [_Question(name=name, window=part, limit=each) for part in (*slices[::2], *slices[1::2]) for name in names]


def _halves(question: _Question) -> tuple[_Question, _Question]:
    window = question.window
    middle = window.start + (window.end - window.start) / 2
    return (
        replace(question, window=Window(start=window.start, end=middle)),
        replace(question, window=Window(start=middle, end=window.end)),
    )


def _span(window: Window) -> str:
    return f"{window.start:%H:%M:%S} to {window.end:%H:%M:%S}"


CONNECTOR = Jaeger
