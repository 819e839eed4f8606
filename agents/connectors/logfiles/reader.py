"""Reads the lines of a span of time. Pure but for the files, and picklable: it runs in the evidence worker.

Lines are redacted as they come from the file (`clean_lines`); everything here that chooses or cuts works on those.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO
from zoneinfo import ZoneInfo

import re2

from agents.clean_lines import AROUND, READ, clean_lines
from agents.connectors.logfiles.files import find_offset, has_times, open_inside, with_rotated
from agents.connectors.logfiles.lines import parse_line, rank
from agents.errors import AgentError
from agents.evidence.types import LogLine, Window
from agents.packed_lines import PackedLines
from agents.rows import Logged
from store.redaction import Redactor

_SLACK = timedelta(seconds=5)
_MAX_LINE = 65_536


@dataclass(frozen=True, kw_only=True)
class Span:
    """The newest `limit` lines of one service's log in a window. At most `max_bytes` are read; times without a zone are
    in `zone`.
    """

    service: str
    path: Path
    roots: tuple[Path, ...]
    window: Window
    zone: str
    max_bytes: int
    limit: int


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """`grep` is an RE2 pattern for the message or a field; "" for any. `level` is the least severe; "" for any."""

    grep: str
    level: str


def read_spans(spans: Sequence[Span], redactor: Redactor) -> tuple[PackedLines, list[str]]:
    """All lines, in time order, and what could not be read."""
    lines: list[LogLine] = []
    gaps: list[str] = []
    for span in spans:
        found, missing = _read(span, None, redactor)
        lines += found
        gaps += missing
    lines.sort(key=lambda line: line.time)
    return PackedLines.of(lines), gaps


def search_span(span: Span, wanted: Wanted, redactor: Redactor) -> tuple[list[Logged], list[str]]:
    """The newest matching lines as rows, oldest first, and what could not be read."""
    lines, gaps = _read(span, wanted, redactor)
    return [_row(line) for line in lines], gaps


def _row(line: LogLine) -> Logged:
    return Logged(
        service=line.service,
        example=line.text,
        level=line.level,
        first=line.time,
        last=line.time,
        fields=line.fields,
        line=show(line),
    )


def compile_pattern(grep: str) -> re2._Regexp[str]:
    """Raises re2.error for what RE2 does not know, such as look-ahead."""
    options = re2.Options()
    options.log_errors = False
    return re2.compile(grep, options)


def show(line: LogLine) -> str:
    extra = " ".join(f"{key}={value}" for key, value in line.fields.items())
    return " ".join(
        part for part in (f"{line.time:%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z", line.level, line.text, extra) if part
    )


def _read(span: Span, wanted: Wanted | None, redactor: Redactor) -> tuple[list[LogLine], list[str]]:
    """From the newest file back to the oldest that reaches into the window."""
    kept: list[LogLine] = []
    gaps: list[str] = []
    budget = span.max_bytes
    for path in reversed(with_rotated(span.path)):
        try:
            with open_inside(path, span.roots) as file:
                if os.fstat(file.fileno()).st_mtime < span.window.start.timestamp() - _SLACK.total_seconds():
                    break
                lines, used, gap = _read_file(file, span, budget, redactor)
        except AgentError as exc:
            gaps.append(f"{span.service}: {exc}")
            continue
        kept = (lines if wanted is None else _matching(lines, wanted)) + kept
        gaps += [f"{span.service}: {path.name}: {gap}"] if gap else []
        budget -= used
        if len(kept) > span.limit or budget <= 0:
            break
    kept.sort(key=lambda line: line.time)
    if len(kept) > span.limit:
        gaps.append(f"{span.service}: only the newest {span.limit} of more lines were taken")
    return kept[-span.limit :], gaps


def _matching(lines: Sequence[LogLine], wanted: Wanted) -> list[LogLine]:
    least = rank(wanted.level) if wanted.level else -1
    severe = [line for line in lines if rank(line.level) >= least]
    if not wanted.grep:
        return severe
    pattern = compile_pattern(wanted.grep)
    return [line for line in severe if pattern.search(show(line))]


def _read_file(file: BinaryIO, span: Span, budget: int, redactor: Redactor) -> tuple[list[LogLine], int, str | None]:
    zone = ZoneInfo(span.zone)

    def time_of(raw: bytes) -> datetime | None:
        return parse_line(raw, zone).time

    if not has_times(file, time_of):
        return [], 0, "no times are understood in its lines, so it was not read"
    start = find_offset(file, span.window.start - _SLACK, time_of)
    end = find_offset(file, span.window.end + _SLACK, time_of)
    gap = None
    if end - start > budget:
        gap = f"only the last {budget} of {end - start} bytes were read"
        start = end - budget
    entries = list(_entries(file, start, end, span, zone))
    cleaned = clean_lines([line for line, _ in entries], redactor)
    window = span.window
    lines = [
        line
        for line, (_, asked) in zip(cleaned, entries, strict=True)
        if asked and window.start <= line.time <= window.end
    ]
    return lines, end - start, gap


def _entries(file: BinaryIO, start: int, end: int, span: Span, zone: ZoneInfo) -> Iterator[tuple[LogLine, bool]]:
    """Lines between two offsets and around them, each with whether it begins between them; lines without a time join
    the one before.
    """
    at = max(start - AROUND, 0)
    file.seek(at)
    if at:
        at += len(file.readline())
    current: LogLine | None = None
    asked = False
    while at < end + AROUND and (raw := file.readline(_MAX_LINE)):
        begins, at = at, at + len(raw)
        parsed = parse_line(raw, zone)
        if parsed.time is not None:
            if current is not None:
                yield current, asked
            asked = start <= begins < end
            current = LogLine(
                time=parsed.time,
                service=span.service,
                level=parsed.level,
                text=parsed.text[:READ],
                fields=parsed.fields,
            )
        elif not raw.endswith(b"\n"):
            continue  # half a line: its writer is not done, or it is longer than the cap
        elif current is not None and parsed.text and len(current.text) < READ:
            text = f"{current.text}\n{parsed.text}"[:READ]
            current = LogLine(
                time=current.time, service=span.service, level=current.level, text=text, fields=current.fields
            )
    if current is not None:
        yield current, asked
