"""Time for the workspace: the machine's clock, or one that a test moves by hand.

Everything that waits (3 s acknowledgements, retries after 1 and 5 minutes, streams that end after 5 minutes)
waits here, so that a test never sleeps for real.
"""

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    def time(self) -> float:
        """Seconds since the epoch."""
        ...

    async def sleep(self, seconds: float) -> None: ...


class SystemClock:
    def time(self) -> float:
        return time.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class ManualClock:
    """Stands still until `advance` is called.

    Starts at the machine's time unless told otherwise, because Slack's signature check compares with it.
    """

    def __init__(self, start: float | None = None) -> None:
        self._now = time.time() if start is None else start
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []
        self._somebody_lay_down = asyncio.Event()

    def time(self) -> float:
        return self._now

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        woken = asyncio.get_running_loop().create_future()
        self._sleepers.append((self._now + seconds, woken))
        self._somebody_lay_down.set()
        await woken

    async def until_asleep(self, seconds: float, *, sleepers: int = 1) -> None:
        """Returns once so many sleep for exactly that long from now: before that, moving the clock would miss them."""
        while self._asleep_for(seconds) < sleepers:
            self._somebody_lay_down.clear()
            await self._somebody_lay_down.wait()

    def _asleep_for(self, seconds: float) -> int:
        return sum(not woken.done() and abs(end - self._now - seconds) < 1e-3 for end, woken in self._sleepers)

    async def advance(self, seconds: float) -> None:
        """Move on by `seconds`; sleepers wake in the order of their deadlines."""
        end = self._now + seconds
        while due := [sleeper for sleeper in self._sleepers if sleeper[0] <= end]:
            deadline, woken = min(due, key=lambda sleeper: sleeper[0])
            self._sleepers.remove((deadline, woken))
            self._now = max(self._now, deadline)
            if not woken.done():
                woken.set_result(None)
            await asyncio.sleep(0)
        self._now = end
        await asyncio.sleep(0)
