"""What in a result is evidence, and what somebody wrote into it: the model itself, or whoever sends requests.

Literals of a query come back as labels and values; log lines carry what customers typed. Neither proves anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from agents.gate.evidence import Evidence
from agents.rows import Logged, Sampled

_OWN_WORDS: Final = frozenset(
    ("msg", "message", "error", "err", "exception", "reason", "detail", "details", "cause", "event", "stack", "trace")
)
_QUOTED: Final = re.compile(r'(?:([A-Za-z_][\w.-]*)\s*[=:]\s*)?"((?:[^"\\]|\\.)*)"')
_PROSE: Final = re.compile(r"\S+\s+\S+\s+\S+")  # three words and more
ADDRESSED: Final = re.compile(
    r"autoheal\b|\b(?:ignore|disregard|forget) (?:all |any |the |your |previous |prior )*(?:rules?|instructions?|above)"
    r"|\bsystem:|\bassistant:|\bas an? ai\b|\bmark \S+ as the cause|\btell (?:everybody|everyone|them)\b"
    r"|\b(?:please )?(?:conclude|report|say|answer) that\b|\byou (?:must|should|are to)\b",
    re.IGNORECASE,
)
_STRING: Final = re.compile(r"\"((?:[^\"\\]|\\.)*)\"|'((?:[^'\\]|\\.)*)'|`([^`]*)`")
_MATCHERS: Final = re.compile(r"\{[^}]*\}")
_DURATION: Final = re.compile(r"\[[^\]]*\]|\b\d+(?:ms|[smhdwy])\b")
_FUNCTION: Final = re.compile(r"\b[a-z_][a-z0-9_]*\s*\(")
_NAME: Final = re.compile(r"(?<![\w$])[A-Za-z_:][\w:]*")
_GROUPING: Final = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)", re.IGNORECASE)
_KEYWORDS: Final = frozenset(
    [
        "and",
        "or",
        "unless",
        "bool",
        "offset",
        "by",
        "without",
        "on",
        "ignoring",
        "group_left",
        "group_right",
        "inf",
        "nan",
    ]
)
_ARITHMETIC: Final = re.compile(
    r"(?:[-+*/%^]\s*(\d+(?:\.\d+)?(?:e[-+]?\d+)?)\b)|(?:\b(\d+(?:\.\d+)?(?:e[-+]?\d+)?)\s*[-+*/%^])", re.IGNORECASE
)
_CONVERSIONS: Final = frozenset((100.0, 1000.0, 1e6, 1e9, 60.0, 3600.0, 1024.0, 1024.0**2, 1024.0**3, 8.0, 1.0))
_WRITTEN_LABELS: Final = re.compile(r"\b(?:label_replace|label_join|absent|absent_over_time)\b")


@dataclass(frozen=True, kw_only=True)
class Authored:
    """What the call itself wrote into its result: all of it, its values, its labels."""

    everything: bool = False
    values: bool = False
    labels: bool = False


def authored(arguments: Mapping[str, Any]) -> Authored:
    """What a query put into its own answer, by its text."""
    query = next((arguments[k] for k in ("promql", "query", "expr") if isinstance(arguments.get(k), str)), None)
    if query is None:
        return Authored()
    bare = _DURATION.sub(" ", _MATCHERS.sub(" ", _STRING.sub(" ", query)))
    has_matchers = _MATCHERS.search(query) is not None
    names = {n for n in _NAME.findall(_FUNCTION.sub(" ", _GROUPING.sub(" ", bare))) if n.lower() not in _KEYWORDS}
    if not names and not has_matchers:
        return Authored(everything=True)
    numbers = [float(a or b) for a, b in _ARITHMETIC.findall(re.sub(r"\b\w+\s*\(\s*[\d.]+\s*,", "(", bare))]
    invented = any(number not in _CONVERSIONS for number in numbers) or "vector" in bare.replace("vector(0)", "")
    return Authored(values=invented, labels=_WRITTEN_LABELS.search(query) is not None)


def bears_nothing(evidence: Evidence) -> str | None:
    """Why no claim can rest on a result, or None."""
    if not evidence.rows:
        return f"{evidence.id} only shows what was handed to it"
    if authored(evidence.arguments).everything:
        return f"{evidence.id} shows only what its query itself wrote"
    return None


def foreign_parts(evidence: Evidence) -> list[str]:
    """Stretches of a result's text that outsiders, or the call itself, wrote."""
    found: list[str] = []
    written = authored(evidence.arguments)
    if written.everything:
        found.append(evidence.text)
    elif written.labels:
        query = str(next(v for k, v in evidence.arguments.items() if k in ("promql", "query", "expr")))
        found += [part for match in _STRING.findall(query) for part in match if part]
    if any(isinstance(row, Sampled) for row in evidence.rows):
        return found
    for row in evidence.rows:
        if isinstance(row, Logged):
            found += _typed(row)
    return found


def _typed(row: Logged) -> Iterable[str]:
    """Prose that a log line repeats in quotes or in a field, where it is not the service's own message."""
    text = row.line or row.example
    for key, value in _QUOTED.findall(text):
        own = key.lower() in _OWN_WORDS and not ADDRESSED.search(value)
        if _PROSE.search(value) and not own:
            yield value
    for key, value in row.fields.items():
        own = key.lower() in _OWN_WORDS and not ADDRESSED.search(value)
        if _PROSE.search(value) and not own and value in text:
            yield value
    if match := ADDRESSED.search(text):
        yield text[match.start() :].partition(" trace_id=")[0].partition(" service=")[0]
