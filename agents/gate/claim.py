"""A claim with what it cites, as the checks see it, and the run whose results it may cite."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from agents.gate.cells import Cell
from agents.gate.cited import Cited
from agents.gate.evidence import Evidence
from agents.gate.quantities import Parsed
from agents.gate.trust import foreign_parts


@dataclass(frozen=True, kw_only=True)
class Proof:
    """What a claim cites: a result's number and a stretch of it."""

    artifact: str
    quote: str


@dataclass(frozen=True, kw_only=True)
class Run:
    """All results of one run, by number."""

    evidence: Mapping[str, Evidence]
    services: tuple[str, ...] = ()

    def result(self, number: str) -> Evidence | None:
        """A result; a part of an earlier one that was read again stands for that one."""
        found = self.evidence.get(number)
        if found is not None and found.tool == "fetch_more" and not found.is_error:
            return self.evidence.get(str(found.arguments.get("artifact")), found)
        return found


class Contradicted(Exception):
    """The cited results say otherwise, or nothing of the kind."""


@dataclass(kw_only=True)
class ExaminedClaim:
    text: str
    parsed: Parsed
    cited: tuple[Cited, ...]
    run: Run
    words: tuple[str, ...]
    unproven: list[str] = field(default_factory=list)
    derived: bool = False
    borne: set[str] = field(default_factory=set)

    @property
    def stems(self) -> frozenset[str]:
        return frozenset(self.words)

    def cells(self, *, quoted: bool = False) -> list[Cell]:
        return [cell for one in self.cited for cell in one.cells if cell.quoted or not quoted]


def own_lines(one: Cited) -> list[str]:
    """The cited lines without what outsiders wrote."""
    lines = list(one.lines)
    for part in foreign_parts(one.evidence):
        lines = [line.replace(piece, " ") for line in lines for piece in [part]]
    return lines


def clock_fits(clock: str, moment: datetime) -> bool:
    return f"{moment:%H:%M:%S}".startswith(clock)
