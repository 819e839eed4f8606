"""Finds what a model copied in the result that it cites, however loosely, and answers the verbatim text.

Blanks, case, arrows, kinds of quotes, backticks, line breaks, indentation and a diff's signs may differ; an ellipsis
may leave out words. A match grows to whole words and numbers, so that no quote ends inside one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from agents.gate.words import plain

_IGNORED: Final = frozenset("`'\"*\\")
_ELLIPSIS: Final = re.compile(r"\s*(?:…|\.\.\.|\[\.\.\.\]|\[…\])\s*")
_FARTHEST: Final = 400  # characters that an ellipsis may leave out
LEAST: Final = 6  # characters without blanks; less stands in almost any text
_JOINED: Final = re.compile(r"[\w.+-]")


@dataclass(frozen=True, kw_only=True)
class Found:
    """A stretch of the stored text, whole words and numbers; `parts` are the pieces between ellipses."""

    start: int
    end: int
    parts: tuple[tuple[int, int], ...]


def locate(quote: str, text: str) -> Found | None:
    """Where the quote stands; None where it does not, or is too short to prove anything."""
    pieces = [piece for piece in _ELLIPSIS.split(quote.strip()) if _bare(piece)[0]]
    if sum(len(_bare(piece)[0]) for piece in pieces) < LEAST:
        return None
    for signless in (False, True):
        bare, places = _bare(text, signless=signless)
        if found := _in_order([_bare(piece, signless=signless)[0] for piece in pieces], bare, places, text):
            return found
    return None


def _in_order(pieces: Sequence[str], bare: str, places: Sequence[int], text: str) -> Found | None:
    start = bare.find(pieces[0])
    while start >= 0:
        spans, at = [(start, start + len(pieces[0]))], start + len(pieces[0])
        for piece in pieces[1:]:
            following = bare.find(piece, at, at + _FARTHEST + len(piece))
            if following < 0:
                break
            spans.append((following, following + len(piece)))
            at = following + len(piece)
        if len(spans) == len(pieces):
            parts = tuple(_grown(places[a], places[b - 1] + 1, text) for a, b in spans)
            return Found(start=parts[0][0], end=parts[-1][1], parts=parts)
        start = bare.find(pieces[0], start + 1)
    return None


def _bare(text: str, *, signless: bool = False) -> tuple[str, list[int]]:
    """The letters that count, each with its place in the text."""
    kept: list[str] = []
    places: list[int] = []
    fresh = True
    for place, letter in enumerate(text):
        if letter == "\n":
            fresh = True
            continue
        if signless and fresh and letter in "+-":
            continue
        if not letter.isspace():
            fresh = False
        for one in plain(letter).casefold():
            if not one.isspace() and one not in _IGNORED:
                kept.append(one)
                places.append(place)
    return "".join(kept), places


def _grown(start: int, end: int, text: str) -> tuple[int, int]:
    while start > 0 and _JOINED.match(text[start - 1]) and _JOINED.match(text[start]) and text[start] not in "+-":
        start -= 1
    while end < len(text) and _JOINED.match(text[end]) and _JOINED.match(text[end - 1]):
        end += 1
    return start, end
