"""Events are valid CloudEvents from a closed vocabulary; none is lost or doubled on its way to its day."""

import json
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cloudevents.core.bindings.http import from_http_event, to_binary_event, to_structured_event
from cloudevents.core.exceptions import CloudEventValidationError
from cloudevents.core.formats.json import JSONFormat

from store.audit import Actor
from store.audit.event_days import EventDays, StoredEvent, open_event_days
from store.audit.event_relay import relay
from store.audit.events import as_json, emit, events, stream, valid_event
from store.audit.vocabulary import EVENTS
from store.database.session import Database
from store.ids import TenantId

LONG_AGO, LATER = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


@pytest.fixture
async def days(request: pytest.FixtureRequest, clock: Any) -> AsyncIterator[EventDays]:
    place = request.getfixturevalue("store_place" if "database" in request.fixturenames else "sqlite_place")
    opened = open_event_days(place.url, clock=clock)
    yield opened
    await opened.expire(LATER.date())
    await opened.close()


async def _emit(database: Database, tenant_id: TenantId, *numbers: int) -> list[str]:
    async with database.tenant(tenant_id) as s:
        made = [await emit(s, "ai.autoheal.incident.opened.v1", f"incident-{n}", {"number": n}) for n in numbers]
    return [event.get_id() for event in made]


async def _ids(database: Database, tenant_id: TenantId, days: EventDays) -> list[str]:
    async with database.tenant(tenant_id, readonly=True) as s:
        return [event.get_id() for event in await events(s, LONG_AGO, LATER, days=days)]


async def test_events_come_back_in_their_order_and_range(
    database: Database, two_tenants: Any, clock: Any, days: EventDays
) -> None:
    async with database.tenant(two_tenants[0]) as s:
        first = await emit(s, "ai.autoheal.incident.opened.v1", "incident-1", {"number": 1})
    start = clock.advance(timedelta(minutes=1))
    await relay(database, days)  # the first is in its day, the second in the outbox
    async with database.tenant(two_tenants[0]) as s:
        actor = Actor(type="user", id="user-1")
        second = await emit(s, "ai.autoheal.approval.approved.v1", "approval-1", actor=actor)
    async with database.tenant(two_tenants[0], readonly=True) as s:
        found = await events(s, start - timedelta(minutes=1), start, days=days)
        assert [event.get_attributes() for event in found] == [first.get_attributes()]
        found = await events(s, start, start + timedelta(seconds=1), days=days)
        assert [event.get_attributes() for event in found] == [second.get_attributes()]
        assert len(await events(s, LONG_AGO, LATER, days=days)) == 2
        assert len(await events(s, LONG_AGO, LATER, days=days, limit=1)) == 1
    assert first.get_data() == {"number": 1}
    assert first.get_extension("tenantid") == two_tenants[0]
    assert (second.get_extension("actortype"), second.get_extension("actorid")) == ("user", "user-1")
    assert second.get_extension("sequence") > first.get_extension("sequence")
    assert await _ids(database, two_tenants[1], days) == []


async def test_the_relay_empties_the_outbox_and_keeps_tenants_apart(
    database: Database, two_tenants: Any, days: EventDays
) -> None:
    a, b = two_tenants
    ids_a, ids_b = await _emit(database, a, *range(7)), await _emit(database, b, *range(5))
    assert await relay(database, days) == 12
    assert await relay(database, days) == 0
    assert await _ids(database, a, days) == ids_a
    assert await _ids(database, b, days) == ids_b
    assert len(await days.query(a, LONG_AGO, LATER, limit=100)) == 7


class _Dying:
    """Stores the events, and the process dies before it hears so."""

    def __init__(self, days: EventDays) -> None:
        self._days = days

    async def append(self, batch: Sequence[StoredEvent]) -> None:
        await self._days.append(batch)
        raise ConnectionResetError

    def __getattr__(self, name: str) -> Any:
        return getattr(self._days, name)


async def test_a_crash_in_the_middle_of_the_relay_loses_and_doubles_nothing(
    database: Database, two_tenants: Any, days: EventDays
) -> None:
    ids = await _emit(database, two_tenants[0], *range(5))
    with pytest.raises(ConnectionResetError):
        await relay(database, _Dying(days))
    assert await _ids(database, two_tenants[0], days) == ids  # in both places, told once
    ids += await _emit(database, two_tenants[0], 5)
    assert await relay(database, days) == 6
    assert await _ids(database, two_tenants[0], days) == ids
    assert len(await days.query(two_tenants[0], LONG_AGO, LATER, limit=100)) == 6


async def test_events_that_waited_too_long_find_their_day(
    database: Database, two_tenants: Any, clock: Any, days: EventDays
) -> None:
    ids = await _emit(database, two_tenants[0], 1)
    clock.advance(timedelta(days=80))
    await relay(database, days)
    assert await _ids(database, two_tenants[0], days) == ids


async def test_a_rolled_back_action_emits_nothing(database: Database, two_tenants: Any, days: EventDays) -> None:
    async def interrupted() -> None:
        async with database.tenant(two_tenants[0]) as s:
            await emit(s, "ai.autoheal.incident.opened.v1", "x")
            raise KeyError

    with pytest.raises(KeyError):
        await interrupted()
    assert await relay(database, days) == 0


async def test_a_stream_reads_both_places_a_page_at_a_time(
    sqlite_database: Database, two_tenants: Any, clock: Any, days: EventDays, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.audit.events._PAGE", 3)
    wanted: list[str] = []
    for number in range(8):
        wanted += await _emit(sqlite_database, two_tenants[0], number)
        clock.advance(timedelta(hours=7))
        if number < 6:
            await relay(sqlite_database, days)
    found = [event async for event in stream(sqlite_database, two_tenants[0], LONG_AGO, LATER, days=days)]
    assert [event.get_id() for event in found] == wanted
    lines = [json.loads(as_json(event)) for event in found]
    assert {line["specversion"] for line in lines} == {"1.0"}
    assert [line["data"]["number"] for line in lines] == list(range(8))


async def test_every_type_is_a_valid_cloud_event(sqlite_database: Database, two_tenants: Any) -> None:
    async with sqlite_database.tenant(two_tenants[0]) as s:
        for noun, verbs in EVENTS.items():
            for verb in verbs:
                event = await emit(
                    s, f"ai.autoheal.{noun}.{verb}.v1", "x", {"n": 1}, actor=Actor(type="system", id="autoheal")
                )
                for message in (to_structured_event(event, JSONFormat()), to_binary_event(event, JSONFormat())):
                    back = from_http_event(message, JSONFormat())
                    assert back.get_attributes() == event.get_attributes()
                    assert back.get_data() == {"n": 1}
                assert b"\n" not in as_json(event)


@pytest.mark.parametrize(
    "wrong",
    [
        {"source": "not a uri"},
        {"source": "/autoheal/%zz"},
        {"source": ""},
        {"extensionnamesoftwenty": "x"},
        {"Upper": "x"},
        {"under_score": "x"},
        {"data": "x"},
        {"time": datetime(2026, 1, 1)},  # noqa: DTZ001 - a time without a zone is what is refused
        {"specversion": "0.3"},
        {"id": ""},
    ],
)
def test_what_cloud_events_does_not_allow_is_refused(wrong: dict[str, Any]) -> None:
    attributes = {"id": "1", "source": "/autoheal", "specversion": "1.0", "type": "x", "time": LATER}
    assert valid_event({**attributes, "twentysmallcharacter": "x"}, {}).get_id() == "1"
    with pytest.raises((ValueError, CloudEventValidationError)):
        valid_event(attributes | wrong, {})


async def test_types_outside_the_vocabulary_are_refused(sqlite_database: Database, two_tenants: Any) -> None:
    async with sqlite_database.tenant(two_tenants[0]) as s:
        for name in ("incident.opened", "ai.autoheal.incident.exploded.v1", "ai.autoheal.incident.opened.v2"):
            with pytest.raises(ValueError, match="vocabulary"):
                await emit(s, name, "x")
