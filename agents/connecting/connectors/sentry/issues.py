"""Issues of Sentry, which gather events of one kind; one event of an issue; and the change of an issue's state."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote

from agents.connecting.connector import ActionResult, ConnectorContext
from agents.connecting.connectors.sentry.answers import (
    SentryCommit,
    SentryEvent,
    SentryIssue,
    breadcrumbs_of,
    one,
    several,
    stack_of,
)
from agents.connecting.connectors.sentry.client import SentryClient, moment_of
from agents.connecting.connectors.sentry.projects import Projects
from agents.connecting.trackers import TrackedItem, TrackedRead
from agents.english import counted
from agents.errors import BadArguments
from agents.rows import Changed, Logged, Printed, Row

ACTIONS: Final = ("resolve_issue", "unresolve_issue")
_PER_PAGE: Final = 50
_LONGEST: Final = 12_000
_MOST_COMMITS: Final = 10


class Issues:
    """Of one connection; `environments` limits the events that count."""

    def __init__(
        self, client: SentryClient, projects: Projects, context: ConnectorContext, environments: Sequence[str]
    ) -> None:
        self._client, self._projects, self._context = client, projects, context
        self._environments = list(environments)

    async def between(self, known: Mapping[str, str], start: datetime, end: datetime, query: str) -> TrackedRead:
        """Those with an event within the window, the last seen first. `known` is the service by the project's id."""
        window = {"start": moment_of(start), "end": moment_of(end)}
        return await self._listed(known, {**window, "query": query}, since=start)

    async def open(self, services: Sequence[str] | None) -> TrackedRead:
        """Unresolved ones that were seen within two weeks, the last seen first."""
        known, gaps = await self._projects.of(self._context.names if services is None else services)
        if not known:
            return TrackedRead(items=(), gaps=gaps)
        read = await self._listed(known, {"statsPeriod": "14d", "query": "is:unresolved"}, since=None)
        return TrackedRead(items=read.items, gaps=(*gaps, *read.gaps))

    async def item(self, key: str) -> TrackedItem:
        """Raises BadArguments for one that is of no declared service."""
        what = f"issue {key}"
        given = one(SentryIssue, await self._client.get(_path(key), what=what), what)
        known, _ = await self._projects.of(self._context.names)
        if given.project.id not in known:
            raise BadArguments(f"{what} of Sentry is of no declared service")
        return (await self._items([given], known, since=None))[0]

    async def event(self, item: TrackedItem) -> tuple[SentryEvent, list[Row]]:
        """The newest event of an issue: what was raised where, and the last steps before it."""
        what = f"the latest event of issue {item.shown}"
        event = one(SentryEvent, await self._client.get(f"{_path(item.key)}events/latest/", what=what), what)
        at = event.created or event.received
        title = await self._context.clean(event.message or event.title, keep=1_000)
        stack = await self._context.clean(stack_of(event), keep=_LONGEST)
        (level, release) = await self._context.clean_words([event.tag("level"), _version(event)])
        named = f", release {release}" if release else ""
        when = f"{at:%Y-%m-%d %H:%M:%S} UTC " if at else ""
        rows: list[Row] = [
            Logged(
                service=item.service,
                example=title,
                level=level,
                first=at,
                last=at,
                fields={"release": release} if release else {},
                line=f"event {when}{level}{named}: {' '.join(title.split())}",
                link=item.link,
            )
        ]
        if stack:
            rows.append(Printed(service=item.service, program="stack", text=stack, line=stack, link=item.link))
        for crumb in await self._context.clean_rows(breadcrumbs_of(event)):
            said = " ".join(crumb["message"].split())[:300]
            told = f"before it {crumb['at']} {crumb['level']} {crumb['category']}: {said}"
            rows.append(Logged(service=item.service, example=said, level=crumb["level"], line=told))
        return event, rows

    async def leads(self, event: SentryEvent, service: str, gaps: list[str]) -> list[Row]:
        """Commits of the event's release: where to look, and no cause before a diff was read."""
        version = _version(event)
        if not version:
            return []
        what = f"commits of release {version[:40]}"
        listed = await self._client.pages(f"/releases/{quote(version, safe='')}/commits/", {}, what=what, most_pages=1)
        given = several(SentryCommit, listed.items, what)
        if listed.more or len(given) > _MOST_COMMITS:
            gaps.append(f"further {what} are not shown")
        subjects = await self._context.clean_words([(c.message or "").partition("\n")[0][:200] for c in given])
        return [
            Changed(
                service=service,
                change=commit.id[:12],
                at=commit.created.astimezone(UTC),
                kind="commit",
                version=commit.id,
                summary=said,
                line=f"lead, not a cause: {commit.id[:7]} {commit.created:%Y-%m-%d %H:%M} UTC {said}",
            )
            for commit, said in list(zip(given, subjects, strict=True))[:_MOST_COMMITS]
        ]

    # Changing one

    def argv(self, parameters: Mapping[str, str]) -> tuple[str, ...]:
        return ("PUT", self._client.url(_path(parameters["item"])), json.dumps({"status": parameters["wanted"]}))

    async def move(self, parameters: Mapping[str, str]) -> ActionResult:
        """From the state that was seen to the one that is wanted; left where it is in neither of them."""
        item = await self.item(parameters["item"])
        if item.state == parameters["wanted"]:
            return ActionResult(ok=True, detail=f"issue {item.shown} is {item.state} already")
        if (item.state, item.service) != (parameters["was"], parameters["service"]):
            return ActionResult(ok=False, detail=f"issue {item.shown} is {item.state} now; nothing was changed")
        what = f"a change of issue {item.shown}"
        await self._client.put(_path(item.key), {"status": parameters["wanted"]}, what=what)
        after = await self.item(item.key)
        return ActionResult(ok=after.state == parameters["wanted"], detail=f"issue {item.shown} is {after.state}")

    # Reading

    async def _listed(
        self, known: Mapping[str, str], asked: Mapping[str, str], *, since: datetime | None
    ) -> TrackedRead:
        params: dict[str, str | list[str]] = {
            **asked,
            "project": sorted(known),
            "sort": "date",
            "limit": str(_PER_PAGE),
        }
        if self._environments:
            params["environment"] = self._environments
        listed = await self._client.pages("/issues/", params, what="issues", most_pages=2)
        given = [issue for issue in several(SentryIssue, listed.items, "issues") if issue.project.id in known]
        more = (f"Sentry: issues last seen before the newest {len(given)} were not read",) if listed.more else ()
        return TrackedRead(items=tuple(await self._items(given, known, since=since)), gaps=more)

    async def _items(
        self, given: Sequence[SentryIssue], known: Mapping[str, str], *, since: datetime | None
    ) -> list[TrackedItem]:
        words = await self._context.clean_rows([{"title": i.title, "culprit": i.culprit or ""} for i in given])
        now = self._context.now()
        return [
            TrackedItem(
                kind="issue",
                key=issue.id,
                shown=issue.short_id,
                service=known[issue.project.id],
                title=" ".join(f"{row['title']} {f'in {where}' if (where := row['culprit']) else ''}".split())[:300],
                state=issue.status,
                opened_at=(issue.first or now).astimezone(UTC),
                seen_at=issue.last_seen.astimezone(UTC) if issue.last_seen else None,
                count=issue.count,
                severity=issue.level,
                also=_also(issue, since),
                link=issue.permalink,
            )
            for issue, row in zip(given, words, strict=True)
        ]


def told(item: TrackedItem) -> str:
    last = f", last seen {item.seen_at:%Y-%m-%d %H:%M:%S} UTC" if item.seen_at else ""
    return (
        f"{item.shown} [{item.key}] {item.state} {item.severity}, {item.also}, first seen "
        f"{item.opened_at:%Y-%m-%d %H:%M:%S} UTC{last}: {item.title}"
    )


def _also(issue: SentryIssue, since: datetime | None) -> str:
    new = "new, " if since is not None and issue.first is not None and issue.first >= since else ""
    again = "regressed, " if issue.substatus == "regressed" else ""
    return f"{new}{again}{counted(issue.count, 'event')} of {counted(issue.user_count, 'user')}"


def _path(key: str) -> str:
    return f"/issues/{quote(key, safe='')}/"


def _version(event: SentryEvent) -> str:
    return (event.release.version if event.release else None) or ""
