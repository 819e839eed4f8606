"""The worker process of the evidence engine: real processes, no clock in the assertions."""

import asyncio
import os
import time

import pytest

from agents.evidence_pool import EvidencePool


def pid() -> int:
    return os.getpid()


def sleep_long(seconds: float) -> None:
    time.sleep(seconds)


def die() -> None:
    os._exit(1)


def fail() -> None:
    raise ValueError("no such series")


async def test_work_runs_in_another_process_which_is_kept() -> None:
    pool = EvidencePool()
    try:
        first, second = await pool.run(pid), await pool.run(pid)
        assert first == second != os.getpid()
    finally:
        pool.close()


async def test_a_caller_that_gives_up_does_not_hold_up_the_next() -> None:
    pool = EvidencePool()
    try:
        before = await pool.run(pid)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(pool.run(sleep_long, 600.0), 0.5)
        async with asyncio.timeout(60):
            assert await pool.run(pid) != before
    finally:
        pool.close()


async def test_a_worker_that_died_is_replaced_and_an_error_reaches_the_caller() -> None:
    pool = EvidencePool()
    try:
        with pytest.raises(Exception, match="terminated abruptly"):
            await pool.run(die)
        with pytest.raises(ValueError, match="no such series"):
            await pool.run(fail)
        assert await pool.run(pid) != os.getpid()
    finally:
        pool.close()
