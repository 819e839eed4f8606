"""What is done in passing for tenants that leave and keys that rotate. Each run goes on where the last one ended."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Final

from agents.failure import log_failure
from store import audit
from store.audit.event_days import EventDays
from store.database.session import Database
from store.errors import StoreError
from store.upkeep import erasure, rotation

log = logging.getLogger("autoheal.housekeeping")

HOUSEKEEPING_EVERY: Final = timedelta(minutes=5)


async def keep_house(db: Database, days: EventDays) -> None:
    """Closes tenants whose seven days are over, and seals anew what a rotation left. One that fails stops no other."""
    for tenant in await erasure.due(db):
        try:
            await erasure.close(db, tenant.id, actor=audit.SYSTEM, days=days)
        except StoreError as exc:
            log_failure(log, "housekeeping.close_failed", exc, tenant=tenant.id)
    for tenant_id in await rotation.rotations(db):
        try:
            passed = await rotation.continue_rotation(db, tenant_id)
        except StoreError as exc:
            log_failure(log, "housekeeping.rotation_failed", exc, tenant=tenant_id)
        else:
            log.info(
                "rotation",
                extra={
                    "action": "keys.rotation",
                    "tenant": tenant_id,
                    "resealed": passed.resealed,
                    "done": passed.done,
                },
            )
