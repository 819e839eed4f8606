"""Verifies once a day, in a process of its own with little priority, so that nobody waits for it.

The report is kept in the data folder and its outcome in the log and in each tenant's event log; `autoheal verify` shows
and repeats it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from agents.processes.process import run
from bot.settings import Settings
from bot.timetable import Timetable
from bot.verify.reports import newest_report, path_of
from store.audit import SYSTEM, events
from store.database.session import Database
from store.tenancy.tenants import list_tenants

log = logging.getLogger("autoheal.verify")

LOOK_EVERY: Final = timedelta(hours=1)
DAILY: Final = timedelta(days=1)
_LONGEST_S: Final = 1800.0
_MOST_OUTPUT: Final = 1_000_000


@dataclass(frozen=True, kw_only=True)
class DailyVerification:
    """Looks every hour whether the day's verification is still to come: a process that was down makes it up."""

    settings: Settings
    db: Database
    clock: Callable[[], datetime]
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ), repr=False)

    def plan(self, timetable: Timetable) -> None:
        if self.settings.verify == "daily":
            timetable.every(LOOK_EVERY, self.keep, name="verify the promises")

    async def keep(self) -> Mapping[str, int] | None:
        """The outcomes by count when it was due, else None."""
        newest = await asyncio.to_thread(newest_report, path_of(self.settings))
        if newest is not None and self.clock() - newest < DAILY:
            return None
        done = await run(
            ["/usr/bin/env", "nice", sys.executable, "-m", "bot", "verify", "--json"],
            environment=self.environment,
            timeout_s=_LONGEST_S,
            max_bytes=_MOST_OUTPUT,
        )
        try:
            report: dict[str, Any] = json.loads(done.output)["report"]
        except (ValueError, KeyError, TypeError):
            log.warning("verify did not end well", extra={"action": "verify.broke", "code": done.code})
            return None
        counts: dict[str, int] = report["counts"]
        failed = [finding["promise"] for finding in report["findings"] if finding["outcome"] == "failed"]
        level = logging.ERROR if failed else logging.INFO
        log.log(level, "verified", extra={"action": "verify.done", "failed": failed, "proved": counts["proved"]})
        await self._record(counts, failed)
        return counts

    async def _record(self, counts: Mapping[str, int], failed: list[str]) -> None:
        kind = "failed" if failed else "finished"
        for tenant in await list_tenants(self.db):
            async with self.db.tenant(tenant.id) as s:
                data = {"proved": counts["proved"], "failed": failed}
                await events.emit(s, f"ai.autoheal.verification.{kind}.v1", tenant.id, data, actor=SYSTEM)
