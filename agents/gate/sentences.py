"""Sentences that rest on no proof of their own: headline, statement, impact, advice, hypotheses, what is not known.

They may repeat what was read and reason about it. A number, time or version that no result holds, what is never shown,
and what stands only in a text from outside goes, a sentence at a time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from agents.gate.banned import never_shown
from agents.gate.claims import Run, judge
from agents.gate.evidence import Evidence
from agents.gate.reported import attributes, proses, repeats
from agents.gate.trust import foreign_parts
from agents.gate.vocabulary import DOWN, LIGHT, UP, spread
from agents.gate.words import plain, stem_set, stems
from agents.rows import Logged

_SENTENCES: Final = re.compile(r"(?<=[.!?;])\s+(?=\S)|\n+")
_REMEDY: Final = re.compile(r"\b(?:rollback|restart|roll back) (?:is )?ready\b", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Why a sentence does not pass; `never` where it is not shown in any form."""

    reason: str
    never: bool = False


def sift(text: str, run: Run, *, advises: bool = False, gaps: bool = False) -> tuple[str, list[tuple[str, Fault]]]:
    """The sentences that pass, as they stand, and those that do not. With `gaps` a failed read may be repeated."""
    if gaps and any(gap in text for gap in _gaps(run)):
        return text, []
    good: list[str] = []
    bad: list[tuple[str, Fault]] = []
    for sentence in (s for s in _SENTENCES.split(text.strip()) if s.strip()):
        fault = fault_of(sentence, run, advises=advises)
        if fault is None:
            good.append(sentence)
        else:
            bad.append((sentence, fault))
    return " ".join(good), bad


def fault_of(sentence: str, run: Run, *, advises: bool = False) -> Fault | None:
    """Why one sentence does not pass, or None."""
    if (kind := never_shown(sentence, _trusted_lines(run, sentence), advises=advises)) is not None:
        return Fault(reason=f"it states {kind}", never=True)
    if (source := _repeated(sentence, run)) is not None:
        return Fault(reason=f"it only repeats what somebody wrote into {source}")
    judged = judge(sentence, "reading", (), run, advises=advises)
    return None if judged.status is not None else Fault(reason=judged.reason, never=judged.never)


def _repeated(sentence: str, run: Run) -> str | None:
    """The result whose outside text a sentence repeats as if it were its own."""
    for item in run.evidence.values():
        for prose in proses(item):
            hostile = prose.accuses or prose.orders
            told = attributes(sentence) or len(sentence.split()) < _SHORTEST
            if (hostile or not told) and repeats(sentence, prose):
                return item.id
    return None


_SHORTEST: Final = 5  # words; fewer are a term of the trade, such as `pool exhausted`


def _gaps(run: Run) -> list[str]:
    """What could not be read, in the words of the results themselves; a refused call says what the model wrote."""
    told = [str(item.facts["gap"]) for item in run.evidence.values() if item.facts.get("gap")]
    return [gap for whole in told for gap in whole.split("; ") if gap]


def was_read(name: str, run: Run) -> bool:
    """Whether a name stands in what a result says itself."""
    return any(plain(name).lower() in line for line in _lines(run))


def strange_words(text: str, run: Run, known: str) -> list[str]:
    """The telling words of a text that neither the known words nor any result hold."""
    read = frozenset().union(stem_set(known), stem_set(" ".join(run.services)), *(_words(item) for item in _read(run)))
    alike = spread(read)
    bare = _REMEDY.sub(" ", re.sub(r"\S*\d\S*", " ", plain(text)))
    found = [w for w in stems(bare) if len(w) > 1 and w not in LIGHT | UP | DOWN and w not in alike]
    return list(dict.fromkeys(w for w in found if w not in _LEVELS))


_LEVELS: Final = stem_set(
    "high medium low none confidence ready rollback restart fault broken exhausted stuck ill down overloaded"
)


def _read(run: Run) -> list[Evidence]:
    return [item for item in run.evidence.values() if not item.is_error]


def _trusted_lines(run: Run, sentence: str) -> list[str]:
    """Lines of results that share a word of weight with the sentence."""
    wanted = {w for w in stems(sentence) if w not in LIGHT}
    return [line for line in _lines(run) if wanted & stem_set(line)] if wanted else []


def _lines(run: Run) -> list[str]:
    return [line for item in _read(run) for line in _own_lines(_Same(item))]


class _Same:
    """Evidence by identity, so that its lines are worked out once."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence

    def __hash__(self) -> int:
        return hash((self.evidence.id, len(self.evidence.text)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.evidence == self.evidence


@lru_cache(maxsize=256)
def _own_lines(one: _Same) -> tuple[str, ...]:
    text = one.evidence.text
    for part in foreign_parts(one.evidence):
        text = text.replace(part, " ")
    return tuple(plain(line).lower() for line in text.split("\n") if line.strip())


def _words(evidence: Evidence) -> frozenset[str]:
    lines = " ".join(_own_lines(_Same(evidence)))
    return stem_set(lines) | stem_set(" ".join(r.example for r in evidence.rows if isinstance(r, Logged)))
