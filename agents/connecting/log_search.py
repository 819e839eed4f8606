"""Searching a service's log for lines: what is asked, what a source that can do it answers, and how lines are chosen.

A source hands over lines in the order in which they were written, cleaned; only then does a pattern choose among them.
A pattern that a server applied would tell of a secret by what it finds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, Protocol, runtime_checkable

import re2
from pydantic import Field

from agents.english import counted
from agents.errors import BadArguments
from agents.evidence.logs.lines import rank
from agents.evidence.types import LogLine, Window
from agents.rows import Logged, Searched
from agents.tool import Arguments, Moment, ToolOutput


class SearchLogs(Arguments):
    service: str = Field(description="A declared service.")
    grep: str = Field(default="", max_length=500, description="RE2 pattern that the message or a field must match.")
    level: Literal["", "debug", "info", "warn", "error"] = Field(default="", description="Least severe level shown.")
    start: Moment | None = Field(default=None, description="With time zone; 15 minutes before end if left out.")
    end: Moment | None = Field(default=None, description="With time zone; now when left out.")
    limit: int = Field(default=50, ge=1, le=500, description="Newest matching lines shown.")

    @property
    def wanted(self) -> Wanted:
        return Wanted(grep=self.grep, level=self.level)

    def window(self, now: datetime) -> Window:
        """When to look. Raises BadArguments for a window or a pattern that cannot be searched."""
        end = self.end or now
        window = Window(start=self.start or end - timedelta(minutes=15), end=end)
        if window.start >= window.end:
            raise BadArguments("search_logs: start must be before end")
        try:
            compile_pattern(self.grep)
        except re2.error as exc:
            raise BadArguments(f"search_logs: grep is not an RE2 pattern: {exc}") from exc
        return window


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """`grep` is an RE2 pattern for the message or a field; "" for any. `level` is the least severe; "" for any."""

    grep: str
    level: str


@runtime_checkable
class LogSearch(Protocol):
    """Searches the logs of declared services."""

    def keeps_log_of(self, service: str) -> bool:
        """Whether it is worth asking; a store that takes in everybody's logs says yes."""

    async def search_logs(self, arguments: SearchLogs) -> ToolOutput:
        """As `lines_found` gives them. Raises an AgentError when it cannot be asked."""


def lines_found(
    service: str, window: Window, wanted: Wanted, shown: Sequence[Logged], gaps: Sequence[str]
) -> ToolOutput:
    """What a search answers: the lines with what was looked for, and what of it could not be looked at."""
    searched = Searched(
        service=service,
        what="log lines",
        found=len(shown),
        start=window.start,
        end=window.end,
        wanted={name: value for name, value in vars(wanted).items() if value},
        whole=not gaps,
        line="" if shown else "no matching lines",
    )
    return ToolOutput(
        text="\n".join(row.line for row in shown) or searched.line,
        rows=(searched, *shown),
        summary=f"{counted(len(shown), 'log line')} of {service}",
        facts={"count": len(shown), "start": window.start.isoformat(), "end": window.end.isoformat()},
        gap="; ".join(gaps) or None,
    )


def matching_lines(lines: Sequence[LogLine], wanted: Wanted) -> list[LogLine]:
    least = rank(wanted.level) if wanted.level else -1
    severe = [line for line in lines if rank(line.level) >= least]
    if not wanted.grep:
        return severe
    pattern = compile_pattern(wanted.grep)
    return [line for line in severe if pattern.search(show(line))]


def as_logged(line: LogLine) -> Logged:
    return Logged(
        service=line.service,
        example=line.text,
        level=line.level,
        first=line.time,
        last=line.time,
        fields=line.fields,
        line=show(line),
    )


def show(line: LogLine) -> str:
    extra = " ".join(f"{key}={value}" for key, value in line.fields.items())
    return " ".join(
        part for part in (f"{line.time:%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z", line.level, line.text, extra) if part
    )


def compile_pattern(grep: str) -> re2._Regexp[str]:
    """Raises re2.error for what RE2 does not know, such as look-ahead."""
    options = re2.Options()
    options.log_errors = False
    return re2.compile(grep, options)
