"""Deliveries that were refused: counted by webhook, written down soon, and told to the tenant's admins.

A wrong secret makes no noise of its own: the sender shows a red mark somewhere, and alerts are missing. Whoever knocks
very often must not make the store write as often, so counts are written at most twice a minute a webhook.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from agents.webhooks import provider
from store import audit
from store.audit import events
from store.database.session import Database
from store.errors import TenantFrozen, UnknownTenant
from store.inbox import webhooks
from store.inbox.webhooks import KnownWebhook, Webhook
from store.upkeep.watch import TellsAdmins

WRITE_EVERY: Final = timedelta(seconds=30)
TELL_AGAIN: Final = timedelta(hours=6)
_MOST_REMEMBERED: Final = 1_000
_REASONS: Final = {
    "no_secret": "this webhook has no secret",
    "no_signature": "they carry no signature or secret",
    "wrong_signature": "their signature or secret is not the one that was set here",
    "stale": "their signed time is more than five minutes off: is a clock wrong?",
    "unreadable": "they are not JSON",
    "too_large": "they are too large",
    "untrusted_certificate": "their certificate does not come from Amazon SNS",
    "other_topic": "they come from another SNS topic than the one that was named",
    "unredactable": "they could not be made safe to store",
}


@dataclass(kw_only=True)
class _Waiting:
    known: KnownWebhook
    written_at: datetime | None = None
    reasons: Counter[str] = field(default_factory=Counter)
    last_from: str = ""


class Refusals:
    """One a process. Call `flush` now and then, and `tell` where admins can be reached."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._waiting: OrderedDict[str, _Waiting] = OrderedDict()

    async def note(self, known: KnownWebhook, reason: str, *, ip: str) -> None:
        """Counts it, and writes it down unless that was done a moment ago."""
        waiting = self._waiting.setdefault(known.webhook.id, _Waiting(known=known))
        waiting.reasons[reason] += 1
        waiting.last_from = ip
        if len(self._waiting) > _MOST_REMEMBERED:
            self._waiting.popitem(last=False)
        if waiting.written_at is None or self._db.now() - waiting.written_at >= WRITE_EVERY:
            await self._write(waiting)

    async def flush(self) -> None:
        """Writes what was only counted."""
        for waiting in list(self._waiting.values()):
            if waiting.reasons:
                await self._write(waiting)

    async def _write(self, waiting: _Waiting) -> None:
        reasons, waiting.reasons = waiting.reasons, Counter()
        waiting.written_at = self._db.now()
        reason, hook = reasons.most_common(1)[0][0], waiting.known.webhook
        try:
            async with self._db.tenant(waiting.known.tenant_id) as s:
                if await webhooks.note_refused(s, hook.id, reason=reason, count=reasons.total(), at=s.now()):
                    facts = {"reason": reason, "count": reasons.total(), "ip": waiting.last_from}
                    await events.emit(s, "ai.autoheal.webhook.refused.v1", hook.id, facts, actor=audit.SYSTEM)
                    await audit.record(
                        s, actor=audit.SYSTEM, action="webhook.request.refused", target=hook.id, details=facts
                    )
        except (TenantFrozen, UnknownTenant):
            self._waiting.pop(hook.id, None)


async def tell_refusals(db: Database, tells: TellsAdmins) -> int:
    """Tells each tenant's admins of the webhooks that were refused since they were told last; at most every six hours
    of one. Returns of how many webhooks somebody was told.
    """
    told = 0
    for tenant in await webhooks.tenants_with_refusals(db):
        try:
            async with db.tenant(tenant, readonly=True) as s:
                due = [one for one in await webhooks.webhooks(s) if _is_due(one, db.now())]
        except (TenantFrozen, UnknownTenant):
            continue
        for hook in due:
            key = f"webhook-refused:{hook.id}:{hook.refused_at:%Y%m%dT%H%M}"
            if await tells.tell_admins(tenant, key=key, text=sentence(hook)):
                async with db.tenant(tenant) as s:
                    await webhooks.note_told(s, hook.id)
                told += 1
    return told


def _is_due(hook: Webhook, now: datetime) -> bool:
    if hook.refused_at is None:
        return False
    return hook.told_at is None or (hook.refused_at > hook.told_at and now - hook.told_at >= TELL_AGAIN)


def sentence(hook: Webhook) -> str:
    """What is wrong, since when nothing was believed, and what to do about it."""
    of = provider(hook.provider)
    title = of.title if of is not None else hook.provider
    why = _REASONS.get(hook.refused_reason or "", "they could not be believed")
    last = f"the last good one came {hook.accepted_at:%Y-%m-%d %H:%M} UTC" if hook.accepted_at else "none was ever good"
    where = of.setup if of is not None else ""
    renew = f"`/autoheal webhook rotate {hook.id}` makes a new secret."
    if of is not None and of.vendor_makes_secret(hook.config):
        renew = f"`/autoheal webhook secret {hook.id}` takes another one."
    return (
        f"*Deliveries of {title} are refused* (webhook {hook.label}, {hook.refused_count} so far): {why}; {last}. "
        f"Whatever they report is not seen. {where} {renew}"
    )
