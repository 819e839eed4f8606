"""Works on what webhooks brought: one worker a tenant in this process, woken by arrivals and by a sweep.

A storm keeps one worker busy, in batches, and everybody else's work goes on.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from agents.alerting.absorber import Absorber
from agents.failure import log_failure
from handlers.slack.alert_groups import AlertGroups
from handlers.slack.inbound.intake import Intake
from store import inbox
from store.database.session import Database
from store.errors import TenantFrozen, UnknownTenant
from store.ids import InboxId, TenantId
from store.incidents import alerts

log = logging.getLogger("autoheal.alert_work")

PAUSE_S: Final = 0.5
"""Between two rounds of one tenant: what comes meanwhile is told together."""


class AlertWork:
    """One a process. Close it at the end: what is left is taken up at the next start."""

    def __init__(self, db: Database, intake: Intake, absorber: Absorber, groups: AlertGroups) -> None:
        self._db, self._intake, self._absorber, self._groups = db, intake, absorber, groups
        self._workers: dict[TenantId, asyncio.Task[None]] = {}
        self._again: set[TenantId] = set()
        self._arrived: dict[TenantId, InboxId] = {}

    def wake(self, tenant: TenantId, arrived: InboxId | None = None) -> None:
        """There may be something to do; `arrived` may still have to be moved to the inbox."""
        if arrived is not None:
            self._arrived[tenant] = arrived
        if tenant in self._workers:
            self._again.add(tenant)
            return
        worker = self._workers[tenant] = asyncio.create_task(self._work(tenant))
        worker.add_done_callback(lambda _: self._ended(tenant))

    def _ended(self, tenant: TenantId) -> None:
        self._workers.pop(tenant, None)
        if tenant in self._again:
            self._again.discard(tenant)
            self.wake(tenant)

    async def _work(self, tenant: TenantId) -> None:
        try:
            if (arrived := self._arrived.pop(tenant, None)) is not None:
                await self._intake.deliver(tenant, arrived)
            while await self._absorber.take(tenant):
                await self._groups.settle(tenant)
            await self._groups.settle(tenant)
        except (TenantFrozen, UnknownTenant):
            return
        except Exception as exc:  # noqa: BLE001 -- the outer guard of a background task: the sweep tries again
            log_failure(log, "alerts.failed", exc, tenant=tenant)
        await asyncio.sleep(PAUSE_S)

    async def sweep(self) -> None:
        """Takes up what a crash, or a Slack that was away, left."""
        for tenant in {
            *await inbox.tenants_waiting(self._db, "webhook"),
            *await alerts.tenants_with_unshown_groups(self._db),
        }:
            self.wake(tenant)

    async def settle(self) -> None:
        """Wait until nothing is being done any more."""
        while self._workers:
            await asyncio.wait(list(self._workers.values()))

    async def close(self) -> None:
        self._again.clear()
        workers = list(self._workers.values())
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
