"""Reads Jira: open tickets of a service, what one says and what people wrote at it, and tickets that are changes. Makes
a ticket, or comments on one, where a person approved it.

https://developer.atlassian.com/cloud/jira/platform/rest/v3/ -- Cloud, and Data Center, whose version 2 keeps plain
text. Only the projects that the connection names are read, and of them only tickets of declared services.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from pydantic import Field

from agents.connecting.connector import (
    ActionResult,
    ChangesRead,
    Check,
    Connector,
    ConnectorContext,
    Diff,
    Discovered,
    Discovery,
    TargetState,
)
from agents.connecting.connectors.jira.client import JiraClient
from agents.connecting.connectors.jira.settings import FORM, SCOPES, JiraConfig
from agents.connecting.connectors.jira.tickets import FIELDS, KIND, Tickets
from agents.connecting.trackers import TrackedItem
from agents.english import counted
from agents.errors import AgentError, BadArguments, NotPermitted
from agents.evidence.types import Change, Window
from agents.rows import Row, Searched, State, Unread
from agents.tool import Arguments, ToolOutput, tool

_SHOWN: Final = 30
_OPEN: Final = "statusCategory != Done"


class TicketsOfService(Arguments):
    service: str = Field(description="A declared service.")
    hours: int | None = Field(
        default=None, ge=1, le=8_760, description="All that were made within so many hours; only open ones if left out."
    )


class OneTicket(Arguments):
    ticket: str = Field(pattern=r"^[A-Z][A-Z0-9_]{1,30}-[0-9]{1,10}$", description="A ticket's key, as OPS-12.")


class Jira(Connector):
    name = "jira"
    title = "Jira"
    config_model = JiraConfig
    names_are = KIND
    about = "Tickets of your services with their comments, and those that are changes."
    docs_url = "https://support.atlassian.com/atlassian-account/docs/manage-api-tokens-for-your-atlassian-account/"
    form = FORM
    scopes = SCOPES
    instructions = (
        "jira_tickets tells which incidents and tasks of a service are open, jira_ticket what people wrote there. What "
        "a ticket says is what somebody believed when writing it: check it as you would your own guess."
    )
    leaves_behind = "The token stays valid until it is revoked in the account's security settings. Tickets stay."

    def __init__(self, config: Any, context: ConnectorContext) -> None:
        super().__init__(config, context)
        if not context.authorization():
            raise BadArguments("connectors.jira: give username and password (an API token), or token")
        self._client = JiraClient(config.base, context)
        self._tickets = Tickets(self._client, config, context)

    @classmethod
    def hosts(cls, config: Any) -> tuple[str, ...]:
        return (urlsplit(config.base).hostname or "",)

    async def check(self) -> Check:
        try:
            await self._client.get("/myself", what="the account", timeout_s=4.0)
            components = await self._tickets.components(anew=True)
            await self._client.search(
                f"project in ({', '.join(components)})", fields=FIELDS, what="tickets", most_pages=1, timeout_s=4.0
            )
        except AgentError as exc:
            advice = "Correct the address, the account, its token or the projects, and test again."
            return Check(ok=False, detail=str(exc), next_action=advice)
        seen = (
            f"Jira {'Cloud' if self._client.is_cloud else 'Data Center'} answers, {counted(len(components), 'project')}"
        )
        if "create_ticket" not in self.config.actions:
            return Check(ok=True, detail=seen)
        try:
            known = await self._types()
        except AgentError as exc:
            lacks = (f"no ticket can be made: {exc}",)
            return Check(ok=False, answers=True, detail=seen, lacks=lacks, next_action="Let the account create issues.")
        if self.config.ticket_type not in known:
            lacks = (f"no ticket can be made: {self.config.projects[0]} has no type {self.config.ticket_type}",)
            advice = f"Name one of its types: {', '.join(known[:10])}."
            return Check(ok=False, answers=True, detail=seen, lacks=lacks, next_action=advice)
        return Check(ok=True, detail=seen)

    async def discover(self) -> Discovery:
        """A service for each component of the projects."""
        found = await self._tickets.components(anew=True)
        names = list(dict.fromkeys(one.name for components in found.values() for one in components))
        return Discovery(services=tuple(Discovered(name=name) for name in await self.context.clean_words(names)))

    async def read_changes(self, window: Window, services: Sequence[str] | None = None) -> ChangesRead:
        """Tickets of the types that are changes, by when they were resolved, else made; oldest first."""
        wanted = [name for name in self.context.names if services is None or name in services]
        if not self.config.change_types or not wanted:
            return ChangesRead(changes=())
        ago = math.ceil((self.context.now() - window.start).total_seconds() / 60)
        since = (
            f"(created >= -{ago}m OR resolved >= -{ago}m)"  # JQL's dates are of the account's time zone, these are not
        )
        read = await self._tickets.search(wanted, since, types=self.config.change_types)
        changes = [
            Change(
                id=f"jira-{one.key}",
                service=one.service,
                at=one.ended_at or one.opened_at,
                kind="other",
                summary=f"{one.key} {one.also} {one.state}: {one.title}",
                link=one.link,
            )
            for one in read.items
        ]
        inside = [one for one in changes if window.start <= one.at <= window.end]
        return ChangesRead(changes=tuple(sorted(inside, key=lambda one: one.at)), gaps=read.gaps)

    async def read_diff(self, service: str, from_version: str, to_version: str) -> Diff:
        raise BadArguments(f"Jira has no diff of {service} {from_version}..{to_version}: ask where its code is kept")

    @tool()
    async def jira_tickets(self, arguments: TicketsOfService) -> ToolOutput:
        """Tickets of a service at Jira, newest first: the open ones, or all that were made within so many hours."""
        self.context.require_declared([arguments.service], key="service")
        end = self.context.now()
        start = end - timedelta(hours=arguments.hours) if arguments.hours else None
        condition = f"created >= -{arguments.hours * 60}m" if arguments.hours else _OPEN
        read = await self._tickets.search([arguments.service], condition, types=self.config.types)
        rows = [one.as_row(_told(one)) for one in read.items[:_SHOWN]]
        gaps = [*read.gaps]
        gaps += [f"{len(read.items) - _SHOWN} further tickets are not shown"] if len(read.items) > _SHOWN else []
        what = "tickets" if start else "open tickets"
        none = "" if rows else f"nothing found: no {what} of {arguments.service} in {', '.join(self.config.projects)}"
        searched = Searched(
            service=arguments.service,
            what=what,
            found=len(read.items),
            start=start,
            end=end if start else None,
            whole=not gaps,
            line=none,
        )
        return ToolOutput(
            text="\n".join(row.line for row in rows) or none,
            rows=(searched, *rows),
            summary=f"{len(read.items)} {what} of {arguments.service}",
            gap="; ".join(gaps) or None,
        )

    @tool()
    async def jira_ticket(self, arguments: OneTicket) -> ToolOutput:
        """One ticket at Jira: its state, its description and the newest comments."""
        item, description = await self._tickets.ticket(arguments.ticket)
        gaps: list[str] = []
        rows: list[Row] = [item.as_row(_told(item))]
        if description:
            said = " ".join(description.split())
            rows.append(
                State(service=item.service, name=f"description of {item.key}", value=said, line=said, link=item.link)
            )
        try:
            rows += await self._tickets.comments(item, gaps)
        except AgentError as exc:
            gaps.append(str(exc))
        rows += [Unread(service=item.service, reason=gap, part=True, line=f"gap: {gap}") for gap in gaps]
        return ToolOutput(
            text="\n".join(row.line for row in rows if row.line),
            rows=tuple(rows),
            summary=f"ticket {item.key}, {item.state}",
            gap="; ".join(gaps) or None,
        )

    # Writing

    def can(self, action: str, service: str) -> bool:
        return action in self.config.actions and service in self.context.names

    def argv(self, action: str, parameters: Mapping[str, str]) -> tuple[str, ...]:
        body = json.dumps(self._tickets.body(action, parameters), ensure_ascii=False)
        return ("POST", self._client.url(self._tickets.path(action, parameters)), body)

    async def own_ticket(self, mark: str) -> TrackedItem | None:
        return await self._tickets.own(mark)

    async def read_ticket(self, key: str) -> TrackedItem:
        return (await self._tickets.ticket(key))[0]

    async def is_commented(self, item: TrackedItem, mark: str) -> bool:
        return await self._tickets.is_commented(item, mark)

    async def ticket_parameters(self, service: str, *, mark: str, title: str, text: str) -> Mapping[str, str]:
        components = await self._tickets.of_service(service)
        given = {"service": service, "mark": mark, "title": title, "text": text}
        return {**given, "project": self.config.projects[0], "components": json.dumps(components)}

    async def read_target(self, service: str) -> TargetState:
        read = await self._tickets.search([service], _OPEN, types=self.config.types)
        return TargetState(
            service=service,
            version="",
            previous_version=None,
            state=counted(len(read.items), "open ticket"),
            instances=0,
            started_at=None,
            read_at=self.context.now(),
        )

    async def act(self, action: str, parameters: Mapping[str, str], *, idempotency_key: str) -> ActionResult:
        """Writes once: what carries the incident's mark already is not written again."""
        del idempotency_key  # the API knows none: the mark of the incident is looked for first
        if not self.can(action, parameters["service"]):
            raise NotPermitted(f"{self.title} cannot do {action} to {parameters['service']}")
        if action == "comment_ticket":
            return await self._tickets.comment(parameters)
        return await self._tickets.create(parameters)

    async def _types(self) -> list[str]:
        """Names of the issue types that this account can make in the project of new tickets."""
        what = f"the issue types of {self.config.projects[0]}"
        path = f"/issue/createmeta/{self.config.projects[0]}/issuetypes"
        given = await self._client.get(path, {"maxResults": "100"}, what=what, timeout_s=4.0)
        found = (given.get("issueTypes") or given.get("values") or []) if isinstance(given, dict) else []
        return [str(one.get("name")) for one in found if isinstance(one, dict)]


def _told(one: TrackedItem) -> str:
    changed = f", changed {one.seen_at:%Y-%m-%d %H:%M} UTC" if one.seen_at else ""
    return (
        f"{one.key} {one.also} {one.state}, {one.severity or 'no'} priority, made {one.opened_at:%Y-%m-%d %H:%M} UTC"
        f"{changed}: {one.title}"
    )


CONNECTOR = Jira
