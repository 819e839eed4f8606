"""Moves events from the outbox to their days: each exactly once, whenever the process dies.

The days take an event once by its id and durably; only then does the outbox forget it. What dies in between is
appended again, without effect.
"""

from collections.abc import Sequence
from itertools import groupby
from typing import Final

from sqlalchemy import delete, select

from store.audit.event_days import EventDays
from store.audit.events import stored
from store.database.schema import EventOutboxRow
from store.database.session import Database

_BATCH: Final = 500


async def relay(db: Database, days: EventDays) -> int:
    """Until the outbox is empty. Returns how many were moved. Ciphertext moves as it is: no key is needed."""
    moved = 0
    while True:
        async with db.across_tenants("relay events to their days", readonly=True) as session:
            rows = (await session.scalars(select(EventOutboxRow).order_by(EventOutboxRow.time).limit(_BATCH))).all()
        if rows:
            await days.append([stored(row) for row in rows])
            await _forget(db, rows)
        moved += len(rows)
        if len(rows) < _BATCH:
            return moved


async def _forget(db: Database, rows: Sequence[EventOutboxRow]) -> None:
    async with db.across_tenants("take relayed events out of the outbox") as session:
        for tenant_id, of_tenant in groupby(sorted(rows, key=_tenant), key=_tenant):
            ids = [row.id for row in of_tenant]
            await session.execute(
                delete(EventOutboxRow).where(EventOutboxRow.tenant_id == tenant_id, EventOutboxRow.id.in_(ids)),
                execution_options={"synchronize_session": False},
            )


def _tenant(row: EventOutboxRow) -> str:
    return row.tenant_id
