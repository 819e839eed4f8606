"""What answers hold and how they are printed; pure functions."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from agents.evidence.metrics.meaning import Kind, read_name
from agents.rows import Row, Searched
from agents.tool import ToolOutput

SHOWN = 50
_FELT: frozenset[Kind] = frozenset(("requests", "errors", "availability", "latency"))
_UNTELLING: frozenset[Kind] = frozenset(("other", "identity"))
_RUNTIMES = ("go", "jvm", "python", "nodejs", "dotnet", "clr", "ruby", "erlang", "beam")
_INTERNAL: frozenset[Kind] = frozenset(("runtime", "clock", "certificate", "limit"))


def some(names: Sequence[str], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{', '.join(names[:most])}{more}"


def worth(name: str) -> int:
    """In which order metrics are kept: what users feel, what fills up, the rest, a runtime's internals."""
    kind = read_name(name).kind
    if kind in _FELT or kind in _INTERNAL:
        return 0 if kind in _FELT else 3
    return 2 if kind in _UNTELLING or name.split("_", 1)[0] in _RUNTIMES else 1


def one_point(row: Mapping[str, Any]) -> tuple[Any, Any]:
    """The sample of an instant answer; a native histogram's number of observations."""
    if "value" in row:
        return row["value"][0], row["value"][1]
    at, histogram = row["histogram"]
    return at, observations(histogram)


def observations(histogram: Mapping[str, Any]) -> Any:
    return histogram.get("count", "0")


def quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def seconds(duration: str) -> float:
    """A Prometheus duration such as `1m30s`; 0 for an empty one."""
    units = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
    return sum(float(number) * units[unit] for number, unit in re.findall(r"(\d+)(ms|[smhd])", duration))


def title_of(labels: Mapping[str, str]) -> str:
    rest = ",".join(f'{key}="{value}"' for key, value in sorted(labels.items()) if key != "__name__")
    return f"{labels.get('__name__', '')}{{{rest}}}"


def points_line(values: list[list[Any]], limit: int = 20) -> str:
    every = max(1, math.ceil(len(values) / limit))
    kept = values[::-every][::-1]  # the newest is one of them
    return " ".join(f"{datetime.fromtimestamp(float(at), tz=UTC):%H:%M:%S}={float(v):.4g}" for at, v in kept)


def without(others: int, what: str, listed: ToolOutput) -> ToolOutput:
    if not others:
        return listed
    gap = f"{others} {what} are not shown"
    return replace(listed, gap=f"{listed.gap}; {gap}" if listed.gap else gap)


def listing(
    found: Sequence[Row], summary: str, facts: dict[str, Any], shown: int = SHOWN, *, told: Sequence[str] = ()
) -> ToolOutput:
    gaps = [f"Prometheus warns: {warning}" for warning in dict.fromkeys(told)]
    if len(found) > shown:
        gaps.append(f"{len(found) - shown} further lines are not shown; narrow the query")
    gap = "; ".join(gaps) or None
    absent = "" if found else "nothing found"
    searched = Searched(what="series or alerts", found=len(found), whole=gap is None, line=absent)
    return ToolOutput(
        text="\n".join(row.line for row in found[:shown]) or searched.line,
        rows=(searched, *found[:shown]),
        summary=summary,
        facts=facts,
        gap=gap,
    )
