"""What happened, as CloudEvents 1.0 with a closed vocabulary: `ai.autoheal.<noun>.<verb>.v1`.

The SDK validates the attributes it knows; the source and the extension names, which it does not check, are constants
here. https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md
"""

from datetime import datetime
from typing import Any

from cloudevents.core.v1.event import CloudEvent
from sqlalchemy import select

from store.audit import Actor
from store.ids import new_id
from store.schema import EventOutboxRow
from store.session import TenantSession
from store.vocabulary import check_event_type

SOURCE = "/autoheal"


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
    event = _event(s, row)
    await s.insert(row)
    return event


async def events(s: TenantSession, since: datetime, until: datetime, *, limit: int = 10_000) -> list[CloudEvent]:
    """From `since` (inclusive) to `until` (exclusive), in the order in which they were emitted."""
    rows = await s.all(
        select(EventOutboxRow)
        .where(EventOutboxRow.time >= since, EventOutboxRow.time < until)
        .order_by(EventOutboxRow.sequence)
        .limit(limit)
    )
    return [_event(s, row) for row in rows]


def _event(s: TenantSession, row: EventOutboxRow) -> CloudEvent:
    attributes: dict[str, Any] = {
        "id": row.id,
        "source": SOURCE,
        "specversion": "1.0",
        "type": row.type,
        "subject": row.subject,
        "time": row.time,
        "datacontenttype": "application/json",
        "tenantid": row.tenant_id,
        "sequence": f"{row.sequence:020d}",
    }
    if row.actor_type is not None and row.actor_id is not None:
        attributes |= {"actortype": row.actor_type, "actorid": row.actor_id}
    return CloudEvent(attributes, s.open_json("events", "data", row.id, row.data))
