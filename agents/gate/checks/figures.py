"""Checks of figures: times, versions, status codes, quantities, the way they went, their order and extremes."""

from __future__ import annotations

import re
from typing import Final

from agents.gate import counting, derive, directions, matching, order
from agents.gate.claim import Contradicted, ExaminedClaim, clock_fits, own_lines
from agents.gate.quantities import Parsed, Quantity
from agents.gate.trust import bears_nothing
from agents.gate.words import stem_set
from agents.rows import Altered


def times(claim: ExaminedClaim) -> None:
    """A clock time stands in what was cited."""
    for clock, _ in claim.parsed.clocks:
        if clock in claim.borne:
            continue
        if not any(clock_fits(clock, m.at) for one in claim.cited for m in one.moments):
            raise Contradicted(f"{clock} does not stand in what is cited")
        claim.borne.add(clock)
    for date in claim.parsed.dates:
        iso = date[:10]
        if not any(f"{m.at:%Y-%m-%d}" == iso for one in claim.cited for m in one.moments):
            claim.unproven.append(f"the date {date} does not stand in what is cited")


def ids(claim: ExaminedClaim) -> None:
    """Versions and commits stand in what was cited, in the role that the sentence gives them."""
    known = [i for one in claim.cited for i in one.ids]
    texts = " ".join(line for one in claim.cited for line in one.lines).lower()
    for text, place in claim.parsed.ids:
        bare = text.lower()
        fitting = [i for i in known if i.text.startswith(bare) or i.text.lstrip("v") == bare.lstrip("v")]
        if not fitting and not re.search(rf"(?<![\w.]){re.escape(bare)}", texts):
            raise Contradicted(f"the version {text} does not stand in what is cited")
        roles = {i.role for i in fitting} - {""}
        said = _said_role(claim.parsed.text, place, place + len(text))
        if said and roles and said not in roles:
            raise Contradicted(f"{text} is the version {'now' if 'now' in roles else 'before'}")


def _said_role(text: str, start: int, end: int) -> str:
    """What the words beside an id say of it: the version `before` or the one `now`."""
    ahead, behind = text[:start], text[end:]
    if re.search(
        r"\b(?:to|runs?|running|now|serves?|serving|current(?:ly)?|new|replaced by|by)\s+(?:(?:version"
        r"|commit|release|the|is|on)\s+)*$",
        ahead,
    ):
        return "now"
    if re.search(
        r"\b(?:from|was|were|previous(?:ly)?|before|old|former(?:ly)?|been|instead of|replac\w+"
        r"|supersed\w+|earlier)\s+(?:(?:version|commit|release|the|one|on)\s+)*$",
        ahead,
    ):
        return "before"
    if re.match(r"\s+(?:was|were|has been|is) (?:replaced|superseded)", behind):
        return "before"
    return "now" if re.match(rf"\s+(?:replac(?:ed|es)|superseded?s?|took over|{_ALTERS}\b)", behind) else ""


_ALTERS: Final = (
    r"(?:sets?|cuts?|raise[sd]?|lower(?:s|ed)?|add(?:s|ed)|remove[sd]?|change[sd]?|introduce[sd]?|drop(?:s|ped))"
)


def codes(claim: ExaminedClaim) -> None:
    lines = " ".join(line for one in claim.cited for line in own_lines(one))
    for code in claim.parsed.codes:
        if not re.search(rf"(?<![\w.]){code}(?![\w.])", lines):
            claim.unproven.append(f"the status {code} does not stand in what is cited")
    for path in claim.parsed.paths:
        bare = path.strip("`'\"")
        known = lines + " " + " ".join(f for one in claim.cited for row in one.rows for f in getattr(row, "files", ()))
        if bare.lower() not in known.lower() and not _named_by_parts(bare, claim):
            claim.unproven.append(f"{path} does not stand in what is cited")


def _named_by_parts(path: str, claim: ExaminedClaim) -> bool:
    words = stem_set(path)
    return bool(words) and words <= frozenset().union(*(one.words | one.context for one in claim.cited))


def numbers(claim: ExaminedClaim) -> None:
    """Each quantity is a cited cell, after rounding and conversion, or is recomputed from cited cells."""
    for quantity in matching.with_units(claim.parsed):
        if quantity.written in claim.borne and quantity.dimension == "time":
            continue
        if matching.is_direct(quantity, claim.parsed, claim.cited):
            continue
        if reason := matching.misread(quantity, claim.parsed, claim.cited):
            raise Contradicted(reason)
        counted = counting.count_of_rows(quantity, claim.parsed, claim.cited)
        if counted is not None:
            if not counted:
                raise Contradicted(f"{quantity.written} is not what the lines of the result count to")
            continue
        if derive.is_derived(quantity, claim.parsed, claim.cited):
            claim.derived = True
            continue
        if _is_grammar(quantity, claim.parsed):
            continue
        raise Contradicted(f"{quantity.written} does not stand in what is cited, nor follows from it")


def _is_grammar(quantity: Quantity, parsed: Parsed) -> bool:
    """`one of them`, `the two windows`: words of grammar, not counts."""
    if quantity.dimension != "count" or parsed.text[quantity.span[0]].isdigit() or quantity.hedge:
        return False
    ahead = parsed.rest[: quantity.span[0]]
    return quantity.value <= 1 or (
        quantity.value <= 3 and re.search(r"\b(?:the|these|those|both|other)\s+$", ahead) is not None
    )


def numbers_anywhere(claim: ExaminedClaim) -> None:
    """A reading without proofs may repeat what any result says, and nothing else."""
    everything = [e for e in claim.run.evidence.values() if not e.is_error and bears_nothing(e) is None]
    for quantity in claim.parsed.quantities:
        if quantity.dimension == "count" and quantity.value <= 3:
            continue
        if not matching.stands_anywhere(quantity, claim.parsed, everything):
            raise Contradicted(f"{quantity.written} stands in no result of this run")
    texts = " ".join(e.text for e in everything).lower()
    for text, _ in claim.parsed.ids:
        if text.lower().lstrip("v") not in texts:
            raise Contradicted(f"the version {text} stands in no result of this run")
    for clock, _ in claim.parsed.clocks:
        if clock not in texts and not any(clock_fits(clock, e.taken_at) for e in everything):
            raise Contradicted(f"{clock} stands in no result of this run")


def ways(claim: ExaminedClaim) -> None:
    """Up, down, before and now are what the cells say."""
    said = directions.said_direction(claim.parsed)
    went = directions.went(claim.cited, claim.parsed)
    if said and went and said != went:
        raise Contradicted("it went the other way")
    if said and not went and not _has_diff(claim):
        claim.unproven.append("which way it went does not stand in what is cited")
    if reason := directions.swapped(claim.parsed, claim.cited):
        raise Contradicted(reason)


def _has_diff(claim: ExaminedClaim) -> bool:
    return any(isinstance(row, Altered) for one in claim.cited for row in one.rows)


def orders(claim: ExaminedClaim) -> None:
    """Before and after in time are as the cited moments say."""
    verdict = order.check(claim.parsed, claim.cited)
    if verdict is order.Order.WRONG:
        raise Contradicted("it happened in the other order")
    if verdict is order.Order.OPEN:
        claim.unproven.append("the order in time does not stand in what is cited")


def extremes(claim: ExaminedClaim) -> None:
    """A peak is the highest sample of its series."""
    if _PEAK.search(claim.parsed.text) is None:
        return
    for one in claim.cited:
        for number in {cell.series for cell in one.cells if cell.series >= 0 and cell.quoted}:
            cells = [cell for cell in one.cells if cell.series == number]
            top = max(cells, key=lambda cell: cell.value)
            if not top.quoted and not any(matching.fits(q, top, claim.parsed) for q in claim.parsed.quantities):
                raise Contradicted("it is not the highest of the series")
            claim.borne |= stem_set("peak highest maximum max top")


_PEAK: Final = re.compile(r"\b(?:peak\w*|highest|maximum|max)\b")
