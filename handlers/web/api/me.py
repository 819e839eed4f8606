"""One's own data: access, rectification, password, deletion."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import Response
from pydantic import BaseModel, Field, SecretStr

from agents.permission import Permission, Person
from handlers.web.api.session import forget_cookie, refusal
from handlers.web.api_resource import (
    ApiCall,
    ApiContext,
    Body,
    Call,
    Context,
    Done,
    Missing,
    Operation,
    Problem,
    Resource,
)
from store import audit
from store.audit import events
from store.database.session import TenantSession
from store.errors import AddressTaken, LastAdmin, NotFound
from store.people import accounts
from store.people.accounts import Account, read_email, read_name
from store.people.passwords import refuse_password
from store.people.sign_in import Refused
from store.people.users import Role, remove_user
from store.secrets.redaction import Secret
from store.tenancy.organisation import organisation_name

Name = Annotated[str, Field(max_length=200)]
Password = Annotated[SecretStr, Field(max_length=1024)]


class Profile(BaseModel):
    """`slack_user_id` is None for somebody who is not in Slack."""

    user_id: str
    slack_user_id: str | None
    role: Role
    email: str
    first_name: str
    last_name: str
    notify: bool
    created_at: datetime
    changed_at: datetime
    password_changed_at: datetime


class Rectification(Body):
    """What is left out stays. A new e-mail address needs the password. `notify`: e-mail about incidents."""

    first_name: Name | None = None
    last_name: Name | None = None
    email: Annotated[str, Field(max_length=254)] | None = None
    notify: bool | None = None
    password: Password | None = None


class NewPassword(Body):
    password: Password
    new_password: Password


class Farewell(Body):
    password: Password


async def read_profile(call: Call, context: Context) -> Profile:
    """All that is kept about the caller as a person."""
    async with context.db.tenant(call.person.tenant_id, readonly=True) as s:
        return _profile(call.person, await _own(s, call.person))


async def rectify(body: Rectification, call: Call, context: Context) -> Profile:
    """Corrects the caller's own data."""
    person = call.person
    email = None if body.email is None else read_email(body.email)
    names = [None if name is None else read_name(name) for name in (body.first_name, body.last_name)]
    if any(
        wanted is not None and read is None
        for wanted, read in ((body.email, email), (body.first_name, names[0]), (body.last_name, names[1]))
    ):
        raise Problem(422, "unreadable", "A name or the e-mail address cannot be used.")
    if email is not None:
        await confirm(call, context, body.password)
    try:
        async with context.db.tenant(person.tenant_id) as s:
            changed = await accounts.change_account(
                s,
                context.keys,
                person.user_id,
                email=email,
                first_name=names[0],
                last_name=names[1],
                notify=body.notify,
            )
            fields = sorted(body.model_fields_set - {"password"})
            await _record(s, call, "account.changed", {"fields": fields})
    except AddressTaken:
        raise Problem(409, "address_taken", "This e-mail address cannot be used in your organisation.") from None
    except NotFound:
        raise Missing from None
    return _profile(person, changed)


async def change_password(body: NewPassword, call: Call, context: Context) -> Done:
    """Ends all other sessions and all tokens of the caller."""
    person = call.person
    await confirm(call, context, body.password)
    async with context.db.tenant(person.tenant_id, readonly=True) as s:
        own = await _own(s, person)
    hashed = await choose_password(
        context,
        body.new_password,
        [own.email, own.first_name, own.last_name, await organisation_name(context.db, person.tenant_id)],
    )
    async with context.db.tenant(person.tenant_id) as s:
        await accounts.set_password(s, person.user_id, hashed, keep_session=call.session_id)
        await _record(s, call, "account.password_changed", {})
    return Done()


async def delete_me(body: Farewell, call: Call, context: Context, response: Response) -> Done:
    """Deletes the caller's account and personal data. What was recorded keeps an id that names nobody."""
    await confirm(call, context, body.password)
    try:
        async with context.db.tenant(call.person.tenant_id) as s:
            await remove_user(s, call.person.user_id)
            actor = audit.Actor(type="user", id=call.person.user_id)
            await events.emit(s, "ai.autoheal.account.deleted.v1", call.person.user_id, actor=actor)
            await _record(s, call, "account.deleted", {})
    except LastAdmin:
        raise last_admin() from None
    forget_cookie(response)
    return Done()


async def confirm(call: ApiCall, context: ApiContext, password: SecretStr | None) -> None:
    """Raises Problem unless the caller knows the password still."""
    if password is None:
        raise Problem(403, "password_needed", "Send your password with this change.")
    secret = Secret(password.get_secret_value())
    fits = await context.sign_in.confirm(call.person.tenant_id, call.person.user_id, secret, call.origin)
    if isinstance(fits, Refused):
        raise refusal(fits)
    if not fits:
        raise Problem(403, "password_wrong", "The password is wrong.")


async def choose_password(context: ApiContext, password: SecretStr, known_words: list[str]) -> Secret:
    """The hash of a password that may be chosen. Raises Problem with what to choose instead."""
    text = password.get_secret_value()
    if (reason := refuse_password(text, known_words)) is not None:
        raise Problem(422, "password_weak", reason)
    return await context.passwords.hash(Secret(text))


def last_admin() -> Problem:
    return Problem(409, "last_admin", "An organisation keeps at least one admin. Make somebody else admin first.")


async def _own(s: TenantSession, person: Person) -> Account:
    own = await accounts.account(s, person.user_id)
    if own is None:
        raise Missing
    return own


async def _record(s: TenantSession, call: ApiCall, action: str, details: dict[str, object]) -> None:
    actor = audit.Actor(type="user", id=call.person.user_id)
    await audit.record(
        s, actor=actor, action=f"{call.source}.{action}", target=call.person.user_id, details=dict(details)
    )


def _profile(person: Person, own: Account) -> Profile:
    in_slack = not person.slack_user_id.startswith("web:")
    return Profile(
        user_id=person.user_id,
        slack_user_id=person.slack_user_id if in_slack else None,
        role=person.role,
        email=own.email,
        first_name=own.first_name,
        last_name=own.last_name,
        notify=own.notify,
        created_at=own.created_at,
        changed_at=own.changed_at,
        password_changed_at=own.password_changed_at,
    )


RESOURCE = Resource(
    name="me",
    operations=(
        Operation(method="GET", path="/me", access=Permission.OWN, run=read_profile, answer=Profile),
        Operation(method="PATCH", path="/me", access=Permission.OWN, run=rectify, answer=Profile, in_browser_only=True),
        Operation(
            method="PUT",
            path="/me/password",
            access=Permission.OWN,
            run=change_password,
            answer=Done,
            in_browser_only=True,
        ),
        Operation(
            method="POST",
            path="/me/deletion",
            access=Permission.OWN,
            run=delete_me,
            answer=Done,
            in_browser_only=True,
        ),
    ),
)
