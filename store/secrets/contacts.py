"""E-mail addresses and telephone numbers. They are no secrets, but people's: a tenant decides who may read them.

Host names, versions, units of systemd and the like are written with an `@` too, and many numbers begin with a plus.
"""

import re
from collections.abc import Iterator
from typing import Final

from store.secrets.pairs import SecretRule, TextSpan

_MAIL: Final = re.compile(
    r"(?<![\w.+@/%-])[A-Za-z0-9][\w.+%'-]{0,63}(?:@|%40)(?P<domain>(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,6}"
    r"(?P<last>[A-Za-z]{2,24}))(?![\w@-])(?!:[\w./~-]|/)"
)
_ENDINGS: Final = (
    "internal local localdomain lan cluster svc consul arpa invalid service socket timer scope slice mount target path "
    "device swap log txt json yaml yml toml xml html js ts py go rs java rb php sh md so jar gz zip tar png jpg svg css"
)
_NO_DOMAIN: Final = frozenset(_ENDINGS.split())
_SERVICE_USER: Final = re.compile(r"(?i)(?:git|hg|svn)(?:@|%40)")
_INTERNATIONAL: Final = re.compile(
    r"(?<![\w.+:/=-])(?<![0-9] )(?:\+|00(?=[1-9][0-9] ))[1-9][0-9]{0,2}"
    r"(?:[ ./-]?\(?0?\)?[ ./-]?[0-9]{2,5}){2,5}(?![\w%]|[.:][0-9])"
)
_NATIONAL: Final = re.compile(
    r"(?<![\w.-])(?:\([2-9][0-9]{2}\) ?|[2-9][0-9]{2}[-.])[2-9][0-9]{2}[-.][0-9]{4}(?![\w-]|\.[0-9])"
)
_NAMED: Final = re.compile(
    r"(?i)(?:\b|_)(?:phone|telephone|tel|mobile|cell(?:phone)?|msisdn|fax|caller|callee|whatsapp|sms to)"
    r"(?:[ _-]?(?:number|no|nr|num))?"
    r"[\"'\\]*\s{0,2}(?:is|:|=|=>|\.)?\s{0,2}[\"'\\]*(?P<value>\+?\(?[0-9][0-9 ().\-/]{5,18}[0-9])(?![\w.:])"
)
_FEWEST: Final = 8
_MOST: Final = 15


def _mails(text: str) -> Iterator[TextSpan]:
    for found in _MAIL.finditer(text):
        if found["last"].lower() not in _NO_DOMAIN and not _SERVICE_USER.match(found.group()):
            yield TextSpan(found.start(), found.end(), "email_address")


def _phones(text: str) -> Iterator[TextSpan]:
    for pattern in (_INTERNATIONAL, _NATIONAL, _NAMED):
        for found in pattern.finditer(text):
            part: str | int = "value" if pattern is _NAMED else 0
            digits = sum(char.isdigit() for char in found[part])
            if (_FEWEST if pattern is not _NAMED else 7) <= digits <= _MOST:
                yield TextSpan(*found.span(part), "phone_number")


RULES: Final = (
    SecretRule(r"[A-Za-z0-9](?:@|%40)[A-Za-z0-9]", _mails),
    SecretRule(
        r"(?i)\+[1-9][0-9]|\b00[1-9][0-9] |\([2-9][0-9]{2}\) ?[0-9]{3}|\b[2-9][0-9]{2}[.-][0-9]{3}[.-][0-9]{4}|"
        r"phone|\btel|mobile|\bcell|msisdn|\bfax|caller|callee|whatsapp|sms to",
        _phones,
    ),
)
