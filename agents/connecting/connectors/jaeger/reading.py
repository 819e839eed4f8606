"""Recorded requests as lines for the model: a list of traces, and one trace as a tree. Pure; runs in the worker."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from agents.connecting.connectors.jaeger.answers import JaegerSpan, Traces, as_json
from agents.evidence.types import as_utc
from agents.rows import Traced
from store.secrets.redaction import Redactor

_LINES: Final = 60
_DEEPEST: Final = 12


def render_traces(bodies: Sequence[bytes], names: Mapping[str, str], limit: int, redactor: Redactor) -> list[Traced]:
    """One row a trace, slowest first. Raises as `read_answers`."""
    traces = Traces(redactor=redactor)
    for body in bodies:
        traces.add(as_json(body))
    return slowest_first(traces, names, limit)


def slowest_first(traces: Traces, names: Mapping[str, str], limit: int) -> list[Traced]:
    """One row a trace, whoever recorded it."""
    found = [(trace, spans) for trace, spans in traces.spans.items() if spans]
    found.sort(key=lambda pair: (-_length(pair[1]), pair[0]))
    return [_traced(trace, spans, names) for trace, spans in found[:limit]]


def render_trace(body: bytes, names: Mapping[str, str], redactor: Redactor) -> tuple[list[str], tuple[Traced, ...]]:
    """The tree of one trace, children in time order, at most 60 lines, and its rows; empty if there is none."""
    traces = Traces(redactor=redactor)
    document = as_json(body)
    if isinstance(document, dict) and document.get("data") is None and document.get("errors"):
        return [], ()
    traces.add(document)
    return as_tree(traces, names)


def as_tree(traces: Traces, names: Mapping[str, str]) -> tuple[list[str], tuple[Traced, ...]]:
    """The first trace, as `render_trace`."""
    for trace, spans in traces.spans.items():
        if spans:
            rows = [_traced(trace, spans, names), *_tree(trace, spans, names)]
            lines = [row.line for row in rows[:_LINES]]
            left = len(rows) - _LINES
            return [*lines, *([f"({left} more spans)"] if left > 0 else [])], tuple(rows[:_LINES])
    return [], ()


def _length(spans: Mapping[str, JaegerSpan]) -> float:
    return max(s.at + s.duration_s for s in spans.values()) - min(s.at for s in spans.values())


def _traced(trace: str, spans: Mapping[str, JaegerSpan], names: Mapping[str, str]) -> Traced:
    first = min(spans.values(), key=lambda s: (s.parent in spans, s.at))
    failed = sorted({names.get(s.service, s.service) for s in spans.values() if s.failed})
    says = f", failed in {', '.join(failed[:5])}" if failed else ""
    service = names.get(first.service, first.service)
    start = as_utc(min(s.at for s in spans.values()))
    length = _length(spans)
    return Traced(
        service=service,
        trace=trace,
        operation=first.operation,
        at=start,
        lasted_s=length,
        failed_in=tuple(failed),
        spans=len(spans),
        line=f"{trace} {start:%H:%M:%S} {_ms(length)} {service} {first.operation}, {len(spans)} spans{says}",
    )


def _tree(trace: str, spans: Mapping[str, JaegerSpan], names: Mapping[str, str]) -> Iterator[Traced]:
    children: dict[str, list[JaegerSpan]] = {}
    for span in spans.values():
        inside = span.parent in spans and span.parent != span.id
        children.setdefault(span.parent if inside else "", []).append(span)
    begin = min(s.at for s in spans.values())
    due = [(span, 0) for span in _in_time(children.get("", []))]
    while due:
        span, depth = due.pop()
        below = children.get(span.id, [])
        own = max(span.duration_s - sum(s.duration_s for s in below), 0.0)
        failed = " FAILED" if span.failed else ""
        at = f"+{_ms(span.at - begin)}"
        service = names.get(span.service, span.service)
        indent = "  " * min(depth, _DEEPEST)
        yield Traced(
            service=service,
            trace=trace,
            operation=span.operation,
            at=as_utc(span.at),
            lasted_s=span.duration_s,
            failed_in=(service,) if span.failed else (),
            line=f"{indent}{service} {span.operation}: {at}, {_ms(span.duration_s)}, own {_ms(own)}{failed}",
        )
        due += [(child, depth + 1) for child in _in_time(below)]


def _in_time(spans: Sequence[JaegerSpan]) -> list[JaegerSpan]:
    """Latest first: the list is used as a stack."""
    return sorted(spans, key=lambda s: (-s.at, s.id))


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.3g}ms" if seconds < 1 else f"{seconds:.3g}s"
