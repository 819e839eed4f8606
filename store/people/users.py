"""People of a tenant and their roles. A user is a Slack user id and a role: no names, no addresses.

Somebody who is not in Slack has `web:<id>` in place of a Slack id. Of somebody who was deleted the row stays, because
audit and history point to it, with a marker in place of the Slack id: `gone:` and the first 32 hex digits of SHA-256
over `<tenant id>|<Slack id>`. It names nobody and differs from tenant to tenant, but lets a returner be recognised:
deleting oneself must not be a way to more rights. It has no key, so whoever holds the database and a Slack id can check
that one. A second deletion of the same person leaves `gone:<row id>`, for the marker is there already.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import select

from store.database.schema import ChatMessageRow, InvitationRow, SlackInstallRow, UserRow
from store.database.session import TenantSession
from store.errors import LastAdmin, NotFound
from store.ids import UserId, new_id
from store.people.accounts import delete_account


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
    deleted_at: datetime | None = None

    @property
    def is_in_slack(self) -> bool:
        return not self.slack_user_id.startswith(("web:", "gone:"))


async def ensure_user(s: TenantSession, *, slack_user_id: str, role: Role) -> User:
    """The user, created with `role` at first contact; an existing role stays. Safe to repeat.

    Whoever was deleted and comes back is a viewer until an admin says otherwise.
    """
    known = await user_by_slack(s, slack_user_id)
    if known is not None:
        return known
    await s.head()  # a deletion under way is waited for, so that its marker is seen
    if await _was_removed(s, slack_user_id):
        role = Role.VIEWER
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


async def _was_removed(s: TenantSession, slack_user_id: str) -> bool:
    return await user_by_slack(s, _marker(s, slack_user_id)) is not None


def _marker(s: TenantSession, slack_user_id: str) -> str:
    return f"gone:{hashlib.sha256(f'{s.tenant_id}|{slack_user_id}'.encode()).hexdigest()[:32]}"


async def add_web_user(s: TenantSession, *, role: Role) -> User:
    """Somebody who is known by an account alone."""
    row_id, now = new_id(), s.now()
    row = UserRow(
        id=row_id, slack_user_id=f"web:{row_id}", role=Role(role), created_at=now, role_changed_at=now, deleted_at=None
    )
    await s.insert(row)
    return _user(row)


async def people(s: TenantSession) -> list[User]:
    """All who were not deleted, without the app itself, oldest first."""
    own_bots = await _own_bots(s)
    rows = await s.all(select(UserRow).where(UserRow.deleted_at.is_(None)).order_by(UserRow.created_at, UserRow.id))
    return [_user(row) for row in rows if row.slack_user_id not in own_bots]


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
    row = await _person(s, user_id)
    if role != Role.ADMIN:
        await _keep_one_admin(s, row)
    if row.role != role:
        row.role = Role(role)
        row.role_changed_at = s.now()
        await s.save()
        await _end_invitations_by(s, user_id)
    return _user(row)


async def remove_user(s: TenantSession, user_id: UserId) -> None:
    """Deletes what tells who this was: account, sessions, tokens, mail, Slack id, also as author of stored messages.

    The row keeps its id for what points to it, and a marker by which a returner is known. Raises LastAdmin, NotFound;
    the last admin can never be deleted, however many try at once.
    """
    await s.head()
    row = await _person(s, user_id)
    await _keep_one_admin(s, row)
    await delete_account(s, user_id)
    await _end_invitations_by(s, user_id)
    slack_id = row.slack_user_id
    gone = f"gone:{row.id}" if await _was_removed(s, slack_id) else _marker(s, slack_id)
    await s.update(ChatMessageRow, ChatMessageRow.slack_user_id == slack_id, values={"slack_user_id": gone})
    await s.update(SlackInstallRow, SlackInstallRow.installer_slack_id == slack_id, values={"installer_slack_id": ""})
    row.slack_user_id, row.role = gone, Role.VIEWER
    row.deleted_at = row.role_changed_at = s.now()
    await s.save()


async def _person(s: TenantSession, user_id: UserId) -> UserRow:
    row = await s.one(UserRow, UserRow.id == user_id)
    if row is None or row.deleted_at is not None or row.slack_user_id in await _own_bots(s):
        raise NotFound("no such user")
    return row


async def _keep_one_admin(s: TenantSession, row: UserRow) -> None:
    if row.role == Role.ADMIN and len(await admins(s)) == 1:
        raise LastAdmin("make somebody else admin first")


async def _end_invitations_by(s: TenantSession, user_id: UserId) -> None:
    """Who loses rights leaves no door behind."""
    await s.delete(InvitationRow, InvitationRow.invited_by == user_id, InvitationRow.used_at.is_(None))


async def _own_bots(s: TenantSession) -> set[str]:
    return {install.bot_user_id for install in await s.all(select(SlackInstallRow))}


def _user(row: UserRow) -> User:
    return User(
        id=UserId(row.id),
        slack_user_id=row.slack_user_id,
        role=Role(row.role),
        created_at=row.created_at,
        role_changed_at=row.role_changed_at,
        deleted_at=row.deleted_at,
    )
