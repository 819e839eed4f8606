"""The rows of rankings, log patterns and changes, as this investigator weighs them.

Every finding keeps its `line`, which is what a claim quotes; it is empty where the result did not print the row.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from agents import rows
from agents.evidence.digest import quantity
from agents.rows import Row

_FAILURE: Final = re.compile(
    r"error|exception|fail|fatal|panic|refused|timed? ?out|denied|exceeded|exhaust|unavailable|too large|too many"
    r"|no space|quota|out of memory|killed|no free",
    re.IGNORECASE,
)
_SHORT: Final = 7
_LOUD: Final = frozenset(("error", "critical", "fatal", "alert", "emergency", "severe", "panic"))


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One anomaly; `before` and `now` as people write them, with their unit."""

    service: str
    peer: str
    indicator: str
    before: str
    now: str
    ratio: float | None
    z: float
    line: str

    @property
    def rose(self) -> bool:
        return self.ratio is None or self.ratio > 1


@dataclass(frozen=True, kw_only=True)
class Pattern:
    """One log pattern; `example` is a real line, perhaps cut. `share`: of the service's lines since the onset, in %."""

    service: str
    kind: str
    level: str
    example: str
    first: str
    count: int
    share: float
    line: str

    @property
    def bad(self) -> bool:
        return self.kind != "vanished" and (self.level.lower() in _LOUD or bool(_FAILURE.search(self.example)))

    @property
    def striking(self) -> bool:
        """A new error that a good part of the lines repeat."""
        return self.kind == "new" and self.level.lower() in _LOUD and self.count >= 10 and self.share >= 5


@dataclass(frozen=True, kw_only=True)
class FoundChange:
    """`seconds` is positive before the onset and negative after it."""

    id: str
    service: str
    previous: str
    version: str
    at: str
    seconds: int
    verdict: str
    summary: str
    line: str

    @property
    def short(self) -> str:
        """The version as people write it, or the id where there is none."""
        return self.version[:_SHORT] or self.id

    @property
    def possible(self) -> bool:
        """Whether it precedes the onset and reaches the symptom."""
        return self.verdict in ("cause_candidate", "coincides")


@dataclass(frozen=True, kw_only=True)
class FoundSuspect:
    """One ranked service with what speaks against it."""

    place: int
    service: str
    family: str
    external: str
    score: float
    confidence: str
    line: str
    change: FoundChange | None
    metrics: tuple[Metric, ...]
    patterns: tuple[Pattern, ...]


@dataclass(frozen=True, kw_only=True)
class FoundRanking:
    """`quiet` is the engine's word for "nothing is abnormal"; a result without rows has no suspects and is not
    quiet.
    """

    onset: str
    symptom: Metric | None
    suspects: tuple[FoundSuspect, ...]
    changes: tuple[FoundChange, ...]
    gaps: tuple[str, ...]
    quiet: str


def ranking_of(found: Iterable[Row]) -> FoundRanking:
    """From the rows of `rank_causes`."""
    found = tuple(found)
    suspects = tuple(_suspect(row, found) for row in found if isinstance(row, rows.Suspect))
    symptom = next((row for row in found if isinstance(row, rows.Moved) and row.role == "symptom"), None)
    quiet = [row for row in found if isinstance(row, rows.Searched) and not row.found]
    return FoundRanking(
        onset=next((f"{row.at:%H:%M:%S}" for row in found if isinstance(row, rows.Began)), ""),
        symptom=_metric(symptom) if symptom else None,
        suspects=suspects,
        changes=changes_of(found),
        gaps=tuple(row.reason for row in found if isinstance(row, rows.Unread)),
        quiet=quiet[0].line if quiet else "",
    )


def patterns_of(found: Iterable[Row]) -> tuple[Pattern, ...]:
    """From the rows of any tool that reads log patterns."""
    return tuple(_pattern(row) for row in found if isinstance(row, rows.Logged))


def changes_of(found: Iterable[Row]) -> tuple[FoundChange, ...]:
    """From the rows of any tool that relates changes to an onset."""
    return tuple(_change(row) for row in found if isinstance(row, rows.Changed) and row.verdict)


def _suspect(row: rows.Suspect, found: Iterable[Row]) -> FoundSuspect:
    mine = [r for r in found if getattr(r, "suspect", 0) == row.place]
    return FoundSuspect(
        place=row.place,
        service=row.service,
        family=row.family,
        external=row.external,
        score=row.score,
        confidence=row.confidence,
        line=row.line,
        change=next(iter(changes_of(mine)), None),
        metrics=tuple(_metric(r) for r in mine if isinstance(r, rows.Moved) and r.role in ("metric", "trace")),
        patterns=patterns_of(mine),
    )


def _metric(row: rows.Moved) -> Metric:
    return Metric(
        service=row.service,
        peer=row.peer,
        indicator=row.indicator,
        before=quantity(row.before, row.unit),
        now=quantity(row.now, row.unit),
        ratio=row.ratio,
        z=row.score,
        line=row.line,
    )


def _pattern(row: rows.Logged) -> Pattern:
    return Pattern(
        service=row.service,
        kind=row.shift,
        level=row.level,
        example=row.example,
        first=f"{row.first:%H:%M:%S}" if row.first else "",
        count=row.count,
        share=row.share_now * 100,
        line=row.line,
    )


def _change(row: rows.Changed) -> FoundChange:
    return FoundChange(
        id=row.change,
        service=row.service,
        previous=row.previous_version,
        version=row.version,
        at=f"{row.at:%H:%M:%S}",
        seconds=round(row.before_onset_s or 0.0),
        verdict=row.verdict,
        summary=row.summary,
        line=row.line,
    )
