"""Tickets of Jira: whose they are, what they say, and what is written: a new one, or a comment.

A ticket is of the service that one of its components is, or that one of its labels names. What Autoheal made carries a
label with the incident's id, by which it is found again; what it wrote begins with that id.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from agents.connecting.catalog import service_name
from agents.connecting.connector import ActionResult, ConnectorContext
from agents.connecting.connectors.jira.adf import text_of
from agents.connecting.connectors.jira.client import JiraClient, quoted, strange
from agents.connecting.connectors.jira.settings import JiraConfig
from agents.connecting.trackers import TrackedItem, TrackedRead
from agents.errors import BadArguments
from agents.language.service_names import belongs_to
from agents.rows import Noted, Row

KIND: Final = "jira"
FIELDS: Final = "summary,status,issuetype,priority,created,updated,resolutiondate,components,labels"
_FRESH: Final = timedelta(minutes=5)
_LONGEST: Final = 4_000
_COMMENTS: Final = 20


class _Lax(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Named(_Lax):
    name: str


class JiraComponent(_Lax):
    id: str
    name: str


class _Fields(_Lax):
    summary: str
    status: _Named
    issuetype: _Named
    priority: _Named | None = None
    created: AwareDatetime
    updated: AwareDatetime | None = None
    resolutiondate: AwareDatetime | None = None
    components: list[JiraComponent] = []
    labels: list[str] = []
    description: Any = None

    def words(self) -> dict[str, str]:
        """What people named."""
        return {
            "title": self.summary,
            "state": self.status.name,
            "priority": self.priority.name if self.priority else "",
            "type": self.issuetype.name,
        }


class JiraTicket(_Lax):
    id: str
    key: str
    fields: _Fields


class _Author(_Lax):
    displayName: str = ""  # noqa: N815 -- as Jira calls it


class JiraComment(_Lax):
    body: Any
    created: AwareDatetime
    author: _Author = _Author()


class Tickets:
    """Of one connection."""

    def __init__(self, client: JiraClient, config: JiraConfig, context: ConnectorContext) -> None:
        self._client, self._config, self._context = client, config, context
        self._read: tuple[datetime, dict[str, list[JiraComponent]]] | None = None
        self._made: dict[str, str] = {}

    async def components(self, *, anew: bool = False) -> dict[str, list[JiraComponent]]:
        """By project; asked again after five minutes. Raises AgentError."""
        if anew or self._read is None or self._context.now() - self._read[0] > _FRESH:
            found = {}
            for project in self._config.projects:
                what = f"components of project {project}"
                given = await self._client.get(f"/project/{project}/components", what=what)
                found[project] = _several(JiraComponent, given, what)
            self._read = (self._context.now(), found)
        return self._read[1]

    async def search(self, services: Iterable[str], *conditions: str, types: Sequence[str]) -> TrackedRead:
        """The newest first."""
        wanted = list(services)
        parts = [f"project in ({', '.join(self._config.projects)})", await self._of(wanted), *conditions]
        if types:
            parts.append(f"issuetype in ({', '.join(map(quoted, types))})")
        jql = f"{' AND '.join(parts)} ORDER BY created DESC"
        found = await self._client.search(jql, fields=FIELDS, what="tickets")
        items = [
            one for one in await self._items(_several(JiraTicket, found.issues, "tickets")) if one.service in wanted
        ]
        more = (f"Jira: tickets older than the newest {len(items)} were not read",) if found.more else ()
        return TrackedRead(items=tuple(items), gaps=more)

    async def ticket(self, key: str) -> tuple[TrackedItem, str]:
        """With its description. Raises BadArguments for one of another project, or of no declared service."""
        what = f"ticket {key}"
        if key.rpartition("-")[0] not in self._config.projects:
            raise BadArguments(f"{what} is in none of the connected projects: {', '.join(self._config.projects)}")
        given = await self._client.get(f"/issue/{quote(key, safe='')}", {"fields": f"{FIELDS},description"}, what=what)
        found = _several(JiraTicket, [given], what)
        items = await self._items(found)
        if not items:
            raise BadArguments(f"{what} of Jira is of no declared service: none of its components or labels is one")
        return items[0], await self._context.clean(text_of(found[0].fields.description), keep=_LONGEST)

    async def comments(self, item: TrackedItem, gaps: list[str]) -> list[Row]:
        """The newest first."""
        what = f"comments of {item.key}"
        asked = {"maxResults": str(_COMMENTS), "orderBy": "-created"}
        document = await self._client.get(f"/issue/{quote(item.key, safe='')}/comment", asked, what=what)
        given = _several(JiraComment, document.get("comments") if isinstance(document, dict) else None, what)
        left = int(document.get("total") or 0) - len(given)
        gaps += [f"{left} older {what} were not read"] if left > 0 else []
        rows: list[Row] = []
        for one in given:
            text = await self._context.clean(text_of(one.body), keep=_LONGEST)
            (by,) = await self._context.clean_words([one.author.displayName])
            line = f"comment {one.created:%Y-%m-%d %H:%M:%S%z} {' '.join(text.split())}"
            rows.append(Noted(service=item.service, about=item.key, text=text, at=one.created, by=by, line=line))
        return rows

    async def own(self, mark: str) -> TrackedItem | None:
        """The ticket that was made with this mark. Raises AgentError."""
        jql = f"project = {self._config.projects[0]} AND labels = {quoted(mark)} ORDER BY created ASC"
        found = await self._client.search(
            jql, fields=FIELDS, what="tickets of this incident", most_pages=1, known=self._made.get(mark)
        )
        items = await self._items(_several(JiraTicket, found.issues, "tickets of this incident"))
        return items[0] if items else None

    # Writing

    def body(self, action: str, parameters: Mapping[str, str]) -> dict[str, Any]:
        if action == "comment_ticket":
            return {"body": self._client.body_of(parameters["text"])}
        components = json.loads(parameters["components"])
        return {
            "fields": {
                "project": {"key": self._config.projects[0]},
                "issuetype": {"name": self._config.ticket_type},
                "summary": parameters["title"],
                "description": self._client.body_of(parameters["text"]),
                "labels": [parameters["mark"], parameters["service"]],
                **({"components": [{"id": one} for one in components]} if components else {}),
            }
        }

    def path(self, action: str, parameters: Mapping[str, str]) -> str:
        return f"/issue/{quote(parameters['item'], safe='')}/comment" if action == "comment_ticket" else "/issue"

    async def of_service(self, service: str) -> list[str]:
        """Ids of the components, in the project where tickets are made, that are this service."""
        given = (await self.components())[self._config.projects[0]]
        return [one.id for one in given if self._declared([one.name]) == service]

    async def create(self, parameters: Mapping[str, str]) -> ActionResult:
        mark = parameters["mark"]
        own = await self.own(mark)
        if own is not None:
            return ActionResult(ok=True, detail=f"ticket {own.key} is there already: {own.link}")
        what = f"a new ticket in {self._config.projects[0]}"
        made = await self._client.post("/issue", self.body("create_ticket", parameters), what=what)
        if not isinstance(made, dict) or not made.get("key"):
            raise strange(what)
        self._made[mark] = str(made.get("id") or "")
        return ActionResult(ok=True, detail=f"ticket {made['key']} was made: {self.page(str(made['key']))}")

    async def comment(self, parameters: Mapping[str, str]) -> ActionResult:
        item, _ = await self.ticket(parameters["item"])
        if item.service != parameters["service"]:
            return ActionResult(ok=False, detail=f"ticket {item.key} is of {item.service} now; nothing was written")
        if await self.is_commented(item, parameters["mark"]):
            return ActionResult(ok=True, detail=f"the comment is there already: {item.link}")
        what = f"a comment on {item.key}"
        body = self.body("comment_ticket", parameters)
        await self._client.post(self.path("comment_ticket", parameters), body, what=what)
        return ActionResult(ok=True, detail=f"commented on ticket {item.key}: {item.link}")

    async def is_commented(self, item: TrackedItem, mark: str) -> bool:
        """Whether one of the newest comments begins with the mark."""
        rows = await self.comments(item, [])
        return any(row.text.startswith(mark) for row in rows if isinstance(row, Noted))

    def page(self, key: str) -> str:
        return f"{self._config.base}/browse/{key}"

    # Reading

    async def _of(self, services: Sequence[str]) -> str:
        """By component where there is one of that name, since JQL refuses others, and by label, where it does not."""
        known = [one for several in (await self.components()).values() for one in several]
        ids = sorted({one.id for one in known if self._declared([one.name]) in services})
        wanted = [one for one in self._context.services if one.name in services]
        labels = {name for one in wanted for name in one.names_for(KIND) if " " not in name and "*" not in name}
        by_label = f"labels in ({', '.join(map(quoted, sorted(labels)))})" if labels else ""
        by_component = f"component in ({', '.join(ids)})" if ids else ""
        return f"({' OR '.join(filter(None, (by_component, by_label)))})"

    def _declared(self, names: Iterable[str]) -> str | None:
        spelt = (spelling for name in names for spelling in (name, service_name(name)))
        return next((found for one in spelt if (found := belongs_to(one, self._context.services, KIND))), None)

    async def _items(self, given: Sequence[JiraTicket]) -> list[TrackedItem]:
        """Those that are of a declared service, cleaned."""
        told = [(self._declared([*(c.name for c in one.fields.components), *one.fields.labels]), one) for one in given]
        ours = [(service, one) for service, one in told if service]
        rows = await self._context.clean_rows([one.fields.words() for _, one in ours])
        return [
            TrackedItem(
                kind="ticket",
                key=one.key,
                shown=one.key,
                service=service,
                title=" ".join(row["title"].split())[:300],
                state=row["state"],
                opened_at=one.fields.created.astimezone(UTC),
                seen_at=(one.fields.updated or one.fields.created).astimezone(UTC),
                ended_at=one.fields.resolutiondate.astimezone(UTC) if one.fields.resolutiondate else None,
                severity=row["priority"],
                also=row["type"],
                link=self.page(one.key),
            )
            for (service, one), row in zip(ours, rows, strict=True)
        ]


def _several(model: Any, documents: Any, what: str) -> list[Any]:
    """Raises Unavailable."""
    if not isinstance(documents, list):
        raise strange(what)
    try:
        return [model.model_validate(one) for one in documents]
    except ValidationError as exc:
        raise strange(what) from exc
