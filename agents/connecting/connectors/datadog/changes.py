"""Deployments and other changes of services: those that were reported to DORA metrics, versions as they first answered
requests, and events that tell of one.

https://docs.datadoghq.com/tracing/services/deployment_tracking/ -- a version is new where requests carry its tag that
did not before; that needs no reporting, so it is there where nothing else is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

from agents.connecting.connector import ChangesRead, ConnectorContext
from agents.connecting.connectors.datadog.client import DatadogClient, listed
from agents.connecting.connectors.datadog.metrics import Course, MetricReader
from agents.connecting.connectors.datadog.tags import ServiceTags
from agents.errors import AgentError
from agents.evidence.types import Change, Window

_SAME: Final = timedelta(minutes=30)
_MOST: Final = 200
_LONGEST: Final = 300
_DEPLOYED: Final = re.compile(r"deploy|release|roll(ed|ing)?[ -]?(out|back)|argocd|flux|helm upgrade", re.IGNORECASE)
_CONFIGURED: Final = re.compile(r"config|feature ?flag|flag (was )?(en|dis)abled|secret rotat|migration", re.IGNORECASE)
_VERSION_TAG: Final = re.compile(r"(?:version|git\.commit\.sha|sha|revision):(\S+)")
Kind = Literal["deployment", "config", "other"]


class ChangeReader:
    """Of one connection."""

    def __init__(
        self, client: DatadogClient, context: ConnectorContext, tags: ServiceTags, metrics: MetricReader, *, page: str
    ) -> None:
        self._client, self._context, self._tags, self._metrics = client, context, tags, metrics
        self._page = page

    async def read(self, window: Window, services: Sequence[str]) -> ChangesRead:
        """Oldest first. Raises an AgentError when nothing of it could be read."""
        found: list[Change] = []
        gaps: list[str] = []
        failures: list[AgentError] = []
        for what, reading in (
            ("deployments of DORA metrics", self._reported),
            ("versions of requests", self._versions),
            ("events", self._told),
        ):
            try:
                found += await reading(window, services, gaps)
            except AgentError as exc:
                failures.append(exc)
                gaps.append(f"Datadog: {what} could not be read: {exc}")
        if len(failures) == 3:
            raise failures[0]
        return ChangesRead(changes=_once(found), gaps=tuple(dict.fromkeys(gaps)))

    async def events(self, window: Window, services: Sequence[str], gaps: list[str]) -> list[Change]:
        """All events of the services but those of monitors, with what each tells of."""
        filters = {
            "query": f"{self._tags.clause(services)} -source:alert",
            "from": window.start.isoformat(),
            "to": window.end.isoformat(),
        }
        read = await self._client.search("/api/v2/events/search", filters, what="events", limit=_MOST, most_pages=2)
        gaps += [f"Datadog: {one}" for one in read.warnings]
        if read.more:
            gaps.append(f"Datadog: only the newest {len(read.items)} events were read")
        changes = [one for item in read.items if (one := self._event(item)) is not None]
        if len(changes) < len(read.items):
            gaps.append(f"Datadog: {len(read.items) - len(changes)} events could not be understood")
        words = await self._context.clean_words([one.summary for one in changes])
        return [replace(one, summary=said[:_LONGEST]) for one, said in zip(changes, words, strict=True)]

    async def _told(self, window: Window, services: Sequence[str], gaps: list[str]) -> list[Change]:
        return [one for one in await self.events(window, services, gaps) if one.kind != "other"]

    async def _reported(self, window: Window, services: Sequence[str], gaps: list[str]) -> list[Change]:
        attributes = {
            "from": window.start.isoformat(),
            "to": window.end.isoformat(),
            "query": self._tags.clause(services),
            "limit": _MOST,
            "sort": "-started_at",
        }
        body = {"data": {"type": "dora_deployments_list_request", "attributes": attributes}}
        items = listed(
            await self._client.post("/api/v2/dora/deployments", body, what="deployments"), "data", "deployments"
        )
        if len(items) >= _MOST:
            gaps.append(f"Datadog: only the newest {_MOST} deployments were read")
        found = []
        for item in items:
            told = item.get("attributes") or {}
            service = self._tags.service_of(str(told.get("service", "")))
            at = _moment(told.get("finished_at") or told.get("started_at"))
            if not service or at is None:
                continue
            git = told.get("git") or {}
            version = str(git.get("commit_sha") or told.get("version") or "")
            cleaned = await self._context.clean_words(
                [version, str(told.get("version") or ""), str(told.get("env") or "")]
            )
            found.append(
                Change(
                    id=f"{service}@{cleaned[0][:12] or item.get('id')}",
                    service=service,
                    at=at,
                    kind="deployment",
                    version=cleaned[0] or None,
                    summary=f"deployment {cleaned[1]} to {cleaned[2]}".replace("  ", " ").strip(),
                    link=f"{self._page}/dora",
                )
            )
        return found

    async def _versions(self, window: Window, services: Sequence[str], gaps: list[str]) -> list[Change]:
        del gaps
        found = []
        for service in services:
            names = await self._metrics.names(service, window.start)
            for operation in self._metrics.operations(service, names)[:1]:
                for value in self._tags.values(service):
                    query = f"sum:trace.{operation}.hits{{{self._tags.scope(value)}}} by {{version}}.as_count()"
                    courses = await self._metrics.courses([query], window, what=f"versions of {service}")
                    found += await self._new_versions(service, courses, window)
        return found

    async def _new_versions(self, service: str, courses: Sequence[Course], window: Window) -> list[Change]:
        """Versions whose first request is later than that of another one."""
        begun: list[tuple[float, str]] = []
        for one in courses:
            version = next((t.partition(":")[2] for t in one.scope.split(",") if t.startswith("version:")), "")
            seen = one.times[one.values > 0]
            if version and version != "n/a" and seen.size:
                begun.append((float(seen[0]), version))
        begun.sort()
        words = await self._context.clean_words([version for _, version in begun])
        changes = []
        for place in range(1, len(begun)):
            at = datetime.fromtimestamp(begun[place][0], tz=UTC)
            if at > window.start:
                changes.append(
                    Change(
                        id=f"{service}@{words[place][:12]}",
                        service=service,
                        at=at,
                        kind="deployment",
                        version=words[place],
                        previous_version=words[place - 1],
                        summary=f"requests are answered by version {words[place]} from then on",
                        link=f"{self._page}/apm/services/{self._tags.values(service)[0]}",
                    )
                )
        return changes

    def _event(self, item: dict[str, Any]) -> Change | None:
        outer = item.get("attributes") or {}
        inner = outer.get("attributes") or {}
        at = _moment(outer.get("timestamp") or inner.get("timestamp"))
        tags = [str(tag) for tag in (outer.get("tags") or inner.get("tags") or [])]
        service = self._tags.of_tags(tags) or self._tags.service_of(str(inner.get("service") or ""))
        if at is None or not service:
            return None
        title = " ".join(str(inner.get("title") or outer.get("message") or "").split())
        kind = _kind(f"{title} {inner.get('source_type_name', '')} {(inner.get('evt') or {}).get('type', '')}")
        version = next((found[1] for tag in tags if (found := _VERSION_TAG.fullmatch(tag))), None)
        number = (inner.get("evt") or {}).get("id") or item.get("id")
        return Change(
            id=f"{service}@{version[:12]}" if kind == "deployment" and version else f"event-{number}",
            service=service,
            at=at,
            kind=kind,
            version=version,
            summary=title,
            link=f"{self._page}/event/event?id={number}",
        )


def _kind(text: str) -> Kind:
    if _DEPLOYED.search(text):
        return "deployment"
    return "config" if _CONFIGURED.search(text) else "other"


def _once(found: Sequence[Change]) -> list[Change]:
    """What two sources tell of within half an hour is told once, by the one that knows more."""
    kept: list[Change] = []
    for one in sorted(found, key=lambda c: (c.at, not c.previous_version)):
        place = next((n for n, other in enumerate(kept) if _is_same(one, other)), None)
        if place is None:
            kept.append(one)
        else:
            known = kept[place]
            kept[place] = replace(
                known,
                previous_version=known.previous_version or one.previous_version,
                summary=known.summary if not known.summary.startswith("requests are answered") else one.summary,
            )
    return kept


def _is_same(one: Change, other: Change) -> bool:
    if one.service != other.service or {one.kind, other.kind} != {"deployment"}:
        return one.id == other.id and one.at == other.at
    if not one.version or not other.version or abs(one.at - other.at) > _SAME:
        return False
    return one.version.startswith(other.version) or other.version.startswith(one.version)


def _moment(told: Any) -> datetime | None:
    """A date in writing, or seconds, milliseconds or nanoseconds of the epoch."""
    try:
        if isinstance(told, str) and not told.isdigit():
            return datetime.fromisoformat(told).astimezone(UTC)
        number = float(told)
        while number > 1e11:
            number /= 1000.0
        return datetime.fromtimestamp(number, tz=UTC) if number > 0 else None
    except (TypeError, ValueError, OverflowError, OSError):
        return None
