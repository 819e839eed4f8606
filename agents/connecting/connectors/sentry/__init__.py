"""Reads Sentry: issues of a service with when and how often they were seen, one event with its stack and the steps
before it, releases and deploys. Resolves one issue at a time where a person approved it.

https://docs.sentry.io/api/ -- sentry.io in both regions, or a server of one's own. Variables, requests and users of an
event are not read at all. Commits of a release are leads: which of them broke something is not for Sentry to say.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, Literal
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
from agents.connecting.connectors.sentry.client import SentryClient
from agents.connecting.connectors.sentry.issues import ACTIONS, Issues, told
from agents.connecting.connectors.sentry.projects import KIND, Projects
from agents.connecting.connectors.sentry.releases import Releases
from agents.connecting.connectors.sentry.settings import FORM, SCOPES, SentryConfig
from agents.connecting.trackers import TrackedItem, TrackedRead
from agents.english import counted
from agents.errors import AgentError, BadArguments, NotPermitted
from agents.evidence.types import Window
from agents.rows import Row, Searched, Unread
from agents.tool import Arguments, ToolOutput, tool

_SHOWN: Final = 25


class IssuesOfService(Arguments):
    service: str = Field(description="A declared service.")
    minutes: int = Field(default=60, ge=1, le=43_200, description="How far back from now.")
    state: Literal["unresolved", "any"] = Field(default="unresolved", description="Which issues.")


class OneIssue(Arguments):
    issue: str = Field(
        pattern=r"^[0-9]{1,20}$", description="Sentry's id of an issue, as sentry_issues prints it in []."
    )


class Sentry(Connector):
    name = "sentry"
    title = "Sentry"
    config_model = SentryConfig
    names_are = KIND
    about = "Issues with their events, releases and deploys."
    docs_url = "https://docs.sentry.io/organization/integrations/integration-platform/internal-integration/"
    form = FORM
    scopes = SCOPES
    instructions = (
        "sentry_issues tells which errors of a service are new or frequent since the onset; read sentry_event of "
        "those before you name one. An error is a symptom of its cause. Commits of a release are leads: none is a "
        "cause before its diff was read."
    )
    leaves_behind = (
        "The token stays valid until its internal integration is deleted in Sentry's Settings, Custom Integrations."
    )

    def __init__(self, config: Any, context: ConnectorContext) -> None:
        super().__init__(config, context)
        if "token" not in context.credentials:
            raise BadArguments("connectors.sentry: give a token")
        self._client = SentryClient(config.base, config.organization, context)
        self._projects = Projects(self._client, context)
        self._issues = Issues(self._client, self._projects, context, config.environments)
        web = f"{config.base}/organizations/{config.organization}"
        self._releases = Releases(self._client, context, config.environments, web)

    @classmethod
    def hosts(cls, config: Any) -> tuple[str, ...]:
        return (urlsplit(config.base).hostname or "",)

    async def check(self) -> Check:
        """Reads one of each kind, so that a missing right is told before an incident."""
        try:
            projects, gaps = await self._projects.all(anew=True)
        except AgentError as exc:
            advice = "Correct the token, the organization, the region or the address, and test again."
            return Check(ok=False, detail=str(exc), next_action=advice)
        probes = {"event:read": ("/issues/", "limit"), "project:releases": ("/releases/", "per_page")}
        found = await asyncio.gather(*(self._probe(path, limit) for path, limit in probes.values()))
        without = {scope.name: scope.without for scope in self.scopes}
        lacks = [f"{right}: {without[right]} ({why})" for right, why in zip(probes, found, strict=True) if why]
        seen = f"Sentry answers, {counted(len(projects), 'project')} can be read"
        if not projects:
            return Check(ok=False, answers=True, detail=seen, next_action="Give the token access to your projects.")
        if lacks:
            advice = "Give the internal integration these rights."
            return Check(ok=False, answers=True, detail=seen, lacks=(*lacks, *gaps), next_action=advice)
        return Check(ok=True, detail=seen, lacks=gaps, has_data=True)

    async def discover(self) -> Discovery:
        """A service for each project."""
        found, gaps = await self._projects.all(anew=True)
        slugs = await self.context.clean_words([one.slug for one in found])
        return Discovery(services=tuple(Discovered(name=slug) for slug in slugs), gaps=gaps)

    async def read_changes(self, window: Window, services: Sequence[str] | None = None) -> ChangesRead:
        """Deploys of the declared services' projects, oldest first; of releases that nobody deployed, that they were
        made.
        """
        known, found = await self._projects.of(self.context.names if services is None else services)
        gaps = list(found)
        changes = await self._releases.changes(known, window, gaps) if known else []
        return ChangesRead(changes=tuple(changes), gaps=tuple(gaps))

    async def read_diff(self, service: str, from_version: str, to_version: str) -> Diff:
        raise BadArguments(f"Sentry has no diff of {service} {from_version}..{to_version}: ask where its code is kept")

    @tool()
    async def sentry_issues(self, arguments: IssuesOfService) -> ToolOutput:
        """Issues of a service at Sentry that had events in the last minutes, the last seen first: how many events of
        how many users in that time, when first and last seen, and whether it is new since then.
        """
        known = await self._projects.one(arguments.service)
        end = self.context.now()
        start = end - timedelta(minutes=arguments.minutes)
        query = "is:unresolved" if arguments.state == "unresolved" else ""
        read = await self._issues.between(known, start, end, query)
        rows = [one.as_row(told(one)) for one in read.items[:_SHOWN]]
        gaps = [*read.gaps]
        gaps += [f"{len(read.items) - _SHOWN} further issues are not shown"] if len(read.items) > _SHOWN else []
        what = "unresolved issues" if query else "issues"
        none = (
            ""
            if rows
            else f"nothing found: no {what} of {arguments.service} had an event in these {arguments.minutes} min"
        )
        searched = Searched(
            service=arguments.service, what=what, found=len(read.items), start=start, end=end, whole=not gaps, line=none
        )
        return ToolOutput(
            text="\n".join(row.line for row in rows) or none,
            rows=(searched, *rows),
            summary=f"{len(read.items)} {what} of {arguments.service}",
            gap="; ".join(gaps) or None,
        )

    @tool()
    async def sentry_event(self, arguments: OneIssue) -> ToolOutput:
        """The newest event of one issue at Sentry: what was raised, the stack with the failing lines, the steps before
        it, and the commits of its release as leads. That a commit is among them does not make it the cause.
        """
        item = await self._issues.item(arguments.issue)
        rows: list[Row] = [item.as_row(told(item))]
        gaps: list[str] = []
        event, found = await self._issues.event(item)
        rows += found
        try:
            rows += await self._issues.leads(event, item.service, gaps)
        except AgentError as exc:
            gaps.append(str(exc))
        rows += [Unread(service=item.service, reason=gap, part=True, line=f"gap: {gap}") for gap in gaps]
        return ToolOutput(
            text="\n".join(row.line for row in rows if row.line),
            rows=tuple(rows),
            summary=f"issue {item.shown}, {item.state}",
            gap="; ".join(gaps) or None,
        )

    # Acting

    def can(self, action: str, service: str) -> bool:
        return bool(self.config.actions) and action in ACTIONS and service in self.context.names

    def argv(self, action: str, parameters: Mapping[str, str]) -> tuple[str, ...]:
        del action  # the state that is wanted says it
        return self._issues.argv(parameters)

    async def read_open(self, services: Sequence[str] | None = None) -> TrackedRead:
        return await self._issues.open(services)

    async def read_item(self, key: str) -> TrackedItem:
        return await self._issues.item(key)

    async def read_target(self, service: str) -> TargetState:
        read = await self._issues.open([service])
        return TargetState(
            service=service,
            version="",
            previous_version=None,
            state=counted(len(read.items), "unresolved issue"),
            instances=0,
            started_at=None,
            read_at=self.context.now(),
        )

    async def act(self, action: str, parameters: Mapping[str, str], *, idempotency_key: str) -> ActionResult:
        """Changes the state of one issue, unless that was done, or somebody else changed it in between."""
        del idempotency_key  # the API knows none: the state is looked at first, and setting it twice is setting it once
        if not self.can(action, parameters["service"]):
            raise NotPermitted(f"{self.title} cannot do {action} to {parameters['service']}")
        return await self._issues.move(parameters)

    async def _probe(self, path: str, limit: str) -> str:
        """Why it cannot be read; "" where it can."""
        try:
            await self._client.get(path, {limit: "1"}, what=path.strip("/"), timeout_s=4.0)
        except AgentError as exc:
            return str(exc)
        return ""


CONNECTOR = Sentry
