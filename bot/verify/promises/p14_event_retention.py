"""P14: event logs live 90 days and are forgotten by dropping a day's partition."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from bot.verify.promise import Promise, Proved
from bot.verify.site import Site, require
from store.audit.event_days import StoredEvent
from store.ids import new_id
from store.upkeep.retention import EVENTS_KEPT, retire_events

_GRACE: Final = timedelta(days=3)
"""A process that was down for a weekend is no broken promise yet; the run below forgets what is over."""


class EventRetentionPromise(Promise):
    id = "P14"
    title = "Event logs are kept 90 days and removed by dropping partitions"

    async def plant(self, site: Site) -> None:
        kept = timedelta(days=site.settings.event_days)
        require(kept <= EVENTS_KEPT, f"AUTOHEAL_EVENT_DAYS is {site.settings.event_days}; the policy promises 90")
        days = await site.days.inventory()
        limit = (site.clock() - kept).date() - _GRACE
        over = [day for day in days if day < limit]
        require(not over, f"events of {over[0] if over else ''} are still stored: does `autoheal serve` run?")
        canary = site.canary("old event")
        old, young = site.clock() - kept - timedelta(days=1), site.clock() - kept + timedelta(days=1)
        await site.days.append(
            [
                StoredEvent(
                    tenant_id=site.one.id,
                    id=new_id(),
                    sequence=sequence,
                    time=time,
                    type="ai.autoheal.investigation.started.v1",
                    subject=canary if time == old else "verify",
                    actor_type=None,
                    actor_id=None,
                    data=b"",
                )
                for sequence, time in enumerate((old, young), start=1_000_000)
            ]
        )
        site.planted["P14"] = (old, young)
        await retire_events(site.db, site.days, kept=kept)

    async def check(self, site: Site) -> Proved:
        old, young = site.planted["P14"]
        days = await site.days.inventory()
        require(old.date() not in days, "a day of events that is over was not dropped")
        require(young.date() in days, "a day of events that is not over was dropped")
        oldest = min(days)
        limit = (site.clock() - EVENTS_KEPT).date()
        require(oldest >= limit, f"events of {oldest} are still stored")
        looked = site.require_unseen("old event")
        return Proved(
            sentence=f"a day older than {site.settings.event_days} days was dropped whole; the oldest is {oldest}",
            observed=(f"{len(days)} days", looked),
        )


PROMISE = EventRetentionPromise()
