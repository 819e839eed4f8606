"""Finds secrets by the name they stand under: `password=...`, `"api_key": "..."`, `--token ...`, IDENTIFIED BY '...'.

A name is taken apart into its words, so that `token` counts and `max_tokens` does not. Values that are plainly no
secret are let be: placeholders, variables, words of prose, counters, digests and ids.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

import ahocorasick
import re2


class TextSpan(NamedTuple):
    """`text[start:end]`, in characters."""

    start: int
    end: int
    kind: str


class SecretRule(NamedTuple):
    """Where `cue`, an expression of google-re2, does not occur, `find` would find nothing and is not asked."""

    cue: str
    find: Callable[[str], Iterator[TextSpan]]
    reach: int = 192
    """Characters around the cue that `find` needs to see."""


def automaton(words: Iterable[str]) -> Any:
    """Of Aho and Corasick: its `iter(text)` gives the last place and the length of each word in a text."""
    made = ahocorasick.Automaton()
    for word in words:
        made.add_word(word, len(word))
    made.make_automaton()
    return made


def lowered(text: str) -> str:
    """ASCII letters in lower case, every character in its place."""
    return text.lower() if text.isascii() else text.translate(_LOWER)


def group(found: Any, name: str, kind: str) -> TextSpan:
    """The span of a named group; re2's matches know numbers only."""
    start, end = found.span(found.re.groupindex[name])
    return TextSpan(start, end, kind)


_PASSWORDS = "password passwd passphrase passwort passcode pwd pw pass passw pswd psw psswd paswd senha kennwort pswrd"
_PASSWORD_NOUNS = tuple(_PASSWORDS.split())
_SECRET_NOUNS = ["secret", "token", "apikey", "credential", "credentials", "bearer"]
_WEAK_NOUNS = ["key", "api", "auth", "oauth", "signature", "nonce", "salt", "srt", "seed", "login"]
"""Words that also name harmless things: what stands under them must look random."""
NOUNS: Final = (*_PASSWORD_NOUNS, *_SECRET_NOUNS, *_WEAK_NOUNS)
BOUNDARY: Final = "\0"
"""Stands between texts that are looked at together and do not belong together: nothing runs across it."""
_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}
_NOUNS = automaton(NOUNS)
_OPENING = r"(?:[(\[{]?[ \t]*[a-zA-Z]{0,2}\\?(?:'''|\"\"\"|&quot;|[\"'`])|>`?'|[(])?"
_REST_OF_NAME = re.compile(r"[A-Za-z0-9_.-]*+")
_SEPARATOR = re.compile(
    rf"\\?[\"'`\])]{{0,3}}[ \t]*+(?:=>|:=|->|===?|!=|=|:|\|\||\?=|,)[ \t\r\n]*+(?:\\\r?\n[ \t]*+)?{_OPENING}"
    rf"|[ \t]*+\\\r?\n[ \t]*+{_OPENING}"
    r"|[\"']{0,3}(?:[ \t]|\\t)++(?:(?:is|was|to|by|as|=>|,)[ \t]++)?\\?[\"'`]"
    r"|[\"']{0,3}[ \t]++(?:(?:is|was|to|by)[ \t]++)?|>"
)
"""Possessive throughout, so that a long run of spaces or letters is walked once."""
_IN_NAME = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.$-")
_LONGEST_NAME = 120
_OPEN_PLACEHOLDER = re.compile(r"\[redacted:[a-z0-9_]*$")
_JUDGED = 256
"""Characters by which a value is judged; all of it is the secret. Without a limit a line of names takes square time."""
_FIRST = re.compile(r"[^\s\0\"'`<>,;&(){}\[\]\\|]")
_VALUE = re.compile(rf"{_FIRST.pattern}[^\s\"'`<>\\]*")
_PUNCTUATION = re.compile(r"[,;&)}\]|]")
_SQL = re2.compile(
    r"(?i)\b(?:identified(?: with '?[\w]+'?)? (?:by|as)(?: password)?|with (?:login )?password|login password|password)"
    r"\s+'?(?P<value>[^'\s;]{4,})"
)
_QUOTED_PHRASE = re2.compile(
    r"(?i)(?:password|passphrase|passwd|pwd)[\"']?\s*(?:value=|=>|=|:)\s*"
    r"(?:\"(?P<double>(?:[^\"\n]|\\\r?\n){6,120})\"|'(?P<single>(?:[^'\n]|\\\r?\n){6,120})')"
)
_AWS_SECRET = re2.compile(r"[A-Za-z0-9+/]{40,}=?")
_AWS_BEFORE = re.compile(r"(?i)(?:aws|amazon|secret|access)[^\n]{0,30}?[\"'=:\s>]+$")

_WORDS_OF_NAME = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_HARMLESS = (
    "max min num total count prompt completion input output cached cache next page continuation primary foreign "
    "partition row sort routing idempotency public pub hash object dedup dict map group host registry known sync "
    "keyboard type path file dir url uri id ids name len length age ttl expiry version at algorithm required "
    "enabled policy ref size used limit method expires created updated status error keyref tokenizer"
)
_HARMLESS_WORDS = frozenset(_HARMLESS.split())
_NO_VALUE = re.compile(
    r"(?i)[$%#@]?[{(<\[].*|\$[A-Z_a-z]\w*|%\w+%|[*x•.#_-]+|<.*|.*\[redacted.*|redacted|null|none|nil|true|false|"
    r"undefined|empty|yes|no|changeme|os\.\w+.*|process\.env.*|getenv.*|env\..*|vault:.*|ssm:.*|arn:aws:.*|file:.*|"
    r"![A-Za-z]+|\w+[({\[].*|(?:self|this|config|settings|request|args|props|ctx|params)\.\w[\w.]*|string|str|int|bytes|bool|"
    r"required|optional|masked|hidden|sensitive|encrypted|authentication|reset|changed|expired|invalid|incorrect|wrong|"
    r"missing|policy|rotation|rotated|stored|manager|field|input|value|hash|for|from|and|or|is|was|not|must|may|should|"
    r"has|https?://.*|/[a-z][\w.-]*(?:/[\w.-]+)*|\./.*|\d{1,3}(?:ms|s|m|h|d|kb|mb|gb|%)?|-----.*|0x[0-9a-f]{1,16}"
)
_UUID = re.compile(r"(?i)[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_SINGLE_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?:_[A-Z]+)*")
_BARE_TOKEN = re.compile(r"[A-Za-z0-9+/_.-]{20,}={0,2}")
_PHRASE = re.compile(r"[a-z]{3,}(?:-[a-z]{3,}){3,}")


def find_pairs(text: str) -> Iterator[TextSpan]:
    until = done = 0
    values = _Values(text)
    for last, length in _NOUNS.iter(lowered(text)):
        if last < done:
            continue
        rest = _REST_OF_NAME.match(text, last + 1)
        done = rest.end() if rest else last + 1
        found = _SEPARATOR.match(text, done)
        if found is None or not values.begins(found.end()):
            continue
        name_at = _start_of_name(text, last + 1 - length)
        if name_at < until or _OPEN_PLACEHOLDER.search(text, max(0, name_at - 60), name_at):
            continue  # the kind in a placeholder is no name
        start, separator = found.end(), found.group()
        value = values.trimmed(start, separator)
        kind = _kind_of_pair(text[name_at:done], separator, value[:_JUDGED])
        if kind == "weak":
            of_a_table = _OF_A_TABLE.search(text, max(0, name_at - 24), name_at)
            kind = None if of_a_table or _STRUCTURED.fullmatch(value[:_JUDGED]) else "secret"
        if kind is not None and ("," in separator or ":" in separator):
            end = start + len(value)
            kind = None if _A_KEY.match(text, end) or _IN_ARN.search(text, max(0, name_at - 120), name_at) else kind
        if kind is not None:
            until = _continued(text, start + len(value))
            yield TextSpan(start, until, kind)


_A_KEY: Final = re.compile(r"\\{0,4}[\"'][ \t]*:")
_IN_ARN: Final = re.compile(r"arn:[\w-]{2,12}:[^\s\"']*$")
_CONTINUED: Final = re.compile(r"(?:\\\r?\n[ \t]*[^\s\"'\\]+)+")


def _continued(text: str, end: int) -> int:
    """Where a value ends that goes on behind a backslash at the end of its line."""
    found = _CONTINUED.match(text, end)
    return found.end() if found else end


def _start_of_name(text: str, at: int) -> int:
    first = max(0, at - _LONGEST_NAME)
    while at > first and text[at - 1] in _IN_NAME:
        at -= 1
    return at


def _of_sql(text: str) -> Iterator[TextSpan]:
    for found in _SQL.finditer(text):
        value = found.group("value")
        if is_value(value) and not _SINGLE_WORD.fullmatch(value) and looks_random(value, least=8):
            yield group(found, "value", "password")


def _of_aws(text: str) -> Iterator[TextSpan]:
    for found in _AWS_SECRET.finditer(text):
        before = text[max(0, found.start() - 50) : found.start()]
        if len(found.group()) == 40 and looks_random(found.group()) and _AWS_BEFORE.search(before):
            yield TextSpan(found.start(), found.end(), "aws_secret_key")


def _quoted_phrases(text: str) -> Iterator[TextSpan]:
    for found in _QUOTED_PHRASE.finditer(text):
        name = "double" if found.group("double") is not None else "single"
        if is_value(found.group(name)):
            yield group(found, name, "password")


_A_NOUN = re2.compile(rf"(?i){'|'.join(NOUNS)}")


def is_secret_name(name: str, value: str) -> bool:
    """Whether `value`, as it stands under `name` in an object, is a secret by its name."""
    if len(name) > _LONGEST_NAME or _A_NOUN.search(name) is None:
        return False
    return any(
        span.end - span.start >= len(value) * 0.9 for rule in RULES for span in rule.find(f'"{name}": "{value}"')
    )


def names_secret(name: str) -> bool:
    """Whether all that stands under the name is a secret, whatever it looks like."""
    strength, words = _strength(name)
    return strength in ("password", "secret") and words[-1] not in _HARMLESS_WORDS


def is_secret_under(name: str, value: str, *, quoted: bool) -> bool:
    """Whether `value` is a secret where code or a template gives it the name `name`."""
    return is_value(value) and _kind_of_pair(name, '="' if quoted else "=", value[:_JUDGED]) is not None


_NAMING: Final = {"name": ("value", "val", "content"), "key": ("value", "val"), "variable": ("value",)}
"""Where a name and its value are two neighbours, as in the environment of a container."""


def value_names_of(row: Mapping[str, Any]) -> list[str]:
    """The fields whose text is a secret by what stands beside it: `value` beside `name: DB_PASSWORD`."""
    return [
        beside
        for naming, beside in _neighbours(tuple(row))
        if isinstance(row[naming], str) and isinstance(row[beside], str) and is_secret_name(row[naming], row[beside])
    ]


@lru_cache(1024)
def _neighbours(names: tuple[object, ...]) -> tuple[tuple[str, str], ...]:
    lower = {name.lower(): name for name in names if isinstance(name, str)}
    return tuple(
        (lower[naming], lower[value])
        for naming, values in _NAMING.items()
        if naming in lower
        for value in values
        if value in lower
    )


class _Values:
    """The values in a text, asked for from left to right. One end serves all values that share it: a line of nothing
    but names would take square time otherwise.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._end = self._cut = 0

    def begins(self, start: int) -> bool:
        """Whether a value begins here."""
        if start < self._end:
            return _FIRST.match(self._text, start) is not None
        found = _VALUE.match(self._text, start)
        self._end = self._cut = found.end() if found else 0
        if found:
            self._find_cut(start)
        return found is not None

    def trimmed(self, start: int, separator: str) -> str:
        """The value that begins at `start`. A bare one ends at punctuation; a quoted one keeps it."""
        if "&quot;" in separator:
            return self._text[start : self._end].split("&", 1)[0]
        if _is_quoted(separator):
            return self._text[start : self._end]
        if self._cut < start:
            self._find_cut(start)
        cut = self._text[start : self._cut]
        return cut.rstrip(".:") if len(cut) > 1 else cut

    def _find_cut(self, start: int) -> None:
        found = _PUNCTUATION.search(self._text, start, self._end)
        self._cut = found.start() if found else self._end


def _is_quoted(separator: str) -> bool:
    return separator.endswith(('"', "'", "`", "&quot;"))


def _kind_of_pair(name: str, separator: str, value: str) -> str | None:  # noqa: PLR0911 - a list of exclusions
    strength, words = _strength(name) if len(name) <= _LONGEST_NAME else _strength.__wrapped__(name)
    if strength is None or words[-1] in _HARMLESS_WORDS:
        return None
    quoted = _is_quoted(separator)
    if "," in separator and not quoted:
        return None
    if not separator.strip("\"'` \t") and not quoted and not name.startswith("-"):
        variable = name.isupper() and "_" in name and not set(":=") & set(value) and looks_random(value, least=8)
        bare = variable or (strength == "secret" and _BARE_TOKEN.fullmatch(value) and looks_random(value))
        return "secret" if bare and not _UUID.fullmatch(value) and is_value(value) else None
    if not is_value(value):
        return None
    if strength == "password":
        if ":" in separator and not quoted and value.isalpha() and (value.islower() or value.istitle()):
            return None
        return "password" if len(value) >= 4 and not (words[-1] in ("pass", "pw") and value.isdigit()) else None
    if not _HARMLESS_WORDS.isdisjoint(words):
        return None
    if _PHRASE.fullmatch(value) and (quoted or "=" in separator):
        return "secret"
    if strength == "weak":
        return "weak" if _is_under_weak_name(name, words, separator, value) else None
    return "secret" if _looks_secret(value) else None


_STRUCTURED: Final = re.compile(r"[A-Za-z][A-Za-z_]*[a-z][:#|/][^\s]+|[^\s:#|/]+(?:[:#|/][^\s:#|/]*)*[:#|/][a-z_]{2,}")
"""`user:1234:cart`: words and ids that are joined, as the keys of caches and tables are."""
_OF_A_TABLE: Final = re.compile(
    r"(?i)(?:cache|cached|partition|sort|range|hash|shard|sharding|routing|primary|foreign|unique|composite|natural|surrogate|"
    r"redis|memcached|dynamo(?:db)?|kafka|message|record|row|object|s3|map|dict|lookup|dedup\w*|idempotency|index|storage|blob|"
    r"etcd|consul|lock|session|group(?:ing)?|join|bucket|translation|i18n|config(?:uration)?|registry|public|host|ordering)"
    r"[ _.-]+$"
)


def _is_under_weak_name(name: str, words: tuple[str, ...], separator: str, value: str) -> bool:
    if words[-1] == "auth" and name.isupper() and separator == "=" and not value.isalnum():  # an environment variable
        return len(value) >= 8 and not _DOTTED.fullmatch(value)
    return looks_random(value) and not (len(words) == 1 and _UUID.fullmatch(value))


def is_harmless_name(name: str) -> bool:
    """Whether a word of the name says that what stands under it is no secret: an id, a hash, a path."""
    return not _HARMLESS_WORDS.isdisjoint(word.lower() for word in _WORDS_OF_NAME.findall(name))


@lru_cache(4096)
def _strength(name: str) -> tuple[str | None, tuple[str, ...]]:
    """And the name's words. Long nouns count anywhere in it, short ones among its last two words, weak ones last."""
    lower = name.lower()
    words = tuple(word.lower() for word in _WORDS_OF_NAME.findall(name))
    return _strength_of(lower, words), words


def _strength_of(name: str, words: tuple[str, ...]) -> str | None:
    if any(noun in name for noun in ("password", "passwd", "passphrase", "passwort", "passcode")):
        return "password"
    last = words[-2:]
    if any(word in _PASSWORD_NOUNS for word in last):
        return "password"
    if any(noun in name for noun in ("secret", "token", "apikey", "api_key", "api-key", "credential", "accesskey")):
        return "secret"
    if any(word.endswith(("passwd", "pwd")) for word in last):
        return "password"
    weak = words[-2] if len(words) > 1 and words[-1].isdigit() else words[-1]
    if weak in _WEAK_NOUNS or (weak.endswith("key") and len(weak) < 8):
        return "weak"
    return None


def is_value(value: str) -> bool:
    return bool(value) and not _NO_VALUE.fullmatch(value)


def _looks_secret(value: str) -> bool:
    """Under a name that promises a secret: not a word, not a number."""
    if len(value) < 8 or value.isdigit() or _SINGLE_WORD.fullmatch(value) or _DOTTED.fullmatch(value):
        return False
    return not value.isalnum() or any(char.isdigit() for char in value) or (len(value) >= 12 and _mixed(value))


# Not `re`: the underscore is letter and separator at once, and backtracking over it takes cubic time.
_DOTTED = re2.compile(r"[A-Za-z_]+(?:[-_./:][A-Za-z_]+){1,2}")


def looks_random(value: str, *, least: int = 12) -> bool:
    return len(value) >= least and any(char.isdigit() for char in value) and any(char.isalpha() for char in value)


def _mixed(value: str) -> bool:
    return value.lower() != value and value.upper() != value


RULES = (
    SecretRule(rf"(?i){'|'.join(NOUNS)}", find_pairs),
    SecretRule(_SQL.pattern, _of_sql),
    SecretRule(r"(?i)aws|amazon|secret|access", _of_aws),
    SecretRule(_QUOTED_PHRASE.pattern, _quoted_phrases),
)
