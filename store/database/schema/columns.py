"""Column types that keep promises at the last moment before the database.

Plain text cannot be stored by accident: a column is a `Word` (an id, a name from code; no spaces), a `RedactedText`
(takes only what a `Redactor` made) or sealed bytes.
"""

import re
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, DateTime, Dialect, LargeBinary, String, Text, TypeDecorator

from store.keys.vault import MAGICS
from store.secrets.redaction import Redacted

WORD_LENGTH = 255
_WORD = re.compile(r"[\x21-\x7e]{0,255}")


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC in and out; SQLite keeps no zone, so it is taken off and put back there."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise TypeError("a time without a zone cannot be stored")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Sealed(TypeDecorator[bytes]):
    """An envelope (store/keys/vault.py). Rotation and erasure find the sealed columns by this type."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: bytes | None, _dialect: Dialect) -> bytes | None:
        if value is not None and not value.startswith(MAGICS):
            raise TypeError("only an envelope can be stored in a sealed column")
        return value


class RedactedText(TypeDecorator[str]):
    """Text for people. Only `Redacted` may enter."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, _dialect: Dialect) -> str | None:
        if value is not None and not isinstance(value, Redacted):
            raise TypeError("text must pass a Redactor before it is stored")
        return None if value is None else str.__str__(value)

    def process_result_value(self, value: str | None, _dialect: Dialect) -> Redacted | None:
        return None if value is None else Redacted.ours(value)


class Word(TypeDecorator[str]):
    """An identifier: at most 255 printable ASCII characters without spaces, so that prose does not fit."""

    impl = String(WORD_LENGTH)
    cache_ok = True

    def process_bind_param(self, value: str | None, _dialect: Dialect) -> str | None:
        return None if value is None else word(value)


class Words(TypeDecorator[tuple[str, ...]]):
    """A short list of identifiers."""

    impl = JSON
    cache_ok = True

    def process_bind_param(self, value: Any, _dialect: Dialect) -> list[str]:
        return [word(item) for item in value or ()]

    def process_result_value(self, value: Any, _dialect: Dialect) -> tuple[str, ...]:
        return tuple(value or ())


def word(value: str) -> str:
    if not _WORD.fullmatch(value):
        raise ValueError("an identifier has at most 255 printable ASCII characters and no spaces")
    return str(value)
