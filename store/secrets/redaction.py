"""Secrets and personal data out of a text, before it is stored, shown to a model or sent anywhere.

Order: the tenant's own secrets in any encoding, then public token formats, key blocks, key=value pairs, card and social
security numbers. What is found becomes a typed placeholder, `[redacted:github_token]`. Redacting twice changes nothing.
It fails closed: when the redactor cannot read a text, `RedactionFailed` is raised and the text goes nowhere.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final, Literal, NoReturn, Self

from store.secrets.finder import find_secrets
from store.secrets.own import Forms, OwnSecrets
from store.secrets.pairs import TextSpan, is_secret_name, value_names_of

ContactDetails = Literal["hide_from_model", "hide_everywhere", "keep"]
"""Where e-mail addresses and telephone numbers go: in what a model reads, also in what is stored, or nowhere."""

VERBATIM_KEYS = frozenset({"signature", "id", "tool_use_id"})
_HALF: Final = re.compile("[\ud800-\udfff]")
_UNKNOWN: Final = "\N{REPLACEMENT CHARACTER}"


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

    def __init__(self, own_secrets: Iterable[Secret] = (), contacts: ContactDetails = "keep") -> None:
        self._own: OwnSecrets = Forms(secret.reveal() for secret in own_secrets)
        self._contacts = contacts
        self._hides_contacts = contacts == "hide_everywhere"

    def for_model(self) -> "Redactor":
        """For what a model reads: people's addresses and numbers go too, unless the tenant keeps them."""
        if self._hides_contacts or self._contacts == "keep":
            return self
        made = Redactor(contacts=self._contacts)
        made._own = self._own
        made._hides_contacts = True
        return made

    def portable(self) -> "Redactor":
        """One that can be sent to the process that reads log files: it finds the same, and holds no secret."""
        if not isinstance(self._own, Forms) or not self._own.forms:
            return self
        from store.secrets.fingerprints import Fingerprints  # noqa: PLC0415 -- numpy, only where log files are read

        made = Redactor(contacts="hide_everywhere" if self._hides_contacts else "keep")
        made._own = Fingerprints(self._own.forms)
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        """Raises TypeError for one that holds secrets."""
        if isinstance(self._own, Forms) and self._own.forms:
            raise TypeError("a Redactor that holds secrets is not pickled: send Redactor.portable()")
        return _arrived, (None if isinstance(self._own, Forms) else self._own, self._hides_contacts)

    def redact(self, text: str) -> Redacted:
        """Raises RedactionFailed. What no database takes becomes U+FFFD: NUL, and half a surrogate pair."""
        whole = whole_text(text)
        return Redacted.ours(replace_spans(whole, self.spans(whole)).replace("\0", _UNKNOWN))

    def spans(self, text: str) -> list[TextSpan]:
        """What `redact` would replace, in order, without overlaps. Raises RedactionFailed."""
        text = whole_text(text)
        try:
            return merge_spans([*self._own.find(text), *find_secrets(text, contacts=self._hides_contacts)], text)
        except (ValueError, TypeError, RuntimeError, RecursionError, MemoryError) as exc:
            raise RedactionFailed(f"a text of {len(text)} characters could not be redacted") from exc

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
            beside = value_names_of(value)
            return {
                self._key(key): "[redacted:secret]" if key in beside else self._under(key, item, verbatim_keys)
                for key, item in value.items()
            }
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


def whole_text(text: str) -> str:
    """Of the same length: others can spell half a surrogate pair, in JSON, and one of them must hide nothing else."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return _HALF.sub(_UNKNOWN, text)
    return text


def _arrived(own: OwnSecrets | None, hides_contacts: bool) -> Redactor:  # noqa: FBT001 -- pickle calls it by position
    """A portable redactor in the process that it was sent to."""
    redactor = Redactor(contacts="hide_everywhere" if hides_contacts else "keep")
    if own is not None:
        redactor._own = own  # noqa: SLF001 -- its other half
    return redactor


def merge_spans(spans: list[TextSpan], text: str) -> list[TextSpan]:
    """In order and without overlaps; the kind of an overlap is that of its first span. Placeholders are left alone."""
    merged: list[TextSpan] = []
    for span in sorted(spans, key=lambda found: (found.start, -found.end)):
        if span.start >= span.end or text.startswith("[redacted:", span.start):
            continue
        if merged and span.start < merged[-1].end:
            last = merged[-1]
            merged[-1] = TextSpan(last.start, max(last.end, span.end), last.kind)
        else:
            merged.append(span)
    return merged


def replace_spans(text: str, spans: Sequence[TextSpan], *, until: int | None = None) -> str:
    """The text with a placeholder for each span; what lies behind `until` is left out."""
    parts: list[str] = []
    at = 0
    for span in spans:
        if until is not None and span.start >= until:
            break
        parts += (text[at : span.start], f"[redacted:{span.kind}]")
        at = span.end
    parts.append(text[at:until])
    return "".join(parts)
