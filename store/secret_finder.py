"""Finds secrets and personal numbers in a text: known formats, key blocks, headers, URLs, key=value, cards.

Spans hold the secret alone, so that the text around it stays readable.
"""

import re
from collections.abc import Iterator

import re2

from store.secret_formats import EXPRESSIONS, kinds_to_look_for
from store.secret_pairs import Span, find_pairs, group, is_value, looks_random


def find_secrets(text: str) -> list[Span]:
    """All that is found, in no order; spans may overlap."""
    spans = [
        Span(found.start(), found.end(), kind)
        for kind in kinds_to_look_for(text)
        for found in EXPRESSIONS[kind].finditer(text)
    ]
    spans += _private_keys(text)
    spans += _headers(text)
    spans += _urls(text)
    spans += find_pairs(text)
    spans += _numbers(text)
    return spans


# Private keys

_BEGIN = "-----BEGIN "
_KEY_BLOCK = re2.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----")
_KEY_END = re2.compile(r"-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----")
_KEY_LINE = re2.compile(r"[A-Za-z0-9+/=]{16,}|(?:Proc-Type|DEK-Info|Version|Comment): ")
_LONGEST_KEY = 16_000


def _private_keys(text: str) -> Iterator[Span]:
    if _BEGIN not in text:
        return
    for begin in _KEY_BLOCK.finditer(text):
        end = _KEY_END.search(text[begin.end() : begin.end() + _LONGEST_KEY])
        if end is not None:
            yield Span(begin.start(), begin.end() + end.end(), "private_key")
        else:
            yield Span(begin.start(), _end_of_cut_key(text, begin.end()), "private_key")


def _end_of_cut_key(text: str, at: int) -> int:
    """A block without its end goes on while its lines look like a key."""
    for line in text[at : at + _LONGEST_KEY].splitlines(keepends=True):
        if line.strip() and not _KEY_LINE.search(line):
            break
        at += len(line)
    return at


# Headers, cookies and URLs

_SCHEMES = frozenset({"basic", "bearer", "token", "negotiate", "digest", "apikey", "splunk", "geniekey"})
_HEADER = re2.compile(
    r"(?i)\b(?:proxy-)?authorization[\"'\\]*\s*(?:[:=]|=>)\s*[\"'\\]*"
    r"(?:(?:basic|bearer|token|ntlm|negotiate|digest|apikey|aws|bot|key|splunk|genie(?:key)?|sso-key)\s+)?"
    r"(?:token\s*=\s*)?[\"'\\]*(?P<value>[A-Za-z0-9+/=_~.:%|!*-]{6,})"
    r"|\bbearer[\"'\\:= ]+(?P<bearer>[A-Za-z0-9+/=_~.-]{16,})"
    r"|\bbasic (?P<basic>[A-Za-z0-9+/]{12,}={0,2})"
)
_COOKIE = re2.compile(r"(?i)\b(?:set-)?cookie[\"'\\]*\s*[:=]\s*[\"'\\]*(?P<value>[^\"'\r\n]+)")
_SESSION = re.compile(
    r"(?i)(?:^|[;\s])[\w.-]{0,100}(?:sess|sid|auth|token|jwt|csrf|xsrf|remember|login|secret)[\w.-]{0,100}=([^;\s\"']{8,})"
)
_URL = re2.compile(
    r"\b[A-Za-z][A-Za-z0-9+.-]{1,30}://[^\s/:@\"'<>?#]*:(?P<value>[^\s/\"'<>]*(?:/[^\s/\"'<>@]*)?)@[^\s@]"
)
_SIGNED = re2.compile(
    r"(?i)[?&;](?:sig|signature|x-amz-signature|x-amz-security-token|x-amz-key|x-goog-signature|code|credential|key|"
    r"hmac|sas|st)=(?P<value>[A-Za-z0-9%_+/=.~-]{16,})"
)
_CURL_USER = re2.compile(r"(?:\s-u|\s--user|\s--proxy-user)[ =]?[\"']?[^\s:\"']+:(?P<value>[^\s\"']+)")


def _headers(text: str) -> Iterator[Span]:
    for found in _HEADER.finditer(text):
        for name in ("value", "bearer", "basic"):
            value = found.group(name)
            if value is None or not is_value(value) or value.lower().rstrip("=:") in _SCHEMES:
                continue
            if name == "value" or not (value.isalpha() and value.islower()):  # "bearer" and "basic" are words too
                yield group(found, name, "auth_header")
    for found in _COOKIE.finditer(text):
        at = group(found, "value", "").start
        for session in _SESSION.finditer(found.group("value")):
            if is_value(session.group(1)):
                yield Span(at + session.start(1), at + session.end(1), "session_cookie")


def _urls(text: str) -> Iterator[Span]:
    if "://" in text:
        for found in _URL.finditer(text):
            if is_value(found.group("value")):
                yield group(found, "value", "url_password")
        for found in _SIGNED.finditer(text):
            if looks_random(found.group("value")):
                yield group(found, "value", "url_secret")
    for found in _CURL_USER.finditer(text):
        if is_value(found.group("value")):
            yield group(found, "value", "password")


# Cards and social security numbers

_DIGITS = re2.compile(
    r"\b(?:[0-9]{12,19}|[0-9]{4}([ -])[0-9]{4}[ -][0-9]{4}[ -][0-9]{1,7}|[0-9]{4}[ -][0-9]{6}[ -][0-9]{4,5})\b"
)
_CARD = re.compile(
    r"4\d{12}(?:\d{3}){0,2}|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}|"
    r"(?:6011|65\d\d|64[4-9]\d)\d{12}|35(?:2[89]|[3-8]\d)\d{12}|3(?:0[0-5]|[68]\d)\d{11}|62\d{14,17}|"
    r"(?:5018|5020|5038|5893|6304|6759|676[1-3])\d{8,15}"
)
_ID_BEFORE = re.compile(
    r"(?i)(?:\bid|_id|ids|ts|time|timestamp|offset|seq(?:uence)?|snowflake|blk_?|block|trace|span|ref|order|ticket|phone|"
    r"build|inode|pid|tid|addr|nanos|micros)[\"']?\s?[=:#]?\s?[\"']?$|[\w./@:+-]$"
)
_CARD_BEFORE = re.compile(r"(?i)(?:card|pan|cc|visa|number|acct|account|amex)[\"']?\s?[=:#]\s?[\"']?$")
_SSN = re2.compile(
    r"\b(?P<dashed>[0-9]{3}-[0-9]{2}-[0-9]{4})\b"
    r"|(?i:ssn|social security(?: number| no\.?)?)[\"']?[\s:=#is]{0,6}[\"']?"
    r"(?P<named>[0-9]{3}[ -]?[0-9]{2}[ -]?[0-9]{4})\b"
)
_SSN_DIGITS = re.compile(r"(?!000|666|9)\d{3}(?!00)\d{2}(?!0000)\d{4}")


def _numbers(text: str) -> Iterator[Span]:
    for found in _DIGITS.finditer(text):
        digits = found.group().replace(" ", "").replace("-", "")
        before = text[max(0, found.start() - 24) : found.start()]
        after = text[found.end() : found.end() + 2]
        if not _CARD.fullmatch(digits) or not _passes_luhn(digits) or re.match(r"[-/]\w|\.\d|:\d", after):
            continue
        if _ID_BEFORE.search(before) and not _CARD_BEFORE.search(before):
            continue
        yield Span(found.start(), found.end(), "card_number")
    for found in _SSN.finditer(text):
        name = "dashed" if found.group("dashed") is not None else "named"
        digits = found.group(name).replace(" ", "").replace("-", "")
        if _SSN_DIGITS.fullmatch(digits) and text[max(0, group(found, name, "").start - 1)] not in "-.":
            yield group(found, name, "ssn")


def _passes_luhn(digits: str) -> bool:
    doubled = [int(digit) * 2 for digit in digits[-2::-2]]
    total = sum(map(int, digits[-1::-2])) + sum(number - 9 if number > 9 else number for number in doubled)
    return total % 10 == 0 and len(set(digits)) > 1
