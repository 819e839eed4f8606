"""Webhooks that went silent although something always arrives there: judged by what was declared, and told to admins.

That no alert arrives says nothing by itself: perhaps nothing is wrong. Where a sender gives a sign of life, as
Alertmanager's Watchdog does, its absence means that alerts would not arrive either.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from agents.webhooks import provider
from agents.webhooks.heartbeat import heartbeat_of, silent_since
from store import audit
from store.database.session import Database
from store.errors import TenantFrozen, UnknownTenant
from store.ids import TenantId
from store.inbox import webhooks
from store.inbox.webhooks import Webhook
from store.upkeep.watch import TellsAdmins

_DAY_MIN: Final = 24 * 60


class Silences:
    """One a process: what could not arrive while it was down is nobody's silence."""

    def __init__(self, db: Database) -> None:
        self._db, self._up_since = db, db.now()

    async def tell(self, tells: TellsAdmins) -> int:
        """Tells each tenant's admins of the webhooks that are silent; once for each silence. Returns how many are."""
        silent = 0
        for tenant in await webhooks.tenants_with_quiet_webhooks(self._db):
            try:
                async with self._db.tenant(tenant, readonly=True) as s:
                    known = await webhooks.webhooks(s)
            except (TenantFrozen, UnknownTenant):
                continue
            for hook in known:
                since = silent_since(hook, self._db.now(), up_since=self._up_since)
                if since is not None:
                    key = f"webhook-silent:{hook.id}:{since:%Y%m%dT%H%M%S}"
                    await self._note(tenant, hook, since)
                    await tells.tell_admins(tenant, key=key, text=sentence(hook))
                    silent += 1
        return silent

    async def _note(self, tenant: TenantId, hook: Webhook, since: datetime) -> None:
        """Its row in the audit log, once for each silence."""
        async with self._db.tenant(tenant) as s:
            if await webhooks.note_silent(s, hook.id, since):
                details = {"provider": hook.provider, "since": since.isoformat()}
                await audit.record(
                    s, actor=audit.SYSTEM, action="system.webhook.silent", target=hook.id, details=details
                )


def sentence(hook: Webhook) -> str:
    """Since when, what that means, and what to do about it."""
    of, declared = provider(hook.provider), heartbeat_of(hook.config)
    title = of.title if of is not None else hook.provider
    minutes = round(declared.every.total_seconds() / 60) if declared is not None else 0
    every = f"{minutes // _DAY_MIN} d" if minutes and minutes % _DAY_MIN == 0 else f"{minutes} min"
    last = f"since {hook.accepted_at:%Y-%m-%d %H:%M} UTC" if hook.accepted_at else "ever"
    return (
        f"*{title} is silent* (webhook {hook.label}): something should arrive every {every}, and nothing has {last}. "
        "Alerts from there would not arrive either. Look whether it runs and reaches this address; "
        f"`/autoheal webhook heartbeat {hook.id} off` ends this watch."
    )
