"""Monitors that are triggered now, and the downtimes that keep some of them quiet.

https://docs.datadoghq.com/api/latest/monitors/ -- those that are triggered are searched for, then each that may be of a
declared service is read with its groups: a monitor of many services tells of which one it is by its group only.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agents.connecting.active_alerts import ActiveAlert, AlertsRead, Silence
from agents.connecting.connector import ConnectorContext
from agents.connecting.connectors.datadog.client import DatadogClient, listed
from agents.connecting.connectors.datadog.tags import ServiceTags
from agents.english import counted
from agents.errors import AgentError, Unavailable

OWN: Final = "Autoheal, incident "
"""How the messages of the downtimes begin that are made here."""
TRIGGERED: Final = ("Alert", "Warn", "No Data")
_SEARCH: Final = 'status:(Alert OR Warn OR "No Data")'
_PAGE: Final = 100
_MOST_PAGES: Final = 5
_MOST_DETAILS: Final = 60
_AT_ONCE: Final = 4
_LONGEST_WORDS: Final = 300
_NAMES_SERVICE: Final = re.compile(r"\bservice\b")
_SERVICE_TAG: Final = re.compile(r"service:\"?([A-Za-z0-9_./-]+)")
_SEVERITY: Final[Mapping[str, str]] = {"Alert": "critical", "Warn": "warning", "No Data": "no data"}


class _MonitorAnswer(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class GroupState(_MonitorAnswer):
    status: str = ""
    last_triggered_ts: int | None = None
    last_nodata_ts: int | None = None


class _States(_MonitorAnswer):
    groups: dict[str, GroupState] = Field(default_factory=dict)


class MatchedDowntime(_MonitorAnswer):
    id: int
    scope: tuple[str, ...] = ()
    start: int | None = None
    end: int | None = None

    def covers(self, group: str, now: datetime) -> bool:
        """Whether it keeps this group quiet now."""
        if self.start is not None and self.start > now.timestamp():
            return False
        if self.end is not None and self.end <= now.timestamp():
            return False
        return set(self.scope) <= {"*", *group.split(",")}


class Monitor(_MonitorAnswer):
    id: int
    name: str = ""
    type: str = ""
    query: str = ""
    message: str = ""
    tags: tuple[str, ...] = ()
    priority: int | None = None
    overall_state: str = ""
    modified: datetime | None = None
    state: _States = _States()
    matching_downtimes: tuple[MatchedDowntime, ...] = ()


class _Schedule(_MonitorAnswer):
    start: datetime | None = None
    end: datetime | None = None


class _DowntimeAttributes(_MonitorAnswer):
    message: str | None = None
    monitor_identifier: dict[str, Any] = Field(default_factory=dict)
    schedule: _Schedule = _Schedule()
    scope: str = ""
    status: str = ""


class Downtime(_MonitorAnswer):
    id: str
    attributes: _DowntimeAttributes = _DowntimeAttributes()

    @property
    def is_own(self) -> bool:
        return (self.attributes.message or "").startswith(OWN)


class MonitorReader:
    """Of one connection. `page` is where people see Datadog."""

    def __init__(self, client: DatadogClient, context: ConnectorContext, tags: ServiceTags, *, page: str) -> None:
        self._client, self._context, self._tags, self._page = client, context, tags, page

    async def alerts(self, services: Sequence[str]) -> AlertsRead:
        """Triggered groups of monitors that are of these services. Raises an AgentError when it cannot be asked."""
        gaps: list[str] = []
        found = await self._searched(_SEARCH, gaps)
        wanted = [one for one in found if self._may_concern(one)]
        if len(wanted) > _MOST_DETAILS:
            gaps.append(f"Datadog: {_MOST_DETAILS} of {len(wanted)} triggered monitors were read")
        read = await self._details(wanted[:_MOST_DETAILS], gaps)
        alerts = [alert for one in read for alert in await self._alerts(one) if alert.service in services]
        alerts.sort(key=lambda one: (one.state != "firing", one.since, one.key))
        return AlertsRead(alerts=tuple(alerts), gaps=tuple(gaps))

    async def of_service(self, service: str) -> tuple[list[Monitor], list[str]]:
        """The monitors that are about a service, in whatever state, cleaned; triggered ones first. And the gaps."""
        gaps: list[str] = []
        names = " OR ".join(
            f'tag:"service:{v}" OR scope:"service:{v}"' for v in self._tags.values(service) if "*" not in v
        )
        found = await self._searched(f"({names})", gaps)
        found = [one for one in found if self._tags.of_tags(one.tags) in ("", service)]
        found.sort(key=lambda one: (one.overall_state not in TRIGGERED, one.name))
        return [await self._cleaned(one) for one in found], gaps

    async def one(self, monitor: int) -> Monitor:
        params = {"group_states": "all", "with_downtimes": "true"}
        document = await self._client.get(f"/api/v1/monitor/{monitor}", params, what=f"monitor {monitor}")
        try:
            return Monitor.model_validate(document)
        except ValidationError as exc:
            raise Unavailable(f"Datadog answered monitor {monitor} in a form that it does not document") from exc

    async def own_downtime(self, monitor: int, group: str) -> Silence | None:
        """The active downtime of this group, or monitor, that Autoheal made."""
        for one in await self._downtimes():
            told = one.attributes
            same = told.scope == scope_of(group) and told.monitor_identifier.get("monitor_id") == monitor
            if one.is_own and told.status == "active" and same and told.schedule.end is not None:
                return await self._silence(one, told.schedule.end)
        return None

    def link(self, monitor: int) -> str:
        return f"{self._page}/monitors/{monitor}"

    async def _searched(self, query: str, gaps: list[str]) -> list[Monitor]:
        found: list[Monitor] = []
        unread, pages = 0, 1
        for page in range(_MOST_PAGES):
            asked = {"query": query, "page": str(page), "per_page": str(_PAGE)}
            document = await self._client.get("/api/v1/monitor/search", asked, what="triggered monitors")
            items = listed(document, "monitors", "monitors")
            for item in items:
                try:
                    found.append(Monitor.model_validate({**item, "overall_state": item.get("status", "")}))
                except ValidationError:
                    unread += 1
            pages = int((document.get("metadata") or {}).get("page_count") or 1)
            if page + 1 >= pages:
                break
        if pages > _MOST_PAGES:
            gaps.append(f"Datadog: the first {len(found)} monitors were read; there are more")
        if unread:
            gaps.append(f"{counted(unread, 'monitor')} of Datadog could not be read")
        return found

    def _may_concern(self, one: Monitor) -> bool:
        """Whether its tags or its query speak of a declared service, or it has a group for each service."""
        if self._tags.of_tags(one.tags) or any(map(self._tags.service_of, _SERVICE_TAG.findall(one.query))):
            return True
        return _NAMES_SERVICE.search(one.query) is not None and not _SERVICE_TAG.search(one.query)

    async def _details(self, found: Sequence[Monitor], gaps: list[str]) -> list[Monitor]:
        turns, failures = asyncio.Semaphore(_AT_ONCE), list[AgentError]()

        async def read(one: Monitor) -> Monitor | None:
            async with turns:
                try:
                    whole = await self.one(one.id)
                except AgentError as exc:
                    failures.append(exc)
                    return None
            return whole.model_copy(update={"tags": whole.tags or one.tags, "query": whole.query or one.query})

        read_ones = [one for one in await asyncio.gather(*map(read, found)) if one is not None]
        if failures and not read_ones:
            raise failures[0]
        if failures:
            gaps.append(f"{counted(len(failures), 'monitor')} of Datadog could not be read: {failures[0]}")
        return read_ones

    async def _alerts(self, given: Monitor) -> list[ActiveAlert]:
        """One for each group that is triggered; of a monitor without groups, for the whole."""
        one = await self._cleaned(given)
        groups = {name: state for name, state in given.state.groups.items() if state.status in TRIGGERED}
        if not given.state.groups and given.overall_state in TRIGGERED:
            groups = {"*": GroupState(status=given.overall_state)}
        alerts = []
        for (group, state), shown in zip(groups.items(), await self._context.clean_words(list(groups)), strict=True):
            service = self._service(given, group)
            if not service:
                continue
            quiet = [d for d in given.matching_downtimes if d.covers(group, self._context.now())]
            told = state.last_nodata_ts if state.status == "No Data" else state.last_triggered_ts
            at = datetime.fromtimestamp(told, tz=UTC) if told else given.modified or self._context.now()
            alerts.append(
                ActiveAlert(
                    key=str(given.id) if group == "*" else f"{given.id}:{shown}",
                    service=service,
                    name=one.name,
                    state="silenced" if quiet else "firing",
                    since=at.astimezone(UTC),
                    severity=_SEVERITY.get(state.status, ""),
                    summary=" ".join(one.message.split())[:_LONGEST_WORDS],
                    labels={"monitor": str(given.id), "group": shown, "state": state.status, "query": one.query},
                    silenced_by=tuple(str(d.id) for d in quiet),
                    is_whole=shown == group,
                    link=self.link(given.id),
                )
            )
        return alerts

    def _service(self, one: Monitor, group: str) -> str:
        in_query = next((s for v in _SERVICE_TAG.findall(one.query) if (s := self._tags.service_of(v))), "")
        of_group = group.split(",")
        if any(tag.startswith("service:") for tag in of_group):
            return self._tags.of_tags(of_group)
        return in_query or self._tags.of_tags(one.tags)

    async def _cleaned(self, one: Monitor) -> Monitor:
        words = {"name": one.name, "message": one.message, "query": one.query}
        return one.model_copy(update=(await self._context.clean_rows([words]))[0])

    async def _downtimes(self) -> list[Downtime]:
        found: list[Downtime] = []
        for page in range(_MOST_PAGES):
            asked = {"current_only": "true", "page[offset]": str(page * _PAGE), "page[limit]": str(_PAGE)}
            items = listed(await self._client.get("/api/v2/downtime", asked, what="downtimes"), "data", "downtimes")
            for item in items:
                try:
                    found.append(Downtime.model_validate(item))
                except ValidationError:
                    continue  # somebody else's, of another kind
            if len(items) < _PAGE:
                return found
        raise Unavailable(f"Datadog has more than {_MOST_PAGES * _PAGE} active downtimes; not all could be looked at")

    async def _silence(self, one: Downtime, ends_at: datetime) -> Silence:
        attributes = one.attributes
        comment = await self._context.clean(attributes.message or "")
        return Silence(
            key=one.id,
            matchers=(f"monitor:{attributes.monitor_identifier.get('monitor_id')}", attributes.scope),
            starts_at=(attributes.schedule.start or self._context.now()).astimezone(UTC),
            ends_at=ends_at.astimezone(UTC),
            by="Autoheal",
            comment=comment[:_LONGEST_WORDS],
            is_own=True,
            link=f"{self._page}/monitors/downtimes/{one.id}",
        )


def scope_of(group: str) -> str:
    """A group as a downtime's scope names it."""
    return "*" if group in ("", "*") else " AND ".join(part.strip() for part in group.split(","))
