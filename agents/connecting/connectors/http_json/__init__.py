"""Reads declared endpoints of a home-grown API that answers with JSON: GET only, of one service at a time, and of the
answer only the fields that were declared, each with its unit.

Nothing is guessed: a field that is not there, or is not of its kind, is a gap and never a zero.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote

from pydantic import Field

from agents.connecting.connector import Check, Connector, ConnectorContext
from agents.connecting.connectors.http_json.settings import FORM, DeclaredEndpoint, HttpJsonConfig, WantedField
from agents.connecting.fields import Scope
from agents.english import counted
from agents.errors import AgentError, BadArguments
from agents.rows import Row, Searched, State, Unread
from agents.tool import Arguments, Tool, ToolOutput, tool

_KIND: Final = "http_json"
_MOST_BYTES: Final = 2_000_000
_MOST_VALUES: Final = 60
_MOST_ITEMS: Final = 10_000
_LONGEST: Final = 300
_WHERE: Final = "*"  # no field is called so
_TRIED: Final = 3
_INDEX: Final = re.compile(r"[0-9]{1,6}")


class OfEndpoint(Arguments):
    service: str = Field(description="A declared service.")
    endpoint: str = Field(pattern=r"^[a-z][a-z0-9_]{0,39}$", description="Which of the endpoints named above.")


@dataclass(frozen=True, kw_only=True)
class FoundValue:
    """`where` are the keys or numbers that a `*` stood for."""

    where: tuple[str, ...]
    value: Any


class HttpJson(Connector):
    name = "http_json"
    title = "HTTP with JSON"
    config_model = HttpJsonConfig
    names_are = _KIND
    about = "Declared, read-only endpoints of an API of your own."
    docs_url = "https://www.rfc-editor.org/rfc/rfc6901"
    form = FORM
    scopes = (Scope(name="GET", without="The declared endpoints cannot be read."),)
    leaves_behind = "The credential stays valid until it is withdrawn where it was made."

    def __init__(self, config: Any, context: ConnectorContext) -> None:
        super().__init__(config, context)
        self._endpoints: Mapping[str, DeclaredEndpoint] = config.declared()

    @classmethod
    def hosts(cls, config: Any) -> tuple[str, ...]:
        return (config.url.host,)

    async def check(self) -> Check:
        """Reads each endpoint of one service: of another one it may still be missing."""
        if not self.context.names:
            detail = f"{counted(len(self._endpoints), 'endpoint')} declared; no service is known to read them of"
            return Check(ok=True, detail=detail)
        problems = []
        for endpoint in self._endpoints.values():
            try:
                problems += [f"{endpoint.name}: {gap}" for gap in await self._tried(endpoint)]
            except AgentError as exc:
                problems.append(f"{endpoint.name}: {exc}")
        read = f"{len(self._endpoints)} endpoints tried" if len(self._endpoints) > 1 else "1 endpoint tried"
        if not problems:
            return Check(ok=True, detail=read, has_data=True)
        answers = len({problem.partition(":")[0] for problem in problems}) < len(self._endpoints)
        advice = "Correct the address, the credential or the endpoints, and test again."
        return Check(
            ok=False, answers=answers, detail=f"{read}: {problems[0]}", lacks=tuple(problems), next_action=advice
        )

    def tools(self) -> list[Tool]:
        """The tool names what can be read."""
        told = "\n".join(
            f"- {one.name}: {', '.join(f'{field.name} ({field.unit})' for field in one.fields)}"
            for one in self._endpoints.values()
        )
        return [replace(found, description=f"{found.description}\n\n{told}") for found in super().tools()]

    @tool()
    async def http_json_read(self, arguments: OfEndpoint) -> ToolOutput:
        """What an API of the team's own tells of a service now. Its endpoints, and the fields of each:"""
        self.context.require_declared([arguments.service], key="service")
        endpoint = self._endpoints.get(arguments.endpoint)
        if endpoint is None:
            raise BadArguments(f"endpoint: there are {', '.join(self._endpoints)}")
        document = await self._asked(endpoint, arguments.service)
        at = self.context.now()
        gaps: list[str] = []
        rows: list[Row] = []
        for field in endpoint.fields:
            rows += await self._rows(endpoint, field, document, arguments.service, at, gaps)
        if len(rows) > _MOST_VALUES:
            gaps.append(f"{len(rows) - _MOST_VALUES} further values are not shown")
        found = len(rows)
        rows = rows[:_MOST_VALUES]
        rows += [Unread(service=arguments.service, reason=gap, part=bool(found), line=f"gap: {gap}") for gap in gaps]
        none = "" if rows else f"nothing found: the lists of {endpoint.name} are empty for {arguments.service}"
        searched = Searched(service=arguments.service, what=endpoint.name, found=found, whole=not gaps, line=none)
        return ToolOutput(
            text="\n".join(row.line for row in rows) or none,
            rows=(searched, *rows),
            summary=f"{endpoint.name} of {arguments.service}, {counted(found, 'value')}",
            gap="; ".join(gaps) or None,
        )

    async def _rows(  # noqa: PLR0917 -- read once, above
        self, endpoint: DeclaredEndpoint, field: WantedField, document: Any, service: str, at: datetime, gaps: list[str]
    ) -> list[Row]:
        found = list(_values(document, field.pointer))
        given = [one for one in found if not isinstance(one, str)]
        gaps += sorted({one for one in found if isinstance(one, str)})[:3]
        told = [(one, said) for one in given if (said := _said(one.value, field.unit)) is not None]
        if len(told) < len(given):
            left = counted(len(given) - len(told), "value")
            gaps.append(f"{field.name} is not {_NOT.get(field.unit, 'a number')} ({left})")
        rows = await self.context.clean_rows([{_WHERE: " ".join(one.where), field.name: said} for one, said in told])
        return [
            State(
                service=service,
                name=" ".join(filter(None, (endpoint.name, row[_WHERE][:80], field.name))),
                value=row[field.name][:_LONGEST],
                at=at,
                line=f"{' '.join(filter(None, (row[_WHERE][:80], field.name)))}: {row[field.name][:_LONGEST]}",
            )
            for row in rows
        ]

    async def _tried(self, endpoint: DeclaredEndpoint) -> list[str]:
        """What of an endpoint's fields is not there for the first service that it knows. Raises AgentError."""
        failure: AgentError | None = None
        for service in self.context.names[:_TRIED]:
            try:
                document = await self._asked(endpoint, service, timeout_s=4.0, retries=0)
            except BadArguments as exc:
                failure = exc  # it need not know each service
                continue
            return sorted(
                {gap for field in endpoint.fields for gap in _values(document, field.pointer) if isinstance(gap, str)}
            )
        raise failure or BadArguments("no service is known")

    async def _asked(self, endpoint: DeclaredEndpoint, service: str, **options: Any) -> Any:
        """The whole answer, still with its secrets: nothing but declared fields leaves here, cleaned."""
        path = endpoint.path.replace("{service}", quote(self._called(service), safe=""))
        answer = await self.context.outbound.get(
            f"{str(self.config.url).rstrip('/')}{path}",
            headers={**self.config.headers, **self.context.authorization(), "accept": "application/json"},
            max_bytes=_MOST_BYTES,
            accept={404},
            **options,
        )
        if answer.status == 404:
            raise BadArguments(f"{self.title} has no {endpoint.name} of {service} (404)")
        return answer.json()

    def _called(self, service: str) -> str:
        """What the API calls it: an alias of its own kind, as in `http_json:shop-checkout`, else its name."""
        one = next(known for known in self.context.services if known.name == service)
        own = (alias.removeprefix(f"{_KIND}:") for alias in one.aliases if alias.startswith(f"{_KIND}:"))
        return next((name for name in own if "*" not in name), service)


_NOT: Final = {"text": "a text", "time": "a time"}
_SIGNS: Final = {"ratio": "", "percent": "%", "seconds": " s", "milliseconds": " ms", "per_second": "/s", "count": ""}


def _values(document: Any, pointer: tuple[str, ...]) -> Iterator[FoundValue | str]:
    """The values that a pointer means, or where it leads nowhere, as a sentence."""
    open_: list[FoundValue] = [FoundValue(where=(), value=document)]
    for at, part in enumerate(pointer):
        following: list[FoundValue] = []
        for one in open_:
            if part == "*" and isinstance(one.value, list | dict):
                items = one.value.items() if isinstance(one.value, dict) else enumerate(one.value)
                following += [FoundValue(where=(*one.where, str(key)), value=value) for key, value in items]
            elif isinstance(one.value, dict) and part in one.value:
                following.append(FoundValue(where=one.where, value=one.value[part]))
            elif isinstance(one.value, list) and _INDEX.fullmatch(part) and int(part) < len(one.value):
                following.append(FoundValue(where=one.where, value=one.value[int(part)]))
            else:
                yield f"the answer has no /{'/'.join(pointer[: at + 1])}"
        if len(following) > _MOST_ITEMS:
            yield f"/{'/'.join(pointer[: at + 1])} has more than {_MOST_ITEMS} items; the first were read"
        open_ = following[:_MOST_ITEMS]
    yield from open_


def _said(value: Any, unit: str) -> str | None:
    """With its unit; None for what is not of that kind."""
    if unit == "text":
        return str(value) if isinstance(value, str | int | float | bool) else None
    if unit == "time":
        return _moment(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return (
        f"{value:g}{_SIGNS.get(unit, f' {unit}')}" if abs(value) < 1e6 else f"{value:.0f}{_SIGNS.get(unit, f' {unit}')}"
    )


def _moment(value: Any) -> str | None:
    """RFC 3339, or seconds since 1970."""
    try:
        if isinstance(value, str):
            at = datetime.fromisoformat(value)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            at = datetime.fromtimestamp(value, tz=UTC)
        else:
            return None
        return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if at.tzinfo else None
    except (ValueError, OverflowError, OSError):
        return None


CONNECTOR = HttpJson
