"""What a proof points at: the verbatim stretch, its whole lines, and their cells, moments and ids.

What outsiders wrote is blanked out first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TypeVar

from agents.gate.cells import Cell, cells_of
from agents.gate.evidence import Evidence
from agents.gate.moments import Moment, moments_of
from agents.gate.quotes import Found, locate
from agents.gate.row_words import SQL, context_words, row_words
from agents.gate.trust import authored, foreign_parts
from agents.gate.versions import Id, ids_of
from agents.gate.words import stem_set
from agents.rows import (
    Altered,
    Contents,
    Moved,
    Row,
)

R = TypeVar("R", bound=Row)


@dataclass(frozen=True, kw_only=True)
class Cited:
    """One proof that stands: the verbatim stretch, its whole lines, and what they say."""

    evidence: Evidence
    quote: str
    span: tuple[int, int]
    lines: tuple[str, ...]
    rows: tuple[Row, ...]
    cells: tuple[Cell, ...]
    moments: tuple[Moment, ...]
    ids: tuple[Id, ...]
    words: frozenset[str]
    context: frozenset[str]

    def of(self, kind: type[R]) -> list[R]:
        """Its rows of one kind."""
        return [row for row in self.rows if isinstance(row, kind)]

    @property
    def services(self) -> frozenset[str]:
        """Where the cited rows were read, and the called side of calls."""
        found = {row.service for row in self.rows if row.service}
        found |= {row.peer for row in self.rows if isinstance(row, Moved) and row.peer}
        return frozenset(found)


def cite(evidence: Evidence, quote: str, services: Sequence[str] = ()) -> Cited | None:
    """The proof, or None where the quote does not stand in the result."""
    found = locate(quote, evidence.text)
    return None if found is None else _cited(evidence, found, services)


def _cited(evidence: Evidence, found: Found, services: Sequence[str]) -> Cited:
    text = evidence.text
    start = text.rfind("\n", 0, found.start) + 1
    stop = text.find("\n", found.end - 1 if found.end > found.start else found.end)
    stop = len(text) if stop < 0 else stop
    block = text[start:stop]
    lines = tuple(line for line in block.split("\n") if line.strip())
    rows = rows_at(evidence, lines, services)
    clean = block
    for part in foreign_parts(evidence):
        for piece in part.split("\n"):
            clean = clean.replace(piece, " " * len(piece)) if piece.strip() else clean
    spans = [(a - start, b - start) for a, b in found.parts]
    cells = () if authored(evidence.arguments).values else tuple(cells_of(clean, rows, spans))
    quote = text[found.start : found.end]
    return Cited(
        evidence=evidence,
        quote=quote,
        span=(found.start, found.end),
        lines=lines,
        rows=rows,
        cells=cells,
        moments=tuple(moments_of(clean, rows, spans, evidence)),
        ids=tuple(ids_of(clean, rows)),
        words=stem_set(clean) | row_words(rows) | (stem_set("query sql statement") if SQL.search(clean) else set()),
        context=context_words(evidence, rows),
    )


def rows_at(evidence: Evidence, lines: Sequence[str], services: Sequence[str] = ()) -> tuple[Row, ...]:
    """The rows that are printed on these lines; a diff's or a file's row where one of its lines is quoted."""
    stripped = [line.strip() for line in lines]
    found: list[Row] = []
    for row in evidence.rows:
        own = [line.strip() for line in row.line.split("\n") if line.strip()]
        printed = any(any(mine in line for line in stripped) for mine in own)
        if isinstance(row, Altered) and not printed:
            printed = any(line in row.diff or line in evidence.text for line in stripped)
        if isinstance(row, Contents):
            printed = printed or (not row.number and any(line in row.text for line in stripped))
            found += [_with_service(row, services)] if printed else []
        elif printed or (not row.line and _is_whole(row)):
            found.append(row)
    return tuple(found)


def _with_service(row: Contents, services: Sequence[str]) -> Contents:
    """A file lies in the folder of its service."""
    named = [name for name in services if name in row.path.split("/")]
    return row if row.service or not named else replace(row, service=named[0])


def _is_whole(row: Row) -> bool:
    return type(row).__name__ == "Printed"


def all_cells(evidence: Evidence) -> tuple[Cell, ...]:
    """The numbers of a whole result."""
    return _all_cells(_Key(evidence))


class _Key:
    """Evidence by identity, so that its cells are worked out once."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence

    def __hash__(self) -> int:
        return hash((self.evidence.id, len(self.evidence.text)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and other.evidence == self.evidence


@lru_cache(maxsize=256)
def _all_cells(key: _Key) -> tuple[Cell, ...]:
    evidence = key.evidence
    clean = evidence.text
    for part in foreign_parts(evidence):
        clean = clean.replace(part, " " * len(part))
    if authored(evidence.arguments).values:
        return ()
    lines = [line for line in evidence.text.split("\n") if line.strip()]
    return tuple(cells_of(clean, rows_at(evidence, lines), [(0, len(clean))]))
