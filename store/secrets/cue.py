"""The beginning of an expression, by which one pass over a text tells whether the expression is worth running.

A set of whole expressions would count repetitions of many alphabets at once, and random text would drive it through a
new state at every character. So a cue keeps what is distinctive and ends at the first long repetition, after a few.
"""

import re
from typing import Final

_ATOM: Final = re.compile(r"(?P<atom>\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(|.)(?P<repeat>[*+?]\??|\{\d+(?:,\d*)?\})?")
_FEW: Final = 4


def cue_of(expression: str) -> str:
    """An expression that occurs wherever `expression` does. Raises ValueError when its beginning is not distinctive."""
    cue = ""
    at = literals = 0
    while at < len(expression):
        piece = _ATOM.match(expression, at)
        if piece is None:
            raise ValueError(f"{expression} is not understood")
        atom, repeat = piece.group("atom"), piece.group("repeat") or ""
        if atom == "(":
            end = _end_of_group(expression, at)
            tail = re.compile(r"[*+?]\??|\{\d+(?:,\d*)?\}").match(expression, end)
            cue += expression[at : tail.end() if tail else end]
            at = tail.end() if tail else end
            literals += 1
            continue
        at = piece.end()
        least = _least(repeat)
        if atom.startswith("["):
            if least > _FEW or repeat.endswith(("*", "+", ",}")):
                cue += f"{atom}{{{min(least, _FEW)}}}" if least else ""
                break
        elif len(atom) == 1 or atom[1] not in "bdswBDSW":
            literals += 1
        cue += atom + repeat
    if not literals:
        raise ValueError(f"{expression} begins with nothing distinctive: name a cue for it")
    return cue


def _least(repeat: str) -> int:
    if repeat.startswith("{"):
        return int(re.split(r"[,}]", repeat[1:])[0])
    return 0 if repeat[:1] in ("*", "?") and repeat else 1


def _end_of_group(expression: str, at: int) -> int:
    depth = 0
    for piece in re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|[()]|[^()\\\[]+").finditer(expression, at):
        depth += {"(": 1, ")": -1}.get(piece.group(), 0)
        if depth == 0:
            return piece.end()
    raise ValueError(f"{expression} does not close a group")
