"""What every command opens first: the data folder and the store in it. `bot/assemble.py` joins the rest."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from urllib.parse import urlsplit

from agents.connecting.operator_file import OperatorFile
from agents.errors import NotPermitted
from bot.damage import require_undamaged
from bot.master_keys import open_master_keys
from bot.settings import Settings
from store import inbox
from store.database.migrations import migrate, migrate_keyring
from store.database.session import Database
from store.ids import TenantId
from store.keys.key_provider import MasterKeys
from store.tenancy.tenants import list_tenants, tenant_for_slack


def now() -> datetime:
    return datetime.now(UTC)


def make_data_folder(settings: Settings) -> None:
    """The folder and its files are for this user alone, also where the folder was made by somebody else."""
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    if settings.database_url is None:
        for name in ("autoheal.db", "arrivals.db", "keyring.db", "engine.db"):  # further files take over the mode
            (settings.data / name).touch(mode=0o600)


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[tuple[Database, MasterKeys]]:
    """Migrated and open. SQLite migrates itself; PostgreSQL wants `autoheal migrate` (else SchemaMismatch). Raises
    DamagedFolder where something of a former deployment is missing.
    """
    await require_undamaged(settings)
    make_data_folder(settings)
    if settings.database_url is None:
        await migrate(settings.content_url)
        await migrate_keyring(settings.keys_url)
    async with open_master_keys(settings) as keys:
        db = await Database.open(
            settings.content_url, keyring_url=settings.keys_url, keys=keys, ledger=settings.ledger, clock=now
        )
        try:
            await db.keyring.admit()
            await inbox.collect(db)
            yield db, keys
        finally:
            await db.close()


async def tenant_of_file(db: Database, file: OperatorFile) -> TenantId | None:
    """Whom the operator's file is for: the workspace or organisation that it names, or the only one. None where that is
    not here, or where there are several and none is named.
    """
    if file.tenant != "default":
        return await tenant_for_slack(db, enterprise_id=file.tenant, team_id=file.tenant)
    known = await list_tenants(db, "active")
    return known[0].id if len(known) == 1 else None


def egress_to(base_url: str) -> Callable[[str], object]:
    """Allows exactly the origin of `base_url`; raises NotPermitted for any other."""
    allowed = urlsplit(base_url)[:2]

    def check(url: str) -> None:
        if urlsplit(url)[:2] != allowed:
            raise NotPermitted("the model client may only reach its own API")

    return check
