"""Withdrawing the consent to a connection: the credentials are deleted, and nothing uses them from then on.

The connectors of this version have no grant at a vendor that could be revoked there: their credentials are the
customer's own keys and passwords, which the customer revokes at the vendor.
"""

from __future__ import annotations

from agents.permission import Person
from store import audit, connections, events
from store.ids import ConnectionId
from store.session import Database


class Withdrawal:
    """`handlers.api_resource.Disconnecting` over the store."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def disconnect(self, person: Person, connection: ConnectionId, *, source: str) -> bool:
        """In one transaction with its record. False when there is no such connection."""
        actor = audit.Actor(type="user", id=person.user_id)
        async with self._db.tenant(person.tenant_id) as s:
            if not await connections.disconnect(s, connection):
                return False
            await events.emit(s, "ai.autoheal.connection.removed.v1", connection, actor=actor)
            await audit.record(s, actor=actor, action=f"{source}.connection.removed", target=connection)
        return True
