"""Judges one claim: observed where code can say the same from the cited rows, derived where code recomputed it, else
inferred, or nothing at all where the results contradict it.

Each check is a function over the claim and its proofs. `Contradicted` takes the claim away; what a check adds to
`unproven` leaves it as the model's reading.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Final, Literal

from agents.gate import derive, order
from agents.gate.banned import never_shown
from agents.gate.cited import Cell, Cited, cite
from agents.gate.evidence import Evidence
from agents.gate.quantities import Parsed, Quantity, parse
from agents.gate.reported import Prose, attributes, hostile_parts, quoted, repeats, rests_on
from agents.gate.trust import bears_nothing, foreign_parts
from agents.gate.vocabulary import DOWN, FASTER, LACKING, LIGHT, NEGATIONS, SLOWER, UP, spread
from agents.gate.words import plain, stem_set, stems, words_in
from agents.rows import Altered, Changed, Logged, Moved, Searched, Spent, State, Suspect, Unread

Status = Literal["observed", "derived", "inferred"]


@dataclass(frozen=True, kw_only=True)
class Proof:
    """What a claim cites: a result's number and a stretch of it."""

    artifact: str
    quote: str


@dataclass(frozen=True, kw_only=True)
class Judged:
    """`status` is None for a claim that is not shown; `reason` tells why, or why it is only inferred.

    `never` where it is of a kind that is not shown in any form. `told` is code's own sentence where the claim only
    repeats what somebody outside wrote; it speaks `for` the cause only where that text is no accusation.
    """

    status: Status | None
    reason: str = ""
    cited: tuple[Cited, ...] = ()
    never: bool = False
    told: str = ""
    is_mere_presence: bool = False


@dataclass(frozen=True, kw_only=True)
class Run:
    """All results of one run, by number."""

    evidence: Mapping[str, Evidence]
    services: tuple[str, ...] = ()

    def result(self, number: str) -> Evidence | None:
        """A result; a part of an earlier one that was read again stands for that one."""
        found = self.evidence.get(number)
        if found is not None and found.tool == "fetch_more" and not found.is_error:
            return self.evidence.get(str(found.arguments.get("artifact")), found)
        return found


class Contradicted(Exception):
    """The cited results say otherwise, or nothing of the kind."""


@dataclass(kw_only=True)
class _Claim:
    text: str
    parsed: Parsed
    cited: tuple[Cited, ...]
    run: Run
    words: tuple[str, ...]
    unproven: list[str] = field(default_factory=list)
    derived: bool = False
    borne: set[str] = field(default_factory=set)

    @property
    def stems(self) -> frozenset[str]:
        return frozenset(self.words)

    def cells(self, *, quoted: bool = False) -> list[Cell]:
        return [cell for one in self.cited for cell in one.cells if cell.quoted or not quoted]


def judge(text: str, status: str, proofs: Sequence[Proof], run: Run, *, advises: bool = False) -> Judged:
    """What becomes of a claim; of any other sentence with `status` "reading"."""
    told = None if status == "reading" else _reported(text, proofs, run)
    return told or _judged(text, status, proofs, run, advises=advises)


def _judged(text: str, status: str, proofs: Sequence[Proof], run: Run, *, advises: bool) -> Judged:
    cited, faults = _proofs(proofs, run)
    lines = [line for one in cited for line in _own_lines(one)]
    kind = None if status == "reading" else never_shown(text, lines, advises=advises)
    if (reason := f"it states {kind}" if kind else _foreign(text, cited, run)) is not None:
        return Judged(status=None, reason=reason, never=True)
    if not cited and (status == "observed" or proofs):
        return Judged(status=None, reason="; ".join(faults) or "an observed claim needs a result and a quote from it")
    if status == "observed" and any(_is_verbatim(text, one) for one in cited):
        return Judged(status="observed", cited=cited)
    parsed = parse(text)
    claim = _Claim(text=text, parsed=parsed, cited=cited, run=run, words=tuple(stems(parsed.words)))
    claim.unproven += faults
    try:
        for check in _CHECKS if cited else (_numbers_anywhere,):
            check(claim)
    except Contradicted as exc:
        return Judged(status=None, reason=str(exc))
    if status != "observed" or claim.unproven:
        return Judged(status="inferred", reason=claim.unproven[0] if status == "observed" else "", cited=cited)
    return Judged(status="derived" if claim.derived else "observed", cited=cited)


def _proofs(proofs: Sequence[Proof], run: Run) -> tuple[tuple[Cited, ...], list[str]]:
    found: list[Cited] = []
    faults: list[str] = []
    for proof in proofs[:3]:
        evidence = run.result(proof.artifact)
        if evidence is None:
            faults.append(f"{proof.artifact} is not a result of this run")
        elif (reason := bears_nothing(evidence)) is not None:
            faults.append(reason)
        elif (one := cite(evidence, proof.quote, run.services)) is None:
            faults.append(f"the quote does not stand in {proof.artifact}, or is too short to prove anything")
        elif not any(_own_lines(one)) or _is_foreign(one):
            faults.append(f"the quote from {proof.artifact} is what somebody outside wrote")
        else:
            found.append(one)
    return tuple(found), faults


def _reported(text: str, proofs: Sequence[Proof], run: Run) -> Judged | None:
    """A claim that has its words from outside, as code reports it; None where it says something of its own."""
    evidence = [(proof, found) for proof in proofs[:3] if (found := run.result(proof.artifact)) is not None]
    cited = [
        one
        for proof, found in evidence
        if bears_nothing(found) is None and (one := cite(found, proof.quote, run.services)) is not None
    ]
    for one in cited:
        if _is_foreign(one):
            continue
        for prose in quoted(one.quote, one.lines, one.evidence):
            if not _only_repeats(text, prose, one, cited, run):
                continue
            kind = never_shown(prose.text.lstrip("+- "), [prose.text], advises=True)
            if kind or prose.orders:
                reason = f"it states {kind}" if kind else f"it repeats an order that stands in {one.evidence.id}"
                return Judged(status=None, reason=reason, never=True)
            why = f"{one.evidence.id} proves only that this stands there"
            hollow = prose.idle or prose.accuses
            return Judged(status="observed", reason=why, cited=(one,), told=prose.told(), is_mere_presence=hollow)
    return None


def _only_repeats(text: str, prose: Prose, one: Cited, cited: Sequence[Cited], run: Run) -> bool:
    """Whether a claim says no more than such a text; of a hostile one, half of its telling words is enough."""
    if repeats(text, prose):
        return not attributes(text) or prose.accuses or prose.orders
    if prose.accuses or prose.orders:
        said = {w for w in stems(text) if w not in LIGHT and w not in stem_set(" ".join(run.services))}
        return bool(said) and 2 * len(said & stem_set(prose.text)) >= len(said)
    return prose.idle and len(cited) == 1 and rests_on(prose, one.quote) and not attributes(text)


def _is_verbatim(text: str, one: Cited) -> bool:
    """Whether the claim is a cited line itself, or most of it, with nothing left out that denies it."""
    said = "".join(plain(text).casefold().split()).rstrip(".")
    for line in _own_lines(one):
        whole = "".join(plain(line).casefold().split()).rstrip(".")
        if len(said) >= _LEAST_VERBATIM and said in whole and 2 * len(said) >= len(whole):
            rest = plain(line).lower() if said != whole else ""
            if not rest or not any(word in NEGATIONS for word in words_in(rest)):
                return True
    return False


_LEAST_VERBATIM: Final = 12


def _own_lines(one: Cited) -> list[str]:
    """The cited lines without what outsiders wrote."""
    lines = list(one.lines)
    for part in foreign_parts(one.evidence):
        lines = [line.replace(piece, " ") for line in lines for piece in [part]]
    return lines


def _is_foreign(one: Cited) -> bool:
    quoted = "".join(plain(one.quote).split())
    return any(quoted in "".join(plain(part).split()) for part in foreign_parts(one.evidence))


def _foreign(text: str, cited: Sequence[Cited], run: Run) -> str | None:
    """Whether the sentence stands only in what outsiders or the model itself wrote."""
    said = [w for w in stems(text) if w not in LIGHT and w not in stem_set(" ".join(run.services))]
    numbers = set(_STANDING.findall(plain(text)))
    own = frozenset().union(*(one.words | one.context for one in cited)) if cited else frozenset()
    for evidence in run.evidence.values():
        for part in foreign_parts(evidence):
            words, digits = stem_set(part), set(_STANDING.findall(part))
            shared = {w for w in said if w in words and w not in own}
            if numbers & digits and len(shared) >= 1 and len(shared) >= 0.5 * len(set(said)):
                return f"it stands only in a text that somebody wrote into {evidence.id}"
            if len(shared) >= 2 and len(shared) >= 0.6 * len(set(said)):
                return f"it stands only in a text that somebody wrote into {evidence.id}"
            named = {s for s in run.services if re.search(rf"\b{re.escape(s)}\b", part)} & set(
                words_in(plain(text).lower())
            )
            if named and said and set(said) <= words and not set(said) <= own:
                return f"it stands only in a text that somebody wrote into {evidence.id}"
        known = own | _known(run)
        for part in hostile_parts(evidence):
            shared = {w for w in said if w in stem_set(part) and w not in known}
            if shared and len({w for w in said if w in stem_set(part)}) >= 0.6 * len(set(said)):
                return f"it stands only in a text that somebody wrote into {evidence.id}"
    return None


def _known(run: Run) -> frozenset[str]:
    """The words that the results of a run say themselves."""
    told = []
    for evidence in run.evidence.values():
        text = evidence.text if evidence.rows and not evidence.is_error else ""
        for part in (*foreign_parts(evidence), *hostile_parts(evidence)):
            text = text.replace(part, " ")
        told.append(text)
    return _stems_of("\n".join(told))


@lru_cache(maxsize=16)
def _stems_of(text: str) -> frozenset[str]:
    return stem_set(text)


_STANDING: Final = re.compile(r"(?<![\w.:-])\d+(?:\.\d+)?(?![\w:-]|\.\d)")


def bears(cited: Evidence, statement: str, quote: str, services: Sequence[str] = ()) -> bool:
    """Whether a claim with this statement and quote passes as observed."""
    run = Run(evidence={cited.id: cited}, services=tuple(services))
    judged = judge(statement, "observed", [Proof(artifact=cited.id, quote=quote)], run)
    return judged.status in ("observed", "derived")


# Checks


def _services(claim: _Claim) -> None:
    """Claims are about the services that were read."""
    named = {s for s in claim.run.services if re.search(rf"(?<![\w./-]){re.escape(s)}(?![\w-])", claim.parsed.text)}
    if not named:
        return
    read = frozenset().union(*(one.services for one in claim.cited))
    lines = " ".join(line for one in claim.cited for line in _own_lines(one)).lower()
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


def _is_object(claim: _Claim, named: Iterable[str]) -> bool:
    """`calls to billing fail`, `timeouts towards billing`: said of the called side as an object."""
    of = r"\b(?:to|on|of|towards|toward|against|at|from|with|behind|reach(?:es|ing)?|calls?|calling)\s+(?:the )?"
    return all(re.search(rf"{of}{re.escape(s)}\b", claim.parsed.text) for s in named)


def _ids_named(claim: _Claim) -> list[str]:
    return [part for path in claim.parsed.paths for part in path.split("/")]


def _callers(claim: _Claim) -> None:
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


def _statistics(claim: _Claim) -> None:
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


def _failed_reads(claim: _Claim) -> None:
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


def _absences(claim: _Claim) -> None:
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


def _level_covers(claim: _Claim, level: str, one: Cited) -> None:
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


def _within_window(claim: _Claim, searched: Searched, one: Cited) -> None:
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
        if not (_fits(clock, searched.start) or _fits(clock, searched.end) or _inside(clock, searched)):
            raise Contradicted(f"{one.evidence.id} did not look at {clock}")
        claim.borne.add(clock)


def _inside(clock: str, searched: Searched) -> bool:
    if searched.start is None or searched.end is None:
        return False
    parts = [int(part) for part in clock.split(":")]
    seconds = parts[0] * 3600 + parts[1] * 60 + (parts[2] if len(parts) > 2 else 0)
    start, end = (m.hour * 3600 + m.minute * 60 + m.second for m in (searched.start, searched.end))
    return start <= seconds <= end if start <= end else seconds >= start or seconds <= end


def _fits(clock: str, moment: datetime) -> bool:
    return f"{moment:%H:%M:%S}".startswith(clock)


def _times(claim: _Claim) -> None:
    """A clock time stands in what was cited."""
    for clock, _ in claim.parsed.clocks:
        if clock in claim.borne:
            continue
        if not any(_fits(clock, m.at) for one in claim.cited for m in one.moments):
            raise Contradicted(f"{clock} does not stand in what is cited")
        claim.borne.add(clock)
    for date in claim.parsed.dates:
        iso = date[:10]
        if not any(f"{m.at:%Y-%m-%d}" == iso for one in claim.cited for m in one.moments):
            claim.unproven.append(f"the date {date} does not stand in what is cited")


def _ids(claim: _Claim) -> None:
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


def _codes(claim: _Claim) -> None:
    lines = " ".join(line for one in claim.cited for line in _own_lines(one))
    for code in claim.parsed.codes:
        if not re.search(rf"(?<![\w.]){code}(?![\w.])", lines):
            claim.unproven.append(f"the status {code} does not stand in what is cited")
    for path in claim.parsed.paths:
        bare = path.strip("`'\"")
        known = lines + " " + " ".join(f for one in claim.cited for row in one.rows for f in getattr(row, "files", ()))
        if bare.lower() not in known.lower() and not _named_by_parts(bare, claim):
            claim.unproven.append(f"{path} does not stand in what is cited")


def _named_by_parts(path: str, claim: _Claim) -> bool:
    words = stem_set(path)
    return bool(words) and words <= frozenset().union(*(one.words | one.context for one in claim.cited))


def _numbers(claim: _Claim) -> None:
    """Each quantity is a cited cell, after rounding and conversion, or is recomputed from cited cells."""
    for quantity in derive.with_units(claim.parsed):
        if quantity.written in claim.borne and quantity.dimension == "time":
            continue
        if derive.is_direct(quantity, claim.parsed, claim.cited):
            continue
        if reason := derive.misread(quantity, claim.parsed, claim.cited):
            raise Contradicted(reason)
        counted = derive.count_of_rows(quantity, claim.parsed, claim.cited)
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


def _numbers_anywhere(claim: _Claim) -> None:
    """A reading without proofs may repeat what any result says, and nothing else."""
    everything = [e for e in claim.run.evidence.values() if not e.is_error and bears_nothing(e) is None]
    for quantity in claim.parsed.quantities:
        if quantity.dimension == "count" and quantity.value <= 3:
            continue
        if not derive.stands_anywhere(quantity, claim.parsed, everything):
            raise Contradicted(f"{quantity.written} stands in no result of this run")
    texts = " ".join(e.text for e in everything).lower()
    for text, _ in claim.parsed.ids:
        if text.lower().lstrip("v") not in texts:
            raise Contradicted(f"the version {text} stands in no result of this run")
    for clock, _ in claim.parsed.clocks:
        if clock not in texts and not any(_fits(clock, e.taken_at) for e in everything):
            raise Contradicted(f"{clock} stands in no result of this run")


def _directions(claim: _Claim) -> None:
    """Up, down, before and now are what the cells say."""
    said = derive.said_direction(claim.parsed)
    went = derive.went(claim.cited, claim.parsed)
    if said and went and said != went:
        raise Contradicted("it went the other way")
    if said and not went and not _has_diff(claim):
        claim.unproven.append("which way it went does not stand in what is cited")
    if reason := derive.swapped(claim.parsed, claim.cited):
        raise Contradicted(reason)


def _has_diff(claim: _Claim) -> bool:
    return any(isinstance(row, Altered) for one in claim.cited for row in one.rows)


def _orders(claim: _Claim) -> None:
    """Before and after in time are as the cited moments say."""
    verdict = order.check(claim.parsed, claim.cited)
    if verdict is order.Order.WRONG:
        raise Contradicted("it happened in the other order")
    if verdict is order.Order.OPEN:
        claim.unproven.append("the order in time does not stand in what is cited")


def _diffs(claim: _Claim) -> None:
    """What a diff adds is said to be added, what it removes to be removed."""
    every = {line[:1] for one in claim.cited for line in one.lines if line[:1] in ("+", "-")}
    if any(one.of(Altered) for one in claim.cited):
        claim.borne |= stem_set("lose lost remove drop delete gone lack") if "-" in every else set()
        claim.borne |= stem_set("add introduce bring insert") if "+" in every else set()
    for one in claim.cited:
        if not one.of(Altered) or len(every) > 1:
            continue
        signs = {line[:1] for line in one.lines if line[:1] in ("+", "-") and not line.startswith(("+++", "---"))}
        text = claim.parsed.text
        adds = re.search(r"\b(?:adds?|added|introduces?|introduced|new|brings|inserts?|now)\b", text) is not None
        removes = (
            re.search(
                r"\b(?:removes?|removed|drops?|dropped|deletes?|deleted|lost|loses|lacks|no longer|without|gone)\b",
                text,
            )
            is not None
        )
        limits = re.search(r"\b(?:limits?|bounds?|caps?|restricts?)\b", text) is not None
        if signs == {"-"} and (adds or limits) and not removes:
            raise Contradicted("the diff removes that line")
        if signs == {"+"} and removes and not adds:
            raise Contradicted("the diff adds that line")


def _verdicts(claim: _Claim) -> None:
    """What the ranking says of a change or a suspect is said as it says it."""
    text = claim.parsed.text
    for one in claim.cited:
        for row in one.of(Changed):
            calls_cause = re.search(r"\bcause\b|\bculprit\b|\bcandidate\b|\bat fault\b", text) is not None
            denied = re.search(r"\b(?:not|no|never|n't|only|merely)\b|n't", text) is not None
            if calls_cause and row.verdict and row.verdict != "cause_candidate" and not denied:
                raise Contradicted(f"the result says of {row.change}: {row.verdict}")
            if row.verdict == "cause_candidate" and re.search(r"\bcoincid|\bunrelated\b|\binnocent\b", text):
                raise Contradicted(f"the result says of {row.change}: {row.verdict}")
            if (
                re.search(
                    r"\b(?:took|takes|caused|causes|broke|breaks|made|makes|brought|exhausts?|eats?|slows?)\b", text
                )
                and row.verdict != "cause_candidate"
                and row.verdict
            ):
                claim.unproven.append(f"the result says of {row.change}: {row.verdict}")
        for suspect in one.of(Suspect):
            told = [
                level
                for level in ("high", "medium", "low")
                if re.search(rf"\b{level}(?:est)?\b(?: \w+)? confidence", text)
            ]
            if told and suspect.confidence not in told:
                raise Contradicted(f"the ranking's confidence is {suspect.confidence}")
            places = {"first": 1, "top": 1, "second": 2, "third": 3, "last": 0}
            for word, place in places.items():
                if re.search(rf"\b{word}\b", text) and place and suspect.place != place:
                    raise Contradicted(f"the ranking puts it in place {suspect.place}")


def _levels(claim: _Claim) -> None:
    """A line's level, a state, a yes or no is said as it stands."""
    for one in claim.cited:
        for row in one.of(State):
            pairs = (
                ("running", r"\b(?:down|stopped|dead|crashed|not running)\b"),
                ("stopped", r"\b(?:running|up|healthy)\b"),
            )
            for value, opposite in pairs:
                if row.value == value and re.search(opposite, claim.parsed.text):
                    raise Contradicted(f"its {row.name} is {row.value}")


def _negations(claim: _Claim) -> None:
    """What a line denies is not affirmed; what the claim denies is denied by a line, a zero or an absence."""
    text = claim.parsed.text
    tokens = words_in(text)
    denies = any(t in NEGATIONS for t in tokens) or "n't" in text
    lacks = denies or bool(claim.stems & LACKING)
    for one in claim.cited:
        for line in _own_lines(one):
            for scope in _denied(line):
                shared = [w for w in scope if w in spread(claim.stems)]
                if scope and not lacks and len(shared) >= max(1, (len(scope) + 1) // 2):
                    raise Contradicted("the quoted line says the opposite")
    if denies and not _is_denied(claim):
        claim.unproven.append("that there is none does not stand in what is cited")


def _is_denied(claim: _Claim) -> bool:
    """Whether what the claim denies is denied by a line, a zero, an absence, a verdict or a whole diff."""
    rows = [row for one in claim.cited for row in one.rows]
    lines = [line for one in claim.cited for line in _own_lines(one)]
    return (
        any(isinstance(row, Searched | Unread) for row in rows)
        or any(scope for line in lines for scope in _denied(line))
        or (_is_zero(claim) and not _denies_verdict(claim))
        or _denies_verdict(claim)
        or _absent_from_diff(claim)
        or derive.none_else(claim.parsed, claim.cited)
        or derive.said_none(claim.parsed, claim.cited)
    )


def _is_zero(claim: _Claim) -> bool:
    """Whether a cited number is zero, now, or before where the sentence speaks of before."""
    earlier = (
        re.search(r"\bbefore\b|\bpreviously\b|\bearlier\b|\buntil\b|\bhad\b|\bzero\b", claim.parsed.text) is not None
    )
    return any(cell.value == 0 and (cell.role != "before" or earlier) for cell in claim.cells())


def _denied(line: str) -> list[list[str]]:
    """For each negation of a line, the telling words that it denies."""
    words = words_in(plain(line))
    found = []
    for place, word in enumerate(words):
        if word.lower() in NEGATIONS:
            scope = [s for s in stems(" ".join(words[place + 1 : place + 6])) if s not in _GRAMMAR]
            found.append(scope[:3])
    return found


_GRAMMAR: Final = stem_set("the a an its in this that of is are was were be been it to for at on any by")


def _denies_verdict(claim: _Claim) -> bool:
    rows = [row for one in claim.cited for row in one.rows if isinstance(row, Changed)]
    return (
        bool(rows)
        and all(row.verdict != "cause_candidate" for row in rows)
        and re.search(r"\bcause\b|\bcandidate\b", claim.parsed.text) is not None
    )


def _absent_from_diff(claim: _Claim) -> bool:
    """`the diff touches no timeout`: the denied words stand in no altered line of a whole diff."""
    for one in claim.cited:
        for row in one.of(Altered):
            altered = stem_set(
                " ".join(line for line in row.diff.split("\n") if line[:1] in "+-" and line[:3] not in ("+++", "---"))
            )
            clause = re.split(r"[,;:]", claim.parsed.text)[0]
            denied = [w for scope in _denied(clause) for w in scope if w not in _TOUCHES]
            if row.whole and denied and not set(denied) & altered:
                claim.borne.update(denied)
                return True
            if row.whole and denied and set(denied) <= altered and len(denied) > 1:
                return True  # `no query of the order list`: each word may stand there, the whole does not
    return False


_TOUCHES: Final = stem_set("touch touches change changes alter alters contain affect affects modify do does")


def _extremes(claim: _Claim) -> None:
    """A peak is the highest sample of its series."""
    if _PEAK.search(claim.parsed.text) is None:
        return
    for one in claim.cited:
        for number in {cell.series for cell in one.cells if cell.series >= 0 and cell.quoted}:
            cells = [cell for cell in one.cells if cell.series == number]
            top = max(cells, key=lambda cell: cell.value)
            if not top.quoted and not any(derive.fits(q, top, claim.parsed) for q in claim.parsed.quantities):
                raise Contradicted("it is not the highest of the series")
            claim.borne |= stem_set("peak highest maximum max top")


_PEAK: Final = re.compile(r"\b(?:peak\w*|highest|maximum|max)\b")


def _universals(claim: _Claim) -> None:
    """All, never, only and the like need a whole that was read."""
    text = claim.parsed.text
    if _MOST.search(text) and not any(isinstance(row, Spent) and row.most for one in claim.cited for row in one.rows):
        shares = [c.value for c in claim.cells() if c.dimension == "ratio" and c.role != "before"]
        if shares and max(shares) < 0.5:
            raise Contradicted("it is less than half")
        if not shares:
            claim.unproven.append("that it is most of them does not stand in what is cited")
    if not _UNIVERSAL.search(text):
        return
    if all(isinstance(row, Altered) for one in claim.cited for row in one.rows) and not _FALLS.search(text):
        return  # what code does with each of something is read in the code
    cells = claim.cells()
    whole_ratio = any(c.dimension == "ratio" and abs(c.value - 1) < 1e-9 and c.role == "now" for c in cells)
    part_ratio = [c for c in cells if c.dimension == "ratio" and c.role == "now" and c.value < 0.995]
    fails = re.search(r"\b(?:fail|error|down|refus|reject|broken|affected|lost)", text) is not None
    if whole_ratio and fails:
        return
    if part_ratio and fails and _ALL.search(text):
        raise Contradicted("only a part of them does")
    if derive.all_rows(claim.parsed, claim.cited):
        return
    claim.unproven.append("that it holds for all of them does not stand in what is cited")


_FALLS: Final = re.compile(r"\b(?:fail|error|down|refus|reject|broken|affected|lost|crash|outage)\w*")
_MOST: Final = re.compile(r"(?<!at )\bmost(?:ly)?\b|\bmajority\b")
_ALL: Final = re.compile(r"\b(?:all|every|everything|whole|entire|each|any|completely|totally|entirely)\b")
_UNIVERSAL: Final = re.compile(
    r"\b(?:all|every|everything|everywhere|whole|entire|entirely|completely|totally|always|never|nobody|nothing"
    r" else|the only|only (?:the|one|an?|\d+)|sole|solely|throughout|constantly|permanently|forever|each)\b"
)


def _causes(claim: _Claim) -> None:
    """Why something happened is the model's reading, unless the line itself says so."""
    if _GUESS.search(claim.parsed.text):
        claim.unproven.append("it is an assumption")
    if match := _CAUSAL.search(claim.parsed.text):
        lines = " ".join(line for one in claim.cited for line in _own_lines(one))
        after = [w for w in stems(claim.parsed.text[match.end() :]) if w not in LIGHT]
        if after and set(after) <= stem_set(lines):
            return
        claim.unproven.append("why it happened is an inference")


_GUESS: Final = re.compile(
    r"\b(?:will|going to|likely|probabl[ey]|perhaps|maybe|might|presumably|seems?|apparently|suggests?|expected|soon)\b"
)
_CAUSAL: Final = re.compile(
    r"\b(?:because|caus(?:ed|es|ing)|due to|owing to|thanks to|leads? to|led to|results? in|resulted in|explains?"
    r"|explained|therefore|thus|hence|so that"
    r"|triggers?|triggered|as a result|that is why|responsible|at fault|to blame|came from|comes from|stems? from"
    r"|brought|(?:is|was|are) the (?:root )?cause|mak(?:es?|ing) (?!in\b|what\b)\w+ \w+|made \w+ \w+)\b|, so\b"
)


def _coverage(claim: _Claim) -> None:
    """Every telling word of an observed claim belongs to what is cited."""
    known = frozenset().union(*(one.words | one.context for one in claim.cited))
    known |= stem_set("route path endpoint request") if claim.parsed.paths else frozenset()
    cited = frozenset().union(*(one.words for one in claim.cited))
    alike = known | spread(cited | (stem_set("route path endpoint request") if claim.parsed.paths else frozenset()))
    services = stem_set(" ".join(claim.run.services))
    went = derive.said_direction(claim.parsed) is not None
    directed = UP | DOWN | SLOWER | FASTER if went else _COMPARING
    left = [
        w
        for w in claim.words
        if len(w) > 1 and w not in LIGHT and w not in directed and w not in alike and w not in services
    ]
    left = [w for w in left if w not in _SAID_OF_NUMBERS and w not in claim.borne]
    if left:
        claim.unproven.append(f"the cited results do not speak of: {', '.join(dict.fromkeys(left))}")


def _hearsay(claim: _Claim) -> None:
    """What only a subject or a comment says is no observation, whatever else is cited beside it."""
    if attributes(claim.text):
        return
    for one in claim.cited:
        idle = [prose.text for prose in quoted(one.quote, one.lines, one.evidence) if prose.idle]
        rest = " ".join(line for other in claim.cited for line in _own_lines(other))
        for text in idle:
            rest = rest.replace(text.strip(), " ")
        own = stem_set(rest) | stem_set(" ".join(claim.run.services))
        only = {w for w in claim.words if w not in LIGHT and w not in own and any(w in stem_set(t) for t in idle)}
        if len(only) >= _TELLING:
            claim.unproven.append(f"only what somebody wrote speaks of: {', '.join(sorted(only))}")


_TELLING: Final = 2
_COMPARING: Final = stem_set("more less fewer longer shorter higher lower larger smaller greater cut up")
_SAID_OF_NUMBERS: Final = stem_set(
    "steady flat stable constant throughout well quarter half third twice hundred thousand million dozen fold single"
    " two three four five six seven eight nine ten eleven twelve"
)


_CHECKS: Final = (
    _services,
    _callers,
    _statistics,
    _failed_reads,
    _absences,
    _times,
    _ids,
    _codes,
    _diffs,
    _verdicts,
    _levels,
    _negations,
    _directions,
    _orders,
    _numbers,
    _extremes,
    _universals,
    _causes,
    _hearsay,
    _coverage,
)
