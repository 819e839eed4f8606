"""Reads log files of this host, of any usual form, rotated and packed ones too, inside the declared folders.

Only the span that is asked for is read: its start and end are found by bisection over the lines' times. Lines of one
file are taken to be roughly in time order, with five seconds of slack for writers that overtake each other. How a file
is written is learned from its lines; the check says what share of them is understood.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator

from agents.connecting.connector import Check, Connector, ConnectorConfig, ConnectorContext, LogsRead
from agents.connecting.connectors.logfiles.reader import Span, probe, read_spans, search_span
from agents.connecting.connectors.logfiles.rotation import present_file
from agents.connecting.log_search import SearchLogs, lines_found
from agents.errors import AgentError, BadArguments
from agents.evidence.logs.packed_lines import PackedLines
from agents.evidence.types import Window
from agents.tool import ToolOutput


class LogFilesConfig(ConnectorConfig):
    """`files` maps a declared service to a path, absolute or inside the first root; all must lie inside `roots`.

    The last part of a path may be a pattern, such as `checkout-*.log`, where the present file has a date in its name.
    """

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


class LogFiles(Connector):
    name = "logfiles"
    title = "Log files"
    host = True
    config_model = LogFilesConfig

    def __init__(self, config: Any, context: ConnectorContext) -> None:
        super().__init__(config, context)
        context.require_declared(config.files, key="connectors.logfiles.files")
        self._files = {service: config.roots[0] / path for service, path in config.files.items()}

    async def check(self) -> Check:
        told = [await self.context.compute(_told, service, path, self.config) for service, path in self._files.items()]
        problems = [problem for problem, _ in told if problem]
        if problems:
            return Check(
                ok=False,
                detail="; ".join(problems),
                next_action="Correct connectors.logfiles (roots, files, timezone), or let this user read the files.",
            )
        return Check(ok=True, detail=f"{len(told)} log files can be read: {'; '.join(said for _, said in told)}")

    async def read_logs(self, window: Window, services: Sequence[str] | None = None) -> LogsRead:
        """Lines of the window in time order; when a cap is reached, the newest ones, and a gap says so.

        Each service's files are read on their own: one that is too much to read costs only itself. Raises an AgentError
        when none could be.
        """
        chosen = list(self._files) if services is None else list(services)
        self.context.require_declared(chosen, key="services")
        spans = [self._span(service, window, self.config.max_lines) for service in chosen if service in self._files]
        redactor = await self.context.portable_redactor()
        found = await asyncio.gather(
            *(self.context.compute(read_spans, [span], redactor) for span in spans), return_exceptions=True
        )
        gaps = [f"{service}: no log file is declared" for service in chosen if service not in self._files]
        read: list[PackedLines] = []
        failures: list[AgentError] = []
        for span, one in zip(spans, found, strict=True):
            if isinstance(one, AgentError):
                failures.append(one)
                gaps.append(f"{span.service}: {one}")
            elif isinstance(one, BaseException):
                raise one
            else:
                read.append(one[0])
                gaps += one[1]
        if failures and not read:
            raise failures[0]
        return LogsRead(lines=PackedLines.joined(read), gaps=tuple(gaps))

    def keeps_log_of(self, service: str) -> bool:
        return service in self._files

    async def search_logs(self, arguments: SearchLogs) -> ToolOutput:
        """The newest matching lines of one service's files."""
        self.context.require_declared([arguments.service], key="service")
        if arguments.service not in self._files:
            raise BadArguments(f"{arguments.service} has no log file; those that have one: {', '.join(self._files)}")
        window = arguments.window(self.context.now())
        span = self._span(arguments.service, window, arguments.limit)
        redactor = await self.context.portable_redactor()
        shown, gaps = await self.context.compute(search_span, span, arguments.wanted, redactor)
        return lines_found(arguments.service, window, arguments.wanted, shown, gaps)

    def _span(self, service: str, window: Window, limit: int) -> Span:
        return Span(
            service=service,
            path=self._files[service],
            roots=self.config.roots,
            window=window,
            zone=self.config.timezone,
            max_bytes=self.config.max_bytes,
            limit=limit,
            assumed="timezone" not in self.config.model_fields_set,
        )


def _told(service: str, path: Path, config: LogFilesConfig) -> tuple[str, str]:
    """What is wrong with a service's log, and else what is understood of it."""
    try:
        understood, doubt = probe(present_file(path), config.roots, config.timezone)
    except AgentError as exc:
        return str(exc), ""
    if not understood.lines:
        return "", f"{service}: empty"
    if not understood.timed:
        return f"{path.name}: no times are understood in its lines", ""
    if doubt:
        return f"{path.name}: {doubt}", ""
    said = f"{service}: {understood.share:.0%} of the lines understood ({', '.join(understood.forms)})"
    if understood.zoneless and "timezone" not in config.model_fields_set:
        said += f", times without a zone taken as {config.timezone}"
    return "", said


CONNECTOR = LogFiles
