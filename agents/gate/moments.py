"""The moments that cited lines and rows state, each with the words of what happened then."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from agents.gate.cells import CLOCK, ISO, row_of
from agents.gate.evidence import Evidence
from agents.gate.words import stem_set
from agents.rows import (
    Altered,
    Began,
    Changed,
    Row,
    Sampled,
    Searched,
    State,
)


@dataclass(frozen=True, kw_only=True)
class Moment:
    """A moment that a result states, and of what: the words of the event."""

    at: datetime
    words: frozenset[str]
    service: str = ""
    quoted: bool = True
    header: bool = False


_DEPLOYED: Final = stem_set("deployed deployment deploy change release version live went")


_BEGAN: Final = stem_set("onset began begin beginning start incident symptom")


def moments_of(
    clean: str, rows: Sequence[Row], spans: Sequence[tuple[int, int]], evidence: Evidence
) -> Iterator[Moment]:
    offset = 0
    base = evidence.taken_at.astimezone(UTC)
    for line in clean.split("\n"):
        row = row_of(line, rows)
        if isinstance(row, Sampled):
            yield from (Moment(at=at, words=stem_set(line), service=row.service, quoted=False) for at, _ in row.points)
        else:
            yield from _stated(line, row, [(a - offset, b - offset) for a, b in spans], base)
        if isinstance(row, Altered) and row.at and f"{row.at:%H:%M:%S}" not in line:
            yield Moment(at=row.at, words=_event_words(line, row), service=row.service, quoted=False)
        if isinstance(row, Changed) and row.before_onset_s is not None:
            yield Moment(at=_onset(evidence, row), words=_BEGAN, quoted=False)
        offset += len(line) + 1
    for row in evidence.rows:
        if isinstance(row, Searched):
            ends = [at for at in (row.start, row.end) if at is not None]
            yield from (Moment(at=at, words=frozenset(), quoted=False, header=True) for at in ends)
        if isinstance(row, Began):
            yield Moment(at=row.at, words=_BEGAN, quoted=False)
    yield Moment(at=base, words=stem_set("read ranking result saw taken"), quoted=False, header=True)


def _stated(line: str, row: Row | None, inside: Sequence[tuple[int, int]], base: datetime) -> Iterator[Moment]:
    """The moments that a line itself states."""
    clocks = CLOCK.finditer(ISO.sub(lambda m: " " * len(m[0]), line))
    for match in [*ISO.finditer(line), *clocks]:
        at = _known(match[0], row) or _as_moment(match[0], base)
        if at is not None:
            quoted = any(a < match.end() and b > match.start() for a, b in inside)
            service = row.service if row else ""
            yield Moment(at=at, words=_event_words(line, row), service=service, quoted=quoted)


def _event_words(line: str, row: Row | None) -> frozenset[str]:
    """What happened at a line's moment, in words."""
    words = stem_set(line)
    if isinstance(row, Changed | Altered):
        return (words - _BEGAN) | _DEPLOYED
    if isinstance(row, Began):
        return words | _BEGAN
    if isinstance(row, State):
        return stem_set(row.name) | (stem_set("started start up boot run") if "start" in row.name else frozenset())
    return words


def _known(clock: str, row: Row | None) -> datetime | None:
    """The row's own moment of that clock time: a line's clock does not tell the day."""
    own = (getattr(row, name, None) for name in ("at", "first", "last", "since"))
    return next((at for at in own if isinstance(at, datetime) and f"{at:%H:%M:%S}" == clock), None)


def _onset(evidence: Evidence, row: Changed) -> datetime:
    began = next((r.at for r in evidence.rows if isinstance(r, Began)), None)
    if began is not None:
        return began
    return datetime.fromtimestamp(row.at.timestamp() + (row.before_onset_s or 0.0), tz=UTC)


def _as_moment(text: str, base: datetime) -> datetime | None:
    try:
        if len(text) > 9:
            moment = datetime.fromisoformat(text.replace(" ", "T"))
            return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        hour, minute, second = ([int(float(p)) for p in text.split(":")] + [0])[:3]
        found = base.replace(hour=hour, minute=minute, second=second, microsecond=0)
    except ValueError:
        return None
    day = 86_400
    ahead = found.timestamp() - base.timestamp()
    return datetime.fromtimestamp(found.timestamp() - day, tz=UTC) if ahead > 90 else found
