"""Which declared services a text speaks of, however they are written: as pods, resources, paths, hosts, with blanks for
hyphens, with a typing error, beside any script.

A service that is named by itself outweighs one whose name is only a part of something else, and that outweighs a
misspelt one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Final, Protocol

_LETTER: Final = "A-Za-z0-9"
_PARTS: Final = re.compile(r"[-_. ]+")
_WORD: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]{4,}")
_SHORTEST_MISSPELT: Final = 5
_ALIKE: Final = 0.86
_CURLY: Final = str.maketrans({"\u2019": "'", "\u2018": "'", "\u201c": '"', "\u201d": '"', "\u00a0": " "})


def plain(text: str) -> str:
    """Straight quotation marks and plain blanks, as rules look for them; phones write curly ones."""
    return text.translate(_CURLY)


class Named(Protocol):
    """A service and what else it is called."""

    @property
    def name(self) -> str: ...

    @property
    def aliases(self) -> tuple[str, ...]: ...


def spellings(services: Iterable[Named]) -> dict[str, str]:
    """Service by each of its other names that belongs to no other one. A pattern stands for its beginning."""
    known = list(services)
    taken = {one.name for one in known}
    found: dict[str, set[str]] = {}
    for one in known:
        for alias in one.aliases:
            name = alias.rpartition(":")[2].rstrip("*").rstrip("-._/")  # a pattern names it by its beginning
            if len(name) > 1 and "*" not in name and name not in taken:
                found.setdefault(name, set()).add(one.name)
    return {name: next(iter(of)) for name, of in found.items() if len(of) == 1}


def belongs_to(recorded: str, services: Iterable[Named], kind: str = "") -> str | None:
    """The one service that a source's name for something means: by a name of its own, by an alias or a pattern of this
    kind, or as an instance of it, as a pod is one. None where it is none, or could be two.
    """
    known = list(services)
    exact = {one.name for one in known if recorded == one.name}
    exact = exact or {one.name for one in known if any(_fits(alias, recorded, kind) for alias in one.aliases)}
    if not exact:
        near = [
            one.name
            for one in known
            if _INSTANCE.fullmatch(recorded.removeprefix(one.name)) and recorded.startswith(one.name)
        ]
        exact = {max(near, key=len)} if near else set()
    return next(iter(exact)) if len(exact) == 1 else None


_INSTANCE: Final = re.compile(r"(-[a-z0-9]{5,10})?-[a-z0-9]{4,6}|-[0-9]{1,3}")
"""What is behind the name of a workload in that of a pod: of a replica set, or the number of a stateful set."""


def _fits(alias: str, recorded: str, kind: str) -> bool:
    of, _, pattern = alias.rpartition(":")
    return of in ("", kind) and fnmatchcase(recorded, pattern)


def names_in(text: str, services: Iterable[str], aliases: Mapping[str, str] | None = None) -> list[str]:
    """Declared services that a text names, in the order of `services`. `aliases` are other names, each of a service."""
    known = list(services)
    spellings = {**{name: name for name in known}, **(aliases or {})}
    text = plain(text)
    found = _longest(text, spellings, _alone) or _longest(text, spellings, _inside) or _misspelt(text, spellings)
    return [name for name in known if name in found]


def _longest(text: str, spellings: Mapping[str, str], pattern_of: object) -> set[str]:
    """Services by the spellings that match; a spelling inside of a longer one that matches there is not meant."""
    spans: list[tuple[int, int, str]] = []
    for spelling, service in spellings.items():
        pattern = _alone(spelling) if pattern_of is _alone else _inside(spelling)
        spans += [(*match.span("name"), service) for match in pattern.finditer(text)]
    return {
        service
        for start, end, service in spans
        if not any(a <= start and end <= b and (a, b) != (start, end) for a, b, _ in spans)
    }


@lru_cache(maxsize=4096)
def _alone(name: str) -> re.Pattern[str]:
    """The name by itself, with hyphens, underscores, dots or blanks between its words, and marks of Slack around it."""
    words = r"[-_. ]?".join(re.escape(word) for word in _PARTS.split(name) if word) or re.escape(name)
    return re.compile(
        rf"(?<![{_LETTER}/.:@=-])(?<![{_LETTER}]_)(?P<name>{words})(?![{_LETTER}]|[-./_:][{_LETTER}])", re.IGNORECASE
    )


@lru_cache(maxsize=4096)
def _inside(name: str) -> re.Pattern[str]:
    """The name as a part of something: a pod, a resource with its environment, a path, a host, a label's value."""
    words = r"[-_.]?".join(re.escape(word) for word in _PARTS.split(name) if word) or re.escape(name)
    return re.compile(rf"(?<![{_LETTER}])(?P<name>{words})(?![{_LETTER}])", re.IGNORECASE)


def _misspelt(text: str, spellings: Mapping[str, str]) -> set[str]:
    lowered = {name.lower(): service for name, service in spellings.items() if len(name) >= _SHORTEST_MISSPELT}
    found: set[str] = set()
    for word in _WORD.findall(text.lower()):
        close = get_close_matches(word, lowered, n=2, cutoff=_ALIKE)
        if close and close[0][0] == word[0] and len({lowered[name] for name in close}) == 1:
            found.add(lowered[close[0]])
    return found
