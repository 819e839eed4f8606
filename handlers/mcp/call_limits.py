"""How often one token may call: so many an hour of each tool, so many requests a minute in all.

Kept in this process's memory: a restart forgets, several replicas count apart. What is over the limit is refused with
how long to wait, and is not counted.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

REQUESTS_A_MINUTE: Final = 240
_MOST_REMEMBERED: Final = 5_000


class CallLimits:
    """`clock` gives aware UTC."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._calls: OrderedDict[tuple[str, str], deque[datetime]] = OrderedDict()

    def wait_s(self, token: str, what: str, *, most: int, within: timedelta) -> int:
        """0: go on, and it counts. Else the whole seconds to wait."""
        now = self._clock()
        calls = self._calls.setdefault((token, what), deque())
        self._calls.move_to_end((token, what))
        while len(self._calls) > _MOST_REMEMBERED:
            self._calls.popitem(last=False)
        while calls and now - calls[0] >= within:
            calls.popleft()
        if len(calls) >= most:
            return max(1, round((calls[0] + within - now).total_seconds()))
        calls.append(now)
        return 0
