"""P15: backups are made, can be put back, and are forgotten after 30 days."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Final

from bot.safekeeping import backups_of
from bot.verify.drill import KEPT, NoPlace, begin_drill, restored
from bot.verify.promise import Promise, Proved
from bot.verify.site import Site, require
from store.incidents import conversations
from store.upkeep.backups import Backups
from store.upkeep.backups.archive import PARTS

_FRESH: Final = timedelta(days=2)


class BackupsKeptPromise(Promise):
    id = "P15"
    title = "Backups are kept 30 days, and restoring is tested"

    async def plant(self, site: Site) -> None:
        site.planted["P15"] = await site.say(site.other, f"backed up {site.canary('backed up message')}")
        await begin_drill(site)

    async def check(self, site: Site) -> Proved:
        drill = await begin_drill(site)
        await drill.backups.prove(drill.backup)
        unseen = []
        put_back = " and put back"
        try:
            async with restored(site, drill) as db, db.tenant(site.other.id, readonly=True) as s:
                chat = await conversations.chat(s, site.planted["P15"])
            back = any(site.canary("backed up message") in message.text for message in chat)
            require(back, "what was backed up is not in the restored database")
        except NoPlace:
            put_back = ""
            unseen.append("a restore: the owner's login may not make a database for it; the archive was read instead")
        await self._forgotten(site)
        unseen += await self._schedule(site)
        looked = site.require_unseen("backed up message")
        return Proved(
            sentence=f"a backup of now was made, read back{put_back}; one of 31 days ago would be deleted",
            observed=(f"backup {drill.backup.id}, {drill.backup.bytes / 1e6:.1f} MB", looked),
            not_observed=tuple(unseen),
        )

    async def _forgotten(self, site: Site) -> None:
        """In a folder of its own: with a clock ahead, the real one's leftovers would go too."""
        drill = await begin_drill(site)
        folder = drill.backups.folder / "later"
        place = replace(drill.backups.place, work=folder)
        later = Backups(place, folder, site.keys, lambda: site.clock() + KEPT)
        old = Backups(place, folder, site.keys, lambda: site.clock() - timedelta(days=1, minutes=1))
        await old.create()
        await later.expire()
        require(not await later.known(), "a backup that is older than 30 days was not deleted")

    async def _schedule(self, site: Site) -> list[str]:
        """What the deployment's own folder says."""
        if site.settings.backups != "daily":
            return [f"AUTOHEAL_BACKUPS={site.settings.backups}: the operator's own backups"]
        kept = await (await backups_of(site.settings, site.keys)).known()
        known = [one for one in kept if one.fault is None and len(one.parts) == len(PARTS)]
        faulty = [one for one in kept if one.fault is not None]
        require(not faulty, f"backup {faulty[0].id if faulty else ''} cannot be read")
        now = site.clock()
        too_old = [one for one in known if now - one.created_at > KEPT + _FRESH]
        require(not too_old, f"backup {too_old[0].id if too_old else ''} is older than 30 days: does serve run?")
        if not known:
            return ["a scheduled backup: `autoheal serve` has made none yet"]
        newest = max(one.created_at for one in known)
        require(now - newest < _FRESH, f"the newest backup is of {newest:%Y-%m-%d}: does `autoheal serve` run?")
        return []


PROMISE = BackupsKeptPromise()
