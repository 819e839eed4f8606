"""What the organisation connected: who consented to which scopes when, and withdrawing that."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel

from agents.permission import Permission
from handlers.web.api_resource import Call, Done, Missing, Office, Operation, Resource
from store.ids import ConnectionId
from store.tenancy import connections


class Consent(BaseModel):
    """Never with credentials or addresses."""

    id: str
    connector: str
    scopes: list[str]
    consented_by: str | None
    connected_at: datetime
    readable: bool
    """False where what is stored of it is damaged: it is not used, and must be connected again."""


class Consents(BaseModel):
    connections: list[Consent]


async def list_connections(call: Call, office: Office) -> Consents:
    """All of the organisation's, oldest first."""
    async with office.db.tenant(call.person.tenant_id, readonly=True) as s:
        known = await connections.connections(s)
    return Consents(
        connections=[
            Consent(
                id=one.id,
                connector=one.connector,
                scopes=list(one.scopes),
                consented_by=one.consented_by,
                connected_at=one.connected_at,
                readable=one.readable,
            )
            for one in known
        ]
    )


async def disconnect(connection_id: UUID, call: Call, office: Office) -> Done:
    """Withdraws the consent: the credentials are deleted and nothing uses them any more."""
    gone = await office.disconnecting.disconnect(call.person, ConnectionId(str(connection_id)), source=call.source)
    if not gone:
        raise Missing
    return Done()


RESOURCE = Resource(
    name="connections",
    operations=(
        Operation(method="GET", path="/connections", access=Permission.CONNECT, run=list_connections, answer=Consents),
        Operation(
            method="DELETE",
            path="/connections/{connection_id}",
            access=Permission.CONNECT,
            run=disconnect,
            answer=Done,
        ),
    ),
)
