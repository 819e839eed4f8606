"""Recomputes what is said to follow from cited cells: differences, quotients, percentages, durations, means.

Nothing is taken from the model.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import combinations, pairwise
from typing import Final

from agents.gate.cells import Cell
from agents.gate.cited import Cited
from agents.gate.matching import SPEND, STEADY, matches, with_units
from agents.gate.quantities import Parsed, Quantity
from agents.rows import Logged


def keeps_range(parsed: Parsed, cited: Sequence[Cited]) -> bool:
    """`steady at 53 to 57`: a stretch of the series around what was quoted keeps exactly these bounds."""
    bounds = [q for q in with_units(parsed) if q.dimension in ("time", "count", "bytes", "ratio")]
    if STEADY.search(parsed.text) is None or len(bounds) < 2:
        return False
    low, high = bounds[0], bounds[1]
    for one in cited:
        for number in {c.series for c in one.cells if c.series >= 0 and c.quoted}:
            cells = [c for c in one.cells if c.series == number]
            places = [n for n, c in enumerate(cells) if c.quoted]
            if cells[0].per_s and not (low.per_s or high.per_s or SPEND.search(parsed.text)):
                continue
            for start in range(places[0], -1, -1):
                for end in range(max(places[-1], start + 2), len(cells)):
                    values = [c.value for c in cells[start : end + 1]]
                    if _bounds(low, min(values), up=False) and _bounds(high, max(values), up=True):
                        return True
    return False


def _bounds(quantity: Quantity, value: float, *, up: bool) -> bool:
    """Exactly the extreme after rounding, or a close bound of it."""
    slack = quantity.tolerance + 1e-9
    close = 0.08 * abs(value)
    return -slack <= (quantity.value - value if up else value - quantity.value) <= slack + close


def is_derived(quantity: Quantity, parsed: Parsed, cited: Sequence[Cited]) -> bool:
    """Whether it follows from the quoted cells and moments."""
    if keeps_range(parsed, cited):
        return True
    slack = 0.03 if quantity.hedge in ("about", "almost") else 0.012
    return any(matches(quantity, value, slack * abs(value)) for value in _computed(quantity, parsed, cited))


_DIFFERS: Final = re.compile(
    r"\b(?:by|lost|loses?|gain\w*|differ\w*|less|more|fewer|extra|add(?:s|ed)|short\w*|long\w*|points|cut|reduced"
    r"|below|above|apart|slower|faster|higher|lower)\b"
)


_LASTS: Final = re.compile(
    r"(?:\bwithin|\bevery|\bfor|\bover|\blasted|\btook|\bup|\bin|\bspan\w*|\bhalf of|\bto|\band|\bthan|\bthe last"
    r"|\bthe first)\s+(?:the |about |some |nearly |almost |roughly |around |only |just |more than |less than "
    r"|over |under |exactly |not quite |a |an )*$"
)


_APART: Final = re.compile(
    r"\s*(?:before|after|later|earlier|ago|apart|older|younger|long|back|ahead|behind|old|between|into|in a row"
    r"|passed|newer|until|from)\b"
)


def _is_duration(quantity: Quantity, parsed: Parsed) -> bool:
    """`six seconds before`, `within 43 seconds`, `up for 23 s`: a time between events, not a setting."""
    ahead = parsed.rest[: quantity.span[0]]
    return _LASTS.search(ahead) is not None or _APART.match(parsed.rest, quantity.span[1]) is not None


def _computed(quantity: Quantity, parsed: Parsed, cited: Sequence[Cited]) -> Iterator[float]:
    cells = [cell for one in cited for cell in one.cells if cell.quoted]
    if len(cells) > 60:
        cells = cells[:60]
    for first, second in combinations(cells, 2):
        yield from _of_two(quantity, first, second, differs=_DIFFERS.search(parsed.text) is not None)
    if quantity.dimension == "ratio":
        yield from (abs(1 - c.value) for c in cells if c.role == "ratio")
        if re.search(r"\b(?:succe\w+|good|work|works|pass|ok|still|fine)\b", parsed.text):
            yield from (1 - c.value for c in cells if c.dimension == "ratio" and c.role == "now")
    if quantity.dimension in ("count", "bytes", "time") and len(cells) > 1:
        alike = [c for c in cells if c.dimension == quantity.dimension and not c.role]
        if 1 < len(alike) <= 10 and re.search(
            r"\b(?:sum|total|together|altogether|in all|combined|both)\b", parsed.text
        ):
            yield sum(c.value for c in alike)
    if quantity.dimension == "time" and _is_duration(quantity, parsed):
        yield from _durations(cited, gaps=re.search(r"\bevery\b|\bapart\b|\bintervals?\b", parsed.text) is not None)
    if quantity.dimension in ("time", "count", "bytes"):
        for one in cited:
            yield from _of_series(one, parsed)


def _of_two(quantity: Quantity, one: Cell, other: Cell, *, differs: bool) -> Iterator[float]:
    same = one.dimension == other.dimension and one.per_s == other.per_s
    low, high = sorted((abs(one.value), abs(other.value)))
    if same and differs and quantity.dimension == one.dimension:
        yield high - low
    if same and quantity.dimension == "factor" and low:
        yield high / low
    if same and quantity.dimension == "ratio" and high and one.dimension != "ratio":
        yield low / high
        yield 1 - low / high
        if low:
            yield high / low - 1
    if (
        quantity.dimension == "time"
        and one.per_s
        and other.per_s
        and {one.dimension, other.dimension} == {"time", "count"}
    ):
        spent, count = (one, other) if one.dimension == "time" else (other, one)
        if count.value and (one.at is None or other.at is None or abs((one.at - other.at).total_seconds()) <= 15):
            yield spent.value / count.value
    if quantity.dimension == "ratio" and one.per_s and other.per_s and same and low + high:
        yield low / (low + high)
        yield high / (low + high)


def _durations(cited: Sequence[Cited], *, gaps: bool) -> Iterator[float]:
    moments = [m for one in cited for m in one.moments]
    quoted = [m for m in moments if m.quoted and not m.header] or [m for m in moments if not m.header][:4]
    for one, other in combinations(quoted, 2):
        yield abs((one.at - other.at).total_seconds())
    for one in quoted:
        for other in moments:
            if not other.quoted:
                yield abs((one.at - other.at).total_seconds())
    for proof in cited:
        lines = sorted(r.first for r in proof.evidence.rows if isinstance(r, Logged) and r.first and r.shift == "seen")
        if gaps:
            yield from ((b - a).total_seconds() for a, b in pairwise(lines))
        if len(lines) > 1:
            yield (lines[-1] - lines[0]).total_seconds()


def _of_series(one: Cited, parsed: Parsed) -> Iterator[float]:
    series: dict[int, list[float]] = {}
    for cell in one.cells:
        if cell.series >= 0 and (not cell.per_s or SPEND.search(parsed.text)):
            series.setdefault(cell.series, []).append(cell.value)
    for values in series.values():
        if re.search(r"\b(?:average|mean|typical\w*|on average)\b", parsed.text):
            yield sum(values) / len(values)
