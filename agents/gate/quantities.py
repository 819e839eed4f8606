"""Quantities as people write them: numerals of any script or in words, with unit, rounding and hedge.

Clock times, dates, versions, ids and paths are taken out first: they are types of their own and bear no quantity.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from agents.gate.words import plain

Dimension = Literal["time", "bytes", "ratio", "factor", "count"]
Hedge = Literal["", "about", "over", "under", "almost", "least", "most", "exact"]

_ONES: Final = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
_TENS: Final = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_WORDS: Final[Mapping[str, float]] = {
    **{word: float(n) for n, word in enumerate(_ONES)},
    **{word: float(n) for n, word in zip(range(20, 100, 10), _TENS, strict=True)},
}
_POWERS: Final[Mapping[str, float]] = {
    "hundred": 1e2,
    "thousand": 1e3,
    "million": 1e6,
    "billion": 1e9,
    "dozen": 12.0,
}
_PARTS: Final[Mapping[str, float]] = {
    "half": 1 / 2,
    "halves": 1 / 2,
    "third": 1 / 3,
    "thirds": 1 / 3,
    "quarter": 1 / 4,
    "quarters": 1 / 4,
    "fifth": 1 / 5,
    "fifths": 1 / 5,
    "tenth": 1 / 10,
    "tenths": 1 / 10,
    "twentieth": 1 / 20,
    "fiftieth": 1 / 50,
    "hundredth": 1 / 100,
    "hundredths": 1 / 100,
    "thousandth": 1 / 1000,
}
_FACTORS: Final[Mapping[str, float]] = {
    "twice": 2.0,
    "double": 2.0,
    "doubled": 2.0,
    "doubles": 2.0,
    "twofold": 2.0,
    "thrice": 3.0,
    "triple": 3.0,
    "tripled": 3.0,
    "triples": 3.0,
    "quadrupled": 4.0,
    "quadruple": 4.0,
    "tenfold": 10.0,
    "halved": 0.5,
    "halves": 0.5,
}
_UNITS: Final[Mapping[str, tuple[Dimension, float]]] = {
    **dict.fromkeys(("%", "percent", "pct", "per cent", "percentage points"), ("ratio", 0.01)),
    **dict.fromkeys(("ns", "nanoseconds"), ("time", 1e-9)),
    **dict.fromkeys(("us", "µs", "μs", "microseconds", "microsecond"), ("time", 1e-6)),
    **dict.fromkeys(("ms", "msec", "millisecond", "milliseconds"), ("time", 1e-3)),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), ("time", 1.0)),
    **dict.fromkeys(("min", "mins", "minute", "minutes"), ("time", 60.0)),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), ("time", 3600.0)),
    **dict.fromkeys(("d", "day", "days"), ("time", 86400.0)),
    **dict.fromkeys(("week", "weeks"), ("time", 604800.0)),
    **dict.fromkeys(("b", "byte", "bytes"), ("bytes", 1.0)),
    **dict.fromkeys(("kb", "kilobytes", "kilobyte"), ("bytes", 1e3)),
    **dict.fromkeys(("mb", "megabytes", "megabyte"), ("bytes", 1e6)),
    **dict.fromkeys(("gb", "gigabytes", "gigabyte"), ("bytes", 1e9)),
    **dict.fromkeys(("tb", "terabytes", "terabyte"), ("bytes", 1e12)),
    **dict.fromkeys(("kib",), ("bytes", 1024.0)),
    **dict.fromkeys(("mib",), ("bytes", 1024.0**2)),
    **dict.fromkeys(("gib",), ("bytes", 1024.0**3)),
    **dict.fromkeys(("x", "fold", "times"), ("factor", 1.0)),
    **dict.fromkeys(("k",), ("count", 1e3)),
}
_HEDGES: Final[Mapping[str, Hedge]] = {
    **dict.fromkeys(("about", "some", "roughly", "around", "approximately", "circa", "ca.", "~", "near"), "about"),
    **dict.fromkeys(("more than", "over", "above", "exceeding", "upwards of", "beyond"), "over"),
    **dict.fromkeys(("less than", "under", "below", "fewer than", "within", "not quite"), "under"),
    **dict.fromkeys(("almost", "nearly", "close to", "just under", "just over", "a little over"), "almost"),
    **dict.fromkeys(("at least", "no less than", "not less than"), "least"),
    **dict.fromkeys(("at most", "up to", "no more than"), "most"),
    **dict.fromkeys(("exactly", "precisely", "only"), "exact"),
}
_HEDGED: Final = re.compile(
    r"(?:^|(?<=[\s(]))(" + "|".join(re.escape(h) for h in sorted(_HEDGES, key=len, reverse=True)) + r")"
    r"\s*(?:the |its |their |a |an )?$"
)
_CLOCK: Final = re.compile(r"(?<![\d:.])([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d)(?:[.,]\d+)?)?(?![\d:])")
_DATE: Final = re.compile(
    r"\b\d{4}-\d\d-\d\d(?:[tT ](?=\d\d:))?|\b\d{1,2}\.? (?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov"
    r"|dec)[a-z]*(?: \d{4})?\b"
    r"|\b(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]* \d{1,2}\b",
    re.IGNORECASE,
)
_ISO: Final = re.compile(r"\d{4}-\d\d-\d\d[tT ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:z|[+-]\d\d:?\d\d)?", re.IGNORECASE)
_SHA: Final = re.compile(
    r"(?<![\w/.-])(?=[0-9a-f]*\d)(?:(?=[0-9a-f]*[a-f])[0-9a-f]{6,64}|[0-9a-f]{16,64}|\d{8,40}(?=\b(?!"
    r" ?[%a-z])))(?!\w|\.\w)"
)
_DOTTED: Final = re.compile(r"(?<![\w.])v?\d+(?:\.\d+){2,}(?:-[\w.]+)?\b|(?<![\w.])v\d+(?:\.\d+)*\b", re.IGNORECASE)
_PATH: Final = re.compile(r"(?<![\w%])/?(?:[\w.{}:@-]+/)+[\w.{}-]*\w\}?|(?<=[\s(`'\"])/[\w{}.-]+")
_NAMED: Final = re.compile(r"\b(?:[a-z]+[-_]?\d+[a-z\d]*|\d+(?:xx|st|nd|rd|th)|p\d\d(?:\.\d)?)\b(?!-fold)")
_CODE: Final = re.compile(
    r"\b(?:with|status|code|http|a|an|answers?|statuses|than|as|by) "
    r"([1-5]\d\d)(?!\w|[.,]\d|%| ?(?:ms|s|mb|seconds?|requests?|calls?)\b)"
)
_NUMBER: Final = re.compile(
    r"(?<![\w.,])[-+]?(\d{1,3}(?:[,' ]\d{3})+(?![\d])|\d+)(\.\d+)?(e[-+]?\d+)?(?=$|[^\w.]|[a-zµμ%]|\.(?!\d))",
    re.IGNORECASE,
)
_UNIT: Final = re.compile(
    r"\s?-?(percentage points|per cent|%|"
    + "|".join(sorted((re.escape(u) for u in _UNITS if u.isalpha()), key=len, reverse=True))
    + r")(?![a-z])"
)
_PER: Final = re.compile(
    r"\s*(?:/\s?(s|sec|second|min|minute|h|hour)\b|(?:per|a|an|each|every) (second|minute|hour)\b)"
)


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """`value` is in the base of its dimension (seconds, bytes, 1 for ratios). `tolerance` is what rounding allows.

    `per_s` where it is said to be a second; `span` is where it stands in the plain text.
    """

    value: float
    dimension: Dimension
    tolerance: float
    hedge: Hedge
    span: tuple[int, int]
    per_s: bool = False
    written: str = ""


@dataclass(frozen=True, kw_only=True)
class Parsed:
    """A sentence with its typed parts. `rest` has blanks where they stood, so that places stay what they are."""

    text: str
    rest: str
    clocks: tuple[tuple[str, int], ...]
    dates: tuple[str, ...]
    ids: tuple[tuple[str, int], ...]
    paths: tuple[str, ...]
    codes: tuple[str, ...]
    words: str
    quantities: tuple[Quantity, ...]


def parse(statement: str) -> Parsed:
    """The typed parts of one sentence."""
    text = plain(statement).lower()
    rest = text
    ids: list[tuple[str, int]] = []
    for pattern in (_DOTTED, _SHA):
        ids += [(match[0], match.start()) for match in pattern.finditer(rest)]
        rest = pattern.sub(_blank, rest)
    dates = [match[0].strip(" t") for match in _DATE.finditer(rest)]
    rest = _DATE.sub(_blank, rest)
    clocks = [(_clock(match), match.start()) for match in _CLOCK.finditer(rest)]
    rest = _CLOCK.sub(_blank, rest)
    paths = [match[0] for match in _PATH.finditer(rest)]
    rest = _PATH.sub(_blank, rest)
    rest = re.sub(r"\b(\d\d)th percentile", lambda m: f"p{m[1]}".ljust(len(m[0])), rest)
    codes = [match[1] for match in _CODE.finditer(rest)]
    for code in codes:
        rest = re.sub(rf"\b{code}\b", " " * 3, rest)
    named = _NAMED.sub(_blank, rest)
    found = _quantities(named)
    return Parsed(
        text=text,
        rest=rest,
        clocks=tuple(clocks),
        dates=tuple(dates),
        ids=tuple(ids),
        paths=tuple(paths),
        codes=tuple(codes),
        words=_words_left(plain(statement), text, rest, found),
        quantities=found,
    )


def _words_left(cased: str, text: str, rest: str, found: Iterable[Quantity]) -> str:
    """The sentence in its own case without its typed parts."""
    left = list(cased if len(cased) == len(rest) else rest)
    for place in range(len(left)):
        if rest[place] == " " and text[place] != " ":
            left[place] = " "
    for quantity in found:
        left[quantity.span[0] : quantity.span[1]] = " " * (quantity.span[1] - quantity.span[0])
    return "".join(left)


def _clock(match: re.Match[str]) -> str:
    return f"{int(match[1]):02d}:{match[2]}" + (f":{match[3]}" if match[3] else "")


def _blank(match: re.Match[str]) -> str:
    return " " * len(match[0])


_SPELLED: Final = "|".join(sorted({*_WORDS, *_POWERS}, key=len, reverse=True))
_SPELLED_NUMBER: Final = re.compile(
    rf"\b(?:a )?(?:{_SPELLED})(?:(?:[- ]| and )(?:{_SPELLED})\b)*(?:-fold)?(?:\s(?:and a half))?(?![a-z])"
)
_PART: Final = "|".join(sorted(_PARTS, key=len, reverse=True))
_FRACTION: Final = re.compile(
    r"\b(?:(?P<many>a|an|one|two|three|four|five|six|seven|eight|nine)[ -])?"
    rf"(?P<part>{_PART})\b(?P<of> of an?| an?| of)?"
)
_ONE_IN: Final = re.compile(rf"\b(one|two|three|\d+) (?:in|out of|in every|out of every) (\d+|{'|'.join(_ONES)})\b")
_MIXED: Final = re.compile(rf"\b({'|'.join(_ONES)}|\d+) and a half (millisecond|second|minute|hour|day)s?\b")
_ARTICLE: Final = re.compile(r"\b(a|an|one|single) (millisecond|second|minute|hour|day)\b")


def _quantities(rest: str) -> tuple[Quantity, ...]:
    """Ratios and numerals first, then fractions, factors and words; no stretch is read twice."""
    reader = _Reader(rest=rest)
    for pattern, read in (
        (_ONE_IN, reader.ratio),
        (_MIXED, reader.mixed),
        (_NUMBER, reader.numeral),
        (_FRACTION, reader.fraction),
        (_FACTOR, reader.factor),
        (_SPELLED_NUMBER, reader.spelled),
        (_ARTICLE, reader.article),
    ):
        for match in pattern.finditer(rest):
            if reader.is_free(match):
                read(match)
    return tuple(reader.found)


@dataclass(kw_only=True)
class _Reader:
    """Takes the quantities out of a sentence, one pattern after the other."""

    rest: str
    found: list[Quantity] = field(default_factory=list)
    taken: list[tuple[int, int]] = field(default_factory=list)

    def is_free(self, match: re.Match[str]) -> bool:
        return all(match.end() <= start or match.start() >= end for start, end in self.taken)

    def ratio(self, match: re.Match[str]) -> None:
        """`one in three`."""
        many, of = _number_of(match[1]), _number_of(match[2])
        if of:
            self._add(match.span(), many / of, "ratio", 0.06 * many / of)

    def mixed(self, match: re.Match[str]) -> None:
        """`two and a half seconds`."""
        dimension, scale = _UNITS[match[2]]
        self._add(match.span(), (_number_of(match[1]) + 0.5) * scale, dimension, 0.1 * scale)

    def numeral(self, match: re.Match[str]) -> None:
        whole = match[1].replace(",", "").replace("'", "").replace(" ", "")
        try:
            value = float(whole + (match[2] or "") + (match[3] or ""))
            step = _step(match[2], match[3])
        except OverflowError:
            return
        self._with_unit(match, value, step)

    def fraction(self, match: re.Match[str]) -> None:
        """`half a second`, `almost three quarters`; `third` alone may be an ordinal."""
        if match["part"] in ("third", "fifth", "tenth") and not match["many"]:
            return
        value = _WORDS.get(match["many"] or "", 1.0) * _PARTS[match["part"]]
        unit = _UNIT.match(self.rest, match.end()) if match["of"] else None
        if unit:
            dimension, scale = _UNITS[unit[1]]
            self._add((match.start(), unit.end()), value * scale, dimension, 0.05 * value * scale)
        else:
            self._add(match.span(), value, "ratio", 0.05 * value)

    def factor(self, match: re.Match[str]) -> None:
        value = _FACTORS[match[1]]
        self._add(match.span(), value, "factor", 0.1 * value)

    def spelled(self, match: re.Match[str]) -> None:
        alone = match[0].strip() in ("one", "a") and _UNIT.match(self.rest, match.end()) is None
        if alone and not self.rest[: match.start()].endswith(_COUNTED):
            return
        value = _spelled(match[0])
        self._with_unit(match, value, _step_of(value))

    def article(self, match: re.Match[str]) -> None:
        """`a second before` is a length of time; `7 charges a second` is not."""
        is_length = re.match(r"\s+(?:before|after|later|earlier|ago)", self.rest[match.end() :]) is not None
        if is_length or not _PER.match(self.rest, max(match.start() - 1, 0)):
            dimension, scale = _UNITS[match[2]]
            self._add(match.span(), scale, dimension, 0.5 * scale)

    def _with_unit(self, match: re.Match[str], value: float, step: float) -> None:
        end = match.end()
        dimension: Dimension = "count"
        scale = 1.0
        unit = _UNIT.match(self.rest, end)
        if match[0].endswith("-fold") or self.rest[max(0, match.start() - 1) : match.start()] == "x":
            dimension = "factor"
        elif unit and (unit[1] != "times" or _COMPARED.match(self.rest, unit.end())):
            dimension, scale = _UNITS[unit[1]]
            end = unit.end()
        per = _PER.match(self.rest, end) is not None
        if dimension == "count" and not per:
            per = re.match(r"\s+(?:[a-z]+ ){1,3}(?:per|a|/)\s?second\b", self.rest[end:]) is not None
        self._add((match.start(), end), value * scale, dimension, 0.5 * step * scale, per_s=per)

    def _add(
        self, span: tuple[int, int], value: float, dimension: Dimension, tolerance: float, *, per_s: bool = False
    ) -> None:
        ahead = _HEDGED.search(self.rest[: span[0]])
        self.taken.append(span)
        self.found.append(
            Quantity(
                value=value,
                dimension=dimension,
                tolerance=tolerance,
                hedge=_HEDGES[ahead[1]] if ahead else "",
                span=span,
                per_s=per_s,
                written=self.rest[span[0] : span[1]].strip(),
            )
        )


_COUNTED: Final = ("only ", "exactly ", "has ", "runs ", "with ", "single ")
_FACTOR: Final = re.compile(r"\b(" + "|".join(_FACTORS) + r")\b")
_COMPARED: Final = re.compile(
    r"\s*(?:slower|faster|higher|lower|more|less|as|longer|shorter|larger|smaller|bigger|greater|the|its)"
)


def _step(decimals: str | None, exponent: str | None) -> float:
    """The value of the last digit that counts."""
    step = 10.0 ** -(len(decimals) - 1) if decimals else 1.0
    return float(step * (10.0 ** int(exponent[1:]) if exponent else 1.0))


def _step_of(value: float) -> float:
    return 0.5 if value != int(value) else 1.0


def _number_of(text: str) -> float:
    return float(text) if text.isdigit() else _WORDS.get(text, 0.0)


def _spelled(text: str) -> float:
    words = re.split(r"[- ]+", text.replace("-fold", "").strip())
    total = current = 0.0
    for place, word in enumerate(words):
        if word == "half" and place:
            current += 0.5
        elif word in _WORDS:
            current += _WORDS[word]
        elif word in _POWERS:
            current = (current or 1.0) * _POWERS[word]
            if _POWERS[word] >= 1e3:
                total, current = total + current, 0.0
    return total + current
