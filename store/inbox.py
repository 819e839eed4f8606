"""The durable inbox: what arrived is on disk before it is acknowledged, and each thing is there once.

Group commit: arrivals of a tenant that come while its previous batch is being written share the next transaction, and
each caller waits for the commit of its own. So the cost of a commit is shared exactly when it matters.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import select, tuple_

from store.errors import NotFound
from store.ids import InboxId, TenantId, new_id
from store.redaction import VERBATIM_KEYS, RedactionFailed
from store.schema import InboxRow
from store.schema.columns import word
from store.session import Database, TenantSession

ArrivalState = Literal["received", "enqueued", "done", "failed"]
_BATCH = 200


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """Something from outside, under the id that its source gave it. The payload's strings are redacted, except those
    under `verbatim_keys`.
    """

    source: Literal["slack"]
    external_id: str
    kind: str
    payload: dict[str, Any]
    verbatim_keys: frozenset[str] = VERBATIM_KEYS


@dataclass(frozen=True, kw_only=True)
class StoredArrival:
    id: InboxId
    source: str
    external_id: str
    kind: str
    payload: dict[str, Any]
    state: ArrivalState
    note: str | None
    received_at: datetime


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """On disk. `is_new` is False for what had arrived before, under the same id as then."""

    inbox_id: InboxId
    is_new: bool


@dataclass(eq=False)
class _Batch:
    arrivals: list[Arrival] = field(default_factory=list)
    written: asyncio.Task[list[Recorded | RedactionFailed]] | None = None


class Inbox:
    def __init__(self, db: Database) -> None:
        self._db = db
        self._open: dict[TenantId, _Batch] = {}
        self._turns: defaultdict[TenantId, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def record(self, tenant_id: TenantId, arrival: Arrival) -> Recorded:
        """Returns once the arrival is durable. Raises RedactionFailed, UnknownTenant, or the database's error."""
        for value in (arrival.source, arrival.external_id, arrival.kind):
            word(value)
        batch = self._open.get(tenant_id)
        if batch is None or len(batch.arrivals) >= _BATCH:
            batch = self._open[tenant_id] = _Batch()
            batch.written = asyncio.create_task(self._write(tenant_id, batch))
        index = len(batch.arrivals)
        batch.arrivals.append(arrival)
        if batch.written is None:
            raise RuntimeError("a batch without its writer")
        outcome = (await asyncio.shield(batch.written))[index]
        if isinstance(outcome, RedactionFailed):
            raise outcome
        return outcome

    async def _write(self, tenant_id: TenantId, batch: _Batch) -> list[Recorded | RedactionFailed]:
        async with self._turns[tenant_id]:
            if self._open.get(tenant_id) is batch:
                del self._open[tenant_id]
            async with self._db.tenant(tenant_id, urgent=True) as s:
                return await _insert(s, batch.arrivals)


async def _insert(s: TenantSession, arrivals: list[Arrival]) -> list[Recorded | RedactionFailed]:
    sealed: dict[tuple[str, str], dict[str, Any]] = {}
    refused: dict[int, RedactionFailed] = {}
    for index, arrival in enumerate(arrivals):
        key = (arrival.source, arrival.external_id)
        if key in sealed:
            continue
        try:
            sealed[key] = _row(s, arrival)
        except RedactionFailed as exc:
            refused[index] = exc
    added = await s.insert_if_absent(InboxRow, *sealed.values())
    ids = {key: InboxId(row["id"]) for key, row in sealed.items() if row["id"] in added}
    ids |= await _known(s, sealed.keys() - ids.keys())
    first_seen = {key for key, row in sealed.items() if row["id"] in added}
    outcomes: list[Recorded | RedactionFailed] = []
    for index, arrival in enumerate(arrivals):
        key = (arrival.source, arrival.external_id)
        if index in refused:
            outcomes.append(refused[index])
            continue
        outcomes.append(Recorded(inbox_id=ids[key], is_new=key in first_seen))
        first_seen.discard(key)
    return outcomes


def _row(s: TenantSession, arrival: Arrival) -> dict[str, Any]:
    row_id = new_id()
    payload = s.seal_json("inbox", "payload", row_id, arrival.payload, verbatim_keys=arrival.verbatim_keys)
    return {
        "id": row_id,
        "source": arrival.source,
        "external_id": arrival.external_id,
        "kind": arrival.kind,
        "payload": payload,
        "state": "received",
        "received_at": s.now(),
        "changed_at": s.now(),
    }


async def _known(s: TenantSession, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], InboxId]:
    wanted = list(keys)
    if not wanted:
        return {}
    rows = await s.all(select(InboxRow).where(tuple_(InboxRow.source, InboxRow.external_id).in_(wanted)))
    return {(row.source, row.external_id): InboxId(row.id) for row in rows}


async def arrival(s: TenantSession, inbox_id: InboxId) -> StoredArrival | None:
    row = await s.one(InboxRow, InboxRow.id == inbox_id)
    if row is None:
        return None
    return StoredArrival(
        id=InboxId(row.id),
        source=row.source,
        external_id=row.external_id,
        kind=row.kind,
        payload=s.open_json("inbox", "payload", row.id, row.payload),
        state=_state(row.state),
        note=row.note,
        received_at=row.received_at,
    )


async def mark(
    s: TenantSession, inbox_id: InboxId, state: Literal["enqueued", "done", "failed"], note: str | None = None
) -> None:
    """Raises NotFound."""
    values = {
        "state": _state(state),
        "note": None if note is None else s.redactor.redact(note),
        "changed_at": s.now(),
    }
    if not await s.update(InboxRow, InboxRow.id == inbox_id, values=values):
        raise NotFound("no such arrival")


async def pending(db: Database, older_than: timedelta, *, limit: int = 500) -> list[tuple[TenantId, InboxId]]:
    """What arrived at least so long ago and was never enqueued, oldest first, of all tenants."""
    async with db.across_tenants("sweep the inbox", readonly=True) as session:
        rows = await session.execute(
            select(InboxRow.tenant_id, InboxRow.id)
            .where(InboxRow.state == "received", InboxRow.received_at <= db.now() - older_than)
            .order_by(InboxRow.received_at, InboxRow.id)
            .limit(limit)
        )
        return [(TenantId(tenant_id), InboxId(inbox_id)) for tenant_id, inbox_id in rows]


def _state(value: str) -> ArrivalState:
    match value:
        case "received" | "enqueued" | "done" | "failed":
            return value
        case _:
            raise ValueError(f"unknown state {value!r}")
