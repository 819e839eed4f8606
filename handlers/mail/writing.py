"""Decides what is mailed to whom, and stores it: a verdict, the outcome of a remedy, an alert to the admins.

Text comes from what is stored and was redacted before, and passes the redactor again. It wraps those who tell the same
in Slack, so that whoever calls them knows nothing of mail.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from agents.remediation import Plan
from agents.reporter import Reporter
from agents.verdict import Verdict
from handlers.answer import Mouth
from handlers.blocks.outcome import outcome
from handlers.notices import Notices
from store import accounts, approvals, incidents, investigations, users
from store.ids import ApprovalId, InvestigationId, TenantId, UserId
from store.incidents import Incident
from store.mails import write_mail
from store.session import Database, TenantSession

_MOST_SUBJECT: Final = 180
_WHERE: Final = "Details and evidence are in the incident's thread in Slack."


class MailedReporter:
    """`agents.reporter.Reporter`: tells in Slack first, then writes mail about verdicts and outcomes."""

    def __init__(self, db: Database, told: Reporter) -> None:
        self._db = db
        self._told = told

    async def opened(self, tenant: TenantId, investigation: InvestigationId) -> None:
        await self._told.opened(tenant, investigation)

    async def progressed(self, tenant: TenantId, investigation: InvestigationId) -> None:
        await self._told.progressed(tenant, investigation)

    async def concluded(self, tenant: TenantId, investigation: InvestigationId) -> None:
        """A run without a verdict, because it was stopped or failed, is not mailed about."""
        await self._told.concluded(tenant, investigation)
        async with self._db.tenant(tenant) as s:
            run = await investigations.investigation(s, investigation)
            incident = None if run is None else await incidents.incident(s, run.incident_id)
            if run is None or run.verdict is None or incident is None:
                return
            verdict = Verdict.model_validate(run.verdict)
            subject = f"[Autoheal] Incident {incident.number}: {verdict.headline}"
            await _write(s, f"verdict:{investigation}", subject, _verdict_body(incident, verdict))

    async def proposed(self, tenant: TenantId, approval: ApprovalId) -> None:
        await self._told.proposed(tenant, approval)

    async def approval_changed(self, tenant: TenantId, approval: ApprovalId) -> None:
        await self._told.approval_changed(tenant, approval)

    async def outcome(self, tenant: TenantId, approval: ApprovalId) -> None:
        await self._told.outcome(tenant, approval)
        async with self._db.tenant(tenant) as s:
            found = await approvals.approval(s, approval)
            message = None if found is None else outcome(found, Plan.model_validate(found.plan))
            incident = None if found is None else await incidents.incident(s, found.incident_id)
            if found is None or message is None or incident is None:
                return
            subject = f"[Autoheal] Incident {incident.number}: {message.text}"
            body = f"{message.text}\n\nTimes are UTC. {_WHERE}"
            await _write(s, f"outcome:{approval}:{found.state}", subject, body)


class MailedNotices(Notices):
    """Alerts to the admins, in Slack and by mail."""

    def __init__(self, db: Database, mouth: Mouth) -> None:
        super().__init__(db, mouth)
        self._mailed_db = db

    async def tell_admins(self, tenant: TenantId, *, key: str, text: str) -> None:
        """Once per key and admin, both ways."""
        await super().tell_admins(tenant, key=key, text=text)
        async with self._mailed_db.tenant(tenant) as s:
            admins = {admin.id for admin in await users.admins(s)}
            first_line = text.strip().partition("\n")[0]
            await _write(s, f"alert:{key}", f"[Autoheal] Alert: {first_line}", text, to=admins.__contains__)


async def _write(
    s: TenantSession, key: str, subject: str, body: str, *, to: Callable[[UserId], bool] = lambda _user: True
) -> None:
    """To everybody with an account who wants mail."""
    line = s.redactor.redact(" ".join(subject.split())[:_MOST_SUBJECT])
    text = s.redactor.redact(body)
    for user_id, account in (await accounts.accounts(s)).items():
        if account.notify and to(user_id):
            await write_mail(s, to=user_id, key=key, subject=line, body=text)


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
