"""Locks of replicas on a real PostgreSQL: who leads, who takes over from whom, and what an outage does."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack

import psycopg
import pytest

from agents.durable import replica_lock
from agents.durable.process_lock import ProcessLockLost
from agents.durable.replica_lock import ReplicaLock, take_replica_lock

SOON = 0.05

Take = Callable[..., Awaitable[ReplicaLock]]
Server = psycopg.Connection[tuple[object, ...]]


def work_of(*slots: str) -> str:
    """As the engine says it: the names with unfinished work."""
    return " UNION ALL ".join(f"SELECT '{slot}'::text" for slot in slots)


class Seen:
    """What a lock reports."""

    def __init__(self) -> None:
        self.adopted: list[str] = []
        self.lost: list[ProcessLockLost] = []
        self.happened = asyncio.Event()

    async def adopt(self, slot: str) -> None:
        self.adopted.append(slot)
        self.happened.set()

    def lose(self, lost: ProcessLockLost) -> None:
        self.lost.append(lost)
        self.happened.set()

    async def wait(self) -> None:
        await asyncio.wait_for(self.happened.wait(), 30)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replica_lock, "_ROUND_S", SOON)
    monkeypatch.setattr(replica_lock, "_AGAIN_S", SOON)


@pytest.fixture
async def take(postgres_server: str) -> AsyncIterator[Take]:
    """Takes locks that are given back at the end."""
    async with AsyncExitStack() as stack:

        async def take_one(work: str = "SELECT NULL::text WHERE false") -> ReplicaLock:
            slot = await take_replica_lock(postgres_server, work=work)
            stack.push_async_callback(slot.release)
            return slot

        yield take_one


@pytest.fixture
def server(postgres_server: str) -> Iterator[Server]:
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        yield connection


def end_session(server: Server, slot: ReplicaLock) -> None:
    """As a restart of the server does."""
    server.execute("SELECT pg_terminate_backend(%s)", (slot._connection.info.backend_pid,))


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not holds():  # noqa: ASYNC110 -- it happens on the server
            await asyncio.sleep(SOON)


async def test_one_leads_and_when_it_is_gone_another_does(take: Take) -> None:
    first, second = await take(), await take()
    assert (first.leads(), second.leads()) == (True, False)
    second.keep(Seen().adopt, Seen().lose)
    await asyncio.sleep(4 * SOON)
    assert not second.leads()
    await first.release()
    await until(second.leads)


async def test_work_that_a_dead_replica_left_is_taken_over_and_what_lives_is_left_alone(take: Take) -> None:
    alive = await take()
    seen = Seen()
    taker = await take(work_of("slot-0", "slot-1", "slot-7", "slot-99999", "local"))
    assert (alive.name, taker.name) == ("slot-0", "slot-1"), "a start takes the free name that has work"
    taker.keep(seen.adopt, seen.lose)
    await seen.wait()
    assert set(seen.adopted) == {"slot-7"}


async def test_a_name_whose_work_was_taken_over_can_be_taken_again(take: Take) -> None:
    await take()
    seen = Seen()
    taker = await take(work_of("slot-0"))
    taker._work = work_of("slot-2")
    taker.keep(seen.adopt, seen.lose)
    await seen.wait()
    await until(lambda: len(seen.adopted) > 1)
    taker._work = replica_lock._NO_WORK
    await asyncio.sleep(4 * SOON)
    third = await take()
    assert third.name == "slot-2"


async def test_a_takeover_that_fails_is_tried_again(take: Take) -> None:
    tried = 0

    async def adopt(_slot: str) -> None:
        nonlocal tried
        tried += 1
        raise OSError("the network")

    taker = await take(work_of("slot-5"))
    taker._work = work_of("slot-6")
    taker.keep(adopt, Seen().lose)
    await until(lambda: tried > 1)


async def test_after_an_outage_the_lock_is_held_again(take: Take, server: Server) -> None:
    seen = Seen()
    slot = await take()
    slot.keep(seen.adopt, seen.lose)
    before = slot._connection
    end_session(server, slot)
    await until(lambda: slot._connection is not before and slot.leads())
    row = server.execute("SELECT pg_try_advisory_lock(%s, 0)", (replica_lock._NAMESPACE,)).fetchone()
    assert (row, seen.lost) == ((False,), [])


async def stands_in_line(url: str) -> None:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as watching, asyncio.timeout(60):
        while True:
            asked = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            row = await (await watching.execute(asked)).fetchone()
            if row == (1,):
                return
            await asyncio.sleep(SOON)


async def test_whose_place_was_taken_while_the_server_was_away_is_told_to_end(
    take: Take, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replica_lock, "_TAKEN_S", 0.0)
    seen = Seen()
    slot = await take()
    slot.keep(seen.adopt, seen.lose)
    async with await psycopg.AsyncConnection.connect(slot._url, autocommit=True) as another:
        waits = another.execute("SELECT pg_advisory_lock(%s, 0)", (replica_lock._NAMESPACE,))
        taking = asyncio.create_task(waits)
        await stands_in_line(slot._url)  # before the replica loses its lock
        end_session(server, slot)
        await taking
        await seen.wait()
    assert "another replica took this one's place" in str(seen.lost[0])
    assert not slot.leads()


async def test_a_server_that_stays_away_ends_the_wait(
    take: Take, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replica_lock, "_AWAY_S", 0.0)
    seen = Seen()
    slot = await take()
    slot.keep(seen.adopt, seen.lose)
    slot._url = "postgresql://nobody@127.0.0.1:1/nothing"
    end_session(server, slot)
    await seen.wait()
    assert "did not answer" in str(seen.lost[0])


async def test_the_server_ends_a_session_that_says_nothing_so_a_stopped_process_holds_nothing(take: Take) -> None:
    slot = await take()
    row = await (await slot._connection.execute("SHOW idle_session_timeout")).fetchone()
    assert row == ("30s",)
