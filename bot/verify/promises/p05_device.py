"""P5: address, user agent and times of sessions are recorded, and sealed."""

from __future__ import annotations

from bot.verify.promise import Promise, Proved
from bot.verify.promises.p01_account import plant_account
from bot.verify.site import Site, require
from store.people import web_sessions
from store.people.users import Role
from store.secrets.redaction import Secret


class DevicePromise(Promise):
    id = "P5"
    title = "Addresses, user agents, session tokens and times are recorded"

    async def plant(self, site: Site) -> None:
        await plant_account(site)

    async def check(self, site: Site) -> Proved:
        session = site.planted["session"]
        async with site.db.tenant(site.one.id, readonly=True) as s:
            kept = await web_sessions.sessions_of(s, site.one.people[Role.ADMIN].id)
        own = [one for one in kept if one.id == session.id]
        require(len(own) == 1, "a session that was started is not in the store")
        require(own[0].ip == "203.0.113.77", "the address of a session was not recorded")
        require(own[0].user_agent == site.canary("user agent"), "the user agent of a session was not recorded")
        require(own[0].created_at <= own[0].expires_at, "a session has no times")
        found = await web_sessions.find_session(site.db, Secret(site.canaries["session token"]))
        require(found is not None and found.tenant_id == site.one.id, "a session's token does not lead to its tenant")
        looked = site.require_unseen("user agent", "session token")
        return Proved(
            sentence="a session has its address, user agent and times; its token is kept as a digest",
            observed=(looked,),
            not_observed=("the address itself in raw files: four short numbers prove nothing when they are found",),
        )


PROMISE = DevicePromise()
