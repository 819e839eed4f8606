"""What happened in the organisation: its audit log and its events, for admins, a page at a time."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import Query
from pydantic import AwareDatetime, BaseModel

from agents.permission import Permission
from handlers.web.api_resource import Call, Context, Operation, Problem, Resource
from store import audit
from store.audit import events

_LONGEST = timedelta(days=91)
Limit = Annotated[int, Query(ge=1, le=1000)]
Sequence = Annotated[int, Query(ge=0, le=2**53)]
Moment = Annotated[
    AwareDatetime,
    Query(ge=datetime(2000, 1, 1, tzinfo=UTC), le=datetime(2100, 1, 1, tzinfo=UTC)),
]


class Entry(BaseModel):
    """People are named by id only."""

    sequence: int
    at: datetime
    actor_type: str
    actor_id: str
    action: str
    target: str
    details: dict[str, Any]


class Log(BaseModel):
    """Ask for the next page with the last `sequence` as `after`."""

    entries: list[Entry]


class Events(BaseModel):
    """CloudEvents 1.0. Ask for the next page with the last `time` as `since`, and drop the ids that you have."""

    events: list[dict[str, Any]]


async def read_audit(call: Call, context: Context, after: Sequence = 0, limit: Limit = 200) -> Log:
    """From the first entry after `after`, oldest first."""
    async with context.db.tenant(call.person.tenant_id, readonly=True) as s:
        entries = await audit.trail(s, after=after, limit=limit)
    return Log(
        entries=[
            Entry(
                sequence=one.sequence,
                at=one.at,
                actor_type=one.actor.type,
                actor_id=one.actor.id,
                action=one.action,
                target=one.target,
                details=one.details,
            )
            for one in entries
        ]
    )


async def read_events(call: Call, context: Context, since: Moment, until: Moment, limit: Limit = 200) -> Events:
    """From `since` to `until`, at most 91 days, oldest first."""
    if not timedelta(0) < until - since <= _LONGEST:
        raise Problem(422, "unreadable", "Ask for a range of at most 91 days.")
    async with context.db.tenant(call.person.tenant_id, readonly=True) as s:
        found = await events.events(s, since, until, days=context.days, limit=limit)
    return Events(events=[json.loads(events.as_json(one)) for one in found])


RESOURCE = Resource(
    name="records",
    operations=(
        Operation(method="GET", path="/audit", access=Permission.READ_RECORDS, run=read_audit, answer=Log),
        Operation(method="GET", path="/events", access=Permission.READ_RECORDS, run=read_events, answer=Events),
    ),
)
