"""Before and after in time: which of two events came first, and when something was relative to the onset."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from enum import StrEnum
from itertools import permutations
from typing import Final

from agents.gate.cited import Cited
from agents.gate.moments import Moment
from agents.gate.quantities import Parsed
from agents.gate.vocabulary import spread
from agents.gate.words import stem_set
from agents.rows import Altered, Contents

_EARLIER: Final = re.compile(
    r"\b(?:before|earlier than|prior to|preced(?:es|ed)|ahead of|sooner than|older than|until)\b"
)
_LATER: Final = re.compile(r"\b(?:after|later than|follow(?:s|ed)|since|following|subsequent to|newer than)\b")
_ADVERB: Final = re.compile(
    r"\b(?:before|after)(?: (?:it|that|this|then)\b|[,.;:]|$)|\bthan before\b|\bas before\b|\bafter_onset\b"
    r"|\bafter all\b|\bbefore and after\b"
)
_GRAMMAR: Final = stem_set(
    "the a an of in on at by for from to with is are was were be been it its that this and or has have had before after"
    " second seconds minute minutes hour hours about first"
)
_LENGTH: Final = re.compile(
    r"\s*(?:about |some |nearly |almost )?"
    r"(?:\d|half|an? (?:\w+ )?(?:second|minute|hour)|\w+ (?:ms|seconds?|minutes?|hours?))"
)
_NEAR_S: Final = 0.9
_MOST: Final = 24


class Order(StrEnum):
    """What the moments say of the order that a sentence states."""

    NONE = "none"
    RIGHT = "right"
    WRONG = "wrong"
    OPEN = "open"


def check(parsed: Parsed, cited: Sequence[Cited]) -> Order:
    """Compares the two sides of `before` or `after` with the cited moments."""
    text = _ADVERB.sub(lambda m: " " * len(m[0]), parsed.text)
    found = [m for pattern in (_EARLIER, _LATER) for m in pattern.finditer(text)]
    if not found or all(isinstance(row, Altered | Contents) for one in cited for row in one.rows):
        return Order.NONE
    match = min(found, key=lambda m: m.start())
    left, right = text[: match.start()], text[match.end() :]
    if not left.strip(" .,") or not _is_event(right):  # `Before the deployment ...` says when the rest was
        return Order.NONE
    pair = _events(left, right, list(_distinct(cited)))
    if pair is None:
        return Order.OPEN
    apart = (pair[1].at - pair[0].at).total_seconds()
    if abs(apart) <= _NEAR_S:
        return Order.NONE
    return Order.RIGHT if (apart > 0) == (match.re is _EARLIER) else Order.WRONG


def _is_event(right: str) -> bool:
    """`since 20:40` names a time, not an event; `after 0.1 s` a length."""
    return _LENGTH.match(right) is None


def _distinct(cited: Sequence[Cited]) -> Iterator[Moment]:
    """Quoted moments first; one of each moment and event."""
    moments = [m for one in cited for m in one.moments if not m.header]
    seen: set[tuple[object, ...]] = set()
    for moment in sorted(moments, key=lambda m: not m.quoted):
        key = (moment.at, moment.words)
        if key not in seen and len(seen) < _MOST:
            seen.add(key)
            yield moment


def _events(left: str, right: str, moments: Sequence[Moment]) -> tuple[Moment, Moment] | None:
    """The two moments whose events fit both sides best, or None where a side fits none."""
    best, most = None, 0.0
    for one, other in permutations(moments, 2):
        first, second = _score(left, one), _score(right, other)
        if first and second and first + second > most and (one.service, one.words) != (other.service, other.words):
            best, most = (one, other), first + second
    return best


def _score(side: str, moment: Moment) -> float:
    """How well an event fits a side of the sentence; 0 where it does not."""
    words = stem_set(side) - _GRAMMAR - stem_set(moment.service)
    shared = len(words & spread(moment.words))
    named = 1.5 if moment.service and re.search(rf"(?<![\w-]){re.escape(moment.service)}(?![\w-])", side) else 0.0
    exact = 0.5 * len(words & moment.words)
    return shared + exact + named + (0.25 if moment.quoted else 0.0) if shared or named else 0.0
