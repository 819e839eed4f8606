"""Shows groups of alerts, and looks into those that the tenant's rules say: one message a group, edited as it changes,
recurrences in its thread, where the investigation answers too.

What is to be shown stands in the store as a version that is higher than the one people saw, so a crash or a Slack that
is away delays it and loses nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, Protocol

from agents.alerting.book import REOPENS
from agents.alerting.rules import About, Policy, decide, read_policy
from agents.incidents.requests import Ask, run_asked_for
from agents.incidents.service import IncidentService
from agents.language.alerts import identity_of, read_alert
from agents.permission import Denied, Person
from agents.verdict import Verdict
from agents.webhooks import Severity
from handlers.slack.blocks.alert_group import GroupView, again, alert_group
from handlers.slack.blocks.verdict import headline
from handlers.slack.delivery import Delivery, SlackFailure
from handlers.slack.inbound.caller import KnownWorkspace
from store import incidents
from store.database.session import Database, TenantSession
from store.errors import TenantFrozen, UnknownTenant
from store.ids import TenantId
from store.incidents import alerts, investigations
from store.incidents.alerts import StoredGroup
from store.secrets.redaction import Redacted
from store.upkeep.watch import TellsAdmins

log = logging.getLogger("autoheal.alert_groups")

HOUR: Final = timedelta(hours=1)
_MOST_QUESTION: Final = 12
NO_CHANNEL: Final = (
    "*Alerts arrive, and no channel is chosen for them.* Write `/autoheal alerts channel` in the channel where they "
    "should be told and looked into."
)


class Callers(Protocol):
    async def workspace_of(self, tenant: TenantId) -> KnownWorkspace | None: ...

    async def alert_source(self, workspace: KnownWorkspace) -> Person: ...


class AlertGroups:
    """One a process."""

    def __init__(
        self,
        db: Database,
        delivery: Delivery,
        callers: Callers,
        incident_service: IncidentService,
        *,
        notices: TellsAdmins,
        clock: Callable[[], datetime],
    ) -> None:
        self._db, self._delivery, self._callers, self._incident_service = db, delivery, callers, incident_service
        self._notices, self._clock = notices, clock

    async def settle(self, tenant: TenantId) -> int:
        """Shows what changed. Returns how many groups were up to date afterwards; the others are tried again later."""
        try:
            workspace = await self._callers.workspace_of(tenant)
            async with self._db.tenant(tenant, readonly=True) as s:
                waiting = await alerts.unshown_groups(s)
                policy = read_policy(await alerts.policy(s))
        except (TenantFrozen, UnknownTenant):
            return 0
        if workspace is None:
            return 0
        settled = 0
        for group in waiting:
            settled += await self._settle(workspace, group, policy)
        return settled

    async def _settle(self, workspace: KnownWorkspace, group: StoredGroup, policy: Policy) -> bool:
        tenant = workspace.tenant_id
        group = await self._decided(tenant, group, policy)
        channel = group.channel_id or policy.channel or next(iter(workspace.triage_channels), "")
        if group.decision == "ignore" or (group.merged_into is not None and group.thread_ts is None):
            return await self._done(tenant, group)
        if not channel:
            key = f"alerts-nowhere:{self._clock():%Y%m%d}"
            await self._notices.tell_admins(tenant, key=key, text=NO_CHANNEL)
            return False
        try:
            group = await self._shown(tenant, group, channel, policy)
        except SlackFailure as failure:
            self._delivery.report("post", tenant, f"alerts:{group.id}", failure)
            return False
        await self._look(workspace, group)
        await self._reopen(workspace, group)
        await self._end_incident(workspace, group)
        return await self._done(tenant, group)

    async def _decided(self, tenant: TenantId, group: StoredGroup, policy: Policy) -> StoredGroup:
        """Once, and again while nothing is looked into: a group may grow worse."""
        if group.incident_id is not None or group.decision == "investigate" or group.merged_into is not None:
            return group
        about = About(
            severity=_severity(group.severity),
            services=frozenset(group.facts.get("services") or {}),
            environment=group.environment,
            providers=frozenset(group.facts.get("sources") or {}),
            names=frozenset(group.facts.get("names") or {}),
        )
        async with self._db.tenant(tenant) as s:
            spent = await alerts.count_decided(s, "investigate", self._clock() - HOUR)
            action = decide(policy, about, self._clock(), spent=spent)
            if group.quiet and action == "investigate":
                action = "offer"
            if group.status == "resolved" and group.decision is None and action == "investigate":
                action = "offer"  # it was over before anybody could look
            if action != group.decision:
                await alerts.note_decision(s, group.id, action)
        return replace(group, decision=action)

    async def _shown(self, tenant: TenantId, group: StoredGroup, channel: str, policy: Policy) -> StoredGroup:
        view, key = _view(group, policy, await self._verdict(tenant, group)), f"alerts:{group.id}"
        if group.thread_ts is not None and await self._delivery.known(tenant, key) is None:
            return group  # it lives under another bot's message
        if group.thread_ts is None:
            ts = await self._delivery.deliver(
                tenant, key=key, channel=channel, thread_ts=None, message=alert_group(view)
            )
            if ts is None:
                return group
            known = await self._delivery.known(tenant, key)
            place = known.channel_id if known is not None else channel
            async with self._db.tenant(tenant) as s:
                await alerts.note_thread(s, group.id, channel_id=place, thread_ts=ts)
            group = replace(group, channel_id=place, thread_ts=ts)
        await self._delivery.update(tenant, key, alert_group(view))
        if group.recurrences and group.status != "resolved":
            flaps_from = group.facts.get("flaps_from")  # while it flaps it is told once
            await self._delivery.deliver(
                tenant,
                key=f"alerts-again:{group.id}:{group.recurrences if flaps_from is None else flaps_from}",
                channel=group.channel_id or channel,
                thread_ts=group.thread_ts,
                message=again(view),
            )
        return group

    async def _verdict(self, tenant: TenantId, group: StoredGroup) -> str:
        """The newest run's, as a phone shows it; "" while there is none, or where it stands in another channel."""
        if group.incident_id is None or group.merged_into is not None:
            return ""
        async with self._db.tenant(tenant, readonly=True) as s:
            incident = await incidents.incident(s, group.incident_id)
            run = await investigations.latest_investigation(s, group.incident_id)
        if incident is None or incident.channel_id != group.channel_id or run is None or run.verdict is None:
            return ""
        return headline(Verdict.model_validate(run.verdict))

    async def _look(self, workspace: KnownWorkspace, group: StoredGroup) -> None:
        """Once a group, and once each time that it comes back, unless it flaps."""
        if group.decision != "investigate" or group.status == "resolved" or group.merged_into is not None:
            return
        if group.recurrences and group.facts.get("flapping"):
            return
        async with self._db.tenant(workspace.tenant_id, readonly=True) as s:
            incident = await incidents.incident(s, group.incident_id) if group.incident_id else None
            looked = run_asked_for(workspace.tenant_id, group.channel_id or "", _turn(group))
            if await investigations.investigation(s, looked) is not None:
                return
        if incident is not None and incident.is_open and incident.status != "mitigated":
            return
        person = await self._callers.alert_source(workspace)
        await investigate_group(self._db, self._incident_service, person, group)

    async def _reopen(self, workspace: KnownWorkspace, group: StoredGroup) -> None:
        """What fires again shortly after its end is the same outage, also where nobody looks into it anew."""
        if group.status == "resolved" or group.merged_into is not None or not is_same_outage(group):
            return
        if group.incident_id is not None:
            person = await self._callers.alert_source(workspace)
            await self._incident_service.alerts_returned(person, group.incident_id)

    async def _end_incident(self, workspace: KnownWorkspace, group: StoredGroup) -> None:
        """The alerts are over, as one that a bot posts may be: the incident service says what follows."""
        if group.status == "resolved" and group.incident_id is not None and group.merged_into is None:
            person = await self._callers.alert_source(workspace)
            await self._incident_service.alerts_ended(person, group.incident_id)

    async def _done(self, tenant: TenantId, group: StoredGroup) -> bool:
        async with self._db.tenant(tenant) as s:
            await alerts.note_shown(s, group.id, group.version)
        return True


async def investigate_group(
    db: Database, incident_service: IncidentService, person: Person, group: StoredGroup
) -> Denied | None:
    """In the group's thread. The same group and recurrence start once."""
    if group.channel_id is None or group.thread_ts is None:
        return Denied("This group of alerts is not shown in a channel.")
    tenant = person.tenant_id
    async with db.tenant(tenant, readonly=True) as s:
        question = await _question(s, group)
    ask = Ask(
        question=question,
        channel_id=group.channel_id,
        thread_ts=group.thread_ts,
        source_ts=_turn(group),
        alert=identity_of(read_alert(str(group.facts.get("title") or "")).name, group.service),
    )
    answer = await incident_service.investigate(person, ask)
    if isinstance(answer, Denied):
        return answer
    async with db.tenant(tenant) as s:
        await alerts.note_incident(s, group.id, answer.incident_id)
    return None


def is_same_outage(group: StoredGroup) -> bool:
    """Whether it came back soon enough after its end."""
    quiet_s = group.facts.get("quiet_s")
    return bool(group.recurrences) and quiet_s is not None and quiet_s <= REOPENS.total_seconds()


def _turn(group: StoredGroup) -> str:
    """What names the run of a group's present recurrence, as a message's time names that of a mention."""
    return f"{group.thread_ts}-{group.recurrences}" if group.recurrences else str(group.thread_ts)


async def _question(s: TenantSession, group: StoredGroup) -> Redacted:
    """What the group says, its leading alerts in their own words: foreign text, for the investigation to judge."""
    members = await alerts.alerts_of_group(s, group.id, limit=_MOST_QUESTION)
    lines = [str(group.facts.get("title") or "Alerts fire")]
    lines += [f"service: {group.service}"] if group.service else []
    lines.append(f"firing since {group.opened_at:%Y-%m-%d %H:%M:%S} UTC")
    for one in members:
        named = f"{one.service}: " if one.service and one.service != group.service else ""
        words = str(one.facts.get("text") or "")
        line = f"- {named}{one.facts.get('title')}" + (f" ({words[:200]})" if words else "")
        if line not in lines:
            lines.append(line)
    return s.redactor.redact("\n".join(lines))


def _view(group: StoredGroup, policy: Policy, verdict: str) -> GroupView:
    return GroupView(
        id=group.id,
        status=group.status,
        severity=group.severity,
        quiet=group.quiet,
        service=group.service,
        facts=group.facts,
        opened_at=group.opened_at,
        resolved_at=group.resolved_at,
        recurrences=group.recurrences,
        decision=group.decision,
        merged=group.merged_into is not None,
        shown_labels=policy.labels,
        verdict=verdict,
        reopens=group.incident_id is not None and is_same_outage(group),
    )


def _severity(word: str) -> Severity:
    match word:
        case "critical" | "high" | "warning" | "info":
            return word
        case _:
            return "unknown"
