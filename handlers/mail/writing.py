"""Decides what is mailed to whom, and stores it: a verdict, the outcome of a remedy, an alert to the admins.

Of an incident only those are told who may read it in Slack: everybody of a public channel, the members of a private
one, who opened it in a direct message. Nobody where Slack does not say.

Text comes from what is stored and was redacted before, and passes the redactor again. It wraps those who tell the same
in Slack, so that whoever calls them knows nothing of mail.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import aiohttp
from slack_sdk.errors import SlackApiError

from agents.remediation import Plan
from agents.reporter import Reporter
from agents.verdict import Verdict
from handlers.slack.blocks.card import Card
from handlers.slack.blocks.message import Message
from handlers.slack.blocks.outcome import came_back, outcome
from handlers.slack.clients import SlackClients
from handlers.slack.delivery import Delivery
from handlers.slack.notices import Notices
from handlers.slack.visibility import members_alone
from store import incidents
from store.database.session import Database, TenantSession
from store.errors import NotFound
from store.ids import ApprovalId, IncidentId, InvestigationId, TenantId
from store.incidents import Incident, approvals, investigations
from store.people import accounts, users
from store.people.mails import write_mail
from store.people.users import Role, User

_log = logging.getLogger(__name__)
_MOST_SUBJECT: Final = 180
_WHERE: Final = "Details and evidence are in the incident's thread in Slack."


@dataclass(frozen=True, kw_only=True)
class _Letter:
    incident: Incident
    key: str
    subject: str
    body: str


class MailedReporter:
    """`agents.reporter.Reporter`: tells in Slack first, then writes mail about verdicts and outcomes."""

    def __init__(self, db: Database, told: Reporter, clients: SlackClients) -> None:
        self._db = db
        self._told = told
        self._clients = clients

    async def opened(self, tenant: TenantId, investigation: InvestigationId) -> None:
        await self._told.opened(tenant, investigation)

    async def progressed(self, tenant: TenantId, investigation: InvestigationId) -> None:
        await self._told.progressed(tenant, investigation)

    async def concluded(self, tenant: TenantId, investigation: InvestigationId) -> None:
        """A run without a verdict, because it was stopped or failed, is not mailed about."""
        await self._told.concluded(tenant, investigation)
        async with self._db.tenant(tenant, readonly=True) as s:
            run = await investigations.investigation(s, investigation)
            incident = None if run is None else await incidents.incident(s, run.incident_id)
            if run is None or run.verdict is None or incident is None:
                return
        verdict = Verdict.model_validate(run.verdict)
        letter = _Letter(
            incident=incident,
            key=f"verdict:{investigation}",
            subject=f"[Autoheal] Incident {incident.number}: {verdict.headline}",
            body=_verdict_body(incident, verdict),
        )
        await self._mail(tenant, letter)

    async def proposed(self, tenant: TenantId, approval: ApprovalId) -> None:
        await self._told.proposed(tenant, approval)

    async def approval_changed(self, tenant: TenantId, approval: ApprovalId) -> None:
        await self._told.approval_changed(tenant, approval)

    async def outcome(self, tenant: TenantId, approval: ApprovalId) -> None:
        await self._told.outcome(tenant, approval)
        await self._mail_told(tenant, approval, f"outcome:{approval}", outcome)

    async def _mail_told(
        self, tenant: TenantId, approval: ApprovalId, key: str, tell: Callable[[Card], Message | None]
    ) -> None:
        async with self._db.tenant(tenant, readonly=True) as s:
            found = await approvals.approval(s, approval)
            message = None if found is None else tell(Card(approval=found, plan=Plan.model_validate(found.plan)))
            incident = None if found is None else await incidents.incident(s, found.incident_id)
            if found is None or message is None or incident is None:
                return
        letter = _Letter(
            incident=incident,
            key=f"{key}:{found.state}",
            subject=f"[Autoheal] Incident {incident.number}: {message.text}",
            body=f"{message.text}\n\n{_WHERE}",
        )
        await self._mail(tenant, letter)

    async def looked_again(self, tenant: TenantId, approval: ApprovalId) -> None:
        """Mail is written about what came back only."""
        await self._told.looked_again(tenant, approval)
        await self._mail_told(tenant, approval, f"came_back:{approval}", came_back)

    async def ended(self, tenant: TenantId, incident: IncidentId) -> None:
        await self._told.ended(tenant, incident)

    async def _mail(self, tenant: TenantId, letter: _Letter) -> None:
        may_read = await self._readers(tenant, letter.incident)  # asks Slack, so it comes before the transaction
        async with self._db.tenant(tenant) as s:
            await _write(s, letter.key, letter.subject, letter.body, to=may_read)

    async def _readers(self, tenant: TenantId, incident: Incident) -> Callable[[User], bool]:
        """Who may read the incident's thread in Slack."""
        if incident.channel_id.startswith("D"):
            return lambda user: user.id == incident.opened_by
        try:
            members = await members_alone(await self._clients.client_for(tenant), incident.channel_id)
        except (SlackApiError, NotFound, aiohttp.ClientError, TimeoutError, OSError) as exc:
            _log.warning("action=mail.withheld tenant=%s incident=%s cause=%s", tenant, incident.id, type(exc).__name__)
            return lambda _user: False
        return lambda user: members is None or user.slack_user_id in members


class MailedNotices(Notices):
    """Alerts to the admins, in Slack and by mail."""

    def __init__(self, db: Database, delivery: Delivery) -> None:
        super().__init__(db, delivery)
        self._mailed_db = db

    async def tell_admins(self, tenant: TenantId, *, key: str, text: str) -> bool:
        """Once per key and admin, both ways. False when Slack must be tried again."""
        told = await super().tell_admins(tenant, key=key, text=text)
        async with self._mailed_db.tenant(tenant) as s:
            first_line = text.strip().partition("\n")[0]
            await _write(
                s, f"alert:{key}", f"[Autoheal] Alert: {first_line}", text, to=lambda user: user.role is Role.ADMIN
            )
        return told


async def _write(s: TenantSession, key: str, subject: str, body: str, *, to: Callable[[User], bool]) -> None:
    """To those of `to` who have an account and want mail."""
    line = s.redactor.redact(" ".join(subject.split())[:_MOST_SUBJECT])
    text = s.redactor.redact(body)
    known = await accounts.accounts(s)
    for user in await users.people(s):
        account = known.get(user.id)
        if account is not None and account.notify and to(user):
            await write_mail(s, to=user.id, key=key, subject=line, body=text)


def _verdict_body(incident: Incident, verdict: Verdict) -> str:
    parts = [
        verdict.headline,
        f"Incident {incident.number}, opened {incident.opened_at:%Y-%m-%d %H:%M} UTC.",
        f"Cause: {verdict.cause.statement}" if verdict.cause else "No confident cause.",
        f"Confidence: {verdict.confidence}.",
        f"Impact: {verdict.impact}" if verdict.impact else "",
        f"Not known: {'; '.join(verdict.not_known)}" if verdict.not_known else "",
        "A remedy is proposed and waits for approval in Slack." if verdict.proposal else "",
        _WHERE,
    ]
    return "\n\n".join(part for part in parts if part)
