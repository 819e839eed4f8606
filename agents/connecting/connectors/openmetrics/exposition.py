"""Reads the text that `/metrics` answers: Prometheus' text format and OpenMetrics, strictly.

Formats: https://prometheus.io/docs/instrumenting/exposition_formats/ and
https://prometheus.io/docs/specs/om/open_metrics_spec/. Explicit timestamps and exemplars are accepted and ignored.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from agents.evidence.types import RawKind

_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_NUMBER = r"[+-]?(?:Inf|NaN|inf|nan|[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?|\.[0-9]+(?:[eE][+-]?[0-9]+)?)"
_QUOTED = r'"(?:[^"\\]|\\.)*"'
_SAMPLE = re.compile(
    rf"({_NAME})?"
    r'(?:\{((?:[^"}]|"(?:[^"\\]|\\.)*")*)\})?'
    rf"[ \t]+({_NUMBER})(?:[ \t]+{_NUMBER})?[ \t]*(?:#.*)?"
)
# Names outside the classic alphabet stand in quotation marks, the metric's own among its labels:
# https://prometheus.io/docs/instrumenting/exposition_formats/#basic-info
_LABEL = re.compile(rf'[ \t]*([a-zA-Z_][a-zA-Z0-9_]*|{_QUOTED})[ \t]*=[ \t]*"((?:[^"\\]|\\.)*)"[ \t]*(?:,|$)')
_OWN_NAME = re.compile(rf"[ \t]*({_QUOTED})[ \t]*(?:,|$)")
_TYPE = re.compile(rf"#[ \t]+TYPE[ \t]+({_NAME}|{_QUOTED})[ \t]+([a-z]+)[ \t]*")
_ESCAPES = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}


class MalformedMetrics(ValueError):
    """The text is not metrics; the message names the line."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    name: str
    labels: Mapping[str, str]
    kind: RawKind
    value: float


def parse_metrics(text: str) -> Iterator[Sample]:
    """The samples of a scrape in order. Raises MalformedMetrics at the first line that is none."""
    types: dict[str, str] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        stripped = line.strip()
        if not stripped:
            continue
        if stripped.startswith("#"):
            if declared := _TYPE.fullmatch(stripped):
                types[_plain(declared[1])] = declared[2]
            continue
        sample = _SAMPLE.fullmatch(stripped)
        inside = (sample[2] or "") if sample else ""
        own = _OWN_NAME.match(inside) if sample and not sample[1] else None
        if sample is None or not (sample[1] or own):
            raise MalformedMetrics(f"line {number} is not a metric: {stripped!r}")
        name = sample[1] or _plain(own[1] if own else "")
        labels = _parse_labels(inside[own.end() :] if own else inside, number)
        yield Sample(name=name, labels=labels, kind=kind_of(name, labels, types), value=float(sample[3]))


def _parse_labels(text: str, number: int) -> dict[str, str]:
    labels: dict[str, str] = {}
    at = 0
    while at < len(text.rstrip()):
        label = _LABEL.match(text, at)
        if label is None or _plain(label[1]) in labels:
            raise MalformedMetrics(f"line {number} has malformed labels: {text!r}")
        labels[_plain(label[1])] = _unescaped(label[2])
        at = label.end()
    return labels


def _plain(name: str) -> str:
    return _unescaped(name[1:-1]) if name.startswith('"') else name


def _unescaped(text: str) -> str:
    return re.sub(r"\\.", lambda escape: _ESCAPES.get(escape[0], escape[0]), text)


def kind_of(name: str, labels: Mapping[str, str], types: Mapping[str, str]) -> RawKind:
    """Counter, gauge or histogram bucket, by the family's declared type; undeclared ones by their suffix."""
    family, suffix = name, ""
    for ending in ("_bucket", "_total", "_count", "_sum", "_created"):
        if name not in types and name.endswith(ending):
            family, suffix = name.removesuffix(ending), ending
            break
    declared = types.get(family)
    if suffix == "_created" and declared is not None:
        return "gauge"
    if suffix == "_bucket" and "le" in labels and declared in {"histogram", None}:
        return "histogram_bucket"
    if declared == "counter" or suffix in {"_total", "_count", "_sum"}:
        return "counter"
    if declared in {"gauge", "info", "stateset", "gaugehistogram"} or "quantile" in labels or name == "up":
        return "gauge"
    return "unknown"
