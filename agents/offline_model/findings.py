"""Reads back the tables that `evidence/digest.py` prints: the ranking, log patterns and changes.

A line that has another shape is left out, so that a bettered digest or hostile text costs a finding and never the run.
Every finding keeps its `line`, which is what a claim quotes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

_SUSPECT: Final = re.compile(r"(\d{1,2})\. (\S+) \[(\w+)\](.*)")
_ANOMALY: Final = re.compile(
    r"(?P<service>[^,>]+?)(?:->(?P<peer>[^,]+))?,(?P<indicator>.+?),(?P<before>[^,>]+?)->(?P<now>[^,>]+?)"
    r",(?:x(?P<ratio>[\d.e+-]+)|new),z=(?P<z>[\d.]+).*"
)
_PATTERN: Final = re.compile(
    r"(?P<service>[^,]+),(?P<kind>new|grown|vanished),(?P<level>[^,]*),\d+->(?P<count>\d+),[^,>]+->(?P<share>[\d.]+)%,"
    r"(?P<first>\d\d:\d\d:\d\d),(?P<example>.*)"
)
_CHANGE: Final = re.compile(
    r"(?P<service>[^,]+),(?P<kind>\w+),(?P<id>[^,]+),(?P<previous>[^,]*?)->(?P<version>[^,]*),(?P<at>\d\d:\d\d:\d\d),"
    r"(?P<relative>(?P<seconds>\d+)s (?P<side>before|after) onset),(?P<verdict>\w+),(?P<score>[\d.]+),(?P<summary>.*)"
)
_FAILURE: Final = re.compile(
    r"error|exception|fail|fatal|panic|refused|timed? ?out|denied|exceeded|exhaust|unavailable|too large|too many"
    r"|no space|quota|out of memory|killed|no free",
    re.IGNORECASE,
)
_MEASURED: Final = ("metric: ", "trace: ")
_SHORT: Final = 7
_LOUD: Final = frozenset(("error", "critical", "fatal", "alert", "emergency", "severe", "panic"))


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One anomaly; `before` and `now` as printed, with their unit."""

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
class Change:
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
        return self.version[:_SHORT] if self.version not in ("", "?") else self.id

    @property
    def possible(self) -> bool:
        """Whether it precedes the onset and reaches the symptom."""
        return self.verdict in ("cause_candidate", "coincides")


@dataclass(frozen=True, kw_only=True)
class Suspect:
    """One ranked service with what speaks against it."""

    place: int
    service: str
    family: str
    external: str
    score: float
    confidence: str
    line: str
    change: Change | None
    metrics: tuple[Metric, ...]
    patterns: tuple[Pattern, ...]


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """`quiet` is the engine's word for "nothing is abnormal"; an odd text has no suspects and is not quiet."""

    onset: str
    symptom: Metric | None
    suspects: tuple[Suspect, ...]
    changes: tuple[Change, ...]
    gaps: tuple[str, ...]
    quiet: bool


def read_ranking(text: str) -> Ranking:
    blocks: list[list[str]] = []
    head: list[str] = []
    others: list[Change] = []
    for raw in text.splitlines():
        line = raw.strip()
        if _SUSPECT.fullmatch(line):
            blocks.append([line])
        elif line.startswith("other change: "):
            others += read_changes([line.removeprefix("other change: ")])
        elif blocks and raw.startswith(" "):
            blocks[-1].append(line)
        else:
            head.append(line)
    suspects = tuple(_suspect(block) for block in blocks)
    onset = next((re.match(r"onset (\d\d:\d\d:\d\d)", line) for line in head if line.startswith("onset ")), None)
    symptom = next((line.removeprefix("symptom: ") for line in head if line.startswith("symptom: ")), "")
    return Ranking(
        onset=onset.group(1) if onset else "",
        symptom=_metric(symptom),
        suspects=suspects,
        changes=(*(s.change for s in suspects if s.change), *others),
        gaps=tuple(line.removeprefix("gap: ") for line in head if line.startswith("gap: ")),
        quiet=bool(head) and head[0].startswith("quiet"),
    )


def read_patterns(text: str) -> list[Pattern]:
    return [found for line in text.splitlines() if (found := _pattern(line.strip()))]


def read_changes(lines: Iterable[str]) -> list[Change]:
    return [found for line in lines if (found := _change(line.strip()))]


def _suspect(block: list[str]) -> Suspect:
    match = _SUSPECT.fullmatch(block[0])
    place, service, family, rest = match.groups() if match else ("0", "", "", "")
    facts = dict(re.findall(r"(\w+)=(\S+)", rest))
    metrics = (_metric(line.removeprefix(kind)) for line in block for kind in _MEASURED if line.startswith(kind))
    patterns = (_pattern(line.removeprefix("log: ")) for line in block if line.startswith("log: "))
    changes = read_changes(line.removeprefix("change: ") for line in block if line.startswith("change: "))
    return Suspect(
        place=int(place),
        service=service,
        family=family,
        external=facts.get("external", ""),
        score=_float(facts.get("score", "")) or 0.0,
        confidence=facts.get("confidence", "low"),
        line=block[0],
        change=changes[0] if changes else None,
        metrics=tuple(m for m in metrics if m),
        patterns=tuple(p for p in patterns if p),
    )


def _metric(line: str) -> Metric | None:
    if (match := _ANOMALY.fullmatch(line)) is None:
        return None
    return Metric(
        service=match["service"],
        peer=match["peer"] or "",
        indicator=match["indicator"],
        before=match["before"],
        now=match["now"],
        ratio=_float(match["ratio"] or ""),
        z=_float(match["z"]) or 0.0,
        line=line,
    )


def _pattern(line: str) -> Pattern | None:
    if (match := _PATTERN.fullmatch(line)) is None:
        return None
    return Pattern(
        service=match["service"],
        kind=match["kind"],
        level=match["level"],
        example=match["example"].strip(),
        first=match["first"],
        count=int(match["count"]),
        share=_float(match["share"]) or 0.0,
        line=line,
    )


def _change(line: str) -> Change | None:
    if (match := _CHANGE.fullmatch(line)) is None:
        return None
    seconds = int(match["seconds"])
    return Change(
        id=match["id"],
        service=match["service"],
        previous=match["previous"],
        version=match["version"],
        at=match["at"],
        seconds=seconds if match["side"] == "before" else -seconds,
        verdict=match["verdict"],
        summary=match["summary"].strip(),
        line=line,
    )


def _float(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
