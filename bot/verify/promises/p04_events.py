"""P4: what workflows and investigations do is recorded as CloudEvents."""

from __future__ import annotations

from datetime import timedelta

from bot.verify.promise import Promise, Proved
from bot.verify.site import Site, require
from store.audit import Actor, events


class EventsPromise(Promise):
    id = "P4"
    title = "The event log of workflows and investigations is in CloudEvents format"

    async def plant(self, site: Site) -> None:
        async with site.db.tenant(site.one.id) as s:
            made = await events.emit(
                s,
                "ai.autoheal.investigation.started.v1",
                "verify",
                {"note": site.canary("event data")},
                actor=Actor(type="agent", id="verify"),
            )
        site.planted["event"] = made.get_id()

    async def check(self, site: Site) -> Proved:
        since, until = site.clock() - timedelta(hours=1), site.clock() + timedelta(hours=1)
        found = [e async for e in events.stream(site.db, site.one.id, since, until, days=site.days)]
        ours = [event for event in found if event.get_id() == site.planted["event"]]
        require(len(ours) == 1, f"an event that was recorded once is there {len(ours)} times")
        written = events.as_json(ours[0])
        for attribute in (b'"specversion":', b'"id":', b'"source":', b'"type":', b'"time":', b'"tenantid":'):
            require(attribute in written.replace(b'": ', b'":'), f"an event lacks {attribute.decode()}")
        foreign = [e async for e in events.stream(site.db, site.other.id, since, until, days=site.days)]
        require(all(event.get_id() != site.planted["event"] for event in foreign), "another tenant reads the event")
        days = await site.days.inventory()
        require(site.clock().date() in days, "the event did not reach the partition of its day")
        looked = site.require_unseen("event data")
        return Proved(
            sentence="an event came back once, as CloudEvents 1.0, from the partition of its day",
            observed=(f"{len(found)} events, {len(days)} days", looked),
        )


PROMISE = EventsPromise()
