"""People of a tenant and their roles. A user is a Slack user id and a role: no names, no addresses."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import select

from store.errors import LastAdmin, NotFound
from store.ids import UserId, new_id
from store.schema import UserRow
from store.session import TenantSession


class Role(StrEnum):
    """Viewers read; members investigate and approve low and medium risk; admins connect, set policy, approve high."""

    VIEWER = "viewer"
    MEMBER = "member"
    ADMIN = "admin"


@dataclass(frozen=True, kw_only=True)
class User:
    id: UserId
    slack_user_id: str
    role: Role
    created_at: datetime
    role_changed_at: datetime


async def ensure_user(s: TenantSession, *, slack_user_id: str, role: Role) -> User:
    """The user, created with `role` at first contact; an existing role stays. Safe to repeat."""
    await s.insert_if_absent(
        UserRow,
        {
            "id": new_id(),
            "slack_user_id": slack_user_id,
            "role": Role(role),
            "created_at": s.now(),
            "role_changed_at": s.now(),
        },
    )
    found = await user_by_slack(s, slack_user_id)
    if found is None:
        raise NotFound("the user vanished")
    return found


async def user_by_slack(s: TenantSession, slack_user_id: str) -> User | None:
    row = await s.one(UserRow, UserRow.slack_user_id == slack_user_id)
    return None if row is None else _user(row)


async def user(s: TenantSession, user_id: UserId) -> User | None:
    row = await s.one(UserRow, UserRow.id == user_id)
    return None if row is None else _user(row)


async def admins(s: TenantSession) -> list[User]:
    rows = await s.all(select(UserRow).where(UserRow.role == Role.ADMIN).order_by(UserRow.created_at, UserRow.id))
    return [_user(row) for row in rows]


async def set_role(s: TenantSession, user_id: UserId, role: Role) -> User:
    """Raises LastAdmin, NotFound. The tenant's head is locked first, so that two admins cannot demote each other."""
    await s.head()
    row = await s.one(UserRow, UserRow.id == user_id)
    if row is None:
        raise NotFound("no such user")
    if row.role == Role.ADMIN and role != Role.ADMIN and len(await admins(s)) == 1:
        raise LastAdmin("make somebody else admin first")
    if row.role != role:
        row.role = Role(role)
        row.role_changed_at = s.now()
        await s.save()
    return _user(row)


def _user(row: UserRow) -> User:
    return User(
        id=UserId(row.id),
        slack_user_id=row.slack_user_id,
        role=Role(row.role),
        created_at=row.created_at,
        role_changed_at=row.role_changed_at,
    )
