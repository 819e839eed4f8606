"""Card numbers and social security numbers, told from the many other long numbers of a log."""

import re
from collections.abc import Iterator

import re2

from store.secrets.pairs import SecretRule, TextSpan, group

_SOLID = re.compile(r"[0-9]{12,19}")
_SPACED = re.compile(
    r"[0-9]{4}(?P<between>[ ._/-]|  | - )[0-9]{4}(?:(?P=between)[0-9]{4}(?P=between)[0-9]{1,7}|"
    r"[0-9]{2}(?P=between)[0-9]{4,5})"
)
_CARD = re.compile(
    r"4\d{12}(?:\d{3}){0,2}|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}|"
    r"(?:6011|65\d\d|64[4-9]\d)\d{12}|35(?:2[89]|[3-8]\d)\d{12}|3(?:0[0-5]|[68]\d)\d{11}|62\d{14,17}|"
    r"(?:5018|5020|5038|5893|6304|6759|676[1-3])\d{8,15}"
)
_NOT_DIGITS = re.compile(r"[^0-9]+")
_ID_BEFORE = re.compile(
    r"(?i)(?:\bid|_id|ids|ts|time|timestamp|offset|seq(?:uence)?|snowflake|blk_?|block|trace|span|ref|order|"
    r"ticket|phone|"
    r"build|inode|pid|tid|addr|nanos|micros)[\"']?\s?[=:#]?\s?[\"']?$|[\w./@:+-]$"
)
_CARD_BEFORE = re.compile(
    r"(?i)(?:card(?:[ _-]?(?:no|num|number|nr))?|pan|cc(?:[ _-]?num)?|number|acct|account|visa|amex|mastercard|"
    r"master|maestro|"
    r"discover|diners|jcb|unionpay|mc)[\"']?\s{0,2}[:=#_./-]{0,2}\s{0,2}[\"']?$"
)
_SSN = re2.compile(
    r"\b(?P<dashed>[0-9]{3}-[0-9]{2}-[0-9]{4})\b"
    r"|(?i:ssn|social security(?: number| no\.?)?)[\"']?[\s:=#is]{0,6}[\"']?"
    r"(?P<named>[0-9]{3}[ -]?[0-9]{2}[ -]?[0-9]{4})\b"
)
_COUNTED = re.compile(
    r"(?i)\s?(?:[mun]?s|secs?|seconds|millis\w*|min(?:utes)?|hours?|[kmgt]?i?b|bytes|rows?|items?|records?|"
    r"requests?|times|"
    r"pages?|lines?|tokens?|points?|users?|%)\b"
)
_COUNT_BEFORE = re.compile(
    r"(?i)(?:\b(?:took|count|total|rows|offset|ref|range|lines|part(?:[ _-]?(?:no|number))?|sku|order|ticket|"
    r"build|version|model|"
    r"serial|invoice|batch|job|task|run|elapsed|duration|latency|took|after|in|id)|_id)[\"']?\s?[:=#]?\s?[\"']?$"
)
_SSN_DIGITS = re.compile(r"(?!000|666|9)\d{3}(?!00)\d{2}(?!0000)\d{4}")


def _solid(text: str) -> Iterator[TextSpan]:
    return _cards(text, _SOLID)


def _spaced(text: str) -> Iterator[TextSpan]:
    return _cards(text, _SPACED)


def _cards(text: str, written: re.Pattern[str]) -> Iterator[TextSpan]:
    for found in written.finditer(text):
        if text[found.start() - 1 : found.start()].isdigit() or text[found.end() : found.end() + 1].isdigit():
            continue
        digits = _NOT_DIGITS.sub("", found.group())
        before = text[max(0, found.start() - 24) : found.start()]
        after = text[found.end() : found.end() + 2]
        if not _CARD.fullmatch(digits) or not _passes_luhn(digits) or re.match(r"[-/]\w|\.\d|:\d", after):
            continue
        if _ID_BEFORE.search(before) and not _CARD_BEFORE.search(before):
            continue
        yield TextSpan(found.start(), found.end(), "card_number")


def _social_security(text: str) -> Iterator[TextSpan]:
    for found in _SSN.finditer(text):
        name = "dashed" if found.group("dashed") is not None else "named"
        digits = found.group(name).replace(" ", "").replace("-", "")
        span = group(found, name, "ssn")
        if not _SSN_DIGITS.fullmatch(digits) or text[max(0, span.start - 1)] in "-.":
            continue
        counts = name == "dashed" and (
            _COUNTED.match(text, span.end) or _COUNT_BEFORE.search(text[max(0, span.start - 24) : span.start])
        )
        if not counts:
            yield span


def _passes_luhn(digits: str) -> bool:
    doubled = [int(digit) * 2 for digit in digits[-2::-2]]
    total = sum(map(int, digits[-1::-2])) + sum(number - 9 if number > 9 else number for number in doubled)
    return total % 10 == 0 and len(set(digits)) > 1


RULES = (
    SecretRule(r"[0-9]{12}", _solid),
    SecretRule(
        r"[0-9]{4}(?:[ ._/-]|  | - )(?:[0-9]{4}(?:[ ._/-]|  | - )[0-9]{4}(?:[ ._/-]|  | - )|[0-9]{6}(?:[ ._/-]|"
        r"  | - ))[0-9]",
        _spaced,
    ),
    SecretRule(r"(?i)[0-9]{3}-[0-9]{2}-[0-9]{4}|ssn|social security", _social_security),
)
