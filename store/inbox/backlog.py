"""How much work waits, over all tenants: numbers for whoever watches the process."""

from datetime import timedelta

from sqlalchemy import func, select

from store.database.schema import EventOutboxRow, InboxRow
from store.database.session import Database


async def arrivals_waiting(db: Database) -> int:
    """Written down, and not yet handed to the engine."""
    async with db.across_tenants("count what waits", readonly=True) as session:
        waiting = await session.scalar(select(func.count()).select_from(InboxRow).where(InboxRow.state == "received"))
    return int(waiting or 0) + (0 if db.arrivals is None else await db.arrivals.count())


async def relay_lag(db: Database) -> timedelta:
    """The age of the oldest event that is not in its day yet; zero when none waits."""
    async with db.across_tenants("the oldest waiting event", readonly=True) as session:
        oldest = await session.scalar(select(EventOutboxRow.time).order_by(EventOutboxRow.time).limit(1))
    return timedelta(0) if oldest is None else max(timedelta(0), db.now() - oldest)
