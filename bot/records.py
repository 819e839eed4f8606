"""`autoheal audit` and `autoheal events`: the records of what happened, checked and exported by the operator."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from bot.opening import open_database
from bot.settings import Settings, SettingsError, load_settings
from bot.upkeep import event_days, open_signer
from store import audit
from store.audit import events
from store.audit.signed_checkpoints import CheckpointFile
from store.database.session import Database
from store.errors import UnknownTenant
from store.ids import TenantId
from store.tenancy.tenants import find_tenant, list_tenants
from store.upkeep.audit_heads import verify_chains

_OPERATOR: Final = audit.Actor(type="system", id="operator")
_READABLE: Final = ("active", "frozen")


async def verify_audit(*, tenant: str | None, checkpoints: Path | None) -> int:
    """A sentence a tenant. Exit code 1 when a chain is not what was recorded."""
    settings = load_settings()
    if checkpoints is not None and not await asyncio.to_thread(checkpoints.exists):
        raise SettingsError(f"there is no file {checkpoints}")
    async with open_database(settings) as (db, keys):
        file = CheckpointFile(checkpoints or settings.checkpoint_path)
        findings = await verify_chains(
            db,
            file.read(),
            (await open_signer(settings, keys)).public_pem,
            only=await _known(db, tenant) if tenant else None,
            shredded=_shredded(settings),
        )
    for finding in findings:
        _say(f"{'ok    ' if finding.ok else 'BROKEN'}  {finding.tenant_id}  {finding.sentence}")
    broken = sum(not finding.ok for finding in findings)
    if broken:
        _say(f"{broken} of {len(findings)} audit logs are not what was recorded: somebody changed the database past")
        _say("the application. Keep it as it is, and compare it with a backup.")
    return 1 if broken else 0


async def print_public_key() -> int:
    settings = load_settings()
    async with open_database(settings) as (_, keys):
        _say((await open_signer(settings, keys)).public_pem.decode().strip())
    return 0


async def export_events(*, tenant: str | None, since: str | None, until: str | None) -> int:
    """To standard output. Each export is in the tenant's audit log."""
    start = _time("--since", since) if since else datetime(1970, 1, 1, tzinfo=UTC)
    end = _time("--until", until) if until else datetime.now(UTC) + timedelta(days=1)
    settings = load_settings()
    async with open_database(settings) as (db, _), event_days(settings) as days:
        chosen = [await _known(db, tenant)] if tenant else [known.id for known in await list_tenants(db, *_READABLE)]
        for tenant_id in chosen:
            async with db.tenant(tenant_id, frozen_too=True) as s:
                details = {"since": start.isoformat(), "until": end.isoformat()}
                await audit.record(
                    s, actor=_OPERATOR, action="operator.events.exported", target=tenant_id, details=details
                )
            async for event in events.stream(db, tenant_id, start, end, days=days):
                sys.stdout.buffer.write(events.as_json(event) + b"\n")
    sys.stdout.buffer.flush()
    return 0


async def _known(db: Database, tenant_id: str) -> TenantId:
    found = await find_tenant(db, tenant_id)
    if found is None:
        raise UnknownTenant(f"there is no tenant {tenant_id}; `autoheal tenant` lists them")
    return found.id


def _shredded(settings: Settings) -> frozenset[str]:
    ledger = settings.ledger.read()
    return frozenset() if ledger is None else ledger.tenants


def _time(option: str, text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError as exc:
        raise SettingsError(f"{option}: write a day or a time, as 2026-11-05 or 2026-11-05T02:41Z") from exc
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _say(line: str) -> None:
    print(line)  # noqa: T201 -- for the person who asked
