"""Reads the lines of a span of time. Pure but for the files, and picklable: it runs in the evidence worker.

Lines are redacted as they come from the file (`clean_lines`); everything here that chooses or cuts works on those.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO
from zoneinfo import ZoneInfo

from agents.connecting.clean_lines import AROUND, READ, clean_lines
from agents.connecting.connectors.logfiles.files import MAX_LINE, find_offset, open_inside, sample_lines, size_of
from agents.connecting.connectors.logfiles.rotation import NotUnpacked, packing, parts_of, unpack_span
from agents.connecting.log_search import Wanted, as_logged, matching_lines
from agents.errors import AgentError, Unavailable
from agents.evidence.logs.lines import ParsedLine, Recogniser, Understood
from agents.evidence.logs.lines.levels import leading_level
from agents.evidence.logs.packed_lines import PackedLines
from agents.evidence.types import LogLine, Window
from agents.rows import Logged
from store.secrets.redaction import Redactor

PUBLIC_FORMATS = Redactor()
_SLACK = timedelta(seconds=5)
_LEAST_READ = 1_000_000  # bytes
_UNDERSTOOD = 0.9  # share of the lines below which a reader must know
_DAY = timedelta(days=1)
_DISORDER = timedelta(minutes=5)
_QUARTER = timedelta(minutes=15)  # no time zone differs by less
_FARTHEST = timedelta(hours=14)
_NEAR = timedelta(seconds=90)


@dataclass(frozen=True, kw_only=True)
class Span:
    """The newest `limit` lines of one service's log in a window. At most `max_bytes` are read; times without a zone are
    in `zone`, which is only `assumed` where the operator named none.
    """

    service: str
    path: Path
    roots: tuple[Path, ...]
    window: Window
    zone: str
    max_bytes: int
    limit: int
    assumed: bool = False


@dataclass(kw_only=True)
class _Part:
    """What one file gave: its entries in the window, bytes read, whether it reaches back before the window."""

    lines: list[LogLine]
    used: int = 0
    gaps: list[str]
    reaches_back: bool = False
    unread: bool = False


def read_spans(spans: Sequence[Span], redactor: Redactor = PUBLIC_FORMATS) -> tuple[PackedLines, list[str]]:
    """All lines, in time order, and what could not be read. A redactor with a tenant's own secrets hides those, too."""
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
    return [as_logged(line) for line in lines], gaps


def probe(path: Path, roots: Sequence[Path], zone: str) -> tuple[Understood, str]:
    """What is understood of a log's present file, and what speaks against the zone. Raises AgentError."""
    with open_inside(path, roots) as file:
        written = _written(file)
        sample = sample_lines(file)
        recogniser = Recogniser.learned(sample, ZoneInfo(zone), written=written)
        return recogniser.understood(sample), zone_doubt(recogniser, sample, written, zone)


def zone_doubt(recogniser: Recogniser, sample: Sequence[bytes], written: datetime, zone: str) -> str:
    """A file's last line is about as old as the file. Where its time names no zone and is off by whole quarters of an
    hour, it was written in another zone.
    """
    last = next((one for raw in reversed(sample) if (one := recogniser.read(raw)).time is not None), None)
    if last is None or last.time is None or last.zoned:
        return ""
    off = last.time - written
    quarters = round(off / _QUARTER)
    if quarters == 0 or abs(off) > _FARTHEST + _NEAR or abs(off - quarters * _QUARTER) > _NEAR:
        return ""
    hours = f"{abs(quarters) / 4:g} h {'after' if quarters > 0 else 'before'}"
    return f"its last line would be {hours} the file was last written: its times are probably not in {zone}"


def _read(span: Span, wanted: Wanted | None, redactor: Redactor) -> tuple[list[LogLine], list[str]]:
    """From the newest file back to the oldest that reaches into the window. Raises Unavailable where there are files
    and none could be read.
    """
    kept: list[LogLine] = []
    gaps: list[str] = []
    budget = span.max_bytes
    reaches_back = read = False
    for path in reversed(parts_of(span.path)):
        try:
            with open_inside(path, span.roots) as file:
                written = _written(file)
                if written < span.window.start - _SLACK:
                    reaches_back = read = True
                    continue
                part = _read_part(file, path, span, budget, every=wanted is None, redactor=redactor)
        except (AgentError, NotUnpacked) as exc:
            gaps.append(
                f"{span.service}: {path.name}: {exc}" if isinstance(exc, NotUnpacked) else f"{span.service}: {exc}"
            )
            continue
        except OSError as exc:  # in the middle of reading: a disk that fails, a network folder that went away
            gaps.append(f"{span.service}: {path.name} cannot be read: {exc.strerror}")
            continue
        read = read or not part.unread
        kept = (part.lines if wanted is None else matching_lines(part.lines, wanted)) + kept
        gaps += [f"{span.service}: {path.name}: {gap}" for gap in part.gaps]
        budget -= part.used
        reaches_back = reaches_back or part.reaches_back
        if len(kept) > span.limit or budget <= 0:
            reaches_back = True
            break
    if gaps and not read:
        raise Unavailable("; ".join(gap.removeprefix(f"{span.service}: ") for gap in dict.fromkeys(gaps)))
    kept.sort(key=lambda line: line.time)
    if len(kept) > span.limit:
        gaps.append(f"{span.service}: only the newest {span.limit} of more lines were taken")
    elif kept and wanted is None and not reaches_back and kept[0].time > span.window.start + _allowance(span.window):
        gaps.append(
            f"{span.service}: its log begins at {kept[0].time:%H:%M:%S} UTC; of the time before nothing is known"
        )
    return kept[-span.limit :], list(dict.fromkeys(gaps))


def _allowance(window: Window) -> timedelta:
    """A log that begins a little after the window does leaves nothing out that would be missed."""
    return max(_SLACK, (window.end - window.start) / 10)


def _written(file: BinaryIO) -> datetime:
    return datetime.fromtimestamp(os.fstat(file.fileno()).st_mtime, UTC)


def _read_part(file: BinaryIO, path: Path, span: Span, budget: int, *, every: bool, redactor: Redactor) -> _Part:
    """The span of one file, unpacked first where it is packed. Raises NotUnpacked.

    `every`: no line is left out afterwards, so that those that cannot be taken need not be read.
    """
    written, ending = _written(file), packing(path)
    if not ending:
        return _read_file(file, span, budget, written=written, every=every, redactor=redactor)
    unlearned = Recogniser(ZoneInfo(span.zone), written=written)
    unpacked, missing = unpack_span(
        file,
        ending,
        start=span.window.start - _SLACK,
        end=span.window.end + _SLACK,
        budget=budget,
        time_of=lambda raw: unlearned.read(raw).time,
    )
    part = _read_file(unpacked, span, budget, written=written, every=every, redactor=redactor)
    part.gaps += [missing] if missing else []
    return part


def _read_file(file: BinaryIO, span: Span, budget: int, *, written: datetime, every: bool, redactor: Redactor) -> _Part:
    sample = sample_lines(file)
    recogniser = Recogniser.learned(sample, ZoneInfo(span.zone), written=written)
    understood = recogniser.understood(sample)
    if understood.lines and not understood.timed:
        return _Part(lines=[], gaps=["no times are understood in its lines, so it was not read"], unread=True)
    gaps = _doubts(understood, span)
    if doubt := zone_doubt(recogniser, sample, written, span.zone) if understood.zoneless else "":
        gaps.append(doubt)
    size = size_of(file)
    start, end = (max(0, size - budget), size) if understood.undated else _bounds(file, span, recogniser)
    reaches_back, wide = start > 0, end - start
    least = min(budget, _enough(sample, span)) if every else budget
    start = max(start, end - least)
    entries = list(_entries(file, start, end, span, recogniser))
    cleaned = clean_lines([line for line, _ in entries], redactor)
    lines = [line for line, (_, asked) in zip(cleaned, entries, strict=True) if asked]
    window = span.window
    if understood.undated:
        lines = _dated(lines, written)
        reaches_back = bool(lines) and lines[0].time < window.start
        gaps.append("its times name no day; they are counted back from when the file was last written")
    lines = [line for line in lines if window.start <= line.time <= window.end]
    if wide > least and len(lines) <= span.limit:
        gaps.append(f"only the last {least} of {wide} bytes were read")
    return _Part(lines=lines, used=end - start, gaps=gaps, reaches_back=reaches_back or wide > least)


def _bounds(file: BinaryIO, span: Span, recogniser: Recogniser) -> tuple[int, int]:
    """Where the span begins and ends in a file whose times only grow."""

    def time_of(raw: bytes) -> datetime | None:
        return recogniser.read(raw).time

    window = span.window
    return find_offset(file, window.start - _SLACK, time_of), find_offset(file, window.end + _SLACK, time_of)


def _enough(sample: Sequence[bytes], span: Span) -> int:
    """Bytes that surely hold as many lines as are wanted: to parse more would only take time."""
    usual = sum(map(len, sample)) // max(len(sample), 1) + 1
    return max(2 * usual * span.limit, _LEAST_READ)


def _doubts(understood: Understood, span: Span) -> list[str]:
    """What a reader of these lines must know of how they were read."""
    found = []
    if understood.share < _UNDERSTOOD:
        found.append(
            f"only {understood.share:.0%} of its lines have a time that is understood; others join the line before"
        )
    if understood.zoneless and span.assumed:
        found.append(
            f"its times name no zone and are taken as {span.zone}: connectors.logfiles.timezone says in which they are"
        )
    return found


def _dated(lines: Sequence[LogLine], written: datetime) -> list[LogLine]:
    """Lines with a time of day only: days are counted back from when the file was last written."""
    latest = written + _DISORDER
    found: list[LogLine] = []
    for line in reversed(lines):
        time = line.time
        while time > latest:
            time -= _DAY
        latest = time + _DISORDER
        found.append(replace(line, time=time))
    return found[::-1]


def _entries(
    file: BinaryIO, start: int, end: int, span: Span, recogniser: Recogniser
) -> Iterator[tuple[LogLine, bool]]:
    """Lines between two offsets and around them, each with whether it begins between them; lines without a time join
    the one before, and pieces of a split line each other.
    """
    at = max(start - AROUND, 0)
    file.seek(at)
    if at:
        at += len(file.readline())
    current: LogLine | None = None
    piece: ParsedLine | None = None
    asked = False
    while at < end + AROUND and (raw := file.readline(MAX_LINE)):
        begins, at = at, at + len(raw)
        for one in recogniser.entries(raw):
            parsed = _joined(piece, one, recogniser) if piece is not None else one
            piece = parsed if one.partial and len(parsed.text) < MAX_LINE else None
            if piece is not None:
                continue
            if parsed.time is not None:
                if current is not None:
                    yield current, asked
                asked = start <= begins < end
                current = as_log_line(parsed, parsed.time, span.service)
            elif not raw.endswith(b"\n"):
                continue  # half a line: its writer is not done, or it is longer than the cap
            elif current is not None and parsed.text and len(current.text) < READ:
                level = current.level or leading_level(parsed.text)
                current = replace(current, level=level, text=f"{current.text}\n{parsed.text}"[:READ])
    if current is not None:
        yield current, asked


def as_log_line(parsed: ParsedLine, time: datetime, service: str) -> LogLine:
    """The one place where what a file says becomes a record of Autoheal's."""
    return LogLine(time=time, service=service, level=parsed.level, text=parsed.text[:READ], fields=parsed.fields)


def _joined(piece: ParsedLine, rest: ParsedLine, recogniser: Recogniser) -> ParsedLine:
    """A line that a container engine had split, under the time of its first piece."""
    text = piece.text + rest.text
    whole = recogniser.read(text.encode())
    return replace(
        whole,
        time=piece.time,
        zoned=piece.zoned,
        level=whole.level or piece.level or rest.level,
        fields={**piece.fields, **whole.fields},
        partial=rest.partial,
        text=text if rest.partial else whole.text,
    )
