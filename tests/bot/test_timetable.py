"""Triggers: what fails is tried again at the next tick, and nothing runs twice at once."""

import asyncio
import itertools
import logging
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import time_machine

from bot import assemble
from bot.timetable import Timetable

SOON = timedelta(milliseconds=20)


async def test_a_job_that_fails_is_logged_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    twice = asyncio.Event()
    tries = 0

    async def work() -> None:
        nonlocal tries
        tries += 1
        if tries == 2:
            twice.set()
        raise OSError("the disk is gone: secret")

    timetable = Timetable()
    timetable.every(SOON, work, name="sweep")
    with caplog.at_level(logging.ERROR, logger="autoheal.timetable"):
        timetable.start()
        await asyncio.wait_for(twice.wait(), 60)
        timetable.stop()
    assert "OSError" in caplog.text
    assert "secret" not in caplog.text


async def test_a_slow_job_never_runs_twice_at_once() -> None:
    running = most = 0
    done = asyncio.Event()

    async def work() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.1)
        running -= 1
        done.set()

    timetable = Timetable()
    timetable.every(SOON, work, name="slow")
    timetable.start()
    await asyncio.wait_for(done.wait(), 60)
    timetable.stop()
    assert most == 1
    await asyncio.sleep(0.12)


async def test_only_who_leads_works_except_for_what_concerns_the_process_itself() -> None:
    leads, done = False, list[str]()
    happened = asyncio.Event()

    async def work(name: str) -> None:
        done.append(name)
        happened.set()

    timetable = Timetable(lambda: leads)
    timetable.every(SOON, lambda: work("the leader's"), name="leader", at_start=True)
    timetable.every(SOON, lambda: work("everybody's"), name="everybody", everywhere=True)
    timetable.start()
    await asyncio.wait_for(happened.wait(), 60)
    assert set(done) == {"everybody's"}
    leads = True
    async with asyncio.timeout(60):
        while "the leader's" not in done:
            happened.clear()
            await happened.wait()
    timetable.stop()


async def test_ticks_that_were_missed_are_run_once(monkeypatch: pytest.MonkeyPatch) -> None:
    runs, ran = 0, asyncio.Event()

    async def work() -> None:
        nonlocal runs
        runs += 1
        ran.set()

    timetable = Timetable()
    with time_machine.travel(datetime(2026, 11, 5, tzinfo=UTC), tick=True) as clock:
        timetable.every(timedelta(hours=1), work, name="hourly", at_start=True)
        timetable.start()
        await asyncio.wait_for(ran.wait(), 60)
        ran.clear()
        clock.shift(timedelta(hours=5, seconds=30))  # as when the machine slept, or the loop was blocked
        timetable._scheduler.wakeup()
        await asyncio.wait_for(ran.wait(), 60)
        await asyncio.sleep(5 * SOON.total_seconds())
        timetable.stop()
    assert runs == 2


async def test_each_replica_reconciles_and_only_the_leader_does_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """As `serve` plans it, with every other piece of work in reach of the clock."""
    looked, done = asyncio.Event(), list[str]()

    class Look:
        def __init__(self, *_: object) -> None:
            pass

        async def look(self) -> None:
            looked.set()

    async def other(*_: object) -> None:
        done.append("other")

    numbers = itertools.count()

    class Plans:
        def plan(self, timetable: Timetable) -> None:
            timetable.every(SOON, other, name=f"plan {next(numbers)}", at_start=True)

    class Follower:
        def leads(self) -> bool:
            return False

    monkeypatch.setattr(assemble, "Reconciler", Look)
    for name in ("SWEEP_EVERY", "FORGET_EVERY", "TIDY_EVERY", "HOUSEKEEPING_EVERY"):
        monkeypatch.setattr(assemble, name, SOON)
    for name in ("sweep", "forget_finished", "forget_ended", "keep_house"):
        monkeypatch.setattr(assemble, name, other)
    runtime: Any = SimpleNamespace(db=None)
    plans: Any = Plans()
    follower: Any = Follower()
    timetable = assemble.plan_work(runtime, follower, plans, plans, plans)
    timetable.start()
    for _ in range(2):  # at the start, and again when it is asked once more
        await asyncio.wait_for(looked.wait(), 10)
        looked.clear()
        job = next(one for one in timetable._scheduler.get_jobs() if one.id == "reconcile")
        job.modify(next_run_time=datetime.now(UTC))
    timetable.stop()
    assert done == []
