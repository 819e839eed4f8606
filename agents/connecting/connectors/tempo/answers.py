"""Tempo's answers as spans: traces in OpenTelemetry's JSON. Pure and picklable; parsed in the evidence worker.

https://grafana.com/docs/tempo/latest/api_docs/ and https://opentelemetry.io/docs/specs/otlp/ -- ids of spans come in
base64 as protobuf's JSON has bytes, times in nanoseconds as texts. Attributes are read only for whether a span failed.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from agents.connecting.connectors.jaeger.answers import JaegerSpan, ParsedTraces, Traces, in_columns
from agents.connecting.connectors.jaeger.reading import as_tree, slowest_first
from agents.connecting.foreign_json import read_json
from agents.errors import Unavailable
from agents.evidence.grid import LATEST_EPOCH_S
from agents.rows import Traced
from store.secrets.redaction import Redactor

Bodies = Sequence[tuple[str, bytes]]
"""Traces as they were told, each with its id."""
_ID: Final = re.compile(r"[0-9a-fA-F]{1,32}")
_HEX: Final = re.compile(r"[0-9a-f]{16}")
_LONGEST_S: Final = 86_400.0
_SERVER_ERROR: Final = 500
_STATUS: Final = ("http.status_code", "http.response.status_code")


def read_bodies(bodies: Bodies, names: Mapping[str, str], max_spans: int, redactor: Redactor) -> ParsedTraces:
    """All traces as one recording. `names` maps recorded services to declared ones. Raises Unavailable."""
    return in_columns(_traces(bodies, redactor), names, max_spans)


def render_bodies(bodies: Bodies, names: Mapping[str, str], limit: int, redactor: Redactor) -> list[Traced]:
    """One row a trace, slowest first."""
    return slowest_first(_traces(bodies, redactor), names, limit)


def render_one(body: Bodies, names: Mapping[str, str], redactor: Redactor) -> tuple[list[str], tuple[Traced, ...]]:
    """The tree of one trace."""
    return as_tree(_traces(body, redactor), names)


def ids_in(body: bytes) -> tuple[str, ...]:
    """The traces that a search found. Raises Unavailable for what is no answer of a search."""
    document = as_document(body)
    found = document.get("traces", [])
    if not isinstance(found, list) or ("traces" not in document and "metrics" not in document):
        raise Unavailable("the answer is not one of Tempo's search; is the URL right?")
    ids = (one.get("traceID") for one in found if isinstance(one, dict))
    return tuple(dict.fromkeys(one for one in ids if isinstance(one, str) and _ID.fullmatch(one)))


def values_in(body: bytes) -> list[str]:
    """The values of a tag, of either version of the API."""
    found = as_document(body).get("tagValues")
    if not isinstance(found, list | None):
        raise Unavailable("the answer is not one of Tempo's API; is the URL right?")
    values = (one.get("value") if isinstance(one, dict) else one for one in found or ())
    return [one for one in values if isinstance(one, str)]


def as_document(body: bytes) -> dict[str, Any]:
    """Raises Unavailable."""
    try:
        document = read_json(body)
    except ValueError as exc:
        raise Unavailable("the answer is not JSON; is the address that of Tempo?") from exc
    if not isinstance(document, dict):
        raise Unavailable("the answer is not one of Tempo's API; is the URL right?")
    return document


def _traces(bodies: Bodies, redactor: Redactor) -> Traces:
    traces = Traces(redactor=redactor)
    for trace, body in bodies:
        document = as_document(body)
        document = document["trace"] if isinstance(document.get("trace"), dict) else document
        batches = document.get("batches", document.get("resourceSpans"))
        if not isinstance(batches, list):
            raise Unavailable("Tempo answered with a trace in a form that it does not document")
        known = traces.spans.setdefault(trace.lower(), {})
        for service, row in _rows(batches):
            try:
                span = _span(service, row, traces)
            except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
                traces.unreadable += 1
                continue
            known[span.id] = span
    return traces


def _rows(batches: Sequence[Any]) -> Iterator[tuple[Any, Any]]:
    """Each span with the service that recorded it."""
    for batch in batches:
        if not isinstance(batch, dict):
            continue
        resource = batch.get("resource")
        service = _attributes(resource if isinstance(resource, dict) else {}).get("service.name")
        for scope in batch.get("scopeSpans") or batch.get("instrumentationLibrarySpans") or ():
            for row in (scope.get("spans") or ()) if isinstance(scope, dict) else ():
                yield service, row


def _span(service: Any, row: Mapping[str, Any], traces: Traces) -> JaegerSpan:
    """Raises KeyError, TypeError, ValueError or AttributeError for what is none."""
    begun, ended = (int(row[f"{side}TimeUnixNano"]) / 1e9 for side in ("start", "end"))
    if not (0 < begun < LATEST_EPOCH_S and 0 <= ended - begun <= _LONGEST_S):
        raise ValueError("impossible times")
    return JaegerSpan(
        id=_id(row["spanId"]),
        parent=_id(row["parentSpanId"]) if row.get("parentSpanId") else "",
        service=traces.named(service),
        operation=traces.named(row["name"]),
        at=begun,
        duration_s=ended - begun,
        failed=_failed(row),
    )


def _id(told: str) -> str:
    """In hexadecimal digits, "" for none."""
    if _HEX.fullmatch(told.lower()):
        return told.lower()
    try:
        found = base64.b64decode(told, validate=True).hex()
    except binascii.Error as exc:
        raise ValueError("not an id") from exc
    return found if found.strip("0") else ""


def _failed(row: Mapping[str, Any]) -> bool:
    code = (row.get("status") or {}).get("code")
    if code in (2, "STATUS_CODE_ERROR"):
        return True
    told = _attributes(row)
    if str(told.get("error", "")).lower() == "true":
        return True
    codes = (str(told[name]) for name in _STATUS if name in told)
    return any(one.isdecimal() and int(one) >= _SERVER_ERROR for one in codes)


def _attributes(of: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for one in of.get("attributes") or ():
        value = one.get("value") if isinstance(one, dict) else None
        if isinstance(value, dict):
            found[str(one.get("key"))] = next(iter(value.values()), None)
    return found
