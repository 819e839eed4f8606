"""P12: mail about incidents goes to those who want it, and nobody gets anything else."""

from __future__ import annotations

from bot.verify.promise import NotApplicable, Promise, Proved, Seen
from bot.verify.promises.p01_account import plant_account
from bot.verify.site import Site, require
from bot.verify.web import browser
from handlers.mail.ticket import make_ticket
from store.people import accounts
from store.people.users import Role


class NoticesPromise(Promise):
    id = "P12"
    title = "Incident updates and alerts by e-mail, with opt-out; no marketing"

    async def plant(self, site: Site) -> None:
        if site.settings.smtp_host is not None:
            await plant_account(site)

    async def check(self, site: Site) -> Seen:
        if site.settings.smtp_host is None:
            return NotApplicable(setting="AUTOHEAL_SMTP_HOST", sentence="no e-mail is sent")
        tenant, user = site.other.id, site.other.people[Role.ADMIN].id
        async with browser(site) as client:
            ticket = make_ticket(site.account_keys, tenant, user)
            (await client.post("/api/unsubscribe", params={"ticket": ticket})).raise_for_status()
            forged = await client.post("/api/unsubscribe", params={"ticket": f"{ticket[:-2]}00"})
        async with site.db.tenant(tenant, readonly=True) as s:
            known = await accounts.account(s, user)
        require(known is not None and not known.notify, "one click did not end somebody's mail")
        require(forged.status_code == 404, "a forged link ends somebody's mail")
        return Proved(
            sentence="one click without signing in ends somebody's mail; only incidents and alerts are ever written",
            observed=("the link of a List-Unsubscribe header", "a forged link"),
            not_observed=("that a mail server delivers",),
        )


PROMISE = NoticesPromise()
