"""The versions and commits that cited lines and rows state, each with whether it was before or is now."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from agents.gate.cells import Role, row_of
from agents.rows import (
    Altered,
    Configured,
    Contents,
    Row,
    State,
    Tracked,
)

_ID: Final = re.compile(
    r"\b(?=[0-9a-f]*\d)[0-9a-f]{7,64}\b|(?<![\w.])v?\d+(?:\.\d+){2,}(?:-[\w.]+)?\b|(?<![\w.])v\d+(?:\.\d+)*\b"
)


@dataclass(frozen=True, kw_only=True)
class Id:
    """A version or commit; `role` tells whether it is the one before or the one now."""

    text: str
    role: Role = ""


def ids_of(clean: str, rows: Sequence[Row]) -> Iterator[Id]:
    for line in clean.split("\n"):
        row = row_of(line, rows)
        for match in _ID.finditer(line.lower()):
            role: Role = ""
            around = line[match.end() :].lstrip()[:2], line[: match.start()].rstrip()[-2:]
            if around[0] == "->":
                role = "before"
            elif around[1] == "->":
                role = "now"
            elif isinstance(row, State):
                role = "before" if "previous" in row.name else "now"
            elif re.search(r"\(was\s*$|\bwas $", line[: match.start()]):
                role = "before"
            yield Id(text=match[0], role=role)
    for row in rows:
        yield from (Id(text=text.lower(), role=role) for text, role in _versions_of(row) if text)


def _versions_of(row: Row) -> Iterator[tuple[str, Role]]:
    if isinstance(row, Altered):
        yield row.from_version, "before"
        yield row.to_version, "now"
    elif isinstance(row, Configured):
        yield row.previous_version, "before"
        yield row.version, "now"
    elif isinstance(row, Contents | Tracked):
        yield row.version, ""
