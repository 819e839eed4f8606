"""What was acknowledged is on disk, once."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from store.database.session import Database
from store.errors import NotFound, UnknownTenant
from store.ids import InboxId, TenantId, new_id
from store.inbox import Arrival, Inbox, RecordedArrival, arrival, mark, pending
from store.keys.local_keys import LocalFileKeys
from store.secrets.redaction import RedactionFailed


def _arrival(external_id: str, **payload: Any) -> Arrival:
    return Arrival(source="slack", external_id=external_id, kind="app_mention", payload=payload)


async def test_concurrent_arrivals_are_recorded_once_each(database: Database, two_tenants: Any) -> None:
    inbox = Inbox(database)
    results = await asyncio.gather(
        *(inbox.record(tenant_id, _arrival(f"Ev{n % 60}", n=n)) for n in range(120) for tenant_id in two_tenants)
    )
    assert sum(result.is_new for result in results) == 120
    assert len({result.inbox_id for result in results}) == 120


async def test_a_repeated_arrival_gets_the_id_of_the_first(database: Database, two_tenants: Any) -> None:
    inbox = Inbox(database)
    first = await inbox.record(two_tenants[0], _arrival("Ev1", text="first"))
    again = await Inbox(database).record(two_tenants[0], _arrival("Ev1", text="second"))
    assert again == RecordedArrival(inbox_id=first.inbox_id, is_new=False)
    async with database.tenant(two_tenants[0]) as s:
        stored = await arrival(s, first.inbox_id)
    assert stored is not None
    assert (stored.payload, stored.state) == ({"text": "first"}, "received")


async def test_a_recorded_arrival_is_there_after_the_process_dies(
    store_place: Any, database: Database, two_tenants: Any
) -> None:
    recorded = await Inbox(database).record(two_tenants[0], _arrival("Ev1", text="kept"))
    again = await Database.open(
        store_place.url, keyring_url=store_place.keyring_url, keys=LocalFileKeys(store_place.key_file)
    )
    async with again.tenant(two_tenants[0], readonly=True) as s:
        stored = await arrival(s, recorded.inbox_id)
    await again.close()
    assert stored is not None
    assert stored.payload == {"text": "kept"}


async def test_the_payload_is_redacted_but_for_named_keys(sqlite_database: Database, two_tenants: Any) -> None:
    token = "xoxb-123456789012-abcdefghijkl"
    payload = {"text": f"use {token}", "response_url": f"https://hooks.slack.com/actions/T1/2/{token}"}
    recorded = await Inbox(sqlite_database).record(
        two_tenants[0],
        Arrival(
            source="slack",
            external_id="Ev1",
            kind="block_actions",
            payload=payload,
            verbatim_keys=frozenset({"response_url"}),
        ),
    )
    async with sqlite_database.tenant(two_tenants[0]) as s:
        stored = await arrival(s, recorded.inbox_id)
    assert stored is not None
    assert stored.payload == {"text": "use [redacted:slack_token]", "response_url": payload["response_url"]}


async def test_one_bad_arrival_does_not_take_its_batch_with_it(sqlite_database: Database, two_tenants: Any) -> None:
    inbox = Inbox(sqlite_database)
    good, bad, other = await asyncio.gather(
        inbox.record(two_tenants[0], _arrival("Ev1")),
        inbox.record(two_tenants[0], _arrival("Ev2", value=object())),
        inbox.record(two_tenants[0], _arrival("Ev3")),
        return_exceptions=True,
    )
    assert isinstance(bad, RedactionFailed)
    assert isinstance(good, RecordedArrival)
    assert isinstance(other, RecordedArrival)
    with pytest.raises(ValueError, match="identifier"):
        await inbox.record(two_tenants[0], _arrival("an id with spaces"))


async def test_a_cancelled_caller_does_not_cancel_the_others(sqlite_database: Database, two_tenants: Any) -> None:
    inbox = Inbox(sqlite_database)
    tasks = [asyncio.create_task(inbox.record(two_tenants[0], _arrival(f"Ev{n}"))) for n in range(3)]
    await asyncio.sleep(0)
    tasks[0].cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    assert [isinstance(result, RecordedArrival) for result in results[1:]] == [True, True]


async def test_an_unknown_tenant_is_refused(sqlite_database: Database) -> None:
    with pytest.raises(UnknownTenant):
        await Inbox(sqlite_database).record(TenantId(new_id()), _arrival("Ev1"))


async def test_the_sweep_finds_what_a_crash_left_in_all_tenants(
    database: Database, two_tenants: Any, clock: Any
) -> None:
    inbox = Inbox(database)
    left = [await inbox.record(tenant_id, _arrival("Ev1")) for tenant_id in two_tenants]
    done = await inbox.record(two_tenants[0], _arrival("Ev2"))
    async with database.tenant(two_tenants[0]) as s:
        await mark(s, done.inbox_id, "enqueued")
        await mark(s, done.inbox_id, "failed", "no password=hunter22 for you")
        stored = await arrival(s, done.inbox_id)
    assert stored is not None
    assert (stored.state, stored.note) == ("failed", "no password=[redacted:password] for you")
    assert await pending(database, timedelta(seconds=5)) == []
    clock.advance(timedelta(seconds=5))
    assert set(await pending(database, timedelta(seconds=5))) == {
        (tenant_id, recorded.inbox_id) for tenant_id, recorded in zip(two_tenants, left, strict=True)
    }


async def test_marking_what_never_arrived_is_an_error(sqlite_database: Database, two_tenants: Any) -> None:
    async with sqlite_database.tenant(two_tenants[0]) as s:
        with pytest.raises(NotFound):
            await mark(s, InboxId(new_id()), "done")
