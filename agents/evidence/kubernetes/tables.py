"""A listing as rows: columns start where their headings start."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_HEADING: Final = re.compile(r"[A-Z][^\s]*(?: [^\s]+)*")
MORE: Final = re.compile(r"\((\d+) more, nothing unusual(?:: (.*))?\)")
_MOST_ROWS: Final = 20_000


@dataclass(frozen=True, kw_only=True)
class TableRow:
    """One line of a table; `line` is that line as it stands, without the blanks at its ends."""

    cells: Mapping[str, str]
    line: str

    def get(self, heading: str) -> str:
        return self.cells.get(heading, "")

    @property
    def name(self) -> str:
        return self.get("NAME")


def headings(line: str) -> list[tuple[str, int]]:
    """The column headings of a line with the column at which each starts; empty where it is no heading."""
    found = [(m.group(), m.start()) for m in _HEADING.finditer(line)]
    looks = len(found) > 1 and all(text.upper() == text for text, _ in found)
    return found if looks else []


def rows(text: str) -> list[TableRow]:
    """The rows of the first table in `text`; empty where there is none."""
    columns: list[tuple[str, int]] = []
    found: list[TableRow] = []
    for line in text.splitlines()[:_MOST_ROWS]:
        if not columns:
            columns = headings(line)
        elif line.strip() and not MORE.fullmatch(line.strip()):
            ends = [start for _, start in columns[1:]] + [len(line) + 1]
            cells = {name: line[start:end].strip() for (name, start), end in zip(columns, ends, strict=True)}
            found.append(TableRow(cells=cells, line=line.strip()))
    return found


def left_out(text: str) -> list[str]:
    """What a condensed listing names without showing."""
    found = [m for line in text.splitlines() if (m := MORE.fullmatch(line.strip()))]
    return [word.strip() for m in found for word in (m.group(2) or "").split(",") if word.strip()]
