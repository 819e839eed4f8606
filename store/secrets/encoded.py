"""Base64, decoded and looked at once: a secret is no less one for being written in other letters.

Only what decodes to readable text can hold a secret that has a name or a format; keys and tokens that are random bytes
have formats of their own.
"""

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from store.secrets.pairs import SecretRule, TextSpan

_FOUR: Final = r"[I-Za-f][C-HS-Xi-ny-z0-3][ABEFIJMNQRUVYZcdghklopstwx014589][A-Za-z0-9+/_-]"
"""Three readable ASCII characters: each is below 128 and not below 32, which leaves few letters in three places."""
_BEGIN: Final = rf"(?:^|[^A-Za-z0-9+/_-])(?:{_FOUR}){{3}}"
_RUN: Final = re.compile(
    rf"(?<![A-Za-z0-9+/_-])(?=(?:{_FOUR}){{3}})"
    r"(?:[A-Za-z0-9+/_-]{60,100}(?:\r?\n|\\{1,2}n)[ \t]*){0,200}[A-Za-z0-9+/_-]{16,16000}={0,2}(?![A-Za-z0-9+/_])"
)
_LINE_END: Final = re.compile(r"\\{1,2}n|\s")
_AROUND: Final = 2_048


def decoding(find: Callable[[str], Iterable[TextSpan]]) -> SecretRule:
    """The rule that looks with `find` at what was decoded."""

    def find_encoded(text: str) -> Iterator[TextSpan]:
        for found in _RUN.finditer(text):
            decoded = _decoded(found.group())
            if decoded is not None and next(iter(find(decoded)), None) is not None:
                yield TextSpan(found.start(), found.end(), "encoded_secret")

    return SecretRule(_BEGIN, find_encoded, _AROUND)


def _decoded(run: str) -> str | None:
    """None for what is no base64 of a text."""
    letters = _LINE_END.sub("", run).rstrip("=")
    if len(letters) % 4 == 1 or letters.islower() or letters.isupper() or letters.isdigit():
        return None
    try:
        raw = base64.b64decode(letters.translate(_URL_SAFE) + "=" * (-len(letters) % 4), validate=True)
        text = raw.decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    readable = sum(char.isprintable() or char in "\r\n\t" for char in text)
    return text if readable == len(text) else None


_URL_SAFE: Final = str.maketrans("-_", "+/")
