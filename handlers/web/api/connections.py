"""What the organisation connected: what there is to connect, connecting it, how it does, and withdrawing that."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated
from uuid import UUID, uuid4

from pydantic import BaseModel, Field

from agents.connecting.connecting import Consenting, NotConnected, connectable, in_words, silence
from agents.permission import Permission
from handlers.web.api_resource import Body, Call, Context, Missing, Operation, Problem, Resource
from store.ids import ConnectionId
from store.tenancy import connections
from store.tenancy.connections import Connection


class Consent(BaseModel):
    """Never with credentials or addresses."""

    id: str
    connector: str
    label: str
    scopes: list[str]
    consented_by: str | None
    connected_at: datetime
    readable: bool
    """False where what is stored of it is damaged: it is not used, and must be connected again."""
    checked_at: datetime | None
    worked_at: datetime | None
    problem: str | None
    lacks: str | None


class Consents(BaseModel):
    connections: list[Consent]


class AskedField(BaseModel):
    name: str
    label: str
    help: str
    example: str
    required: bool
    secret: bool


class Connectable(BaseModel):
    """A tool that can be connected, and what it asks for."""

    name: str
    title: str
    about: str
    docs_url: str
    fields: list[AskedField]
    ways: list[list[str]]
    """Which fields prove who asks: those of one of these."""
    scopes: dict[str, str]
    """The rights that its credential needs, each with what is lost without it."""


class Connectables(BaseModel):
    connectors: list[Connectable]


class NewConnection(Body):
    """The same `request` twice makes one connection. Secrets stand among the values and are never shown again."""

    connector: Annotated[str, Field(max_length=40)]
    label: Annotated[str, Field(max_length=40)] = ""
    values: Mapping[str, Annotated[str, Field(max_length=20_000)]]
    request: Annotated[str, Field(max_length=100)] = ""


class Made(BaseModel):
    connection: Consent
    told: str
    """What came of it, in words."""
    services: list[str]
    """Services that were not known before."""


class Tested(BaseModel):
    connection: Consent
    works: bool
    detail: str
    next_action: str
    silent: str
    changed: list[str]
    """What is not as it was accepted, and therefore off; in part the words of the other side."""
    seen: str
    """Send it to `accept` to use what there is now."""


class AcceptingChanges(Body):
    """`seen` is what the test answered: what changed after it is not accepted."""

    seen: Annotated[str, Field(min_length=1, max_length=64)]


class AcceptedNow(BaseModel):
    """It is used as it is now."""

    told: str


class Ended(BaseModel):
    """It is gone; `told` says what was done at the vendor and what stopped."""

    done: bool = True
    told: str


async def list_connections(call: Call, context: Context) -> Consents:
    """All of the organisation's, oldest first, with what their last test found."""
    async with context.db.tenant(call.person.tenant_id, readonly=True) as s:
        known = await connections.connections(s)
    return Consents(connections=[_consent(one) for one in known])


async def list_connectors(_call: Call, _context: Context) -> Connectables:
    """What can be connected, by name."""
    return Connectables(
        connectors=[
            Connectable(
                name=name,
                title=kind.title,
                about=kind.about,
                docs_url=kind.docs_url,
                fields=[
                    AskedField(
                        name=one.name,
                        label=one.label,
                        help=one.help,
                        example=one.example,
                        required=one.required,
                        secret=one.secret,
                    )
                    for one in kind.form.fields
                ],
                ways=[list(way.fields) for way in kind.form.ways],
                scopes={scope.name: scope.without for scope in kind.scopes},
            )
            for name, kind in sorted(connectable().items())
        ]
    )


async def connect(body: NewConnection, call: Call, context: Context) -> Made:
    """Tests it against the vendor, and stores it only where that works."""
    result = await context.connecting.connect(
        Consenting(tenant=call.person.tenant_id, user=call.person.user_id),
        connector=body.connector,
        values=body.values,
        label=body.label,
        source=call.source,
        source_id=f"{call.source}:{body.request or uuid4()}",
    )
    if isinstance(result, NotConnected):
        raise Problem(422, "not_connected", result.reason)
    known = [entry.name for entry in result.services if entry.state == "known"]
    return Made(connection=_consent(result.connection), told=in_words(result), services=known)


async def test_connection(connection_id: UUID, call: Call, context: Context) -> Tested:
    """Tests it now."""
    found = await context.connecting.look(call.person.tenant_id, ConnectionId(str(connection_id)))
    if not found:
        raise Missing
    one = found[0]
    return Tested(
        connection=_consent(one.connection),
        works=one.check is not None and one.check.usable,
        detail=one.reason if one.check is None else one.check.detail,
        next_action="" if one.check is None else one.check.next_action,
        silent="" if one.check is None else silence(one.connection.data_at, one.check.has_data),
        changed=[] if one.check is None else list(one.check.changed),
        seen="" if one.check is None else one.check.seen,
    )


async def accept_changes(connection_id: UUID, body: AcceptingChanges, call: Call, context: Context) -> AcceptedNow:
    """What a connection offers differently is used from now on."""
    done = await context.connecting.accept(
        Consenting(tenant=call.person.tenant_id, user=call.person.user_id),
        ConnectionId(str(connection_id)),
        seen=body.seen,
        source=call.source,
    )
    if done is None:
        raise Missing
    if isinstance(done, NotConnected):
        raise Problem(409, "not_accepted", done.reason)
    return AcceptedNow(told=done.in_words())


async def disconnect(connection_id: UUID, call: Call, context: Context) -> Ended:
    """Withdraws the consent: the credentials are deleted and nothing uses them any more."""
    gone = await context.disconnecting.disconnect(call.person, ConnectionId(str(connection_id)), source=call.source)
    if gone is None:
        raise Missing
    return Ended(told=gone.in_words())


def _consent(one: Connection) -> Consent:
    return Consent(
        id=one.id,
        connector=one.connector,
        label=one.label,
        scopes=list(one.scopes),
        consented_by=one.consented_by,
        connected_at=one.connected_at,
        readable=one.readable,
        checked_at=one.checked_at,
        worked_at=one.worked_at,
        problem=one.problem,
        lacks=one.lacks,
    )


RESOURCE = Resource(
    name="connections",
    operations=(
        Operation(method="GET", path="/connections", access=Permission.CONNECT, run=list_connections, answer=Consents),
        Operation(
            method="GET", path="/connectors", access=Permission.CONNECT, run=list_connectors, answer=Connectables
        ),
        Operation(method="POST", path="/connections", access=Permission.CONNECT, run=connect, answer=Made, status=201),
        Operation(
            method="POST",
            path="/connections/{connection_id}/test",
            access=Permission.CONNECT,
            run=test_connection,
            answer=Tested,
        ),
        Operation(
            method="POST",
            path="/connections/{connection_id}/accept",
            access=Permission.CONNECT,
            run=accept_changes,
            answer=AcceptedNow,
        ),
        Operation(
            method="DELETE",
            path="/connections/{connection_id}",
            access=Permission.CONNECT,
            run=disconnect,
            answer=Ended,
        ),
    ),
)
