"""Public formats of secrets and personal numbers, found in text in linear time."""

from typing import NamedTuple

import re2


class Span(NamedTuple):
    start: int
    end: int
    kind: str


_FORMATS = re2.compile(r"gh[posur]_[A-Za-z0-9]{36,}|xox[a-z]-[A-Za-z0-9-]{10,}|sk-ant-[A-Za-z0-9_-]{20,}")


def find_secrets(text: str) -> list[Span]:
    return [Span(found.start(), found.end(), "token") for found in _FORMATS.finditer(text)]


def is_secret_name(name: str, value: str) -> bool:
    return name.lower() in {"password", "token", "secret", "api_key"} and bool(value)
