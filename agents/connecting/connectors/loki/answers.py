"""Loki's streams as log lines. Pure and picklable: megabytes of it are parsed in the evidence worker.

Lines are cleaned stream by stream in the order in which they were written. What tells severities apart does not part a
stream, and neither does what was attached to single lines: a key that was printed over many lines is to be seen whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from agents.connecting.clean_lines import READ, clean_lines
from agents.connecting.connectors.loki.client import data_of
from agents.connecting.foreign_json import read_json
from agents.errors import Unavailable
from agents.evidence.logs.lines import parse_line
from agents.evidence.logs.packed_lines import PackedLines
from agents.evidence.types import LogLine, Window
from store.secrets.redaction import Redactor

LEVELS: Final = ("level", "detected_level", "severity", "loglevel", "log_level", "lvl")
"""Labels that name a severity; the first one that a line has counts."""
_UNTOLD: Final = ("", "unknown")
_WHEREABOUTS: Final = ("k8s_", "service_", "telemetry_", "cloud_", "host_", "os_", "process_", "container_", "scope_")
"""What OpenTelemetry attaches to each line to say where it is from: the same for all of a pod's."""


@dataclass(frozen=True, kw_only=True)
class PageRead:
    """Of one answer: how many lines, and the nanosecond of the oldest."""

    count: int
    oldest_ns: int


@dataclass(frozen=True, kw_only=True)
class StreamsRead:
    lines: PackedLines
    unreadable: int


@dataclass(frozen=True, kw_only=True)
class _Entry:
    at_ns: int
    text: str
    attached: Mapping[str, str]


def told_in(body: bytes) -> PageRead:
    """Raises Unavailable for what is no answer with streams."""
    times = [int(value[0]) for _, values in _streams(body) for value in values if _is_entry(value)]
    return PageRead(count=len(times), oldest_ns=min(times, default=0))


def read_streams(
    bodies: Sequence[bytes], labels: frozenset[str], service: str, window: Window, redactor: Redactor
) -> StreamsRead:
    """The lines of a service in a window, in time order, of answers that begin with the newest lines.

    `labels` are those that part streams. Lines around the window are looked at and left out.
    """
    streams: dict[tuple[tuple[str, str], ...], dict[tuple[int, str], _Entry]] = {}
    unreadable = 0
    for body in reversed(bodies):
        for stream, values in _streams(body):
            key = tuple(sorted((k, v) for k, v in stream.items() if k in labels and k not in LEVELS))
            known = streams.setdefault(key, {})
            for value in reversed(values):
                if not _is_entry(value):
                    unreadable += 1
                    continue
                entry = _Entry(at_ns=int(value[0]), text=value[1], attached=_attached(stream, value, labels))
                known.setdefault((entry.at_ns, entry.text), entry)
    lines: list[LogLine] = []
    for entries in streams.values():
        in_order = sorted(entries.values(), key=lambda entry: entry.at_ns)
        lines += clean_lines([_line(entry, service, window.end) for entry in in_order], redactor)
    inside = [line for line in lines if window.start <= line.time <= window.end]
    return StreamsRead(lines=PackedLines.of(sorted(inside, key=lambda line: line.time)), unreadable=unreadable)


def _line(entry: _Entry, service: str, written: datetime) -> LogLine:
    parsed = parse_line(entry.text[:READ].encode(), UTC, written=written)
    level = next((entry.attached[name] for name in LEVELS if entry.attached.get(name, "") not in _UNTOLD), "")
    fields = {name: value for name, value in entry.attached.items() if name not in LEVELS}
    return LogLine(
        time=_moment(entry.at_ns),
        service=service,
        level=parsed.level or level,
        text=parsed.text[:READ],
        fields={**fields, **parsed.fields},
    )


def _attached(stream: Mapping[str, str], value: Sequence[Any], labels: frozenset[str]) -> dict[str, str]:
    """The severity, and what was attached to this line; not what all lines of the stream have."""
    found = {name: text for name, text in stream.items() if name in LEVELS or name not in labels}
    beside = value[2] if len(value) > 2 and isinstance(value[2], dict) else {}
    for kind in ("structuredMetadata", "parsed"):
        part = beside.get(kind)
        found |= {str(k): str(v) for k, v in part.items()} if isinstance(part, dict) else {}
    return {name: text[:READ] for name, text in found.items() if not name.startswith(_WHEREABOUTS)}


def _streams(body: bytes) -> Iterator[tuple[dict[str, str], list[Any]]]:
    try:
        data = data_of(read_json(body))
    except ValueError as exc:
        raise Unavailable("the answer is not JSON; is the address that of Loki?") from exc
    result = data.get("result") if isinstance(data, dict) else None
    if not isinstance(result, list) or data.get("resultType") != "streams":
        raise Unavailable("Loki did not answer with streams")
    for one in result:
        stream, values = (one.get("stream"), one.get("values")) if isinstance(one, dict) else (None, None)
        if not isinstance(stream, dict) or not isinstance(values, list):
            raise Unavailable("Loki answered with a stream in a form that it does not document")
        yield {str(name): str(text) for name, text in stream.items()}, values


def _is_entry(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) > 1
        and isinstance(value[0], str)
        and value[0].isascii()
        and value[0].isdigit()
        and len(value[0]) < 20
        and isinstance(value[1], str)
    )


def _moment(at_ns: int) -> datetime:
    return datetime.fromtimestamp(at_ns // 1_000_000_000, UTC) + timedelta(microseconds=at_ns % 1_000_000_000 // 1_000)
