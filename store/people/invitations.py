"""Invitations: a link that makes one account, once, for a week. The way to every account, the first admin's included.

An invitation may be for somebody known from Slack, who keeps role and history, or for somebody new.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select

from store.database.schema import AccountRow, InvitationRow
from store.database.session import Database, TenantSession
from store.errors import AddressTaken, NotFound
from store.ids import TenantId, UserId, new_id
from store.people.account_keys import AccountKeys, normal_email
from store.people.accounts import Account, create_account
from store.people.users import Role, add_web_user, user
from store.people.web_sessions import PresentedSecret, token_hash
from store.secrets.redaction import Secret

LIFETIME: Final = timedelta(days=7)
_TABLE: Final = "invitations"


@dataclass(frozen=True, kw_only=True)
class Invitation:
    id: str
    email: str
    role: Role
    user_id: UserId | None
    invited_by: UserId | None
    created_at: datetime
    expires_at: datetime


async def invite(
    s: TenantSession,
    keys: AccountKeys,
    *,
    email: str,
    role: Role,
    invited_by: UserId | None,
    user_id: UserId | None = None,
) -> tuple[Secret, Invitation]:
    """The secret is shown here only. An earlier open invitation of the same address ends.

    `user_id`: a user of this tenant without an account; the role is theirs then. `invited_by` None: the operator.
    Raises AddressTaken, NotFound.
    """
    index = keys.email_index(email)
    if await s.one(AccountRow, AccountRow.email_index == index) is not None:
        raise AddressTaken("this e-mail address has an account in this organisation already")
    if user_id is not None:
        known = await user(s, user_id)
        if known is None or known.deleted_at is not None:
            raise NotFound("no such user")
        if await s.one(AccountRow, AccountRow.id == user_id) is not None:
            raise AddressTaken("this person has an account already")
        role = known.role
    await s.delete(InvitationRow, InvitationRow.email_index == index, InvitationRow.used_at.is_(None))
    token, row_id, now = Secret(secrets.token_urlsafe(32)), new_id(), s.now()
    row = InvitationRow(
        id=row_id,
        token_hash=token_hash(token),
        email_index=index,
        email=s.seal_secret(_TABLE, "email", row_id, Secret(normal_email(email))),
        role=Role(role),
        user_id=user_id,
        invited_by=invited_by,
        created_at=now,
        expires_at=now + LIFETIME,
    )
    await s.insert(row)
    return token, _invitation(s, row)


async def find_invitation(db: Database, token: Secret) -> PresentedSecret | None:
    """By the hash of the link's secret; used and expired ones too."""
    async with db.across_tenants("find an invitation", readonly=True) as session:
        found = (
            await session.execute(
                select(InvitationRow.tenant_id, InvitationRow.id).where(InvitationRow.token_hash == token_hash(token))
            )
        ).first()
    return None if found is None else PresentedSecret(tenant_id=TenantId(found[0]), row_id=found[1])


async def open_invitation(s: TenantSession, invitation_id: str) -> Invitation | None:
    """None when it was used or expired."""
    row = await s.one(InvitationRow, InvitationRow.id == invitation_id)
    return None if row is None or row.used_at is not None or s.now() >= row.expires_at else _invitation(s, row)


async def open_invitations(s: TenantSession) -> list[Invitation]:
    rows = await s.all(
        select(InvitationRow)
        .where(InvitationRow.used_at.is_(None), InvitationRow.expires_at > s.now())
        .order_by(InvitationRow.created_at, InvitationRow.id)
    )
    return [_invitation(s, row) for row in rows]


async def accept(
    s: TenantSession,
    keys: AccountKeys,
    invitation_id: str,
    *,
    first_name: str,
    last_name: str,
    password_hash: Secret,
) -> Account | None:
    """The account, once: None when the invitation was used, revoked or expired. Raises AddressTaken."""
    used = await s.update(
        InvitationRow,
        InvitationRow.id == invitation_id,
        InvitationRow.used_at.is_(None),
        InvitationRow.expires_at > s.now(),
        values={"used_at": s.now()},
    )
    row = await s.one(InvitationRow, InvitationRow.id == invitation_id) if used else None
    if row is None:
        return None
    invitation = _invitation(s, row)
    user_id = invitation.user_id
    if user_id is None:
        user_id = (await add_web_user(s, role=invitation.role)).id
    return await create_account(
        s,
        keys,
        user_id=user_id,
        email=invitation.email,
        first_name=first_name,
        last_name=last_name,
        password_hash=password_hash,
    )


async def revoke_invitation(s: TenantSession, invitation_id: str) -> bool:
    """False when it was used or gone."""
    gone = await s.delete(InvitationRow, InvitationRow.id == invitation_id, InvitationRow.used_at.is_(None))
    return gone == 1


def _invitation(s: TenantSession, row: InvitationRow) -> Invitation:
    return Invitation(
        id=row.id,
        email=s.open_secret(_TABLE, "email", row.id, row.email).reveal(),
        role=Role(row.role),
        user_id=None if row.user_id is None else UserId(row.user_id),
        invited_by=None if row.invited_by is None else UserId(row.invited_by),
        created_at=row.created_at,
        expires_at=row.expires_at,
    )
