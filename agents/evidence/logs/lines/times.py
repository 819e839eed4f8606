"""Times as programs spell them, to moments in UTC: a table of spellings, each with the words it is made of.

ISO 8601 is read by the standard library, numbers by their size, and everything with names of months, halves of a day or
an order that differs from country to country by dateutil. Nothing is guessed in silence: a moment says whether its line
named a zone, and a day that could be read in two orders is not read until the file's other lines tell which it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Literal, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dateutil import parser as dateutil_parser

_AHEAD = timedelta(days=1)  # clocks differ and zones are misread: a line is at most so much newer than its file
_EPOCH_SINCE = 1e9  # seconds: 2001; below that a number is a count or the time since boot
_EPOCH_UNTIL = 1e10
# Abbreviations that stand for one zone only.
_OFFSETS = """
UTC=0 GMT=0 Z=0 UCT=0 WET=0 WEST=1 CET=1 CEST=2 MEZ=1 MESZ=2 EET=2 EEST=3 MSK=3 SAST=2 WAT=1 CAT=2 EAT=3 PKT=5
NPT=5.75 WIB=7 SGT=8 HKT=8 AWST=8 JST=9 KST=9 ACST=9.5 AEST=10 ACDT=10.5 AEDT=11 NZST=12 NZDT=13 EST=-5 EDT=-4
CDT=-5 MST=-7 MDT=-6 PST=-8 PDT=-7 AKST=-9 AKDT=-8 HST=-10 BRT=-3 ART=-3 NDT=-2.5 NST=-3.5
"""
_ABBREVIATIONS: Mapping[str, float] = {
    name: float(hours) for name, _, hours in (pair.partition("=") for pair in _OFFSETS.split())
}
# And those that stand for several: known to be zones, but only the configured one says which.
_SEVERAL = ("CST", "IST", "BST", "AST", "ADT", "WST", "GST", "PYT", "CLT", "COT", "PET")

MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_DAY = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*"
_CLOCK = r"(?P<clock>\d{1,2}:\d{2}:\d{2})(?:[.,:](?P<fraction>\d{1,9}))?(?!\d)"
_LETTERS = "|".join(sorted((*_ABBREVIATIONS, *_SEVERAL), key=len, reverse=True))
ZONE = rf"(?P<zone>[+-]\d{{2}}:?\d{{2}}(?!\d)|[+-]\d{{2}}(?![\d:])|(?:{_LETTERS})\b|[A-Z][a-z]+/[A-Z][A-Za-z_]+)"


@dataclass(frozen=True, kw_only=True)
class LineTime:
    """A point in time (aware UTC). `zoned` and `dated` as in ParsedLine."""

    at: datetime
    zoned: bool
    dated: bool = True


Order = Literal["dmy", "mdy", "ymd"]
ORDERS: tuple[Order, ...] = get_args(Order)


@dataclass(frozen=True, kw_only=True)
class LineDefaults:
    """What a line may leave out: the zone, the year or day (the file was last written at `written`), and the order of
    day, month and year in numbers, None while it is not known.
    """

    zone: tzinfo
    written: datetime
    order: Order | None = None


Reader = Callable[[Mapping[str, str | None], LineDefaults], LineTime | None]


@dataclass(frozen=True, kw_only=True)
class Spelling:
    """`pattern` has the named groups that `read` takes. `name` is told to people."""

    name: str
    pattern: str
    read: Reader


def _microseconds(fraction: str | None) -> timedelta:
    return timedelta(microseconds=int((fraction or "0")[:6].ljust(6, "0")))


def zoned(moment: datetime, name: str | None, setting: LineDefaults) -> LineTime:
    """A wall clock time in the zone that the line names; in the configured one where it names none that is certain."""
    name = (name or "").strip()
    found: tzinfo | None = None
    if name[:1] in ("+", "-"):
        digits = name[1:].replace(":", "").ljust(4, "0")
        offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:4]))
        found = timezone(offset if name[0] == "+" else -offset)
    elif name and moment.replace(tzinfo=setting.zone).tzname() == name:
        found = setting.zone
    elif name in _ABBREVIATIONS:
        found = timezone(timedelta(hours=_ABBREVIATIONS[name]))
    elif "/" in name:
        found = _region(name)
    aware = moment.replace(tzinfo=found or setting.zone)
    return LineTime(at=aware.astimezone(UTC), zoned=found is not None)


@lru_cache(maxsize=64)
def _region(name: str) -> tzinfo | None:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return None


def _iso(parts: Mapping[str, str | None], setting: LineDefaults) -> LineTime:
    moment = datetime.fromisoformat(f"{parts['y']}-{parts['m']}-{parts['d']}T{parts['clock']}")
    return zoned(moment + _microseconds(parts["fraction"]), parts["zone"], setting)


def _packed(parts: Mapping[str, str | None], setting: LineDefaults) -> LineTime:
    """Digits only; two of a year stand for this century."""
    day, clock = parts["day"] or "", (parts["clock"] or "").replace(":", "").replace(" ", "0").zfill(6)
    moment = datetime.strptime(f"{'20' if len(day) == 6 else ''}{day}{clock}", "%Y%m%d%H%M%S")  # noqa: DTZ007
    return zoned(moment + _microseconds(parts["fraction"]), parts["zone"], setting)


@lru_cache(maxsize=4096)
def _day(text: str, *, year_first: bool = False) -> datetime | None:
    """Midnight of a date in words, by dateutil; lines of the same day have the same text."""
    try:
        found = dateutil_parser.parse(text, yearfirst=year_first, ignoretz=True, default=datetime(1970, 1, 1))  # noqa: DTZ001
    except (ValueError, OverflowError):
        return None
    return found if isinstance(found, datetime) else None


def _clock(parts: Mapping[str, str | None]) -> timedelta:
    """The time of day. Raises ValueError for an hour that no clock shows."""
    hour, minute, second = (int(number) for number in (parts["clock"] or "").split(":"))
    half = (parts.get("half") or "").upper()
    if half:
        hour = hour % 12 + (12 if half == "PM" else 0)
    if hour > 23 or minute > 59 or second > 60:
        raise ValueError(parts["clock"])
    return timedelta(hours=hour, minutes=minute, seconds=second) + _microseconds(parts["fraction"])


def _named(parts: Mapping[str, str | None], setting: LineDefaults) -> LineTime | None:
    """A date with the name of its month."""
    found = _day(f"{parts['date']} {parts.get('year') or ''}".replace("/", " "))
    return zoned(found + _clock(parts), parts.get("zone"), setting) if found else None


def _yearless(parts: Mapping[str, str | None], setting: LineDefaults) -> LineTime | None:
    """The latest year in which the line is not newer than its file."""
    day = " ".join((parts.get("date") or f"{parts['m']}-{parts['d']}").split())
    found = _latest(day, (setting.written + _AHEAD).year, (setting.written + _AHEAD).timetuple().tm_yday)
    return zoned(found + _clock(parts), parts.get("zone"), setting) if found else None


@lru_cache(maxsize=1024)
def _latest(day: str, year: int, day_of_year: int) -> datetime | None:
    """The day in the latest year in which it is not after that day."""
    for candidate in range(year, year - 5, -1):
        found = _day(f"{candidate}-{day}", year_first=True)  # None on the 29th of February of most years
        if found is not None and (candidate < year or found.timetuple().tm_yday <= day_of_year):
            return found
    return None


def _local(parts: Mapping[str, str | None], setting: LineDefaults) -> LineTime | None:
    """Numbers in a country's order. None while several orders are possible and the file has not shown which it is."""
    possible = _readings(parts, setting)
    if setting.order is not None:
        return possible.get(setting.order)
    return next(iter(possible.values())) if len({moment.at for moment in possible.values()}) == 1 else None


def _readings(parts: Mapping[str, str | None], setting: LineDefaults) -> dict[Order, LineTime]:
    """The moment in every order that makes a date, and none that is newer than the file."""
    first, second, third = parts["a"] or "", parts["b"] or "", parts["c"] or ""
    by_order: dict[Order, tuple[str, str, str]] = {"dmy": (third, second, first)}
    if not parts.get("dot"):  # 30.11.2026: with dots the day comes first
        by_order["mdy"] = (third, first, second)
        if len(third) == 2:
            by_order["ymd"] = (first, second, third)
    found: dict[Order, LineTime] = {}
    for order, (year, month, day) in by_order.items():
        full = int(year) + (2000 if len(year) < 4 else 0)
        spelled = _day(f"{full}-{month}-{day}", year_first=True)
        if spelled is not None:
            moment = zoned(spelled + _clock(parts), parts.get("zone"), setting)
            if moment.at <= setting.written + _AHEAD:
                found[order] = moment
    return found


def _epoch(parts: Mapping[str, str | None], _setting: LineDefaults) -> LineTime | None:
    return epoch(float(parts["number"] or 0))


def epoch(number: float) -> LineTime | None:
    """Seconds, milliseconds, microseconds or nanoseconds since 1970, by their size; None for other numbers."""
    for _ in range(3):
        if number >= _EPOCH_UNTIL:
            number /= 1_000
    if not _EPOCH_SINCE <= number < _EPOCH_UNTIL:
        return None
    return LineTime(at=datetime.fromtimestamp(number, tz=UTC), zoned=True)


def _clock_only(parts: Mapping[str, str | None], setting: LineDefaults) -> LineTime | None:
    """The latest day on which the line is not newer than its file. A file of several days says so elsewhere."""
    local = setting.written.astimezone(setting.zone)
    moment = local.replace(hour=0, minute=0, second=0, microsecond=0) + _clock(parts)
    if moment > local + timedelta(minutes=5):
        moment -= timedelta(days=1)
    return LineTime(at=moment.astimezone(UTC), zoned=False, dated=False)


# In the order in which they are tried before a file has shown which it uses.
ACCESS = "day and month name (access log)"
LOCAL = "numbers in a country's order"
SPELLINGS: tuple[Spelling, ...] = (
    Spelling(
        name="ISO 8601",
        pattern=rf"(?P<y>\d{{4}})(?P<sep>[-/.])(?P<m>\d{{2}})(?P=sep)(?P<d>\d{{2}})(?:[T\s_]|,? | - |-(?=\d\d[.:]))"
        rf"(?P<clock>\d{{2}}:\d{{2}}:\d{{2}})(?:[.,:](?P<fraction>\d{{1,9}}))?(?!\d)\s?{ZONE}?",
        read=_iso,
    ),
    Spelling(
        name=ACCESS,
        pattern=rf"(?P<date>\d{{1,2}}/{MONTH}/\d{{4}})[: ]{_CLOCK}\s?{ZONE}?",
        read=_named,
    ),
    Spelling(
        name="month name, day and year",
        pattern=rf"(?:{_DAY},? )?(?P<date>{MONTH} {{1,2}}\d{{1,2}}),? (?P<year>\d{{4}}),? {_CLOCK}"
        rf"\s?(?P<half>[AP]M)?\s?{ZONE}?",
        read=_named,
    ),
    Spelling(
        name="month name and year at the end (ctime)",
        pattern=rf"(?:{_DAY},? )?(?P<date>{MONTH} {{1,2}}\d{{1,2}}) {_CLOCK}"
        rf"(?: (?P<zone>{_LETTERS}))? (?P<year>\d{{4}})",
        read=_named,
    ),
    Spelling(
        name="month name and day without a year (syslog)",
        pattern=rf"(?P<date>{MONTH} {{1,2}}\d{{1,2}}) {_CLOCK}(?: (?P<zone>{_LETTERS})(?=[:\s]))?",
        read=_yearless,
    ),
    Spelling(
        name="day, month name and year",
        pattern=rf"(?:{_DAY},? )?(?P<date>\d{{1,2}}[- ]{MONTH}[- ]\d{{4}})(?:::?|[ T]){_CLOCK}\s?{ZONE}?",
        read=_named,
    ),
    Spelling(
        name="day and month name without a year",
        pattern=rf"(?P<date>\d{{1,2}} {MONTH}) {_CLOCK}",
        read=_yearless,
    ),
    Spelling(
        name="klog",
        pattern=r"(?P<m>\d{2})(?P<d>\d{2}) (?P<clock>\d{2}:\d{2}:\d{2})\.(?P<fraction>\d{6})(?P<zone>)",
        read=_yearless,
    ),
    Spelling(
        name="digits without separators",
        pattern=r"(?P<day>20\d{6}|\d{6})[ T:\-]{1,2}(?P<clock>[\d ]\d:\d{2}:\d{2}|\d{6})"
        rf"(?:[.,:](?P<fraction>\d{{1,9}}))?(?!\d)(?:{ZONE})?",
        read=_packed,
    ),
    Spelling(
        name="month and day in digits, without a year",
        pattern=r"(?P<m>\d{2})-(?P<d>\d{2})[ |](?P<clock>\d{2}:\d{2}:\d{2})(?:[.,](?P<fraction>\d{1,9}))?",
        read=_yearless,
    ),
    Spelling(
        name=LOCAL,
        pattern=rf"(?P<a>\d{{1,2}})(?P<sep>[/\-]|(?P<dot>\.))(?P<b>\d{{1,2}})(?P=sep)(?P<c>\d{{4}}|\d{{2}}),?[ T]"
        rf"{_CLOCK}\s?(?P<half>[AP]M|[ap]m)?\s?{ZONE}?",
        read=_local,
    ),
    Spelling(
        name="seconds since 1970",
        pattern=r"(?:msg=audit\()?(?P<number>1\d{9}(?:\d{3}){0,3}(?:\.\d{1,9})?)(?=[\s:;,|\])]|$)",
        read=_epoch,
    ),
    Spelling(name="time of day only", pattern=rf"{_CLOCK}", read=_clock_only),
)
