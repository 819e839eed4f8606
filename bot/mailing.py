"""Mail, joined: who writes it and who sends it. Nothing of it where no mail server is set."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from agents.reporter import Reporter
from bot.metrics import Metrics
from bot.settings import Settings
from bot.timetable import Timetable
from bot.web_side import open_account_keys
from handlers.mail.post import Mailer
from handlers.mail.smtp import SmtpLine
from handlers.mail.writing import MailedNotices, MailedReporter
from handlers.slack.clients import SlackClients
from handlers.slack.delivery import Delivery
from store.database.session import Database
from store.keys.key_provider import MasterKeys
from store.secrets.redaction import Secret

SEND_EVERY: Final = timedelta(seconds=5)


@dataclass(frozen=True, kw_only=True)
class Mailing:
    db: Database
    context: Mailer

    def reporter(self, told: Reporter, clients: SlackClients) -> MailedReporter:
        return MailedReporter(self.db, told, clients)

    def notices(self, delivery: Delivery) -> MailedNotices:
        return MailedNotices(self.db, delivery)

    def plan(self, timetable: Timetable) -> None:
        timetable.every(SEND_EVERY, self._send, name="send e-mail")

    async def _send(self) -> None:
        await self.context.send_due()


async def open_mailing(settings: Settings, db: Database, keys: MasterKeys, metrics: Metrics | None) -> Mailing | None:
    """None without AUTOHEAL_SMTP_HOST. Raises SettingsError."""
    if settings.smtp_host is None:
        return None
    settings.require_mail()
    password = settings.smtp_password
    line = SmtpLine(
        host=settings.smtp_host,
        port=settings.smtp_port,
        tls=settings.smtp_tls,
        user=settings.smtp_user,
        password=Secret(password.get_secret_value()) if password else None,
    )
    context = Mailer(
        db=db,
        line=line,
        sender=settings.smtp_from or "",
        keys=await open_account_keys(settings, keys),
        public_url=settings.public_url,
        **({} if metrics is None else {"ended": metrics.mail_ended}),
    )
    return Mailing(db=db, context=context)
