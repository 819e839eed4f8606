"""Takes in what webhooks brought: normalise, deduplicate, group, and write it all down in one transaction a batch.

What arrived stays `received` until that transaction, so a crash loses nothing and repeats nothing. Within a tenant one
process at a time does it, whoever holds the tenant's head.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from agents.alerting.book import RECURS, Book, BookedAlert, Group, alert_id
from agents.alerting.changes import change_row
from agents.alerting.grouping import AlertCluster
from agents.alerting.topology import Topology
from agents.errors import AgentError
from agents.language.alerts import service_of
from agents.language.service_names import names_in
from agents.webhooks import Normalised, Part, provider
from agents.webhooks.reading import text
from store import audit, inbox
from store.audit import events
from store.database.session import Database, TenantSession
from store.ids import AlertGroupId, TenantId, WebhookId, new_id
from store.inbox import StoredArrival, webhooks
from store.incidents import alerts
from store.incidents.alerts import StoredAlert, StoredGroup

log = logging.getLogger("autoheal.alerting")

BATCH: Final = 25
_MOST_OF_BODY: Final = 200_000  # characters that are kept of one
_MOST_TEXT: Final = 2_000


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What is known of a tenant's services."""

    services: tuple[str, ...] = ()
    spellings: Mapping[str, str] = field(default_factory=dict)
    topology: Topology = Topology()  # noqa: RUF009 -- it holds nothing


SurroundingsOf = Callable[[TenantId], Awaitable[Surroundings]]
Fetch = Callable[[str], Awaitable[bytes]]


@dataclass(frozen=True, kw_only=True)
class _Read:
    arrival: StoredArrival
    found: Normalised
    note: str


class Absorber:
    """One a process. `fetch` confirms subscriptions."""

    def __init__(self, db: Database, surroundings: SurroundingsOf, *, fetch: Fetch) -> None:
        self._db, self._surroundings, self._fetch = db, surroundings, fetch

    async def take(self, tenant: TenantId) -> bool:
        """One batch of what arrived; False when there was none. Raises what opening a session raises."""
        async with self._db.tenant(tenant, readonly=True) as s:
            waiting = await inbox.next_waiting(s, "webhook", limit=BATCH)
            configs = {one.id: one.config for one in await webhooks.webhooks(s)}
        if not waiting:
            return False
        around = await self._surroundings(tenant)
        read = [await self._read(one, configs.get(WebhookId(_webhook_of(one)), {})) for one in waiting]
        async with self._db.tenant(tenant) as s:
            await s.head()
            still = {one.id for one in await inbox.next_waiting(s, "webhook", limit=BATCH)}
            mine = [one for one in read if one.arrival.id in still]
            parts = [(one.found.provider, _known_as(part, around)) for one in mine for part in one.found.each()]
            await self._absorb(s, tenant, [(name, part) for name, part in parts if part.kind == "alert"], around)
            for name, part in parts:
                if (change := change_row(tenant, name, part, s.now())) is not None:
                    await alerts.save_change(s, change)
            await self._finish(s, mine)
        return True

    async def take_part(
        self, tenant: TenantId, name: str, part: Part, *, channel_id: str, thread_ts: str
    ) -> StoredGroup | None:
        """An alert that another bot posted. A group that begins with it is told in that message's thread."""
        around = await self._surroundings(tenant)
        async with self._db.tenant(tenant) as s:
            await s.head()
            part = await _as_it_began(s, tenant, name, part, within=f"{name}:{channel_id}:")
            book = await self._absorb(s, tenant, [(name, part)], around, place=(channel_id, thread_ts))
            alert = book.alerts.get(alert_id(tenant, part))
            return None if alert is None else await alerts.group(s, alert.group_id)

    async def _read(self, arrival: StoredArrival, config: Mapping[str, Any]) -> _Read:
        name = text(arrival.payload.get("provider"))
        reader = provider(name)
        try:
            body = json.loads(str(arrival.payload.get("body") or "null"))
        except (ValueError, RecursionError):
            body = None
        if reader is None:
            raise RuntimeError(f"an arrival of {name!r}, which is no provider")
        found = reader.normalise(body, dict(arrival.payload.get("headers") or {}), config)
        note = found.kind if found.known else f"unknown shape: {found.title[:100]}"
        if (url := reader.confirmation_url(body)) is not None:
            note = await self._confirm(url)
        return _Read(arrival=arrival, found=found, note=note)

    async def _confirm(self, url: str) -> str:
        """Safe to repeat."""
        try:
            await self._fetch(url)
        except AgentError as exc:
            log.warning("not confirmed", extra={"action": "webhook.not_confirmed", "kind": type(exc).__name__})
            return "the subscription could not be confirmed: let SNS ask for it again"
        return "subscription confirmed"

    async def _absorb(
        self,
        s: TenantSession,
        tenant: TenantId,
        parts: Sequence[tuple[str, Part]],
        around: Surroundings,
        *,
        place: tuple[str, str] | None = None,
    ) -> Book:
        known = await alerts.alerts(s, list({alert_id(tenant, part) for _, part in parts}))
        groups = await alerts.returning_groups(s, s.now() - RECURS, [one.group_id for one in known])
        quiet = [one.id for one in groups if one.quiet]
        fresh = await alerts.quiet_news(s, quiet)
        book = Book(
            tenant,
            topology=around.topology,
            new_id=new_id,
            alerts=[_alert(one) for one in {one.id: one for one in (*fresh, *known)}.values()],
            groups=[_group(one) for one in groups],
        )
        before = {one.id: one.status for one in groups}
        for name, part in parts:
            group = book.absorb(name, part, s.now())
            if place is not None and group is not None and group.id not in before:
                group.channel_id, group.thread_ts = place
        await alerts.save_groups(s, (_stored_group(book.groups[one]) for one in book.changed_groups))
        await alerts.move_alerts(s, book.moved)
        await alerts.save_alerts(s, (_stored_alert(book.alerts[one]) for one in book.changed_alerts))
        for one in sorted(book.changed_groups):
            await _record(s, book.groups[one], before.get(AlertGroupId(one)))
        return book

    async def _finish(self, s: TenantSession, read: Iterable[_Read]) -> None:
        last = {}
        for one in read:
            payload = dict(one.arrival.payload)
            payload["body"] = str(payload.get("body") or "")[:_MOST_OF_BODY]
            await inbox.finish(s, one.arrival, note=one.note, payload=payload)
            last[_webhook_of(one.arrival)] = one.arrival.received_at
        for webhook, at in last.items():
            await webhooks.note_accepted(s, WebhookId(webhook), at)


def _webhook_of(arrival: StoredArrival) -> str:
    return text(arrival.payload.get("webhook"))


def _known_as(part: Part, around: Surroundings) -> Part:
    """With the service by the name that the tenant has for it: as the source says, else as its words name it."""
    if not around.services:
        return part
    told = names_in(part.service, around.services, around.spellings) if part.service else []
    if len(told) == 1:
        return replace(part, service=told[0])
    if part.service is not None:
        return part
    words = "\n".join([part.title, *(f"{name}: {value}" for name, value in part.labels.items()), part.text])
    return replace(part, service=service_of(words, around.services, around.spellings))


async def _as_it_began(s: TenantSession, tenant: TenantId, name: str, part: Part, *, within: str) -> Part:
    """An end in other words than the beginning ("checkout is back up") is that of the one alert of its service and
    channel that fires; of several nobody can tell which.
    """
    if part.status != "resolved" or part.service is None or await alerts.alerts(s, [alert_id(tenant, part)]):
        return part
    firing = await alerts.firing_alerts(s, provider=name, service=part.service)
    keys = [key for one in firing if (key := text(one.facts.get("key"))).startswith(within)]
    return replace(part, key=keys[0]) if len(keys) == 1 else part


async def _record(s: TenantSession, group: Group, before: str | None) -> None:
    """The life of a group in the audit log and the events."""
    if group.merged_into is not None or group.cluster.quiet:
        return
    verb = "opened" if before is None else {"resolved": "resolved", "firing": "reopened"}.get(group.status)
    if verb is None or (before is not None and before in (group.status, "acknowledged")):
        return
    if verb == "reopened" and before != "resolved":
        return
    details = {"severity": group.severity, "alerts": group.alerts, "recurrences": group.recurrences}
    await events.emit(s, f"ai.autoheal.alert_group.{verb}.v1", group.id, details, actor=audit.SYSTEM)
    await audit.record(s, actor=audit.SYSTEM, action=f"system.alert_group.{verb}", target=group.id, details=details)


def _alert(stored: StoredAlert) -> BookedAlert:
    facts = stored.facts
    return BookedAlert(
        id=stored.id,
        group_id=stored.group_id,
        provider=stored.provider,
        name=str(facts.get("name") or ""),
        title=str(facts.get("title") or ""),
        text=str(facts.get("text") or ""),
        status=stored.status,  # type: ignore[arg-type] # what was stored is one of its words
        severity=stored.severity,  # type: ignore[arg-type] # as above
        service=stored.service,
        environment=stored.environment,
        labels=dict(facts.get("labels") or {}),
        key=str(facts.get("key") or ""),
        source_url=facts.get("source_url"),
        runbook_url=facts.get("runbook_url"),
        first_at=stored.first_at,
        fired_at=stored.fired_at,
        last_at=stored.last_at,
        resolved_at=stored.resolved_at,
        occurrences=stored.occurrences,
        turns=stored.turns,
        fired=[type(stored.fired_at).fromisoformat(at) for at in facts.get("fired") or []],
    )


def _stored_alert(alert: BookedAlert) -> StoredAlert:
    return StoredAlert(
        id=alert.id,
        group_id=alert.group_id,
        provider=alert.provider,
        status=alert.status,
        severity=alert.severity,
        service=alert.service,
        environment=alert.environment,
        facts={
            "name": alert.name,
            "title": alert.title,
            "text": alert.text[:_MOST_TEXT],
            "labels": alert.labels,
            "key": alert.key,
            "source_url": alert.source_url,
            "runbook_url": alert.runbook_url,
            "fired": [at.isoformat() for at in alert.fired],
        },
        first_at=alert.first_at,
        fired_at=alert.fired_at,
        last_at=alert.last_at,
        resolved_at=alert.resolved_at,
        occurrences=alert.occurrences,
        turns=alert.turns,
    )


def _group(stored: StoredGroup) -> Group:
    cluster = AlertCluster(
        id=stored.id,
        root=stored.service,
        opened_at=stored.opened_at,
        last_at=stored.last_at,
        quiet=stored.quiet,
        environment=stored.environment,
    )
    group = Group(
        cluster=cluster,
        status=stored.status,  # type: ignore[arg-type] # what was stored is one of its words
        severity=stored.severity,  # type: ignore[arg-type] # as above
        resolved_at=stored.resolved_at,
        recurrences=stored.recurrences,
        decision=stored.decision,
        incident_id=stored.incident_id,
        channel_id=stored.channel_id,
        thread_ts=stored.thread_ts,
        merged_into=stored.merged_into,
        version=stored.version,
        shown=stored.shown,
    )
    group.read(stored.facts)
    return group


def _stored_group(group: Group) -> StoredGroup:
    return StoredGroup(
        id=AlertGroupId(group.id),
        status=group.status,
        severity=group.severity,
        quiet=group.cluster.quiet,
        service=group.cluster.root,
        environment=group.cluster.environment,
        facts=group.facts(),
        opened_at=group.cluster.opened_at,
        last_at=group.cluster.last_at,
        resolved_at=group.resolved_at,
        recurrences=group.recurrences,
        decision=group.decision,
        incident_id=None,
        channel_id=group.channel_id,
        thread_ts=group.thread_ts,
        merged_into=group.merged_into,
        version=group.version,
        shown=group.shown,
    )
