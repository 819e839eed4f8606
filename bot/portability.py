"""`autoheal export`: everything that a tenant has, in a file for its owner."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

from bot.opening import open_database
from bot.settings import Settings, SettingsError
from bot.upkeep import event_days
from store import audit
from store.audit import events
from store.tenancy.tenants import find_tenant
from store.upkeep.export import export_csv, export_json
from store.whole_file import replacing

Format = Literal["json", "csv"]
_OPERATOR: Final = audit.Actor(type="system", id="operator")


async def export(settings: Settings, tenant: str, *, form: Format, out: Path) -> list[str]:
    """Written under another name first: a file that is there is whole. Only its owner can read it. The export is in the
    tenant's audit log before anything is written. Raises SettingsError.
    """
    if not out.parent.is_dir():
        raise SettingsError(f"--out: there is no folder {out.parent}")
    async with open_database(settings) as (db, _), event_days(settings) as days:
        known = await find_tenant(db, tenant)
        if known is None or known.status not in ("active", "frozen"):
            raise SettingsError(f"there is no tenant {tenant} with data; `autoheal tenant` lists them")
        async with db.tenant(known.id, frozen_too=True) as s:
            await audit.record(
                s, actor=_OPERATOR, action="operator.export.created", target=known.id, details={"format": form}
            )
            await events.emit(s, "ai.autoheal.export.created.v1", known.id, {"format": form}, actor=_OPERATOR)
        make = export_json if form == "json" else export_csv
        size = 0
        with replacing(out) as file:
            async for piece in make(db, known.id, days=days):
                size += file.write(piece)
    return [
        f"{out}: {size / 1e6:.1f} MB of {form.upper()}, everything that {known.name} has here, without its secrets.",
        "It holds conversations and personal data in the clear: hand it over safely, then delete it.",
    ]
