"""Backups of this deployment: by the timetable, a day's at a time, and by `autoheal backup`."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from agents.durable.process_lock import take_all_process_locks
from bot.master_keys import open_master_keys
from bot.settings import Settings
from bot.timetable import Timetable
from bot.upkeep import open_signer
from store import audit
from store.audit import events
from store.database.session import Database
from store.errors import StoreError, UnknownTenant
from store.keys.key_provider import MasterKeys
from store.tenancy.tenants import list_tenants
from store.upkeep.backups import Backup, Backups, DeploymentData, restore

log = logging.getLogger("autoheal.backups")

LOOK_EVERY: Final = timedelta(minutes=10)
ENGINE_SCHEMA: Final = "dbos"
_OPERATOR: Final = audit.Actor(type="system", id="operator")

MISSING_FROM_BACKUPS: Final = """\
In no backup, by intent: the master key, the shred ledger and the signed audit heads. Keep copies of them elsewhere:
without the master key and the ledger nothing can be restored."""


@asynccontextmanager
async def open_backups(settings: Settings) -> AsyncIterator[Backups]:
    """Of the configured place and folder."""
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    async with open_master_keys(settings) as keys:
        yield await backups_of(settings, keys)


async def backups_of(settings: Settings, keys: MasterKeys) -> Backups:
    data = settings.data
    known = (data / "audit.key").exists()
    place = DeploymentData(
        content_url=settings.maintenance_url,
        keyring_url=settings.keys_url,
        ledger=settings.ledger,
        work=data,
        deployment=(await open_signer(settings, keys)).fingerprint if known else None,
        transient=() if settings.database_url else (data / "engine.db", data / "engine.key"),
        transient_schemas=(ENGINE_SCHEMA,),
        programs=() if settings.postgres_programs is None else (settings.postgres_programs,),
    )
    return Backups(place, settings.backup_path, keys, lambda: datetime.now(UTC))


# By the timetable


@dataclass(frozen=True, kw_only=True)
class DailyBackup:
    """Looks from time to time whether the day's backup is still to be made: a process that was down makes it up."""

    settings: Settings
    backups: Backups

    def plan(self, timetable: Timetable) -> None:
        if self.settings.backups == "daily":
            timetable.every(LOOK_EVERY, self.keep, name="back up")

    async def keep(self) -> Backup | None:
        """The day's backup, when it is due; and forgets those that are too old."""
        made = await self.backups.create() if await self._is_due() else None
        if made is not None:
            log.info("backed up", extra={"action": "backup.created", "backup": made.id, "bytes": made.bytes})
        for old in await self.backups.expire():
            log.info("backup expired", extra={"action": "backup.expired", "backup": old.id})
        return made

    async def _is_due(self) -> bool:
        at = self.backups.clock().astimezone(UTC)
        due = at.replace(hour=self.settings.backup_at, minute=0, second=0, microsecond=0)
        due = due if due <= at else due - timedelta(days=1)
        whole = (one for one in await self.backups.known() if one.fault is None and len(one.parts) == 2)
        newest = next(whole, None)
        return newest is None or newest.created_at < due


# By hand


async def create(settings: Settings) -> list[str]:
    async with open_backups(settings) as backups:
        made = await backups.create()
        await backups.prove(made)
    return [f"Backup {made.id} was made and read back: {_size(made)}, in", *_files(made), MISSING_FROM_BACKUPS]


async def show(settings: Settings) -> list[str]:
    async with open_backups(settings) as backups:
        known = await backups.known()
    if not known:
        return [f"{settings.backup_path} holds no backup: `autoheal backup create` makes one."]
    return [_line(one) for one in known]


async def expire(settings: Settings) -> list[str]:
    async with open_backups(settings) as backups:
        gone = await backups.expire()
    return [f"{len(gone)} backups were older than 30 days and are deleted.", *(one.id for one in gone)]


async def put_back(settings: Settings, backup_id: str, *, replace: bool) -> list[str]:
    """Every `autoheal serve` must be stopped. On PostgreSQL, what is there is backed up before it is replaced."""
    async with open_backups(settings) as backups:
        chosen = await backups.find(backup_id)
        lock = await take_all_process_locks(settings.engine_url, str(settings.data))
        try:
            told = await _before_replacing(settings, backups) if replace else []
            done = await restore(backups, chosen, replace=replace)
            await _record(settings, backups, chosen)
        finally:
            await lock.release()
    told.append(f"Restored {done.backup.id}, of {done.backup.created_at:%Y-%m-%d %H:%M} UTC.")
    if done.shredded:
        told.append(f"{done.shredded} data keys of closed tenants were in it; the shred ledger destroyed them again.")
    if done.set_aside:
        told.append(f"What was there before is in {done.set_aside}, and is deleted after 30 days.")
    told.append("Work that was under way then does not go on. Start `autoheal serve`, then run `autoheal verify`.")
    return told


async def _record(settings: Settings, backups: Backups, restored: Backup) -> None:
    """In each tenant's audit log, which went back with everything else: signed heads of later entries stay, and show
    what is missing since.
    """
    db = await Database.open(
        settings.content_url,
        keyring_url=settings.keys_url,
        keys=backups.masters,
        ledger=settings.ledger,
        clock=backups.clock,
    )
    try:
        for tenant in await list_tenants(db, "active", "frozen"):
            try:
                async with db.tenant(tenant.id, frozen_too=True) as s:
                    await audit.record(s, actor=_OPERATOR, action="operator.backup.restored", target=restored.id)
                    await events.emit(s, "ai.autoheal.backup.restored.v1", restored.id, actor=_OPERATOR)
            except UnknownTenant:  # its keys were shredded again
                log.info("restored without keys", extra={"action": "backup.restored", "tenant": tenant.id})
    finally:
        await db.close()


async def _before_replacing(settings: Settings, backups: Backups) -> list[str]:
    if settings.database_url is None:
        return []
    try:
        made = await backups.create()
    except StoreError as exc:
        print(f"What is there could not be backed up first: {exc}", file=sys.stderr)  # noqa: T201 -- for the operator
        raise
    return [f"What was there before is in backup {made.id}."]


def _line(backup: Backup) -> str:
    state = backup.fault or ("" if len(backup.parts) == 2 else f"only the {next(iter(backup.parts))} part is here")
    return f"{backup.id}  {backup.created_at:%Y-%m-%d %H:%M} UTC  {_size(backup)}  {state}".rstrip()


def _size(backup: Backup) -> str:
    return f"{backup.bytes / 1e6:.1f} MB"


def _files(backup: Backup) -> list[str]:
    return [f"  {path}" for path in backup.parts.values()]


def run(work: str, settings: Settings, *, backup_id: str = "", replace: bool = False) -> list[str]:
    match work:
        case "create":
            told = create(settings)
        case "list":
            told = show(settings)
        case "expire":
            told = expire(settings)
        case _:
            told = put_back(settings, backup_id, replace=replace)
    return asyncio.run(told)
