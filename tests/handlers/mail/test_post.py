"""Mail that waits goes out once, is tried again, and ends where the person wants no more."""

from datetime import timedelta
from email.message import EmailMessage
from typing import Any

import pytest

from handlers.mail.post import Mailer
from handlers.mail.smtp import MailRefused, MailUnavailable
from handlers.mail.ticket import make_ticket, read_ticket
from store.database.schema import MailRow
from store.database.session import Database
from store.ids import TenantId
from store.people import accounts, mails
from store.people.accounts import Account
from tests.store.accounts import KEYS, make_account


class Outbox:
    """A line that remembers, and fails as told."""

    def __init__(self, *fates: Exception) -> None:
        self.fates = list(fates)
        self.sent: list[tuple[str, EmailMessage]] = []

    async def send(self, message: EmailMessage, *, sender: str, to: str) -> None:
        if self.fates:
            raise self.fates.pop(0)
        self.sent.append((to, message))


def mailer(db: Database, line: Outbox, url: str | None = "https://autoheal.example") -> Mailer:
    return Mailer(db=db, line=line, sender="autoheal@acme.example", keys=KEYS, public_url=url)


async def write(db: Database, tenant: TenantId, to: Account, key: str = "outcome:1") -> bool:
    async with db.tenant(tenant) as s:
        subject, body = s.redactor.redact("[Autoheal] checkout: cut pool"), s.redactor.redact("The pool was cut.")
        return await mails.write_mail(s, to=to.user_id, key=key, subject=subject, body=body)


async def state(db: Database, tenant: TenantId) -> tuple[str, int]:
    async with db.tenant(tenant, readonly=True) as s:
        row = await s.one(MailRow)
    assert row is not None
    return row.state, row.attempts


async def test_a_mail_is_written_once_and_sent_once_to_its_person(database: Database, two_tenants: Any) -> None:
    mia = await make_account(database, two_tenants[0])
    assert [await write(database, two_tenants[0], mia) for _ in range(3)] == [True, False, False]
    line = Outbox()
    assert [await mailer(database, line).send_due() for _ in range(2)] == [1, 0]
    assert not await write(database, two_tenants[0], mia)
    assert await mailer(database, line).send_due() == 0
    ((to, message),) = line.sent
    assert (to, message["To"], message["Subject"]) == (mia.email, mia.email, "[Autoheal] checkout: cut pool")
    assert message.get_content().startswith("The pool was cut.")
    assert "no more of it" in message.get_content()


async def test_every_mail_offers_to_end_it_by_one_click(sqlite_database: Database, two_tenants: Any) -> None:
    mia = await make_account(sqlite_database, two_tenants[0])
    line = Outbox()
    await write(sqlite_database, two_tenants[0], mia)
    await mailer(sqlite_database, line).send_due()
    (_, message) = line.sent[0]
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    ticket = message["List-Unsubscribe"].partition("ticket=")[2].rstrip(">")
    assert read_ticket(KEYS, ticket) == (two_tenants[0], mia.user_id)
    assert message["Auto-Submitted"] == "auto-generated"


async def test_who_opted_out_or_left_meanwhile_gets_nothing(sqlite_database: Database, two_tenants: Any) -> None:
    mia = await make_account(sqlite_database, two_tenants[0])
    await write(sqlite_database, two_tenants[0], mia)
    async with sqlite_database.tenant(two_tenants[0]) as s:
        await accounts.change_account(s, KEYS, mia.user_id, notify=False)
    line = Outbox()
    assert await mailer(sqlite_database, line).send_due() == 0
    assert line.sent == []
    assert (await state(sqlite_database, two_tenants[0]))[0] == "skipped"


async def test_a_server_that_is_away_is_tried_again_for_hours_and_then_no_more(
    sqlite_database: Database, two_tenants: Any, clock: Any
) -> None:
    mia = await make_account(sqlite_database, two_tenants[0])
    await write(sqlite_database, two_tenants[0], mia)
    line = Outbox(*(MailUnavailable("away") for _ in range(20)))
    for delay in mails.RETRIES:
        assert await mailer(sqlite_database, line).send_due() == 0
        assert await mailer(sqlite_database, line).send_due() == 0  # not due yet
        clock.advance(delay)
    await mailer(sqlite_database, line).send_due()
    assert await state(sqlite_database, two_tenants[0]) == ("failed", len(mails.RETRIES) + 1)
    assert len(line.fates) == 20 - len(mails.RETRIES) - 1


async def test_a_refused_message_hinders_no_other(sqlite_database: Database, two_tenants: Any) -> None:
    mia = await make_account(sqlite_database, two_tenants[0])
    raj = await make_account(sqlite_database, two_tenants[1], email="raj@globex.example")
    await write(sqlite_database, two_tenants[0], mia)
    await write(sqlite_database, two_tenants[1], raj)
    line = Outbox(MailRefused("no"))
    assert await mailer(sqlite_database, line).send_due() == 1
    assert {await state(sqlite_database, tenant) for tenant in two_tenants} == {("failed", 1), ("sent", 1)}


async def test_a_mail_that_cannot_be_built_is_given_up_and_hinders_no_other(
    sqlite_database: Database, two_tenants: Any
) -> None:
    await write(sqlite_database, two_tenants[0], await make_account(sqlite_database, two_tenants[0]))
    line = Outbox(IndexError("a header that the library chokes on"))
    assert await mailer(sqlite_database, line).send_due() == 0
    assert (await state(sqlite_database, two_tenants[0]))[0] == "failed"
    assert accounts.read_email("=?x?q??=@b.cc") is None


async def test_a_sender_that_died_gives_the_mail_back(database: Database, two_tenants: Any, clock: Any) -> None:
    mia = await make_account(database, two_tenants[0])
    await write(database, two_tenants[0], mia)
    async with database.tenant(two_tenants[0]) as s:
        ((_, mail_id),) = await mails.due_mails(database)
        claimed = await mails.claim_mail(s, mail_id)
        assert claimed is not None
        assert await mails.claim_mail(s, mail_id) is None
    line = Outbox()
    assert await mailer(database, line).send_due() == 0
    clock.advance(mails.LEASE)
    assert await mailer(database, line).send_due() == 1
    assert line.sent[0][1]["Message-ID"] == f"<{mail_id}@acme.example>"
    clock.advance(mails.KEPT + timedelta(seconds=1))
    async with database.tenant(two_tenants[0]) as s:
        assert await mails.forget_ended_mails(s) == 1


@pytest.mark.parametrize("change", ["tenant", "user", "code", "nothing of ours"])
def test_a_ticket_that_we_did_not_make_is_none(change: str) -> None:
    a, b = "01a20850-b7b3-76ef-9167-fa680c8df416", "01a20850-b85d-75f6-99b7-cdcb3605514d"
    parts = make_ticket(KEYS, TenantId(a), a).split(".")  # type: ignore[arg-type] # any id will do
    forged = {
        "tenant": [b, *parts[1:]],
        "user": [parts[0], b, parts[2]],
        "code": [*parts[:2], "0" * 64],
        "nothing of ours": ["x"],
    }[change]
    assert read_ticket(KEYS, ".".join(forged)) is None
