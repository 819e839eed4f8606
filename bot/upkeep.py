"""What the store does by itself while the process serves: events find their days, heads are signed, what looks
suspicious is told, and what is over is forgotten.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from bot.master_keys import keep_engine_key, read_engine_key
from bot.settings import Settings
from bot.timetable import Timetable
from handlers.slack.notices import Notices
from store.audit.event_days import EventDays, open_event_days
from store.audit.event_relay import relay
from store.audit.signed_checkpoints import SEED_LENGTH, CheckpointFile, Signer
from store.database.engine import create_engine
from store.database.session import Database
from store.keys.key_provider import MasterKeys
from store.upkeep.audit_heads import AuditCheckpoints
from store.upkeep.retention import AuditRetention, retire_alerts, retire_arrivals, retire_events
from store.upkeep.watch import Watch

RELAY_EVERY: Final = timedelta(seconds=3)
LOOK_EVERY: Final = timedelta(seconds=20)
CHECKPOINT_EVERY: Final = timedelta(minutes=5)
RETIRE_EVERY: Final = timedelta(hours=6)


@asynccontextmanager
async def event_days(settings: Settings) -> AsyncIterator[EventDays]:
    """The days of this deployment's events. Days are made and dropped by the tables' owner (AUTOHEAL_OWNER_URL)."""
    days = open_event_days(settings.content_url, owner_url=settings.maintenance_url, clock=lambda: datetime.now(UTC))
    try:
        yield days
    finally:
        await days.close()


async def open_signer(settings: Settings, keys: MasterKeys) -> Signer:
    """The key that signs heads; made at the first start and kept wrapped in the data folder."""
    path = settings.data / "audit.key"
    if not path.exists():
        await keep_engine_key(keys, path, os.urandom(SEED_LENGTH))
    return Signer(await read_engine_key(keys, path))


@dataclass(frozen=True, kw_only=True)
class Upkeep:
    """Joined; `plan` puts it on the timetable."""

    settings: Settings
    db: Database
    days: EventDays
    checkpoints: AuditCheckpoints
    watch: Watch
    notices: Notices

    def plan(self, timetable: Timetable) -> None:
        timetable.every(RELAY_EVERY, lambda: relay(self.db, self.days), name="relay events")
        timetable.every(LOOK_EVERY, self.watch.look, name="look for suspicious activity")
        timetable.every(LOOK_EVERY, self.watch.look_at_door, name="look for forged requests", everywhere=True)
        timetable.every(CHECKPOINT_EVERY, self.sign_heads, name="sign audit heads", at_start=True)
        timetable.every(RETIRE_EVERY, self.retire, name="forget what is over", at_start=True)

    async def sign_heads(self) -> None:
        await self.checkpoints.sign()
        await self.checkpoints.post(self.notices)

    async def retire(self) -> None:
        await retire_events(self.db, self.days, kept=timedelta(days=self.settings.event_days))
        await retire_arrivals(self.db)
        await retire_alerts(self.db)
        if self.settings.audit_days is None:
            return
        owner = create_engine(self.settings.maintenance_url, pool_size=1)
        try:
            retention = AuditRetention(db=self.db, owner=owner, checkpoints=self.checkpoints)
            await retention.prune(timedelta(days=self.settings.audit_days))
        finally:
            await owner.dispose()


@asynccontextmanager
async def open_upkeep(
    settings: Settings,
    db: Database,
    keys: MasterKeys,
    notices: Notices,
    *,
    refused: Callable[[], Mapping[str, int]],
) -> AsyncIterator[Upkeep]:
    """`refused`: the counts of the front door."""
    async with event_days(settings) as days:
        yield Upkeep(
            settings=settings,
            db=db,
            days=days,
            checkpoints=AuditCheckpoints(
                db, await open_signer(settings, keys), CheckpointFile(settings.checkpoint_path)
            ),
            watch=Watch(db, notices, refused=refused),
            notices=notices,
        )
