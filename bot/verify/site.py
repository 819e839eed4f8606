"""What the checks work with: the real deployment, opened as `autoheal serve` opens it, and two synthetic tenants in it.

The synthetic tenants share every Slack id and e-mail address. They are closed at the end, whatever happened; when that
fails the report says so and the next run closes what is left.
"""

from __future__ import annotations

import io
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy.exc import SQLAlchemyError

from agents.failure import log_failure
from bot.logs import JsonLines
from bot.opening import now, open_database
from bot.settings import Settings
from bot.upkeep import event_days, open_signer
from bot.verify.canary import Lookout, Sighting, make_canary
from bot.verify.finding import Broken
from bot.verify.raw import RawSearch, files_in, look_at_files, look_at_postgres
from bot.web_side import open_account_keys
from store.audit import SYSTEM
from store.audit.event_days import EventDays
from store.audit.event_relay import relay
from store.audit.signed_checkpoints import Signer
from store.database.engine import create_engine, driverless
from store.database.session import Database
from store.errors import StoreError
from store.ids import ConversationId, TenantId
from store.incidents import conversations
from store.keys.key_provider import MasterKeys
from store.people.account_keys import AccountKeys
from store.people.users import Role, User, ensure_user
from store.tenancy.tenants import create_tenant, list_tenants
from store.upkeep import erasure

log = logging.getLogger("autoheal.verify")
NAME: Final = "synthetic tenant of autoheal verify"
SLACK_IDS: Final = ("U0VERIFYADMIN", "U0VERIFYMEMBER", "U0VERIFYVIEWER")


@dataclass(frozen=True, kw_only=True)
class Synthetic:
    """A tenant made for this run, with an admin, a member and a viewer."""

    id: TenantId
    people: Mapping[Role, User]


@dataclass(kw_only=True)
class Site:
    settings: Settings
    db: Database
    keys: MasterKeys
    days: EventDays
    signer: Signer
    account_keys: AccountKeys
    one: Synthetic
    other: Synthetic
    clock: Callable[[], datetime] = now
    planted: dict[str, Any] = field(default_factory=dict)
    canaries: dict[str, str] = field(default_factory=dict)
    logged: io.StringIO = field(default_factory=io.StringIO)
    looked: RawSearch | None = None
    sightings: list[Sighting] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    at_end: list[Callable[[], object]] = field(default_factory=list)

    def canary(self, name: str) -> str:
        """A secret of this run by name; the same for the same name."""
        return self.canaries.setdefault(name, make_canary(name.split(maxsplit=1)[0].lower()))

    @property
    def is_sqlite(self) -> bool:
        return self.db.dialect == "sqlite"

    @property
    def skipped(self) -> tuple[str, ...]:
        """Tables that were not looked at."""
        return self.looked.skipped if self.looked else ()

    @property
    def owner_url(self) -> str:
        return self.settings.maintenance_url

    @asynccontextmanager
    async def as_owner(self) -> AsyncIterator[Any]:
        """A raw connection of the login that owns the tables, past every wall; committed at the end."""
        engine = create_engine(self.owner_url, pool_size=1)
        try:
            async with engine.connect() as connection:
                yield connection
                await connection.commit()
        finally:
            await engine.dispose()

    async def say(self, synthetic: Synthetic, words: str) -> ConversationId:
        """A chat message in a conversation of its own, stored as everything that people write."""
        thread_ts = f"17000000{len(self.said):02d}.000100"
        self.said.append(thread_ts)
        async with self.db.tenant(synthetic.id) as s:
            talk = await conversations.conversation(s, channel_id="C0VERIFY", thread_ts=thread_ts)
            if talk is None:
                raise Broken("a conversation could not be stored")
            text = s.redactor.redact(words)
            await conversations.record_chat(
                s, talk.id, slack_ts=thread_ts, slack_user_id="U0VERIFYMEMBER", kind="user", text=text
            )
        return talk.id

    async def look(self) -> None:
        """Search the whole deployment for every canary planted so far. Events are moved to their days first."""
        await relay(self.db, self.days)
        lookout = Lookout(self.canaries)
        folders = [self.settings.data, self.settings.backup_path]
        found = look_at_files(lookout, files_in(*folders))
        places, size = found.places, found.size
        skipped: tuple[str, ...] = ()
        settings = self.settings
        urls = {url for url in (self.owner_url, settings.content_url, settings.keys_url) if "sqlite" not in url}
        if urls:
            tables = await look_at_postgres(lookout, sorted(map(driverless, urls)))
            places, size, skipped = places + tables.places, size + tables.size, tables.skipped
        log = self.logged.getvalue().encode()
        size += lookout.look("the log of this process", [log])
        self.looked = RawSearch(places=(*places, "the log of this process"), size=size, skipped=skipped)
        self.sightings = lookout.sightings

    def require_unseen(self, *names: str) -> str:
        """None of these canaries lies anywhere readable. Returns what was looked at. Raises Broken."""
        if self.looked is None:
            raise RuntimeError("nobody looked yet")
        seen = [sighting for sighting in self.sightings if sighting.canary in names]
        if seen:
            first = seen[0]
            raise Broken(f"{first.canary} lies readable ({first.shape}) in {first.where}")
        return (
            f"{len(self.looked.places)} files and tables, {self.looked.size / 1e6:.1f} MB, {len(names)} planted values"
        )


def require(condition: object, sentence: str) -> None:
    """Raises Broken with the sentence."""
    if not condition:
        raise Broken(sentence)


@asynccontextmanager
async def open_site(settings: Settings) -> AsyncIterator[Site]:
    """Raises what opening the store raises."""
    async with open_database(settings) as (db, keys), event_days(settings) as days:
        logged = io.StringIO()
        handler = logging.StreamHandler(logged)
        handler.setFormatter(JsonLines(settings.secrets))
        root = logging.getLogger()
        root.addHandler(handler)
        try:
            await clean_up(db, days)
            site = Site(
                settings=settings,
                db=db,
                keys=keys,
                days=days,
                signer=await open_signer(settings, keys),
                account_keys=await open_account_keys(settings, keys),
                one=await _synthetic(db),
                other=await _synthetic(db),
                logged=logged,
            )
            try:
                yield site
            finally:
                for put_back in site.at_end:
                    put_back()
        finally:
            await clean_up(db, days)
            root.removeHandler(handler)


async def clean_up(db: Database, days: EventDays) -> bool:
    """Closes every synthetic tenant, those of interrupted runs too; whether none is left.

    Where a promise is broken, this may be refused as well: that is told, and costs no finding.
    """
    try:
        for tenant in await list_tenants(db, "active", "frozen", "closing"):
            if tenant.name == NAME:
                await erasure.close(db, tenant.id, actor=SYSTEM, days=days, now=True)
    except (StoreError, SQLAlchemyError) as exc:
        log_failure(log, "verify.not_cleaned_up", exc)
        return False
    return True


async def _synthetic(db: Database) -> Synthetic:
    tenant_id = await create_tenant(db, name=NAME)
    people = {}
    async with db.tenant(tenant_id) as s:
        for slack_id, role in zip(SLACK_IDS, (Role.ADMIN, Role.MEMBER, Role.VIEWER), strict=True):
            people[role] = await ensure_user(s, slack_user_id=slack_id, role=role)
    return Synthetic(id=tenant_id, people=people)
