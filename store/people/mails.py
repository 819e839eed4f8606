"""E-mail that waits to go out, written where it was decided and sent by somebody else later.

A mail is written once per key and claimed by one sender at a time, for a while: a sender that dies gives it back by the
passing of time. So a mail may go out twice after a crash, always with the same Message-ID, and never not at all.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from sqlalchemy import select

from store.database.schema import MailRow
from store.database.session import Database, TenantSession
from store.ids import TenantId, UserId, stable_id
from store.people.accounts import Account, account
from store.secrets.redaction import Redacted

LEASE: Final = timedelta(minutes=5)
RETRIES: Final = tuple(timedelta(minutes=m) for m in (1, 5, 30, 120, 480))
KEPT: Final = timedelta(days=30)
"""How long an ended mail is remembered, so that it is not written anew."""
_TABLE: Final = "mails"


@dataclass(frozen=True, kw_only=True)
class Mail:
    """Claimed for LEASE."""

    id: str
    to: Account
    key: str
    subject: Redacted
    body: Redacted
    attempts: int
    created_at: datetime


async def write_mail(s: TenantSession, *, to: UserId, key: str, subject: Redacted, body: Redacted) -> bool:
    """False when it was written before. `key` says what it is about, such as `verdict:<id>`."""
    own_key = f"{key}:{to}"
    row_id = stable_id("mail", s.tenant_id, own_key)
    written = await s.insert_if_absent(
        MailRow,
        {
            "id": row_id,
            "key": own_key,
            "user_id": to,
            "subject": s.seal(_TABLE, "subject", row_id, subject),
            "body": s.seal(_TABLE, "body", row_id, body),
            "state": "waiting",
            "attempts": 0,
            "created_at": s.now(),
            "due_at": s.now(),
        },
    )
    return row_id in written


async def due_mails(db: Database, *, limit: int = 50) -> list[tuple[TenantId, str]]:
    """Of all tenants, those that waited longest first."""
    async with db.across_tenants("find e-mail to send", readonly=True) as session:
        rows = await session.execute(
            select(MailRow.tenant_id, MailRow.id)
            .where(MailRow.state == "waiting", MailRow.due_at <= db.now())
            .order_by(MailRow.due_at)
            .limit(limit)
        )
        return [(TenantId(tenant_id), mail_id) for tenant_id, mail_id in rows]


async def claim_mail(s: TenantSession, mail_id: str) -> Mail | None:
    """One sender's for LEASE. None when another has it, or when the person wants no mail any more: it ends then."""
    claimed = await s.update(
        MailRow,
        MailRow.id == mail_id,
        MailRow.state == "waiting",
        MailRow.due_at <= s.now(),
        values={"due_at": s.now() + LEASE, "attempts": MailRow.attempts + 1},
    )
    row = await s.one(MailRow, MailRow.id == mail_id) if claimed else None
    if row is None:
        return None
    to = await account(s, UserId(row.user_id))
    if to is None or not to.notify:
        await end_mail(s, mail_id, "skipped")
        return None
    return Mail(
        id=row.id,
        to=to,
        key=row.key,
        subject=s.open(_TABLE, "subject", row.id, row.subject),
        body=s.open(_TABLE, "body", row.id, row.body),
        attempts=row.attempts,
        created_at=row.created_at,
    )


async def end_mail(s: TenantSession, mail_id: str, state: Literal["sent", "failed", "skipped"]) -> None:
    await s.update(MailRow, MailRow.id == mail_id, values={"state": state, "ended_at": s.now()})


async def put_off_mail(s: TenantSession, mail: Mail) -> bool:
    """Tries again later; False, and ended as failed, after the last try."""
    if mail.attempts > len(RETRIES):
        await end_mail(s, mail.id, "failed")
        return False
    await s.update(MailRow, MailRow.id == mail.id, values={"due_at": s.now() + RETRIES[mail.attempts - 1]})
    return True


async def forget_ended_mails(s: TenantSession) -> int:
    """For a periodic sweep."""
    return await s.delete(MailRow, MailRow.ended_at <= s.now() - KEPT)
