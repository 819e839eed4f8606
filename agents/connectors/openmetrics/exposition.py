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
_SAMPLE = re.compile(
    rf"({_NAME})"
    r'(?:\{((?:[^"}]|"(?:[^"\\]|\\.)*")*)\})?'
    rf"[ \t]+({_NUMBER})(?:[ \t]+{_NUMBER})?[ \t]*(?:#.*)?"
)
_LABEL = re.compile(r'[ \t]*([a-zA-Z_][a-zA-Z0-9_]*)[ \t]*=[ \t]*"((?:[^"\\]|\\.)*)"[ \t]*(?:,|$)')
_TYPE = re.compile(rf"#[ \t]+TYPE[ \t]+({_NAME})[ \t]+([a-z]+)[ \t]*")
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
                types[declared[1]] = declared[2]
            continue
        sample = _SAMPLE.fullmatch(stripped)
        if sample is None:
            raise MalformedMetrics(f"line {number} is not a metric: {stripped!r}")
        name, labels = sample[1], _parse_labels(sample[2] or "", number)
        yield Sample(name=name, labels=labels, kind=kind_of(name, labels, types), value=float(sample[3]))


def _parse_labels(text: str, number: int) -> dict[str, str]:
    labels: dict[str, str] = {}
    at = 0
    while at < len(text.rstrip()):
        label = _LABEL.match(text, at)
        if label is None or label[1] in labels:
            raise MalformedMetrics(f"line {number} has malformed labels: {text!r}")
        labels[label[1]] = re.sub(r"\\.", lambda escape: _ESCAPES.get(escape[0], escape[0]), label[2])
        at = label.end()
    return labels


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
