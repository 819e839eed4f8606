"""Alerts and their groups as they are in memory while a batch is taken in. Pure: the store loads one and writes back
what changed, a benchmark starts with an empty one.

A source may send the same thing ten thousand times, out of order, or its end without its beginning: nothing is lost,
nothing is counted twice, and what is older than what is known changes no state.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from agents.alerting.grouping import AlertCluster, Signal, belongs_to, place, places_of
from agents.alerting.topology import Topology
from agents.language.alerts import read_alert
from agents.webhooks import Part, Severity, Status
from agents.webhooks.contract import SEVERITIES
from store.ids import stable_id

RECURS: Final = timedelta(days=1)
"""How long after its end the same alert is a recurrence in its old group."""
REOPENS: Final = timedelta(minutes=30)
"""How soon after its end what fires again is the same outage, whose incident is open again."""
FLAPS: Final = 3
FLAPS_WITHIN: Final = timedelta(hours=1)
QUIET_FOR: Final = timedelta(days=1)
_TURNS_KEPT: Final = 10


@dataclass(kw_only=True)
class BookedAlert:
    """`fired` are the last times at which it began to fire; `key` is the source's own, as in `Part`."""

    id: str
    group_id: str
    provider: str
    name: str
    title: str
    text: str = ""
    status: Status
    severity: Severity
    service: str | None
    environment: str | None
    labels: dict[str, str] = field(default_factory=dict)
    key: str = ""
    source_url: str | None = None
    runbook_url: str | None = None
    first_at: datetime
    fired_at: datetime
    last_at: datetime
    resolved_at: datetime | None = None
    occurrences: int = 1
    turns: int = 1
    fired: list[datetime] = field(default_factory=list)

    def flaps(self, now: datetime) -> bool:
        return sum(at > now - FLAPS_WITHIN for at in self.fired) >= FLAPS

    def signal(self) -> Signal:
        return Signal(
            at=self.fired_at,
            service=self.service,
            name=self.name,
            severity=self.severity,
            environment=self.environment,
            places=places_of(self.labels),
        )


@dataclass(kw_only=True)
class Group:
    """`states` counts its alerts, `sources` what they sent. `version` rises with each change that people should see.

    `quiet_s`: for how long it was over before it came back last, in seconds. `flaps_from`: the recurrence with which it
    began to flap, until it is quiet for longer than `FLAPS_WITHIN`.
    """

    cluster: AlertCluster
    status: Status = "firing"
    severity: Severity = "unknown"
    title: str = ""
    lead: str = ""
    resolved_at: datetime | None = None
    recurrences: int = 0
    reopened_at: datetime | None = None
    quiet_s: float | None = None
    flapping: bool = False
    flaps_from: int | None = None
    decision: str | None = None
    incident_id: str | None = None
    channel_id: str | None = None
    thread_ts: str | None = None
    merged_into: str | None = None
    version: int = 0
    shown: int = 0
    states: Counter[str] = field(default_factory=Counter)
    sources: Counter[str] = field(default_factory=Counter)
    labels: dict[str, str] = field(default_factory=dict)
    source_url: str | None = None
    runbook_url: str | None = None

    @property
    def id(self) -> str:
        return self.cluster.id

    @property
    def alerts(self) -> int:
        return self.states.total()

    @property
    def is_open(self) -> bool:
        return self.merged_into is None and (self.status != "resolved" or self.cluster.quiet)

    def facts(self) -> dict[str, Any]:
        """What is sealed of it."""
        return {
            **self.cluster.as_json(),
            "title": self.title,
            "lead": self.lead,
            "flapping": self.flapping,
            "flaps_from": self.flaps_from,
            "quiet_s": self.quiet_s,
            "reopened_at": None if self.reopened_at is None else self.reopened_at.isoformat(),
            "states": dict(self.states),
            "sources": dict(self.sources),
            "labels": self.labels,
            "source_url": self.source_url,
            "runbook_url": self.runbook_url,
        }

    def read(self, facts: Mapping[str, Any]) -> None:
        self.cluster.read(facts)
        self.title, self.lead = str(facts.get("title") or ""), str(facts.get("lead") or "")
        self.flapping, self.flaps_from = bool(facts.get("flapping")), facts.get("flaps_from")
        self.quiet_s = facts.get("quiet_s")
        told = facts.get("reopened_at")
        self.reopened_at = datetime.fromisoformat(told) if told else None
        self.states, self.sources = Counter(facts.get("states") or {}), Counter(facts.get("sources") or {})
        self.labels = dict(facts.get("labels") or {})
        self.source_url, self.runbook_url = facts.get("source_url"), facts.get("runbook_url")


def alert_id(tenant: str, part: Part) -> str:
    return stable_id("alert", tenant, part.key, part.scope)


def is_sign_of_life(part: Part) -> bool:
    """A watchdog or heartbeat fires for ever, so that its silence can be seen."""
    return read_alert(part.title).kind == "heartbeat"


class Book:
    """Holds the alerts of a batch by id, and all groups that are open or may come back."""

    def __init__(
        self,
        tenant: str,
        *,
        topology: Topology,
        new_id: Callable[[], str],
        alerts: Iterable[BookedAlert] = (),
        groups: Iterable[Group] = (),
    ) -> None:
        self._tenant, self._topology, self._new_id = tenant, topology, new_id
        self.alerts = {one.id: one for one in alerts}
        self.groups = {one.id: one for one in groups}
        self.changed_alerts: set[str] = set()
        self.changed_groups: set[str] = set()
        self.moved: dict[str, str] = {}
        """Of groups that became part of another: old id to new."""

    def absorb(self, provider: str, part: Part, now: datetime) -> Group | None:
        """Takes one alert in. None for a sign of life, which is no alert."""
        known = self.alerts.get(alert_id(self._tenant, part))
        if known is None and is_sign_of_life(part):
            return None
        alert = self._begin(provider, part, now) if known is None else self._go_on(known, part, now)
        group = self.groups[alert.group_id]
        group.sources[provider] += 1
        self.changed_alerts.add(alert.id)
        self.changed_groups.add(group.id)
        return group

    def _begin(self, provider: str, part: Part, now: datetime) -> BookedAlert:
        at = _moment(part, now)
        alert = BookedAlert(
            id=alert_id(self._tenant, part),
            group_id="",
            provider=provider,
            name=read_alert(part.labels.get("alertname") or part.title).name,
            title=part.title,
            text=part.text,
            status=part.status,
            severity=part.severity,
            service=part.service,
            environment=part.environment,
            labels=dict(part.labels),
            key=part.key,
            source_url=part.source_url,
            runbook_url=part.runbook_url,
            first_at=at,
            fired_at=at,
            last_at=now,
            resolved_at=at if part.status == "resolved" else None,
            fired=[at],
        )
        self.alerts[alert.id] = alert
        self._join(alert, now, is_new=True)
        return alert

    def _go_on(self, alert: BookedAlert, part: Part, now: datetime) -> BookedAlert:
        at = _moment(part, now)
        alert.occurrences += 1
        alert.last_at = max(alert.last_at, now)
        is_old = part.occurred_at is not None and at < (alert.resolved_at or alert.fired_at)
        if is_old or part.status == "info":
            return alert
        group = self.groups[alert.group_id]
        before = alert.status
        if part.severity not in ("unknown", alert.severity):
            alert.severity = part.severity
            self._show(group)
        if part.status == "firing" and before == "resolved":
            self._leave(alert, group)
            alert.turns += 1
            alert.fired_at, alert.resolved_at, alert.status = at, None, "firing"
            alert.fired = [*alert.fired, at][-_TURNS_KEPT:]
            self._join(alert, now, is_new=False)
            return alert
        if part.status != before:
            group.states[before] -= 1
            group.states[part.status] += 1
            alert.status = part.status
            alert.resolved_at = at if part.status == "resolved" else None
            self._settle(group, at)
        return alert

    def _leave(self, alert: BookedAlert, group: Group) -> None:
        group.states[alert.status] -= 1
        self.changed_groups.add(group.id)

    def _join(self, alert: BookedAlert, now: datetime, *, is_new: bool) -> None:
        """Finds its group: the one it had, if that is open or ended a short while ago; else by what it is about."""
        old = self.groups.get(alert.group_id)
        while old is not None and old.merged_into is not None:
            old = self.groups.get(old.merged_into)
        stays = old is not None and (old.is_open or self._may_return(old, now))
        group = old if old is not None and stays else self._placed(alert)
        if group.status == "resolved" and alert.status == "firing" and group.version and not group.cluster.quiet:
            self._come_back(group, alert.fired_at)
        alert.group_id = group.id
        group.states[alert.status] += 1
        group.cluster.add(alert.signal())
        self._lead(group, alert)
        worst = min(group.severity, alert.severity, key=SEVERITIES.index)
        if worst != group.severity:
            group.severity = worst
            self._show(group)
        self._settle(group, alert.fired_at)
        if alert.flaps(now) and not group.flapping:
            group.flapping, group.flaps_from = True, group.recurrences
        if is_new or alert.flaps(now):
            self._show(group)

    def _come_back(self, group: Group, at: datetime) -> None:
        group.recurrences += 1
        group.reopened_at = at
        quiet = max(at - group.resolved_at, timedelta(0)) if group.resolved_at is not None else None
        group.quiet_s = None if quiet is None else quiet.total_seconds()
        if quiet is None or quiet > FLAPS_WITHIN:
            group.flapping, group.flaps_from = False, None

    def _may_return(self, group: Group, now: datetime) -> bool:
        return group.resolved_at is not None and group.resolved_at > now - RECURS

    def _placed(self, alert: BookedAlert) -> Group:
        open_groups = [one for one in self.groups.values() if one.is_open and not self._is_old_quiet(one, alert)]
        signal = alert.signal()
        if alert.status in ("resolved", "info"):  # nothing begins with it
            quiet = next((one for one in open_groups if one.cluster.quiet), None)
            return quiet or self._new_group(alert, quiet=True)
        found = place(signal, [one.cluster for one in open_groups], self._topology)
        if found.cluster is None:
            group = self._new_group(alert, quiet=found.quiet)
            if not found.quiet:
                self._take_from_quiet(group)
            return group
        group = self.groups[found.cluster.id]
        if found.deeper:
            group.cluster.root = signal.service
            group.lead = ""
        for other in found.merged:
            self._merge(self.groups[other.id], group)
        return group

    def _is_old_quiet(self, group: Group, alert: BookedAlert) -> bool:
        return group.cluster.quiet and group.cluster.opened_at < alert.fired_at - QUIET_FOR

    def _new_group(self, alert: BookedAlert, *, quiet: bool) -> Group:
        cluster = AlertCluster(
            id=self._new_id(),
            root=None if quiet else alert.service,
            opened_at=alert.fired_at,
            last_at=alert.fired_at,
            quiet=quiet,
            environment=None if quiet else alert.environment,
            ground=frozenset() if quiet or alert.service is not None else places_of(alert.labels),
        )
        group = Group(cluster=cluster, severity=alert.severity)
        self.groups[group.id] = group
        return group

    def _take_from_quiet(self, group: Group) -> None:
        """What was quiet about the same thing shortly before belongs to what began now."""
        founder = group.cluster
        for alert in list(self.alerts.values()):
            home = self.groups.get(alert.group_id)
            if home is None or not home.cluster.quiet or alert.status != "firing" or alert.turns > 1:
                continue
            if founder.root is not None and belongs_to(alert.signal(), _seen(founder), self._topology):
                self._leave(alert, home)
                self._show(home)
                alert.group_id = group.id
                group.states[alert.status] += 1
                founder.add(alert.signal())
                self.changed_alerts.add(alert.id)

    def _merge(self, other: Group, into: Group) -> None:
        for alert in self.alerts.values():
            if alert.group_id == other.id:
                alert.group_id = into.id
                self.changed_alerts.add(alert.id)
        into.states.update(other.states)
        into.sources.update(other.sources)
        into.cluster.take(other.cluster)
        other.merged_into, other.status = into.id, "resolved"
        other.states.clear()
        self.moved[other.id] = into.id
        self._show(other)
        self._show(into)

    def _lead(self, group: Group, alert: BookedAlert) -> None:
        """What the group is called after: the worst alert of its root, else the worst and first."""
        leader = self.alerts.get(group.lead)
        if leader is not None and _importance(leader, group) <= _importance(alert, group):
            return
        if group.lead and leader is None and _importance(alert, group)[0]:
            return
        group.lead, group.title = alert.id, alert.title
        group.labels = dict(alert.labels)
        group.source_url, group.runbook_url = alert.source_url, alert.runbook_url or group.runbook_url

    def _settle(self, group: Group, at: datetime) -> None:
        """The group's state by those of its alerts."""
        before = group.status
        states = +group.states
        group.status = "firing" if states["firing"] else "acknowledged" if states["acknowledged"] else "resolved"
        group.resolved_at = at if group.status == "resolved" else None
        if group.status != before:
            self._show(group)

    def _show(self, group: Group) -> None:
        group.version += 1
        self.changed_groups.add(group.id)


def _moment(part: Part, now: datetime) -> datetime:
    """When it happened; a clock that goes ahead of ours is not believed."""
    return min(part.occurred_at, now) if part.occurred_at is not None else now


def _importance(alert: BookedAlert, group: Group) -> tuple[bool, int, datetime]:
    return (alert.service != group.cluster.root, SEVERITIES.index(alert.severity), alert.fired_at)


def _seen(cluster: AlertCluster) -> AlertCluster:
    """A new group knows its founder only; its service counts as failing since the beginning."""
    if cluster.root is not None and cluster.root not in cluster.services:
        cluster.services[cluster.root] = cluster.opened_at
    return cluster
