"""Slack was uninstalled: everything stops at once, and the tenant is frozen until it comes back or is closed.

Slack sends `tokens_revoked` and `app_uninstalled`, in any order and perhaps late: it tries again for hours what was
not taken. One that happened before the app was installed again is old news and does nothing; Slack's `event_time` says
when that was. https://docs.slack.dev/reference/events/app_uninstalled https://docs.slack.dev/apis/events-api/
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Final, Protocol

from agents.workflow import workflow_id
from handlers.slack.inbound.arrival import ARRIVAL, TokensRevoked, Uninstalled
from handlers.slack.inbound.intake import RECEIVE
from store.audit import Actor
from store.database.session import Database
from store.ids import TenantId
from store.inbox import StoredArrival
from store.tenancy import tenants
from store.upkeep import erasure

log = logging.getLogger("autoheal.uninstall")

SLACK: Final = Actor(type="system", id="slack")


class CancelsWork(Protocol):
    """What leaving needs of the engine."""

    async def cancel_all(self, prefix: str, *, keep: str) -> int: ...


class Uninstall:
    """`forget` drops what other parts keep in memory of a tenant: its token, its workspace."""

    def __init__(self, *, db: Database, queue: CancelsWork, forget: Callable[[TenantId], None]) -> None:
        self._db = db
        self._queue = queue
        self._forget = forget

    async def leave(self, tenant: TenantId, news: StoredArrival) -> None:
        """Safe to repeat."""
        async with self._db.tenant(tenant, readonly=True, frozen_too=True) as s:
            install = await tenants.load_install(s)
        if install is not None and install.bot_token.reveal() and _happened_before(news, install.installed_at):
            log.info("old news", extra={"action": "uninstall.outdated", "tenant": tenant})
            return
        frozen = await erasure.freeze(self._db, tenant, actor=SLACK, keep=news.id)
        own = workflow_id(tenant, RECEIVE, news.id)
        cancelled = await self._queue.cancel_all(workflow_id(tenant, ""), keep=own)
        self._forget(tenant)
        if frozen:
            log.warning(
                "uninstalled: the tenant is frozen, and closed in %s days",
                erasure.FREEZE_FOR.days,
                extra={"action": "uninstall.frozen", "tenant": tenant, "cancelled": cancelled},
            )


def _happened_before(news: StoredArrival, installed_at: datetime) -> bool:
    """By whole seconds, as Slack tells them: what happened in the second of the installation came after it."""
    arrival = ARRIVAL.validate_python(news.payload)
    if isinstance(arrival, Uninstalled | TokensRevoked) and arrival.event_time is not None:
        return arrival.event_time < int(installed_at.timestamp())
    return news.received_at < installed_at
