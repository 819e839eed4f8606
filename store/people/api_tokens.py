"""API tokens: `ah_<id>_<secret>_<crc>`, shown once, kept as SHA-256, with scopes and an end.

The checksum tells a mistyped or invented token from a real one without asking the database, and lets scanners of
leaked secrets be sure. A token never may more than its scopes, nor more than the role of its person at that moment.
"""

import re
import secrets
import uuid
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select

from store.database.schema import AccountRow, ApiTokenRow
from store.database.session import Database, TenantSession
from store.errors import NotFound
from store.ids import TenantId, UserId, new_id
from store.people.web_sessions import PresentedSecret, token_hash
from store.secrets.redaction import Secret

LONGEST: Final = timedelta(days=366)
MOST_PER_PERSON: Final = 50
NOTED_EVERY: Final = timedelta(minutes=5)
_TABLE: Final = "api_tokens"
_FORMAT: Final = re.compile(r"(ah_[0-9a-f]{32}_[0-9a-f]{64})_([0-9a-f]{8})")


@dataclass(frozen=True, kw_only=True)
class ApiToken:
    id: str
    user_id: UserId
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime


async def create_token(
    s: TenantSession, user_id: UserId, *, name: str, scopes: Sequence[str], lifetime: timedelta
) -> tuple[Secret, ApiToken]:
    """The secret is shown here only. Raises ValueError for a lifetime out of bounds or too many tokens, NotFound."""
    if not timedelta(0) < lifetime <= LONGEST:
        raise ValueError(f"a token lives at most {LONGEST.days} days")
    if await s.one(AccountRow, AccountRow.id == user_id, lock=True) is None:
        raise NotFound("no such account")
    if len(await tokens_of(s, user_id)) >= MOST_PER_PERSON:
        raise ValueError(f"a person has at most {MOST_PER_PERSON} tokens")
    row_id, now = new_id(), s.now()
    body = f"ah_{uuid.UUID(row_id).hex}_{secrets.token_hex(32)}"
    token = Secret(f"{body}_{_checksum(body)}")
    row = ApiTokenRow(
        id=row_id,
        token_hash=token_hash(token),
        user_id=user_id,
        name=s.seal_secret(_TABLE, "name", row_id, Secret(name)),
        scopes=tuple(scopes),
        created_at=now,
        expires_at=now + lifetime,
    )
    await s.insert(row)
    return token, _token(s, row)


async def find_token(db: Database, token: Secret) -> PresentedSecret | None:
    """By its hash; expired ones too. What is no token of ours is not looked up."""
    if not is_token(token.reveal()):
        return None
    async with db.across_tenants("find the holder of an API token", readonly=True) as session:
        found = (
            await session.execute(
                select(ApiTokenRow.tenant_id, ApiTokenRow.id).where(ApiTokenRow.token_hash == token_hash(token))
            )
        ).first()
    return None if found is None else PresentedSecret(tenant_id=TenantId(found[0]), row_id=found[1])


async def live_token(s: TenantSession, token_id: str) -> ApiToken | None:
    row = await s.one(ApiTokenRow, ApiTokenRow.id == token_id)
    return None if row is None or s.now() >= row.expires_at else _token(s, row)


async def note_token_use(s: TenantSession, token_id: str) -> None:
    await s.update(ApiTokenRow, ApiTokenRow.id == token_id, values={"last_used_at": s.now()})


async def tokens_of(s: TenantSession, user_id: UserId) -> list[ApiToken]:
    """The person's, expired ones included, oldest first."""
    rows = await s.all(
        select(ApiTokenRow).where(ApiTokenRow.user_id == user_id).order_by(ApiTokenRow.created_at, ApiTokenRow.id)
    )
    return [_token(s, row) for row in rows]


async def revoke_token(s: TenantSession, user_id: UserId, token_id: str) -> bool:
    """False when this person has no such token."""
    return await s.delete(ApiTokenRow, ApiTokenRow.id == token_id, ApiTokenRow.user_id == user_id) == 1


def is_token(text: str) -> bool:
    """Whether it has the form and the checksum of a token."""
    parts = _FORMAT.fullmatch(text)
    return parts is not None and _checksum(parts[1]) == parts[2]


def _checksum(body: str) -> str:
    return f"{zlib.crc32(body.encode()):08x}"


def _token(s: TenantSession, row: ApiTokenRow) -> ApiToken:
    return ApiToken(
        id=row.id,
        user_id=UserId(row.user_id),
        name=s.open_secret(_TABLE, "name", row.id, row.name).reveal(),
        scopes=row.scopes,
        created_at=row.created_at,
        last_used_at=row.last_used_at,
        expires_at=row.expires_at,
    )
