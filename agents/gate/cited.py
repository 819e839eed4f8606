"""What a proof points at, as cells: each number with its unit, key, moment and place; each moment; each id.

Cells come from the whole lines that were quoted. Clock times, dates, ids, ports, error numbers and addresses are no
numbers; what outsiders wrote is blanked out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, Literal, TypeVar

from agents.gate.evidence import Evidence
from agents.gate.quantities import Dimension
from agents.gate.quotes import Found, locate
from agents.gate.trust import authored, foreign_parts
from agents.gate.words import plain, stem_set, stems
from agents.rows import (
    Alerted,
    Altered,
    Began,
    Changed,
    Configured,
    Contents,
    Filed,
    Logged,
    Moved,
    Noted,
    Row,
    Sampled,
    Searched,
    Silenced,
    State,
    Suspect,
    Traced,
    Tracked,
    Unread,
)

Role = Literal["", "before", "now", "ratio"]
R = TypeVar("R", bound=Row)

_ISO: Final = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?")
_CLOCK: Final = re.compile(r"(?<![\d:.])(\d\d):(\d\d)(?::(\d\d)(?:\.\d+)?)?(?![\d:])")
_NO_NUMBER: Final = (
    _ISO,
    _CLOCK,
    re.compile(r"\b\d{4}-\d\d-\d\d\b|\b\d{1,2} (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\b"),
    re.compile(r"\b(?=[0-9a-f]*\d)(?:(?=[0-9a-f]*[a-f])[0-9a-f]{6,}|[0-9a-f]{16,})\b(?!\s*(?:ms|s)\b)", re.IGNORECASE),
    re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.IGNORECASE),
    re.compile(r"(?<![\w.])v?\d+(?:\.\d+){2,}\b"),
    re.compile(r"(?i:errno|error code|code|line|pid|port|exit (?:code|status)|signal)[ =:]+\d+"),
    re.compile(r"(?<=[a-z\d]):\d{2,5}\b(?![:.\d])"),
    re.compile(r"@@ [-+\d, ]+ @@"),
    re.compile(r"^index [0-9a-f]+\.\.[0-9a-f]+.*$", re.MULTILINE),
    re.compile(r"(?:[\w.-]+/)+[\w.-]+(?:/\d+)?"),
    re.compile(r"(?<=[(\s])z=[\d.]+|\bscore=[\d.]+"),
)
_NUMBER: Final = re.compile(
    r"(?<![\w.])(?P<x>x)?(?P<sign>[-+](?=\d))?(?P<whole>\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?P<decimals>\.\d+)?"
    r"(?P<exponent>e[-+]?\d+)?\s?(?P<unit>%|ms|us|µs|s|min|h|kB|KB|MB|GB|KiB|MiB|GiB|MB/s|kB/s|/s|B|x)?(?![\w.]|\.\d)"
)
_SEPARATE: Final = re.compile(r"[,;(){}\[\]|\"]|(?<=\S): |->")
_ID: Final = re.compile(
    r"\b(?=[0-9a-f]*\d)[0-9a-f]{7,64}\b|(?<![\w.])v?\d+(?:\.\d+){2,}(?:-[\w.]+)?\b|(?<![\w.])v\d+(?:\.\d+)*\b"
)
_UNITS: Final[Mapping[str, tuple[Dimension, float]]] = {
    "%": ("ratio", 0.01),
    "us": ("time", 1e-6),
    "µs": ("time", 1e-6),
    "ms": ("time", 1e-3),
    "s": ("time", 1.0),
    "min": ("time", 60.0),
    "h": ("time", 3600.0),
    "B": ("bytes", 1.0),
    "kB": ("bytes", 1e3),
    "KB": ("bytes", 1e3),
    "MB": ("bytes", 1e6),
    "GB": ("bytes", 1e9),
    "KiB": ("bytes", 1024.0),
    "MiB": ("bytes", 1024.0**2),
    "GiB": ("bytes", 1024.0**3),
    "kB/s": ("bytes", 1e3),
    "MB/s": ("bytes", 1e6),
    "x": ("factor", 1.0),
}
_KEYED: Final = re.compile(r"[\"']?([A-Za-z_][\w.-]*)[\"']?\s*[=:]\s*[\"']?$")
_KEY_UNITS: Final[tuple[tuple[re.Pattern[str], Dimension, float], ...]] = (
    (re.compile(r"(?:_|\b)(?:ms|msec|millis|milliseconds)$"), "time", 1e-3),
    (re.compile(r"(?:_|\b)(?:s|sec|secs|seconds)(?:_(?:sum|total|bucket|count))?$"), "time", 1.0),
    (re.compile(r"(?:_|\b)(?:min|mins|minutes)$"), "time", 60.0),
    (re.compile(r"(?:_|\b)hours$"), "time", 3600.0),
    (re.compile(r"(?:_|\b)days$"), "time", 86400.0),
    (re.compile(r"(?:_|\b)bytes(?:_total)?$"), "bytes", 1.0),
    (re.compile(r"(?:_|\b)kb$"), "bytes", 1e3),
    (re.compile(r"(?:_|\b)mb$"), "bytes", 1e6),
    (re.compile(r"(?:_|\b)(?:percent|pct)$"), "ratio", 0.01),
    (re.compile(r"(?:_|\b)ratio$"), "ratio", 1.0),
)


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A number that a result states. `value` is in the base of its dimension, `tolerance` is how it was rounded.

    `quoted` where it lies in the quote itself; `at` is the moment of a sample; `sign` is a diff line's; `printed` is
    the bare number behind a key, which may be said without its unit.
    """

    value: float
    dimension: Dimension
    keys: frozenset[str]
    tolerance: float = 0.0
    role: Role = ""
    at: datetime | None = None
    per_s: bool = False
    quoted: bool = True
    sign: str = ""
    series: int = -1
    printed: float | None = None


@dataclass(frozen=True, kw_only=True)
class Moment:
    """A moment that a result states, and of what: the words of the event."""

    at: datetime
    words: frozenset[str]
    service: str = ""
    quoted: bool = True
    header: bool = False


@dataclass(frozen=True, kw_only=True)
class Id:
    """A version or commit; `role` tells whether it is the one before or the one now."""

    text: str
    role: Role = ""


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
    cells = () if authored(evidence.arguments).values else tuple(_cells(clean, rows, spans))
    quote = text[found.start : found.end]
    return Cited(
        evidence=evidence,
        quote=quote,
        span=(found.start, found.end),
        lines=lines,
        rows=rows,
        cells=cells,
        moments=tuple(_moments(clean, rows, spans, evidence)),
        ids=tuple(_ids(clean, rows)),
        words=stem_set(clean) | _row_words(rows) | (stem_set("query sql statement") if _SQL.search(clean) else set()),
        context=_context(evidence, rows),
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


def _cells(clean: str, rows: Sequence[Row], spans: Sequence[tuple[int, int]]) -> Iterator[Cell]:
    offset = 0
    for line in clean.split("\n"):
        row = _row_of(line, rows)
        inside = [(a - offset, b - offset) for a, b in spans]
        if isinstance(row, Moved):
            yield from _moved_cells(row)
        elif isinstance(row, Sampled):
            yield from _sampled_cells(row, line, inside, rows.index(row))
        elif isinstance(row, Configured):
            yield from _configured_cells(row)
        else:
            yield from _scanned(line, row, inside, _section(line, row))
        offset += len(line) + 1


def _section(line: str, row: Row | None) -> frozenset[str]:
    """The words of the table or block that a setting stands in."""
    text = row.diff if isinstance(row, Altered) else row.text if isinstance(row, Contents) else ""
    lines = [one.lstrip("+- ").rstrip() for one in text.split("\n")]
    wanted = line.lstrip("+- ").rstrip()
    if wanted not in lines:
        return frozenset()
    heads = [one for one in lines[: lines.index(wanted)] if re.fullmatch(r"\[+[\w.\" -]+\]+|[\w-]+:", one)]
    return stem_set(heads[-1]) if heads else frozenset()


def _row_of(line: str, rows: Sequence[Row]) -> Row | None:
    bare = line.strip()
    fitting = [r for r in rows if r.line and (r.line.strip() in bare or bare in r.line)]
    return max(fitting, key=lambda r: len(r.line), default=rows[0] if rows else None)


_MOVED_UNITS: Final[Mapping[str, tuple[Dimension, float, bool]]] = {
    "s": ("time", 1.0, False),
    "ratio": ("ratio", 1.0, False),
    "bytes": ("bytes", 1.0, False),
    "bytes/s": ("bytes", 1.0, True),
    "/s": ("count", 1.0, True),
    "s/s": ("time", 1.0, True),
    "MB": ("bytes", 1e6, False),
    "Percent": ("ratio", 0.01, False),
    "Seconds": ("time", 1.0, False),
    "Milliseconds": ("time", 1e-3, False),
}


def _moved_cells(row: Moved) -> Iterator[Cell]:
    dimension, scale, per_s = _MOVED_UNITS.get(row.unit, ("count", 1.0, row.unit.endswith("/s")))
    keys = stem_set(f"{row.indicator} {row.service} {row.peer}")
    roles: tuple[tuple[Role, float | None], ...] = (
        ("before", row.before),
        ("now", row.now),
        ("", row.lowest),
        ("", row.highest),
    )
    for role, value in roles:
        if value is not None:
            tolerance = 0.006 * abs(value * scale)
            yield Cell(value=value * scale, dimension=dimension, keys=keys, tolerance=tolerance, role=role, per_s=per_s)
    if row.ratio is not None:
        yield Cell(value=row.ratio, dimension="factor", keys=keys, tolerance=0.006 * abs(row.ratio), role="ratio")
    if row.example:
        yield from _scanned(row.example, None, [(0, len(row.example))])


def _configured_cells(row: Configured) -> Iterator[Cell]:
    """The numbers of a setting, then and now, by the name of the key and of the sections that it stands in."""
    section, _, name = row.key.rpartition(".")
    keys = stem_set(f"{section} {name} {row.service}")
    moved = row.kind == "changed"
    values: tuple[tuple[Role, str | None], ...] = (
        ("before" if moved or row.value is None else "", row.before if row.kind != "same" else None),
        ("now" if moved else "", row.value),
    )
    for role, value in values:
        written = f"{name}={value}"
        for cell in _scanned(written, None, [(0, len(written))]) if value is not None else ():
            yield replace(cell, role=role, keys=cell.keys | keys)


def unit_of(name: str, counted: str) -> tuple[Dimension, float, bool]:
    """Dimension, scale and whether it is per second, by a metric's name."""
    per_s = counted == "rate"
    if per_s and name.endswith(("_count", "_bucket")):
        return "count", 1.0, True
    for pattern, dimension, scale in _KEY_UNITS:
        if pattern.search(name):
            return dimension, scale, per_s
    return "count", 1.0, per_s


def _sampled_cells(row: Sampled, line: str, inside: Sequence[tuple[int, int]], number: int) -> Iterator[Cell]:
    dimension, scale, per_s = unit_of(row.name, row.counted)
    keys = stem_set(f"{row.name} {row.service} {' '.join(row.labels.values())}")
    places = [m.span() for m in re.finditer(r"\d\d:\d\d:\d\d=\S+", line)]
    for n, (at, value) in enumerate(row.points):
        place = places[n] if len(places) == len(row.points) else (0, len(line))
        yield Cell(
            value=value * scale,
            dimension=dimension,
            keys=keys,
            tolerance=0.0006 * abs(value * scale),
            at=at,
            per_s=per_s,
            quoted=any(a < place[1] and b > place[0] for a, b in inside),
            series=number,
        )


def _scanned(
    line: str, row: Row | None, inside: Sequence[tuple[int, int]], section: frozenset[str] = frozenset()
) -> Iterator[Cell]:
    bare = line
    for pattern in _NO_NUMBER:
        bare = pattern.sub(lambda m: " " * len(m[0]), bare)
    sign = line[:1] if isinstance(row, Altered) and line[:1] in "+-" else ""
    for match in _NUMBER.finditer(bare):
        start, end = match.span()
        whole, decimals = match["whole"].replace(",", ""), match["decimals"] or ""
        try:
            value = float(whole + decimals + (match["exponent"] or ""))
        except (ValueError, OverflowError):
            continue
        step = 10.0 ** -(len(decimals) - 1) if decimals else 1.0
        keyed = _KEYED.search(bare[:start].rstrip('"'))
        key = keyed[1] if keyed else ""
        dimension, scale, per_s = _unit(match["unit"] or ("x" if match["x"] else ""), key)
        before = _SEPARATE.split(bare[:start])[-1]
        after = _SEPARATE.split(bare[end:])[0]
        near = stems(before)[-4:] + stems(after)[:4]
        role: Role = ""
        if bare[end : end + 2] == "->":
            role = "before"
        elif bare[max(0, start - 2) : start] == "->":
            role = "now"
        if sign:
            role = "before" if sign == "-" else "now"
        if role and not match["unit"] and dimension == "count" and role == "before":
            other = _NUMBER.match(bare, end + 2)
            if other and other["unit"]:
                dimension, scale, per_s = _unit(other["unit"], key)
        yield Cell(
            value=value * scale,
            dimension=dimension,
            keys=frozenset(near) | stem_set(key) | (section if key else frozenset()),
            tolerance=0.5 * step * scale if decimals else 0.0,
            role=role,
            per_s=per_s,
            quoted=any(a < end and b > start for a, b in inside),
            sign=sign,
            printed=value if key else None,
        )


def _unit(unit: str, key: str) -> tuple[Dimension, float, bool]:
    if unit == "/s":
        return "count", 1.0, True
    if unit:
        dimension, scale = _UNITS[unit]
        return dimension, scale, unit.endswith("/s")
    for pattern, dimension, scale in _KEY_UNITS:
        if key and pattern.search(key):
            return dimension, scale, False
    return "count", 1.0, False


_DEPLOYED: Final = stem_set("deployed deployment deploy change release version live went")
_BEGAN: Final = stem_set("onset began begin beginning start incident symptom")


def _moments(clean: str, rows: Sequence[Row], spans: Sequence[tuple[int, int]], evidence: Evidence) -> Iterator[Moment]:
    offset = 0
    base = evidence.taken_at.astimezone(UTC)
    for line in clean.split("\n"):
        row = _row_of(line, rows)
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
    clocks = _CLOCK.finditer(_ISO.sub(lambda m: " " * len(m[0]), line))
    for match in [*_ISO.finditer(line), *clocks]:
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


def _ids(clean: str, rows: Sequence[Row]) -> Iterator[Id]:
    for line in clean.split("\n"):
        row = _row_of(line, rows)
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


def _row_words(rows: Sequence[Row]) -> frozenset[str]:
    """What the rows are about, in the words that people have for it."""
    return stem_set(" ".join(word for row in rows for word in _words_of(row)))


def _words_of(row: Row) -> Iterator[str]:
    yield next((words for kind, words in _KIND_WORDS if isinstance(row, kind)), "")
    if isinstance(row, Moved):
        yield f"{row.indicator} {row.family} {'calls' if row.peer else ''}"
        yield "requests" if _OF_REQUESTS.search(f"{row.family} {row.indicator}") else ""
    elif isinstance(row, Logged):
        yield row.level
        yield {"new": "pattern first new", "grown": "pattern often grown frequent"}.get(row.shift, "")
    elif isinstance(row, Searched):
        yield f"{row.what} {' '.join(row.wanted.values())}{_levels_above(row.wanted.get('level', ''))}"
    elif isinstance(row, State):
        yield row.name
    elif isinstance(row, Alerted):
        yield f"{row.name} {row.state} {row.severity}"
    elif isinstance(row, Configured):
        yield f"{row.key} {row.path} {row.value} {row.before} {_BECAME[row.kind]}"
    elif isinstance(row, Filed):
        yield f"{row.kind} {row.kind}s {row.title} {row.state} {row.severity}"
    elif isinstance(row, Sampled):
        yield "rate" if row.counted == "rate" else ""
        yield "fail failed error" if any(re.fullmatch(r"[45]\d\d", v) for v in row.labels.values()) else ""


_KIND_WORDS: Final[tuple[tuple[type[Row], str], ...]] = (
    (Changed, "deployment deployed change release diff version summary title cause candidate"),
    (Altered, "deployment deployed change release diff version summary title code"),
    (Logged, "log logged logs line lines"),
    (Began, "onset began uncertainty margin within"),
    (Suspect, "ranking ranks suspect confidence place abnormal behind ahead"),
    (Unread, "read answer unavailable"),
    (State, "runs state up"),
    (Alerted, "alert alerts fires firing fired active"),
    (Silenced, "silence silences silenced muted alert alerts"),
    (Contents, "configuration configured setting file code line"),
    (Tracked, "file files repository exists changed"),
    (Configured, "configuration configured config setting settings set value key file version"),
    (Filed, "open opened seen first last times"),
    (Noted, "note notes comment wrote says said"),
    (Traced, "request trace"),
    (Sampled, "series metric"),
)
_BECAME: Final[Mapping[str, str]] = {
    "": "",
    "same": "unchanged same",
    "changed": "changed change moved altered",
    "added": "new added introduced",
    "removed": "removed gone dropped",
}
_OF_REQUESTS: Final = re.compile(r"error|latency|traffic|request|calls")
_SQL: Final = re.compile(r"\b(?:SELECT|INSERT INTO|UPDATE \w+ SET|DELETE FROM|ORDER BY|GROUP BY|LIMIT \?)")
_LEVELS: Final = ("trace", "debug", "info", "warn warning", "error", "critical", "fatal")


def _levels_above(level: str) -> str:
    """What is covered by a search from a level upwards."""
    place = next((n for n, names in enumerate(_LEVELS) if level in names.split()), len(_LEVELS))
    return "".join(f" {names}" for names in _LEVELS[place:])


_TOOL_WORDS: Final[Mapping[str, str]] = {
    "rank_causes": "ranking ranks engine evidence suspect indicator",
    "what_changed": "changes change list deployments",
    "compare_windows": "comparison window compared windows earlier later indicator",
    "read_diff": "diff change changes deployment adds removes line lines file",
    "compare_versions": "diff change changes deployment adds removes line lines file",
    "search_logs": "log logs logged lines files",
    "log_patterns": "log logs patterns",
    "latest_metrics": "metrics counter counts metric page",
    "metric_history": "metrics history series metric",
    "query": "prometheus metric query",
    "query_range": "prometheus metric query",
    "service_status": "status state runs version",
    "file_at": "file configuration config",
    "trace_breakdown": "traces requests time",
    "list_alerts": "alerts alert prometheus",
    "search_code": "code source line file repository",
    "list_files": "files file repository",
    "read_config": "configuration config settings setting file",
}


def _context(evidence: Evidence, rows: Sequence[Row]) -> frozenset[str]:
    """Words of the result as a whole: what it is, what was asked of it, what a diff is about."""
    told = [_TOOL_WORDS.get(evidence.tool, evidence.tool), evidence.source]
    told += [str(v) for k, v in evidence.arguments.items() if k in ("service", "level", "contains", "name", "state")]
    for row in rows:
        if isinstance(row, Altered):
            told += [row.summary, *row.files, row.diff if len(row.diff) < 6_000 else ""]
        if isinstance(row, Contents):
            told += [row.path, row.text if len(row.text) < 6_000 else ""]
        if isinstance(row, Configured | Tracked):
            told.append(row.path)
        told.append(row.service)
    for row in evidence.rows:
        if isinstance(row, Searched):
            told += [row.what, *row.wanted.values()]
    return stem_set(plain(" ".join(told)))


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
    return tuple(_cells(clean, rows_at(evidence, lines), [(0, len(clean))]))
