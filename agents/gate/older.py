"""Rows of results that were stored before there were rows, read leniently from their text and facts.

The one place where printed text is read back, and only for what an earlier version printed. A line of another shape is
left out: it costs a finding and never the run.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from agents.rows import (
    Altered,
    Began,
    Changed,
    Contents,
    Logged,
    Moved,
    Printed,
    Role,
    Row,
    Sampled,
    Searched,
    Shift,
    Spent,
    State,
    Suspect,
    Unread,
)

_SUSPECT: Final = re.compile(r"(\d{1,2})\. (\S+) \[(\w+)\](.*)")
_MOVED: Final = re.compile(
    r"(?P<service>[^,>]+?)(?:->(?P<peer>[^,]+))?,(?P<indicator>.+?),(?P<before>[^,>]+?)->(?P<now>[^,>]+?)"
    r",(?:x(?P<ratio>[\d.e+-]+)|new),z=(?P<z>[\d.]+)(?:,(?P<since>\d\d:\d\d:\d\d|-))?(?:,(?P<example>.*))?"
)
_PATTERN: Final = re.compile(
    r"(?P<service>[^,]+),(?P<kind>new|grown|vanished),(?P<level>[^,]*),(?P<was>\d+)->(?P<count>\d+),"
    r"(?P<share_was>[\d.]+)%->(?P<share>[\d.]+)%,(?P<first>\d\d:\d\d:\d\d),(?P<example>.*)"
)
_CHANGED: Final = re.compile(
    r"(?P<service>[^,]+),(?P<kind>\w+),(?P<id>[^,]+),(?P<previous>[^,]*?)->(?P<version>[^,]*),(?P<at>\d\d:\d\d:\d\d),"
    r"(?P<seconds>\d+)s (?P<side>before|after) onset,(?P<verdict>\w+),(?P<score>[\d.]+),(?P<summary>.*)"
)
_ONSET: Final = re.compile(r"onset (\d\d:\d\d:\d\d) UTC \(\+-(\d+)s\), score ([\d.]+)")
_QUANTITY: Final = re.compile(r"(-?[\d.]+(?:e[+-]?\d+)?)(.*)")
_UNITS: Final[Mapping[str, tuple[str, float]]] = {
    "ms": ("s", 1e-3),
    "s": ("s", 1.0),
    "%": ("ratio", 1e-2),
    "MB": ("bytes", 1e6),
    "kB": ("bytes", 1e3),
    "MB/s": ("bytes/s", 1e6),
    "kB/s": ("bytes/s", 1e3),
}
_LOG: Final = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z) ?(trace|debug|info|warn|error|critical|fatal)? ?(.*)"
)
_FIELD: Final = re.compile(r"(?:^|\s)([A-Za-z_][\w.-]*)=(\"[^\"]*\"|\S*)")
_SERIES: Final = re.compile(r"(?P<name>[A-Za-z_:][\w:]*)?(?:\{(?P<labels>.*)\})?(?P<rest>(?::| ).*)")
_LABEL: Final = re.compile(r'([A-Za-z_]\w*)="((?:[^"\\]|\\.)*)"')
_POINT: Final = re.compile(r"(\d\d:\d\d:\d\d)=(\S+)")
_VALUE: Final = re.compile(r" (\S+)(?: \((\w+)\))?$")
_DIFF_HEAD: Final = re.compile(r"(\S+) ([0-9a-f]{7,64}) -> ([0-9a-f]{7,64}) at (\d\d:\d\d:\d\d) UTC: (.*)")
_MOST: Final = "most of the added time: "
_ROLES: Final[Mapping[str, Role]] = {"metric": "metric", "trace": "trace", "line": "line"}
_SHIFTS: Final[Mapping[str, Shift]] = {"new": "new", "grown": "grown", "vanished": "vanished"}
_NOTHING: Final[Mapping[str, str]] = {
    "search_logs": "no matching lines",
    "log_patterns": "no shifted log patterns",
    "what_changed": "no changes",
    "latest_metrics": "no samples",
    "metric_history": "no samples",
    "query": "nothing found",
    "query_range": "nothing found",
    "list_alerts": "nothing found",
    "find_traces": "no such traces",
    "list_deployments": "no deployments",
}
_WHAT: Final[Mapping[str, str]] = {
    "search_logs": "log lines",
    "log_patterns": "shifted log patterns",
    "what_changed": "changes",
    "find_traces": "recorded requests",
    "list_deployments": "deployments",
}
_FILTERS: Final = ("level", "grep", "contains", "name", "operation", "state", "failed", "min_ms")


@dataclass(frozen=True, kw_only=True)
class Older:
    """A stored result as far as it is needed here."""

    tool: str
    arguments: Mapping[str, Any]
    text: str
    facts: Mapping[str, Any]
    taken_at: datetime
    is_error: bool

    @property
    def service(self) -> str:
        named = self.arguments.get("service")
        return named if isinstance(named, str) else ""

    def moment(self, clock: str) -> datetime:
        """The newest moment of that clock time that is not after the result."""
        hour, minute, second = (int(part) for part in clock.split(":"))
        taken = self.taken_at.astimezone(UTC)
        found = taken.replace(hour=hour % 24, minute=minute % 60, second=second % 60, microsecond=0)
        return found if found <= taken + timedelta(minutes=1) else found - timedelta(days=1)


def read_older(older: Older) -> tuple[Row, ...]:
    """Never raises on odd text."""
    first = older.text.partition("\n")[0]
    if older.is_error:
        return (Unread(service=older.service, reason=older.text, line=first),)
    reader = _READERS.get(older.tool, _printed)
    found = list(reader(older))
    if older.tool in _NOTHING:
        found = [_searched(older, found), *found]
    return tuple(found)


def _searched(older: Older, found: Iterable[Row]) -> Searched:
    count = older.facts.get("count")
    rows = [row for row in found if not isinstance(row, Unread)]
    empty = _NOTHING[older.tool] in older.text.splitlines()
    start, end = (_iso(older.facts.get(name)) for name in ("start", "end"))
    filters = {name: str(older.arguments[name]) for name in _FILTERS if older.arguments.get(name)}
    return Searched(
        service=older.service,
        what=_WHAT.get(older.tool, "series"),
        found=count if isinstance(count, int) else len(rows),
        start=start,
        end=end or older.taken_at,
        wanted=filters,
        whole="gap" not in older.facts,
        line=_NOTHING[older.tool] if empty else "",
    )


def _ranking(older: Older) -> Iterator[Row]:
    place = 0
    for raw in older.text.splitlines():
        line = raw.strip()
        if match := _ONSET.fullmatch(line):
            at = _iso(older.facts.get("onset")) or older.moment(match[1])
            yield Began(at=at, within_s=float(match[2]), score=_float(match[3]) or 0.0, line=line)
        elif line.startswith("quiet"):
            what = "indicators outside their normal range"
            yield Searched(what=what, found=0, end=older.taken_at, line=line)
        elif line.startswith("gap: "):
            yield Unread(reason=line.removeprefix("gap: "), part=True, line=line.removeprefix("gap: "))
        elif match := _SUSPECT.fullmatch(line):
            place = int(match[1])
            yield _suspect(match, line)
        else:
            label, _, rest = line.partition(": ")
            of = 0 if label in ("symptom", "other change") else place
            yield from (replace(row, suspect=of) for row in _related(older, label, rest))


def _related(older: Older, label: str, rest: str) -> Iterator[Moved | Logged | Changed]:
    if label == "symptom" or label in _ROLES:
        yield from _moved(older, rest, "symptom" if label == "symptom" else _ROLES[label])
    elif label == "log":
        yield from _pattern(older, rest)
    elif label in ("change", "other change"):
        yield from _changed(older, rest)


def _suspect(match: re.Match[str], line: str) -> Suspect:
    told = dict(re.findall(r"(\w+)=(\S+)", match[4]))
    return Suspect(
        service=match[2],
        place=int(match[1]),
        family=match[3],
        score=_float(told.get("score", "")) or 0.0,
        confidence=told.get("confidence", "low"),
        external=told.get("external", ""),
        explains=tuple(part for part in told.get("explains", "").split("+") if part),
        line=line,
    )


def _tables(older: Older) -> Iterator[Row]:
    for raw in older.text.splitlines():
        line = raw.strip()
        found = [*_changed(older, line), *_pattern(older, line), *_moved(older, line, "compared")]
        yield from found[:1]
        if line.startswith("gap: "):
            yield Unread(reason=line.removeprefix("gap: "), part=True, line=line)
        elif line in ("no shifted log patterns", "no indicator is worse"):
            yield Searched(service=older.service, what=line.removeprefix("no "), found=0, line=line)


def _moved(older: Older, line: str, role: Role) -> Iterator[Moved]:
    if (match := _MOVED.fullmatch(line)) is None:
        return
    before, now = _quantity(match["before"]), _quantity(match["now"])
    if before is None or now is None:
        return
    since = match["since"]
    yield Moved(
        service=match["service"],
        peer=match["peer"] or "",
        indicator=match["indicator"],
        unit=now[1] if now[0] else before[1],
        before=before[0],
        now=now[0],
        ratio=_float(match["ratio"] or ""),
        score=_float(match["z"]) or 0.0,
        since=older.moment(since) if since and since != "-" else None,
        role=role,
        example=match["example"] or "",
        line=line,
    )


def _pattern(older: Older, line: str) -> Iterator[Logged]:
    if match := _PATTERN.fullmatch(line):
        yield Logged(
            service=match["service"],
            example=match["example"].strip(),
            level=match["level"],
            first=older.moment(match["first"]),
            count=int(match["count"]),
            count_before=int(match["was"]),
            share_before=(_float(match["share_was"]) or 0.0) / 100,
            share_now=(_float(match["share"]) or 0.0) / 100,
            shift=_SHIFTS[match["kind"]],
            line=line,
        )


def _changed(older: Older, line: str) -> Iterator[Changed]:
    if (match := _CHANGED.fullmatch(line)) is None:
        return
    known = next(
        (c for c in older.facts.get("changes", ()) if isinstance(c, Mapping) and c.get("id") == match["id"]), {}
    )
    ahead = float(match["seconds"]) * (1 if match["side"] == "before" else -1)
    unknown = ("", "?")
    yield Changed(
        service=match["service"],
        change=match["id"],
        at=_iso(known.get("at")) or older.moment(match["at"]),
        kind=match["kind"],
        version="" if match["version"] in unknown else match["version"],
        previous_version="" if match["previous"] in unknown else match["previous"],
        summary=match["summary"].strip(),
        verdict=match["verdict"],
        before_onset_s=ahead,
        precedes_onset=known.get("precedes_onset"),
        reaches_symptom=known.get("reaches_symptom"),
        score=_float(match["score"]) or 0.0,
        line=line,
    )


def _diff(older: Older) -> Iterator[Row]:
    first = older.text.partition("\n")[0]
    match = _DIFF_HEAD.match(first)
    change = older.facts.get("diff_of") or older.facts.get("change_id") or older.arguments.get("change") or ""
    paths = older.facts.get("paths", ())
    yield Altered(
        service=match[1] if match else older.service,
        change=str(change),
        diff=older.text.partition("\n")[2] if match else older.text,
        from_version=match[2] if match else str(older.arguments.get("from_version", "")),
        to_version=match[3] if match else str(older.arguments.get("to_version", older.facts.get("version", ""))),
        at=older.moment(match[4]) if match else None,
        summary=match[5] if match else "",
        files=tuple(map(str, paths)) if isinstance(paths, list | tuple) else (),
        whole="[cut here:" not in older.text,
        line=first,
    )


def _logs(older: Older) -> Iterator[Row]:
    pending: Logged | None = None
    for line in older.text.splitlines():
        match = _LOG.match(line)
        if match is None:
            if pending is not None:
                pending = replace(pending, example=f"{pending.example}\n{line}", line=f"{pending.line}\n{line}")
            continue
        if pending is not None:
            yield pending
        fields = {name: value.strip('"') for name, value in _FIELD.findall(match[3])}
        cut = _FIELD.search(match[3])
        at = _iso(match[1])
        example = match[3][: cut.start()] if cut else match[3]
        pending = Logged(
            service=older.service, example=example, level=match[2] or "", first=at, last=at, fields=fields, line=line
        )
    if pending is not None:
        yield pending


def _samples(older: Older) -> Iterator[Row]:
    history = older.tool in ("metric_history", "query_range")
    for line in older.text.splitlines():
        if (match := _SERIES.fullmatch(line)) is None:
            continue
        name = (match["name"] or "").rstrip(":")
        points: tuple[tuple[datetime, float], ...] = ()
        counted: Any = "value"
        if history:
            pairs = [(older.moment(at), _float(value)) for at, value in _POINT.findall(match["rest"])]
            points = tuple((at, value) for at, value in pairs if value is not None)
            if older.tool == "metric_history" and re.search(r"_(?:total|sum|count|bucket)$", name):
                counted = "rate"
        elif (value := _VALUE.search(match["rest"])) and (number := _float(value[1])) is not None:
            points = ((older.taken_at, number),)
            counted = "total" if value[2] in ("counter", "histogram_bucket") else "value"
        if points:
            labels = {name: text.replace('\\"', '"') for name, text in _LABEL.findall(match["labels"] or "")}
            yield Sampled(
                service=older.service,
                name=name,
                labels=labels,
                points=points,
                counted=counted,
                line=line,
            )


def _states(older: Older) -> Iterator[Row]:
    named = {key: value for key, _, value in (line.partition(": ") for line in older.text.splitlines()) if value}
    at = _iso(named.get("read_at")) or older.taken_at
    service = older.service or named.get("service", "")
    for key, value in named.items():
        yield State(service=service, name=key, value=value, at=at, line=f"{key}: {value}")


def _contents(older: Older) -> Iterator[Row]:
    path = str(older.facts.get("path") or older.arguments.get("path") or "")
    yield Contents(path=path, version=str(older.facts.get("version") or ""), text=older.text)


def _breakdown(older: Older) -> Iterator[Row]:
    for line in older.text.splitlines():
        if line.startswith(_MOST):
            part = line.removeprefix(_MOST).partition(",")[0]
            callee = part.startswith("calls to ")
            yield Spent(
                service=older.service, part=part, before_s=None, now_s=None, most=True, callee=callee, line=line
            )
    yield Printed(service=older.service, program=older.tool, text=older.text)


def _printed(older: Older) -> Iterator[Row]:
    yield Printed(service=older.service, program=older.tool, text=older.text)


def _none(_older: Older) -> Iterator[Row]:
    yield from ()


def _quantity(text: str) -> tuple[float, str] | None:
    match = _QUANTITY.fullmatch(text.strip())
    number = _float(match[1]) if match else None
    if match is None or number is None:
        return None
    unit, scale = _UNITS.get(match[2], (match[2] or "count", 1.0))
    return number * scale, unit


def _float(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _iso(value: object) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


_READERS: Final[Mapping[str, Callable[[Older], Iterator[Row]]]] = {
    "rank_causes": _ranking,
    "what_changed": _tables,
    "log_patterns": _tables,
    "compare_windows": _tables,
    "trace_breakdown": _breakdown,
    "read_diff": _diff,
    "compare_versions": _diff,
    "show_commit": _diff,
    "search_logs": _logs,
    "latest_metrics": _samples,
    "metric_history": _samples,
    "query": _samples,
    "query_range": _samples,
    "service_status": _states,
    "file_at": _contents,
    "state_hypotheses": _none,
    "fetch_more": _none,
}
