"""Sentry's documents as what is used of them. Pure; a document in another form is Unavailable.

Of an event, what a program held at the time (variables, the request, the user) is left out before anything else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from agents.connecting.connectors.sentry.client import undocumented_form

M = TypeVar("M", bound=BaseModel)
_MOST_FRAMES: Final = 25
_MOST_CRUMBS: Final = 20


class _Lax(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True, coerce_numbers_to_str=True)


class SentryProject(_Lax):
    id: str
    slug: str
    platform: str | None = None


class _Seen(_Lax):
    first_seen: AwareDatetime | None = Field(default=None, alias="firstSeen")


class SentryIssue(_Lax):
    """`count`, `user_count` and `last_seen` are of the window that was asked for; `lifetime` of all time."""

    id: str
    short_id: str = Field(alias="shortId")
    title: str
    culprit: str | None = None
    permalink: str
    level: str = ""
    status: str
    substatus: str | None = None
    project: SentryProject
    count: int
    user_count: int = Field(default=0, alias="userCount")
    first_seen: AwareDatetime | None = Field(default=None, alias="firstSeen")
    last_seen: AwareDatetime | None = Field(default=None, alias="lastSeen")
    lifetime: _Seen | None = None

    @property
    def first(self) -> datetime | None:
        return (self.lifetime.first_seen if self.lifetime else None) or self.first_seen


class _Version(_Lax):
    version: str | None = None


class SentryEvent(_Lax):
    id: str
    title: str
    message: str | None = None
    created: AwareDatetime | None = Field(default=None, alias="dateCreated")
    received: AwareDatetime | None = Field(default=None, alias="dateReceived")
    entries: list[dict[str, Any]] = []
    release: _Version | None = None
    tags: list[dict[str, Any]] = []

    def tag(self, name: str) -> str:
        return next((str(one.get("value", "")) for one in self.tags if one.get("key") == name), "")


class SentryDeploy(_Lax):
    id: str
    environment: str
    finished: AwareDatetime = Field(alias="dateFinished")
    name: str | None = None
    url: str | None = None


class SentryRelease(_Lax):
    version: str
    short: str | None = Field(default=None, alias="shortVersion")
    created: AwareDatetime | None = Field(default=None, alias="dateCreated")
    released: AwareDatetime | None = Field(default=None, alias="dateReleased")
    deploys: int = Field(default=0, alias="deployCount")
    last_deploy: SentryDeploy | None = Field(default=None, alias="lastDeploy")
    projects: list[SentryProject] = []

    @property
    def at(self) -> datetime | None:
        return self.released or self.created


class SentryCommit(_Lax):
    id: str
    message: str | None = None
    created: AwareDatetime = Field(alias="dateCreated")


def one(model: type[M], document: Any, what: str) -> M:
    """Raises Unavailable."""
    try:
        return model.model_validate(document)
    except ValidationError as exc:
        raise undocumented_form(what) from exc


def several(model: type[M], documents: Sequence[Any], what: str) -> list[M]:
    """Raises Unavailable."""
    try:
        return TypeAdapter(list[model]).validate_python(list(documents))  # type: ignore[valid-type] # a class at run time
    except ValidationError as exc:
        raise undocumented_form(what) from exc


def stack_of(event: SentryEvent) -> str:
    """Its exceptions, the last one raised first, each with its frames, the innermost first."""
    return "\n".join(line for entry in event.entries if entry.get("type") == "exception" for line in _exceptions(entry))


def breadcrumbs_of(event: SentryEvent) -> list[dict[str, str]]:
    """The last steps before it, the newest first; their data is left out."""
    found = [
        {
            "at": str(crumb.get("timestamp") or ""),
            "level": str(crumb.get("level") or "info"),
            "category": str(crumb.get("category") or crumb.get("type") or ""),
            "message": str(crumb.get("message") or ""),
        }
        for entry in event.entries
        if entry.get("type") == "breadcrumbs"
        for crumb in _maps(_map(entry.get("data")).get("values"))
    ]
    return found[::-1][:_MOST_CRUMBS]


def _exceptions(entry: Mapping[str, Any]) -> Iterator[str]:
    for value in reversed(_maps(_map(entry.get("data")).get("values"))):
        yield f"{value.get('type') or 'Error'}: {value.get('value') or ''}"
        frames = _maps(_map(value.get("stacktrace")).get("frames"))[::-1]
        own = [frame for frame in frames if frame.get("inApp")] or frames
        for frame in own[:_MOST_FRAMES]:
            where = frame.get("filename") or frame.get("module") or "?"
            line = f":{frame['lineNo']}" if frame.get("lineNo") else ""
            yield f"  at {frame.get('function') or '?'} ({where}{line})"
            code = next((str(text).strip() for number, text in _pairs(frame) if number == frame.get("lineNo")), "")
            if code:
                yield f"     {code}"
        left = len(frames) - min(len(own), _MOST_FRAMES)
        if left:
            yield f"  ({left} further frames, of libraries, are left off)"


def _pairs(frame: Mapping[str, Any]) -> list[tuple[Any, Any]]:
    """Number and text of the lines around it."""
    given = frame.get("context")
    return (
        [(one[0], one[1]) for one in given if isinstance(one, list) and len(one) == 2]
        if isinstance(given, list)
        else []
    )


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _maps(value: Any) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []
