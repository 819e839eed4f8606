"""P1: accounts keep names and addresses sealed, passwords only as bcrypt hashes, tokens only as digests."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from bot.verify.promise import Promise, Proved
from bot.verify.site import Site, require
from store.people import accounts, api_tokens, web_sessions
from store.people.passwords import COST, Passwords
from store.people.users import Role
from store.secrets.redaction import Secret

_CANARIES: Final = ("account e-mail", "first name", "last name", "password", "session token", "API token")


class AccountPromise(Promise):
    id = "P1"
    title = "Accounts, password hashes, authentication tokens, sessions"

    async def plant(self, site: Site) -> None:
        await plant_account(site)

    async def check(self, site: Site) -> Proved:
        hashed = site.planted["password hash"].reveal()
        require(hashed.startswith(f"$2b${COST:02d}$"), f"a password is not hashed with bcrypt at cost {COST}")
        require(COST >= 12, "the cost of bcrypt is below 12")
        fits = await Passwords(site.account_keys.pepper).matches(
            Secret(site.canary("password")), site.planted["password hash"]
        )
        require(fits, "a stored password hash does not fit its own password")
        async with site.db.tenant(site.one.id, readonly=True) as s:
            found = await accounts.account(s, site.one.people[Role.ADMIN].id)
        require(
            found is not None and found.email == site.planted["e-mail"].casefold(),
            "an account that was stored does not come back",
        )
        looked = site.require_unseen(*_CANARIES)
        return Proved(
            sentence="names and addresses are sealed, the password is a bcrypt hash, tokens are kept as digests only",
            observed=(looked, f"bcrypt at cost {COST}"),
        )


async def plant_account(site: Site) -> None:
    """An account in each synthetic tenant under one address, a session, a token; once a run."""
    if "password hash" in site.planted:
        return
    password = Secret(site.canary("password"))
    hashed = await Passwords(site.account_keys.pepper).hash(password)
    site.planted["password hash"] = hashed
    site.planted["e-mail"] = email = f"{site.canary('account e-mail')}@example.org"
    for synthetic in (site.one, site.other):
        user = synthetic.people[Role.ADMIN]
        async with site.db.tenant(synthetic.id) as s:
            await accounts.create_account(
                s,
                site.account_keys,
                user_id=user.id,
                email=email,
                first_name=site.canary("first name"),
                last_name=site.canary("last name"),
                password_hash=hashed,
            )
    user = site.one.people[Role.ADMIN]
    async with site.db.tenant(site.one.id) as s:
        started = await web_sessions.start_session(s, user.id, ip="203.0.113.77", user_agent=site.canary("user agent"))
        token, _ = await api_tokens.create_token(
            s, user.id, name="verify", scopes=["read"], lifetime=timedelta(hours=1)
        )
    require(started is not None, "a session could not be started for a synthetic account")
    if started is not None:
        site.canaries["session token"] = started[0].reveal()
        site.planted["session"] = started[1]
    site.canaries["API token"] = token.reveal()


PROMISE = AccountPromise()
