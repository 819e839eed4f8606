"""A step ends with a word or a typed failure, whatever is cancelled in it, how long the store is away, or who stops."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from agents.durable.patience import Patience
from agents.durable.steps import Steps
from agents.workflow import StepFailed
from store.errors import StoreBusy

RUN = "t:1:investigate:1"
DRAIN = timedelta(seconds=30)


async def _at_once(_seconds: float) -> None:
    await asyncio.sleep(0)


@pytest.fixture
def steps() -> Steps:
    return Steps(Patience(longest=timedelta(minutes=1), sleep=_at_once))


async def _cancelled_elsewhere() -> str:
    """As when the worker that computes for several runs dies with somebody else's job."""
    shared: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    shared.cancel()
    return await shared


@asynccontextmanager
async def running(steps: Steps, work: "Hangs", *, effect: bool = False) -> AsyncIterator["asyncio.Task[str]"]:
    task = asyncio.create_task(steps.run(RUN, "work", work, effect=effect))
    await asyncio.wait_for(work.begun.wait(), 10)
    yield task
    task.cancel()
    await asyncio.wait({task})


class Hangs:
    """Until it is let go; `stubborn` work does not end when it is cancelled once."""

    def __init__(self, *, stubborn: bool = False) -> None:
        self.begun, self.let_go, self.stubborn = asyncio.Event(), asyncio.Event(), stubborn

    async def __call__(self) -> str:
        self.begun.set()
        while True:
            try:
                await self.let_go.wait()
            except asyncio.CancelledError:
                if not self.stubborn:
                    raise
                self.stubborn = False
            else:
                return "done"


async def test_a_cancellation_that_nobody_asked_of_this_step_is_another_attempt(steps: Steps) -> None:
    attempts = 0

    async def work() -> str:
        nonlocal attempts
        attempts += 1
        return await _cancelled_elsewhere() if attempts == 1 else "done"

    assert await steps.run(RUN, "work", work) == "done"
    assert attempts == 2


async def test_one_that_comes_again_and_again_is_a_typed_failure(steps: Steps) -> None:
    with pytest.raises(StepFailed) as failed:
        await steps.run(RUN, "work", _cancelled_elsewhere)
    assert failed.value.kind == StepFailed.CUT_OFF


async def test_a_store_that_is_away_for_a_while_costs_nothing(steps: Steps) -> None:
    left = 5

    async def work() -> str:
        nonlocal left
        if left:
            left -= 1
            raise StoreBusy("busy")
        return "done"

    assert await steps.run(RUN, "work", work) == "done"


async def test_a_store_that_stays_away_is_told_from_our_own_bug(steps: Steps) -> None:
    async def busy() -> str:
        raise StoreBusy("busy")

    async def bug() -> str:
        raise ZeroDivisionError

    kinds = []
    for work in (busy, bug):
        with pytest.raises(StepFailed) as failed:
            await steps.run(RUN, "work", work)
        kinds.append(failed.value.kind)
    assert kinds == [StepFailed.STORE, "ZeroDivisionError"]


async def test_a_stuck_step_can_be_interrupted(steps: Steps) -> None:
    async with running(steps, Hangs()) as task:
        assert steps.interrupt(RUN)
        with pytest.raises(StepFailed) as failed:
            await asyncio.wait_for(task, 60)
    assert failed.value.kind == StepFailed.INTERRUPTED
    assert not steps.interrupt(RUN)


async def test_work_that_swallows_its_cancellation_is_left_behind(
    steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agents.durable.steps._LETTING_GO_S", 0.05)
    async with running(steps, Hangs(stubborn=True)) as task:
        assert steps.interrupt(RUN)
        with pytest.raises(StepFailed):
            await asyncio.wait_for(task, 60)


async def test_a_cancellation_of_the_step_itself_passes(steps: Steps) -> None:
    async with running(steps, Hangs()) as task:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_at_a_stop_an_effect_is_let_finish_and_nothing_begins_any_more(steps: Steps) -> None:
    work = Hangs()
    async with running(steps, work, effect=True) as task:
        closing = asyncio.create_task(steps.close(DRAIN))
        await asyncio.sleep(0)
        with pytest.raises(asyncio.CancelledError):
            await steps.run("t:1:investigate:2", "another", Hangs())
        assert not closing.done()
        work.let_go.set()
        await asyncio.wait_for(closing, 60)
        assert await task == "done"


@pytest.mark.parametrize("effect", [False, True])
async def test_what_does_not_end_in_time_is_let_go_and_runs_again_at_the_next_start(
    steps: Steps, *, effect: bool
) -> None:
    async with running(steps, Hangs(), effect=effect) as task:
        await asyncio.wait_for(steps.close(timedelta(0)), 10)
        with pytest.raises(asyncio.CancelledError):
            await task
