"""API tokens: made in a browser, shown once, with scopes and an end."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field

from agents.permission import Denied, Permission, check
from handlers.web.api_resource import Body, Call, Context, Done, Missing, Operation, Problem, Resource
from store import audit
from store.audit import events
from store.errors import NotFound
from store.people import api_tokens
from store.people.accounts import read_name
from store.people.api_tokens import LONGEST, ApiToken


class NewToken(Body):
    """`scopes` are permissions; a token may never more than the role of its person at that moment."""

    name: Annotated[str, Field(max_length=100)]
    scopes: Annotated[list[Permission], Field(min_length=1, max_length=len(Permission))]
    days: Annotated[int, Field(ge=1, le=LONGEST.days)] = 90


class Token(BaseModel):
    id: str
    name: str
    scopes: list[str]
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime


class ShownToken(Token):
    """`token` is shown here only. Send it as `Authorization: Bearer ...`."""

    token: str


class Tokens(BaseModel):
    tokens: list[Token]


async def list_tokens(call: Call, context: Context) -> Tokens:
    """The caller's own tokens, expired ones included."""
    async with context.db.tenant(call.person.tenant_id, readonly=True) as s:
        own = await api_tokens.tokens_of(s, call.person.user_id)
    return Tokens(tokens=[Token.model_validate(_fields(one)) for one in own])


async def create_token(body: NewToken, call: Call, context: Context) -> ShownToken:
    """A token for a program that acts as the caller."""
    name = read_name(body.name)
    if name is None:
        raise Problem(422, "unreadable", "This name cannot be used.")
    for scope in body.scopes:
        if isinstance(denied := check(call.person.role, scope), Denied):
            raise Problem(403, "role", denied.reason)
    scopes = sorted({scope.value for scope in body.scopes})
    actor = audit.Actor(type="user", id=call.person.user_id)
    try:
        async with context.db.tenant(call.person.tenant_id) as s:
            token, made = await api_tokens.create_token(
                s, call.person.user_id, name=name, scopes=scopes, lifetime=timedelta(days=body.days)
            )
            words = {"scopes": scopes, "days": body.days}
            await events.emit(s, "ai.autoheal.token.created.v1", made.id, words, actor=actor)
            await audit.record(s, actor=actor, action="web.token.created", target=made.id, details=words)
    except NotFound:
        raise Missing from None
    except ValueError:
        raise Problem(409, "too_many", "Revoke a token that is no longer used first.") from None
    return ShownToken(token=token.reveal(), **_fields(made))


async def revoke_token(token_id: UUID, call: Call, context: Context) -> Done:
    """It stops working at once."""
    actor = audit.Actor(type="user", id=call.person.user_id)
    target = str(token_id)
    async with context.db.tenant(call.person.tenant_id) as s:
        if not await api_tokens.revoke_token(s, call.person.user_id, target):
            raise Missing
        await events.emit(s, "ai.autoheal.token.revoked.v1", target, actor=actor)
        await audit.record(s, actor=actor, action=f"{call.source}.token.revoked", target=target)
    return Done()


def _fields(one: ApiToken) -> dict[str, object]:
    return {name: getattr(one, name) for name in Token.model_fields}


RESOURCE = Resource(
    name="tokens",
    operations=(
        Operation(method="GET", path="/tokens", access=Permission.OWN, run=list_tokens, answer=Tokens),
        Operation(
            method="POST",
            path="/tokens",
            access=Permission.OWN,
            run=create_token,
            answer=ShownToken,
            status=201,
            in_browser_only=True,
        ),
        Operation(method="DELETE", path="/tokens/{token_id}", access=Permission.OWN, run=revoke_token, answer=Done),
    ),
)
