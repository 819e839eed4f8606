"""Incidents are numbered without gaps within their tenant."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from store.database.session import Database
from store.errors import NotFound
from store.ids import IncidentId, new_id
from store.incidents import (
    Incident,
    Sight,
    candidates,
    incident,
    incident_for_thread,
    mitigate_incident,
    open_incident,
    resolve_incident,
    set_service,
    visible_incidents,
    work_on_incident,
)
from tests.fakes.incidents import open_incidents


async def _open(
    database: Database, tenant_id: Any, incident_id: str, thread_ts: str = "1.1", channel_id: str = "C1"
) -> Incident:
    async with database.tenant(tenant_id) as s:
        return await open_incident(
            s,
            id=IncidentId(incident_id),
            title=s.redactor.redact("boom"),
            channel_id=channel_id,
            thread_ts=thread_ts,
            opened_by=None,
        )


async def test_numbers_have_no_gaps_and_repeats_take_none(database: Database, two_tenants: Any) -> None:
    ids = [new_id() for _ in range(6)]
    opened = await asyncio.gather(*(_open(database, two_tenants[0], one) for one in ids * 2))
    assert sorted({one.number for one in opened}) == [1, 2, 3, 4, 5, 6]
    assert (await _open(database, two_tenants[1], ids[0])).number == 1


async def test_the_newest_incident_of_a_thread_is_found(database: Database, two_tenants: Any) -> None:
    await _open(database, two_tenants[0], new_id())
    newest = await _open(database, two_tenants[0], new_id())
    async with database.tenant(two_tenants[0]) as s:
        assert await incident_for_thread(s, "C1", "1.1") == newest
        assert await incident_for_thread(s, "C1", "9.9") is None
    async with database.tenant(two_tenants[1]) as s:
        assert await incident_for_thread(s, "C1", "1.1") is None


async def test_an_incident_lives_from_open_to_its_end_and_may_come_back(
    database: Database, two_tenants: Any, clock: Any
) -> None:
    opened = await _open(database, two_tenants[0], new_id())
    async with database.tenant(two_tenants[0]) as s:
        assert (await set_service(s, opened.id, "checkout")).service == "checkout"
        assert not await work_on_incident(s, opened.id)
        assert await mitigate_incident(s, opened.id)
        assert not await mitigate_incident(s, opened.id)
        assert await resolve_incident(s, opened.id, by="u1")
        first = await incident(s, opened.id)
        assert first is not None
        assert (first.status, first.ended_by, first.is_open) == ("resolved", "u1", False)
        clock.advance(timedelta(minutes=1))
        assert not await resolve_incident(s, opened.id, status="false_alarm")
        assert not await mitigate_incident(s, opened.id)
        assert await incident(s, opened.id) == first
        assert await open_incidents(s) == []
        assert await candidates(s, ended_since=s.now() - timedelta(minutes=5)) == [first]
        assert await candidates(s, ended_since=s.now()) == []
        assert await work_on_incident(s, opened.id)
        again = await incident(s, opened.id)
        assert again is not None
        assert (again.status, again.resolved_at, again.mitigated_at, again.ended_by) == (
            "investigating",
            None,
            None,
            None,
        )
        assert await open_incidents(s) == [again]


async def test_unknown_incidents_are_refused(sqlite_database: Database, two_tenants: Any) -> None:
    async with sqlite_database.tenant(two_tenants[0]) as s:
        assert await incident(s, IncidentId(new_id())) is None
        for change in (resolve_incident, mitigate_incident, work_on_incident):
            with pytest.raises(NotFound):
                await change(s, IncidentId(new_id()))


async def test_only_what_somebody_may_see_is_listed(database: Database, two_tenants: Any) -> None:
    for number, channel in enumerate(("C1", "C2", "D1", "")):
        await _open(database, two_tenants[0], new_id(), thread_ts=f"{number}.1", channel_id=channel)
    async with database.tenant(two_tenants[0]) as s:
        assert [one.channel_id for one in await visible_incidents(s, Sight(channels=frozenset({"C2"})))] == ["", "C2"]
        assert [one.channel_id for one in await visible_incidents(s, Sight())] == [""]
    async with database.tenant(two_tenants[1]) as s:
        assert await visible_incidents(s, Sight(channels=frozenset({"C1", "C2"}))) == []
