"""Invitations: admins make them, whoever holds one becomes an account, once."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field

from agents.permission import Permission
from handlers.web.api.me import Name, Password, choose_password
from handlers.web.api_resource import PUBLIC, Body, Call, Context, Done, Missing, Operation, Problem, Resource
from store import audit
from store.audit import events
from store.errors import AddressTaken, NotFound, TenantFrozen, UnknownTenant
from store.ids import UserId
from store.people import invitations
from store.people.accounts import read_email, read_name
from store.people.invitations import Invitation
from store.people.users import Role
from store.secrets.redaction import Secret
from store.tenancy.organisation import organisation_name


class Inviting(Body):
    """`user_id`: somebody known from Slack, who keeps the role they have."""

    email: Annotated[str, Field(max_length=254)]
    role: Role = Role.MEMBER
    user_id: UUID | None = None


class Invited(BaseModel):
    id: str
    email: str
    role: Role
    user_id: str | None
    invited_by: str | None
    created_at: datetime
    expires_at: datetime


class NewInvitation(Invited):
    """`token` is shown here only: give it to the person over a way that you trust."""

    token: str


class Invitations(BaseModel):
    invitations: list[Invited]


class Accepting(Body):
    token: Annotated[str, Field(max_length=200)]
    first_name: Name
    last_name: Name
    password: Password


async def list_invitations(call: Call, context: Context) -> Invitations:
    """Those that can still be used."""
    async with context.db.tenant(call.person.tenant_id, readonly=True) as s:
        return Invitations(
            invitations=[Invited.model_validate(_fields(one)) for one in await invitations.open_invitations(s)]
        )


async def invite(body: Inviting, call: Call, context: Context) -> NewInvitation:
    """Replaces an earlier invitation of the same address."""
    email = read_email(body.email)
    if email is None:
        raise Problem(422, "unreadable", "This is not an e-mail address.")
    actor = audit.Actor(type="user", id=call.person.user_id)
    try:
        async with context.db.tenant(call.person.tenant_id) as s:
            token, made = await invitations.invite(
                s,
                context.keys,
                email=email,
                role=body.role,
                invited_by=call.person.user_id,
                user_id=UserId(str(body.user_id)) if body.user_id else None,
            )
            words = {"role": made.role.value}
            await events.emit(s, "ai.autoheal.invitation.created.v1", made.id, words, actor=actor)
            await audit.record(
                s, actor=actor, action=f"{call.source}.invitation.created", target=made.id, details=words
            )
    except NotFound:
        raise Missing from None
    except AddressTaken:
        raise Problem(409, "address_taken", "This person has an account in your organisation already.") from None
    return NewInvitation(token=token.reveal(), **_fields(made))


async def revoke_invitation(invitation_id: UUID, call: Call, context: Context) -> Done:
    """It can no longer be used."""
    actor = audit.Actor(type="user", id=call.person.user_id)
    async with context.db.tenant(call.person.tenant_id) as s:
        if not await invitations.revoke_invitation(s, str(invitation_id)):
            raise Missing
        await events.emit(s, "ai.autoheal.invitation.revoked.v1", str(invitation_id), actor=actor)
        await audit.record(s, actor=actor, action=f"{call.source}.invitation.revoked", target=str(invitation_id))
    return Done()


async def accept_invitation(body: Accepting, context: Context) -> Done:
    """Makes the account. Sign in afterwards."""
    ended = Problem(404, "invitation_ended", "This invitation was used, taken back, or is too old. Ask for another.")
    found = await invitations.find_invitation(context.db, Secret(body.token))
    if found is None:
        raise ended
    try:
        async with context.db.tenant(found.tenant_id, readonly=True) as s:
            invitation = await invitations.open_invitation(s, found.row_id)
    except (UnknownTenant, TenantFrozen):
        raise ended from None
    if invitation is None:
        raise ended
    first, last = read_name(body.first_name), read_name(body.last_name)
    if first is None or last is None:
        raise Problem(422, "unreadable", "A name cannot be used.")
    known_words = [invitation.email, first, last, await organisation_name(context.db, found.tenant_id)]
    hashed = await choose_password(context, body.password, known_words)
    try:
        async with context.db.tenant(found.tenant_id) as s:
            account = await invitations.accept(
                s, context.keys, found.row_id, first_name=first, last_name=last, password_hash=hashed
            )
            if account is None:
                raise ended
            actor = audit.Actor(type="user", id=account.user_id)
            await events.emit(s, "ai.autoheal.account.created.v1", account.user_id, actor=actor)
            await audit.record(
                s,
                actor=actor,
                action="web.invitation.accepted",
                target=found.row_id,
                details={"role": invitation.role.value},
            )
    except AddressTaken:
        raise ended from None
    return Done()


def _fields(one: Invitation) -> dict[str, object]:
    return {name: getattr(one, name) for name in Invited.model_fields}


RESOURCE = Resource(
    name="invitations",
    operations=(
        Operation(
            method="GET",
            path="/invitations",
            access=Permission.MANAGE_PEOPLE,
            run=list_invitations,
            answer=Invitations,
        ),
        Operation(
            method="POST",
            path="/invitations",
            access=Permission.MANAGE_PEOPLE,
            run=invite,
            answer=NewInvitation,
            status=201,
            in_browser_only=True,  # else a token could make itself an admin
        ),
        Operation(
            method="DELETE",
            path="/invitations/{invitation_id}",
            access=Permission.MANAGE_PEOPLE,
            run=revoke_invitation,
            answer=Done,
            in_browser_only=True,
        ),
        Operation(
            method="POST",
            path="/invitations/accept",
            access=PUBLIC,
            run=accept_invitation,
            answer=Done,
            status=201,
        ),
    ),
)
