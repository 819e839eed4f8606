"""Waiting for a store that is busy, full or restarting: the same work again, ever more slowly, up to a bound.

A pause of a minute must not end an investigation, nor lose the outcome of an effect that was carried out.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypeVar

from store.database.trouble import passes

log = logging.getLogger("autoheal.patience")

_FIRST_S: Final = 0.5
_LONGEST_S: Final = 10.0
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Patience:
    """`longest` is the time waited in all between the attempts of one piece of work."""

    longest: timedelta = timedelta(minutes=10)
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def outlast(self, work: Callable[[], Awaitable[T]], *, what: str) -> T:
        """Do `work`, which must be safe to repeat. Raises what it raised last once the patience is at its end, and at
        once what does not pass by itself.
        """
        waited, pause = 0.0, _FIRST_S
        while True:
            try:
                return await work()
            except Exception as exc:
                if not passes(exc) or waited >= self.longest.total_seconds():
                    raise
                facts = {"action": "store.waiting", "kind": type(exc).__name__, "what": what, "waited_s": round(waited)}
                log.warning("the store does not answer (%s): %s waits", facts["kind"], what, extra=facts)
            await self.sleep(pause)
            waited, pause = waited + pause, min(pause * 2, _LONGEST_S)
