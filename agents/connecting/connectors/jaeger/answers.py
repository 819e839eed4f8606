"""Jaeger's JSON as spans. Pure and picklable: megabytes of it are parsed in the evidence worker.

Answers of several questions overlap: a trace that passed through three services is told three times, and counts once.
Names come from outside, are redacted as they are read, and cut; tags are read only for whether the span failed, and not
kept.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from agents.connecting.foreign_json import read_json
from agents.errors import BadArguments, Unavailable
from agents.evidence.grid import LATEST_EPOCH_S
from agents.evidence.types import FloatArray, Spans
from store.secrets.redacted_rows import redact_texts
from store.secrets.redaction import RedactionFailed, Redactor

_NAME: Final = 200
_LONGEST_S: Final = 86_400.0
_SERVER_ERROR: Final = 500
TRACE_ID: Final = re.compile(r"[0-9a-fA-F]{1,32}")
_STATUS_TAGS: Final = ("http.status_code", "http.response.status_code")


@dataclass(frozen=True, kw_only=True)
class JaegerSpan:
    """One span. `at` is epoch seconds; `parent` is the id of the span that waits for this one, or ""."""

    id: str
    parent: str
    service: str
    operation: str
    at: float
    duration_s: float
    failed: bool


@dataclass(kw_only=True)
class Traces:
    """Spans by trace id and span id. `unreadable` counts what had not the shape of a span."""

    redactor: Redactor
    spans: dict[str, dict[str, JaegerSpan]] = field(default_factory=dict)
    unreadable: int = 0
    words: dict[str, str] = field(default_factory=dict)

    def add(self, document: Any) -> int:
        """Take in one answer; the number of traces in it. Raises as `data_of`."""
        data = data_of(document, self.redactor)
        for trace in data:
            if not isinstance(trace, dict) or not _is_trace_id(trace.get("traceID")):
                self.unreadable += 1
                continue
            known = self.spans.setdefault(trace["traceID"], {})
            for span in self._readable(trace):
                known[span.id] = span
        return len(data)

    def _readable(self, trace: Mapping[str, Any]) -> Iterator[JaegerSpan]:
        rows, processes = trace.get("spans"), trace.get("processes")
        for row in rows if isinstance(rows, list) else []:
            try:
                yield self._span(row, trace["traceID"], processes if isinstance(processes, dict) else {})
            except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
                self.unreadable += 1

    def _span(self, row: Mapping[str, Any], trace: str, processes: Mapping[str, Any]) -> JaegerSpan:
        """Raises KeyError, TypeError, ValueError or AttributeError for what is none."""
        process = row.get("process") or processes[row["processID"]]
        at, duration = float(row["startTime"]) / 1e6, float(row["duration"]) / 1e6
        if not (0 < at < LATEST_EPOCH_S and 0 <= duration <= _LONGEST_S):
            raise ValueError("impossible times")
        return JaegerSpan(
            id=_word(row["spanID"]),
            parent=_parent(row, trace),
            service=self.named(process["serviceName"]),
            operation=self.named(row["operationName"]),
            at=at,
            duration_s=duration,
            failed=_failed(row.get("tags") or ()),
        )

    def named(self, value: Any) -> str:
        """A name without secrets, cut. Raises ValueError for what is none."""
        known = self.words.get(value)
        if known is None:
            try:
                known = self.words[value] = _word(self.redactor.redact(value) if isinstance(value, str) else value)
            except RedactionFailed as exc:
                raise ValueError("a name that cannot be judged") from exc
        return known


def _is_trace_id(found: Any) -> bool:
    return isinstance(found, str) and TRACE_ID.fullmatch(found) is not None


@dataclass(frozen=True, kw_only=True)
class ParsedTraces:
    """`told` is the number of traces in each answer; `left_out` those that the cap on spans kept out."""

    spans: Spans
    told: tuple[int, ...]
    left_out: int
    unreadable: int


def read_answers(bodies: Sequence[bytes], names: Mapping[str, str], max_spans: int, redactor: Redactor) -> ParsedTraces:
    """All answers as one recording. `names` maps the recorder's service names to declared ones.

    Above `max_spans`, whole traces are left out by chance, the same ones each time. Raises Unavailable for what is not
    Jaeger's JSON and BadArguments, with Jaeger's own words, for a refused question.
    """
    traces = Traces(redactor=redactor)
    told = tuple(traces.add(as_json(body)) for body in bodies)
    return in_columns(traces, names, max_spans, told=told)


def in_columns(traces: Traces, names: Mapping[str, str], max_spans: int, *, told: tuple[int, ...] = ()) -> ParsedTraces:
    """What was read, whoever recorded it, as one recording. `names` and `max_spans` as in `read_answers`."""
    kept = [trace for trace in traces.spans if traces.spans[trace]]
    read = len(kept)
    if sum(len(traces.spans[trace]) for trace in kept) > max_spans:
        kept = _thinned(traces.spans, max_spans)
    return ParsedTraces(
        spans=_columns({trace: traces.spans[trace] for trace in sorted(kept)}, names),
        told=told,
        left_out=read - len(kept),
        unreadable=traces.unreadable,
    )


def as_json(body: bytes) -> Any:
    """Raises Unavailable."""
    try:
        return read_json(body)
    except ValueError as exc:
        raise Unavailable("the answer is not JSON; is the address that of Jaeger's query service?") from exc


def data_of(document: Any, redactor: Redactor) -> list[Any]:
    """The `data` of an answer. Raises BadArguments with Jaeger's own words, or Unavailable for another shape."""
    if not isinstance(document, dict) or "data" not in document:
        raise Unavailable("the answer is not one of Jaeger's query service; is the URL right?")
    data = document["data"]
    if data is None and (said := _errors(document.get("errors"), redactor)):
        raise BadArguments(f"Jaeger refused it: {said}")
    if not isinstance(data, list | None):
        raise Unavailable("the answer is not one of Jaeger's query service; is the URL right?")
    return data or []


def _errors(errors: Any, redactor: Redactor) -> str:
    rows = errors if isinstance(errors, list) else []
    said = [str(row.get("msg", "no reason given")) for row in rows[:3] if isinstance(row, dict)]
    return "; ".join(redact_texts(redactor, said, keep=200))


def _word(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("not a name")
    return " ".join(value.split())[:_NAME]


def _parent(row: Mapping[str, Any], trace: str) -> str:
    """The span that waits for this one: FOLLOWS_FROM is work that nobody waits for."""
    for reference in row.get("references") or ():
        if reference.get("refType") == "CHILD_OF" and reference.get("traceID", trace) == trace:
            return _word(reference["spanID"])
    return str(row.get("parentSpanID") or "")


def _failed(tags: Sequence[Any]) -> bool:
    for tag in tags:
        key, value = tag.get("key"), tag.get("value")
        if key == "error" and str(value).lower() == "true":
            return True
        if key == "otel.status_code" and str(value).upper() == "ERROR":
            return True
        if key in _STATUS_TAGS and str(value).isdecimal() and int(value) >= _SERVER_ERROR:
            return True
    return False


def _thinned(traces: Mapping[str, Mapping[str, JaegerSpan]], max_spans: int) -> list[str]:
    """Traces in an order that has nothing to do with time, as many as fit."""
    kept: list[str] = []
    left = max_spans
    for trace in sorted(traces, key=lambda name: (zlib.crc32(name.encode()), name)):
        left -= len(traces[trace])
        if left < 0:
            break
        if traces[trace]:
            kept.append(trace)
    return kept


def _columns(traces: Mapping[str, Mapping[str, JaegerSpan]], names: Mapping[str, str]) -> Spans:
    services: dict[str, int] = {}
    operations: dict[str, int] = {}
    numbers: list[tuple[int, int, int, int, int]] = []
    times: list[tuple[float, float]] = []
    failed: list[bool] = []
    for trace, spans in enumerate(traces.values()):
        first = len(numbers)
        place = {span: first + i for i, span in enumerate(spans)}
        for span in spans.values():
            service = services.setdefault(names.get(span.service, span.service), len(services))
            operation = operations.setdefault(span.operation, len(operations))
            parent = place.get(span.parent, -1)
            numbers.append((service, operation, trace, len(numbers), parent if parent != len(numbers) else -1))
            times.append((span.at, span.duration_s))
            failed.append(span.failed)
    whole = np.array(numbers, dtype=np.int64).reshape(-1, 5)
    seconds: FloatArray = np.array(times, dtype=np.float64).reshape(-1, 2)
    return Spans(
        ts=seconds[:, 0],
        service=whole[:, 0],
        operation=whole[:, 1],
        duration_s=seconds[:, 1],
        trace=whole[:, 2],
        span=whole[:, 3],
        parent=whole[:, 4],
        services=tuple(services),
        operations=tuple(operations),
        failed=np.array(failed, dtype=np.bool_),
        trace_ids=tuple(traces),
    )
