"""Sends the mail that waits: each claimed, sent outside any transaction, then ended or put off.

Every message says how to get no more of them: in its text, and for mail programs by one click (RFC 8058).
https://www.rfc-editor.org/rfc/rfc8058
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Final, Protocol

from agents.evidence.picture import line_chart
from agents.failure import log_failure
from agents.verdict import Verdict
from handlers.mail.smtp import MailRefused, MailUnavailable
from handlers.mail.ticket import make_ticket
from store.database.session import Database
from store.errors import StoreError
from store.ids import InvestigationId, TenantId
from store.incidents import investigations
from store.people import mails
from store.people.account_keys import AccountKeys
from store.people.mails import Mail

log = logging.getLogger("autoheal.mail")

_FOOTER: Final = (
    "You get this because you have an account with Autoheal. To get no more of it, set `notify` to false in your "
    "profile, use the unsubscribe link of your mail program, or ask an admin of your organisation."
)


class Line(Protocol):
    """The way to a mail server."""

    async def send(self, message: EmailMessage, *, sender: str, to: str) -> None:
        """Raises MailRefused, MailUnavailable."""


class Mailer:
    """One per process; several processes share the work."""

    def __init__(
        self,
        *,
        db: Database,
        line: Line,
        sender: str,
        keys: AccountKeys,
        public_url: str | None,
        ended: Callable[[str], None] = lambda _outcome: None,
    ) -> None:
        self._db = db
        self._line = line
        self._sender = sender
        self._keys = keys
        self._public_url = public_url
        self._ended = ended

    async def send_due(self) -> int:
        """How many went out. One that fails hinders no other."""
        sent = 0
        for tenant, mail_id in await mails.due_mails(self._db):
            try:
                sent += await self._send(tenant, mail_id)
            except StoreError as exc:  # a tenant that is frozen or closed meanwhile
                log_failure(log, "mail.failed", exc, tenant=tenant)
            except Exception as exc:  # noqa: BLE001 -- the outer guard of one mail: it never comes back
                log_failure(log, "mail.failed", exc, tenant=tenant)
                await self._give_up(tenant, mail_id)
        return sent

    async def _send(self, tenant: TenantId, mail_id: str) -> bool:
        async with self._db.tenant(tenant) as s:
            mail = await mails.claim_mail(s, mail_id)
        if mail is None:
            return False
        try:
            message = self._message(tenant, mail)
            if (chart := await self._chart(tenant, mail)) is not None:
                message.add_attachment(chart.encode(), maintype="image", subtype="svg+xml", filename="chart.svg")
            await self._line.send(message, sender=self._sender, to=mail.to.email)
        except MailRefused as exc:
            await self._end(tenant, mail, "failed", str(exc))
            return False
        except MailUnavailable as exc:
            async with self._db.tenant(tenant) as s:
                again = await mails.put_off_mail(s, mail)
            log.warning("%s", exc, extra={"action": "mail.put_off" if again else "mail.given_up", "tenant": tenant})
            if not again:
                self._ended("failed")
            return False
        await self._end(tenant, mail, "sent", "")
        return True

    async def _chart(self, tenant: TenantId, mail: Mail) -> str | None:
        """Of the verdict that the mail is about."""
        what, _, rest = mail.key.partition(":")
        if what != "verdict":
            return None
        async with self._db.tenant(tenant, readonly=True) as s:
            run = await investigations.investigation(s, InvestigationId(rest.partition(":")[0]))
        chart = Verdict.model_validate(run.verdict).chart if run is not None and run.verdict is not None else None
        if chart is None or not any(series.points for series in chart.series):
            return None
        return line_chart(chart.title, [(series.name, series.points) for series in chart.series])

    async def _give_up(self, tenant: TenantId, mail_id: str) -> None:
        async with self._db.tenant(tenant) as s:
            await mails.end_mail(s, mail_id, "failed")
        self._ended("failed")

    async def _end(self, tenant: TenantId, mail: Mail, state: str, why: str) -> None:
        async with self._db.tenant(tenant) as s:
            await mails.end_mail(s, mail.id, "sent" if state == "sent" else "failed")
        self._ended(state)
        log.info("mail %s %s", state, why, extra={"action": f"mail.{state}", "tenant": tenant, "mail": mail.id})

    def _message(self, tenant: TenantId, mail: Mail) -> EmailMessage:
        message = EmailMessage(policy=SMTP)
        message["From"] = self._sender
        message["To"] = mail.to.email
        message["Subject"] = " ".join(str(mail.subject).split())
        message["Date"] = format_datetime(mail.created_at)
        message["Message-ID"] = f"<{mail.id}@{self._sender.rpartition('@')[2]}>"
        message["Auto-Submitted"] = "auto-generated"
        if self._public_url is not None:
            ticket = make_ticket(self._keys, tenant, mail.to.user_id)
            message["List-Unsubscribe"] = f"<{self._public_url}/api/unsubscribe?ticket={ticket}>"
            message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        message.set_content(f"{mail.body}\n\n-- \n{_FOOTER}\n")
        return message
