"""`autoheal tenant close ID [--now]`: ends a tenant, and says in plain words what is gone and what is not."""

from __future__ import annotations

import asyncio
from typing import Final

import aiohttp
from slack_sdk.errors import SlackApiError

from bot.opening import open_database
from bot.settings import Settings, SettingsError
from bot.slack_clients import EgressRefused, guarded_session, make_client
from bot.upkeep import event_days
from store import audit
from store.database.session import Database
from store.errors import StoreError
from store.ids import TenantId
from store.tenancy import tenants
from store.tenancy.tenants import find_tenant
from store.upkeep import erasure

OPERATOR: Final = audit.Actor(type="system", id="operator")
REVOKE_S: Final = 10.0

REMAINS: Final = """\
What Autoheal cannot delete: the messages and charts that it posted stay in Slack, and so do the messages that people
wrote to it. They belong to the workspace; delete them there, or let its retention do it. Until an admin removes the
app under Manage apps, its name stays in Slack's list.
Backups made before now still hold the rows, and those of the keyring the wrapped keys. No restore brings them back,
because the shred ledger destroys the keys again; who holds such backups and the master key could read them past
Autoheal, until the last of them expires, within 30 days.
Kept for good: this tenant's id with its dates, and the shred ledger."""


async def close(settings: Settings, tenant_id: str, *, now: bool) -> list[str]:
    """Lines for a person. Raises SettingsError for an unknown tenant."""
    async with open_database(settings) as (db, _):
        known = await find_tenant(db, tenant_id)
        if known is None:
            raise SettingsError(f"there is no tenant {tenant_id}; `autoheal tenant` lists them")
        told = [await _revoke(settings, db, known.id)] if known.status == "active" else []
        if not now:
            return [*told, *await _freeze(db, known)]
        async with event_days(settings) as days:
            closed = await erasure.close(db, known.id, actor=OPERATOR, days=days, now=True)
    rows = f"{sum(closed.rows.values())} rows in {len(closed.rows)} tables"
    done = f"Closed. {closed.keys} data keys were destroyed; then {rows} and {closed.events} events were deleted."
    memory = (
        "A process that runs now may hold the keys in memory for five more minutes; it refuses this tenant already."
    )
    return [*told, done, memory, REMAINS]


async def _freeze(db: Database, known: tenants.Tenant) -> list[str]:
    if known.status == "active":
        await erasure.freeze(db, known.id, actor=OPERATOR)
    again = await find_tenant(db, known.id)
    if again is None or again.closes_at is None or again.status != "frozen":
        return [f"This tenant is {again.status if again else known.status}."]
    at = f"{again.closes_at:%Y-%m-%d %H:%M} UTC"
    first = f"Frozen: nothing is done for this tenant any more. On {at} `autoheal serve` deletes it."
    then = (
        f"Installing the app again brings it back until then. To delete at once: autoheal tenant close {known.id} --now"
    )
    return [first, then]


async def _revoke(settings: Settings, db: Database, tenant: TenantId) -> str:
    """Slack forgets the token. What fails here stops nothing: the token is destroyed on this side anyway."""
    failed = "Slack could not be told to forget the token: remove the app in Slack under Manage apps."
    try:
        async with db.tenant(tenant, readonly=True) as s:
            install = await tenants.load_install(s)
    except StoreError:
        return failed
    if install is None or not install.bot_token.reveal():
        return "Slack was not connected."
    try:
        async with guarded_session(settings.slack_api_url) as session, asyncio.timeout(REVOKE_S):
            await make_client(session, settings.slack_api_url, install.bot_token).auth_revoke()
    except (SlackApiError, aiohttp.ClientError, EgressRefused, OSError, TimeoutError):
        return failed
    return "Slack has revoked the token."
