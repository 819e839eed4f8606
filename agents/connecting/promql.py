"""The part of PromQL that an investigation may use, read and written anew so that it speaks of declared services only.

A model writes expressions freely. What is sent is not its text but what was understood of it: selectors, rates,
quantiles, aggregations, ratios, factors between units. Each selector gets a matcher for the declared services. There is
no way to rename a service (`label_replace`), to make a series out of a number (`vector`, `x / x * 93`), or to look past
the matcher. An own reader, because what is refused must be refused here, and parsers that exist print some expressions
differently from what they read. https://prometheus.io/docs/prometheus/latest/querying/basics/
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from agents.errors import BadArguments

Kind = Literal["vector", "range", "number"]

_TOKEN: Final = re.compile(
    r"""\s*(?:
    (?P<duration>(?:\d+(?:ms|[smhdwy]))+(?![\w.]))
    |(?P<number>(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?(?![\w.]))
    |(?P<name>[a-zA-Z_][\w:]*)
    |(?P<text>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`[^`]*`)
    |(?P<sign>=~|!~|!=|==|>=|<=|[-+*/(){}\[\],:=<>])
    )""",
    re.VERBOSE | re.IGNORECASE,
)
_DURATION: Final = re.compile(r"(\d+)(ms|[smhdwy])")
_SECONDS: Final = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800, "y": 31_536_000}
_CLASSIC: Final = re.compile(r"[a-zA-Z_]\w*")
_METRIC: Final = re.compile(r"[a-zA-Z_:][\w:]*")
_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"', "'": "'"}

_OF_RANGE: Final = frozenset(
    (
        *("rate", "irate", "increase", "delta", "idelta", "deriv", "changes", "resets"),
        *("avg_over_time", "min_over_time", "max_over_time", "sum_over_time", "count_over_time", "last_over_time"),
        *("stddev_over_time", "present_over_time"),
    )
)
_OF_VECTOR: Final = frozenset(("abs", "ceil", "floor", "round", "sort", "sort_desc"))
_OF_QUANTILE: Final = {"quantile_over_time": "range", "histogram_quantile": "vector"}
_AGGREGATIONS: Final = frozenset(("sum", "avg", "min", "max", "count", "group", "stddev", "stdvar"))
_WITH_NUMBER: Final = frozenset(("topk", "bottomk", "quantile"))
_COMPARISONS: Final = frozenset(("==", "!=", ">", "<", ">=", "<="))
_LEVELS: Final = (_COMPARISONS, frozenset("+-"), frozenset("*/"))
# Between units: bits, percent, minutes, hours, days, thousands and their binary neighbours.
_FACTORS: Final = frozenset(
    (8.0, 60.0, 100.0, 3600.0, 86_400.0, *(10.0**n for n in range(-9, 10)), *(1024.0**n for n in range(1, 5)))
)
_LONGEST_S: Final = 31 * 86_400
_DEEPEST: Final = 40
_HELP: Final = (
    "use selectors, rate, increase, *_over_time, histogram_quantile, sum/avg/min/max/count/topk/quantile by (...), "
    "+ - * / between them, comparisons, and factors between units such as * 100 or / 1024"
)


@dataclass(frozen=True, kw_only=True)
class Bound:
    """What every selector is held to: the label that names the service, and the values that are declared."""

    label: str
    values: Collection[str]
    """Exact ones, or patterns with `*`."""

    @property
    def matcher(self) -> str:
        pattern = "|".join(matching(value) for value in sorted(self.values))
        return f"{_label(self.label)}=~{_text(pattern)}"


def bounded(promql: str, bound: Bound) -> str:
    """The same expression over the declared services' series alone. Raises BadArguments with what can be asked."""
    reader = _Reader(_tokens(promql), bound)
    kind, written = reader.expression(0)
    reader.end()
    if kind != "vector":
        raise BadArguments(f"promql: a range must stand in rate() or *_over_time(), and a number is no series; {_HELP}")
    return written


def concerns(promql: str, bound: Bound) -> bool:
    """Whether each selector may be about a declared service. False for what is not understood."""
    try:
        reader = _Reader(_tokens(promql), bound)
        reader.expression(0)
        reader.end()
    except BadArguments:
        return False
    return all(any(_fits(value.replace("*", "x"), matchers) for value in bound.values) for matchers in reader.held)


def matching(value: str) -> str:
    """A name, or a pattern with `*`, as the regular expression of a matcher."""
    return ".*".join(re.escape(part) for part in value.split("*"))


def _fits(value: str, matchers: Sequence[tuple[str, str]]) -> bool:
    """Whether this service passes the expression's own matchers on the service's label."""
    try:
        return all(
            (value == wanted if "~" not in sign else re.fullmatch(wanted, value) is not None) != sign.startswith("!")
            for sign, wanted in matchers
        )
    except re.error:
        return False


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str


def _tokens(promql: str) -> list[_Token]:
    found: list[_Token] = []
    if any("\ud800" <= character <= "\udfff" for character in promql):
        raise BadArguments("promql: holds half a character")
    place = 0
    text = promql.rstrip()
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None or match.lastgroup is None:
            raise BadArguments(f"promql: cannot be read from {text[place : place + 20]!r} on; {_HELP}")
        found.append(_Token(match.lastgroup, match[match.lastgroup]))
        place = match.end()
    return found


class _Reader:
    """Recursive descent; each method answers what it read and how it is written."""

    def __init__(self, tokens: list[_Token], bound: Bound) -> None:
        self._tokens = tokens
        self._bound = bound
        self._place = 0
        self._depth = 0
        self.held: list[list[tuple[str, str]]] = []
        """Of each selector its own matchers on the service's label."""

    # Tokens

    def _next(self) -> _Token:
        return self._tokens[self._place] if self._place < len(self._tokens) else _Token("end", "the end")

    def _take(self) -> _Token:
        token = self._next()
        self._place += 1
        return token

    def _sees(self, *signs: str) -> bool:
        return self._next().kind == "sign" and self._next().text in signs

    def _sees_name(self, *names: str) -> bool:
        return self._next().kind == "name" and self._next().text.lower() in names

    def _skip(self, sign: str) -> None:
        if not self._sees(sign):
            raise self._unknown(f"expected {sign!r}")
        self._place += 1

    def _unknown(self, why: str = "not understood") -> BadArguments:
        return BadArguments(f"promql: {self._next().text[:40]!r}: {why}; {_HELP}")

    def end(self) -> None:
        if self._next().kind != "end":
            raise self._unknown()

    # Expressions

    def expression(self, level: int) -> tuple[Kind, str]:
        if level == len(_LEVELS):
            return self._unary()
        kind, written = self.expression(level + 1)
        while self._sees(*_LEVELS[level]):
            sign = self._take().text
            matching = self._matching()
            right_kind, right = self.expression(level + 1)
            kind = self._joined(sign, (kind, written), (right_kind, right))
            written = f"({written} {sign}{matching} {right})"
        return kind, written

    def _joined(self, sign: str, left: tuple[Kind, str], right: tuple[Kind, str]) -> Kind:
        kinds = {left[0], right[0]}
        if "range" in kinds:
            raise BadArguments(f"promql: a range must stand in rate() or *_over_time(); {_HELP}")
        if kinds == {"vector"} or ("vector" in kinds and sign in _COMPARISONS):
            return "vector"
        if kinds == {"number"}:
            raise BadArguments(f"promql: write {left[1]} {sign} {right[1]} as one number; {_HELP}")
        number = float(left[1] if left[0] == "number" else right[1])
        is_factor = abs(number) in _FACTORS and (sign == "*" or (sign == "/" and right[0] == "number"))
        if is_factor or (sign == "-" and left == ("number", "1")):
            return "vector"
        raise BadArguments(f"promql: {sign} {number:g} would make numbers that nobody measured; {_HELP}")

    def _matching(self) -> str:
        if not self._sees_name("on", "ignoring"):
            return ""
        written = f" {self._take().text.lower()} {self._labels()}"
        if self._sees_name("group_left", "group_right"):
            written += f" {self._take().text.lower()} ()"
            if self._sees("("):
                self._skip("(")
                self._skip(")")
        return written

    def _unary(self) -> tuple[Kind, str]:
        if self._sees("-", "+"):
            sign = self._take().text
            kind, written = self._unary()
            return kind, written if sign == "+" else f"-{written}"
        return self._postfix(*self._primary())

    def _primary(self) -> tuple[Kind, str]:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise BadArguments("promql: too deeply nested")
        try:
            token = self._next()
            if token.kind == "number":
                return "number", self._number()
            if self._sees("("):
                self._skip("(")
                kind, written = self.expression(0)
                self._skip(")")
                return kind, written
            if self._sees("{"):
                return "vector", self._selector("")
            if token.kind == "name":
                return self._named()
            raise self._unknown()
        finally:
            self._depth -= 1

    def _named(self) -> tuple[Kind, str]:
        name = self._take().text
        word = name.lower()
        is_called = self._sees("(") or (word in _AGGREGATIONS | _WITH_NUMBER and self._sees_name("by", "without"))
        if not is_called:
            return "vector", self._selector(name)
        if word in _AGGREGATIONS | _WITH_NUMBER:
            return "vector", self._aggregation(word)
        if word in _OF_RANGE:
            return "vector", f"{word}({self._argument('range')})"
        if word in _OF_VECTOR:
            return "vector", f"{word}({self._argument('vector')})"
        if word in _OF_QUANTILE:
            quantile, of = self._number_and("range" if _OF_QUANTILE[word] == "range" else "vector")
            return "vector", f"{word}({quantile}, {of})"
        self._place -= 1
        raise self._unknown("this function cannot be used here")

    def _aggregation(self, word: str) -> str:
        grouping = self._grouping()
        if word in _WITH_NUMBER:
            number, of = self._number_and("vector")
            inner = f"{number}, {of}"
        else:
            inner = self._argument("vector")
        grouping = grouping or self._grouping()
        return f"{word}{grouping} ({inner})"

    def _grouping(self) -> str:
        if not self._sees_name("by", "without"):
            return ""
        return f" {self._take().text.lower()} {self._labels()}"

    def _labels(self) -> str:
        self._skip("(")
        names: list[str] = []
        while not self._sees(")"):
            names.append(_label(self._label_name()))
            if not self._sees(")"):
                self._skip(",")
        self._skip(")")
        return f"({', '.join(names)})"

    def _argument(self, wanted: Kind) -> str:
        self._skip("(")
        written = self._of_kind(wanted)
        self._skip(")")
        return written

    def _number_and(self, wanted: Kind) -> tuple[str, str]:
        self._skip("(")
        number = self._number()
        self._skip(",")
        written = self._of_kind(wanted)
        self._skip(")")
        return number, written

    def _of_kind(self, wanted: Kind) -> str:
        kind, written = self.expression(0)
        if kind != wanted:
            what = {"range": "a range such as x[5m]", "vector": "series", "number": "a number"}[wanted]
            raise BadArguments(f"promql: {what} must stand here, not {written[:60]!r}")
        return written

    def _number(self) -> str:
        token = self._take()
        if token.kind != "number":
            self._place -= 1
            raise self._unknown("expected a number")
        return f"{float(token.text):.12g}"

    # Selectors

    def _selector(self, name: str) -> str:
        if name and not _METRIC.fullmatch(name):
            raise self._unknown("not the name of a metric")
        matchers = [f"__name__={_text(name)}"] if name else []
        self.held.append([])
        if self._sees("{"):
            self._skip("{")
            while not self._sees("}"):
                matchers.append(self._matcher())
                if not self._sees("}"):
                    self._skip(",")
            self._skip("}")
        return "{" + ", ".join([self._bound.matcher, *matchers]) + "}"

    def _matcher(self) -> str:
        is_quoted = self._next().kind == "text"
        name = self._label_name()
        if is_quoted and self._sees(",", "}"):
            return f"__name__={_text(name)}"
        sign = self._take()
        if sign.kind != "sign" or sign.text not in {"=", "!=", "=~", "!~"}:
            self._place -= 1
            raise self._unknown("expected =, !=, =~ or !~")
        if self._next().kind != "text":
            raise self._unknown("expected a value in quotation marks")
        value = _unquoted(self._take().text)
        if name == self._bound.label:
            self.held[-1].append((sign.text, value))
        return f"{_label(name)}{sign.text}{_text(value)}"

    def _label_name(self) -> str:
        token = self._take()
        if token.kind == "text":
            return _unquoted(token.text)
        if token.kind == "name" and _CLASSIC.fullmatch(token.text):
            return token.text
        self._place -= 1
        raise self._unknown("expected the name of a label")

    def _postfix(self, kind: Kind, written: str) -> tuple[Kind, str]:
        while True:
            if self._sees("["):
                if kind != "vector":
                    raise self._unknown("a range of a range or of a number")
                kind, written = "range", f"{written}{self._range(is_selector=written.endswith('}'))}"
            elif self._sees_name("offset"):
                self._take()
                written = f"{written} offset {self._duration()}"
            else:
                return kind, written

    def _range(self, *, is_selector: bool) -> str:
        self._skip("[")
        length, step = self._duration(), ""
        if self._sees(":"):
            self._skip(":")
            step = ":" + ("" if self._sees("]") else self._duration())
        elif not is_selector:
            raise self._unknown("a range of an expression needs a step, as in [1h:1m]")
        self._skip("]")
        return f"[{length}{step}]"

    def _duration(self) -> str:
        token = self._take()
        if token.kind != "duration":
            self._place -= 1
            raise self._unknown("expected a duration such as 5m")
        seconds = sum(int(number) * _SECONDS[unit] for number, unit in _DURATION.findall(token.text.lower()))
        if not 0 < seconds <= _LONGEST_S:
            raise BadArguments("promql: a duration is more than nothing and at most 31 days")
        return token.text.lower()


def _unquoted(text: str) -> str:
    inner = text[1:-1]
    if text[0] == "`":
        return inner
    return re.sub(r"\\(.)", lambda m: _ESCAPES[m[1]] if m[1] in _ESCAPES else _refuse_escape(m[1]), inner)


def _refuse_escape(character: str) -> str:
    raise BadArguments(f"promql: write \\{character} as \\\\{character}, or the value in backticks")


def _text(value: str) -> str:
    """In double quotes, with Go's escapes, which for these characters are JSON's."""
    return json.dumps(value, ensure_ascii=False)


def _label(name: str) -> str:
    return name if _CLASSIC.fullmatch(name) else _text(name)
