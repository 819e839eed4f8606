"""`autoheal tenant`: a workspace's settings, shown and changed by the operator of this process.

`autoheal tenant` lists the workspaces; `autoheal tenant ID` shows one; `autoheal tenant ID model=none
daily_usd_cap=5` changes it. Each change is in the tenant's audit log.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

from bot.opening import open_database
from bot.settings import SettingsError, load_settings
from store import audit
from store.database.session import Database
from store.ids import TenantId
from store.tenancy.tenants import TenantSettings, list_tenants, settings, update_settings

_LISTS: Final = frozenset({"triage_channels", "open_threads"})
_YES: Final = {"true": True, "yes": True, "false": False, "no": False}


def tenant(tenant_id: str | None, changes: Sequence[str]) -> int:
    """Exit code 0. Raises SettingsError with what is accepted."""

    async def run() -> None:
        async with open_database(load_settings()) as (db, _):
            if tenant_id is None:
                for known in await list_tenants(db, "active", "frozen", "closing"):
                    status = "" if known.status == "active" else f"  ({known.status})"
                    print(f"{known.id}  {known.name}{status}")  # noqa: T201 -- for the person who asked
                return
            shown = await _change(db, await _find(db, tenant_id), parse_changes(changes))
            for name, value in asdict(shown).items():
                text = ",".join(value) if name in _LISTS else str(value)
                print(f"{name} = {text}")  # noqa: T201 -- for the person who asked

    asyncio.run(run())
    return 0


def parse_changes(words: Sequence[str]) -> dict[str, Any]:
    """`name=value` words as typed values. Lists are comma-separated channel ids."""
    known = TenantSettings.__dataclass_fields__
    changes: dict[str, Any] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or name not in known:
            raise SettingsError(f"{word!r} is not a change; write name=value with one of: {', '.join(known)}")
        changes[name] = _typed(name, value)
    return changes


def _typed(name: str, value: str) -> Any:
    if name in _LISTS:
        return tuple(part for part in value.split(",") if part)
    if name == "allow_external_channels":
        if value.lower() not in _YES:
            raise SettingsError(f"{name} is true or false")
        return _YES[value.lower()]
    if name == "second_look_minutes":
        if not value.isdecimal():
            raise SettingsError(f"{name} is a whole number of minutes, such as 30; 0 for no second look")
        return int(value)
    if name == "daily_usd_cap":
        try:
            return float(value)
        except ValueError as exc:
            raise SettingsError(f"{name} is an amount of dollars, such as 20") from exc
    return value


async def _find(db: Database, tenant_id: str) -> TenantId:
    known = [t.id for t in await list_tenants(db)]
    if tenant_id not in known:
        raise SettingsError(f"there is no tenant {tenant_id}; `autoheal tenant` lists them")
    return TenantId(tenant_id)


async def _change(db: Database, tenant_id: TenantId, changes: dict[str, Any]) -> TenantSettings:
    async with db.tenant(tenant_id) as s:
        if changes:
            try:
                await update_settings(s, **changes)
            except ValueError as exc:
                raise SettingsError(str(exc)) from exc
            actor = audit.Actor(type="system", id="operator")
            details = {name: str(value) for name, value in changes.items()}
            await audit.record(s, actor=actor, action="operator.settings.changed", target=tenant_id, details=details)
        return await settings(s)
