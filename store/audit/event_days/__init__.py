"""The events of the last days, one partition a UTC day, so that a day is forgotten by dropping it.

One interface, two backends: a range-partitioned table on PostgreSQL; on SQLite a folder of its own, with a file a day.
Data stays sealed as `store/audit/events.py` sealed it; nothing here needs a key. Why partitions: docs/operating.md.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Final, Protocol

from store.database.engine import parse_url
from store.ids import TenantId

DAYS_AHEAD: Final = 14
"""So many days are made in advance: a fortnight without the retention job costs nothing."""


@dataclass(frozen=True, kw_only=True)
class StoredEvent:
    """A row. `time` is aware UTC and chooses the day; `data` is ciphertext."""

    tenant_id: TenantId
    id: str
    sequence: int
    time: datetime
    type: str
    subject: str
    actor_type: str | None
    actor_id: str | None
    data: bytes


Cursor = tuple[datetime, str]
"""Time and id of the last event of a page."""


class EventDays(Protocol):
    """Where events live after the outbox. Every method is safe to repeat, and after a crash at any point."""

    async def ensure(self, until: date) -> None:
        """Makes the days from today until that day, inclusive."""
        ...

    async def append(self, batch: Sequence[StoredEvent]) -> None:
        """Stores each event once, by its id, durably. Days that are missing are made, also for late events."""
        ...

    async def query(
        self, tenant_id: TenantId, since: datetime, until: datetime, *, limit: int, after: Cursor | None = None
    ) -> list[StoredEvent]:
        """The tenant's events from `since` (inclusive) to `until` (exclusive), ordered by time and id. `after`
        continues behind a page.
        """
        ...

    async def expire(self, before: date) -> list[date]:
        """Drops the days before that one, and finishes what an interrupted call left. Returns the days dropped."""
        ...

    async def inventory(self) -> list[date]:
        """The days of which anything is still stored, oldest first."""
        ...

    async def delete_tenant(self, tenant_id: TenantId) -> int:
        """Deletes a closed tenant's events from all days; returns how many there were."""
        ...

    async def close(self) -> None: ...


def open_event_days(url: str, *, clock: Callable[[], datetime], owner_url: str | None = None) -> EventDays:
    """For the content database `url`. SQLite: the folder `events` beside it. PostgreSQL: in the same database, where
    `owner_url` names the login that owns the tables, if `url` does not.
    """
    parsed = parse_url(url)
    if parsed.get_backend_name() == "sqlite":
        from store.audit.event_days.sqlite import SqliteEventDays  # noqa: PLC0415 - one of the two is needed

        if not parsed.database:
            raise ValueError("events need a database that is a file")
        return SqliteEventDays(Path(parsed.database).with_name("events"), clock=clock)
    from store.audit.event_days.postgresql import PostgresEventDays  # noqa: PLC0415 - as above

    return PostgresEventDays(url, owner_url=owner_url or url, clock=clock)
