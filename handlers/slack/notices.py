"""What the store itself has to say to people in Slack: alerts to the admins, signed heads to the audit channel.

Each goes out under a key, so that saying it again says it once.
"""

from handlers.slack.blocks.message import said
from handlers.slack.delivery import Delivery
from store.database.session import Database
from store.ids import TenantId
from store.people import users


class Notices:
    """Implements `store.upkeep.watch.TellsAdmins` and `store.upkeep.audit_heads.PostsHeads`."""

    def __init__(self, db: Database, delivery: Delivery) -> None:
        self._db = db
        self._delivery = delivery

    async def tell_admins(self, tenant: TenantId, *, key: str, text: str) -> bool:
        """A direct message to each admin who is in Slack. False when one of them could not be told."""
        async with self._db.tenant(tenant, readonly=True) as s:
            found = await users.admins(s)
        told = [
            await self._delivery.post(
                tenant, key=f"{key}:{admin.id}", channel=admin.slack_user_id, thread_ts=None, message=said(text)
            )
            for admin in found
            if admin.is_in_slack
        ]
        return None not in told

    async def post_head(self, tenant: TenantId, *, key: str, channel: str, text: str) -> None:
        await self._delivery.post(tenant, key=key, channel=channel, thread_ts=None, message=said(text))
