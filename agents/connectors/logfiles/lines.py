"""Turns one line of a log file into time, level and text: JSON objects, ISO 8601 first, or the access logs' brackets.

Times without a zone are taken in the configured one. A line without a time belongs to the line before it, as in a stack
trace.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo

_TIME_KEYS = ("time", "timestamp", "ts", "@timestamp", "datetime", "date", "t")
_LEVEL_KEYS = ("level", "severity", "lvl", "levelname", "log.level")
_TEXT_KEYS = ("message", "msg", "event", "text", "log")
_ISO = re.compile(r"[\[(]?(\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2})(?:[.,](\d{1,9}))?\s?(Z|[+-]\d{2}:?\d{2})?[\])]?")
_ACCESS = re.compile(r"\[(\d{2}/[A-Z][a-z]{2}/\d{4}:\d{2}:\d{2}:\d{2} [+-]\d{4})\]")
_LEVEL = re.compile(
    r"\b(trace|debug|info|notice|warn|warning|error|err|critical|crit|fatal|panic|alert|emerg)\b", re.IGNORECASE
)
_CONTROL = re.compile(r"\x1b\[[0-9;]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]")
_ALIASES = {"err": "error", "warning": "warn", "notice": "info", "crit": "critical", "panic": "fatal", "emerg": "fatal"}
LEVELS = ("trace", "debug", "info", "warn", "error", "critical", "fatal")
_RANK = {level: rank for rank, level in enumerate(LEVELS)} | {"alert": 5}
_NUMERIC_LEVELS = {10: "trace", 20: "debug", 30: "info", 40: "warn", 50: "error", 60: "fatal"}


@dataclass(frozen=True, kw_only=True)
class ParsedLine:
    """`time` is None for a line that carries none. `level` is lower-case and "" when it is not known."""

    time: datetime | None
    level: str
    text: str
    fields: Mapping[str, str] = field(default_factory=dict)


def rank(level: str) -> int:
    """How severe a level is; an unknown one ranks as info."""
    return _RANK.get(level, _RANK["info"])


def parse_line(raw: bytes, zone: tzinfo) -> ParsedLine:
    """Never raises: what cannot be understood is text without a time."""
    line = _CONTROL.sub("", raw.decode("utf-8", errors="replace")).rstrip()
    if line.startswith("{"):
        try:
            document = json.loads(line)
            if "\\u" in line:  # half a surrogate pair, which JSON can spell, is no text that could be stored
                document = json.loads(json.dumps(document, ensure_ascii=False).encode("utf-8", "replace"))
            if isinstance(document, dict):
                return _from_json(document, line, zone)
        except (ValueError, RecursionError):
            pass
    return ParsedLine(time=_text_time(line, zone), level=_text_level(line), text=line)


def time_of(raw: bytes, zone: tzinfo) -> datetime | None:
    return parse_line(raw, zone).time


def _from_json(document: dict[str, object], line: str, zone: tzinfo) -> ParsedLine:
    lowered = {key.lower(): key for key in document}
    time_key, level_key, text_key = (
        next((lowered[k] for k in keys if k in lowered), None) for keys in (_TIME_KEYS, _LEVEL_KEYS, _TEXT_KEYS)
    )
    text = document[text_key] if text_key else line
    return ParsedLine(
        time=_value_time(document[time_key], zone) if time_key else None,
        level=_value_level(document[level_key]) if level_key else "",
        text=text if isinstance(text, str) else _as_text(text),
        fields={k: _as_text(v) for k, v in document.items() if k not in {time_key, level_key, text_key}},
    )


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _value_time(value: object, zone: tzinfo) -> datetime | None:
    """A text, or epoch seconds, milliseconds, microseconds or nanoseconds by their size."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return _text_time(str(value), zone)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        seconds = float(value)
    except OverflowError:
        return None
    if not math.isfinite(seconds):
        return None
    while seconds > 1e11:
        seconds /= 1_000
    try:
        return datetime.fromtimestamp(seconds, tz=UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _value_level(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return _NUMERIC_LEVELS.get(value, "")
    lowered = str(value).lower()
    return _ALIASES.get(lowered, lowered)


def _text_time(line: str, zone: tzinfo) -> datetime | None:
    """The time at the start of a line, or an access log's time in brackets among its first 200 characters."""
    try:
        if found := _ISO.match(line):
            fraction = (found[2] or "0")[:6].ljust(6, "0")
            zoned = f"{found[1].replace(' ', 'T')}.{fraction}{found[3] or ''}"
            moment = datetime.fromisoformat(zoned)
            return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
        if found := _ACCESS.search(line[:200]):
            return datetime.strptime(found[1], "%d/%b/%Y:%H:%M:%S %z").astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return None


def _text_level(line: str) -> str:
    found = _LEVEL.search(line[:120])
    lowered = found[1].lower() if found else ""
    return _ALIASES.get(lowered, lowered)
