"""The queue before the evidence workers: real processes, no clock in the assertions."""

import asyncio
import os
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from fakes.evidence_jobs import die, die_once, fail, nothing, pid, sleep, spin, swell, write

from agents.processes.evidence_pool import EvidencePool, Overloaded
from agents.processes.evidence_worker import Limits, Overran, Worker, WorkerDied

LONG = 600.0


def pool_of(workers: int = 2, **limits: Any) -> Any:
    return closing(EvidencePool(workers=workers, limits=Limits(**limits), preload=("fakes.evidence_jobs",)))


@pytest.fixture
def pool() -> Iterator[EvidencePool]:
    with pool_of() as made:
        yield made


async def test_work_runs_in_another_process_which_is_kept(pool: EvidencePool) -> None:
    first, second = await pool.run(pid), await pool.run(pid)
    assert first == second != os.getpid()


async def test_a_worker_that_died_costs_one_more_try_and_then_an_error_of_that_call(
    pool: EvidencePool, tmp_path: Path
) -> None:
    assert await pool.run(die_once, str(tmp_path / "mark")) == "done"
    with pytest.raises(WorkerDied):
        await pool.run(die)
    with pytest.raises(ValueError, match="no such series"):
        await pool.run(fail)
    assert await pool.run(pid) != os.getpid()


async def test_a_caller_that_gives_up_ends_no_work_and_does_not_hold_up_the_next(pool: EvidencePool) -> None:
    steady = asyncio.create_task(pool.run(sleep, 0.5))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(pool.run(sleep, LONG), 0.1)
    assert await steady > 0
    async with asyncio.timeout(60):
        assert await pool.run(pid) > 0


@pytest.mark.parametrize(("endless", "limit"), [(sleep, {"clock_s": 0.5}), (spin, {"processor_s": 0.2})])
async def test_a_job_that_overruns_is_ended_and_nobody_else_notices(endless: Any, limit: dict[str, float]) -> None:
    with pool_of(workers=1, **limit) as pool:
        slow = asyncio.create_task(pool.run(endless, LONG))
        others = [asyncio.create_task(pool.run(pid)) for _ in range(5)]
        with pytest.raises(Overran, match="was given up"):
            await slow
        assert len(set(await asyncio.gather(*others))) == 1


async def test_who_waits_too_long_is_told_so_and_never_begun(tmp_path: Path) -> None:
    with pool_of(workers=1, wait_s=0.2) as pool:
        busy = asyncio.create_task(pool.run(sleep, 0.6))
        await asyncio.sleep(0)
        with pytest.raises(Overloaded, match="too busy"):
            await pool.run(write, str(tmp_path / "late"))
        await busy
        await pool.run(pid)
    assert not (tmp_path / "late").exists()


async def test_who_gives_up_in_the_queue_is_struck_from_it_and_kills_nobody(tmp_path: Path) -> None:
    with pool_of(workers=1) as pool:
        before = await pool.run(pid)
        busy = asyncio.create_task(pool.run(sleep, 0.4))
        await asyncio.sleep(0)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(pool.run(write, str(tmp_path / "late")), 0.1)
        assert await busy == before == await pool.run(pid)
    assert not (tmp_path / "late").exists()


async def test_a_storm_is_answered_in_part_and_refused_in_part_but_never_lost() -> None:
    """Four times what two workers can do: what the queue can hold in time is done, the rest is told at once."""
    with pool_of(wait_s=0.3) as pool:
        await asyncio.gather(pool.run(pid), pool.run(pid))
        ended = await asyncio.gather(*(pool.run(sleep, 0.1) for _ in range(40)), return_exceptions=True)
    done = [one for one in ended if isinstance(one, int)]
    assert len(done) + sum(isinstance(one, Overloaded) for one in ended) == 40
    assert len(done) >= 4
    assert len(set(done)) == 2  # no worker was ended by it


async def test_a_warm_pool_holds_a_spare_that_takes_over() -> None:
    with pool_of(workers=1, clock_s=0.5) as pool:
        await pool.warm()
        assert len(pool._idle) == 2
        first, spare = await pool.run(pid), pool._idle[0]
        with pytest.raises(Overran):
            await pool.run(sleep, LONG)
        assert await pool.run(pid) == spare._process.pid != first


async def test_no_spare_is_held_where_memory_does_not_allow_it() -> None:
    with pool_of(idle_bytes=1) as pool:
        await pool.warm()
        assert len(pool._idle) == 1


async def test_a_worker_that_holds_too_much_memory_makes_room_for_a_fresh_one() -> None:
    with pool_of(idle_bytes=50_000_000) as pool:
        swelled = await pool.run(swell, 60_000_000)
        assert await pool.run(pid) != swelled


async def test_what_cannot_be_sent_is_told_to_the_caller_alone(pool: EvidencePool) -> None:
    before = await pool.run(pid)
    with pytest.raises(Exception, match=r"pickle|local"):
        await pool.run(nothing, lambda: None)
    assert await pool.run(pid) == before


async def test_who_waits_when_the_pool_is_closed_is_told() -> None:
    with pool_of(workers=1) as pool:
        waiting = [asyncio.create_task(pool.run(sleep, LONG)) for _ in range(2)]
        await asyncio.sleep(0.1)
        pool.close()
        for task in waiting:
            with pytest.raises(WorkerDied):
                await task


async def test_a_worker_that_ends_before_its_job_reaches_it_is_an_error_of_the_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ended, lost, give = threading.Event(), EvidencePool.lost, Worker.give

    def tell(*args: Any) -> None:
        ended.set()
        lost(*args)

    def late(*args: Any) -> None:
        ended.wait()
        give(*args)

    monkeypatch.setattr(EvidencePool, "lost", tell)
    monkeypatch.setattr(Worker, "give", late)
    monkeypatch.setattr("sys.executable", "/nonexistent/python")
    with pool_of() as pool, pytest.raises(WorkerDied, match="cannot be started"):
        await asyncio.wait_for(pool.run(pid), 60)


async def test_a_worker_that_cannot_be_started_is_an_error_of_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/nonexistent/python")
    with pool_of() as pool:
        with pytest.raises(WorkerDied):
            await pool.run(pid)
        with suppress(WorkerDied):
            await pool.warm()
        assert not pool._idle


async def test_tenants_take_turns() -> None:
    done: list[str] = []

    async def work(tenant: str) -> None:
        await pool.of(tenant).run(pid)
        done.append(tenant)

    with pool_of(workers=1) as pool:
        await pool.run(pid)
        busy = asyncio.create_task(pool.of("storms").run(sleep, 0.3))
        await asyncio.sleep(0)
        await asyncio.gather(*(work("storms") for _ in range(6)), work("quiet"), busy)
    assert done.index("quiet") <= 1
