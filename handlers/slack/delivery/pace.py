"""How fast we may speak: a token bucket for each of Slack's limits. https://docs.slack.dev/apis/web-api/rate-limits

Waiting here is cheaper than being told to wait: after a 429 Slack holds back everything of that method. Where many
wait, verdicts and cards go first, and what only shows progress last.
"""

import asyncio
import heapq
import itertools
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import IntEnum
from typing import Final

Clock = Callable[[], float]
Sleep = Callable[[float], Awaitable[None]]


class Urgency(IntEnum):
    """Who goes first where several wait."""

    FIRST = 0
    ORDINARY = 1
    COSMETIC = 2


_urgency: ContextVar[Urgency] = ContextVar("urgency", default=Urgency.ORDINARY)


@contextmanager
def speaking(urgency: Urgency) -> Iterator[None]:
    """For all calls from within, and from tasks that are begun within."""
    before = _urgency.set(urgency)
    try:
        yield
    finally:
        _urgency.reset(before)


# method: (calls a second, burst); the first is counted per channel, the others per workspace
LIMITS: Final = {
    "chat.postMessage": (1.0, 4.0),
    "chat.postEphemeral": (1.0, 10.0),
    "chat.update": (50 / 60, 15.0),
    "chat.startStream": (20 / 60, 20.0),
    "chat.appendStream": (100 / 60, 25.0),
    "chat.stopStream": (20 / 60, 20.0),
    "agents.sessions.setStatus": (50 / 60, 15.0),
    "agents.sessions.rename": (50 / 60, 15.0),
    "conversations.replies": (50 / 60, 10.0),
    "conversations.history": (50 / 60, 10.0),
}
_PER_CHANNEL: Final = frozenset({"chat.postMessage"})


class Bucket:
    """Lets `rate` callers a second through, and `burst` at once after a pause. The most urgent one first, then the
    first that came.
    """

    def __init__(self, *, rate: float, burst: float, clock: Clock, sleep: Sleep) -> None:
        self._rate, self._burst = rate, burst
        self._clock, self._sleep = clock, sleep
        self._tokens, self._at = burst, clock()
        self._waiting: list[tuple[Urgency, int, asyncio.Future[None]]] = []
        self._arrivals = itertools.count()
        self._serving: asyncio.Task[None] | None = None

    async def take(self, urgency: Urgency = Urgency.ORDINARY) -> None:
        """Wait for a token."""
        self._refill()
        if not self._waiting and self._tokens >= 1:
            self._tokens -= 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (urgency, next(self._arrivals), turn))
        if self._serving is None or self._serving.done():
            self._serving = asyncio.create_task(self._serve())
        await turn

    async def _serve(self) -> None:
        """Whose turn it is, is decided when a token is there."""
        while self._waiting:
            self._refill()
            while self._tokens < 1:
                await self._sleep((1 - self._tokens) / self._rate)
                self._refill()
            *_, turn = heapq.heappop(self._waiting)
            if not turn.done():  # else whoever waited has gone
                self._tokens -= 1
                turn.set_result(None)

    def _refill(self) -> None:
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + max(0.0, now - self._at) * self._rate)
        self._at = now


class SendingPace:
    """The buckets of all workspaces."""

    def __init__(self, *, clock: Clock, sleep: Sleep) -> None:
        self._clock, self._sleep = clock, sleep
        self._buckets: dict[tuple[str, str, str], Bucket] = {}

    async def wait(self, workspace: str, method: str, channel: str) -> None:
        """Until `method` may be called. A method without a known limit is not held back."""
        if method not in LIMITS:
            return
        key = (workspace, method, channel if method in _PER_CHANNEL else "")
        if key not in self._buckets:
            rate, burst = LIMITS[method]
            self._buckets[key] = Bucket(rate=rate, burst=burst, clock=self._clock, sleep=self._sleep)
        await self._buckets[key].take(_urgency.get())
