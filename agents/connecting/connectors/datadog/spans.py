"""Spans as Datadog's search answers them. Pure and picklable: they are parsed in the evidence worker.

https://docs.datadoghq.com/api/latest/spans/ -- only spans that a retention filter kept are found.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from agents.connecting.connectors.jaeger.answers import JaegerSpan, ParsedTraces, Traces, in_columns
from agents.connecting.connectors.jaeger.reading import as_tree, slowest_first
from agents.evidence.grid import LATEST_EPOCH_S
from agents.rows import Traced
from store.secrets.redaction import Redactor

Items = Sequence[Mapping[str, Any]]
_LONGEST_S: Final = 86_400.0
_SERVER_ERROR: Final = 500


def read_items(items: Items, names: Mapping[str, str], max_spans: int, redactor: Redactor) -> ParsedTraces:
    """All items as one recording. `names` maps values of the tag `service` to declared services."""
    return in_columns(_traces(items, redactor), names, max_spans)


def render_items(items: Items, names: Mapping[str, str], limit: int, redactor: Redactor) -> list[Traced]:
    """One row a trace, slowest first."""
    return slowest_first(_traces(items, redactor), names, limit)


def render_tree(items: Items, names: Mapping[str, str], redactor: Redactor) -> tuple[list[str], tuple[Traced, ...]]:
    """The tree of the one trace that the items are of."""
    return as_tree(_traces(items, redactor), names)


def trace_ids(items: Items) -> list[str]:
    """In the order of the items, each once."""
    ids = (str((one.get("attributes") or {}).get("trace_id") or "") for one in items)
    return [one for one in dict.fromkeys(ids) if one.isalnum()]


def _traces(items: Items, redactor: Redactor) -> Traces:
    traces = Traces(redactor=redactor)
    for item in items:
        try:
            told = item["attributes"]
            trace, span = traces.named(str(told["trace_id"])), _span(told, traces)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
            traces.unreadable += 1
            continue
        traces.spans.setdefault(trace, {})[span.id] = span
    return traces


def _span(told: Mapping[str, Any], traces: Traces) -> JaegerSpan:
    """Raises KeyError, TypeError, ValueError or AttributeError for what is none."""
    begun, ended = (datetime.fromisoformat(told[f"{side}_timestamp"]).timestamp() for side in ("start", "end"))
    lasted = _duration(told)
    lasted = ended - begun if lasted is None else lasted
    if not (0 < begun < LATEST_EPOCH_S and 0 <= lasted <= _LONGEST_S):
        raise ValueError("impossible times")
    parent = str(told.get("parent_id") or "")
    return JaegerSpan(
        id=traces.named(str(told["span_id"])),
        parent="" if parent == "0" else parent,
        service=traces.named(told["service"]),
        operation=traces.named(told.get("resource_name") or told.get("operation_name") or told.get("type")),
        at=begun,
        duration_s=lasted,
        failed=_failed(told),
    )


def _duration(told: Mapping[str, Any]) -> float | None:
    """Seconds. The stamps have milliseconds, the attribute nanoseconds."""
    for found in _values(told, "duration"):
        if isinstance(found, int | float):
            return float(found) / 1e9
    return None


def _failed(told: Mapping[str, Any]) -> bool:
    if any(str(found).lower() == "error" for found in _values(told, "status")):
        return True
    if any(found not in (None, False, 0, "0", "false", "", {}) for found in _values(told, "error")):
        return True
    codes = (str(found) for found in _values(told, "http", "status_code"))
    return any(code.isdecimal() and int(code) >= _SERVER_ERROR for code in codes)


def _values(told: Mapping[str, Any], *path: str) -> Iterable[Any]:
    """What stands at a path of the attributes or of the custom ones, nested or with dots."""
    for place in (told.get("custom"), told.get("attributes"), told):
        if not isinstance(place, Mapping):
            continue
        if ".".join(path) in place:
            yield place[".".join(path)]
            continue
        found: Any = place
        for part in path:
            found = found.get(part) if isinstance(found, Mapping) else None
        if found is not None:
            yield found
