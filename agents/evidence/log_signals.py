"""Which services began to say something else: log statements whose share of their service's lines moved.

Shares do not mind the load. A line that names its place in the source (`Orders#131`, `orders.py:131`) is known by that
place, which is more exact than its text; others by their template. A share must move further than it wandered between
slices of the baseline: users change their minds, and with them what a service says. Errors that stop are no news.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from agents.evidence.event_dating import Events
from agents.evidence.norms import Z_ABNORMAL
from agents.evidence.suspicion import Suspicion
from agents.evidence.templates import is_error_like
from agents.evidence.traces.calls import before_onset, chunk_of, inside
from agents.evidence.traces.shapes import dispersion, signed_g
from agents.evidence.traces.suspects import CHUNK_S, capped
from agents.evidence.types import BoolArray, FloatArray, IntArray, LogLine, Onset, Stretch, Window

HEAD = 160  # characters in which a line's level and its place in the source are looked for
SHOWN = 300
NEW = 1.3
ERROR = 1.4
FEWER = 0.6  # what a statement that only became rarer counts
MORE = 0.7  # what a usual, harmless one that became more frequent counts
GONE_SHARE = 0.1

_PLACE = re.compile(
    r"(?<![\w/])(?:[\w$\[\]]+\.)*[\w$\[\]]*[A-Za-z$\]][\w$\[\]]*#\d+\b"
    r"|(?<![\w.])[\w./\\$-]+\.(?:java|kt|scala|py|go|js|ts|rb|cs|cc|cpp|c|rs|php):\d+\b"
)
_LEVEL = re.compile(r"\b(TRACE|DEBUG|INFO|NOTICE|WARN(?:ING)?|ERROR|SEVERE|CRITICAL|FATAL|PANIC)\b")
_BAD = frozenset({"ERROR", "SEVERE", "CRITICAL", "FATAL", "PANIC"})


@dataclass(frozen=True, kw_only=True, eq=False)
class LogColumns:
    """Log lines in columns of one length. `service` indexes `services`; times are epoch seconds."""

    ts: FloatArray
    service: IntArray
    text: Sequence[str]
    services: tuple[str, ...]


def as_columns(lines: Sequence[LogLine]) -> LogColumns:
    """The same lines in columns; a level that is told apart is put before the text."""
    services = sorted({line.service for line in lines})
    number = {name: place for place, name in enumerate(services)}
    return LogColumns(
        ts=np.array([line.time.timestamp() for line in lines], dtype=np.float64),
        service=np.array([number[line.service] for line in lines], dtype=np.int64),
        text=[f"{line.level.upper()} {line.text}" if line.level else line.text for line in lines],
        services=tuple(services),
    )


def log_suspicions(
    lines: Sequence[LogLine] | LogColumns,
    onset: Onset,
    window: Window,
    good: Sequence[Stretch] = (),
    coverage: Sequence[Stretch] | None = None,
    spliced: Sequence[Stretch] = (),
) -> list[Suspicion]:
    """Statements that are new, gone, or of another share, strongest first; `baseline` and `current` are shares.

    What came before is read in the `good` stretches, without any in all that was recorded before the onset's guard.
    """
    columns = lines if isinstance(lines, LogColumns) else as_columns(lines)
    kept, after, chunk = _divide(columns, onset, window, good, coverage, spliced)
    if kept.size == 0:
        return []
    service = columns.service[kept]
    texts = [columns.text[i] for i in kept.tolist()]
    kind, owner, example = _statements(service, texts)
    kinds = _Counts.of(kind, owner, service, after, chunk)
    found = []
    for i in np.flatnonzero(np.abs(kinds.z) * NEW * ERROR >= Z_ABNORMAL).tolist():
        suspicion = _judge(kinds, i, columns.services[owner[i]], texts, example[i])
        if suspicion is not None:
            found.append(suspicion)
    return sorted(found, key=lambda s: (-s.score, s.service, s.indicator))


def line_events(columns: LogColumns) -> list[Events]:
    """Log lines by statement, to be dated."""
    usable = np.flatnonzero(np.isfinite(columns.ts))
    if usable.size == 0:
        return []
    service, ts = columns.service[usable], columns.ts[usable]
    texts = [columns.text[i] for i in usable.tolist()]
    kind, owner, example = _statements(service, texts)
    return [
        Events(
            member_ts=ts,
            member_kind=kind,
            whole_ts=ts,
            whole_group=service,
            service=owner,
            group=owner,
            falls=np.array([not is_bad(texts[i]) for i in example], dtype=np.bool_),
        )
    ]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Counts:
    """Per statement: lines before and after, of how many of its service, and the signed distance in noise units."""

    before: IntArray
    lines_before: IntArray
    after: IntArray
    lines_after: IntArray
    z: FloatArray
    fresh_z: FloatArray

    @staticmethod
    def of(kind: IntArray, owner: IntArray, service: IntArray, after: BoolArray, chunk: IntArray) -> "_Counts":
        size = owner.size
        old = ~after
        services = int(service.max()) + 1
        x, y = np.bincount(kind[old], minlength=size), np.bincount(kind[after], minlength=size)
        n = np.bincount(service[old], minlength=services)[owner]
        m = np.bincount(service[after], minlength=services)[owner]
        slices = np.where(old, chunk, -1)
        wander = dispersion(kind, slices, service, slices, owner)
        usual = np.ones(services)
        for s in range(services):
            mine = wander[(owner == s) & (x > 1)]
            usual[s] = float(np.median(mine)) if mine.size else 1.0
        # What was never seen before has no wandering of its own: its service's is taken.
        wander = np.where(x == 0, usual[owner], wander)
        g = signed_g(x, n, y, m)
        return _Counts(
            before=x,
            lines_before=n,
            after=y,
            lines_after=m,
            z=np.sign(g) * np.sqrt(np.abs(g) / wander),
            fresh_z=np.sign(g) * np.sqrt(np.abs(g)),
        )


def _divide(
    columns: LogColumns,
    onset: Onset,
    window: Window,
    good: Sequence[Stretch],
    coverage: Sequence[Stretch] | None,
    spliced: Sequence[Stretch],
) -> tuple[IntArray, BoolArray, IntArray]:
    """Indexes of the lines that count, which of them are after the onset, and the baseline's slice of each."""
    size = min(columns.ts.size, columns.service.size, len(columns.text))
    ts, service = columns.ts[:size], columns.service[:size]
    at, end = onset.at.timestamp(), window.end.timestamp()
    until = at - onset.guard_s
    usable = np.isfinite(ts) & (service >= 0) & (service < len(columns.services))
    if not usable.any():
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.bool_), np.empty(0, dtype=np.int64)
    quiet = before_onset(ts[usable], until, good, coverage, spliced)
    with np.errstate(invalid="ignore"):
        before = usable & inside(ts, quiet) & (ts < until)
        after = usable & (ts >= at) & (ts <= end)
    kept = np.flatnonzero(before | after)
    return kept, after[kept], chunk_of(ts[kept], quiet, CHUNK_S)


def _statements(service: IntArray, texts: Sequence[str]) -> tuple[IntArray, IntArray, list[int]]:
    """Number of each line's statement, each statement's service, and an example's index (the latest line)."""
    number: dict[tuple[int, str], int] = {}
    kind = np.empty(len(texts), dtype=np.int64)
    nameless: dict[int, list[int]] = defaultdict(list)
    search: Callable[[str, int, int], re.Match[str] | None] = _PLACE.search
    for i, (s, text) in enumerate(zip(service.tolist(), texts, strict=True)):
        place = search(text, 0, HEAD)
        if place is None:
            nameless[s].append(i)
            continue
        kind[i] = number.setdefault((s, place.group()), len(number))
    for s, rows in nameless.items():
        for i, template in zip(rows, _templates([texts[i] for i in rows]), strict=True):
            kind[i] = number.setdefault((s, template), len(number))
    example = [0] * len(number)
    for i, k in enumerate(kind.tolist()):
        example[k] = i
    owner = np.array([s for s, _ in number], dtype=np.int64)
    return kind, owner, example


_MASK = re.compile(r"\"[^\"]*\"|'[^']*'|\b[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}\b|\b[0-9a-fA-F]{12,}\b|\d+")


def _templates(texts: Sequence[str]) -> list[str]:
    return [_MASK.sub("<*>", text[:500]) for text in texts]


def _judge(counts: _Counts, i: int, service: str, texts: Sequence[str], example: int) -> Suspicion | None:
    text = texts[example]
    bad = is_bad(text)
    x, y = int(counts.before[i]), int(counts.after[i])
    n, m = int(counts.lines_before[i]), int(counts.lines_after[i])
    more = counts.z[i] > 0
    if bad and not more:
        return None
    strength = abs(float(counts.fresh_z[i] if bad and x == 0 else counts.z[i]))
    if more:
        strength *= (NEW if x == 0 else 1.0) * (ERROR if bad else 1.0 if x == 0 else MORE)
    elif y * n > GONE_SHARE * x * m:
        strength *= FEWER
    score = capped(strength)
    if score < Z_ABNORMAL:
        return None
    return Suspicion(
        service=service,
        family="log",
        indicator=f"log: {'new' if more and x == 0 else 'more' if more else 'gone' if y == 0 else 'fewer'} "
        f"{text[:80].strip()}",
        score=score,
        direction="up" if more else "down",
        baseline=x / max(n, 1),
        current=y / max(m, 1),
        unit="ratio",
        source="logs",
        exemplar=text[:SHOWN],
    )


def is_bad(text: str) -> bool:
    """An error by its level; by its words where it has none."""
    level = _LEVEL.search(text, 0, HEAD)
    return level.group(1) in _BAD if level else is_error_like("", text)
