"""What happened, as CloudEvents 1.0 with a closed vocabulary: `ai.autoheal.<noun>.<verb>.v1`.

An event is written to the outbox in the transaction of its action; the relay (`store/audit/event_relay.py`) moves it to
its day (`store/audit/event_days`). Readers see both places. The SDK validates the attributes it knows; what it lets
pass (the form of the source, longer extension names) is checked here.
https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md
"""

import re
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any, Final

from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from sqlalchemy import select

from store.audit import Actor
from store.audit.event_days import Cursor, EventDays, StoredEvent
from store.audit.vocabulary import check_event_type
from store.database.schema import EventOutboxRow
from store.database.session import Database, TenantSession
from store.ids import TenantId, new_id

SOURCE: Final = "/autoheal"
_PAGE: Final = 1000
_ATTRIBUTES: Final = frozenset(
    {"id", "source", "specversion", "type", "subject", "time", "datacontenttype", "dataschema"}
)
_EXTENSION: Final = re.compile(r"[a-z0-9]{1,20}")
# RFC 3986, appendix A: the characters of a URI reference; a percent sign stands before two hexadecimal digits.
_URI_REFERENCE: Final = re.compile(r"(?:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+")


async def emit(
    s: TenantSession,
    type: str,  # noqa: A002 - CloudEvents' own word
    subject: str,
    data: dict[str, Any] | None = None,
    *,
    actor: Actor | None = None,
) -> CloudEvent:
    """Appends an event in the caller's transaction. It locks the tenant's head until the commit, so call it late.
    Raises ValueError for a type that is not in the vocabulary. Data holds ids, numbers and closed words.
    """
    check_event_type(type)
    head = await s.head()
    head.event_sequence += 1
    row_id = new_id()
    row = EventOutboxRow(
        id=row_id,
        tenant_id=s.tenant_id,
        sequence=head.event_sequence,
        time=s.now(),
        type=type,
        subject=subject,
        actor_type=None if actor is None else actor.type,
        actor_id=None if actor is None else actor.id,
        data=s.seal_json("events", "data", row_id, data or {}),
    )
    event = cloud_event(s, stored(row))
    await s.insert(row)
    return event


async def events(
    s: TenantSession, since: datetime, until: datetime, *, days: EventDays, limit: int = 10_000
) -> list[CloudEvent]:
    """From `since` (inclusive) to `until` (exclusive), in the order in which they were emitted."""
    waiting = await _waiting(s, since, until)  # first: an event moves from there to its day, never back
    there = await days.query(s.tenant_id, since, until, limit=limit)
    both = {event.id: event for event in (*there, *waiting)}
    return [cloud_event(s, event) for event in sorted(both.values(), key=lambda event: event.sequence)[:limit]]


async def stream(
    db: Database, tenant_id: TenantId, since: datetime, until: datetime, *, days: EventDays
) -> AsyncIterator[CloudEvent]:
    """All events of a range, a page in memory at a time, ordered by time; those still in the outbox come last."""
    async with db.tenant(tenant_id, readonly=True) as s:
        waiting = await _waiting(s, since, until)
    seen = {event.id for event in waiting}
    after: Cursor | None = None
    while page := await days.query(tenant_id, since, until, limit=_PAGE, after=after):
        async with db.tenant(tenant_id, readonly=True) as s:
            opened = [cloud_event(s, event) for event in page if event.id not in seen]
        for event in opened:
            yield event
        after = (page[-1].time, page[-1].id)
    async with db.tenant(tenant_id, readonly=True) as s:
        opened = [cloud_event(s, event) for event in waiting]
    for event in opened:
        yield event


def as_json(event: CloudEvent) -> bytes:
    """The event in CloudEvents' JSON format, structured: one line."""
    return JSONFormat().write(event)


def stored(row: EventOutboxRow) -> StoredEvent:
    return StoredEvent(
        tenant_id=TenantId(row.tenant_id),
        id=row.id,
        sequence=row.sequence,
        time=row.time,
        type=row.type,
        subject=row.subject,
        actor_type=row.actor_type,
        actor_id=row.actor_id,
        data=row.data,
    )


def cloud_event(s: TenantSession, event: StoredEvent) -> CloudEvent:
    attributes: dict[str, Any] = {
        "id": event.id,
        "source": SOURCE,
        "specversion": "1.0",
        "type": event.type,
        "subject": event.subject,
        "time": event.time,
        "datacontenttype": "application/json",
        "tenantid": event.tenant_id,
        "sequence": f"{event.sequence:020d}",
    }
    if event.actor_type is not None and event.actor_id is not None:
        attributes |= {"actortype": event.actor_type, "actorid": event.actor_id}
    return valid_event(attributes, s.open_json("events", "data", event.id, event.data))


def valid_event(attributes: dict[str, Any], data: dict[str, Any]) -> CloudEvent:
    """Raises ValueError, or the SDK's CloudEventValidationError, for what CloudEvents 1.0 does not allow."""
    event = CloudEvent(attributes, data)
    if not _URI_REFERENCE.fullmatch(attributes["source"]):
        raise ValueError("the source of an event is a URI reference")
    wrong = [name for name in attributes.keys() - _ATTRIBUTES if not _EXTENSION.fullmatch(name)]
    if wrong:
        raise ValueError(f"extension names have up to 20 lower-case letters and digits: {', '.join(sorted(wrong))}")
    return event


async def _waiting(s: TenantSession, since: datetime, until: datetime) -> list[StoredEvent]:
    rows = await s.all(
        select(EventOutboxRow)
        .where(EventOutboxRow.time >= since, EventOutboxRow.time < until)
        .order_by(EventOutboxRow.sequence)
    )
    return [stored(row) for row in rows]
