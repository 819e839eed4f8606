"""A backup of the real deployment, put back in a place of its own, for the checks of backups and of closing."""

from __future__ import annotations

import asyncio
import secrets
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

import psycopg
from psycopg import sql
from sqlalchemy import make_url

from bot.safekeeping import backups_of
from bot.settings import Settings
from bot.verify.site import Site
from store.database.engine import driverless
from store.database.session import Database
from store.upkeep.backups import Backup, Backups, DeploymentData, restore

KEPT: Final = timedelta(days=30)
_FOLDER: Final = "drill-"
_PREFIX: Final = "autoheal_drill_"
_LONGEST_S: Final = 3600.0


class NoPlace(Exception):
    """The login may not make a database to restore into."""


@dataclass(frozen=True, kw_only=True)
class Drill:
    """`backups` knows the real place, and a folder of the drill's own below the data folder."""

    backups: Backups
    backup: Backup


async def begin_drill(site: Site) -> Drill:
    """Once a run: everything planted so far is in it."""
    if (known := site.planted.get("drill")) is not None:
        drill: Drill = known
        return drill
    real = await backups_of(site.settings, site.keys)
    folder = site.settings.data / f"{_FOLDER}{secrets.token_hex(4)}"
    site.at_end.append(lambda: shutil.rmtree(folder, ignore_errors=True))
    backups = Backups(real.place, folder, site.keys, site.clock)
    site.planted["drill"] = drill = Drill(backups=backups, backup=await backups.create())
    return drill


@asynccontextmanager
async def restored(site: Site, drill: Drill) -> AsyncIterator[Database]:
    """The backup in an empty place with the deployment's own shred ledger, opened. Raises NoPlace, BadBackup."""
    async with _empty_place(site, drill) as place:
        await restore(Backups(place, drill.backups.folder, site.keys, site.clock), drill.backup)
        db = await Database.open(
            place.content_url,
            keyring_url=place.keyring_url,
            keys=site.keys,
            ledger=place.ledger,
            clock=site.clock,
            pool_size=2,
        )
        try:
            await db.keyring.admit()
            yield db
        finally:
            await db.close()


@asynccontextmanager
async def _empty_place(site: Site, drill: Drill) -> AsyncIterator[DeploymentData]:
    work = drill.backups.folder / f"place-{secrets.token_hex(4)}"
    work.mkdir(mode=0o700)
    made: list[tuple[str, str]] = []
    urls = {}
    try:
        for part, url in (("content", site.owner_url), ("keyring", site.settings.keys_url)):
            if url.startswith("sqlite"):
                urls[part] = f"sqlite:///{work / ('autoheal.db' if part == 'content' else 'keyring.db')}"
                continue
            name = f"{_PREFIX}{int(time.time()):x}_{secrets.token_hex(4)}"
            await asyncio.to_thread(_make_database, driverless(url), name)
            made.append((driverless(url), name))
            urls[part] = make_url(url).set(database=name).render_as_string(hide_password=False)
        place = drill.backups.place
        yield replace(place, content_url=urls["content"], keyring_url=urls["keyring"], work=work, transient=())
    finally:
        for url, name in made:
            await asyncio.to_thread(_drop_database, url, name)
        shutil.rmtree(work, ignore_errors=True)


async def remove_left_over(settings: Settings) -> None:
    """What a run that was killed left: folders and databases of drills that began more than an hour ago."""
    limit = time.time() - _LONGEST_S
    for folder in settings.data.glob(f"{_FOLDER}*"):
        if folder.stat().st_mtime < limit:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
    for url in {
        driverless(url) for url in (settings.maintenance_url, settings.keys_url) if not url.startswith("sqlite")
    }:
        await asyncio.to_thread(_drop_old_databases, url, limit)


def _drop_old_databases(url: str, limit: float) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        found = connection.execute("SELECT datname FROM pg_database WHERE datname ~ %s", (f"^{_PREFIX}[0-9a-f]+_",))
        for (name,) in found.fetchall():
            if int(name.removeprefix(_PREFIX).partition("_")[0], 16) < limit:
                _drop_database(url, name)


def _make_database(url: str, name: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        try:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        except psycopg.errors.InsufficientPrivilege as exc:
            raise NoPlace from exc


def _drop_database(url: str, name: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
