"""What people told the investigator: where they see it, what they rule out, what was already tried without success.

Read from the question, the thread and the notes that arrive while a run is going on. Only declared services are names
here; text in tool results never reaches this file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from agents.language.prohibition import kind_of
from agents.language.service_names import names_in, plain
from agents.language.spoken_time import since
from agents.models.offline.transcript import Transcript
from agents.remediation import discover_remediations

_TRIED: Final = re.compile(
    r"already tried|did(?:n't| not) (?:help|heal|work|fix)|not healed|no effect|without success", re.IGNORECASE
)
_ROLLED: Final = re.compile(
    r"roll(?:ed|ing)?[ -]?back|revert(?:ed)?|\bput\s+\S+\s+back\b|\bund(?:o|id|one)\b", re.IGNORECASE
)
_RESTARTED: Final = re.compile(r"restart(?:ed)?\b", re.IGNORECASE)
_DONE: Final = re.compile(r"already|\brolled|\breverted|\brestarted|\bundone|\btried\b", re.IGNORECASE)
_FINE: Final = (
    r"(?:is|are|looks?|was|seems?)\s+(?:\w+\s+)?"
    r"(?:fine|ok|okay|healthy|good|innocent|unrelated|not it|not the (?:cause|problem))"
)
_SLOW: Final = re.compile(r"\b(?:slow\w*|latenc\w+|hangs?|hanging|takes? (?:long|ages|forever))\b", re.IGNORECASE)
_FAILS: Final = re.compile(
    r"\b(?:errors?|fail\w*|50[0-9]s?|5xx|broken|down|unavailable|crash\w*|exceptions?|(?:can ?not|can't|nobody can))\b",
    re.IGNORECASE,
)
_LONGEST_MINUTES: Final = 1440
_BEFORE: Final = r"(?:not|isn't|ignore|except|rule out|nothing to do with|leave out|forget)\s+(?:the\s+)?"


@dataclass(frozen=True, kw_only=True)
class Steering:
    """`focus` is where people notice it, `symptom` as what, `since_minutes` how long ago it began, where they say so;
    services are ruled out (`cleared`) or were treated in vain.
    """

    focus: str | None
    symptom: str | None
    since_minutes: int | None
    note_focus: str | None
    note_place: int
    cleared: frozenset[str]
    rolled_back: frozenset[str]
    restarted: frozenset[str]
    leading_tried: bool


def read_steering(transcript: Transcript, now: datetime | None = None) -> Steering:
    """`now` is when the question is read: what is told by the clock is so long ago. Without a zone it is UTC, in which
    the front door writes it.
    """
    services = list(transcript.calls)
    asked, *tried = re.split(r"\(?already tried", transcript.question, flags=re.IGNORECASE)
    cleared, rolled, restarted = set[str](), set[str](), set[str]()
    leading = False
    note_focus, note_place = None, -1
    for place, text in [
        (-1, transcript.question),
        *((-1, t) for t in transcript.said),
        *((n.place, n.text) for n in transcript.notes),
    ]:
        left: set[str] = set()
        for sentence in re.split(r"(?<=[.;!?)])\s+|\n|,\s+(?=not\b|already\b|but\b)", text):
            named = names_in(sentence, services, transcript.aliases)
            out = {n for n in named if _ruled_out(sentence, n)}
            cleared |= out
            undone = bool(_DONE.search(sentence) or _TRIED.search(text))
            if undone and _ROLLED.search(sentence):
                rolled |= set(named) - out
                leading = leading or not named
            elif undone and _RESTARTED.search(sentence):
                restarted |= set(named) - out
            else:
                left |= set(named) - out
        if place >= 0 and left:
            note_focus, note_place = most_upstream(left, transcript), place
            cleared -= left
    return Steering(
        focus=note_focus or _symptom_service(asked, transcript, cleared),
        symptom=symptom_in(asked),
        since_minutes=None
        if tried
        else _since_minutes(asked, now or datetime.now(UTC)),  # after a remedy it is longer ago than was said
        note_focus=note_focus,
        note_place=note_place,
        cleared=frozenset(cleared),
        rolled_back=frozenset(rolled),
        restarted=frozenset(restarted),
        leading_tried=leading,
    )


def most_upstream(named: Iterable[str], transcript: Transcript) -> str | None:
    """The one that calls all the others: what they do shows there. None when no single one does."""
    wanted = set(named)
    found = [s for s in sorted(wanted) if wanted <= transcript.reach(s)]
    return found[0] if len(found) == 1 else None


def _symptom_service(question: str, transcript: Transcript, cleared: Iterable[str]) -> str | None:
    named = [n for n in names_in(question, transcript.calls, transcript.aliases) if n not in set(cleared)]
    return most_upstream(named, transcript) if named else None


def symptom_in(question: str) -> str | None:
    """What people notice; None where they say neither, or both."""
    slow, fails = bool(_SLOW.search(question)), bool(_FAILS.search(question))
    return None if slow == fails else "latency" if slow else "errors"


def _since_minutes(question: str, now: datetime) -> int | None:
    """How long ago it began by what is said."""
    began = since(question, now)
    if began is None:
        return None
    return min(max(1, round((now - began).total_seconds() / 60)), _LONGEST_MINUTES)


def _ruled_out(sentence: str, name: str) -> bool:
    escaped = rf"(?<![\w./-]){re.escape(name)}(?![\w-])"
    sentence = plain(sentence)
    return re.search(rf"{_BEFORE}{escaped}|{escaped}\s+{_FINE}", sentence, re.IGNORECASE) is not None


def tried_remedies(steering: Steering) -> Mapping[str, frozenset[str]]:
    """Services by remedy, so that nothing is proposed twice for the same target."""
    tried = {"rollback_deployment": steering.rolled_back, "restart_service": steering.restarted}
    return {name: tried.get(kind_of(name), frozenset()) for name in discover_remediations()}
