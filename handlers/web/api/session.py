"""Signing in and out, and who one is."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Request, Response
from pydantic import BaseModel, Field, SecretStr

from agents.permission import GRANTS, Permission
from handlers.web.api_resource import PUBLIC, Body, Call, Context, Done, Operation, Problem, Resource
from handlers.web.credential import COOKIE, by_cookie
from store import audit
from store.audit import events
from store.ids import TenantId
from store.people import web_sessions
from store.people.sign_in import Refused
from store.people.users import Role
from store.people.web_sessions import LONGEST
from store.secrets.redaction import Secret

_REFUSED = "E-mail or password is wrong. If you belong to several organisations, name the one."


class SigningIn(Body):
    """`organisation`: the id of one, for somebody who belongs to several."""

    email: Annotated[str, Field(max_length=254)]
    password: Annotated[SecretStr, Field(max_length=1024)]
    organisation: UUID | None = None


class Who(BaseModel):
    user_id: str
    organisation: str
    role: Role
    permissions: list[Permission]


async def sign_in(body: SigningIn, call: Call, context: Context, request: Request, response: Response) -> Done:
    """Starts a new session and sets its cookie; the session that the browser had ends."""
    done = await context.sign_in.sign_in(
        email=body.email,
        password=Secret(body.password.get_secret_value()),
        origin=call.origin,
        tenant_id=TenantId(str(body.organisation)) if body.organisation else None,
    )
    if isinstance(done, Refused):
        raise refusal(done)
    before = request.cookies.get(COOKIE)
    bearer = await by_cookie(context.db, Secret(before)) if before else None
    if bearer is not None and bearer.session_id is not None:
        async with context.db.tenant(bearer.person.tenant_id) as s:
            await web_sessions.end_session(s, bearer.person.user_id, bearer.session_id)
    response.set_cookie(
        COOKIE,
        done.token.reveal(),
        max_age=int(LONGEST.total_seconds()),
        path="/",
        secure=True,
        httponly=True,
        samesite="lax",
    )
    return Done()


async def who_am_i(call: Call) -> Who:
    """The caller, and what the caller's role allows."""
    person = call.person
    return Who(
        user_id=person.user_id, organisation=person.tenant_id, role=person.role, permissions=sorted(GRANTS[person.role])
    )


async def sign_out(call: Call, context: Context, response: Response) -> Done:
    """Ends this session."""
    person = call.person
    actor = audit.Actor(type="user", id=person.user_id)
    async with context.db.tenant(person.tenant_id) as s:
        if call.session_id and await web_sessions.end_session(s, person.user_id, call.session_id):
            await events.emit(s, "ai.autoheal.session.ended.v1", call.session_id, actor=actor)
            await audit.record(s, actor=actor, action="web.session.ended", target=call.session_id)
    forget_cookie(response)
    return Done()


def forget_cookie(response: Response) -> None:
    response.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="lax")


def refusal(refused: Refused) -> Problem:
    """The same for whatever was wrong."""
    if refused.wait:
        seconds = max(1, round(refused.wait.total_seconds() + 0.5))
        return Problem(429, "slow_down", "Too many tries. Wait a moment, then try again.", retry_after_s=seconds)
    return Problem(401, "sign_in_refused", _REFUSED)


RESOURCE = Resource(
    name="session",
    operations=(
        Operation(method="POST", path="/session", access=PUBLIC, run=sign_in, answer=Done),
        Operation(method="GET", path="/session", access=Permission.OWN, run=who_am_i, answer=Who),
        Operation(
            method="DELETE", path="/session", access=Permission.OWN, run=sign_out, answer=Done, in_browser_only=True
        ),
    ),
)
