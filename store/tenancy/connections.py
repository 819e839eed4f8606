"""What a tenant connected: which connector, with which settings, credentials and scopes, who consented when, and how it
has been doing since.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import select

from store.database.schema import ConnectionRow, TenantHeadRow
from store.database.session import TenantSession
from store.errors import CorruptEnvelope, NameTaken, NotFound, UnreadableConnection
from store.ids import ConnectionId, UserId, new_id
from store.secrets.redaction import Redacted, Secret

_TABLE: Final = "connections"


@dataclass(frozen=True, kw_only=True)
class Connection:
    """`label` is what people call it, and apart from the others of its kind. `worked_at` is when it last answered,
    `data_at` when it last had anything to tell; `problem` says why the last test failed, `lacks` what it does without.
    """

    id: ConnectionId
    connector: str
    config: dict[str, Any]
    scopes: tuple[str, ...]
    consented_by: UserId | None
    connected_at: datetime
    readable: bool = True
    """False where its settings or credentials are damaged: then `config` is empty, and it must be connected again."""
    label: str = ""
    checked_at: datetime | None = None
    worked_at: datetime | None = None
    data_at: datetime | None = None
    problem: Redacted | None = None
    lacks: Redacted | None = None


async def save_connection(
    s: TenantSession,
    *,
    connector: str,
    config: Mapping[str, Any],
    credentials: Mapping[str, Secret],
    scopes: Sequence[str] = (),
    consented_by: UserId | None = None,
    label: str = "",
    id: ConnectionId | None = None,  # noqa: A002 -- as the row calls it
) -> Connection:
    """Adds a connection. Its credentials are sealed, and known to the tenant's redactor from here on.

    `label` is the connector's name where none is given. Raises NameTaken. With the `id` of a connection that is there
    already that one is returned as it is.
    """
    await s.head()  # locked: two that come together cannot take the same name
    known = await s.all(select(ConnectionRow))
    if id is not None and (same := next((row for row in known if row.id == id), None)) is not None:
        return _connection(s, same)
    label = label or connector
    if any(_label(row) == label for row in known):
        raise NameTaken(f"there is a connection called {label} already")
    row_id = id or new_id()
    revealed = json.dumps({name: secret.reveal() for name, secret in credentials.items()})
    row = ConnectionRow(
        id=row_id,
        connector=connector,
        label=label,
        config=s.seal_json(_TABLE, "config", row_id, dict(config)),
        credentials=s.seal_secret(_TABLE, "credentials", row_id, Secret(revealed)),
        scopes=tuple(scopes),
        consented_by=consented_by,
        connected_at=s.now(),
    )
    await s.insert(row)
    await s.sources_changed()
    await s.secrets_changed()
    return _connection(s, row)


async def connections(s: TenantSession) -> list[Connection]:
    rows = await s.all(select(ConnectionRow).order_by(ConnectionRow.connected_at, ConnectionRow.id))
    return [_connection(s, row) for row in rows]


async def version(s: TenantSession) -> int:
    """Raised by every change of the tenant's connections or catalog: what was built of an older one is out of date."""
    return int(await s.value(select(TenantHeadRow.connections_version)) or 0)


async def credentials(s: TenantSession, connection_id: ConnectionId) -> dict[str, Secret]:
    """Raises NotFound, UnreadableConnection."""
    row = await s.one(ConnectionRow, ConnectionRow.id == connection_id)
    if row is None:
        raise NotFound("no such connection")
    stored = s.credential(_TABLE, "credentials", row.id, row.credentials)
    if stored is None:
        raise UnreadableConnection(f"the credentials of the connection {row.id} cannot be opened: connect it again")
    return {name: Secret(value) for name, value in json.loads(stored.reveal()).items()}


async def note_health(
    s: TenantSession,
    connection_id: ConnectionId,
    *,
    works: bool,
    problem: str = "",
    lacks: str = "",
    has_data: bool | None = None,
) -> bool:
    """What a test or a reading found. `has_data` is None where that was not looked at. False when it is gone."""
    now = s.now()
    values: dict[str, Any] = {"checked_at": now, "problem": s.redactor.redact(problem[:500]) if problem else None}
    if works:
        values |= {"worked_at": now, "lacks": s.redactor.redact(lacks[:500]) if lacks else None}
    if has_data:
        values["data_at"] = now
    return await s.update(ConnectionRow, ConnectionRow.id == connection_id, values=values) == 1


async def change_config(s: TenantSession, connection_id: ConnectionId, config: Mapping[str, Any]) -> bool:
    """Other settings for a connection; its credentials stay. False when it is gone."""
    sealed = s.seal_json(_TABLE, "config", connection_id, dict(config))
    if await s.update(ConnectionRow, ConnectionRow.id == connection_id, values={"config": sealed}) != 1:
        return False
    await s.sources_changed()
    return True


async def disconnect(s: TenantSession, connection_id: ConnectionId) -> bool:
    """Deletes the connection with its credentials; False when it was gone already."""
    gone = await s.delete(ConnectionRow, ConnectionRow.id == connection_id)
    if gone:
        await s.sources_changed()
        await s.secrets_changed()
    return gone == 1


def _label(row: ConnectionRow) -> str:
    return row.label or row.connector


def _connection(s: TenantSession, row: ConnectionRow) -> Connection:
    readable = s.credential(_TABLE, "credentials", row.id, row.credentials) is not None
    try:
        config = s.open_json(_TABLE, "config", row.id, row.config)
    except CorruptEnvelope:
        config, readable = {}, False
    return Connection(
        id=ConnectionId(row.id),
        connector=row.connector,
        label=_label(row),
        config=config,
        readable=readable,
        scopes=row.scopes,
        consented_by=None if row.consented_by is None else UserId(row.consented_by),
        connected_at=row.connected_at,
        checked_at=row.checked_at,
        worked_at=row.worked_at,
        data_at=row.data_at,
        problem=Redacted.ours(row.problem) if row.problem else None,
        lacks=Redacted.ours(row.lacks) if row.lacks else None,
    )
