"""What connecting a home-grown API asks of people: its address, and the endpoints that may be read, each in one line.

`queue = /queues/{service}; depth /stats/depth count; oldest /stats/oldest_at time`: a path with the service in it, then
per field its name, a JSON pointer (RFC 6901, where a `*` stands for every item of a list or object), and its unit.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, cast, get_args

from pydantic import Field, HttpUrl, field_validator

from agents.connecting.connector import ConnectorConfig
from agents.connecting.fields import HTTP_LOGIN, HTTP_LOGIN_WAYS, Form, plain_headers
from agents.connecting.fields import Field as Asked

Unit = Literal["text", "time", "count", "ratio", "percent", "seconds", "milliseconds", "bytes", "per_second"]
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")
_PATH: Final = re.compile(r"/[A-Za-z0-9._~/{}=&?%:,@+-]{0,300}")
_POINTER: Final = re.compile(r"(/[^/\s;]{1,80}){0,12}/?")
_UNITS: Final = get_args(Unit)
_MOST_FIELDS: Final = 20


@dataclass(frozen=True, kw_only=True)
class WantedField:
    """`pointer` is in parts; a part `*` stands for every item."""

    name: str
    pointer: tuple[str, ...]
    unit: Unit


@dataclass(frozen=True, kw_only=True)
class DeclaredEndpoint:
    """`path` holds `{service}` where the service's name belongs."""

    name: str
    path: str
    fields: tuple[WantedField, ...]


class HttpJsonConfig(ConnectorConfig):
    """`url` is what the paths are below; `headers` are sent with every question and hold no secrets."""

    url: HttpUrl
    endpoints: Mapping[str, str] = Field(min_length=1, max_length=30)
    headers: Mapping[str, str] = Field(default_factory=dict)

    @field_validator("endpoints")
    @classmethod
    def _readable(cls, endpoints: Mapping[str, str]) -> Mapping[str, str]:
        for name, written in endpoints.items():
            read_endpoint(name, written)
        return endpoints

    @field_validator("headers")
    @classmethod
    def _plain(cls, headers: Mapping[str, str]) -> Mapping[str, str]:
        plain_headers(headers)
        return headers

    def declared(self) -> dict[str, DeclaredEndpoint]:
        return {name: read_endpoint(name, written) for name, written in self.endpoints.items()}


def read_endpoint(name: str, written: str) -> DeclaredEndpoint:
    """Raises ValueError that says what is wrong with which part."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name[:40]!r} is no name of an endpoint: small letters, digits and _")
    path, *fields = (part.strip() for part in written.split(";"))
    left = path.replace("{service}", "")
    if not _PATH.fullmatch(path) or path.startswith("//") or ".." in path or "{" in left or "}" in left:
        raise ValueError(f"{name}: {path[:80]!r} is no path; it begins with / and may hold {{service}}")
    if "{service}" not in path:
        raise ValueError(f"{name}: the path holds no {{service}}, so nobody could say of which service it tells")
    read = tuple(_field(name, one) for one in fields if one)
    if not 0 < len(read) <= _MOST_FIELDS:
        raise ValueError(
            f"{name}: name one to {_MOST_FIELDS} fields behind the path, as in `; depth /stats/depth count`"
        )
    return DeclaredEndpoint(name=name, path=path, fields=read)


def _field(endpoint: str, written: str) -> WantedField:
    parts = written.split()
    if len(parts) != 3 or not _NAME.fullmatch(parts[0]) or not _POINTER.fullmatch(parts[1]):
        raise ValueError(f"{endpoint}: {written[:80]!r} is no field; write its name, a JSON pointer and a unit")
    if parts[2] not in _UNITS:
        raise ValueError(f"{endpoint}: {parts[2][:40]!r} is no unit; there are {', '.join(_UNITS)}")
    pointer = tuple(part.replace("~1", "/").replace("~0", "~") for part in parts[1].split("/")[1:])
    return WantedField(name=parts[0], pointer=pointer, unit=cast("Unit", parts[2]))


FORM: Final = Form(
    fields=(
        Asked(
            name="url",
            label="Address",
            help="What the paths below are under.",
            example="https://ops.example.com/api",
            required=True,
            pattern=r"https?://\S+",
        ),
        Asked(
            name="endpoints",
            label="Endpoints",
            help="One a line: name = path; field pointer unit; and so on. Units: text, time, count, ratio, percent, "
            "seconds, milliseconds, bytes, per_second. They are read with GET only.",
            example="queue = /queues/{service}; depth /stats/depth count",
            required=True,
            kind="pairs",
            long=True,
        ),
        Asked(
            name="headers",
            label="Headers",
            help="Sent with every question. No secrets.",
            example="X-Team = shop",
            kind="pairs",
            long=True,
        ),
        *HTTP_LOGIN,
    ),
    ways=HTTP_LOGIN_WAYS,
    open=True,
)
