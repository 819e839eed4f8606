"""Checks of what was read: of which service, who calls whom, which statistic, what failed or found nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from agents.gate.cited import Cited
from agents.gate.claim import Contradicted, ExaminedClaim, clock_fits, own_lines
from agents.gate.vocabulary import NEGATIONS
from agents.gate.words import stem_set, stems
from agents.rows import Logged, Moved, Searched, Unread

# Checks


def services(claim: ExaminedClaim) -> None:
    """Claims are about the services that were read."""
    named = {s for s in claim.run.services if re.search(rf"(?<![\w./-]){re.escape(s)}(?![\w-])", claim.parsed.text)}
    if not named:
        return
    read = frozenset().union(*(one.services for one in claim.cited))
    lines = " ".join(line for one in claim.cited for line in own_lines(one)).lower()
    there = {s for s in named if s in read or re.search(rf"(?<![\w-]){re.escape(s)}(?![\w-])", lines)}
    if not there:
        raise Contradicted(f"the cited results are not about {', '.join(sorted(named))}")
    if named - there:
        claim.unproven.append(f"the cited results say nothing about {', '.join(sorted(named - there))}")
    owners = [{row.service for row in one.rows if row.service} for one in claim.cited]
    if any(own & (named | set(_ids_named(claim))) for own in owners) or not all(owners):
        return
    if _is_object(claim, there):
        return
    raise Contradicted(f"{claim.cited[0].evidence.id} was read from {', '.join(sorted(owners[0]))}")


def _is_object(claim: ExaminedClaim, named: Iterable[str]) -> bool:
    """`calls to billing fail`, `timeouts towards billing`: said of the called side as an object."""
    of = r"\b(?:to|on|of|towards|toward|against|at|from|with|behind|reach(?:es|ing)?|calls?|calling)\s+(?:the )?"
    return all(re.search(rf"{of}{re.escape(s)}\b", claim.parsed.text) for s in named)


def _ids_named(claim: ExaminedClaim) -> list[str]:
    return [part for path in claim.parsed.paths for part in path.split("/")]


def callers(claim: ExaminedClaim) -> None:
    """Who calls whom is as the result says: where it was read from is the caller, whom it names the called side."""
    for one in claim.cited:
        for row in one.rows:
            callees = [row.peer] if isinstance(row, Moved) and row.peer else []
            if isinstance(row, Logged):
                line = row.line.partition(" service=")[0]
                callees = [s for s in claim.run.services if s != row.service and _names(s, line)]
            for callee in callees:
                if row.service and callee != row.service and _is_reversed(claim.parsed.text, row.service, callee):
                    raise Contradicted(f"it is {row.service} that calls {callee}")


def _names(service: str, text: str) -> bool:
    return re.search(rf"(?<![\w-]){re.escape(service)}(?![\w-])", text, re.IGNORECASE) is not None


def _is_reversed(text: str, caller: str, callee: str) -> bool:
    """Whether the sentence makes the caller the called side."""
    a, b = re.escape(caller), re.escape(callee)
    calls = r"(?:to|towards?|on|reach(?:es|ing)?|call(?:s|ing)?|asks?|from)"
    if re.search(rf"\bfrom {a}\b.*\bto {b}\b|\b{a}\b[^,;]*\b{calls} (?:the )?{b}\b", text):
        return False
    at_caller = calls.replace("|from", "")
    return re.search(rf"\bfrom {b}\b.*\bto {a}\b|\b{b}\b[^,;]*\b{at_caller} (?:the )?{a}\b", text) is not None


_STATISTICS: Final = (
    (re.compile(r"\bmean\b|\baverage\b|\bon average\b"), "mean"),
    (re.compile(r"\bp95\b|\b95 ?th\b"), "p95"),
    (re.compile(r"\bp99\b|\b99 ?th\b"), "p99"),
    (re.compile(r"\bp50\b|\bmedian\b"), "p50"),
    (re.compile(r"\bp90\b|\b90 ?th\b"), "p90"),
)


def statistics(claim: ExaminedClaim) -> None:
    """A mean is no percentile."""
    said = {name for pattern, name in _STATISTICS if pattern.search(claim.parsed.text)}
    known = {
        name
        for one in claim.cited
        for row in one.of(Moved)
        for pattern, name in _STATISTICS
        if pattern.search(row.indicator.lower())
    }
    if said and known and not said & known:
        raise Contradicted(f"the result speaks of the {', '.join(sorted(known))}")


def failed_reads(claim: ExaminedClaim) -> None:
    """A failed read proves that it failed, nothing else."""
    for one in claim.cited:
        failed = [row for row in one.rows if isinstance(row, Unread)]
        if not failed:
            continue
        if not _FAILED.search(claim.parsed.text):
            raise Contradicted(f"{one.evidence.id} was not read: it proves nothing else")


_FAILED: Final = re.compile(
    r"\b(?:could|can|did|does|was|were|is|are|has|have|had)(?: ?not|n't)\b|\bno (?:answer|response|reply|data)\b"
    r"|\bunread\w*|\bunavailable"
    r"|\btimed? ?out|\bfail(?:ed|s)? to\b|\bmissing\b|\bgap\b|\bwithout (?:an )?answer|\bunknown\b|\bnot (?:read"
    r"|available|answer|reached?)|\bunable\b|\bkept only\b|\bonly\b|\bcut off\b|\bnothing (?:came|was read"
    r"|could)\b|\bfailed\b|\bnever answered\b"
)


def absences(claim: ExaminedClaim) -> None:
    """Nothing found holds within the window and the filter that was looked with."""
    for one in claim.cited:
        searched = next((row for row in one.rows if isinstance(row, Searched) and not row.found), None)
        if searched is None:
            continue
        if not (
            set(claim.parsed.text.split()) & NEGATIONS
            or re.search(r"n't\b|\bquiet\b|\bzero\b|\bempty\b|\bnormal\b|\bcalm\b", claim.parsed.text)
        ):
            raise Contradicted(f"{one.evidence.id} found nothing of the kind")
        if not searched.whole:
            claim.unproven.append("not all was read there")
        wanted = {k: v for k, v in searched.wanted.items() if k not in ("level", "name", "state", "version")}
        for value in wanted.values():
            words = set(stems(value))
            if words and not words <= claim.stems | stem_set(claim.text):
                raise Contradicted(f"{one.evidence.id} looked only for {value!r}")
        level = searched.wanted.get("level", "")
        if level and searched.what == "log lines":
            _level_covers(claim, level, one)
        _within_window(claim, searched, one)


_LEVELS: Final = ("trace", "debug", "info", "warn", "error", "critical", "fatal")


def _level_covers(claim: ExaminedClaim, level: str, one: Cited) -> None:
    told = [n for n, name in enumerate(_LEVELS) if stem_set(name) & claim.stems]
    if "warning" in claim.parsed.text:
        told.append(_LEVELS.index("warn"))
    least = _LEVELS.index(level) if level in _LEVELS else 0
    if told and min(told) < least:
        raise Contradicted(f"{one.evidence.id} looked only at level {level} and above")
    if not told:
        claim.unproven.append(f"{one.evidence.id} looked only at level {level} and above")


_LONG_AGO: Final = re.compile(
    r"\b(?:since (?:the )?(?:morning|yesterday|midnight|noon|dawn|last \w+|monday|the weekend)|all (?:day|night"
    r"|week|morning)|today|yesterday"
    r"|ever|for (?:hours|days|weeks|months)|this (?:week|month|morning)|last (?:night|week)|in (?:days|weeks"
    r"|months)|always|at any time)\b"
)


def _within_window(claim: ExaminedClaim, searched: Searched, one: Cited) -> None:
    if _LONG_AGO.search(claim.parsed.text):
        raise Contradicted(f"{one.evidence.id} looked at a shorter time")
    if searched.start is None or searched.end is None:
        return
    length = (searched.end - searched.start).total_seconds()
    for quantity in claim.parsed.quantities:
        if quantity.dimension == "time" and quantity.value > 1.1 * length:
            raise Contradicted(f"{one.evidence.id} looked at {length / 60:.0f} minutes")
        if quantity.dimension == "time":
            claim.borne.add(quantity.written)
    for clock, _ in claim.parsed.clocks:
        if not (clock_fits(clock, searched.start) or clock_fits(clock, searched.end) or _inside(clock, searched)):
            raise Contradicted(f"{one.evidence.id} did not look at {clock}")
        claim.borne.add(clock)


def _inside(clock: str, searched: Searched) -> bool:
    if searched.start is None or searched.end is None:
        return False
    parts = [int(part) for part in clock.split(":")]
    seconds = parts[0] * 3600 + parts[1] * 60 + (parts[2] if len(parts) > 2 else 0)
    start, end = (m.hour * 3600 + m.minute * 60 + m.second for m in (searched.start, searched.end))
    return start <= seconds <= end if start <= end else seconds >= start or seconds <= end
