"""The tenant as its own people know it: a name and a beginning."""

from sqlalchemy import select

from store.database.schema import TenantRow
from store.database.session import Database
from store.errors import UnknownTenant
from store.ids import TenantId
from store.secrets.redaction import Redacted


async def organisation_name(db: Database, tenant_id: TenantId) -> Redacted:
    """Raises UnknownTenant."""
    async with db.across_tenants("the name of a caller's own organisation", readonly=True) as session:
        name = await session.scalar(select(TenantRow.name).where(TenantRow.id == tenant_id))
    if name is None:
        raise UnknownTenant("this tenant does not exist")
    return Redacted.ours(name)
