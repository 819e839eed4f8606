"""Who administers a workspace from its first day: whoever is named, else its primary owner, an owner or an admin.

A bot token does not say who installed the app, and Slack is slow to list the people of a large workspace. So nothing
waits for this: it is tried at the start and again until there is an admin; meanwhile people investigate as members.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import Final

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from store import audit
from store.database.session import Database
from store.ids import TenantId
from store.people import users
from store.people.users import Role
from store.tenancy import tenants

log = logging.getLogger("autoheal.slack")

PATIENCE_S: Final = 5.0
_MOST_PAGES: Final = 20


async def name_first_admin(
    db: Database, tenant: TenantId, client: AsyncWebClient, *, named: str | None = None, patience_s: float = PATIENCE_S
) -> bool:
    """Whether there is an admin now. `named` is a Slack id. Never raises for what Slack answers, or does not."""
    async with db.tenant(tenant, readonly=True) as s:
        if await users.admins(s):
            return True
        install = await tenants.load_install(s)
    found = named or (install.installer_slack_id if install else "")
    if not found:
        try:
            async with asyncio.timeout(patience_s):
                found = await find_owner(client)
        except (SlackApiError, aiohttp.ClientError, TimeoutError, OSError) as exc:
            why = exc.response.get("error") if isinstance(exc, SlackApiError) else type(exc).__name__
            log.warning(
                "Slack did not list the workspace's people (%s); the first admin is looked for again",
                why,
                extra={"action": "slack.owner_later"},
            )
            return False
    if not found:
        log.warning("Slack names no owner of the workspace", extra={"action": "slack.owner_unknown"})
        return False
    await _grant(db, tenant, found)
    return True


async def _grant(db: Database, tenant: TenantId, slack_user_id: str) -> None:
    async with db.tenant(tenant) as s:
        if await users.admins(s):
            return
        install = await tenants.load_install(s)
        if install is not None and not install.installer_slack_id:
            await tenants.save_install(s, replace(install, installer_slack_id=slack_user_id))
        admin = await users.ensure_user(s, slack_user_id=slack_user_id, role=Role.ADMIN)
        if admin.role is not Role.ADMIN:
            await users.set_role(s, admin.id, Role.ADMIN)
        await audit.record(
            s, actor=audit.SYSTEM, action="system.role.granted", target=admin.id, details={"role": "admin"}
        )


async def find_owner(client: AsyncWebClient) -> str:
    """The Slack id of the primary owner, else of the first owner, else of the first admin; empty when Slack names
    none. Raises what Slack's client raises.
    """
    ranked: dict[int, str] = {}
    cursor = ""
    for _ in range(_MOST_PAGES):
        page = await client.users_list(limit=200, cursor=cursor)
        for member in page.get("members") or []:
            if member.get("deleted") or member.get("is_bot"):
                continue
            for rank, mark in enumerate(("is_primary_owner", "is_owner", "is_admin")):
                if member.get(mark):
                    ranked.setdefault(rank, str(member["id"]))
        cursor = str((page.get("response_metadata") or {}).get("next_cursor") or "")
        if 0 in ranked or not cursor:
            break
    return ranked[min(ranked)] if ranked else ""
