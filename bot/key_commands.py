"""`autoheal keys ...`: what protects the data, and how each part of it is renewed. Safe beside a running `serve`."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Final

from bot.master_keys import UNFIT, open_master_keys, rewrap_files
from bot.opening import now, open_database
from bot.settings import APART, Settings, SettingsError
from store import audit
from store.database.engine import create_engine
from store.database.keyring import Keyring
from store.database.session import Database
from store.keys.key_provider import MasterKeys, Rotates
from store.keys.local_keys import LocalFileKeys
from store.tenancy.tenants import find_tenant, list_tenants
from store.upkeep import rotation

OPERATOR: Final = audit.Actor(type="system", id="operator")


async def show_status(settings: Settings) -> list[str]:
    """Lines for a person; what is half done says how it goes on."""
    async with open_database(settings) as (db, keys):
        lines = [f"master key     {keys.name}" + (f" ({UNFIT})" if keys.name == LocalFileKeys.name else "")]
        versions = await db.keyring.versions()
        wrapped = Counter(version.provider for version in versions)
        told = ", ".join(f"{count} by {name}" for name, count in sorted(wrapped.items())) or "none yet"
        lines.append(f"data keys      {len(versions)}, wrapped {told}")
        if stale := await db.keyring.stale_wraps():
            lines.append(
                f"half done      {stale} are not wrapped by the newest master key: run `autoheal keys rewrap`, and "
                "keep the earlier master key until then"
            )
        for tenant in await rotation.rotations(db):
            newest = [version for version in versions if version.tenant_id == tenant][-1]
            lines.append(
                f"half done      tenant {tenant} is rotating to version {newest.version}: `autoheal serve` goes on "
                f"with it, or `autoheal keys rotate-tenant {tenant}`"
            )
        ledger = await db.keyring.ledger()
        if ledger is None:
            lines.append("shred ledger   none: set AUTOHEAL_SHRED_LEDGER")
        else:
            lines.append(
                f"shred ledger   {settings.ledger_path}: {len(ledger.entries)} keys of {len(ledger.tenants)} tenants, "
                f"head {ledger.mark.head[:16]}; keep it apart from the keyring and its backups"
            )
            where = settings.shred_mark or "kept nowhere else: set AUTOHEAL_SHRED_MARK to a file on another disk"
            lines.append(f"its mark       {where}")
    return lines


async def rotate_master(settings: Settings) -> list[str]:
    """A new version of the master key, and everything wrapped by it. Raises SettingsError where the operator must make
    the new key.
    """
    async with open_database(settings) as (db, keys):
        if not isinstance(keys.current, Rotates):
            raise SettingsError(
                "AWS renews the material of a KMS key by itself. For another key: create it, set AUTOHEAL_KMS_KEY_ARN "
                "to its ARN, put the present one into AUTOHEAL_KMS_FORMER_KEY_ARNS, restart, and run "
                "`autoheal keys rewrap`"
            )
        made = await keys.current.rotate()
        return [made, await _rewrap(settings, db, keys)]


async def rewrap(settings: Settings) -> list[str]:
    async with open_database(settings) as (db, keys):
        return [await _rewrap(settings, db, keys)]


async def rotate_tenant(settings: Settings, tenant_id: str, *, at_once: bool) -> list[str]:
    """Begins a rotation, or goes on with the one that is under way."""
    async with open_database(settings) as (db, _):
        known = await find_tenant(db, tenant_id)
        if known is None or known.status == "closed":
            raise SettingsError(f"there is no tenant {tenant_id}; `autoheal tenant` lists them")
        begun = await rotation.begin_rotation(db, known.id, actor=OPERATOR, at_once=at_once)
        lines = ["A new version of the data key was made." if begun else "The rotation that was under way goes on."]
        resealed = 0
        while True:
            passed = await rotation.continue_rotation(db, known.id)
            resealed += passed.resealed
            if passed.done or not _can_go_on(passed.until, db.now()):
                break
        if resealed:
            lines.append(f"{resealed} rows were sealed anew.")
        if passed.done:
            lines.append(
                "Done: the old version is retired. Audit entries and events keep it, for they are never rewritten."
            )
        else:
            lines.append(
                f"Goes on from {passed.until:%H:%M} UTC, when every process knows the new version: `autoheal serve` "
                "does it, or this command again."
            )
    return lines


async def show_ledger(settings: Settings, *, begin_anew: bool = False, write_mark_anew: bool = False) -> list[str]:
    if begin_anew:
        return [await _begin_anew(settings)]
    if write_mark_anew:
        return [await _write_mark_anew(settings)]
    async with open_database(settings) as (db, _):
        ledger = await db.keyring.ledger()
        if ledger is None:
            return ["There is none: set AUTOHEAL_SHRED_LEDGER."]
        lines = [
            f"{entry.shredded_at:%Y-%m-%d %H:%M} UTC  {entry.tenant_id}  {entry.dek_id}" for entry in ledger.entries
        ]
        return [*lines, f"{len(ledger.entries)} keys; {ledger.mark.length} lines, head {ledger.mark.head}"]


async def _begin_anew(settings: Settings) -> str:
    """Past the refusal to open, which is all that this is for."""
    async with open_master_keys(settings) as keys:
        keyring = Keyring(create_engine(settings.keys_url, pool_size=1), keys, now, settings.ledger)
        try:
            await keyring.begin_ledger_anew()
        finally:
            await keyring.close()
    return (
        f"A new shred ledger was begun at {settings.ledger_path}. It knows nothing of what was shredded before: if the "
        "keyring is an old backup, tenants that were closed since can be read again. Close them again."
    )


async def _write_mark_anew(settings: Settings) -> str:
    """Past the refusal to open, as above."""
    async with open_master_keys(settings) as keys:
        keyring = Keyring(create_engine(settings.keys_url, pool_size=1), keys, now, settings.ledger)
        try:
            ledger = await keyring.write_mark_anew()
        finally:
            await keyring.close()
    if settings.shred_mark is None:
        return f"The mark is kept nowhere else from now on. P16 fails then: {APART}."
    return (
        f"{settings.shred_mark} says {ledger.mark.length} lines from now on, as {settings.ledger_path} has. If that is "
        "an old copy, tenants that were closed since can be read again: close them again."
    )


async def _rewrap(settings: Settings, db: Database, keys: MasterKeys) -> str:
    done = await db.keyring.rewrap()
    await rewrap_files(keys, settings.data)
    if done.done:
        for tenant in await list_tenants(db):
            async with db.tenant(tenant.id) as s:
                await audit.record(s, actor=OPERATOR, action="operator.key.rewrapped", target=tenant.id)
    return f"{done.done} data keys were wrapped anew by {keys.name}; {done.left} were already."


def _can_go_on(until: datetime | None, at: datetime) -> bool:
    return until is None or until <= at
