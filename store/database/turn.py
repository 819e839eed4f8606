"""Whose turn it is to write: SQLite takes one writer at a time, so they wait here in order instead of polling the file.

What Slack waits for goes before what only we wait for: otherwise an acknowledgement stands behind all the work that the
acknowledgements before it began.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


class WriterTurn:
    """A lock with two queues, each first come, first served."""

    def __init__(self) -> None:
        self._taken = False
        self._urgent: deque[asyncio.Future[None]] = deque()
        self._waiting: deque[asyncio.Future[None]] = deque()

    @asynccontextmanager
    async def taken(self, *, urgent: bool, timeout_s: float) -> AsyncIterator[None]:
        """Raises TimeoutError when the turn did not come in time."""
        await self._acquire(self._urgent if urgent else self._waiting, timeout_s)
        try:
            yield
        finally:
            self._pass_on()

    async def _acquire(self, queue: deque[asyncio.Future[None]], timeout_s: float) -> None:
        if not self._taken:
            self._taken = True
            return
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue.append(mine)
        try:
            async with asyncio.timeout(timeout_s):
                await mine
        except BaseException:
            if mine.done() and not mine.cancelled():
                self._pass_on()  # the turn came in the very moment of giving up
            else:
                with suppress(ValueError):  # passed over already
                    queue.remove(mine)
            raise

    def _pass_on(self) -> None:
        for queue in (self._urgent, self._waiting):
            while queue:
                following = queue.popleft()
                if not following.done():
                    following.set_result(None)
                    return
        self._taken = False
