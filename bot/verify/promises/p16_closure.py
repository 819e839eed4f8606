"""P16: closing a tenant deletes everything, and no backup brings it back."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import class_mapper

from bot.settings import APART, TOGETHER
from bot.verify.drill import NoPlace, begin_drill, restored
from bot.verify.promise import Promise, Proved
from bot.verify.site import Site, require
from store.audit import SYSTEM
from store.database.engine import create_engine
from store.database.walls.acting import owning
from store.errors import StoreError, UnknownTenant
from store.tenancy.tenants import find_tenant
from store.upkeep import erasure
from store.upkeep.erasure import deletion_order


class ClosurePromise(Promise):
    id = "P16"
    title = "Closing an account deletes all its data, backups included"

    async def plant(self, site: Site) -> None:
        await begin_drill(site)

    async def check(self, site: Site) -> Proved:
        async with site.db.tenant(site.one.id, readonly=True) as s:
            require(s.tenant_id == site.one.id, "a synthetic tenant cannot be opened")
        closed = await erasure.close(site.db, site.one.id, actor=SYSTEM, days=site.days, now=True)
        require(closed.keys > 0, "closing destroyed no key")
        left = await self._rows(site)
        require(not left, f"{len(left)} tables still hold rows of a closed tenant, such as {', '.join(left[:1])}")
        until = site.clock() + timedelta(days=1)
        events = await site.days.query(site.one.id, until - timedelta(days=120), until, limit=10)
        require(not events, "events of a closed tenant are still stored")
        known = await find_tenant(site.db, site.one.id)
        require(known is not None and known.status == "closed" and not known.name, "a closed tenant keeps its name")
        try:
            async with site.db.tenant(site.one.id):
                pass
        except StoreError:
            pass
        else:
            require(condition=False, sentence="a closed tenant can still be opened")
        unseen = ["what was posted in Slack stays there: it is the workspace's own"]
        without_restore = await self._restored(site)
        unseen += without_restore
        require(not site.settings.one_copy_brings_back_all, f"{TOGETHER}: {APART}")
        backup = "" if without_restore else "; a backup from before cannot be read"
        return Proved(
            sentence=f"{sum(closed.rows.values())} rows, {closed.keys} keys and {closed.events} events of a synthetic "
            f"tenant were destroyed{backup}",
            observed=(
                f"{len(closed.rows)} tables",
                *(() if without_restore else ("a restore of a backup from before the closing",)),
            ),
            not_observed=tuple(unseen),
        )

    async def _rows(self, site: Site) -> list[str]:
        """Names of tables in which the owner of the database still finds the tenant."""
        engine = create_engine(site.owner_url, pool_size=1)
        left = []
        try:
            async with owning(engine).connect() as connection:
                for entity in deletion_order():
                    table = class_mapper(entity).local_table
                    count = select(func.count()).select_from(table).where(table.c.tenant_id == site.one.id)
                    if await connection.scalar(count):
                        left.append(str(table.description))
        finally:
            await engine.dispose()
        return left

    async def _restored(self, site: Site) -> list[str]:
        drill = await begin_drill(site)
        try:
            async with restored(site, drill) as db:
                try:
                    async with db.tenant(site.one.id, readonly=True):
                        pass
                except UnknownTenant:
                    return []
                require(condition=False, sentence="a backup brings a closed tenant back")
        except NoPlace:
            return ["a restore of a backup: the owner's login may not make a database for it"]
        return []


PROMISE = ClosurePromise()
