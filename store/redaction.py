"""Secrets and personal data out of a text, before it is stored, shown to a model or sent anywhere.

Order: the tenant's own secrets in any encoding, then public token formats, key blocks, key=value pairs, card and social
security numbers. What is found becomes a typed placeholder, `[redacted:github_token]`. Redacting twice changes nothing.
It fails closed: when the redactor cannot read a text, `RedactionFailed` is raised and the text goes nowhere.
"""

import base64
import json
import urllib.parse
from collections.abc import Callable, Iterable
from typing import Any, NoReturn, Self

import ahocorasick

from store.secret_finder import find_secrets
from store.secret_pairs import Span, is_secret_name

VERBATIM_KEYS = frozenset({"signature", "id", "tool_use_id"})
SHORTEST_OWN_SECRET = 6  # shorter strings occur in ordinary words


class RedactionFailed(Exception):
    """The text could not be redacted and was not let through. The message never holds the text."""


class Redacted(str):
    """Text that may be stored. Only a Redactor makes it, or `ours` for text that our own code wrote."""

    __slots__ = ()

    def __new__(cls, *_args: object) -> Self:
        raise TypeError("Redacted text comes from a Redactor, or from Redacted.ours for text of our own")

    @classmethod
    def ours(cls, text: str) -> Self:
        """For text that our own code wrote, or that was read back from the store: never for outside text."""
        return str.__new__(cls, text)

    def __deepcopy__(self, _memo: object) -> Self:
        return self

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        return str, (str.__str__(self),)  # another process has to trust it anew


class Secret:
    """A credential that shows itself only when asked: repr, str and formatting are masked."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    def __str__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled")


class Redactor:
    """Built from a tenant's own secrets; without any it still knows the public formats."""

    def __init__(self, own_secrets: Iterable[Secret] = ()) -> None:
        self._own = _automaton(own_secrets)

    def redact(self, text: str) -> Redacted:
        """Raises RedactionFailed."""
        try:
            return Redacted.ours(_replace(text, self._spans(text)))
        except (ValueError, TypeError, RuntimeError, RecursionError, MemoryError) as exc:
            raise RedactionFailed(f"a text of {len(text)} characters could not be redacted") from exc

    def spans(self, text: str) -> list[Span]:
        """What `redact` would replace, in order, without overlaps."""
        return self._spans(text)

    def redact_json(self, value: Any, verbatim_keys: frozenset[str] = VERBATIM_KEYS) -> Any:
        """The same shape with redacted strings; object keys too. Strings under `verbatim_keys` stay as they are.

        Raises RedactionFailed, also for values that are not JSON.
        """
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, str):
            return str.__str__(self.redact(value))
        if isinstance(value, list | tuple):
            return [self.redact_json(item, verbatim_keys) for item in value]
        if isinstance(value, dict):
            return {self._key(key): self._under(key, item, verbatim_keys) for key, item in value.items()}
        raise RedactionFailed(f"a {type(value).__name__} is not JSON")

    def _key(self, key: object) -> str:
        if not isinstance(key, str):
            raise RedactionFailed("an object key that is not a string is not JSON")
        return str.__str__(self.redact(key))

    def _under(self, key: str, item: Any, verbatim_keys: frozenset[str]) -> Any:
        if isinstance(item, str):
            if key in verbatim_keys:
                return item
            redacted = str.__str__(self.redact(item))
            return "[redacted:secret]" if redacted == item and is_secret_name(key, item) else redacted
        return self.redact_json(item, verbatim_keys)

    def _spans(self, text: str) -> list[Span]:
        own = (
            []
            if self._own is None
            else [Span(end - length + 1, end + 1, "own_secret") for end, length in self._own.iter(text)]
        )
        return _merge([*own, *find_secrets(text)], text)


def _automaton(secrets: Iterable[Secret]) -> Any:
    forms = {form for secret in secrets for form in _encodings(secret.reveal())}
    if not forms:
        return None
    automaton = ahocorasick.Automaton()
    for form in forms:
        automaton.add_word(form, len(form))
    automaton.make_automaton()
    return automaton


def _encodings(secret: str) -> set[str]:
    if len(secret) < SHORTEST_OWN_SECRET:
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
    return {form for form in forms if len(form) >= SHORTEST_OWN_SECRET}


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


def _merge(spans: list[Span], text: str) -> list[Span]:
    """In order and without overlaps; the kind of an overlap is that of its first span. Placeholders are left alone."""
    merged: list[Span] = []
    for span in sorted(spans, key=lambda found: (found.start, -found.end)):
        if span.start >= span.end or text.startswith("[redacted:", span.start):
            continue
        if merged and span.start < merged[-1].end:
            last = merged[-1]
            merged[-1] = Span(last.start, max(last.end, span.end), last.kind)
        else:
            merged.append(span)
    return merged


def _replace(text: str, spans: list[Span]) -> str:
    if not spans:
        return text
    parts: list[str] = []
    at = 0
    for span in spans:
        parts += (text[at : span.start], f"[redacted:{span.kind}]")
        at = span.end
    parts.append(text[at:])
    return "".join(parts)
