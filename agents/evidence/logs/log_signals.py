"""Which services began to say something else: log statements that are new, gone, or of another share.

A line that names its place in the source (`Orders#131`, `orders.py:131`) is known by that place, which is more exact
than its text; others by their template. A statement is counted per companion: the statement that best foretold its
counts before, so that neither the load nor another mix of requests makes a finding; without a steady companion, per
line of its service. Errors that stop are no news.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from agents.evidence.levels import soften
from agents.evidence.logs.miner import TemplateMiner
from agents.evidence.logs.templates import is_error_like
from agents.evidence.norms import Z_ABNORMAL
from agents.evidence.suspicion import Suspicion
from agents.evidence.traces.calls import before_onset, chunk_of, inside
from agents.evidence.traces.event_dating import EventTable
from agents.evidence.traces.shapes import dispersion, signed_g
from agents.evidence.types import BoolArray, FloatArray, IntArray, LogLine, Onset, Stretch, Window

HEAD = 160  # characters in which a line's level and its place in the source are looked for
SHOWN = 300
SLICE_S = 20.0
NEW = 1.3
ERROR = 1.4
MORE = 0.7  # what a usual, harmless statement that became more frequent counts
FEWER = 0.6  # what one counts that hardly became rarer; one that is gone counts in full
SHARED = 0.6  # what a library's statement counts: several services report with it whatever goes wrong,
USERS = 3  # so many at least
LEAST_COUNT = 8  # lines before from which a companion is looked for
STEADY = 2.0  # a companion foretells a statement's counts within so many times what chance explains
STRANGER = 0.3  # what a companion in another service must foretell better
LEAST_SLICES = 4
MAX_PAIRS = 20_000_000

_PLACE = re.compile(
    r"(?<![\w/])(?:[\w$\[\]]+\.)*[\w$\[\]]*[A-Za-z$\]][\w$\[\]]*#\d+\b"
    r"|(?<![\w.])[\w./\\$-]+\.(?:java|kt|scala|py|go|js|ts|rb|cs|cc|cpp|c|rs|php):\d+\b"
)
_LEVEL = re.compile(r"\b(TRACE|DEBUG|INFO|NOTICE|WARN(?:ING)?|ERROR|SEVERE|CRITICAL|FATAL|PANIC)\b")
_BAD = frozenset({"ERROR", "SEVERE", "CRITICAL", "FATAL", "PANIC"})


@dataclass(frozen=True, kw_only=True, eq=False)
class LogColumns:
    """Log lines in columns of one length, in time order (epoch seconds); `service` indexes `services`.

    `statement` numbers each line's statement. Per statement: its service, whether it tells of an error, the factor for
    a library's, and the index of an example.
    """

    ts: FloatArray
    service: IntArray
    text: Sequence[str]
    services: tuple[str, ...]
    statement: IntArray
    owner: IntArray
    bad: BoolArray
    weight: FloatArray
    example: IntArray


def as_columns(lines: Sequence[LogLine]) -> LogColumns:
    """The same lines in columns; a level that is told apart is put before the text."""
    services = sorted({line.service for line in lines})
    number = {name: place for place, name in enumerate(services)}
    ts = np.array([line.time.timestamp() for line in lines], dtype=np.float64)
    order = np.argsort(ts, kind="stable")
    rows = [lines[i] for i in order.tolist()]
    texts = [f"{line.level.upper()} {line.text}" if line.level else line.text for line in rows]
    return sort_out(ts[order], np.array([number[r.service] for r in rows], dtype=np.int64), texts, tuple(services))


def sort_out(ts: FloatArray, service: IntArray, text: Sequence[str], services: tuple[str, ...]) -> LogColumns:
    """Columns in time order to numbered statements."""
    statement, owner, example, users = _statements(service, text)
    weight = np.where(users >= USERS, SHARED, 1.0)
    bad = np.array([is_bad(text[i]) for i in example.tolist()], dtype=np.bool_)
    return LogColumns(
        ts=ts,
        service=service,
        text=text,
        services=services,
        statement=statement,
        owner=owner,
        bad=bad,
        weight=weight,
        example=example,
    )


def is_bad(text: str) -> bool:
    """An error by its level; by its words where it has none."""
    level = _LEVEL.search(text, 0, HEAD)
    return level.group(1) in _BAD if level else is_error_like("", text)


def _statements(service: IntArray, texts: Sequence[str]) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    """Per line its statement; per statement its service, the latest line's index, and how many services have it."""
    number: dict[tuple[int, str], int] = {}
    statement = np.empty(len(texts), dtype=np.int64)
    nameless: dict[int, list[int]] = defaultdict(list)
    search = _PLACE.search
    for i, (s, text) in enumerate(zip(service.tolist(), texts, strict=True)):
        place = search(text, 0, HEAD)
        if place is None:
            nameless[s].append(i)
        else:
            statement[i] = number.setdefault((s, place.group()), len(number))
    if nameless:
        miner = TemplateMiner()
        for s, rows in nameless.items():
            for i, template in zip(rows, miner.add(str(s), [texts[i] for i in rows]), strict=True):
                statement[i] = number.setdefault((s, f"template {template}"), len(number))
    example = np.zeros(len(number), dtype=np.int64)
    example[statement] = np.arange(len(texts))
    users: dict[str, int] = defaultdict(int)
    for _, name in number:
        users[name] += 1
    return (
        statement,
        np.array([s for s, _ in number], dtype=np.int64),
        example,
        np.array([users[name] for _, name in number], dtype=np.int64),
    )


def line_events(
    columns: LogColumns,
    earliest: float,
    coverage: Sequence[Stretch] | None = None,
    spliced: Sequence[Stretch] = (),
) -> list[EventTable]:
    """Log lines by statement, to be dated: per line of their service, and per line of their companion.

    Companions are looked for in what was recorded before `earliest` (epoch seconds).
    """
    if columns.owner.size == 0:
        return []
    whole, group, of = _wholes(columns)
    by_service = _events(columns, columns.ts[whole], group, of)
    quiet = before_onset(columns.ts, earliest, (), coverage, spliced)
    companion, _ = _companions(columns, np.where(columns.ts < earliest, chunk_of(columns.ts, quiet, SLICE_S), -1))
    led = np.flatnonzero(companion >= 0)
    if led.size == 0:
        return [by_service]
    # A companion's lines are part of the whole of every statement that it foretells.
    order = np.argsort(columns.statement, kind="stable")
    count = np.bincount(columns.statement, minlength=companion.size)
    first = np.cumsum(count) - count
    rows = [order[first[k] : first[k] + count[k]] for k in np.concatenate([led, companion[led]]).tolist()]
    group = np.repeat(np.concatenate([led, led]), [r.size for r in rows])
    both = np.concatenate(rows)
    return [by_service, _events(columns, columns.ts[both], group, np.arange(companion.size))]


def _wholes(columns: LogColumns) -> tuple[IntArray, IntArray, IntArray]:
    """Of which lines a statement's are a share: an error's of all of its service, others' of those without errors.

    Otherwise all else would seem more frequent when errors stop. Indexes of lines, the group of each, and the
    group of every statement.
    """
    services = len(columns.services)
    fine = np.flatnonzero(~columns.bad[columns.statement])
    whole = np.concatenate([np.arange(columns.ts.size), fine])
    group = np.concatenate([columns.service, services + columns.service[fine]])
    return whole, group, columns.owner + np.where(columns.bad, 0, services)


def _events(columns: LogColumns, whole_ts: FloatArray, whole_group: IntArray, group: IntArray) -> EventTable:
    return EventTable(
        member_ts=columns.ts,
        member_kind=columns.statement,
        whole_ts=whole_ts,
        whole_group=whole_group,
        service=columns.owner,
        group=group,
        rise=np.where(columns.bad, ERROR, MORE) * columns.weight,
        fresh=np.where(columns.bad, ERROR, 1.0) * NEW * columns.weight,
        fall=np.where(columns.bad, 0.0, 1.0) * columns.weight,
    )


def log_suspicions(
    lines: Sequence[LogLine] | LogColumns,
    onset: Onset,
    window: Window,
    *,
    good: Sequence[Stretch] = (),
    coverage: Sequence[Stretch] | None = None,
    spliced: Sequence[Stretch] = (),
) -> list[Suspicion]:
    """Statements that are new, gone, or of another share, strongest first; `baseline` and `current` are shares.

    What came before is read in the `good` stretches, without any in all that was recorded before the onset's guard.
    """
    columns = lines if isinstance(lines, LogColumns) else as_columns(lines)
    if columns.owner.size == 0:
        return []
    until = onset.at.timestamp() - onset.guard_s
    quiet = before_onset(columns.ts, until, good, coverage, spliced)
    before = inside(columns.ts, quiet) & (columns.ts < until)
    after = (columns.ts >= onset.at.timestamp()) & (columns.ts <= window.end.timestamp())
    if not before.any() or not after.any():
        return []
    counts = _count(columns, before, after, chunk_of(columns.ts, quiet, SLICE_S))
    found = [s for i in np.flatnonzero(counts.strength >= Z_ABNORMAL).tolist() if (s := _suspicion(columns, counts, i))]
    return sorted(found, key=lambda s: (-s.score, s.service, s.indicator))


@dataclass(frozen=True, kw_only=True, eq=False)
class _Counts:
    """Per statement: lines before and after, of how many of its service; `strength` in noise units, `more` or less."""

    before: IntArray
    lines_before: IntArray
    after: IntArray
    lines_after: IntArray
    strength: FloatArray
    more: BoolArray


def _count(columns: LogColumns, before: BoolArray, after: BoolArray, chunk: IntArray) -> _Counts:
    size, services = columns.owner.size, len(columns.services)
    slices = np.where(before, chunk, -1)
    x = np.bincount(columns.statement[before], minlength=size)
    y = np.bincount(columns.statement[after], minlength=size)
    whole, group, of = _wholes(columns)
    n = np.bincount(group[before[whole]], minlength=2 * services)[of]
    m = np.bincount(group[after[whole]], minlength=2 * services)[of]
    wander = dispersion(columns.statement, slices, group, slices[whole], of)
    # What was never seen before has no wandering of its own: its service's is taken; an error that is new is new.
    usual = np.ones(services)
    for s in range(services):
        mine = wander[(columns.owner == s) & (x > 1)]
        usual[s] = float(np.median(mine)) if mine.size else 1.0
    wander = np.where((x == 0) & ~columns.bad, usual[columns.owner], np.where(x == 0, 1.0, wander))
    g = signed_g(x, n, y, m) / wander
    beside = _beside_companion(columns, slices, x, y)
    g = np.where(np.isfinite(beside), beside, g)
    z = np.sign(g) * np.sqrt(np.abs(g))
    rarer = 1.0 - (y * np.maximum(n, 1)) / np.maximum(x * np.maximum(m, 1), 1e-9)
    up = np.where(x == 0, NEW, 1.0) * np.where(columns.bad, ERROR, np.where(x == 0, 1.0, MORE))
    down = np.where(columns.bad, 0.0, FEWER + (1 - FEWER) * np.clip(rarer, 0.0, 1.0))
    return _Counts(
        before=x,
        lines_before=n,
        after=y,
        lines_after=m,
        strength=np.abs(z) * np.where(z > 0, up, down) * columns.weight,
        more=z > 0,
    )


def _companions(columns: LogColumns, slices: IntArray) -> tuple[IntArray, FloatArray]:
    """Per statement its companion (-1: none is steady) and how much its counts strayed from what that foretold.

    The companion is a statement that is at least as frequent, tells of no error, and foretold the counts best; of the
    statement's own service if there is any. A stray of 1 is what chance explains.
    """
    size, chunks = columns.owner.size, int(slices.max(initial=-1)) + 1
    companion, stray = np.full(size, -1, dtype=np.int64), np.ones(size)
    known = slices >= 0
    x = np.bincount(columns.statement[known], minlength=size)
    often = np.flatnonzero((x >= LEAST_COUNT) & ~columns.bad)
    if chunks < LEAST_SLICES or often.size == 0 or often.size**2 * chunks > MAX_PAIRS:
        return companion, stray
    table = np.bincount(columns.statement[known] * chunks + slices[known], minlength=size * chunks)
    table = table.reshape(size, chunks)[often].astype(np.float64)
    total = table.sum(axis=1)
    ratio = total[:, None] / total[None, :]  # of the statement (row) per companion (column)
    # The squares of (own - ratio * other) over the slices, without a cube of statements x statements x slices.
    squares = (table**2).sum(axis=1)
    off = squares[:, None] - 2 * ratio * (table @ table.T) + ratio**2 * squares[None, :]
    off /= np.maximum(total[:, None] * (1 + ratio), 0.5 * chunks)
    off *= chunks / (chunks - 1)
    fits = (total[None, :] >= total[:, None]) & ~np.eye(often.size, dtype=np.bool_)
    stranger = columns.owner[often][:, None] != columns.owner[often][None, :]
    off = np.where(fits, off + np.where(stranger, STRANGER, 0.0), np.inf)
    best = off.argmin(axis=1)
    least = off[np.arange(often.size), best]
    steady = least <= STEADY
    companion[often[steady]] = often[best[steady]]
    stray[often[steady]] = np.maximum(least[steady], 1.0)
    return companion, stray


def _beside_companion(columns: LogColumns, slices: IntArray, x: IntArray, y: IntArray) -> FloatArray:
    """Signed evidence that a statement's number per line of its companion has changed; NaN without a companion."""
    companion, stray = _companions(columns, slices)
    other = np.maximum(companion, 0)
    g = signed_g(x, x + x[other], y, y + y[other]) / stray
    return np.where(companion >= 0, g, np.nan)


def _suspicion(columns: LogColumns, counts: _Counts, i: int) -> Suspicion:
    text = columns.text[int(columns.example[i])]
    more, new = bool(counts.more[i]), counts.before[i] == 0
    what = ("new" if new else "more") if more else ("gone" if counts.after[i] == 0 else "fewer")
    return Suspicion(
        service=columns.services[int(columns.owner[i])],
        family="log",
        indicator=f"log: {what} {text[:80].strip()}",
        score=float(soften(counts.strength[i : i + 1])[0]),
        direction="up" if more else "down",
        baseline=float(counts.before[i]) / max(int(counts.lines_before[i]), 1),
        current=float(counts.after[i]) / max(int(counts.lines_after[i]), 1),
        unit="ratio",
        source="logs",
        exemplar=text[:SHOWN],
    )
