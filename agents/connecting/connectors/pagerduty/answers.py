"""PagerDuty's documents as what is used of them. Pure; a document in another form is Unavailable."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, TypeAdapter, ValidationError

from agents.connecting.connectors.pagerduty.client import unreadable

M = TypeVar("M", bound=BaseModel)
OPEN: Final = ("triggered", "acknowledged")


class _Lax(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Referred(_Lax):
    id: str
    summary: str | None = None
    html_url: str | None = None


class GivenService(_Lax):
    id: str
    name: str
    status: str = "active"
    html_url: str | None = None
    escalation_policy: Referred


class _Counts(_Lax):
    triggered: int = 0
    all: int = 0


class _At(_Lax):
    at: AwareDatetime


class GivenIncident(_Lax):
    id: str
    incident_number: int
    title: str
    status: Literal["triggered", "acknowledged", "resolved"]
    urgency: str = ""
    priority: Referred | None = None
    incident_key: str | None = None
    created_at: AwareDatetime
    last_status_change_at: AwareDatetime | None = None
    service: Referred
    alert_counts: _Counts = _Counts()
    html_url: str | None = None


class _AlertBody(_Lax):
    details: Any = None


class GivenAlertOfIncident(_Lax):
    id: str
    summary: str | None = None
    status: Literal["triggered", "resolved"]
    severity: str | None = None
    alert_key: str | None = None
    suppressed: bool = False
    created_at: AwareDatetime
    service: Referred
    html_url: str | None = None
    body: _AlertBody | None = None


class GivenNote(_Lax):
    content: str
    created_at: AwareDatetime | None = None
    user: Referred | None = None


class GivenOnCall(_Lax):
    escalation_level: int
    user: Referred
    schedule: Referred | None = None
    escalation_policy: Referred
    start: AwareDatetime | None = None
    end: AwareDatetime | None = None


class _Link(_Lax):
    href: str


class GivenChange(_Lax):
    id: str
    summary: str
    timestamp: AwareDatetime
    source: str | None = None
    html_url: str | None = None
    services: list[Referred] = []
    links: list[_Link] | None = None
    custom_details: Any = None


def one(model: type[M], document: Any, key: str, what: str) -> M:
    """Raises Unavailable."""
    try:
        return model.model_validate(document[key])
    except (ValidationError, KeyError, TypeError) as exc:
        raise unreadable(what) from exc


def several(model: type[M], documents: Sequence[Any], what: str) -> list[M]:
    """Raises Unavailable."""
    try:
        return TypeAdapter(list[model]).validate_python(list(documents))  # type: ignore[valid-type] # a class at run time
    except ValidationError as exc:
        raise unreadable(what) from exc
