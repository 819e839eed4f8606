"""Slack's agent sessions: what the app is doing in a thread, with a title, and Slack's own Stop button while it works.

The status is read from the store each time, and set when it differs from what this process set last: `processing` while
something is looked into, `suspended` while an approval waits, `closed` once the incident has ended. Slack
changes none by itself. An installation whose app lacks sessions, or the event of the Stop button, works without: what
it lacks is noted for `autoheal doctor` and the Home tab. https://docs.slack.dev/ai/agent-sessions
"""

from __future__ import annotations

import asyncio
import logging
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from handlers.slack.blocks import text as t
from handlers.slack.delivery import Delivery, SlackFailure, SlackRefused
from store import incidents
from store.database.session import Database
from store.ids import IncidentId, TenantId
from store.incidents import Incident, approvals, investigations
from store.incidents.approvals import Approval, ApprovalState
from store.people import users
from store.tenancy.lacking import AGENT_SESSIONS, STOP_BUTTON, note_lacking

log = logging.getLogger("autoheal.sessions")

SessionStatus = Literal["active", "processing", "suspended", "closed"]
TITLE_LENGTH: Final = 80
_STOP_UNHEARD: Final = "missing_agent_session_stopped_event_subscription"
_PLACE: Final = frozenset(
    {
        "channel_not_found",
        "is_archived",
        "not_in_channel",
        "session_not_found",
        "thread_not_found",
        "user_not_in_channel",
    }
)
"""Refusals that speak of one thread and not of the installation."""
_PUNCTUATION: Final = str.maketrans({":": ",", "/": "-", "\u00b7": "-"})


@dataclass(frozen=True, kw_only=True)
class _Thread:
    channel_id: str
    thread_ts: str
    status: SessionStatus
    title: str
    """At its beginning: what the incident is called."""
    found: str
    """What the verdict says; empty before there is one, and where a person gave the title."""
    initiator: str | None

    @property
    def wanted_title(self) -> str:
        return self.found or self.title


class AgentSessions:
    """One a process. None of its methods raises for what Slack refuses."""

    def __init__(self, db: Database, delivery: Delivery) -> None:
        self._db, self._delivery = db, delivery
        self._shown: dict[tuple[TenantId, IncidentId], SessionStatus] = {}
        self._without: set[TenantId] = set()
        self._noted: dict[tuple[TenantId, str], bool] = {}
        self._locks: weakref.WeakValueDictionary[tuple[TenantId, IncidentId], asyncio.Lock] = (
            weakref.WeakValueDictionary()
        )

    async def show(self, tenant: TenantId, incident: IncidentId, *, anew: bool = False) -> None:
        """Bring the thread's session to what the store says. `anew` also where this process set that already: a stream
        that was begun or a press of the Stop button has come between.
        """
        if tenant in self._without:
            return
        async with self._locks.setdefault((tenant, incident), asyncio.Lock()):
            thread = await self._read(tenant, incident)
            if thread is None or (self._shown.get((tenant, incident)) == thread.status and not anew):
                return
            try:
                answer = await self._set_status(tenant, thread)
                self._remember(tenant, incident, thread.status)
                if answer.get("title") in (thread.title, "", None) and answer.get("title") != thread.wanted_title:
                    await self._rename(tenant, thread)
            except SlackRefused as refusal:
                await self._refused(tenant, refusal)
            except SlackFailure as failure:
                self._delivery.report("session", tenant, f"session:{incident}", failure)

    async def _set_status(self, tenant: TenantId, thread: _Thread) -> Mapping[str, Any]:
        """Whoever asked may be no member of the channel; then the session has no initiator."""
        given = {"title": thread.title, **({"initiator_user_id": thread.initiator} if thread.initiator else {})}
        try:
            answer = await self._call_status(tenant, thread, given)
        except SlackRefused as refusal:
            if "initiator_user_id" not in given or refusal.code not in ("user_not_in_channel", "user_not_found"):
                raise
            answer = await self._call_status(tenant, thread, {"title": thread.title})
        warnings = (answer.get("response_metadata") or {}).get("warnings") or [answer.get("warning")]
        await self._note(tenant, STOP_BUTTON, lacking=_STOP_UNHEARD in warnings)
        await self._note(tenant, AGENT_SESSIONS, lacking=False)
        return answer

    async def _call_status(self, tenant: TenantId, thread: _Thread, given: Mapping[str, Any]) -> Mapping[str, Any]:
        return await self._delivery.calls.call(
            tenant,
            "agents.sessions.setStatus",
            lambda client: client.agents_sessions_setStatus(
                channel_id=thread.channel_id, thread_ts=thread.thread_ts, status=thread.status, **given
            ),
        )

    async def _rename(self, tenant: TenantId, thread: _Thread) -> None:
        """Only from the title that it began with, or from none, where a stream was quicker: a person's own stays."""
        await self._delivery.calls.call(
            tenant,
            "agents.sessions.rename",
            lambda client: client.agents_sessions_rename(
                channel_id=thread.channel_id, thread_ts=thread.thread_ts, title=thread.wanted_title
            ),
        )

    async def _refused(self, tenant: TenantId, refusal: SlackRefused) -> None:
        log.warning("no agent session", extra={"action": "session.refused", "tenant": tenant, "reason": refusal.code})
        if refusal.code in _PLACE or refusal.code in ("not_installed", "token_revoked", "account_inactive"):
            return
        self._without.add(tenant)
        await self._note(tenant, AGENT_SESSIONS, lacking=True)

    async def _note(self, tenant: TenantId, what: str, *, lacking: bool) -> None:
        """Once, and again when it has changed: somebody installed the app anew."""
        if self._noted.get((tenant, what)) is not lacking:
            async with self._db.tenant(tenant) as s:
                await note_lacking(s, what, lacking=lacking)
            self._noted[tenant, what] = lacking

    def _remember(self, tenant: TenantId, incident: IncidentId, status: SessionStatus) -> None:
        if status == "closed":
            self._shown.pop((tenant, incident), None)
        else:
            self._shown[tenant, incident] = status

    async def _read(self, tenant: TenantId, incident_id: IncidentId) -> _Thread | None:
        """None where the incident has no thread."""
        async with self._db.tenant(tenant, readonly=True) as s:
            incident = await incidents.incident(s, incident_id)
            if incident is None or not incident.channel_id or not incident.thread_ts:
                return None
            run = await investigations.latest_investigation(s, incident_id)
            remedies = await approvals.approvals_of_incident(s, incident_id)
            asker = await users.user(s, incident.opened_by) if incident.opened_by else None
        running = run is not None and run.status in ("queued", "running") and run.stop_requested_by is None
        return _Thread(
            channel_id=incident.channel_id,
            thread_ts=incident.thread_ts,
            status=session_status(incident, running=running, remedies=remedies),
            title=session_title(str(incident.title)),
            found=""
            if run is None or not run.verdict or incident.titled_by
            else session_title(run.verdict["headline"]),
            initiator=asker.slack_user_id if asker else None,
        )


def session_status(incident: Incident, *, running: bool, remedies: Sequence[Approval]) -> SessionStatus:
    """What the app is doing there. What waits for a person comes first: only a person moves that. A fix that is being
    applied is no `processing`: Slack shows a Stop button with that, and nothing would stop.
    """
    states = {one.state for one in remedies}
    if not incident.is_open:
        return "closed"
    if ApprovalState.PROPOSED in states:
        return "suspended"
    return "processing" if running else "active"


def session_title(words: str) -> str:
    """Plain words on one line. Slack changes a colon of a new title, and then it could not be known again."""
    shown = words.replace("->", "\N{RIGHTWARDS ARROW}").translate(_PUNCTUATION)
    return t.clamp(" ".join(shown.split()), TITLE_LENGTH) or "Incident"
