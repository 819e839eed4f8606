"""Since when something happens, as people and alerts say it: clock times, dates, ranges, lengths of time in numbers or
words, "ago".

Times of day without a zone are in the person's own. A day that is not named is the last on which that time has been.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from agents.language.service_names import plain

_NUMBERS: Final = {
    word: float(number)
    for number, words in enumerate(
        ("", "one a an", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
    )
    for word in words.split()
} | {
    "fifteen": 15.0,
    "twenty": 20.0,
    "thirty": 30.0,
    "forty": 40.0,
    "fifty": 50.0,
    "couple": 2.0,
    "a couple": 2.0,
    "a couple of": 2.0,
    "couple of": 2.0,
    "few": 3.0,
    "a few": 3.0,
    "several": 4.0,
    "half": 0.5,
    "half a": 0.5,
    "half an": 0.5,
    "quarter of an": 0.25,
    "a quarter of an": 0.25,
}
_SECONDS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_COUNT: Final = r"\d{1,5}(?:[.,]\d+)?|(?<![A-Za-z])(?:" + "|".join(sorted(_NUMBERS, key=len, reverse=True)) + ")"
_UNIT: Final = r"s(?:ec(?:ond)?s?)?|m(?:in(?:ute)?s?)?|h(?:(?:ou)?rs?)?|d(?:ays?)?|w(?:(?:ee)?ks?)?"
_ONE: Final = rf"(?:{_COUNT})(?:(?<=\d)[ -]?|[ -])(?:{_UNIT})(?![A-Za-z])(?: and a half)?"
_LENGTH: Final = rf"(?P<length>(?:{_ONE})(?:,? ?(?:and )?{_ONE}){{0,2}})"
_PIECE: Final = re.compile(
    rf"(?P<count>{_COUNT})(?:(?<=\d)[ -]?|[ -])(?P<unit>{_UNIT})(?![A-Za-z])(?P<half> and a half)?",
    re.IGNORECASE,
)
_ABOUT: Final = (
    r"(?:(?:the|about|around|roughly|approximately|over|more than|at least|nearly|almost|like|last|past|~)\s*)*"
)
_FOR: Final = re.compile(
    rf"\b(?:for|since|within|over|in|last|past)\s+{_ABOUT}{_LENGTH}\b(?!\s+(?:before|after|later))", re.IGNORECASE
)
_AGO: Final = re.compile(rf"\b{_LENGTH}\s+(?:ago|back)\b", re.IGNORECASE)
_LAST: Final = re.compile(r"\b(?:last|past)\s+(?P<unit>minute|hour|day|week)\b", re.IGNORECASE)

_DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAY: Final = (
    r"(?P<day>today|yesterday|last night|this (?:morning|afternoon|evening)|tonight|(?:last |on )?(?:"
    + "|".join(_DAYS)
    + r")|\d{4}-\d{2}-\d{2}|\d{1,2}(?:st|nd|rd|th)?(?: of)? (?:"
    + "|".join(_MONTHS)
    + r")[a-z]*|(?:"
    + "|".join(_MONTHS)
    + r")[a-z]* \d{1,2}(?:st|nd|rd|th)?)"
)
_ZONE: Final = r"(?P<zone>Z\b|UTC\b|GMT\b|[+-]\d{2}:?\d{2}\b)"
_CLOCK: Final = (
    r"(?:(?P<hour>\d{1,2})(?:[:.h](?P<minute>\d{2})(?::(?P<second>\d{2})(?:\.\d+)?)?)?\s?(?P<half>[ap]\.?m\b\.?)?|(?P<named>noon|midnight))"
    r"(?:\s?h\b|\s?o'clock)?" + rf"(?:\s?{_ZONE})?"
)
_FROM: Final = (
    r"(?:since|from|after|between|starting(?: at)?|started(?: at)?|began(?: at)?|beginning(?: at)?|at|around|about|@)"
)
_MOMENTS: Final = (
    re.compile(rf"(?P<day>\d{{4}}-\d{{2}}-\d{{2}})[T ]+{_CLOCK}", re.IGNORECASE),
    re.compile(rf"\b{_FROM}\s+(?:about |around |~|at )?{_DAY},?\s+(?:at |around |about )?{_CLOCK}", re.IGNORECASE),
    re.compile(rf"\b{_DAY},?\s+(?:at|around|about|from|since)\s+{_CLOCK}", re.IGNORECASE),
    re.compile(rf"\b{_FROM}\s+(?:about |around |~|at )?{_CLOCK}(?:\s+(?:on )?{_DAY})?", re.IGNORECASE),
    re.compile(
        r"\b(?P<hour>\d{1,2}):(?P<minute>\d{2})(?P<second>(?!))?(?P<half>(?!))?(?P<named>(?!))?\s?(?:-|\u2013|to|until)\s?\d{1,2}:\d{2}"
        rf"\s?{_ZONE}?(?P<day>(?!))?"
    ),
    re.compile(
        rf"\b(?:since|from)\s+{_DAY}(?P<hour>(?!))?(?P<minute>(?!))?(?P<second>(?!))?(?P<half>(?!))?(?P<named>(?!))?(?P<zone>(?!))?",
        re.IGNORECASE,
    ),
)
_OPENS: Final = {"this morning": 6, "this afternoon": 12, "this evening": 18, "tonight": 18, "last night": -3}


def since(text: str, now: datetime, zone: tzinfo = UTC) -> datetime | None:
    """When it began by what the text says (aware UTC); None where it says nothing of it, or a time to come."""
    if (length := _length(plain(text))) is not None:
        return (now - length).astimezone(UTC)
    return clock_since(text, now, zone)


def clock_since(text: str, now: datetime, zone: tzinfo = UTC) -> datetime | None:
    """The same, of what is told by clock or calendar: that which depends on a zone."""
    text = plain(text)
    for pattern in _MOMENTS:
        for found in pattern.finditer(text):
            moment = _moment(found, now, zone)
            if moment is not None and moment <= now:
                return moment.astimezone(UTC)
    return None


def told_in_utc(text: str, now: datetime, zone: str) -> str:
    """A sentence that says in UTC since when it is, where the text tells it by clock or calendar; else ""."""
    try:
        began = None if _length(plain(text)) is not None else clock_since(text, now, ZoneInfo(zone or "UTC"))
    except (ZoneInfoNotFoundError, ValueError):
        began = None
    return "" if began is None else f"That is since {began:%Y-%m-%d %H:%M} UTC."


def _length(text: str) -> timedelta | None:
    for pattern in (_AGO, _FOR):
        if found := pattern.search(text):
            return _sum(found["length"])
    if found := _LAST.search(text):
        return timedelta(seconds=_SECONDS[found["unit"][0].lower()])
    return None


def _sum(length: str) -> timedelta:
    seconds = 0.0
    for piece in _PIECE.finditer(length):
        unit = _SECONDS[piece["unit"][0].lower()]
        count = piece["count"].lower()
        many = _NUMBERS[count] if count in _NUMBERS else float(count.replace(",", "."))
        seconds += (many + (0.5 if piece["half"] else 0.0)) * unit
    return timedelta(seconds=seconds)


def _moment(found: re.Match[str], now: datetime, zone: tzinfo) -> datetime | None:
    where = _zone(found["zone"]) or zone
    local = now.astimezone(where)
    day = _day(found["day"], local)
    if found["day"] and day is None:
        return None
    clock = _clock(found, (found["day"] or "").lower())
    if clock is None:
        return None
    base = day or local
    try:
        moment = base.replace(hour=0, minute=0, second=0, microsecond=0) + clock
    except ValueError:
        return None
    return moment - timedelta(days=1) if day is None and moment > local else moment


def _clock(found: re.Match[str], day: str) -> timedelta | None:
    if found["named"]:
        return timedelta(hours=12 if found["named"].lower() == "noon" else 0)
    if found["hour"] is None:
        return timedelta(hours=_OPENS.get(day, 0))
    hour, minute = int(found["hour"]), int(found["minute"] or 0)
    half = (found["half"] or "").lower()[:1]
    if not half and found["minute"] is None:
        return None  # a bare number is a count
    if half:
        hour = hour % 12 + (12 if half == "p" else 0)
    if hour > 23 or minute > 59:
        return None
    return timedelta(hours=hour, minutes=minute, seconds=int(found["second"] or 0))


def _zone(name: str | None) -> tzinfo | None:
    if not name:
        return None
    if name[0] in "+-":
        digits = name[1:].replace(":", "")
        offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
        return timezone(offset if name[0] == "+" else -offset)
    return UTC


def _day(name: str | None, local: datetime) -> datetime | None:
    """The named day's date in the zone of `local`; of weekdays and dates without a year the last one."""
    words = (name or "").lower()
    if not words:
        return None
    if words == "yesterday":
        return local - timedelta(days=1)
    if words in _OPENS or words == "today":
        return local
    weekday = words.split()[-1]
    if weekday in _DAYS:
        return local - timedelta(days=(local.weekday() - _DAYS.index(weekday)) % 7)
    return _date(words, local)


def _date(words: str, local: datetime) -> datetime | None:
    try:
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", words):
            year, month, day = (int(part) for part in words.split("-"))
            return local.replace(year=year, month=month, day=day)
        day = int(re.sub(r"\D", "", words))
        month = next(n for n, name in enumerate(_MONTHS, start=1) if re.search(rf"\b{name}", words))
        found = local.replace(month=month, day=day)
        return found if found <= local + timedelta(days=1) else found.replace(year=local.year - 1)
    except (ValueError, StopIteration):
        return None
