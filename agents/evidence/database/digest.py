"""Metrics and events of a database as a few lines.

A metric is told by its first, lowest, highest and last value, and only where it left its usual range; the others are
counted. Metrics of other instances are left out: a dashboard often shows a neighbour's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from agents.evidence.database.types import DatabaseSeries, Shape, Statement

_STATEMENT: Final = re.compile(r"top statement: (.*) \| load ([\d.]+) \| waits: (.*)$")
_WAIT: Final = re.compile(r"([\w: ]+?)\(([\d.]+)\)")
_MEGABYTES: Final = 1e6
_ROSE: Final = 1.6
_FELL: Final = 0.6
_FULL_PERCENT: Final = 80.0
_LONGEST: Final = 330
_MOST_LINES: Final = 16


def tell_metrics(series: Iterable[DatabaseSeries], instance: str) -> tuple[str, tuple[Shape, ...]]:
    """The digest of the instance and its replicas, and the shapes that it tells."""
    own = [one for one in series if one.points and one.instance.startswith(instance)]
    shapes = list({shape.line: shape for one in own if _is_unusual(one) for shape in [_shape(one)]}.values())
    if not own:
        return f"no metrics of {instance}", ()
    spans = f"{own[0].points[0][0]} to {own[0].points[-1][0]} UTC"
    names = ", ".join(dict.fromkeys(one.name for one in own if not _is_unusual(one)))
    rest = f"(within normal bounds: {names})" if names else ""
    parts = (f"{instance}, {spans}", *(shape.line for shape in shapes), rest)
    return "\n".join(part for part in parts if part), tuple(shapes)


def tell_events(lines: Sequence[str]) -> tuple[str, ...]:
    """Events in their order, then statements and waits; each once, shortened at the end only."""
    told = list(dict.fromkeys(line.strip()[:_LONGEST] for line in lines if line.strip()))
    waits = [line for line in told if "top wait event" in line]
    return tuple([line for line in told if line not in waits][: _MOST_LINES - 3] + waits[:3])


def read_statements(lines: Iterable[str]) -> tuple[Statement, ...]:
    """Statements by load, heaviest first, from the lines in which the database's connector tells them."""
    found = []
    for line in lines:
        if match := _STATEMENT.search(line.strip()):
            waits = sorted(_WAIT.findall(match.group(3)), key=lambda w: -float(w[1]))
            names = tuple(name.strip() for name, _ in waits)
            found.append(Statement(text=match.group(1), load=float(match.group(2)), waits=names, line=line.strip()))
    return tuple(sorted(found, key=lambda s: -s.load))


def _is_unusual(series: DatabaseSeries) -> bool:
    values = [value for _, value in series.points]
    base = abs(values[0]) or 1.0
    hot = series.unit == "Percent" and max(values) >= _FULL_PERCENT
    return hot or max(values) >= _ROSE * base or min(values) <= _FELL * base


def _shape(series: DatabaseSeries) -> Shape:
    scale, unit = (_MEGABYTES, "MB") if series.unit.startswith("Bytes") else (1.0, series.unit)
    unit = unit + series.unit.removeprefix("Bytes") if unit == "MB" else unit
    low = min(series.points, key=lambda p: p[1])
    high = max(series.points, key=lambda p: p[1])
    values = [value / scale for value in (series.points[0][1], low[1], high[1], series.points[-1][1])]
    numbers = [_number(value) for value in values]
    line = (
        f"{series.name} ({unit}): first {numbers[0]}, lowest {numbers[1]} at {low[0]}, "
        f"highest {numbers[2]} at {high[0]}, last {numbers[3]}"
    )
    first, lowest, highest, last = values
    return Shape(name=series.name, unit=unit, first=first, lowest=lowest, highest=highest, last=last, line=line)


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.2f}".rstrip("0").rstrip(".")
