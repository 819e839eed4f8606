"""Reads log files of this host, JSON lines or text, inside the folders that the operator declared.

Only the span that is asked for is read: its start and end are found by bisection over the lines' times. Lines of one
file are taken to be roughly in time order, with five seconds of slack for writers that overtake each other.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import re2
from pydantic import AwareDatetime, Field, field_validator

from agents.connector import Check, Connector, ConnectorConfig, ConnectorContext, LogsRead
from agents.connectors.logfiles.files import find_offset, has_times, open_inside, with_rotated
from agents.connectors.logfiles.lines import parse_line, rank
from agents.errors import AgentError, BadArguments
from agents.evidence.types import LogLine, Window
from agents.tool import Arguments, ToolOutput, tool

_SLACK = timedelta(seconds=5)
_MAX_LINE = 65_536
_MAX_ENTRY = 8_000


class LogFilesConfig(ConnectorConfig):
    """`files` maps a declared service to a path, absolute or inside the first root; all must lie inside `roots`."""

    roots: tuple[Path, ...] = Field(min_length=1)
    files: Mapping[str, Path] = Field(min_length=1)
    timezone: str = "UTC"
    max_bytes: int = Field(default=8_000_000, ge=1_000)
    max_lines: int = Field(default=20_000, ge=10)

    @field_validator("roots")
    @classmethod
    def _absolute(cls, roots: tuple[Path, ...]) -> tuple[Path, ...]:
        if not all(root.is_absolute() for root in roots):
            raise ValueError("must be absolute paths")
        return roots

    @field_validator("timezone")
    @classmethod
    def _known(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError) as exc:
            raise ValueError("is not a time zone's name, such as Europe/Berlin") from exc
        return name


class SearchLogs(Arguments):
    service: str = Field(description="A declared service.")
    grep: str = Field(default="", max_length=500, description="RE2 pattern that the message or a field must match.")
    level: Literal["", "debug", "info", "warn", "error"] = Field(default="", description="Least severe level shown.")
    start: AwareDatetime | None = Field(default=None, description="With time zone; 15 minutes before end if left out.")
    end: AwareDatetime | None = Field(default=None, description="With time zone; now when left out.")
    limit: int = Field(default=50, ge=1, le=500, description="Newest matching lines shown.")


class LogFiles(Connector):
    name = "logfiles"
    title = "Log files"
    host = True
    config_model = LogFilesConfig

    def __init__(self, config: Any, context: ConnectorContext) -> None:
        super().__init__(config, context)
        context.require_declared(config.files, key="connectors.logfiles.files")
        self._zone = ZoneInfo(config.timezone)
        self._turn = asyncio.Lock()
        self._files = {service: config.roots[0] / path for service, path in config.files.items()}

    async def check(self) -> Check:
        problems = [problem for path in self._files.values() if (problem := await asyncio.to_thread(self._probe, path))]
        if problems:
            return Check(
                ok=False,
                detail="; ".join(problems),
                next_action="Correct connectors.logfiles.roots and files, or let this user read them.",
            )
        return Check(ok=True, detail=f"{len(self._files)} log files can be read")

    async def read_logs(self, window: Window, services: Sequence[str] | None = None) -> LogsRead:
        """Lines of the window in time order; when a cap is reached, the newest ones, and a gap says so."""
        chosen = list(self._files) if services is None else list(services)
        self.context.require_declared(chosen, key="services")
        lines: list[LogLine] = []
        gaps: list[str] = []
        for service in chosen:
            if service not in self._files:
                gaps.append(f"{service}: no log file is declared")
                continue
            read = await self._read_later(service, window, self.config.max_lines, lambda _: True)
            lines += read.lines
            gaps += read.gaps
        lines.sort(key=lambda line: line.time)
        return LogsRead(lines=tuple(lines), gaps=tuple(gaps))

    @tool()
    async def search_logs(self, arguments: SearchLogs) -> ToolOutput:
        """The newest log lines of a service that match, oldest first. Quote them verbatim."""
        self.context.require_declared([arguments.service], key="service")
        if arguments.service not in self._files:
            raise BadArguments(f"{arguments.service} has no log file; those that have one: {', '.join(self._files)}")
        end = arguments.end or self.context.now()
        window = Window(start=arguments.start or end - timedelta(minutes=15), end=end)
        if window.start >= window.end:
            raise BadArguments("search_logs: start must be before end")
        matches = _matcher(arguments)
        read = await self._read_later(arguments.service, window, arguments.limit, matches)
        shown = [_shown(line) for line in read.lines]
        return ToolOutput(
            text="\n".join(shown) or "no matching lines",
            summary=f"{len(shown)} log lines of {arguments.service}",
            facts={"count": len(shown), "start": window.start.isoformat(), "end": window.end.isoformat()},
            gap="; ".join(read.gaps) or None,
        )

    async def _read_later(
        self, service: str, window: Window, limit: int, wanted: Callable[[LogLine], bool]
    ) -> LogsRead:
        """One at a time: each busy thread makes the event loop wait for its turn, and together they are no faster."""
        async with self._turn:
            return await asyncio.to_thread(self._read, service, window, limit, wanted)

    def _probe(self, path: Path) -> str:
        try:
            with open_inside(path, self.config.roots):
                return ""
        except AgentError as exc:
            return str(exc)

    def _read(self, service: str, window: Window, limit: int, wanted: Callable[[LogLine], bool]) -> LogsRead:
        """The newest `limit` wanted lines, from the newest file back to the oldest that reaches into the window."""
        kept: list[LogLine] = []
        gaps: list[str] = []
        budget = self.config.max_bytes
        for path in reversed(with_rotated(self._files[service])):
            try:
                with open_inside(path, self.config.roots) as file:
                    if os.fstat(file.fileno()).st_mtime < window.start.timestamp() - _SLACK.total_seconds():
                        break
                    lines, used, gap = self._read_file(file, service, window, budget)
            except AgentError as exc:
                gaps.append(f"{service}: {exc}")
                continue
            kept = [line for line in lines if wanted(line)] + kept
            gaps += [f"{service}: {path.name}: {gap}"] if gap else []
            budget -= used
            if len(kept) > limit or budget <= 0:
                break
        kept.sort(key=lambda line: line.time)
        if len(kept) > limit:
            gaps.append(f"{service}: only the newest {limit} of more lines were taken")
        return LogsRead(lines=tuple(kept[-limit:]), gaps=tuple(gaps))

    def _read_file(
        self, file: BinaryIO, service: str, window: Window, budget: int
    ) -> tuple[list[LogLine], int, str | None]:
        def time_of(raw: bytes) -> datetime | None:
            return parse_line(raw, self._zone).time

        if not has_times(file, time_of):
            return [], 0, "no times are understood in its lines, so it was not read"
        start = find_offset(file, window.start - _SLACK, time_of)
        end = find_offset(file, window.end + _SLACK, time_of)
        gap = None
        if end - start > budget:
            gap = f"only the last {budget} of {end - start} bytes were read"
            start = end - budget
        lines = list(self._entries(file, start, end, service, window, cut=gap is not None))
        return lines, end - start, gap

    def _entries(
        self, file: BinaryIO, start: int, end: int, service: str, window: Window, *, cut: bool
    ) -> Iterator[LogLine]:
        """Lines between two offsets that lie in the window; lines without a time join the one before."""
        file.seek(start)
        if cut:
            file.readline()
        current: LogLine | None = None
        while file.tell() < end and (raw := file.readline(_MAX_LINE)):
            parsed = parse_line(raw, self._zone)
            if parsed.time is not None:
                if current is not None and window.start <= current.time <= window.end:
                    yield current
                current = LogLine(
                    time=parsed.time,
                    service=service,
                    level=parsed.level,
                    text=parsed.text[:_MAX_ENTRY],
                    fields=parsed.fields,
                )
            elif not raw.endswith(b"\n"):
                continue  # half a line: its writer is not done, or it is longer than the cap
            elif current is not None and parsed.text and len(current.text) < _MAX_ENTRY:
                text = f"{current.text}\n{parsed.text}"[:_MAX_ENTRY]
                current = LogLine(
                    time=current.time, service=service, level=current.level, text=text, fields=current.fields
                )
        if current is not None and window.start <= current.time <= window.end:
            yield current


def _matcher(arguments: SearchLogs) -> Callable[[LogLine], bool]:
    """Raises BadArguments for a pattern that RE2 does not know, such as one with look-ahead."""
    try:
        options = re2.Options()
        options.log_errors = False
        pattern = re2.compile(arguments.grep, options)
    except re2.error as exc:
        raise BadArguments(f"search_logs: grep is not an RE2 pattern: {exc}") from exc
    least = rank(arguments.level) if arguments.level else -1

    def matches(line: LogLine) -> bool:
        if rank(line.level) < least:
            return False
        return not arguments.grep or bool(pattern.search(_shown(line)))

    return matches


def _shown(line: LogLine) -> str:
    extra = " ".join(f"{key}={value}" for key, value in line.fields.items())
    return " ".join(
        part for part in (f"{line.time:%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z", line.level, line.text, extra) if part
    )


CONNECTOR = LogFiles
