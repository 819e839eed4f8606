"""Forgets what people no longer use: ended sessions, tokens and invitations, mail that went out long ago."""

from datetime import timedelta
from typing import Final

from store.database.schema import ApiTokenRow, InvitationRow
from store.database.session import Database
from store.errors import TenantFrozen, UnknownTenant
from store.people.mails import forget_ended_mails
from store.people.web_sessions import forget_expired
from store.tenancy.tenants import list_tenants

KEPT: Final = timedelta(days=30)
"""How long an ended token or invitation is shown still."""


async def forget_ended(db: Database) -> int:
    """Over all tenants; how many rows. One that is frozen or closed is left to its erasure."""
    gone = 0
    for tenant in await list_tenants(db):
        try:
            async with db.tenant(tenant.id) as s:
                gone += await forget_expired(s) + await forget_ended_mails(s)
                gone += await s.delete(ApiTokenRow, ApiTokenRow.expires_at <= s.now() - KEPT)
                gone += await s.delete(InvitationRow, InvitationRow.expires_at <= s.now() - KEPT)
        except (TenantFrozen, UnknownTenant):
            continue
    return gone
