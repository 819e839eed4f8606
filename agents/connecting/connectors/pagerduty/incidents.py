"""Incidents of PagerDuty, the alerts within them, and the change of an incident's state.

An alert says that something monitored is wrong; an incident gathers alerts, has somebody who answers for it, and a
state of its own. An incident that a person opened has no alert at all.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote

from agents.connecting.active_alerts import ActiveAlert, AlertsRead, AlertState
from agents.connecting.connector import ActionResult, ConnectorContext
from agents.connecting.connectors.pagerduty.answers import (
    OPEN,
    GivenAlertOfIncident,
    GivenIncident,
    one,
    several,
)
from agents.connecting.connectors.pagerduty.client import PagerDutyClient, stamp
from agents.connecting.connectors.pagerduty.directory import Directory
from agents.connecting.trackers import TrackedItem, TrackedRead
from agents.english import counted
from agents.errors import AgentError, BadArguments

ACTIONS: Final = ("acknowledge_incident", "resolve_incident", "reopen_incident")
_WITH_ALERTS: Final = 15  # the newest open incidents whose alerts are read; each costs one question
_AT_ONCE: Final = 4
_MOST_ALERTS: Final = 25


class Incidents:
    """Of one connection. `acts_as` is in whose name they are changed."""

    def __init__(
        self, client: PagerDutyClient, directory: Directory, context: ConnectorContext, *, acts_as: str
    ) -> None:
        self._client, self._directory, self._context, self._acts_as = client, directory, context, acts_as

    async def open(self, services: Sequence[str] | None) -> TrackedRead:
        """Triggered and acknowledged ones, whenever they were opened; the newest first."""
        return await self._listed(services, {"statuses[]": list(OPEN), "date_range": "all"})

    async def between(self, services: Sequence[str], start: datetime, end: datetime) -> TrackedRead:
        """All that were opened within the window, resolved ones included; the newest first."""
        return await self._listed(services, {"since": stamp(start), "until": stamp(end)})

    async def item(self, key: str) -> TrackedItem:
        """Raises BadArguments for one that is of no declared service."""
        what = f"incident {key}"
        given = one(GivenIncident, await self._client.get(_path(key), what=what), "incident", what)
        known, _ = await self._directory.of(self._context.names)
        if given.service.id not in known:
            raise BadArguments(f"{what} of PagerDuty is of no declared service")
        return (await self._items([given], known))[0]

    async def alerts(self, services: Sequence[str] | None) -> AlertsRead:
        """Alerts that are triggered, of open incidents. Raises AgentError where nothing could be read."""
        read = await self.open(services)
        gaps = list(read.gaps)
        chosen = read.items[:_WITH_ALERTS]
        if len(read.items) > len(chosen):
            gaps.append(f"PagerDuty: alerts of the {len(read.items) - len(chosen)} oldest open incidents were not read")
        gate = asyncio.Semaphore(_AT_ONCE)
        failures: list[AgentError] = []

        async def of(incident: TrackedItem) -> list[ActiveAlert]:
            try:
                async with gate:
                    return await self.alerts_of(incident, gaps)
            except AgentError as exc:
                failures.append(exc)
                gaps.append(f"PagerDuty: alerts of incident {incident.shown} could not be read: {exc}")
                return []

        found = [alert for alerts in await asyncio.gather(*map(of, chosen)) for alert in alerts]
        if failures and len(failures) == len(chosen):
            raise failures[0]
        found.sort(key=lambda alert: (alert.state != "firing", -alert.since.timestamp(), alert.key))
        return AlertsRead(alerts=tuple(found), gaps=tuple(gaps))

    async def alerts_of(self, incident: TrackedItem, gaps: list[str]) -> list[ActiveAlert]:
        """The newest alerts of an incident that are triggered. What they are quiet by is the incident's state."""
        what = f"alerts of incident {incident.shown}"
        asked: dict[str, str | list[str]] = {"statuses[]": ["triggered"], "sort_by": "created_at:desc"}
        listed = await self._client.pages(
            f"{_path(incident.key)}/alerts", asked, key="alerts", what=what, most_pages=1, per_page=_MOST_ALERTS
        )
        if listed.more:
            gaps.append(f"PagerDuty: older alerts of incident {incident.shown} were not read")
        given = several(GivenAlertOfIncident, listed.items, what)
        words = await self._context.clean_rows(
            [{"name": alert.summary or "", "dedup_key": alert.alert_key or ""} for alert in given]
        )
        said = [await self._context.clean(_details(alert), keep=300) for alert in given]
        return [
            ActiveAlert(
                key=alert.id,
                service=incident.service,
                name=row["name"],
                state=_state(alert, incident),
                since=alert.created_at.astimezone(UTC),
                severity=alert.severity or "",
                summary=details,
                labels={"incident": incident.shown, **({"dedup_key": key} if (key := row["dedup_key"]) else {})},
                is_whole=row["dedup_key"] == (alert.alert_key or ""),
                link=alert.html_url or incident.link,
            )
            for alert, row, details in zip(given, words, said, strict=True)
        ]

    # Changing one

    def body(self, parameters: Mapping[str, str]) -> dict[str, Any]:
        return {"incident": {"type": "incident_reference", "status": parameters["wanted"]}}

    def argv(self, base: str, parameters: Mapping[str, str]) -> tuple[str, ...]:
        sent = json.dumps(self.body(parameters))
        return ("PUT", f"{base}{_path(parameters['item'])}", f"From: {self._acts_as}", sent)

    async def move(self, parameters: Mapping[str, str]) -> ActionResult:
        """From the state that was seen to the one that is wanted; left where it is in neither of them."""
        item = await self.item(parameters["item"])
        if item.state == parameters["wanted"]:
            return ActionResult(ok=True, detail=f"incident {item.shown} is {item.state} already")
        if (item.state, item.service) != (parameters["was"], parameters["service"]):
            return ActionResult(ok=False, detail=f"incident {item.shown} is {item.state} now; nothing was changed")
        what = f"a change of incident {item.shown}"
        answer = await self._client.put(_path(item.key), self.body(parameters), acts_as=self._acts_as, what=what)
        after = one(GivenIncident, answer, "incident", what)
        done = after.status == parameters["wanted"]
        return ActionResult(ok=done, detail=f"incident {item.shown} is {after.status}")

    # Reading

    async def _listed(self, services: Sequence[str] | None, asked: Mapping[str, str | list[str]]) -> TrackedRead:
        known, gaps = await self._directory.of(self._context.names if services is None else services)
        if not known:
            return TrackedRead(items=(), gaps=gaps)
        params = {**asked, "service_ids[]": sorted(known), "sort_by": "created_at:desc"}
        listed = await self._client.pages("/incidents", params, key="incidents", what="incidents")
        given = [i for i in several(GivenIncident, listed.items, "incidents") if i.service.id in known]
        more = (f"PagerDuty: incidents older than the newest {len(given)} were not read",) if listed.more else ()
        return TrackedRead(items=tuple(await self._items(given, known)), gaps=(*gaps, *more))

    async def _items(self, given: Sequence[GivenIncident], known: Mapping[str, str]) -> list[TrackedItem]:
        rows = await self._context.clean_rows(
            [{"title": i.title, "priority": (i.priority and i.priority.summary) or i.urgency} for i in given]
        )
        return [
            TrackedItem(
                kind="incident",
                key=incident.id,
                shown=f"#{incident.incident_number}",
                service=known[incident.service.id],
                title=" ".join(row["title"].split())[:300],
                state=incident.status,
                opened_at=incident.created_at.astimezone(UTC),
                seen_at=changed.astimezone(UTC) if (changed := incident.last_status_change_at) else None,
                severity=row["priority"][:40],
                also=_also(incident),
                link=incident.html_url,
            )
            for incident, row in zip(given, rows, strict=True)
        ]


def _path(key: str) -> str:
    return f"/incidents/{quote(key, safe='')}"


def _also(incident: GivenIncident) -> str:
    counts = incident.alert_counts
    return (
        f"{counts.triggered} of its {counted(counts.all, 'alert')} triggered" if counts.all else "no alerts of its own"
    )


def _state(alert: GivenAlertOfIncident, incident: TrackedItem) -> AlertState:
    if alert.suppressed:
        return "suppressed"
    return "acknowledged" if incident.state == "acknowledged" else "firing"


def _details(alert: GivenAlertOfIncident) -> str:
    details = alert.body.details if alert.body else None
    if not details:
        return ""
    return details if isinstance(details, str) else json.dumps(details, ensure_ascii=False, sort_keys=True)
