"""People of the organisation: roles and deletion, by admins."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel

from agents.permission import Permission
from handlers.web.api.me import last_admin
from handlers.web.api_resource import Body, Call, Context, Done, Missing, Operation, Problem, Resource
from store import audit
from store.audit import events
from store.errors import LastAdmin, NotFound
from store.ids import UserId
from store.people import accounts, users
from store.people.accounts import Account
from store.people.users import Role, User


class Colleague(BaseModel):
    """E-mail and names are None for somebody without an account, `slack_user_id` for somebody who is not in Slack."""

    user_id: str
    slack_user_id: str | None
    role: Role
    email: str | None
    first_name: str | None
    last_name: str | None
    created_at: datetime


class People(BaseModel):
    people: list[Colleague]


class NewRole(Body):
    role: Role


async def list_people(call: Call, context: Context) -> People:
    """Everybody who was not deleted, oldest first."""
    async with context.db.tenant(call.person.tenant_id, readonly=True) as s:
        known = await accounts.accounts(s)
        return People(people=[_colleague(one, known.get(one.id)) for one in await users.people(s)])


async def assign_role(user_id: UUID, body: NewRole, call: Call, context: Context) -> Colleague:
    """Takes effect with the person's next request or click."""
    target = UserId(str(user_id))
    actor = audit.Actor(type="user", id=call.person.user_id)
    try:
        async with context.db.tenant(call.person.tenant_id) as s:
            before = await users.user(s, target)
            changed = await users.set_role(s, target, body.role)
            own = await accounts.account(s, target)
            words = {"role": body.role.value, "before": before.role.value if before else ""}
            await events.emit(s, "ai.autoheal.user.role_changed.v1", target, words, actor=actor)
            await audit.record(s, actor=actor, action=f"{call.source}.role.granted", target=target, details=words)
    except NotFound:
        raise Missing from None
    except LastAdmin:
        raise last_admin() from None
    return _colleague(changed, own)


async def delete_person(user_id: UUID, call: Call, context: Context) -> Done:
    """Deletes account and personal data; what was recorded keeps an id that names nobody."""
    target = UserId(str(user_id))
    if target == call.person.user_id:
        raise Problem(409, "yourself", "Delete your own account under /me/deletion, with your password.")
    actor = audit.Actor(type="user", id=call.person.user_id)
    try:
        async with context.db.tenant(call.person.tenant_id) as s:
            await users.remove_user(s, target)
            await events.emit(s, "ai.autoheal.user.removed.v1", target, actor=actor)
            await audit.record(s, actor=actor, action=f"{call.source}.user.removed", target=target)
    except NotFound:
        raise Missing from None
    except LastAdmin:
        raise last_admin() from None
    return Done()


def _colleague(user: User, own: Account | None) -> Colleague:
    return Colleague(
        user_id=user.id,
        slack_user_id=user.slack_user_id if user.is_in_slack else None,
        role=user.role,
        email=own.email if own else None,
        first_name=own.first_name if own else None,
        last_name=own.last_name if own else None,
        created_at=user.created_at,
    )


RESOURCE = Resource(
    name="people",
    operations=(
        Operation(method="GET", path="/people", access=Permission.MANAGE_PEOPLE, run=list_people, answer=People),
        Operation(
            method="PATCH",
            path="/people/{user_id}",
            access=Permission.MANAGE_PEOPLE,
            run=assign_role,
            answer=Colleague,
            in_browser_only=True,  # else a token could make its holder an admin
        ),
        Operation(
            method="DELETE",
            path="/people/{user_id}",
            access=Permission.MANAGE_PEOPLE,
            run=delete_person,
            answer=Done,
            in_browser_only=True,
        ),
    ),
)
