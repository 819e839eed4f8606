"""Compares a quantity with cited cells: dimension, rounding, hedge, tense, and the word that it belongs to."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from agents.gate.cells import Cell
from agents.gate.cited import Cited, all_cells
from agents.gate.evidence import Evidence
from agents.gate.quantities import Parsed, Quantity
from agents.gate.vocabulary import spread
from agents.gate.words import stem_set, stems
from agents.rows import Altered, Contents, Logged, State

_RANGE: Final = re.compile(r"\s*(?:to|and|-|or|until)\s*(?:about |some |roughly |around |at most |nearly )?$")


_CLAUSE_BEFORE: Final = re.compile(
    r"\bbefore(?: the| that| this| it|,|$)|\bpreviously\b|\bformerly\b|\buntil then\b|\bused to\b|\bhad been\b"
    r"|\bearlier\b|\bprior\b|\boriginally\b"
)


_CLAUSE_NOW: Final = re.compile(
    r"\bnow\b|\bcurrently\b|\bsince then\b|\bafterwards\b|\btoday\b|\bat present\b|\bafter (?:the|that|it)\b"
)


SPEND: Final = re.compile(r"\b(?:spen[dt]s?|per second|a second|/s|each second)\b")


STEADY: Final = re.compile(
    r"\b(?:stayed|stays|remain\w*|throughout|steady|flat|constant\w*|stable|all the time|always|between|ranges?"
    r"|ranged|unchanged|near|kept)\b"
)


def with_units(parsed: Parsed) -> list[Quantity]:
    """The quantities; of `44 to 70 MB` both have the unit."""
    found = sorted(parsed.quantities, key=lambda q: q.span)
    for place in range(len(found) - 2, -1, -1):
        one, other = found[place], found[place + 1]
        between = parsed.rest[one.span[1] : other.span[0]]
        if one.dimension == "count" and other.dimension not in ("count", "factor") and _RANGE.fullmatch(between):
            scale = _scale_of(other)
            found[place] = replace(
                one,
                value=one.value * scale,
                tolerance=one.tolerance * scale,
                dimension=other.dimension,
                per_s=other.per_s,
            )
        elif one.dimension == other.dimension and other.per_s and not one.per_s and _RANGE.fullmatch(between):
            found[place] = replace(one, per_s=True)
    return found


def _scale_of(quantity: Quantity) -> float:
    number = re.match(r"[\d.,]+", quantity.written)
    try:
        written = float(number[0].replace(",", "")) if number else 0.0
    except ValueError:
        return 1.0
    return quantity.value / written if written else 1.0


def matches(quantity: Quantity, value: float, tolerance: float) -> bool:
    """Whether a computed or stated value is what the quantity says, with its hedge and rounding."""
    want, slack = quantity.value, quantity.tolerance + tolerance + 1e-9 * abs(quantity.value)
    if quantity.hedge == "over":
        return want - 1e-9 <= value <= 2.5 * want + slack and value > want - 1e-12
    if quantity.hedge == "under":
        return 0.3 * want <= value <= want * (1 + 1e-9) + tolerance
    if quantity.hedge == "least":
        return want - tolerance - 1e-9 <= value <= 3 * want
    if quantity.hedge == "most":
        return 0.3 * want <= value <= want + slack
    if quantity.hedge == "almost":
        return 0.85 * want <= value <= want * 1.03 + tolerance
    if quantity.hedge == "about":
        slack = max(slack, 0.1 * abs(want))
    return abs(value - want) <= slack * (1 + 1e-6)


def fits(quantity: Quantity, cell: Cell, parsed: Parsed) -> bool:
    """Same dimension, said per second where it is, and the same value."""
    if quantity.dimension == "count" and cell.printed is not None and cell.keys & telling_words(parsed):
        return matches(quantity, cell.printed, 0.0)
    if quantity.dimension != cell.dimension:
        as_ratio = {quantity.dimension, cell.dimension} == {"count", "ratio"}
        if not (as_ratio and quantity.value <= 1 and "." in quantity.written):
            return False
    said_per_s = quantity.per_s or SPEND.search(parsed.text) is not None
    if cell.per_s and not said_per_s:
        return False
    if quantity.per_s and not cell.per_s and cell.dimension in ("count", "time"):
        return False
    return matches(quantity, cell.value, cell.tolerance)


def is_direct(quantity: Quantity, parsed: Parsed, cited: Sequence[Cited]) -> bool:
    """Whether a cited cell states it, of the moment, the role and the thing that the sentence speaks of."""
    wide = STEADY.search(parsed.text) is not None or bool(parsed.clocks)
    tense = tense_of(quantity, parsed)
    for one in cited:
        for cell in one.cells:
            if cell.series >= 0 and not cell.quoted and not (wide and _is_extreme_or_timed(cell, one, parsed)):
                continue
            if tense and cell.role in ("before", "now") and cell.role != tense:
                continue
            if fits(quantity, cell, parsed) and _is_timed(cell, one, parsed) and is_bound(quantity, cell, parsed):
                return True
    return _elsewhere(quantity, parsed, cited)


def _elsewhere(quantity: Quantity, parsed: Parsed, cited: Sequence[Cited]) -> bool:
    """Other lines of a diff, a file or a state, where the sentence names their key."""
    said = telling_words(parsed)
    for one in cited:
        least = 1 if any(isinstance(row, State) for row in one.rows) else 2
        if not any(isinstance(row, Altered | Contents | State) for row in one.rows):
            continue
        for cell in all_cells(one.evidence):
            if fits(quantity, cell, parsed) and len(cell.keys & said) >= least:
                return True
    return False


def _is_extreme_or_timed(cell: Cell, one: Cited, parsed: Parsed) -> bool:
    if cell.at is not None and any(f"{cell.at:%H:%M:%S}".startswith(clock) for clock, _ in parsed.clocks):
        return True
    values = [c.value for c in one.cells if c.series == cell.series]
    return STEADY.search(parsed.text) is not None and cell.value in (min(values), max(values))


def _is_timed(cell: Cell, one: Cited, parsed: Parsed) -> bool:
    """A sample's moment is one that the sentence names, where it names any of the series'."""
    if cell.at is None or not parsed.clocks or one.evidence.tool in ("latest_metrics", "query"):
        return True
    if len(parsed.clocks) > 1 or STEADY.search(parsed.text):
        return True
    clocks = [clock for clock, _ in parsed.clocks]
    known = [c.at for c in one.cells if c.series == cell.series and c.at is not None]
    if not any(f"{at:%H:%M:%S}".startswith(clock) for at in known for clock in clocks):
        return True
    return any(f"{cell.at:%H:%M:%S}".startswith(clock) for clock in clocks)


def is_bound(quantity: Quantity, cell: Cell, parsed: Parsed) -> bool:
    """A bare count belongs to a word that stands beside it in the result."""
    if quantity.dimension != "count" or not cell.keys:
        return True
    return bool(telling_words(parsed) & spread(cell.keys))


def telling_words(parsed: Parsed) -> frozenset[str]:
    paths = frozenset().union(*(stem_set(path) for path in parsed.paths)) if parsed.paths else frozenset()
    return frozenset(w for w in stems(parsed.rest) if w not in _PLAIN_GRAMMAR) | paths


_PLAIN_GRAMMAR: Final = stem_set(
    "the a an of in on at by for from to with is are was were be been it its that this and or has have had does"
    " do did not no"
)


def tense_of(quantity: Quantity, parsed: Parsed) -> str:
    """`before` or `now` as the words beside a quantity say, or nothing."""
    text = parsed.rest
    ahead = text[: quantity.span[0]]
    for hedge in (
        "about ",
        "some ",
        "roughly ",
        "around ",
        "nearly ",
        "almost ",
        "under ",
        "over ",
        "more than ",
        "less than ",
        "below ",
        "above ",
        "zero ",
    ):
        ahead = ahead.removesuffix(hedge)
    if re.search(r"\b(?:from|instead of|rather than|up from|down from)\s+$", ahead):
        return "before"
    if re.search(r"\bto\s+$", ahead) and re.search(r"\bfrom\b", ahead):
        return "now"
    start = max(text.rfind(c, 0, quantity.span[0]) for c in ",;:") + 1
    ends = [e for e in (text.find(c, quantity.span[1]) for c in (", ", ";", ": ")) if e >= 0]
    clause = text[start : min(ends, default=len(text))]
    if (
        _CLAUSE_BEFORE.search(clause.strip() + " ")
        and not _CLAUSE_NOW.search(clause)
        and quantity.dimension != "factor"
    ):
        return "before"
    if (
        start
        and not _CLAUSE_NOW.search(clause)
        and _CLAUSE_BEFORE.match(text[:start].strip() + " ")
        and not re.search(r"\bnow\b", clause)
    ):
        return "before"
    if _CLAUSE_NOW.search(clause) and not _CLAUSE_BEFORE.search(clause):
        return "now"
    return ""


def misread(quantity: Quantity, parsed: Parsed, cited: Sequence[Cited]) -> str | None:
    """A value that stands there as something else: time or counts per second read as of one request."""
    for one in cited:
        for cell in one.cells:
            alike = cell.quoted and cell.per_s and cell.dimension == quantity.dimension and not quantity.per_s
            if alike and matches(quantity, cell.value, cell.tolerance) and not SPEND.search(parsed.text):
                return f"{quantity.written} is a rate per second there"
    return None


def stands_anywhere(quantity: Quantity, parsed: Parsed, evidence: Sequence[Evidence]) -> bool:
    """Whether any cell of the results has this value, or a result has so many lines or lasts so long."""
    for item in evidence:
        if any(fits(quantity, cell, parsed) for cell in all_cells(item)):
            return True
        rows = [row for row in item.rows if isinstance(row, Logged) and row.shift == "seen"]
        if quantity.dimension == "count" and rows and quantity.value == len(rows):
            return True
        times = [row.first for row in rows if row.first]
        if quantity.dimension == "time" and len(times) > 1:
            lasted = (max(times) - min(times)).total_seconds()
            if matches(quantity, lasted, 0.15 * lasted):
                return True
    return False
