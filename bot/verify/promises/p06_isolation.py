"""P6: one tenant sees and changes nothing of another, past the application too."""

from __future__ import annotations

import uuid
from typing import Final

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from bot.verify.promise import Promise, Proved
from bot.verify.site import Site, require
from store.database import walls
from store.database.engine import create_engine
from store.database.walls.acting import acting, for_tenant
from store.errors import CorruptEnvelope, UnknownKey
from store.keys import vault
from store.keys.vault import SealedPlace
from store.people.users import Role, admins, user_by_slack

_RAW_READ: Final = "SELECT count(*) FROM users WHERE tenant_id = :other"
_RAW_WRITE: Final = "UPDATE users SET role = 'admin' WHERE tenant_id = :other"


class IsolationPromise(Promise):
    id = "P6"
    title = "Tenants are strictly isolated; people have roles"

    async def check(self, site: Site) -> Proved:
        await self._session(site)
        raw = await self._database(site)
        await self._ciphertext(site)
        return Proved(
            sentence="session, database and ciphertext each keep two tenants with the same ids apart",
            observed=("two tenants that share Slack ids and an e-mail address", raw, "a ciphertext in a foreign place"),
        )

    async def _session(self, site: Site) -> None:
        async with site.db.tenant(site.one.id, readonly=True) as s:
            seen = await admins(s)
            mine = await user_by_slack(s, site.other.people[Role.ADMIN].slack_user_id)
        foreign = {user.id for user in site.other.people.values()}
        require(not foreign & {user.id for user in seen}, "a tenant's session reads another tenant's people")
        require(mine is not None and mine.id not in foreign, "a shared Slack id leads to the other tenant's person")

    async def _database(self, site: Site) -> str:
        async with site.as_owner() as connection:
            gaps = await connection.run_sync(walls.missing)
        require(not gaps, f"a wall of the database is missing: {gaps[0] if gaps else ''}")
        plain = uuid.UUID(site.other.id)
        other = {"other": plain.hex if site.is_sqlite else plain}
        engine = create_engine(site.settings.content_url, pool_size=1)
        try:
            if not site.is_sqlite:
                async with acting(engine, for_tenant(site.one.id)).connect() as connection:
                    rows = await connection.scalar(text(_RAW_READ), other)
                require(rows == 0, "raw SQL for one tenant reads another tenant's rows")
            changed = 0
            try:
                async with acting(engine, for_tenant(site.one.id)).begin() as connection:
                    changed = (await connection.execute(text(_RAW_WRITE), other)).rowcount
                    await connection.rollback()
            except DBAPIError:
                changed = 0  # SQLite's trigger refuses; PostgreSQL finds no row to change
            require(changed == 0, "raw SQL for one tenant changes another tenant's rows")
        finally:
            await engine.dispose()
        return "raw SQL past the application" + (
            " (writes; SQLite has no wall for raw reads)" if site.is_sqlite else ""
        )

    async def _ciphertext(self, site: Site) -> None:
        one, other = await site.db.keyring.data_keys(site.one.id), await site.db.keyring.data_keys(site.other.id)
        place = SealedPlace(tenant_id=site.one.id, table="verify", column="text", row_id=site.one.id)
        envelope = vault.seal(one.current, place, b"words")
        moved = SealedPlace(tenant_id=site.one.id, table="verify", column="text", row_id=site.other.id)
        for keys, where in ((one, moved), (other, place)):
            try:
                vault.unseal(keys, where, envelope)
            except (CorruptEnvelope, UnknownKey):
                continue
            require(condition=False, sentence="a ciphertext opens in a foreign place or under a foreign key")


PROMISE = IsolationPromise()
