"""Questions to Grafana's own HTTP API, and what its refusals mean.

https://grafana.com/docs/grafana/latest/developers/http_api/ -- a 403 names the permission that the service account
lacks, which is said on; that something is not seen does not say that it is not there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agents.connecting.connector import ConnectorContext
from agents.errors import BadArguments, NeedsReauthorisation, Unavailable

_TOLD: Final = frozenset({400, 401, 403, 404, 422})
_LONGEST_WORDS: Final = 200
M = TypeVar("M", bound=BaseModel)


class _Given(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True)


class GivenDatasource(_Given):
    uid: str
    name: str
    type: str


class GivenAnnotation(_Given):
    """`time` in milliseconds since 1970."""

    id: int
    time: int = Field(ge=0, lt=4_102_444_800_000)  # up to the year 2100
    text: str = ""
    tags: tuple[str, ...] = ()
    dashboard: str | None = Field(default=None, alias="dashboardUID")


class GivenDashboard(_Given):
    uid: str
    title: str


class GivenRule(_Given):
    """`type` tells alerting rules from recording ones."""

    name: str
    type: str = "alerting"
    state: str = ""
    health: str = ""
    query: str = ""
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)
    alerts: tuple[dict[str, Any], ...] = ()
    uid: str = ""


class GrafanaClient:
    """Of one connection. `context` has the way out that trusts its certificate."""

    def __init__(self, url: str, context: ConnectorContext) -> None:
        self.base, self._context = url.rstrip("/"), context

    async def get(
        self, path: str, params: Mapping[str, str | list[str]] | None = None, *, what: str, retries: int = 2
    ) -> Any:
        """One document. `what` names it for people. Raises as `Outbound`, with Grafana's reasons."""
        answer = await self._context.outbound.get(
            f"{self.base}/api/{path}",
            params=params,
            headers={**self._context.authorization(), "accept": "application/json"},
            accept=_TOLD,
            retries=retries,
        )
        if answer.status == 401:
            raise NeedsReauthorisation("Grafana does not accept the token (401): it ended or was deleted")
        if answer.status not in _TOLD:
            return answer.json()
        said = await self._words(answer.text())
        if answer.status == 403:
            raise NeedsReauthorisation(f"this service account may not see {what} (403){said}")
        if answer.status == 404:
            raise BadArguments(f"Grafana knows no {what} (404); is the address right?")
        raise BadArguments(f"Grafana refused {what}{said}")

    async def _words(self, body: str) -> str:
        """Its own words, from `message`; "" for none."""
        try:
            message = _Refused.model_validate_json(body).message
        except ValidationError:
            return ""
        return f": {(await self._context.clean(message, keep=_LONGEST_WORDS)).strip()}" if message else ""


class _Refused(_Given):
    message: str = ""


def several(kind: type[M], document: Any, what: str) -> tuple[list[M], int]:
    """The items of a list that are of the kind, and how many are not. Raises Unavailable where it is no list."""
    if not isinstance(document, list):
        raise Unavailable(f"Grafana answered {what} in a form that it does not document")
    found: list[M] = []
    for one in document:
        try:
            found.append(kind.model_validate(one))
        except ValidationError:
            continue
    return found, len(document) - len(found)
