"""Judges one claim: observed where code can say the same from the cited rows, derived where code recomputed it, else
inferred, or nothing at all where the results contradict it.

Each check (`checks/`) is a function over the claim and its proofs. `Contradicted` takes the claim away; what a check
adds to `unproven` leaves it as the model's reading.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

from agents.gate.banned import never_shown
from agents.gate.checks import figures, reading, wording
from agents.gate.cited import Cited, cite
from agents.gate.claim import Contradicted, ExaminedClaim, Proof, Run, own_lines
from agents.gate.evidence import Evidence
from agents.gate.quantities import parse
from agents.gate.reported import Prose, attributes, hostile_parts, quoted, repeats, rests_on
from agents.gate.trust import bears_nothing, foreign_parts
from agents.gate.vocabulary import LIGHT, NEGATIONS
from agents.gate.words import plain, stem_set, stems, words_in

Status = Literal["observed", "derived", "inferred"]


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


def judge(text: str, status: str, proofs: Sequence[Proof], run: Run, *, advises: bool = False) -> Judged:
    """What becomes of a claim; of any other sentence with `status` "reading"."""
    told = None if status == "reading" else _reported(text, proofs, run)
    return told or _judged(text, status, proofs, run, advises=advises)


def _judged(text: str, status: str, proofs: Sequence[Proof], run: Run, *, advises: bool) -> Judged:
    cited, faults = _proofs(proofs, run)
    lines = [line for one in cited for line in own_lines(one)]
    kind = None if status == "reading" else never_shown(text, lines, advises=advises)
    if (reason := f"it states {kind}" if kind else _foreign(text, cited, run)) is not None:
        return Judged(status=None, reason=reason, never=True)
    if not cited and (status == "observed" or proofs):
        return Judged(status=None, reason="; ".join(faults) or "an observed claim needs a result and a quote from it")
    if status == "observed" and any(_is_verbatim(text, one) for one in cited):
        return Judged(status="observed", cited=cited)
    parsed = parse(text)
    claim = ExaminedClaim(text=text, parsed=parsed, cited=cited, run=run, words=tuple(stems(parsed.words)))
    claim.unproven += faults
    try:
        for check in _CHECKS if cited else (figures.numbers_anywhere,):
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
        elif not any(own_lines(one)) or _is_foreign(one):
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
    for line in own_lines(one):
        whole = "".join(plain(line).casefold().split()).rstrip(".")
        if len(said) >= _LEAST_VERBATIM and said in whole and 2 * len(said) >= len(whole):
            rest = plain(line).lower() if said != whole else ""
            if not rest or not any(word in NEGATIONS for word in words_in(rest)):
                return True
    return False


_LEAST_VERBATIM: Final = 12


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


_CHECKS: Final = (
    reading.services,
    reading.callers,
    reading.statistics,
    reading.failed_reads,
    reading.absences,
    figures.times,
    figures.ids,
    figures.codes,
    wording.diffs,
    wording.verdicts,
    wording.levels,
    wording.negations,
    figures.ways,
    figures.orders,
    figures.numbers,
    figures.extremes,
    wording.universals,
    wording.causes,
    wording.hearsay,
    wording.coverage,
)

__all__ = ["Judged", "Proof", "Run", "bears", "judge"]
