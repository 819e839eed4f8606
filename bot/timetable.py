"""APScheduler triggers: they only start work, durably or idempotently; they never do it themselves.

The job store is in memory and of this process alone; two schedulers on one store fire jobs twice.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from agents.failure import log_failure

log = logging.getLogger("autoheal.timetable")


class Timetable:
    """Periodic triggers in the running loop, in UTC."""

    def __init__(self) -> None:
        self._scheduler = AsyncIOScheduler(timezone=UTC)

    def every(
        self, interval: timedelta, work: Callable[[], Awaitable[object]], *, name: str, at_start: bool = False
    ) -> None:
        """Run `work` every `interval`, never twice at once; ticks that were missed are run once. `at_start`: also as
        soon as the timetable starts.
        """

        async def guarded() -> None:
            try:
                await work()
            except Exception as exc:  # noqa: BLE001 -- the outer guard of a trigger: the next tick tries again
                log_failure(log, "timetable.failed", exc, job=name)

        first = {"next_run_time": datetime.now(UTC)} if at_start else {}
        self._scheduler.add_job(
            guarded, "interval", seconds=interval.total_seconds(), id=name, coalesce=True, max_instances=1, **first
        )

    def start(self) -> None:
        self._scheduler.start()

    def stop(self) -> None:
        self._scheduler.shutdown(wait=False)
