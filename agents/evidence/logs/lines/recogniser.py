"""Reads the lines of one file: learns from some of them which forms it uses, and says how many it understands.

Every line is tried with the forms that the file's other lines have, then with all; several forms in one file are usual
where a program and its libraries, or a program and its container engine, write to the same place.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo
from itertools import pairwise

from agents.evidence.logs.lines import layouts
from agents.evidence.logs.lines.access import request_fields
from agents.evidence.logs.lines.documents import Document, load, read_document, read_pairs, records
from agents.evidence.logs.lines.layouts import LAYOUTS, Layout, named
from agents.evidence.logs.lines.levels import LEVELS, find_level, level_named, marked_level, syslog_level
from agents.evidence.logs.lines.parsed import ParsedLine
from agents.evidence.logs.lines.times import ACCESS, LOCAL, ORDERS, LineDefaults, LineTime, Order
from agents.evidence.logs.requests_in_logs import request_in

_CONTROL = re.compile(r"\x1b\[[0-9;]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]")
_MAYBE_TIME = re.compile(r"\d:\d\d:\d\d|\d{6}")
_HEAD = 400  # characters in which the head of a line ends
_PAIRS = re.compile(r"[A-Za-z_@][\w.@/-]{0,80}=\S*\s")
_W3C = re.compile(r"\d{4}-\d{2}-\d{2}[ \t]\d{2}:\d{2}:\d{2}[ \t]")
_LEVELS = frozenset((*LEVELS, "alert"))
_NESTED = 3  # a container engine's line that holds a collector's that holds the program's
_SYSLOG = "month name and day without a year (syslog)"
_REDIS_ROLE = re.compile(r"\d+:[A-Z]|\[\d+\]")
_PLAIN = re.compile(r"\s|[)\]}]|\.\.\.|at |Caused by|Traceback|During handling|The above exception|#\d")
_SHOWN_FORMS = 3
_FRESH = timedelta(days=2)


@dataclass(frozen=True, kw_only=True)
class Understood:
    """What is understood of a file's lines: those with a time among those that begin an entry, by what form.

    Lines without a time that look like the rest of an entry, as in a stack trace, count neither way.
    """

    lines: int
    timed: int
    forms: tuple[str, ...]
    zoneless: int
    undated: int
    example: str = ""

    @property
    def share(self) -> float:
        return self.timed / self.lines if self.lines else 1.0


class Recogniser:
    """Turns the lines of a file into time, level, message and fields. Times that name no zone are in `zone`."""

    def __init__(self, zone: tzinfo, *, written: datetime, order: Order | None = None) -> None:
        self._setting = LineDefaults(zone=zone, written=written, order=order)
        self._layouts: list[Layout] = list(LAYOUTS)
        self._columns: Sequence[str] = ()

    @classmethod
    def learned(cls, lines: Iterable[bytes], zone: tzinfo, *, written: datetime) -> Recogniser:
        """One that has seen some of a file's lines, in their order."""
        sample = list(lines)
        made = cls(zone, written=written)
        made.see_columns(sample)
        parsed = [made.read(raw) for raw in sample]
        made._prefer(Counter(one.form for one in parsed if one.time is not None))
        unclear = [raw for raw, one in zip(sample, parsed, strict=True) if one.time is None or one.form == LOCAL]
        order = _order_of(unclear, made._setting)
        made._setting = replace(made._setting, order=order)
        return made

    def see_columns(self, lines: Iterable[bytes]) -> None:
        """W3C's extended format (IIS, CloudFront) names its columns in the file: https://www.w3.org/TR/WD-logfile"""
        for raw in lines:
            if raw.startswith(b"#Fields:"):
                self._columns = raw.decode("utf-8", "replace").split()[1:]

    def _prefer(self, forms: Mapping[str, int]) -> None:
        self._layouts.sort(key=lambda layout: -forms.get(layout.spelling.name, 0))

    def understood(self, lines: Iterable[bytes]) -> Understood:
        parsed = [(self.read(raw), raw) for raw in lines if raw.strip() and not raw.startswith(b"#")]
        timed = [one for one, _ in parsed if one.time is not None]
        other = [one for one, raw in parsed if one.time is None and not _PLAIN.match(raw.decode("utf-8", "replace"))]
        forms = Counter(one.form for one in timed)
        return Understood(
            lines=len(timed) + len(other),
            timed=len(timed),
            forms=tuple(form for form, _ in forms.most_common(_SHOWN_FORMS)),
            zoneless=sum(1 for one in timed if not one.zoned),
            undated=sum(1 for one in timed if not one.dated),
            example=other[0].text[:80] if other else "",
        )

    def read(self, raw: bytes) -> ParsedLine:
        """Never raises: what cannot be understood is text without a time."""
        line = clean(raw)
        try:
            return self._line(line, 0)
        except (ValueError, OverflowError, OSError):  # a day or hour that no calendar has, a year beyond all clocks
            return ParsedLine(time=None, level="", text=line)

    def entries(self, raw: bytes) -> list[ParsedLine]:
        """The same, but for the lines that hold a whole batch of records."""
        if b'"resourceLogs"' in raw[:200] and (document := load(clean(raw))) is not None:
            return [self._document(record, "", 0) for record in records(document)]
        return [self.read(raw)]

    def _line(self, line: str, depth: int) -> ParsedLine:
        if line.startswith("{") and (document := load(line)) is not None:
            return self._document(records(document)[0], line, depth)
        if depth < _NESTED and (wrapped := self._wrapped(line, depth)) is not None:
            return wrapped
        pairs = read_pairs(line, self._time_of) if _PAIRS.match(line) else None
        if pairs is not None and (pairs.moment or pairs.level):
            return self._from_document(pairs, line, "logfmt", depth)
        if self._columns and _W3C.match(line):
            return self._in_columns(line)
        text = self._text(line, depth)
        return self._from_document(pairs, line, "logfmt", depth) if pairs and text.time is None else text

    def _time_of(self, text: str) -> LineTime | None:
        """The time that a value is, from its first character on."""
        for layout in self._layouts:
            if (found := layout.head.match(text[:_HEAD])) and (moment := self._moment(layout, found)):
                return moment
        return None

    def _moment(self, layout: Layout, found: re.Match[str]) -> LineTime | None:
        try:
            return layout.spelling.read(found.groupdict(), self._setting)
        except (ValueError, OverflowError, OSError):
            return None

    # Lines that name their parts

    def _document(self, document: Mapping[str, object], line: str, depth: int) -> ParsedLine:
        return self._from_document(read_document(document, self._time_of), line, "JSON", depth)

    def _from_document(self, document: Document, line: str, form: str, depth: int) -> ParsedLine:
        moment, level, text, fields = document.moment, document.level, document.text, dict(document.fields)
        inner = self._inner(document.inner, depth) if document.inner and depth < _NESTED else None
        if inner is not None:
            moment = _surer(moment, inner)
            level = level or inner.level
            if inner.fields or inner.form in ("JSON", "logfmt"):
                text, fields = inner.text, {**inner.fields, **fields}
        told = text if text is not None else line
        if not level and fields:
            level = _status_level(fields)
        return ParsedLine(
            time=moment.at if moment else None,
            level=level,
            text=told.rstrip("\n"),
            fields=fields,
            zoned=moment.zoned if moment else True,
            dated=moment.dated if moment else True,
            form=form,
            partial=document.partial,
        )

    def _inner(self, text: str, depth: int) -> ParsedLine:
        """A message that may be a whole line itself."""
        found = self._line(clean_text(text), depth + 1)
        return found if found.level else replace(found, level=find_level(text)[0])

    def _in_columns(self, line: str) -> ParsedLine:
        values = line.split("\t") if "\t" in line else line.split(" ")
        row = {k: v for k, v in zip(self._columns, values, strict=False) if v != "-"}
        moment = self._time_of(f"{row.pop('date', '')}T{row.pop('time', '')}Z")  # the format's times are UTC
        fields = {**row, **_w3c_request(row)}
        return ParsedLine(
            time=moment.at if moment else None,
            level=_status_level(fields),
            text=line,
            fields=fields,
            form="W3C columns",
        )

    # What stands in front of another line

    def _wrapped(self, line: str, depth: int) -> ParsedLine | None:
        if found := layouts.CRI.match(line):
            rest = replace(self._rest(found, depth, self._time_of(found["time"])), form="container runtime (CRI)")
            return replace(rest, partial=found["flag"] == "P", fields={**rest.fields, "stream": found["stream"]})
        if found := layouts.SYSLOG_5424.match(line):
            moment = self._time_of(found["time"])
            rest = self._rest(found, depth, moment, syslog_level(int(found["priority"])))
            extra = named(found, "host", "program", "pid")
            return replace(rest, form="syslog (RFC 5424)", fields={**extra, **rest.fields})
        if found := layouts.SYSLOG_PRIORITY.match(line):
            rest = self._rest(found, depth, None)
            return replace(rest, level=rest.level or syslog_level(int(found["priority"])))
        if (found := layouts.COMPOSE.match(line)) and not level_named_exactly(found["source"]):
            rest = self._rest(found, depth, None)
            return replace(rest, fields={"source": found["source"], **rest.fields})
        if found := layouts.KUBECTL.match(line) or layouts.FLUENTD.match(line):
            moment = self._time_of(found["time"]) if "time" in found.groupdict() else None
            rest = self._rest(found, depth, moment)
            return replace(rest, fields={"source": found["source"], **rest.fields})
        return None

    def _rest(self, found: re.Match[str], depth: int, outer: LineTime | None, level: str = "") -> ParsedLine:
        """What follows a prefix, with the prefix's time and level where it has none of its own."""
        inner = self._line(found["rest"] or "", depth + 1)
        if not inner.level and inner.time is None:
            said, cut = find_level(inner.text)
            inner = replace(inner, level=said, text=inner.text[cut:])
        moment = _surer(outer, inner)
        return replace(
            inner,
            level=inner.level or level,
            time=moment.at if moment else None,
            zoned=moment.zoned if moment else True,
            dated=moment.dated if moment else True,
        )

    # Lines of text

    def _text(self, line: str, depth: int) -> ParsedLine:
        head = line[:_HEAD]
        if not _MAYBE_TIME.search(head):
            return ParsedLine(time=None, level="", text=line)
        for layout in self._layouts:
            found = layout.head.match(head)
            if found is None:
                continue
            moment = self._moment(layout, found)
            if moment is not None:
                return self._after_head(line, found, layout, moment, depth)
        return ParsedLine(time=None, level="", text=line)

    def _after_head(self, line: str, found: re.Match[str], layout: Layout, moment: LineTime, depth: int) -> ParsedLine:
        rest = line[found.end() :]
        made = ParsedLine(
            time=moment.at, level="", text=rest, zoned=moment.zoned, dated=moment.dated, form=layout.spelling.name
        )
        if request := request_fields(line):
            return replace(made, text=line, fields=request, level=_status_level(request))
        if layout.spelling.name == ACCESS:
            return replace(made, text=line)
        before, letter = found["before"].strip(), found["letter"] or (found["attached"] or "")[:1]
        level = level_named_exactly(before.split()[0]) if before else ""
        level = level or level_named_exactly((found["attached"] or "").rstrip("[")) or level_named_exactly(letter)
        if before and not level:
            made = replace(made, fields={"source": before})
        is_syslog = layout.spelling.name == _SYSLOG
        tag = (layouts.SYSLOG_TAG if is_syslog else layouts.PROCESS_TAG).match(rest)
        if tag is not None and not (level_named_exactly(tag["host"] or "") or level_named_exactly(tag["program"])):
            made = replace(made, fields={**made.fields, **named(tag, "host", "program", "pid")})
            rest = tag["rest"]
        if depth < _NESTED and (rest.lstrip().startswith("{") or _PAIRS.match(rest.lstrip()) or tag is not None):
            inner = self._line(rest.lstrip(), depth + 1)
            if inner.time is not None or inner.form:
                surer = _surer(moment, inner) or moment
                return replace(
                    inner,
                    time=surer.at,
                    zoned=surer.zoned,
                    dated=surer.dated,
                    fields={**made.fields, **inner.fields},
                    level=level or inner.level,
                    form=made.form,
                )
        said, cut = marked_level(rest) if _REDIS_ROLE.fullmatch(before) else find_level(rest)
        if before and level and not said:
            cut = 0
        return replace(made, level=level or said, text=rest[cut:].strip() or rest.strip())


def clean(raw: bytes) -> str:
    """Text without colours, other control characters and the line's end."""
    return clean_text(raw.decode("utf-8", errors="replace"))


def clean_text(text: str) -> str:
    return _CONTROL.sub("", text).rstrip().removeprefix("\ufeff")


def level_named_exactly(word: str) -> str:
    """The level that a word is, with or without what surrounds it; "" for any other word."""
    level = level_named(word.strip("[](),|-#="))
    return level if level in _LEVELS else ""


def _surer(outer: LineTime | None, inner: ParsedLine) -> LineTime | None:
    """The container's or collector's time where it names a zone; the program's own where only that does."""
    own = LineTime(at=inner.time, zoned=inner.zoned, dated=inner.dated) if inner.time is not None else None
    if outer is None or (own is not None and own.zoned and not outer.zoned):
        return own
    return outer


def _status_level(fields: Mapping[str, str]) -> str:
    """An answer that says "my fault" is an error, one that says "your fault" a warning."""
    request = request_in(fields)
    return "" if request is None or request.status < 400 else "error" if request.status >= 500 else "warn"


def _w3c_request(row: Mapping[str, str]) -> Mapping[str, str]:
    found = {"method": row.get("cs-method"), "path": row.get("cs-uri-stem"), "status": row.get("sc-status")}
    return {key: value for key, value in found.items() if value}


def _order_of(lines: Sequence[bytes], setting: LineDefaults) -> Order | None:
    """In which order a file writes day, month and year: the one that makes dates of all lines, growing ones."""
    best: dict[Order, tuple[int, int, datetime]] = {}
    for order in ORDERS:
        tried = Recogniser(setting.zone, written=setting.written, order=order)
        times = [time for raw in lines if (time := tried.read(raw).time) is not None]
        if times:
            best[order] = (len(times), sum(1 for a, b in pairwise(times) if b < a), max(times))
    first = max(((n, -falls) for n, falls, _ in best.values()), default=None)
    chosen = [order for order, (n, falls, _) in best.items() if (n, -falls) == first]
    if len(chosen) > 1:  # a file's last lines are about as old as the file
        chosen = [order for order in chosen if abs(best[order][2] - setting.written) < _FRESH]
    return chosen[0] if len(chosen) == 1 else None
