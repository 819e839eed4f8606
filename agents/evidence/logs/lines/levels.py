"""Severity as programs spell it: words, abbreviations, single letters and five scales of numbers, to one set of names.

A word counts as a level where levels stand: first after the time, alone in brackets, or in capitals near the start.
"error" in the middle of a sentence is part of the sentence.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

LEVELS = ("trace", "debug", "info", "warn", "error", "critical", "fatal")
_RANK = {level: rank for rank, level in enumerate(LEVELS)} | {"alert": 5}

_SPELLINGS: Mapping[str, str] = {
    "trace": "trace finest trce trc vrb verbose verb v silly t",
    "debug": "debug debug1 debug2 debug3 debug4 debug5 dbug debg dbg fine finer d",
    "info": "info information informational notice note log inf config i n statement hint detail status",
    "warn": "warn warning warnings wrn wrng w",
    "error": "error err eror erro severe fail failure e",
    "critical": "critical crit crt c",
    "alert": "alert",
    "fatal": "fatal ftl panic emerg emergency f dpanic",
}
_NAMES = {word: level for level, words in _SPELLINGS.items() for word in words.split()}
# Words that are more often part of a sentence than a level are not looked for in free text.
_SPOKEN = {"log", "note", "status", "config", "statement", "hint", "detail", "fine", "fail", "failure", "warnings"}
_WORDS = sorted((w for w in _NAMES if len(w) > 1), key=len, reverse=True)
_UPPER = "|".join(w.upper() for w in _WORDS if w not in _SPOKEN)
_ANY = "|".join(_WORDS)
_FIRST = re.compile(
    rf"[\s\-|:;,*\])]*(?:[\[(<{{|]\s*)?(?:(?P<delimited>(?i:{_ANY}))(?=\s*[\])>}}|]|[:!,/](?:\W|MainProcess|$)|\t|\[)"
    rf"|(?P<plain>(?:{_UPPER}|LOG|NOTE|STATEMENT|HINT|DETAIL|CONFIG|FINE|FAIL)|(?:{_UPPER.title()})(?=\s+[A-Z]))(?=\s|$))"
    r"\s*(?:\[\d+\])?[\])>}|:!,\-]*\s*(?:\|\s*|-+\s+|\[[0-9#]{1,12}\]:?\s+)?"
)
_SHORT = re.compile(
    r"(?:\[\s*|\s*)(?P<word>[A-Z])(?:!|\]?(?=\s))\s*|(?:\s*\d{1,9}){0,2}\s+(?P<letter>[VDIWEFTC])[\s/](?=\S)"
)
_NEARBY = re.compile(
    rf"(?<![\w\-/=\"'])(?P<upper>{_UPPER})(?![\w\-=\"']|\.\w)|(?<=\w\.)(?P<channel>{_UPPER})(?=:)"
    rf"|(?:[\[(<|\t]\s?(?:[\w-]{{1,30}}:)?|(?<=[:\]] ))(?P<bracketed>(?i:{_ANY}))(?:\s?[\])>|\t]|: )"
    rf"|\bPHP (?P<php>[A-Z][a-z]+)(?: error)?:"
)
_NEAR = 120  # characters
_HEAD = 200
_REDIS = re.compile(r"\s?(?P<mark>[#*.-]) (?=\S)")
_MARKS = {"#": "warn", "*": "info", "-": "debug", ".": "debug"}
_PHP = {"Fatal": "fatal", "Parse": "error", "Warning": "warn", "Notice": "info", "Deprecated": "info"}

_BUNYAN = {10: "trace", 20: "debug", 30: "info", 40: "warn", 50: "error", 60: "fatal"}
_PYTHON = {10: "debug", 20: "info", 30: "warn", 40: "error", 50: "critical"}
_MONOLOG = {
    100: "debug",
    200: "info",
    250: "info",
    300: "warn",
    400: "error",
    500: "critical",
    550: "alert",
    600: "fatal",
}
_LOGBACK = {5_000: "trace", 10_000: "debug", 20_000: "info", 30_000: "warn", 40_000: "error"}
SYSLOG = ("fatal", "alert", "critical", "error", "warn", "info", "info", "debug")


def rank(level: str) -> int:
    """How severe a level is; an unknown one ranks as info."""
    return _RANK.get(level, _RANK["info"])


def level_named(word: str) -> str:
    """The level that a word names, "" when it names none. A word nobody knows is kept: it is what the program said."""
    lowered = word.strip().strip("[]<>:!").lower()
    return _NAMES.get(lowered, lowered if lowered.isalpha() else "")


def level_of(value: object, key: str = "") -> str:
    """The level in a field of that name: a word, or a number on the scale that the field's name or its size tells."""
    if isinstance(value, dict):
        return level_of(next((value[k] for k in ("name", "level", "no") if k in value), ""), key)
    if isinstance(value, str) and not value.strip().lstrip("-").isdigit():
        return level_named(value)
    if isinstance(value, bool) or not isinstance(value, int | str):
        return ""
    return _numbered(int(value), key.replace("_", "").replace(".", "").lower())


def _numbered(number: int, key: str) -> str:
    if key == "severitynumber":  # OpenTelemetry: four steps a level
        return ("", "trace", "debug", "info", "warn", "error", "fatal")[min(max((number + 3) // 4, 0), 6)]
    if key == "levelno":
        return _PYTHON.get(number, "")
    if 0 <= number < len(SYSLOG):
        return SYSLOG[number]
    return _BUNYAN.get(number) or _MONOLOG.get(number) or _LOGBACK.get(number) or ""


def syslog_level(priority: int) -> str:
    return SYSLOG[priority % 8]


def find_level(text: str) -> tuple[str, int]:
    """The level at the start of what follows a time, and where the message begins: 0 where nothing is to be cut."""
    text = text[:_HEAD]
    if found := _FIRST.match(text):
        return _NAMES[(found["delimited"] or found["plain"]).lower()], found.end()
    if found := _NEARBY.search(text, 0, _NEAR):
        if found["php"]:
            return _PHP.get(found["php"], ""), 0
        return _NAMES[(found["upper"] or found["channel"] or found["bracketed"]).lower()], 0
    if found := _SHORT.match(text):
        letter = (found["word"] or found["letter"]).lower()
        return (_NAMES[letter], found.end()) if letter in _NAMES else ("", 0)
    return "", 0


def marked_level(text: str) -> tuple[str, int]:
    """Redis writes a mark for the level. https://redis.io/docs/latest/operate/oss_and_stack/management/"""
    found = _REDIS.match(text)
    return (_MARKS[found["mark"]], found.end()) if found else ("", 0)


def leading_level(text: str) -> str:
    """The level with which a line begins that belongs to the one before, as java.util.logging writes it."""
    found = _FIRST.match(text[:_HEAD])
    return _NAMES[found["delimited"].lower()] if found and found["delimited"] else ""
