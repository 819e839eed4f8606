"""Metrics and events of a database as a few lines, and those lines read again.

A metric is told by its first, lowest, highest and last value, and only where it left its usual range; the others are
counted. Metrics of other instances are left out: a dashboard often shows a neighbour's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from agents.evidence.database.types import Series, Shape, Statement

_LINE: Final = re.compile(
    r"(\w+) \(([^)]*)\): first ([-\d.]+), lowest ([-\d.]+) at \S+, highest ([-\d.]+) at \S+, last ([-\d.]+)"
)
_STATEMENT: Final = re.compile(r"top statement: (.*) \| load ([\d.]+) \| waits: (.*)$")
_WAIT: Final = re.compile(r"([\w: ]+?)\(([\d.]+)\)")
_MEGABYTES: Final = 1e6
_ROSE: Final = 1.6
_FELL: Final = 0.6
_FULL_PERCENT: Final = 80.0
_LONGEST: Final = 330
_MOST_LINES: Final = 16


def tell_metrics(series: Iterable[Series], instance: str) -> str:
    """The digest of the instance and its replicas."""
    own = [one for one in series if one.points and one.instance.startswith(instance)]
    shapes = list(dict.fromkeys(_told(one) for one in own if _is_unusual(one)))
    if not own:
        return f"no metrics of {instance}"
    spans = f"{own[0].points[0][0]} to {own[0].points[-1][0]} UTC"
    names = ", ".join(dict.fromkeys(one.name for one in own if not _is_unusual(one)))
    rest = f"(within normal bounds: {names})" if names else ""
    return "\n".join(part for part in (f"{instance}, {spans}", *shapes, rest) if part)


def read_metrics(text: str) -> tuple[Shape, ...]:
    found = []
    for line in text.splitlines():
        if match := _LINE.match(line.strip()):
            first, lowest, highest, last = (float(match.group(n)) for n in range(3, 7))
            found.append(
                Shape(
                    name=match.group(1),
                    unit=match.group(2),
                    first=first,
                    lowest=lowest,
                    highest=highest,
                    last=last,
                    line=line.strip(),
                )
            )
    return tuple(found)


def tell_events(lines: Sequence[str]) -> str:
    """Events in their order, then statements and waits; each once, shortened at the end only."""
    told = list(dict.fromkeys(line.strip()[:_LONGEST] for line in lines if line.strip()))
    waits = [line for line in told if "top wait event" in line]
    kept = [line for line in told if line not in waits][: _MOST_LINES - 3] + waits[:3]
    return "\n".join(kept) or "no events"


def read_statements(text: str) -> tuple[Statement, ...]:
    """Statements by load, heaviest first."""
    found = []
    for line in text.splitlines():
        if match := _STATEMENT.search(line.strip()):
            waits = sorted(_WAIT.findall(match.group(3)), key=lambda w: -float(w[1]))
            names = tuple(name.strip() for name, _ in waits)
            found.append(Statement(text=match.group(1), load=float(match.group(2)), waits=names, line=line.strip()))
    return tuple(sorted(found, key=lambda s: -s.load))


def _is_unusual(series: Series) -> bool:
    values = [value for _, value in series.points]
    base = abs(values[0]) or 1.0
    hot = series.unit == "Percent" and max(values) >= _FULL_PERCENT
    return hot or max(values) >= _ROSE * base or min(values) <= _FELL * base


def _told(series: Series) -> str:
    scale, unit = (_MEGABYTES, "MB") if series.unit.startswith("Bytes") else (1.0, series.unit)
    unit = unit + series.unit.removeprefix("Bytes") if unit == "MB" else unit
    low = min(series.points, key=lambda p: p[1])
    high = max(series.points, key=lambda p: p[1])
    first, last = series.points[0][1], series.points[-1][1]
    numbers = [_number(value / scale) for value in (first, low[1], high[1], last)]
    return (
        f"{series.name} ({unit}): first {numbers[0]}, lowest {numbers[1]} at {low[0]}, "
        f"highest {numbers[2]} at {high[0]}, last {numbers[3]}"
    )


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.2f}".rstrip("0").rstrip(".")
