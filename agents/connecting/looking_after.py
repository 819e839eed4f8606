"""Stored connections are tested without anybody asking, and their services looked for once a day.

A token that ran out is noticed at three in the morning otherwise, in the middle of an incident. Admins are told once of
each outage that lasts, never of one test that failed.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime, timedelta
from typing import Final

from agents.connecting.connecting import Connecting, ConnectionHealth
from agents.errors import AgentError
from agents.failure import log_failure
from store.database.session import Database
from store.errors import StoreError, TenantFrozen, UnknownTenant
from store.ids import ConnectionId, TenantId
from store.tenancy.tenants import list_tenants
from store.upkeep.watch import TellsAdmins

log = logging.getLogger("autoheal.connections")

LOOK_AFTER_EVERY: Final = timedelta(minutes=30)
DISCOVER_EVERY: Final = timedelta(days=1)
LASTS: Final = timedelta(hours=1)
"""So long a connection has not worked before anybody is told; tools are restarted, and networks hiccup."""
_AT_ONCE: Final = 4


class LooksAfter:
    """One a process; call `look` now and then."""

    def __init__(self, db: Database, connecting: Connecting, tells: TellsAdmins) -> None:
        self._db, self._connecting, self._tells = db, connecting, tells
        self._discovered: dict[ConnectionId, datetime] = {}  # since this process began: a start looks once more

    async def look(self) -> None:
        """Every active tenant's connections. One tenant that cannot be looked at hinders no other."""
        turn = asyncio.Semaphore(_AT_ONCE)

        async def one(tenant: TenantId) -> None:
            async with turn:
                try:
                    await self._look_at(tenant)
                except (TenantFrozen, UnknownTenant):
                    return
                except Exception as exc:  # noqa: BLE001 -- the outer guard of a tenant
                    log_failure(log, "connections.not_looked_at", exc, tenant=tenant)

        await asyncio.gather(*(one(tenant.id) for tenant in await list_tenants(self._db, "active")))

    async def _look_at(self, tenant: TenantId) -> None:
        for found in await self._connecting.look(tenant):
            if found.works:
                await self._discover(tenant, found.connection.id)
            elif self._db.now() - _since(found) >= LASTS:
                key = f"connection-away:{found.connection.id}:{_since(found):%Y%m%dT%H%M}"
                await self._tells.tell_admins(tenant, key=key, text=sentence(found))

    async def _discover(self, tenant: TenantId, connection: ConnectionId) -> None:
        last, now = self._discovered.get(connection), self._db.now()
        if last is not None and now - last < DISCOVER_EVERY:
            return
        self._discovered[connection] = now
        try:
            await self._connecting.rediscover(tenant, connection)
        except (AgentError, StoreError) as exc:
            log_failure(log, "connections.not_discovered", exc, tenant=tenant)


def _since(found: ConnectionHealth) -> datetime:
    """When it last worked; where it never did, when it was connected."""
    return found.connection.worked_at or found.connection.connected_at


def sentence(found: ConnectionHealth) -> str:
    """What does not work, since when, why, and what to do."""
    one = found.connection
    named = found.title if one.label == one.connector else f"{found.title} ({one.label})"
    why = str(one.problem or "it did not answer").rstrip(".")
    return (
        f"*{named} has not worked since {_since(found):%Y-%m-%d %H:%M} UTC*: {why}. "
        "Until it does, investigations go on without it, and say so. `/autoheal integrations` tests it again."
    )
