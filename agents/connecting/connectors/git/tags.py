"""Deployments out of tags, newest first. Pure: what git printed comes in.

Only an annotated tag carries a time of its own. A lightweight one is a name for a commit; when that was deployed nobody
wrote down, so it is counted and told, and never dated by its commit. A tag on a file or a folder is no deployment.
https://git-scm.com/docs/git-for-each-ref
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

_FIELDS: Final = (
    "refname:strip=2",
    "objecttype",
    "*objecttype",
    "*objectname",
    "taggerdate:unix",
    "committerdate:unix",
    "*committerdate:unix",
    "*subject",
    "*authorname",
)
FORMAT: Final = "%00".join(f"%({field})" for field in _FIELDS)
_LATEST: Final = 253_402_300_799  # the last second that has a date
_PATTERN: Final = re.compile(r"(?![-/])[A-Za-z0-9@._/+=-]*\{service\}[A-Za-z0-9@._/+=-]*\*?")


@dataclass(frozen=True, kw_only=True)
class Tag:
    """One deployment. `commit` is "" where a tag marks another tag and must be followed."""

    name: str
    at: datetime
    commit: str
    subject: str
    author: str


@dataclass(frozen=True, kw_only=True)
class Tags:
    """`dated` newest first. `undated` counts lightweight tags of commits that are newer than the newest of those."""

    dated: tuple[Tag, ...]
    undated: int


def is_pattern(pattern: str) -> bool:
    """Whether it can name tags: `deploy/{service}/*`, `{service}-v*`, `@acme/{service}@*`."""
    return _PATTERN.fullmatch(pattern) is not None and ".." not in pattern


def read_tags(listing: str, pattern: str, service: str, others: Iterable[str]) -> Tags:
    """The tags of one service. One that fits the pattern of a longer service's name as well is that one's."""
    longer = tuple(_prefix(pattern, other) for other in others if len(other) > len(service))
    rows = [line.split("\0") for line in listing.split("\n")]  # a subject may hold any other separator
    rows = [row for row in rows if len(row) == len(_FIELDS) and not row[0].startswith(longer)]
    dated = [(tag, row) for row in rows if (tag := _dated(row))]
    dated.sort(key=lambda pair: (pair[0].at, _natural(pair[0].name)), reverse=True)
    newest = _seconds(dated[0][1][6]) if dated else 0
    light = [_seconds(row[5]) for row in rows if row[1] == "commit"]
    return Tags(dated=tuple(tag for tag, _ in dated), undated=sum(made > newest for made in light))


def _dated(row: Sequence[str]) -> Tag | None:
    name, kind, marked, commit, tagged, _, _, subject, author = row
    at = _seconds(tagged)
    if kind != "tag" or marked not in ("commit", "tag") or at == 0:
        return None
    commit = commit if marked == "commit" else ""
    return Tag(name=name, at=datetime.fromtimestamp(at, tz=UTC), commit=commit, subject=subject, author=author)


def _prefix(pattern: str, service: str) -> str:
    return pattern.replace("{service}", service).removesuffix("*")


def _seconds(printed: str) -> int:
    """0 where there is no time, or none that has a date."""
    number = int(printed) if re.fullmatch(r"[0-9]{1,12}", printed) else 0
    return number if number <= _LATEST else 0


def _natural(text: str) -> list[tuple[int, str]]:
    """Sorts `deploy/a/9` before `deploy/a/10`."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"([0-9]+)", text)]
