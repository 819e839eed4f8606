"""The numbers of cited lines as cells, each with its unit, key, moment and place.

Clock times, dates, ids, ports, error numbers and addresses are no numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Literal

from agents.gate.quantities import Dimension
from agents.gate.words import stem_set, stems
from agents.rows import (
    Altered,
    Configured,
    Contents,
    Moved,
    Row,
    Sampled,
)

Role = Literal["", "before", "now", "ratio"]


ISO: Final = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?")


CLOCK: Final = re.compile(r"(?<![\d:.])(\d\d):(\d\d)(?::(\d\d)(?:\.\d+)?)?(?![\d:])")


_NO_NUMBER: Final = (
    ISO,
    CLOCK,
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


def cells_of(clean: str, rows: Sequence[Row], spans: Sequence[tuple[int, int]]) -> Iterator[Cell]:
    offset = 0
    for line in clean.split("\n"):
        row = row_of(line, rows)
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


def row_of(line: str, rows: Sequence[Row]) -> Row | None:
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
