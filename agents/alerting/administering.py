"""Making, rotating and deleting webhooks, by whichever door: each with its audit row and event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from agents.webhooks.heartbeat import with_heartbeat
from agents.webhooks.making import checked_config, checked_secret, known_provider
from store import audit
from store.audit import Actor, events
from store.database.session import TenantSession
from store.errors import NotFound
from store.ids import UserId, WebhookId
from store.inbox import webhooks
from store.inbox.webhooks import Webhook
from store.secrets.redaction import Secret


@dataclass(frozen=True, kw_only=True)
class MadeWebhook:
    """`secret` is shown now and never again; None where the provider needs none."""

    webhook: Webhook
    secret: Secret | None
    setup: str


async def make_webhook(
    s: TenantSession,
    *,
    provider: str,
    label: str,
    config: Mapping[str, str],
    secret: str | None,
    actor: Actor,
    source: str,
    by: UserId | None,
) -> MadeWebhook:
    """Raises BadWebhook, ValueError."""
    of = known_provider(provider)
    checked, chosen = checked_config(of, config), checked_secret(of, secret)
    made = await webhooks.add_webhook(
        s, provider=of.name, label=label or of.title, secret=chosen, config=checked, created_by=by
    )
    await _record(s, made, "created", actor, source)
    return MadeWebhook(webhook=made, secret=chosen if of.needs_secret else None, setup=of.setup)


async def declare_heartbeat(
    s: TenantSession, webhook: WebhookId, minutes: int | None, *, actor: Actor, source: str
) -> Webhook:
    """Something always arrives there within that time; None ends the watch. Raises NotFound."""
    known = next((one for one in await webhooks.webhooks(s) if one.id == webhook), None)
    if known is None:
        raise NotFound("no such webhook")
    changed = await webhooks.change_config(s, webhook, with_heartbeat(known.config, minutes, s.now()))
    details = {"heartbeat_minutes": minutes or 0}
    await audit.record(s, actor=actor, action=f"{source}.webhook.changed", target=webhook, details=details)
    return changed


async def rotate_webhook(
    s: TenantSession, webhook: WebhookId, *, secret: str | None, actor: Actor, source: str
) -> MadeWebhook:
    """The old secret counts for a day more. Raises NotFound, BadWebhook."""
    known = next((one for one in await webhooks.webhooks(s) if one.id == webhook), None)
    if known is None:
        raise NotFound("no such webhook")
    of = known_provider(known.provider)
    chosen = checked_secret(of, secret)
    rotated = await webhooks.rotate_webhook(s, webhook, chosen)
    await _record(s, rotated, "rotated", actor, source)
    return MadeWebhook(webhook=rotated, secret=chosen if of.needs_secret else None, setup=of.setup)


async def remove_webhook(s: TenantSession, webhook: WebhookId, *, actor: Actor, source: str) -> bool:
    """False when there is none."""
    known = next((one for one in await webhooks.webhooks(s) if one.id == webhook), None)
    if known is None or not await webhooks.remove_webhook(s, webhook):
        return False
    await _record(s, known, "removed", actor, source)
    return True


async def _record(s: TenantSession, webhook: Webhook, verb: str, actor: Actor, source: str) -> None:
    details = {"provider": webhook.provider}
    await events.emit(s, f"ai.autoheal.webhook.{verb}.v1", webhook.id, details, actor=actor)
    await audit.record(s, actor=actor, action=f"{source}.webhook.{verb}", target=webhook.id, details=details)
