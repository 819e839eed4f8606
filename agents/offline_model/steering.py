"""What people told the investigator: where they see it, what they rule out, what was already tried without success.

Read from the question, the thread and the notes that arrive while a run is going on. Only declared services are names
here; text in tool results never reaches this file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from agents.offline_model.transcript import Transcript

_TRIED: Final = re.compile(
    r"already tried|did(?:n't| not) (?:help|heal|work|fix)|not healed|no effect|without success", re.IGNORECASE
)
_ROLLED: Final = re.compile(r"roll(?:ed|ing)?[ -]?back|revert(?:ed)?", re.IGNORECASE)
_RESTARTED: Final = re.compile(r"restart(?:ed)?\b", re.IGNORECASE)
_DONE: Final = re.compile(r"already|\brolled|\breverted|\brestarted|\btried\b", re.IGNORECASE)
_FINE: Final = (
    r"(?:is|are|looks?|was|seems?)\s+(?:\w+\s+)?"
    r"(?:fine|ok|okay|healthy|good|innocent|unrelated|not it|not the (?:cause|problem))"
)
_SLOW: Final = re.compile(r"\b(?:slow\w*|latenc\w+|hangs?|hanging|takes? (?:long|ages|forever))\b", re.IGNORECASE)
_FAILS: Final = re.compile(
    r"\b(?:errors?|fail\w*|50[0-9]s?|5xx|broken|down|unavailable|crash\w*|exceptions?|(?:can ?not|can't|nobody can))\b",
    re.IGNORECASE,
)
_AGO: Final = re.compile(
    r"\b(?:(?:for|since|last|past)\s+(?:the\s+)?(?:last\s+|past\s+|about\s+)?(?P<many>\d{1,4}|an?|half an)\s*"
    r"(?P<unit>m|mins?|minutes?|h|hrs?|hours?)"
    r"|(?P<many_ago>\d{1,4}|an?|half an)\s*(?P<unit_ago>mins?|minutes?|h|hrs?|hours?)\s+ago"
    r"|(?:last|past)\s+(?P<one>minute|hour))\b",
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


def read_steering(transcript: Transcript) -> Steering:
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
            named = names_in(sentence, services)
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
        symptom=_symptom(asked),
        since_minutes=None if tried else _since_minutes(asked),  # after a remedy it is longer ago than was said
        note_focus=note_focus,
        note_place=note_place,
        cleared=frozenset(cleared),
        rolled_back=frozenset(rolled),
        restarted=frozenset(restarted),
        leading_tried=leading,
    )


def names_in(text: str, services: Iterable[str]) -> list[str]:
    """Declared services that stand in the text as whole words."""
    return [s for s in services if re.search(rf"(?<![\w./-]){re.escape(s)}(?![\w-])", text, re.IGNORECASE)]


def most_upstream(named: Iterable[str], transcript: Transcript) -> str | None:
    """The one that calls all the others: what they do shows there. None when no single one does."""
    wanted = set(named)
    found = [s for s in sorted(wanted) if wanted <= transcript.reach(s)]
    return found[0] if len(found) == 1 else None


def _symptom_service(question: str, transcript: Transcript, cleared: Iterable[str]) -> str | None:
    named = [n for n in names_in(question, transcript.calls) if n not in set(cleared)]
    return most_upstream(named, transcript) if named else None


def _symptom(question: str) -> str | None:
    """What people notice; None where they say neither, or both."""
    slow, fails = bool(_SLOW.search(question)), bool(_FAILS.search(question))
    return None if slow == fails else "latency" if slow else "errors"


def _since_minutes(question: str) -> int | None:
    """How long ago it began, where a length of time is told; times of day would need the person's time zone."""
    found = _AGO.search(question)
    if found is None:
        return None
    number = (found["many"] or found["many_ago"] or "a").lower()
    unit = (found["unit"] or found["unit_ago"] or found["one"]).lower()
    many = 0.5 if number == "half an" else 1.0 if number in ("a", "an") else float(number)
    minutes = round(many * (60 if unit.startswith("h") else 1))
    return min(max(1, minutes), _LONGEST_MINUTES)


def _ruled_out(sentence: str, name: str) -> bool:
    escaped = rf"(?<![\w./-]){re.escape(name)}(?![\w-])"
    return re.search(rf"{_BEFORE}{escaped}|{escaped}\s+{_FINE}", sentence, re.IGNORECASE) is not None


def tried_remedies(steering: Steering) -> Mapping[str, frozenset[str]]:
    """Services by remedy, so that nothing is proposed twice for the same target."""
    return {"rollback_deployment": steering.rolled_back, "restart_service": steering.restarted}
