"""Where other systems may send alerts and changes: made, listed, rotated and deleted by admins."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field

from agents.alerting import administering
from agents.permission import Permission
from agents.webhooks.problem import BadWebhook
from handlers.web.api_resource import Body, Call, Context, Done, Missing, Operation, Problem, Resource
from store import audit
from store.errors import NotFound
from store.ids import WebhookId
from store.inbox import webhooks
from store.inbox.webhooks import Webhook

_Short = Annotated[str, Field(max_length=200)]


class Shown(BaseModel):
    """Never with its secret."""

    id: str
    provider: str
    label: str
    path: str
    created_at: datetime
    rotated_at: datetime | None
    accepted_at: datetime | None
    refused_at: datetime | None
    refused_reason: str | None
    refused_count: int


class ShownOnce(BaseModel):
    """With its secret, this one time."""

    webhook: Shown
    secret: str | None
    setup: str


class AllShown(BaseModel):
    webhooks: list[Shown]


class NewWebhook(Body):
    """`secret`: where the vendor makes it itself, as PagerDuty and Sentry do; else one is made."""

    provider: _Short
    label: _Short = ""
    config: dict[_Short, _Short] = Field(default_factory=dict, max_length=30)
    secret: _Short | None = None


class NewSecret(Body):
    secret: _Short | None = None


def _shown(one: Webhook) -> Shown:
    return Shown(
        id=one.id,
        provider=one.provider,
        label=one.label,
        path=one.path,
        created_at=one.created_at,
        rotated_at=one.rotated_at,
        accepted_at=one.accepted_at,
        refused_at=one.refused_at,
        refused_reason=one.refused_reason,
        refused_count=one.refused_count,
    )


def _once(made: administering.MadeWebhook) -> ShownOnce:
    secret = None if made.secret is None else made.secret.reveal()
    return ShownOnce(webhook=_shown(made.webhook), secret=secret, setup=made.setup)


async def list_webhooks(call: Call, context: Context) -> AllShown:
    """All of the organisation's, oldest first."""
    async with context.db.tenant(call.person.tenant_id, readonly=True) as s:
        return AllShown(webhooks=[_shown(one) for one in await webhooks.webhooks(s)])


async def make_webhook(given: NewWebhook, call: Call, context: Context) -> ShownOnce:
    """A new address for one provider; its secret is in this answer and nowhere else."""
    actor = audit.Actor(type="user", id=call.person.user_id)
    try:
        async with context.db.tenant(call.person.tenant_id) as s:
            made = await administering.make_webhook(
                s,
                provider=given.provider,
                label=given.label,
                config=given.config,
                secret=given.secret,
                actor=actor,
                source=call.source,
                by=call.person.user_id,
            )
    except BadWebhook as exc:
        raise Problem(422, "bad_webhook", str(exc)) from exc
    return _once(made)


async def rotate_webhook(webhook_id: UUID, given: NewSecret, call: Call, context: Context) -> ShownOnce:
    """A new secret; the old one counts for a day more."""
    actor = audit.Actor(type="user", id=call.person.user_id)
    try:
        async with context.db.tenant(call.person.tenant_id) as s:
            made = await administering.rotate_webhook(
                s, WebhookId(str(webhook_id)), secret=given.secret, actor=actor, source=call.source
            )
    except NotFound:
        raise Missing from None
    except BadWebhook as exc:
        raise Problem(422, "bad_webhook", str(exc)) from exc
    return _once(made)


async def delete_webhook(webhook_id: UUID, call: Call, context: Context) -> Done:
    """What is sent there is refused from now on."""
    actor = audit.Actor(type="user", id=call.person.user_id)
    async with context.db.tenant(call.person.tenant_id) as s:
        gone = await administering.remove_webhook(s, WebhookId(str(webhook_id)), actor=actor, source=call.source)
    if not gone:
        raise Missing
    return Done()


RESOURCE = Resource(
    name="webhooks",
    operations=(
        Operation(method="GET", path="/webhooks", access=Permission.CONNECT, run=list_webhooks, answer=AllShown),
        Operation(
            method="POST",
            path="/webhooks",
            access=Permission.CONNECT,
            run=make_webhook,
            answer=ShownOnce,
            status=201,
            in_browser_only=True,
        ),
        Operation(
            method="POST",
            path="/webhooks/{webhook_id}/rotate",
            access=Permission.CONNECT,
            run=rotate_webhook,
            answer=ShownOnce,
            in_browser_only=True,
        ),
        Operation(
            method="DELETE", path="/webhooks/{webhook_id}", access=Permission.CONNECT, run=delete_webhook, answer=Done
        ),
    ),
)
