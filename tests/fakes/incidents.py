"""What nothing in the product may do: list the incidents of a tenant, whoever asks."""

from store.database.session import TenantSession
from store.incidents import Incident, Sight, channels_of_incidents, visible_incidents


async def open_incidents(s: TenantSession) -> list[Incident]:
    """Those not resolved, newest first."""
    return await visible_incidents(s, Sight(channels=await channels_of_incidents(s)))
