"""P2: credentials of connected tools lie nowhere in plain text."""

from __future__ import annotations

import logging

from bot.verify.promise import Promise, Proved
from bot.verify.site import Site, require
from store import inbox
from store.people.users import Role
from store.secrets.redaction import Secret
from store.tenancy import connections, tenants
from store.tenancy.connections import save_connection
from store.tenancy.tenants import SlackInstall

log = logging.getLogger("autoheal.verify")


class CredentialsPromise(Promise):
    id = "P2"
    title = "Credentials of connected tools are encrypted with AES-256 and nowhere in plain text"

    async def plant(self, site: Site) -> None:
        token = Secret(site.canary("API key"))
        async with site.db.tenant(site.one.id) as s:
            saved = await save_connection(
                s,
                connector="prometheus",
                config={"url": "https://metrics.example.org"},
                credentials={"token": token, "webhook_secret": Secret(site.canary("webhook secret"))},
                scopes=("read",),
                consented_by=site.one.people[Role.ADMIN].id,
            )
            await tenants.save_install(s, _install(site))
        site.planted["connection"] = saved.id
        # It comes back in what people and programs say: a chat message, an arrival for the job store, a log line.
        said = f"curl -H 'Authorization: Bearer {token.reveal()}' failed"
        await inbox.Inbox(site.db).record(
            site.one.id, inbox.Arrival(source="slack", external_id="verify", kind="message", payload={"text": said})
        )
        log.warning("verify: a credential is logged as an object: %s", token, extra={"credential": token})
        refusal = ValueError(f"no login with {token.reveal()}")
        log.error("verify: an exception names a credential", exc_info=refusal)

    async def check(self, site: Site) -> Proved:
        async with site.db.tenant(site.one.id, readonly=True) as s:
            stored = await connections.credentials(s, site.planted["connection"])
        require(stored["token"].reveal() == site.canary("API key"), "a credential that was stored does not come back")
        looked = site.require_unseen("API key", "webhook secret", "Slack token")
        unseen = () if site.is_sqlite else ("PostgreSQL's own write-ahead log, which lies on its server",)
        return Proved(
            sentence="no credential is readable in databases, write-ahead logs, job store, log or backups",
            observed=(looked,),
            not_observed=(
                *unseen,
                *(f"table {name}" for name in site.skipped),
                "the log that the serving process wrote to its own standard error",
            ),
        )


def _install(site: Site) -> SlackInstall:
    return SlackInstall(
        enterprise_id=None,
        team_id=f"T0VERIFY{site.one.id.replace('-', '')[-12:].upper()}",
        is_enterprise_install=False,
        app_id="A0VERIFY",
        bot_user_id="U0VERIFYBOT",
        bot_token=Secret(site.canary("Slack token")),
        installer_slack_id="U0VERIFYADMIN",
        scopes=("chat:write",),
        installed_at=site.clock(),
    )


PROMISE = CredentialsPromise()
