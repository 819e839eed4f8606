"""A workspace that installed the app becomes a tenant: found again, welcomed back, or made."""

from __future__ import annotations

from dataclasses import replace

from store import audit
from store.audit import events
from store.database.session import Database
from store.errors import InstalledElsewhere, TenantFrozen
from store.ids import TenantId
from store.tenancy import tenants
from store.tenancy.tenants import SlackInstall
from store.upkeep import erasure


async def settle_install(db: Database, install: SlackInstall, *, name: str) -> TenantId:
    """The workspace's tenant, with this installation kept encrypted. The same one again changes nothing."""
    tenant = await _tenant(db, install)
    if tenant is not None:
        await _keep(db, tenant, install)
        return tenant
    made = await tenants.create_tenant(db, name=name)
    try:
        await _keep(db, made, install)
    except InstalledElsewhere:  # by another replica, at the same moment
        await erasure.close(db, made, actor=audit.SYSTEM, days=None)
        return await settle_install(db, install, name=name)
    return made


async def _tenant(db: Database, install: SlackInstall) -> TenantId | None:
    known = await tenants.tenant_for_slack(
        db, enterprise_id=install.enterprise_id, team_id=install.team_id, frozen_too=True
    )
    return None if known is None else await _welcome_back(db, known)


async def _welcome_back(db: Database, tenant: TenantId) -> TenantId | None:
    """A tenant that was frozen works again. None for one whose data is being deleted: the workspace begins anew."""
    try:
        await erasure.restore(db, tenant)
    except TenantFrozen:
        await erasure.close(db, tenant, actor=audit.SYSTEM, days=None)
        return None
    return tenant


async def _keep(db: Database, tenant: TenantId, install: SlackInstall) -> None:
    async with db.tenant(tenant) as s:
        known = await tenants.load_install(s)
        if known is None or (known.bot_token, known.bot_user_id, known.scopes) != (
            install.bot_token,
            install.bot_user_id,
            install.scopes,
        ):
            kept = install.installer_slack_id or (known.installer_slack_id if known else "")
            await tenants.save_install(s, replace(install, installer_slack_id=kept))
            await events.emit(s, "ai.autoheal.app.installed.v1", "slack")
            await audit.record(s, actor=audit.SYSTEM, action="system.app.installed", target="slack")
