"""Ends somebody's e-mail by one click in their mail program, without signing in (RFC 8058)."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from handlers.mail.ticket import read_ticket
from handlers.web.api_resource import PUBLIC, Context, Done, Operation, Problem, Resource
from store import audit
from store.errors import NotFound, TenantFrozen, UnknownTenant
from store.people import accounts


async def unsubscribe(context: Context, ticket: Annotated[str, Query(max_length=200)]) -> Done:
    """The ticket of a List-Unsubscribe header. Safe to repeat; a profile's `notify` brings the mail back."""
    found = read_ticket(context.keys, ticket)
    if found is None:
        raise Problem(404, "no_such_ticket", "This link is not complete.")
    tenant, user = found
    try:
        async with context.db.tenant(tenant) as s:
            known = await accounts.account(s, user)
            if known is not None and known.notify:
                await accounts.change_account(s, context.keys, user, notify=False)
                actor = audit.Actor(type="user", id=user)
                await audit.record(s, actor=actor, action="mail.mail.opted_out", target=user)
    except (NotFound, UnknownTenant, TenantFrozen):
        return Done()
    return Done()


RESOURCE = Resource(
    name="unsubscribe",
    operations=(Operation(method="POST", path="/unsubscribe", access=PUBLIC, run=unsubscribe, answer=Done),),
)
