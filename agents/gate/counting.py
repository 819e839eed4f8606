"""Counts of the lines of a result, and whether what is said of all of them was read of all of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from agents.gate.cited import Cited, all_cells
from agents.gate.matching import fits, is_bound, telling_words, with_units
from agents.gate.quantities import Parsed, Quantity
from agents.gate.words import stem_set
from agents.rows import Changed, Logged, Sampled, Searched

_COUNTABLE: Final = re.compile(
    r"\b(?:lines?|errors?|warnings?|timeouts?|time-outs?|exits?|refusals?|requests?|events?|messages?|entries"
    r"|failures?|crashes|restarts?|times|calls?|exceptions?|kills?|records?|retries|answers?|responses?"
    r"|checkouts?|occurrences?)\b"
)


_AS_SHOWN: Final = re.compile(
    r"\b(?:shown|among|these|those|here|listed|of the|at least|newest|latest|above|quoted|read)\b"
)


_AS_ALL: Final = re.compile(r"\b(?:exactly|only|altogether|in total|all the|overall|so far|ever|since|in all)\b")


def count_of_rows(quantity: Quantity, parsed: Parsed, cited: Sequence[Cited]) -> bool | None:
    """Whether it is a number of lines of a cited result; None where it is none of that kind."""
    if quantity.dimension != "count" or not _COUNTABLE.search(parsed.rest) or quantity.value != int(quantity.value):
        return None
    one = next((one for one in cited if _log_rows(one)), None)
    return None if one is None else _counts(quantity, parsed, one)


def _counts(quantity: Quantity, parsed: Parsed, one: Cited) -> bool:
    rows = _log_rows(one)
    if not is_whole_result(one) and _says_all(quantity, parsed):
        return False
    if quantity.hedge == "least":
        return quantity.value <= len(rows)
    behind = parsed.rest[quantity.span[1] : quantity.span[1] + 14]
    narrow = _subset(rows, parsed)
    if re.search(r"\bof (?:the |these |those )?\w+", behind) and narrow is not None:
        return quantity.value == narrow
    return quantity.value in {len(rows), narrow, _same_as_quoted(rows, one)}


def _says_all(quantity: Quantity, parsed: Parsed) -> bool:
    """Whether a number is said of all there were, not of those that were shown."""
    if quantity.hedge == "exact" or re.search(r"\b(?:since|ever|so far|all the)\b", parsed.text):
        return True
    return _AS_ALL.search(parsed.text) is not None and not _AS_SHOWN.search(parsed.text)


def _subset(rows: Sequence[Logged], parsed: Parsed) -> int | None:
    """The number of lines with all words of the sentence that stand in some of them and not in all."""
    said = telling_words(parsed)
    each = [stem_set(row.line) | frozenset(re.findall(r"/[\w{}]+", row.line)) for row in rows]
    telling = {w for w in said if 0 < sum(w in words for words in each) < len(each)}
    if not telling:
        return None
    return sum(telling <= words for words in each)


def _same_as_quoted(rows: Sequence[Logged], one: Cited) -> int:
    quoted = {_template(row) for row in one.rows if isinstance(row, Logged)}
    return sum(_template(row) in quoted for row in rows)


def _template(row: Logged) -> str:
    return re.sub(r"\d+(?:\.\d+)?", "#", row.example)


def none_else(parsed: Parsed, cited: Sequence[Cited]) -> bool:
    """`no other status than 200`: all series of that name, with the same other labels, carry the named value."""
    if (
        not re.search(r"\bno other\b|\bnone but\b|\bnothing but\b|\bno \w+ (?:than|but|except)\b", parsed.text)
        or not parsed.codes
    ):
        return False
    for one in cited:
        for row in one.rows:
            if isinstance(row, Sampled):
                route = row.labels.get("route")
                alike = [
                    r
                    for r in one.evidence.rows
                    if isinstance(r, Sampled) and r.name == row.name and r.labels.get("route") == route
                ]
                if alike and all(set(r.labels.values()) & set(parsed.codes) for r in alike):
                    return True
    return False


def said_none(parsed: Parsed, cited: Sequence[Cited]) -> bool:
    """`before that none is counted`: the series begins with the quoted sample, while others reach further back."""
    if not re.search(r"\bbefore(?: that| it)?\b", parsed.text):
        return False
    for one in cited:
        for row in one.rows:
            if isinstance(row, Sampled) and row.points:
                others = [r for r in one.evidence.rows if isinstance(r, Sampled) and r.points and r is not row]
                if any(r.points[0][0] < row.points[0][0] for r in others):
                    return True
    return False


def all_rows(parsed: Parsed, cited: Sequence[Cited]) -> bool:
    """Whether the whole that the sentence speaks of was read and is so."""
    return (
        _all_lines_alike(parsed, cited)
        or _only_candidate(parsed, cited)
        or _whole_series(parsed, cited)
        or _each_line(parsed, cited)
        or _same_number_twice(parsed, cited)
        or _within_all_lines(parsed, cited)
    )


def _log_rows(one: Cited) -> list[Logged]:
    return [row for row in one.evidence.rows if isinstance(row, Logged) and row.shift == "seen"]


def is_whole_result(one: Cited) -> bool:
    return all(row.whole for row in one.evidence.rows if isinstance(row, Searched))


def _all_lines_alike(parsed: Parsed, cited: Sequence[Cited]) -> bool:
    shown = re.search(r"\bshown\b|\bthese lines\b|\bquoted\b", parsed.text) is not None
    beyond = re.search(r"\bsince\b|\bever\b|\ball the\b", parsed.text) is not None
    for one in cited:
        rows = _log_rows(one)
        alike = len(rows) > 1 and len({_template(row) for row in rows}) == 1
        if alike and (is_whole_result(one) or (shown and not beyond)):
            return True
    return False


def _only_candidate(parsed: Parsed, cited: Sequence[Cited]) -> bool:
    if not re.search(r"\bonly\b|\bsole\b", parsed.text) or "candidate" not in parsed.text:
        return False
    for one in cited:
        changes = [row for row in one.evidence.rows if isinstance(row, Changed)]
        quoted = [row.change for row in one.rows if isinstance(row, Changed)]
        candidates = {row.change for row in changes if row.verdict == "cause_candidate"}
        if candidates and candidates == set(quoted):
            return True
    return False


def _whole_series(parsed: Parsed, cited: Sequence[Cited]) -> bool:
    """A bound or a level that all samples of the quoted series keep."""
    quantities = [q for q in with_units(parsed) if q.dimension in ("time", "count", "bytes", "ratio")]
    for one in cited:
        numbers = {c.series for c in one.cells if c.series >= 0 and c.quoted}
        for number in numbers:
            values = [c.value for c in one.cells if c.series == number]
            bounds = [q.value for q in quantities]
            slack = max((q.tolerance for q in quantities), default=0.0)
            if len(bounds) >= 2 and min(bounds) - slack <= min(values) and max(values) <= max(bounds) + slack:
                return True
            if len(bounds) == 1 and all(
                abs(v - bounds[0]) <= max(quantities[0].tolerance, 0.15 * bounds[0]) for v in values
            ):
                return True
    return False


def _each_line(parsed: Parsed, cited: Sequence[Cited]) -> bool:
    """A bound that every line of the result keeps."""
    for one in cited:
        rows = _log_rows(one)
        if len(rows) < 2 or not (is_whole_result(one) or "shown" in parsed.text):
            continue
        for quantity in with_units(parsed):
            quoted = [c for c in one.cells if fits(quantity, c, parsed)]
            for cell in quoted:
                alike = [c for c in all_cells(one.evidence) if c.keys == cell.keys and c.dimension == cell.dimension]
                if len(alike) >= len(rows) and all(fits(quantity, c, parsed) for c in alike):
                    return True
    return False


def _same_number_twice(parsed: Parsed, cited: Sequence[Cited]) -> bool:
    """`all 8 workers`: the part in one result is the whole in another."""
    for quantity in parsed.quantities:
        where = {
            one.evidence.id
            for one in cited
            for c in one.cells
            if fits(quantity, c, parsed) and is_bound(quantity, c, parsed)
        }
        if len(where) > 1:
            return True
    return False


def _within_all_lines(parsed: Parsed, cited: Sequence[Cited]) -> bool:
    for one in cited:
        rows = [row.first for row in _log_rows(one) if row.first]
        if len(rows) > 1 and is_whole_result(one):
            span = (max(rows) - min(rows)).total_seconds()
            if any(q.dimension == "time" and span <= q.value * 1.15 + q.tolerance for q in parsed.quantities):
                return True
    return False
