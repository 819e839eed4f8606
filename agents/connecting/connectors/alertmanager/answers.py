"""What Alertmanager's API v2 answers, as far as it is read here. Pure.

https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from agents.connecting.active_alerts import AlertState
from agents.errors import Unavailable

OWN: Final = "Autoheal"
"""`createdBy` of the silences that are made here."""
M = TypeVar("M", bound=BaseModel)


class _Answer(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True)


class AlertStatus(_Answer):
    state: Literal["unprocessed", "active", "suppressed"]
    silenced_by: tuple[str, ...] = Field(alias="silencedBy")
    inhibited_by: tuple[str, ...] = Field(alias="inhibitedBy")
    muted_by: tuple[str, ...] = Field(default=(), alias="mutedBy")  # since 0.28

    @property
    def word(self) -> AlertState:
        if self.silenced_by:
            return "silenced"
        return "inhibited" if self.inhibited_by else "muted" if self.muted_by else "firing"


class GivenAlert(_Answer):
    labels: dict[str, str]
    annotations: dict[str, str]
    fingerprint: str
    starts_at: AwareDatetime = Field(alias="startsAt")
    status: AlertStatus


class Matcher(_Answer):
    name: str
    value: str
    is_regex: bool = Field(alias="isRegex")
    is_equal: bool = Field(default=True, alias="isEqual")

    @property
    def sign(self) -> str:
        return ("=" if self.is_equal else "!") + ("~" if self.is_regex else "" if self.is_equal else "=")

    def __str__(self) -> str:
        return f"{self.name}{self.sign}{quoted(self.value)}"


class SilenceStatus(_Answer):
    state: Literal["active", "pending", "expired"]


class GivenSilence(_Answer):
    id: str
    status: SilenceStatus
    matchers: tuple[Matcher, ...] = Field(min_length=1)
    starts_at: AwareDatetime = Field(alias="startsAt")
    ends_at: AwareDatetime = Field(alias="endsAt")
    created_by: str = Field(alias="createdBy")
    comment: str = ""

    def is_exactly(self, labels: Mapping[str, str]) -> bool:
        plain = all(m.is_equal and not m.is_regex for m in self.matchers)
        return plain and {m.name: m.value for m in self.matchers} == dict(labels)


def read_list(kind: type[M], document: Any) -> tuple[list[M], int]:
    """The items of a list that are of the kind, and how many are not. Raises Unavailable where it is no list."""
    if not isinstance(document, list):
        raise Unavailable("the answer is not one of Alertmanager's API; is the URL right?")
    found: list[M] = []
    for one in document:
        try:
            found.append(kind.model_validate(one))
        except ValidationError:
            continue
    return found, len(document) - len(found)


def quoted(value: str) -> str:
    """A label's value as a matcher writes it."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def equal(labels: Mapping[str, str]) -> list[str]:
    """A matcher a label, in the order of the names."""
    return [f"{name}={quoted(value)}" for name, value in sorted(labels.items())]


def posted_matchers(labels: Mapping[str, str]) -> list[dict[str, object]]:
    """The same as a silence is posted with them."""
    return [{"name": name, "value": value, "isRegex": False, "isEqual": True} for name, value in sorted(labels.items())]


def first_of(labels: Mapping[str, str], names: Iterable[str]) -> str:
    return next((labels[name] for name in names if labels.get(name)), "")
