"""Sessions of people in a browser: a random id that only the browser and nobody's database knows.

The row holds its SHA-256; address and browser are sealed, for the person to see where they are signed in.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select

from store.database.schema import AccountRow, WebSessionRow
from store.database.session import Database, TenantSession
from store.ids import TenantId, UserId, new_id
from store.secrets.redaction import Secret

LONGEST: Final = timedelta(days=14)
"""After which a person signs in again, however active."""
IDLE: Final = timedelta(days=1)
NOTED_EVERY: Final = timedelta(minutes=5)
"""How exact `last_used_at` is: not each request writes."""
MOST_PER_PERSON: Final = 20
_MOST_AGENT: Final = 300
_TABLE: Final = "web_sessions"


@dataclass(frozen=True, kw_only=True)
class WebSession:
    id: str
    user_id: UserId
    ip: str
    user_agent: str
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime


@dataclass(frozen=True, kw_only=True)
class PresentedSecret:
    """A row that a presented secret names, before its tenant's session is open."""

    tenant_id: TenantId
    row_id: str


async def start_session(
    s: TenantSession, user_id: UserId, *, ip: str, user_agent: str, password_changed_at: datetime | None = None
) -> tuple[Secret, WebSession] | None:
    """A new session; its secret is shown here only. The person's oldest beyond MOST_PER_PERSON end.

    None when the account is gone, or its password changed since it was checked.
    """
    account = await s.one(AccountRow, AccountRow.id == user_id, lock=True)
    if account is None or (password_changed_at is not None and account.password_changed_at != password_changed_at):
        return None
    await s.delete(WebSessionRow, WebSessionRow.user_id == user_id, WebSessionRow.expires_at <= s.now())
    own = await sessions_of(s, user_id)
    for old in own[: max(0, len(own) - MOST_PER_PERSON + 1)]:
        await s.delete(WebSessionRow, WebSessionRow.id == old.id)
    token, row_id, now = Secret(secrets.token_urlsafe(32)), new_id(), s.now()
    row = WebSessionRow(
        id=row_id,
        token_hash=token_hash(token),
        user_id=user_id,
        ip=s.seal_secret(_TABLE, "ip", row_id, Secret(ip)),
        user_agent=s.seal_secret(_TABLE, "user_agent", row_id, Secret(user_agent[:_MOST_AGENT])),
        created_at=now,
        last_used_at=now,
        expires_at=now + LONGEST,
    )
    await s.insert(row)
    return token, _session(s, row)


async def find_session(db: Database, token: Secret) -> PresentedSecret | None:
    """By the hash of what the cookie holds; expired ones too."""
    async with db.across_tenants("find the session of a cookie", readonly=True) as session:
        found = (
            await session.execute(
                select(WebSessionRow.tenant_id, WebSessionRow.id).where(WebSessionRow.token_hash == token_hash(token))
            )
        ).first()
    return None if found is None else PresentedSecret(tenant_id=TenantId(found[0]), row_id=found[1])


async def live_session(s: TenantSession, session_id: str) -> WebSession | None:
    """None when it ended, expired or was idle too long."""
    row = await s.one(WebSessionRow, WebSessionRow.id == session_id)
    if row is None or s.now() >= row.expires_at or s.now() - row.last_used_at >= IDLE:
        return None
    return _session(s, row)


async def note_use(s: TenantSession, session_id: str) -> None:
    await s.update(WebSessionRow, WebSessionRow.id == session_id, values={"last_used_at": s.now()})


async def sessions_of(s: TenantSession, user_id: UserId) -> list[WebSession]:
    """The living ones, oldest first."""
    rows = await s.all(
        select(WebSessionRow)
        .where(
            WebSessionRow.user_id == user_id,
            WebSessionRow.expires_at > s.now(),
            WebSessionRow.last_used_at > s.now() - IDLE,
        )
        .order_by(WebSessionRow.created_at, WebSessionRow.id)
    )
    return [_session(s, row) for row in rows]


async def end_session(s: TenantSession, user_id: UserId, session_id: str) -> bool:
    """False when this person has no such session."""
    return await s.delete(WebSessionRow, WebSessionRow.id == session_id, WebSessionRow.user_id == user_id) == 1


async def end_sessions(s: TenantSession, user_id: UserId, *, but: str | None = None) -> int:
    """All of the person's, or all but one; how many."""
    where = [WebSessionRow.user_id == user_id]
    if but is not None:
        where.append(WebSessionRow.id != but)
    return await s.delete(WebSessionRow, *where)


async def forget_expired(s: TenantSession) -> int:
    """Deletes what can no longer be used. For a periodic sweep."""
    gone = await s.delete(WebSessionRow, WebSessionRow.expires_at <= s.now())
    return gone + await s.delete(WebSessionRow, WebSessionRow.last_used_at <= s.now() - IDLE)


def token_hash(token: Secret) -> str:
    """SHA-256, hexadecimal: the secrets are 256 random bits, so that a fast hash is enough."""
    return hashlib.sha256(token.reveal().encode("utf-8", "surrogatepass")).hexdigest()


def _session(s: TenantSession, row: WebSessionRow) -> WebSession:
    return WebSession(
        id=row.id,
        user_id=UserId(row.user_id),
        ip=s.open_secret(_TABLE, "ip", row.id, row.ip).reveal(),
        user_agent=s.open_secret(_TABLE, "user_agent", row.id, row.user_agent).reveal(),
        created_at=row.created_at,
        last_used_at=row.last_used_at,
        expires_at=row.expires_at,
    )
