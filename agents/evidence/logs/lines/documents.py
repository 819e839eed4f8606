"""Lines that name their parts: JSON objects and logfmt. Which key holds the time, the level and the message.

The keys are those of the common libraries and collectors: Serilog, journald, OpenTelemetry, MongoDB, ECS, .NET, Docker,
GELF, bunyan, zap, log4j and others. Containers' and collectors' envelopes are opened.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from agents.evidence.logs.lines.levels import level_named, level_of
from agents.evidence.logs.lines.times import LineTime, epoch

TimeOf = Callable[[str], LineTime | None]
_TIME_KEYS = (
    *("@timestamp", "timestamp", "time", "ts", "@t", "t", "datetime", "timeunixnano", "asctime", "timegenerated"),
    *("start_time", "starttime", "instant", "eventtime", "event_time", "timemillis", "time_iso8601", "time_local"),
    *("startutc", "startlocal", "start_utc", "date_time", "created_at", "log_time", "logtime", "__realtime_timestamp"),
    *("_source_realtime_timestamp", "observedtimestamp", "observedtimeunixnano", "unix_timestamp", "epoch", "date"),
)
_LEVEL_KEYS = (
    *("level", "@level", "severity", "lvl", "levelname", "@l", "loglevel", "log_level", "log.level", "severitytext"),
    *("severity_text", "level_name", "error_severity", "severitynumber", "severity_number", "syslog_severity"),
    *("log.syslog.severity.name", "priority", "syslog.severity", "levelno"),
)
_TEXT_KEYS = (
    *("message", "msg", "@message", "@m", "renderedmessage", "@mt", "event", "body", "text", "short_message", "log"),
    *("messagetemplate", "full_message", "error", "err", "exception_message", "reason"),
)
_RENAMED = {"@x": "exception"}
_LETTERS = {"F": "fatal", "E": "error", "W": "warn", "I": "info", "D": "debug"}  # MongoDB's `s`
_PAIR = re.compile(r'(?P<key>[A-Za-z_@][\w.@/-]{0,80})=(?:"(?P<quoted>(?:[^"\\]|\\.)*)"?|(?P<bare>[^\s"]*))(?:\s+|$)')
_ESCAPED = re.compile(r"\\(.)")
_OPENED = ("log", "event", "fields", "record", "meta", "error", "http", "url")
_DEEP = 4
_RECORDS = ("resourceLogs", "scopeLogs", "logRecords")


@dataclass(frozen=True, kw_only=True)
class Document:
    """The named parts of a line. `text` is None where no key holds a message; `inner` is a line of its own."""

    moment: LineTime | None
    level: str
    text: str | None
    fields: Mapping[str, str]
    inner: str | None = None
    partial: bool = False


def load(line: str) -> dict[str, object] | None:
    """The JSON object that a line is, else None."""
    try:
        document = json.loads(line)
        if "\\u" in line:  # half a surrogate pair, which JSON can spell, is no text that could be stored
            document = json.loads(json.dumps(document, ensure_ascii=False).encode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def records(document: Mapping[str, object]) -> list[Mapping[str, object]]:
    """The records of a batch, as OpenTelemetry's file exporter writes them; a plain object is one record."""
    found: list[Mapping[str, object]] = [document]
    for key in _RECORDS:
        if not any(key in one for one in found):
            continue
        found = [entry for one in found for entry in _objects(one.get(key))]
    return found


def _objects(value: object) -> Iterable[Mapping[str, object]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def read_document(document: Mapping[str, object], time_of: TimeOf) -> Document:
    """The parts of a JSON object."""
    flat = _opened(document)
    lowered = {key.lower(): key for key in reversed(flat)}
    time_key, moment = _moment(flat, lowered, time_of)
    level_key, level = _level(flat, lowered)
    text_key, text = _text(flat, lowered)
    skipped = {time_key, level_key, text_key}
    fields = {_RENAMED.get(k, k): as_text(v) for k, v in flat.items() if k not in skipped}
    is_split = text_key == "log" and text is not None and not text.endswith("\n") and "stream" in flat
    inner = text.rstrip("\n") if text is not None and text_key in ("log", "MESSAGE", "message", "msg", "line") else None
    return Document(moment=moment, level=level, text=text, fields=fields, inner=inner, partial=is_split)


def _opened(document: Mapping[str, object]) -> dict[str, object]:
    """Objects that hold the level, the message or the record itself are opened; else their name stays in front."""
    flat: dict[str, object] = {}
    for key, value in document.items():
        if isinstance(value, dict) and key.lower() in (
            "log",
            "event",
            "fields",
            "record",
            "meta",
            "error",
            "http",
            "url",
        ):
            if key.lower() == "record":  # loguru
                flat |= {k: v for k, v in value.items() if k in ("time", "level", "message", "name", "function")}
                continue
            for inner, content in value.items():
                # tracing puts the message into `fields`, ECS the level into `log`
                short = key.lower() == "fields" or (inner == "level" and key.lower() in ("log", "meta"))
                flat.setdefault(inner if short else f"{key}.{inner}", content)
        elif key not in flat or not isinstance(document.get("record"), dict):
            flat[key] = value
    return flat


def _moment(
    flat: Mapping[str, object], lowered: Mapping[str, str], time_of: TimeOf
) -> tuple[str | None, LineTime | None]:
    for name in _TIME_KEYS:
        key = lowered.get(name)
        if key is not None and (found := _value_moment(flat[key], time_of)) is not None:
            return key, found
    if "date" in lowered and "time" in lowered:
        return lowered["time"], time_of(f"{flat[lowered['date']]} {flat[lowered['time']]}")
    return None, None


def _value_moment(value: object, time_of: TimeOf, depth: int = 0) -> LineTime | None:
    """A text, a number of any size, or an object with seconds and parts of them."""
    if isinstance(value, dict):
        return _object_moment(value, time_of, depth) if depth < _DEEP else None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return epoch(float(value))
    except ValueError:
        return time_of(str(value))
    except OverflowError:
        return None


def _object_moment(value: Mapping[str, object], time_of: TimeOf, depth: int) -> LineTime | None:
    for seconds, rest in (("seconds", "nanos"), ("epochSecond", "nanoOfSecond")):
        if isinstance(value.get(seconds), int | str):
            return _value_moment(f"{value[seconds]}.{str(value.get(rest) or 0).zfill(9)}", time_of)
    names = ("$date", "$numberLong", "timestamp", "iso", "repr")
    found = next((value[name] for name in names if name in value), None)
    return None if found is None else _value_moment(found, time_of, depth + 1)


def _level(flat: Mapping[str, object], lowered: Mapping[str, str]) -> tuple[str | None, str]:
    for name in _LEVEL_KEYS:
        key = lowered.get(name)
        if key is not None and (level := level_of(flat[key], name)):
            return key, level
    if flat.get("s") in _LETTERS and "c" in flat:
        return "s", _LETTERS[str(flat["s"])]
    if "@t" in flat and ("@mt" in flat or "@m" in flat):
        return None, "info"  # Serilog's compact format leaves the usual level out
    return None, ""


def _text(flat: Mapping[str, object], lowered: Mapping[str, str]) -> tuple[str | None, str | None]:
    first: str | None = None
    for name in _TEXT_KEYS:
        key = lowered.get(name)
        if key is None:
            continue
        value = flat[key]
        if isinstance(value, str):
            return key, value
        if isinstance(value, dict) and isinstance(value.get("stringValue"), str):
            return key, str(value["stringValue"])
        if isinstance(value, list) and value and all(isinstance(b, int) and 0 <= b < 256 for b in value):
            return key, bytes(value).decode("utf-8", "replace")  # journald, for what is not UTF-8
        first = first or key
    return (first, as_text(flat[first])) if first else (None, None)


def as_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def read_pairs(line: str, time_of: TimeOf) -> Document | None:
    """The parts of a logfmt line; None where a line is not made of pairs from its first word on."""
    pairs: dict[str, str] = {}
    at = 0
    while at < len(line):
        found = _PAIR.match(line, at)
        if found is None:
            break
        quoted = found["quoted"]
        value = (
            _ESCAPED.sub(lambda e: {"n": "\n", "t": "\t"}.get(e[1], e[1]), quoted)
            if quoted is not None
            else found["bare"]
        )
        pairs.setdefault(found["key"], value)
        at = found.end()
    if len(pairs) < 2:
        return None
    lowered = {key.lower(): key for key in reversed(pairs)}
    time_key = next((lowered[k] for k in _TIME_KEYS if k in lowered), None)
    level_key = next((lowered[k] for k in (*_LEVEL_KEYS, "at") if k in lowered), None)
    text_key = next((lowered[k] for k in ("msg", "message", "event", "text") if k in lowered), None)
    if at < len(line) and not (time_key or level_key or text_key):
        return None
    level = level_named(pairs[level_key]) if level_key else ""
    moment = _value_moment(pairs[time_key], time_of) if time_key else None
    rest = line[at:].strip()
    text = pairs[text_key] if text_key else rest or None
    skipped = {time_key, level_key if level else None, text_key}
    return Document(moment=moment, level=level, text=text, fields={k: v for k, v in pairs.items() if k not in skipped})


def _unescaped(quoted: str) -> str:
    return _ESCAPED.sub(lambda escape: {"n": "\n", "t": "\t"}.get(escape[1], escape[1]), quoted)
