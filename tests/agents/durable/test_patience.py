"""Trouble of the store is waited out, for a bounded time and nothing else."""

from datetime import timedelta

import pytest

from agents.durable.patience import Patience
from store.errors import StoreBusy


class Naps:
    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


class Work:
    """Fails so many times."""

    def __init__(self, times: int, error: Exception) -> None:
        self.left, self.error = times, error

    async def __call__(self) -> str:
        if self.left:
            self.left -= 1
            raise self.error
        return "done"


async def test_a_store_that_is_busy_is_asked_again_ever_more_slowly() -> None:
    naps = Naps()
    patience = Patience(longest=timedelta(minutes=1), sleep=naps)
    assert await patience.outlast(Work(4, StoreBusy("busy")), what="a test") == "done"
    assert naps.seconds == sorted(naps.seconds)
    assert len(naps.seconds) == 4


async def test_patience_ends() -> None:
    naps = Naps()
    with pytest.raises(StoreBusy):
        await Patience(longest=timedelta(minutes=1), sleep=naps).outlast(Work(10_000, StoreBusy("busy")), what="a test")
    assert 60 <= sum(naps.seconds) < 120


async def test_what_does_not_pass_is_raised_at_once() -> None:
    naps = Naps()
    with pytest.raises(ValueError, match="ours"):
        await Patience(sleep=naps).outlast(Work(1, ValueError("ours")), what="a test")
    assert naps.seconds == []
