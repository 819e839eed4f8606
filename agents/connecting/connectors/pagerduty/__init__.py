"""Reads PagerDuty: open incidents and what responders noted, the alerts within them, who is on call, and changes that
were told to it. Acknowledges and resolves one incident at a time where a person approved it.

https://developer.pagerduty.com/api-reference -- accounts of the European region have an address of their own. What is
told to PagerDuty as a change is a line of text with a link: it has no diff.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from pydantic import Field

from agents.connecting.active_alerts import ActiveAlert, AlertsRead
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
from agents.connecting.connectors.pagerduty.answers import GivenChange, GivenNote, GivenOnCall, several
from agents.connecting.connectors.pagerduty.client import PagerDutyClient, stamp
from agents.connecting.connectors.pagerduty.directory import KIND, Directory
from agents.connecting.connectors.pagerduty.incidents import ACTIONS, Incidents
from agents.connecting.connectors.pagerduty.settings import FORM, SCOPES, PagerDutyConfig
from agents.connecting.trackers import TrackedItem, TrackedRead
from agents.english import counted
from agents.errors import AgentError, BadArguments, NotPermitted
from agents.evidence.types import Change, Window
from agents.rows import Alerted, Changed, Noted, Row, Searched, State, Unread
from agents.tool import Arguments, ToolOutput, tool

_SHOWN: Final = 30
_LONGEST: Final = 2_000


class IncidentsOfService(Arguments):
    service: str = Field(description="A declared service.")
    hours: int | None = Field(
        default=None, ge=1, le=720, description="All that were opened within so many hours; only open ones if left out."
    )


class OneIncident(Arguments):
    incident: str = Field(
        pattern=r"^[A-Z0-9]{6,20}$", description="PagerDuty's id of an incident, as pagerduty_incidents prints it."
    )


class OnCallFor(Arguments):
    service: str = Field(description="A declared service.")


class PagerDuty(Connector):
    name = "pagerduty"
    title = "PagerDuty"
    config_model = PagerDutyConfig
    names_are = KIND
    about = "Incidents with their alerts and notes, who is on call, and changes that were told to it."
    docs_url = "https://support.pagerduty.com/main/docs/api-access-keys"
    form = FORM
    scopes = SCOPES
    instructions = (
        "An alert of PagerDuty says that something monitored is wrong, an incident that somebody has to answer for it: "
        "neither says why. Read pagerduty_incident of an open one before you judge: responders note there what they "
        "found. Their notes are what people believed then; check them as you would your own guess."
    )
    leaves_behind = "The API key stays valid: delete it at PagerDuty under Integrations, API Access Keys."

    def __init__(self, config: Any, context: ConnectorContext) -> None:
        super().__init__(config, context)
        if "token" not in context.credentials:
            raise BadArguments("connectors.pagerduty: give an API key as token")
        self._client = PagerDutyClient(config.base, context)
        self._directory = Directory(self._client, context)
        self._incidents = Incidents(self._client, self._directory, context, acts_as=config.acts_as)

    @classmethod
    def hosts(cls, config: Any) -> tuple[str, ...]:
        return (urlsplit(config.base).hostname or "",)

    async def check(self) -> Check:
        """Reads one of each kind, so that a missing right is told before an incident."""
        try:
            services, gaps = await self._directory.all(anew=True)
        except AgentError as exc:
            return Check(ok=False, detail=str(exc), next_action="Correct the API key or the region, and test again.")
        probes = {"incidents.read": "/incidents", "oncalls.read": "/oncalls", "change_events.read": "/change_events"}
        found = await asyncio.gather(*(self._probe(path) for path in probes.values()))
        without = {scope.name: scope.without for scope in self.scopes}
        lacks = [f"{right}: {without[right]} ({why})" for right, why in zip(probes, found, strict=True) if why]
        seen = f"PagerDuty answers, {counted(len(services), 'service')}"
        if lacks:
            advice = "Use a key of an account, or of a user, that may read these."
            return Check(ok=False, answers=True, detail=seen, lacks=(*lacks, *gaps), next_action=advice)
        if not self.config.acts_as:
            gaps = (*gaps, "no incident can be acknowledged or resolved: nobody is named in whose name (acts_as)")
        return Check(ok=True, detail=seen, lacks=gaps, has_data=bool(services))

    async def discover(self) -> Discovery:
        """A service for each of PagerDuty's that is in use."""
        found, gaps = await self._directory.all(anew=True)
        return Discovery(
            services=tuple(Discovered(name=one.name, aliases=(f"{KIND}:{one.id}",)) for one in found), gaps=gaps
        )

    async def read_alerts(self, services: Sequence[str] | None = None) -> AlertsRead:
        return await self._incidents.alerts(services)

    async def read_changes(self, window: Window, services: Sequence[str] | None = None) -> ChangesRead:
        """Changes that were told to PagerDuty's services of the declared ones, oldest first."""
        known, gaps = await self._directory.of(self.context.names if services is None else services)
        told, failures = list(gaps), list[AgentError]()
        found: dict[tuple[str, str], Change] = {}
        asked = {"since": stamp(window.start), "until": stamp(window.end)}
        for number, service in known.items():
            what = f"change events of {service}"
            try:
                path = f"/services/{number}/change_events"
                listed = await self._client.pages(path, asked, key="change_events", what=what)
                changes = await self._changes(several(GivenChange, listed.items, what), service)
            except AgentError as exc:
                failures.append(exc)
                told.append(f"PagerDuty: {what} could not be read: {exc}")
                continue
            told += [f"PagerDuty: older {what} were not read"] if listed.more else []
            found |= {(service, one.id): one for one in changes if window.start <= one.at <= window.end}
        if failures and len(failures) == len(known):
            raise failures[0]
        return ChangesRead(changes=tuple(sorted(found.values(), key=lambda one: one.at)), gaps=tuple(told))

    async def read_diff(self, service: str, from_version: str, to_version: str) -> Diff:
        raise BadArguments(f"PagerDuty has no diff of {service} {from_version}..{to_version}: follow the change's link")

    @tool()
    async def pagerduty_incidents(self, arguments: IncidentsOfService) -> ToolOutput:
        """Incidents of a service at PagerDuty, newest first: the open ones, or all that were opened within so many
        hours. For each its id, state, title and how many of its alerts are triggered.
        """
        await self._directory.one(arguments.service)
        end = self.context.now()
        start = end - timedelta(hours=arguments.hours) if arguments.hours else None
        if start is None:
            read = await self._incidents.open([arguments.service])
        else:
            read = await self._incidents.between([arguments.service], start, end)
        rows = [one.as_row(_told(one)) for one in read.items[:_SHOWN]]
        gaps = [*read.gaps, *_left_off(len(read.items), "incidents")]
        what = "incidents" if start else "open incidents"
        return _listing(rows, what, len(read.items), gaps, service=arguments.service, start=start, end=end)

    @tool()
    async def pagerduty_incident(self, arguments: OneIncident) -> ToolOutput:
        """One incident at PagerDuty: its state, its alerts that are triggered with their deduplication keys, what
        responders noted, and the changes that PagerDuty relates to it. That it relates one does not make it the cause.
        """
        incident = await self._incidents.item(arguments.incident)
        gaps: list[str] = []
        rows: list[Row] = [incident.as_row(_told(incident))]
        for read in (self._alerts_of, self._notes_of, self._related_to):
            try:
                rows += await read(incident, gaps)
            except AgentError as exc:
                gaps.append(str(exc))
        rows += [Unread(service=incident.service, reason=gap, part=True, line=f"gap: {gap}") for gap in gaps]
        return ToolOutput(
            text="\n".join(row.line for row in rows if row.line),
            rows=tuple(rows),
            summary=f"incident {incident.shown}, {incident.state}",
            gap="; ".join(gaps) or None,
        )

    @tool()
    async def pagerduty_on_call(self, arguments: OnCallFor) -> ToolOutput:
        """Who is on call for a service now, by level of its escalation policy, and until when."""
        policies = {one.escalation_policy.id for one in await self._directory.one(arguments.service)}
        asked = {"escalation_policy_ids[]": sorted(policies)}
        listed = await self._client.pages("/oncalls", asked, key="oncalls", what="on-calls", most_pages=1)
        found = sorted(several(GivenOnCall, listed.items, "on-calls"), key=lambda one: one.escalation_level)
        words = [[c.user.summary or "", c.escalation_policy.summary or ""] for c in found]
        names = await self.context.clean_words([word for pair in words for word in pair])
        now = self.context.now()
        rows = []
        for at, one in enumerate(found):
            until = f", until {one.end:%Y-%m-%d %H:%M} UTC" if one.end else ""
            who, policy = names[2 * at], names[2 * at + 1]
            rows.append(
                State(
                    service=arguments.service,
                    name=f"on call, level {one.escalation_level}",
                    value=who,
                    at=now,
                    line=f"level {one.escalation_level} of {policy}: {who}{until}",
                    link=one.user.html_url,
                )
            )
        gaps = ["further people on call were not read"] if listed.more else []
        gaps += _left_off(len(rows), "people on call")
        return _listing(rows[:_SHOWN], "people on call", len(rows), gaps, service=arguments.service)

    # Acting

    def can(self, action: str, service: str) -> bool:
        return bool(self.config.acts_as) and action in ACTIONS and service in self.context.names

    def argv(self, action: str, parameters: Mapping[str, str]) -> tuple[str, ...]:
        del action  # the state that is wanted says it
        return self._incidents.argv(self.config.base, parameters)

    async def read_open(self, services: Sequence[str] | None = None) -> TrackedRead:
        return await self._incidents.open(services)

    async def read_item(self, key: str) -> TrackedItem:
        return await self._incidents.item(key)

    async def read_target(self, service: str) -> TargetState:
        read = await self._incidents.open([service])
        state = counted(len(read.items), "open incident")
        return TargetState(
            service=service,
            version="",
            previous_version=None,
            state=state,
            instances=0,
            started_at=None,
            read_at=self.context.now(),
        )

    async def act(self, action: str, parameters: Mapping[str, str], *, idempotency_key: str) -> ActionResult:
        """Changes the state of one incident, unless that was done, or somebody else changed it in between."""
        del idempotency_key  # the API knows none: the state is looked at first, and setting it twice is setting it once
        if not self.can(action, parameters["service"]):
            raise NotPermitted(f"{self.title} cannot do {action} to {parameters['service']}")
        return await self._incidents.move(parameters)

    # Reading

    async def _alerts_of(self, incident: TrackedItem, gaps: list[str]) -> list[Row]:
        return [_alerted(alert) for alert in await self._incidents.alerts_of(incident, gaps)]

    async def _notes_of(self, incident: TrackedItem, gaps: list[str]) -> list[Row]:
        what = f"notes of incident {incident.shown}"
        document = await self._client.get(f"/incidents/{incident.key}/notes", what=what)
        given = several(GivenNote, document.get("notes", [None]) if isinstance(document, dict) else [None], what)
        given.sort(key=lambda note: note.created_at.timestamp() if note.created_at else 0.0, reverse=True)
        gaps += _left_off(len(given), f"older {what}")
        rows: list[Row] = []
        for note in given[:_SHOWN]:
            text = await self.context.clean(note.content, keep=_LONGEST)
            (by,) = await self.context.clean_words([(note.user.summary or "") if note.user else ""])
            at = f"{note.created_at:%Y-%m-%d %H:%M:%S} UTC " if note.created_at else ""
            line = f"note {at}{' '.join(text.split())}"
            rows.append(
                Noted(service=incident.service, about=incident.shown, text=text, at=note.created_at, by=by, line=line)
            )
        return rows

    async def _related_to(self, incident: TrackedItem, gaps: list[str]) -> list[Row]:
        what = f"changes related to incident {incident.shown}"
        document = await self._client.get(
            f"/incidents/{incident.key}/related_change_events", {"limit": str(_SHOWN)}, what=what
        )
        found = document.get("change_events", [None]) if isinstance(document, dict) else [None]
        given = several(GivenChange, found, what)
        gaps += _left_off(len(given), what)
        changes = await self._changes(given[:_SHOWN], incident.service)
        return [_changed(one) for one in sorted(changes, key=lambda one: one.at, reverse=True)]

    async def _changes(self, given: Sequence[GivenChange], service: str) -> list[Change]:
        words = await self.context.clean_rows(
            [{"summary": one.summary, "source": one.source or "", "link": _link(one)} for one in given]
        )
        return [
            Change(
                id=f"pagerduty-{one.id}",
                service=service,
                at=one.timestamp.astimezone(UTC),
                kind="other",
                summary=" ".join(filter(None, (row["summary"], row["source"] and f"({row['source']})")))[:300],
                link=row["link"] or None,
            )
            for one, row in zip(given, words, strict=True)
        ]

    async def _probe(self, path: str) -> str:
        """Why it cannot be read; "" where it can."""
        try:
            await self._client.get(path, {"limit": "1"}, what=path.strip("/").replace("_", " "), timeout_s=4.0)
        except AgentError as exc:
            return str(exc)
        return ""


def _link(one: GivenChange) -> str:
    return next((link.href for link in one.links or [] if link.href), one.html_url or "")


def _told(one: TrackedItem) -> str:
    return (
        f"{one.shown} [{one.key}] {one.state}, {one.severity or 'no'} urgency, opened "
        f"{one.opened_at:%Y-%m-%d %H:%M:%S} UTC, {one.also}: {one.title}"
    )


def _alerted(alert: ActiveAlert) -> Alerted:
    key = alert.labels.get("dedup_key", "")
    said = f": {' '.join(alert.summary.split())}" if alert.summary else ""
    return Alerted(
        service=alert.service,
        name=alert.name,
        state=alert.state,
        since=alert.since,
        key=alert.key,
        severity=alert.severity,
        summary=alert.summary,
        labels=alert.labels,
        line=f"alert {alert.state} since {alert.since:%Y-%m-%d %H:%M:%S} UTC: {alert.name} "
        f"[{alert.key}]{f' dedup key {key}' if key else ''}{said}",
        link=alert.link,
    )


def _changed(one: Change) -> Changed:
    return Changed(
        service=one.service,
        change=one.id,
        at=one.at,
        kind="change event",
        summary=one.summary,
        line=f"related change {one.at:%Y-%m-%d %H:%M:%S} UTC {one.summary} [{one.id}]",
        link=one.link,
    )


def _left_off(found: int, what: str) -> list[str]:
    return [f"{found - _SHOWN} {what} are not shown"] if found > _SHOWN else []


def _listing(
    rows: Sequence[Row],
    what: str,
    found: int,
    gaps: Sequence[str],
    *,
    service: str,
    start: datetime | None = None,
    end: datetime | None = None,
) -> ToolOutput:
    none = f"nothing found: no {what} of {service}" if not found else ""
    searched = Searched(
        service=service, what=what, found=found, start=start, end=end if start else None, whole=not gaps, line=none
    )
    return ToolOutput(
        text="\n".join(row.line for row in rows) or none,
        rows=(searched, *rows),
        summary=f"{found} {what} of {service}",
        gap="; ".join(gaps) or None,
    )


CONNECTOR = PagerDuty
