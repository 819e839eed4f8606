"""P9: actions are in an audit log that shows every tampering."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from sqlalchemy import text

from bot.verify.promise import Promise, Proved
from bot.verify.site import Site, require
from store import audit
from store.audit import Actor
from store.audit.signed_checkpoints import CheckpointFile
from store.audit.suspicion import judge
from store.database.engine import create_engine
from store.database.walls.acting import owning
from store.ids import new_id
from store.people.users import Role
from store.upkeep.audit_heads import verify_chains

_ACTIONS: Final = ("web.login.refused",) * 30


class AuditPromise(Promise):
    id = "P9"
    title = "Every action of people and agents is in a tamper-evident audit log"

    async def plant(self, site: Site) -> None:
        user = site.one.people[Role.ADMIN]
        async with site.db.tenant(site.one.id) as s:
            await audit.record(
                s,
                actor=Actor(type="user", id=user.id),
                action="slack.command.used",
                target="command:help",
                details={"words": site.canary("audit details")},
            )
        async with site.db.tenant(site.other.id) as s:
            for action in _ACTIONS:
                await audit.record(
                    s, actor=audit.SYSTEM, action=action, target=new_id(), details={"reason": "password"}
                )

    async def check(self, site: Site) -> Proved:
        looked = site.require_unseen("audit details")
        checked = await self._all_chains(site)
        await self._tampering_shows(site)
        async with site.db.tenant(site.other.id, readonly=True) as s:
            recent = await audit.recent(s, site.clock() - timedelta(hours=1))
        require(judge(recent, site.clock()), "thirty refused logins in a minute look like nothing")
        return Proved(
            sentence=f"{checked} chains are unbroken, an edit past the application shows, refused logins raise alarm",
            observed=(looked, "an entry of a synthetic tenant, edited by raw SQL and put back"),
            not_observed=(
                "the message about an alarm in Slack",
                *(() if site.planted["checkpoints"] else ("signed heads: `autoheal serve` has signed none yet",)),
            ),
        )

    async def _all_chains(self, site: Site) -> int:
        checkpoints = CheckpointFile(site.settings.checkpoint_path).read()
        ledger = site.settings.ledger.read()
        shredded = frozenset() if ledger is None else ledger.tenants
        findings = await verify_chains(site.db, checkpoints, site.signer.public_pem, shredded=shredded)
        broken = [finding for finding in findings if not finding.ok]
        require(not broken, f"the audit log of {broken[0].tenant_id if broken else ''} was changed")
        site.planted["checkpoints"] = len(checkpoints)
        return len(findings)

    async def _tampering_shows(self, site: Site) -> None:
        """Changes one entry as the owner of the database could, asks the verification, and puts it back."""
        engine = create_engine(site.owner_url, pool_size=1)
        tenant = site.one.id.replace("-", "") if site.is_sqlite else site.one.id
        change = text("UPDATE audit SET action = :word WHERE tenant_id = :tenant AND sequence = :sequence")
        async with site.db.tenant(site.one.id, readonly=True) as s:
            entry = (await audit.recent(s, site.clock() - timedelta(hours=1)))[-1]
        values = {"tenant": tenant, "sequence": entry.sequence}
        try:
            async with owning(engine, erasing=True).begin() as connection:
                await connection.execute(change, {**values, "word": "slack.command.refused"})
            async with site.db.tenant(site.one.id, readonly=True) as s:
                report = await audit.verify(s)
            async with owning(engine, erasing=True).begin() as connection:
                await connection.execute(change, {**values, "word": entry.action})
        finally:
            await engine.dispose()
        require(not report.ok, "an entry of the audit log was edited, and nothing shows")


PROMISE = AuditPromise()
