"""Accounts of people who sign in outside Slack: name, e-mail, password. Everything readable is sealed.

An account belongs to a user, whose id it shares; somebody who is not in Slack is a user with `web:<id>` for a Slack id.
An address has one account a tenant, and may have accounts in several tenants.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from store.database.schema import AccountRow, ApiTokenRow, InvitationRow, MailRow, WebSessionRow
from store.database.session import Database, TenantSession
from store.errors import AddressTaken, NotFound
from store.ids import TenantId, UserId
from store.people.account_keys import AccountKeys, normal_email
from store.secrets.redaction import Secret

MOST_NAME = 100
MOST_EMAIL = 254
_EMAIL = re.compile(
    r"[^\s@,;:<>\"()\[\]\\\x00-\x1f\x7f]{1,64}@[^\s@,;:<>\"()\[\]\\\x00-\x1f\x7f]+\.[^\s@.,;:<>\"()\x00-\x1f]{2,}"
)
_TABLE = "accounts"


@dataclass(frozen=True, kw_only=True)
class Account:
    """Personal data: for the person, and the admins of the organisation. `notify` asks for e-mail about incidents."""

    user_id: UserId
    email: str
    first_name: str
    last_name: str
    notify: bool
    created_at: datetime
    changed_at: datetime
    password_changed_at: datetime


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """Whose password a sign-in has to fit. Found before any tenant is known."""

    tenant_id: TenantId
    user_id: UserId


def read_email(text: str) -> str | None:
    """The address as it is kept; None for what is not one."""
    email = normal_email(text)
    return email if len(email) <= MOST_EMAIL and _EMAIL.fullmatch(email) and "=?" not in email else None


def read_name(text: str) -> str | None:
    """A name on one line without control characters; None for what is not one."""
    name = " ".join(text.split())
    return name if 0 < len(name) <= MOST_NAME and name.isprintable() else None


async def create_account(
    s: TenantSession,
    keys: AccountKeys,
    *,
    user_id: UserId,
    email: str,
    first_name: str,
    last_name: str,
    password_hash: Secret,
) -> Account:
    """For a user without one. Raises AddressTaken, also when the user has an account already."""
    now = s.now()
    row = AccountRow(
        id=user_id,
        email_index=keys.email_index(email),
        email=_seal(s, "email", user_id, normal_email(email)),
        first_name=_seal(s, "first_name", user_id, first_name),
        last_name=_seal(s, "last_name", user_id, last_name),
        password_hash=_seal(s, "password_hash", user_id, password_hash.reveal()),
        notify=True,
        created_at=now,
        changed_at=now,
        password_changed_at=now,
    )
    try:
        await s.insert(row)
    except IntegrityError as exc:
        raise AddressTaken("this e-mail address or person has an account in this organisation already") from exc
    return _account(s, row)


async def account(s: TenantSession, user_id: UserId) -> Account | None:
    row = await s.one(AccountRow, AccountRow.id == user_id)
    return None if row is None else _account(s, row)


async def accounts(s: TenantSession) -> dict[UserId, Account]:
    rows = await s.all(select(AccountRow).order_by(AccountRow.created_at, AccountRow.id))
    return {UserId(row.id): _account(s, row) for row in rows}


async def find_candidate(
    db: Database, keys: AccountKeys, email: str, *, tenant_id: TenantId | None = None
) -> Candidate | None:
    """The account of this address: that of the named tenant, else the oldest of all tenants.

    One candidate, so that a sign-in always checks one password: the time it takes tells nothing of other tenants, and
    an account made later elsewhere never comes before the one that a person signs in to.
    """
    statement = (
        select(AccountRow.tenant_id, AccountRow.id)
        .where(AccountRow.email_index == keys.email_index(email))
        .order_by(AccountRow.created_at, AccountRow.id)
        .limit(1)
    )
    if tenant_id is not None:
        statement = statement.where(AccountRow.tenant_id == tenant_id)
    async with db.across_tenants("find the account that signs in", readonly=True) as session:
        found = (await session.execute(statement)).first()
    return None if found is None else Candidate(tenant_id=TenantId(found[0]), user_id=UserId(found[1]))


async def password_hash(s: TenantSession, user_id: UserId) -> Secret | None:
    row = await s.one(AccountRow, AccountRow.id == user_id)
    return None if row is None else s.open_secret(_TABLE, "password_hash", row.id, row.password_hash)


async def change_account(
    s: TenantSession,
    keys: AccountKeys,
    user_id: UserId,
    *,
    email: str | None = None,
    first_name: str | None = None,
    last_name: str | None = None,
    notify: bool | None = None,
) -> Account:
    """What is None stays. Raises NotFound, AddressTaken."""
    row = await _row(s, user_id)
    if email is not None:
        row.email_index = keys.email_index(email)
        row.email = _seal(s, "email", row.id, normal_email(email))
    if first_name is not None:
        row.first_name = _seal(s, "first_name", row.id, first_name)
    if last_name is not None:
        row.last_name = _seal(s, "last_name", row.id, last_name)
    if notify is not None:
        row.notify = notify
    row.changed_at = s.now()
    try:
        await s.save()
    except IntegrityError as exc:
        raise AddressTaken("this e-mail address has an account in this organisation already") from exc
    return _account(s, row)


async def set_password(s: TenantSession, user_id: UserId, hashed: Secret, *, keep_session: str | None = None) -> None:
    """Ends every other session and every API token of the person. Raises NotFound."""
    row = await _row(s, user_id)
    row.password_hash = _seal(s, "password_hash", row.id, hashed.reveal())
    row.password_changed_at = row.changed_at = s.now()
    await s.save()
    others = [WebSessionRow.user_id == user_id]
    if keep_session is not None:
        others.append(WebSessionRow.id != keep_session)
    await s.delete(WebSessionRow, *others)
    await s.delete(ApiTokenRow, ApiTokenRow.user_id == user_id)


async def delete_account(s: TenantSession, user_id: UserId) -> bool:
    """With sessions, tokens, waiting mail and invitations of the person. The user stays, see `users.remove_user`."""
    row = await s.one(AccountRow, AccountRow.id == user_id)
    await s.delete(InvitationRow, InvitationRow.user_id == user_id)
    if row is None:
        return False
    await s.delete(InvitationRow, InvitationRow.email_index == row.email_index)
    for entity in (MailRow, ApiTokenRow, WebSessionRow):
        await s.delete(entity, entity.user_id == user_id)
    return await s.delete(AccountRow, AccountRow.id == user_id) == 1


async def _row(s: TenantSession, user_id: UserId) -> AccountRow:
    row = await s.one(AccountRow, AccountRow.id == user_id, lock=True)
    if row is None:
        raise NotFound("no such account")
    return row


def _seal(s: TenantSession, column: str, row_id: str, value: str) -> bytes:
    return s.seal_secret(_TABLE, column, row_id, Secret(value))


def _account(s: TenantSession, row: AccountRow) -> Account:
    def opened(column: str, blob: Any) -> str:
        return s.open_secret(_TABLE, column, row.id, blob).reveal()

    return Account(
        user_id=UserId(row.id),
        email=opened("email", row.email),
        first_name=opened("first_name", row.first_name),
        last_name=opened("last_name", row.last_name),
        notify=row.notify,
        created_at=row.created_at,
        changed_at=row.changed_at,
        password_changed_at=row.password_changed_at,
    )
