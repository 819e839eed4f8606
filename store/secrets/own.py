"""A tenant's own secrets, found letter by letter in every encoding in which a program may print them."""

import base64
import json
import urllib.parse
from collections.abc import Callable, Iterable
from typing import Final, Protocol

from store.secrets.pairs import TextSpan, automaton

SHORTEST: Final = 6  # shorter strings occur in ordinary words
_SHORTEST_LINE: Final = 16  # of a secret of several lines, such as a key file: shorter ones say nothing

OWN: Final = "own_secret"


class OwnSecrets(Protocol):
    """Knows secrets well enough to find them."""

    def find(self, text: str) -> list[TextSpan]: ...


class Forms:
    """Knows the secrets themselves, so it stays in the process that was given them."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self.forms = frozenset(form for secret in secrets for form in _forms(secret))
        self._automaton = automaton(self.forms) if self.forms else None

    def find(self, text: str) -> list[TextSpan]:
        if self._automaton is None:
            return []
        return [TextSpan(end - length + 1, end + 1, OWN) for end, length in self._automaton.iter(text)]

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a tenant's own secrets are not pickled: send Redactor.portable()")


def _forms(secret: str) -> set[str]:
    """All encodings of the secret, and of each of its lines: a log may hold one line a record."""
    lines = [line for line in map(str.strip, secret.splitlines()) if len(line) >= _SHORTEST_LINE and line != secret]
    return {form for part in (secret, *lines) for form in _encodings(part)}


def _encodings(secret: str) -> set[str]:
    if len(secret) < SHORTEST:
        return set()
    raw = secret.encode("utf-8", "surrogatepass")
    quoted = json.dumps(secret)[1:-1]
    percent = urllib.parse.quote(secret, safe="")
    every_byte = "".join(f"%{byte:02X}" for byte in raw)
    forms = {
        secret,
        quoted,
        json.dumps(secret, ensure_ascii=False)[1:-1],
        quoted.replace("/", "\\/"),
        json.dumps(quoted)[1:-1],
        percent,
        urllib.parse.quote(secret),
        urllib.parse.quote_plus(secret),
        _lower_percent(percent),
        every_byte,
        every_byte.lower(),
        raw.hex(),
        raw.hex().upper(),
        secret[::-1],
    }
    for encode in (base64.standard_b64encode, base64.urlsafe_b64encode):
        forms |= _alignments(raw, encode)
    return {form for form in forms if len(form) >= SHORTEST}


def _alignments(raw: bytes, encode: Callable[[bytes], bytes]) -> set[str]:
    """The base64 characters that depend on the secret alone, wherever it starts inside a longer text."""
    forms = set()
    for shift in range(3):
        encoded = encode(b"\0" * shift + raw).decode()
        first = (shift * 8 + 5) // 6
        last = (shift + len(raw)) * 8 // 6
        forms.add(encoded[first:last])
    return forms


def _lower_percent(text: str) -> str:
    parts = text.split("%")
    return "%".join([parts[0], *(part[:2].lower() + part[2:] for part in parts[1:])])
