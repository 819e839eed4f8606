"""What a tenant connected: which connector, with which settings, credentials and scopes, and who consented when."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import select

from store.database.schema import ConnectionRow
from store.database.session import TenantSession
from store.errors import CorruptEnvelope, NotFound, UnreadableConnection
from store.ids import ConnectionId, UserId, new_id
from store.secrets.redaction import Secret

_TABLE: Final = "connections"


@dataclass(frozen=True, kw_only=True)
class Connection:
    id: ConnectionId
    connector: str
    config: dict[str, Any]
    scopes: tuple[str, ...]
    consented_by: UserId | None
    connected_at: datetime
    readable: bool = True
    """False where its settings or credentials are damaged: then `config` is empty, and it must be connected again."""


async def save_connection(
    s: TenantSession,
    *,
    connector: str,
    config: Mapping[str, Any],
    credentials: Mapping[str, Secret],
    scopes: Sequence[str] = (),
    consented_by: UserId | None = None,
) -> Connection:
    """Adds a connection. Its credentials are sealed, and known to the tenant's redactor from here on."""
    row_id = new_id()
    revealed = json.dumps({name: secret.reveal() for name, secret in credentials.items()})
    row = ConnectionRow(
        id=row_id,
        connector=connector,
        config=s.seal_json(_TABLE, "config", row_id, dict(config)),
        credentials=s.seal_secret(_TABLE, "credentials", row_id, Secret(revealed)),
        scopes=tuple(scopes),
        consented_by=consented_by,
        connected_at=s.now(),
    )
    await s.insert(row)
    await s.secrets_changed()
    return _connection(s, row)


async def connections(s: TenantSession) -> list[Connection]:
    rows = await s.all(select(ConnectionRow).order_by(ConnectionRow.connected_at, ConnectionRow.id))
    return [_connection(s, row) for row in rows]


async def credentials(s: TenantSession, connection_id: ConnectionId) -> dict[str, Secret]:
    """Raises NotFound, UnreadableConnection."""
    row = await s.one(ConnectionRow, ConnectionRow.id == connection_id)
    if row is None:
        raise NotFound("no such connection")
    stored = s.credential(_TABLE, "credentials", row.id, row.credentials)
    if stored is None:
        raise UnreadableConnection(f"the credentials of the connection {row.id} cannot be opened: connect it again")
    return {name: Secret(value) for name, value in json.loads(stored.reveal()).items()}


async def disconnect(s: TenantSession, connection_id: ConnectionId) -> bool:
    """Deletes the connection with its credentials; False when it was gone already."""
    gone = await s.delete(ConnectionRow, ConnectionRow.id == connection_id)
    if gone:
        await s.secrets_changed()
    return gone == 1


def _connection(s: TenantSession, row: ConnectionRow) -> Connection:
    readable = s.credential(_TABLE, "credentials", row.id, row.credentials) is not None
    try:
        config = s.open_json(_TABLE, "config", row.id, row.config)
    except CorruptEnvelope:
        config, readable = {}, False
    return Connection(
        id=ConnectionId(row.id),
        connector=row.connector,
        config=config,
        readable=readable,
        scopes=row.scopes,
        consented_by=None if row.consented_by is None else UserId(row.consented_by),
        connected_at=row.connected_at,
    )
