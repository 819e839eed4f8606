"""Reading what others wrote: values of any type at any place, without an exception.

Senders render templates: a number comes as text, nothing as "null" or "", a variable that was not filled as
`{{host.name}}` or `$HOSTNAME`, a time in seconds, milliseconds or one of a dozen notations.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final
from urllib.parse import urlsplit

from agents.webhooks.contract import SEVERITIES, Severity, Status

_UNFILLED: Final = re.compile(r"^\s*(?:\{\{[^}]*\}\}|\$[A-Z][A-Z0-9_]*(?:\[[^\]]*\])?)\s*$")
_NOTHING: Final = frozenset({"", "null", "none", "n/a", "undefined", "<no value>", "[no value]"})
_MOST: Final = 4_000
_TIME: Final = re.compile(
    r"^\s*(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,12}))?)?)?"
    r"\s*(Z|UTC|GMT|[+-]\d{2}:?\d{2}(?::?\d{2})?)?\s*$",
    re.IGNORECASE,
)
_NUMBER: Final = re.compile(r"^\s*-?\d{1,20}(?:\.\d{1,9})?\s*$")
_EARLIEST: Final = datetime(1990, 1, 1, tzinfo=UTC)
_WORDS: Final[Mapping[str, Severity]] = {
    **dict.fromkeys(("critical", "crit", "fatal", "emergency", "emerg", "disaster", "page", "blocker"), "critical"),
    **dict.fromkeys(("highest", "p1", "sev1", "sev0", "p0"), "critical"),
    **dict.fromkeys(("high", "error", "err", "major", "alert", "p2", "sev2"), "high"),
    **dict.fromkeys(("warning", "warn", "medium", "moderate", "average", "p3", "sev3"), "warning"),
    **dict.fromkeys(("info", "information", "informational", "note", "notice", "debug", "low", "lowest"), "info"),
    **dict.fromkeys(("minor", "trivial", "none", "ok", "p4", "p5", "sev4", "sev5"), "info"),
}
_RANKED: Final = re.compile(r"^(?:p|sev|s|priority|severity)?[\s_-]*([0-5])(?:\b.*)?$", re.IGNORECASE)


def at(body: Any, *path: str | int) -> Any:
    """What lies there; None where nothing does."""
    for step in path:
        if isinstance(step, int):
            if not isinstance(body, list) or not -len(body) <= step < len(body):
                return None
            body = body[step]
        elif isinstance(body, Mapping):
            body = body.get(step)
        else:
            return None
    return body


def mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def items(value: Any) -> list[Mapping[str, Any]]:
    """The objects of a list."""
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def text(value: Any) -> str:
    """A text or number as text, "" for everything else and for what says nothing."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    if isinstance(value, float):
        if not math.isfinite(value):
            return ""
        value = int(value) if value.is_integer() else value
    found = " ".join(str(value)[:_MOST].replace("\x00", "").split())
    return "" if found.lower() in _NOTHING or _UNFILLED.match(found) else found


def first(*values: Any) -> str:
    """The first that says something."""
    return next((found for value in values if (found := text(value))), "")


def url(*values: Any) -> str | None:
    """The first absolute web address."""
    for value in values:
        found = text(value)
        try:
            parts = urlsplit(found)
        except ValueError:
            continue
        if parts.scheme in ("http", "https") and parts.netloc and " " not in found:
            return found
    return None


def labels(*values: Any) -> dict[str, str]:
    """Of several objects together; the later wins. Values that are no text are left out."""
    return {
        str(name)[:200]: found[:1000]
        for value in values
        for name, given in mapping(value).items()
        if (found := text(given))
    }


def moment(*values: Any) -> datetime | None:
    """The first that is a time, in UTC. Without a zone it is UTC; numbers are seconds or milliseconds since 1970."""
    return next((found for value in values if (found := _moment(value)) is not None), None)


def _moment(value: Any) -> datetime | None:
    if isinstance(value, bool):
        return None
    try:
        if isinstance(value, int | float):
            return _of_number(float(value))
        if isinstance(value, str):
            if _NUMBER.match(value):
                return _of_number(float(value))
            if found := _TIME.match(value):
                return _of_parts(found)
    except (ValueError, OverflowError, OSError):
        return None
    return None


def _of_number(number: float) -> datetime | None:
    for unit in (1, 1e3, 1e6, 1e9):
        if 6e8 < number / unit < 5e9:
            return datetime.fromtimestamp(number / unit, UTC)
    return None


def _of_parts(found: re.Match[str]) -> datetime | None:
    year, month, day, hour, minute, second, fraction, zone = found.groups()
    told = datetime(  # noqa: DTZ001 -- its zone follows
        int(year),
        int(month),
        int(day),
        int(hour or 0),
        int(minute or 0),
        min(int(second or 0), 59),
        int(f"{fraction or 0:0<6}"[:6]),
    )
    when = told.replace(tzinfo=_zone(zone)).astimezone(UTC)
    return when if when >= _EARLIEST else None  # 0001-01-01 and 1970-01-01 mean that there is none


def _zone(zone: str | None) -> timezone:
    if zone is None or zone.upper() in ("Z", "UTC", "GMT"):
        return UTC
    digits = zone[1:].replace(":", "")
    away = timedelta(hours=int(digits[:2]), minutes=int(digits[2:4]))
    return timezone(-away if zone[0] == "-" else away)


def severity(*values: Any) -> Severity:
    """The first that is one, by its word or its number."""
    for value in values:
        word = "none" if value == "none" else text(value).lower().strip(" []():")  # none: a sign of life
        if word in _WORDS:
            return _WORDS[word]
        if (ranked := _RANKED.match(word)) is not None:
            return ("critical", "critical", "high", "warning", "info", "info")[int(ranked[1])]
    return "unknown"


def worst(values: Iterable[Severity]) -> Severity:
    return min(values, key=SEVERITIES.index, default="unknown")


_STATUSES: Final[Mapping[str, Status]] = {
    **dict.fromkeys(
        ("firing", "alerting", "alarm", "triggered", "trigger", "re-triggered", "problem", "open"), "firing"
    ),
    **dict.fromkeys(
        ("opened", "active", "error", "critical", "warn", "warning", "re-warn", "down", "failing"), "firing"
    ),
    **dict.fromkeys(("no data", "no_data", "nodata", "re-no data", "renotify", "reopened", "unacknowledged"), "firing"),
    **dict.fromkeys(("resolved", "resolve", "recovered", "recovery", "ok", "closed", "close", "normal"), "resolved"),
    **dict.fromkeys(("cleared", "clear", "up", "fixed", "completed", "success", "healthy", "inactive"), "resolved"),
    **dict.fromkeys(("acknowledged", "acknowledge", "acked", "ack", "snoozed", "silenced", "muted"), "acknowledged"),
}


def status(*values: Any) -> Status | None:
    """The first that is the word of a state of an alert."""
    for value in values:
        if (found := _STATUSES.get(text(value).lower())) is not None:
            return found
    return None


SERVICE_LABELS: Final = (
    "service",
    "service_name",
    "service.name",
    "app",
    "application",
    "app_kubernetes_io_name",
    "app.kubernetes.io/name",
)
ENVIRONMENT_LABELS: Final = ("environment", "env", "deployment_environment", "deployment.environment", "stage")


def service(found: Mapping[str, str]) -> str | None:
    """That the labels state. A job, a host or a repository is none."""
    return _labelled(found, SERVICE_LABELS)


def environment(found: Mapping[str, str]) -> str | None:
    return _labelled(found, ENVIRONMENT_LABELS)


def _labelled(found: Mapping[str, str], names: Iterable[str]) -> str | None:
    return next((found[name] for name in names if found.get(name)), None)


def tags(value: Any) -> dict[str, str]:
    """`name:value` tags, in a list or between commas, as labels. A tag without a value is left out."""
    given = value if isinstance(value, list) else text(value).split(",")
    pairs = [text(one).strip().partition(":") for one in given]
    return {name.strip(): found for name, _, rest in pairs if name.strip() and (found := text(rest))}
