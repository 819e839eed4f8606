"""Events are valid CloudEvents from a closed vocabulary."""

from datetime import timedelta
from typing import Any

import pytest

from store.audit import Actor
from store.events import emit, events
from store.session import Database


async def test_events_come_back_in_their_order_and_range(database: Database, two_tenants: Any, clock: Any) -> None:
    async with database.tenant(two_tenants[0]) as s:
        first = await emit(s, "ai.autoheal.incident.opened.v1", "incident-1", {"number": 1})
        start = clock.advance(timedelta(minutes=1))
        actor = Actor(type="user", id="user-1")
        second = await emit(s, "ai.autoheal.approval.approved.v1", "approval-1", actor=actor)
        found = await events(s, start - timedelta(minutes=1), start)
        assert [event.get_attributes() for event in found] == [first.get_attributes()]
        found = await events(s, start, start + timedelta(seconds=1))
        assert [event.get_attributes() for event in found] == [second.get_attributes()]
    assert first.get_data() == {"number": 1}
    assert first.get_extension("tenantid") == two_tenants[0]
    assert (second.get_extension("actortype"), second.get_extension("actorid")) == ("user", "user-1")
    assert second.get_extension("sequence") > first.get_extension("sequence")
    async with database.tenant(two_tenants[1]) as s:
        assert await events(s, start - timedelta(days=1), start + timedelta(days=1)) == []


async def test_types_outside_the_vocabulary_are_refused(sqlite_database: Database, two_tenants: Any) -> None:
    async with sqlite_database.tenant(two_tenants[0]) as s:
        for name in ("incident.opened", "ai.autoheal.incident.exploded.v1", "ai.autoheal.incident.opened.v2"):
            with pytest.raises(ValueError, match="vocabulary"):
                await emit(s, name, "x")
