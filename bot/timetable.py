"""APScheduler triggers: they only start work, durably or idempotently; they never do it themselves.

The job store is in memory and of this process alone; two schedulers on one store fire jobs twice. Of several replicas
each has a timetable, and at each tick only the one that leads works.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from agents.failure import log_failure

log = logging.getLogger("autoheal.timetable")


class Timetable:
    """Periodic triggers in the running loop, in UTC. `leads`: whether this process is the one that works."""

    def __init__(self, leads: Callable[[], bool] = lambda: True) -> None:
        self._scheduler = AsyncIOScheduler(timezone=UTC)
        self._leads = leads

    def every(
        self,
        interval: timedelta,
        work: Callable[[], Awaitable[object]],
        *,
        name: str,
        at_start: bool = False,
        everywhere: bool = False,
    ) -> None:
        """Run `work` every `interval`, never twice at once; ticks that were missed are run once. `at_start`: also as
        soon as the timetable starts. `everywhere`: in every replica, for what concerns the process itself.
        """

        async def guarded() -> None:
            if not (everywhere or self._leads()):
                return
            try:
                await work()
            except Exception as exc:  # noqa: BLE001 -- the outer guard of a trigger: the next tick tries again
                log_failure(log, "timetable.failed", exc, job=name)

        first = {"next_run_time": datetime.now(UTC)} if at_start else {}
        self._scheduler.add_job(
            guarded,
            "interval",
            seconds=interval.total_seconds(),
            id=name,
            coalesce=True,
            misfire_grace_time=None,  # however late: by default a tick that is a second late is dropped
            max_instances=1,
            **first,
        )

    def start(self) -> None:
        self._scheduler.start()

    def stop(self) -> None:
        self._scheduler.shutdown(wait=False)
