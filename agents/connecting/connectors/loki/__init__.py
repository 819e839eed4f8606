"""Reads logs of declared services from Grafana Loki, by the labels of their streams, the newest lines first.

https://grafana.com/docs/loki/latest/reference/loki-http-api/ -- an answer holds at most as many lines as the operator
allows, so a window is read in several. Lines are read as they were written and chosen here: a filter that Loki applied
would tell of a secret by what it finds, and part a key that was printed over many lines.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

from agents.connecting.clean_lines import AROUND
from agents.connecting.connector import Check, Connector, ConnectorContext, Discovered, Discovery, LogsRead
from agents.connecting.connectors.loki.answers import LEVELS, StreamsRead, read_streams, told_in
from agents.connecting.connectors.loki.client import LokiClient, TooManyEntries, nanoseconds
from agents.connecting.connectors.loki.naming import KIND, Naming, StreamNames
from agents.connecting.connectors.loki.settings import FORM, LogVolume, LokiConfig
from agents.connecting.log_search import SearchLogs, as_logged, lines_found, matching_lines
from agents.english import counted
from agents.errors import AgentError, BadArguments, TooLarge, Unavailable
from agents.evidence.logs.packed_lines import PackedLines
from agents.evidence.types import LogLine, Window, as_utc
from agents.rows import Sampled, Searched
from agents.tool import ToolOutput, tool

_PAGE: Final = 5_000  # lines; Loki's own max_entries_limit_per_query unless its operator says otherwise
_AROUND: Final = timedelta(seconds=5)
_CONTEXT: Final = 500  # lines read before the oldest that is taken: a key block that began earlier is recognised
_FEWEST: Final = 100  # lines at once, where an answer is too large
_AT_ONCE: Final = 3
_READ_S: Final = 20.0
_LOOKED_BACK: Final = timedelta(hours=1)
_CELLS: Final = 30
_MOST_CELLS: Final = 500
_POINTS: Final = 40


R = TypeVar("R")


@dataclass(frozen=True, kw_only=True)
class _Pages:
    """Answers with the newest lines first. `whole`: they reach back to the beginning of what was asked for."""

    bodies: tuple[bytes, ...]
    whole: bool


class Loki(Connector):
    name = "loki"
    title = "Loki"
    config_model = LokiConfig
    about = "Logs: Grafana Loki, by itself or hosted."
    docs_url = "https://grafana.com/docs/loki/latest/reference/loki-http-api/"
    form = FORM
    names_are = KIND
    instructions = (
        "search_logs reads Loki, too. log_volume counts lines without reading them: use it to see when a service began "
        "to log more, or fell silent, then search_logs in that minute. Fewer lines can mean that nobody collected them."
    )
    leaves_behind = "A token stays valid at Loki's gateway until it is deleted there."

    def __init__(self, config: Any, context: ConnectorContext) -> None:
        super().__init__(config, context)
        self._client = LokiClient(config, context)
        self._naming = Naming(self._client, config, context)
        self._page = _PAGE

    @classmethod
    def hosts(cls, config: Any) -> tuple[str, ...]:
        return (config.url.host,)

    async def close(self) -> None:
        await self._client.close()

    async def check(self) -> Check:
        try:
            version, names = await asyncio.gather(self._client.version(), self._naming.of(self._lately()))
        except AgentError as exc:
            return Check(ok=False, detail=str(exc), next_action=self._correct(str(exc)))
        server = f"Loki {version}".strip()
        silent = sorted(name for name in self.context.names if not names.values[name])
        detail = f"{server} answers, and {names.label} tells services apart"
        if silent:
            few = ", ".join(silent[:5]) + (f" and {len(silent) - 5} more" if len(silent) > 5 else "")
            return Check(
                ok=False,
                detail=f"{detail}, but it has no lines of {few} in the last hour",
                next_action="Say in /autoheal services what they are called there, or which label tells services apart."
                if self.context.label
                else f"Give the services an alias such as {KIND}:NAME, or set connectors.loki.service_label.",
                answers=True,
                lacks=(f"no log of {few}", *names.gaps),
                has_data=len(silent) < len(self.context.names),
            )
        return Check(
            ok=True,
            detail=f"{detail}; {counted(len(self.context.names), 'service')} seen",
            lacks=names.gaps,
            has_data=bool(names.recorded),
        )

    async def discover(self) -> Discovery:
        """The values of the label that tells services apart."""
        names = await self._naming.of(self._lately())
        found = await self.context.clean_words(sorted(names.recorded))
        gaps = () if self.config.service_label else (f"services are told apart by the label {names.label}",)
        return Discovery(services=tuple(Discovered(name=name) for name in found if name), gaps=gaps)

    async def read_logs(self, window: Window, services: Sequence[str] | None = None) -> LogsRead:
        """Lines of the window in time order, the newest ones where a cap is reached, which is told as a gap. Raises an
        AgentError when no service's could be read.
        """
        chosen = list(self.context.names if services is None else services)
        self.context.require_declared(chosen, key="services")
        names = await self._naming.of(window)
        turns = asyncio.Semaphore(_AT_ONCE)

        async def of(service: str) -> tuple[PackedLines, list[str]] | AgentError:
            async with turns:
                try:
                    return await self._lines(names, service, window, self.config.max_lines)
                except AgentError as exc:
                    return exc

        reads = await _in_time([of(service) for service in chosen])
        failures = [one for one in reads if isinstance(one, AgentError)]
        if failures and len(failures) == len(reads):
            raise failures[0]
        gaps = list(names.gaps)
        for service, one in zip(chosen, reads, strict=True):
            gaps += [f"{service}: {one}"] if isinstance(one, AgentError) else one[1]
        return LogsRead(
            lines=PackedLines.joined([one[0] for one in reads if not isinstance(one, AgentError)]), gaps=tuple(gaps)
        )

    def keeps_log_of(self, _service: str) -> bool:
        return True

    async def search_logs(self, arguments: SearchLogs) -> ToolOutput:
        """The newest matching lines of a service, among at most as many as are read at a time."""
        self.context.require_declared([arguments.service], key="service")
        window = arguments.window(self.context.now())
        names = await self._naming.of(window)
        if not names.values[arguments.service]:
            raise BadArguments(self._unknown(names, arguments.service))
        sifted = arguments.grep or arguments.level
        most = self.config.max_lines if sifted else arguments.limit
        lines, gaps = await self._lines(names, arguments.service, window, most)
        found = await self.context.compute(matching_lines, lines, arguments.wanted)
        if len(found) > arguments.limit:
            gaps.append(f"{arguments.service}: only the newest {arguments.limit} of {len(found)} lines are shown")
        shown = [as_logged(line) for line in found[-arguments.limit :]]
        return lines_found(arguments.service, window, arguments.wanted, shown, [*names.gaps, *gaps])

    @tool()
    async def log_volume(self, arguments: LogVolume) -> ToolOutput:
        """How many lines a service logged, by level, on a grid: each number counts the lines of the cell that ends at
        its moment. Lines are counted where they are kept, so no cap cuts them. Use it to see when it logged more or
        fell silent. Example: {"service": "checkout", "minutes": 60, "step_s": 60}
        """
        self.context.require_declared([arguments.service], key="service")
        end = arguments.end or self.context.now()
        grid = _grid(end - timedelta(minutes=arguments.minutes), end, arguments.step_s)
        names = await self._naming.of(Window(start=as_utc(grid.start - grid.step), end=end))
        if not names.values[arguments.service]:
            raise BadArguments(self._unknown(names, arguments.service))
        series: list[Mapping[str, Any]] = []
        for chosen in self._naming.selectors(names, arguments.service):
            query = f"sum by ({', '.join(LEVELS)}) (count_over_time({chosen}[{grid.step}s]))"
            series += await self._client.counts(query, grid.start + grid.step, grid.stop, grid.step)
        labels = await self.context.clean_rows([_severity(one) for one in series])
        counts: dict[str, dict[int, float]] = {}
        for one, severity in zip(series, labels, strict=True):
            cells = counts.setdefault(severity.get("level", ""), {})
            for at, value in one.get("values") or ():
                cells[round(float(at))] = cells.get(round(float(at)), 0.0) + float(value)
        rows = [_sampled(arguments, level, cells, grid) for level, cells in sorted(counts.items())]
        per = f"{'lines' if arguments.shown == 'count' else 'lines per second'} of each {grid.step} s"
        total = sum(sum(cells.values()) for cells in counts.values())
        searched = Searched(
            service=arguments.service,
            what="log lines",
            found=round(total),
            start=as_utc(grid.start),
            end=as_utc(grid.stop),
            whole=not names.gaps,
            line=f"{per}, each cell told at its end, UTC" if rows else "no lines at all in this time",
        )
        return ToolOutput(
            text="\n".join([searched.line, *(row.line for row in rows)]),
            rows=(searched, *rows),
            summary=f"{counted(round(total), 'log line')} of {arguments.service} counted",
            facts={"start": searched.start.isoformat(), "end": searched.end.isoformat(), "step_s": grid.step}
            if searched.start and searched.end
            else {},
            gap="; ".join(names.gaps) or None,
        )

    async def _lines(
        self, names: StreamNames, service: str, window: Window, most: int
    ) -> tuple[PackedLines, list[str]]:
        """The newest lines of one service, with what could not be read of it."""
        if not names.values[service]:
            return PackedLines.of(()), [self._unknown(names, service)]
        gaps: list[str] = []
        selectors = self._naming.selectors(names, service)
        pages = [await self._pages(one, window, most + _CONTEXT, gaps) for one in selectors]
        bodies = tuple(body for one in pages for body in one.bodies)
        read: StreamsRead = await self.context.compute(
            read_streams, bodies, names.labels, service, window, await self.context.portable_redactor()
        )
        lines = read.lines
        begun = 0 if all(one.whole for one in pages) else _surroundings(lines)
        if (left := max(begun, len(lines) - most)) > 0:
            lines = PackedLines.of(lines[left:])
            since = f", since {lines[0].time:%Y-%m-%d %H:%M:%S} UTC" if len(lines) else ""
            gaps.append(f"only the newest {len(lines)} of more lines were read{since}; ask for a shorter window")
        gaps += [f"{counted(read.unreadable, 'line')} could not be understood"] if read.unreadable else []
        return lines, [f"{service}: {gap}" for gap in gaps]

    async def _pages(self, selector: str, window: Window, wanted: int, gaps: list[str]) -> _Pages:
        """Answer after answer back to the window's beginning, or until the caps are reached."""
        start = nanoseconds((window.start - _AROUND).timestamp())
        end = nanoseconds((window.end + _AROUND).timestamp())
        bodies: list[bytes] = []
        budget = self.config.max_bytes
        while wanted > 0 and budget > 0:
            limit = min(self._page, max(wanted, _CONTEXT))
            try:
                body = await self._client.entries(selector, start, end, limit=limit, max_bytes=budget)
            except TooManyEntries as exc:
                if not 0 < exc.most < limit:
                    raise
                self._page = exc.most
                continue
            except TooLarge:
                if limit <= _FEWEST:
                    break
                self._page = max(_FEWEST, limit // 4)
                continue
            bodies.append(body)
            told = await self.context.compute(told_in, body)
            if told.count < limit:
                return _Pages(bodies=tuple(bodies), whole=True)
            wanted, budget = wanted - told.count, budget - len(body)
            if told.oldest_ns + 1 < end:
                end = told.oldest_ns + 1
            else:
                gaps.append(f"at one moment there are more than the {limit} lines that Loki gives at once")
                end = told.oldest_ns
        if wanted > 0:
            gaps.append(f"its lines are large, and max_bytes is {self.config.max_bytes}")
        return _Pages(bodies=tuple(bodies), whole=False)

    def _lately(self) -> Window:
        now = self.context.now()
        return Window(start=now - _LOOKED_BACK, end=now)

    def _unknown(self, names: StreamNames, service: str) -> str:
        return f"{service}: Loki has no stream whose {names.label} is a name of it in this time"

    def _correct(self, said: str) -> str:
        if "certificate" in said:
            return "Give the CA certificate that signed it, and test again."
        if "label" in said:
            return "Say which label tells services apart, and test again."
        where = "the address" if self.context.label else "connectors.loki.url"
        return f"Correct {where}, its tenant or the token, and test again."


async def _in_time(asking: Sequence[Coroutine[Any, Any, R | AgentError]]) -> list[R | AgentError]:
    """What each answered; one that is late does not cost the others."""
    tasks = [asyncio.create_task(one) for one in asking]
    if not tasks:
        return []
    try:
        await asyncio.wait(tasks, timeout=_READ_S)
        late = Unavailable(f"Loki had not told all of it after {_READ_S:.0f} s")
        return [task.result() if task.done() else late for task in tasks]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@dataclass(frozen=True, kw_only=True)
class _Grid:
    """Cells of `step` seconds from `start` to `stop`, epoch seconds that are multiples of it."""

    start: int
    stop: int
    step: int

    def ends(self) -> Iterator[int]:
        yield from range(self.start + self.step, self.stop + 1, self.step)


def _surroundings(lines: Sequence[LogLine]) -> int:
    """How many of the oldest lines only say what the next ones are part of."""
    size = 0
    for count, line in enumerate(lines):
        if size > AROUND or count >= _CONTEXT:
            return count
        size += len(line.text)
    return len(lines)


def _grid(start: datetime, end: datetime, step_s: int | None) -> _Grid:
    """Raises BadArguments for more cells than are shown."""
    span = (end - start).total_seconds()
    usual = (10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600)
    step = step_s or next((one for one in usual if span / one <= _CELLS), usual[-1])
    if span / step > _MOST_CELLS:
        raise BadArguments(f"step_s: that makes {math.ceil(span / step)} cells; at most {_MOST_CELLS} are counted")
    first = math.floor(start.timestamp() / step) * step
    return _Grid(start=first, stop=max(first + step, math.floor(end.timestamp() / step) * step), step=step)


def _severity(series: Mapping[str, Any]) -> dict[str, str]:
    metric = series.get("metric") or {}
    return {"level": next((str(metric[name]) for name in LEVELS if metric.get(name)), "")}


def _sampled(arguments: LogVolume, level: str, cells: Mapping[int, float], grid: _Grid) -> Sampled:
    """A cell that the server does not tell had no line."""
    per = grid.step if arguments.shown == "rate" else 1
    points = tuple((as_utc(float(at)), cells.get(at, 0.0) / per) for at in grid.ends())
    shown = " ".join(f"{at:%H:%M:%S}={value:.4g}" for at, value in points[-_POINTS:])
    more = f" ({len(points) - _POINTS} earlier cells left out)" if len(points) > _POINTS else ""
    return Sampled(
        service=arguments.service,
        name="log lines",
        labels={"level": level} if level else {},
        points=points,
        line=f"{level or 'no level'}: {shown}{more}",
    )


CONNECTOR = Loki
