"""The durable inbox: what arrived is on disk before it is acknowledged, and each thing is there once.

On SQLite an arrival is accepted into a file of its own (`store.database.arrivals`), where it waits for no other writer,
and is moved to the inbox afterwards. On PostgreSQL, whose writers do not wait for each other, it goes there at once.

Group commit, in both: arrivals that come while a batch is being written share the next transaction, and each caller
waits for the commit of its own. So the cost of a commit is shared exactly when it matters.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import String, func, select, tuple_, type_coerce

from store.database.arrivals import TABLE, Arrivals, WaitingArrival
from store.database.schema import InboxRow
from store.database.schema.columns import word
from store.database.session import Database, TenantSession
from store.errors import CorruptEnvelope, NotFound, StoreError, TenantFrozen, UnknownKey, UnknownTenant
from store.ids import InboxId, TenantId, new_id
from store.secrets.redaction import VERBATIM_KEYS, RedactionFailed
from store.tenancy.tenants import find_tenant

ArrivalState = Literal["received", "enqueued", "done", "failed"]
Source = Literal["slack", "webhook"]
_BATCH = 200
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """Something from outside, under the id that its source gave it. The payload's strings are redacted, except those
    under `verbatim_keys`.
    """

    source: Source
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
class RecordedArrival:
    """Durable. `is_new` is False for what had arrived before, under the same id as then."""

    inbox_id: InboxId
    is_new: bool


@dataclass(eq=False)
class _Batch:
    arrivals: list[Arrival] = field(default_factory=list)
    written: asyncio.Task[list[RecordedArrival | RedactionFailed]] | None = None


def _unobserved(_boundary: str) -> None:
    """Nobody looks."""


class Inbox:
    """One a process. `observe` is told each boundary at which a crash leaves something to be gone on with."""

    def __init__(self, db: Database, *, observe: Callable[[str], None] = _unobserved) -> None:
        self._db = db
        self._observe = observe
        self._open: dict[TenantId, _Batch] = {}
        self._turns: defaultdict[TenantId, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._accepted: set[InboxId] = set()

    async def record(self, tenant_id: TenantId, arrival: Arrival) -> RecordedArrival:
        """Returns once the arrival is in the inbox. Raises as `accept` and `deliver`."""
        recorded = await self.accept(tenant_id, arrival)
        if self._db.arrivals is not None:
            await _move_all(self._db, self._db.arrivals, tenant_id, self._observe)
        return recorded

    async def accept(self, tenant_id: TenantId, arrival: Arrival) -> RecordedArrival:
        """Returns once the arrival is durable: nothing that happens afterwards loses it. Raises RedactionFailed,
        UnknownTenant, TenantFrozen, or the database's error.
        """
        for value in (arrival.source, arrival.external_id, arrival.kind):
            word(value)
        if self._db.arrivals is None:
            return await self._insert(tenant_id, arrival)
        recorded = await _put(self._db, self._db.arrivals, tenant_id, arrival)
        if recorded.is_new:
            self._accepted.add(recorded.inbox_id)
        self._observe("accepted")
        return recorded

    async def deliver(self, tenant_id: TenantId, inbox_id: InboxId) -> None:
        """Returns when what was accepted here is in the inbox; nothing to do on PostgreSQL. One transaction moves all
        that wait by then. Raises what opening a session raises: then `collect` moves it later.
        """
        arrivals = self._db.arrivals
        try:
            while arrivals is not None and inbox_id in self._accepted:
                async with arrivals.moving[tenant_id]:
                    if inbox_id in self._accepted:
                        moved = await _move(self._db, arrivals, tenant_id, self._observe)
                        self._accepted -= moved or {inbox_id}  # who finds nothing to move: another process moved it
        finally:
            self._accepted.discard(inbox_id)

    async def _insert(self, tenant_id: TenantId, arrival: Arrival) -> RecordedArrival:
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

    async def _write(self, tenant_id: TenantId, batch: _Batch) -> list[RecordedArrival | RedactionFailed]:
        async with self._turns[tenant_id]:
            if self._open.get(tenant_id) is batch:
                del self._open[tenant_id]
            async with self._db.tenant(tenant_id) as s:
                return await _insert(s, batch.arrivals)


async def collect(db: Database) -> None:
    """Moves what a crash, or a database that was away, left outside of the inbox. What cannot be moved now stays, and
    hinders nobody else's.
    """
    if db.arrivals is None or not db.arrivals.is_there():
        return
    for tenant_id in await db.arrivals.tenants():
        try:
            await _move_all(db, db.arrivals, tenant_id)
        except StoreError as exc:
            kind = type(exc).__name__
            _log.warning("not collected", extra={"action": "inbox.not_collected", "tenant": tenant_id, "kind": kind})


async def _put(db: Database, arrivals: Arrivals, tenant_id: TenantId, arrival: Arrival) -> RecordedArrival:
    anew, row_id = False, InboxId(new_id())
    while True:
        secrets_version, seals = await db.seals(tenant_id, anew=anew)
        sealed = WaitingArrival(
            tenant_id=tenant_id,
            id=row_id,
            source=arrival.source,
            external_id=arrival.external_id,
            kind=arrival.kind,
            payload=seals.seal_json(TABLE, "payload", row_id, arrival.payload, verbatim_keys=arrival.verbatim_keys),
            received_at=db.now(),
        )
        written = await arrivals.put(sealed, secrets_version=secrets_version)
        if written != "outdated":
            return RecordedArrival(inbox_id=written.id, is_new=written.is_new)
        anew = True


async def _move_all(
    db: Database, arrivals: Arrivals, tenant_id: TenantId, observe: Callable[[str], None] = _unobserved
) -> None:
    async with arrivals.moving[tenant_id]:
        while await _move(db, arrivals, tenant_id, observe):
            pass


async def _move(db: Database, arrivals: Arrivals, tenant_id: TenantId, observe: Callable[[str], None]) -> set[InboxId]:
    """A batch, oldest first: into the inbox, and only then out of the arrivals. Returns the ids that left them: what
    nobody can read any more, and what belongs to no active tenant, is in the inbox neither.
    """
    waiting = await arrivals.waiting(tenant_id)
    if not waiting:
        return set()
    try:
        async with db.tenant(tenant_id, urgent=True) as s:
            rows = {one.id: _sealed_anew(s, one) for one in waiting}
            await s.insert_if_absent(InboxRow, *(row for row in rows.values() if isinstance(row, dict)))
        waiting = [one for one in waiting if rows[one.id] != "later"]
    except (TenantFrozen, UnknownTenant):
        known = await find_tenant(db, tenant_id)
        if known is not None and known.status == "active":
            raise  # its keys are missing, and come back with the keyring's backup
        facts = {"action": "inbox.arrivals_dropped", "tenant": tenant_id, "count": len(waiting)}
        _log.warning("arrivals of a tenant that is frozen or closed are dropped", extra=facts)
    observe("filed")
    ids = [one.id for one in waiting]
    if ids:
        await arrivals.remove(tenant_id, ids)
    observe("removed")
    return set(ids)


def _sealed_anew(s: TenantSession, one: WaitingArrival) -> dict[str, Any] | Literal["never", "later"]:
    """For its place in the inbox, under the key that seals now. What is damaged never opens; a key that is missing may
    come back.
    """
    facts = {"action": "inbox.arrival_unreadable", "tenant": one.tenant_id, "inbox": one.id}
    try:
        payload = s.seal("inbox", "payload", one.id, s.open(TABLE, "payload", one.id, one.payload))
    except CorruptEnvelope:
        _log.error("an arrival is damaged and is dropped", extra=facts)
        return "never"
    except UnknownKey:
        _log.warning("an arrival waits for its key", extra=facts)
        return "later"
    return _values(
        s,
        one.id,
        source=one.source,
        external_id=one.external_id,
        kind=one.kind,
        payload=payload,
        received_at=one.received_at,
    )


async def _insert(s: TenantSession, arrivals: list[Arrival]) -> list[RecordedArrival | RedactionFailed]:
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
    outcomes: list[RecordedArrival | RedactionFailed] = []
    for index, arrival in enumerate(arrivals):
        key = (arrival.source, arrival.external_id)
        if index in refused:
            outcomes.append(refused[index])
            continue
        outcomes.append(RecordedArrival(inbox_id=ids[key], is_new=key in first_seen))
        first_seen.discard(key)
    return outcomes


def _row(s: TenantSession, arrival: Arrival) -> dict[str, Any]:
    row_id = InboxId(new_id())
    return _values(
        s,
        row_id,
        source=arrival.source,
        external_id=arrival.external_id,
        kind=arrival.kind,
        payload=s.seal_json("inbox", "payload", row_id, arrival.payload, verbatim_keys=arrival.verbatim_keys),
        received_at=s.now(),
    )


def _values(s: TenantSession, row_id: InboxId, *, received_at: datetime, **given: Any) -> dict[str, Any]:
    return {"id": row_id, **given, "state": "received", "received_at": received_at, "changed_at": s.now()}


async def _known(s: TenantSession, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], InboxId]:
    wanted = list(keys)
    if not wanted:
        return {}
    rows = await s.all(select(InboxRow).where(tuple_(InboxRow.source, InboxRow.external_id).in_(wanted)))
    return {(row.source, row.external_id): InboxId(row.id) for row in rows}


async def arrival(s: TenantSession, inbox_id: InboxId) -> StoredArrival | None:
    row = await s.one(InboxRow, InboxRow.id == inbox_id)
    return None if row is None else _stored(s, row)


def _stored(s: TenantSession, row: InboxRow) -> StoredArrival:
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


async def forget_field(s: TenantSession, inbox_id: InboxId, name: str, *, verbatim_keys: frozenset[str]) -> None:
    """Takes one field out of what arrived, such as secrets that were handled. Nothing to do where there is none."""
    row = await s.one(InboxRow, InboxRow.id == inbox_id)
    if row is None:
        return
    payload = s.open_json("inbox", "payload", row.id, row.payload)
    if payload.pop(name, None) is not None:
        sealed = s.seal_json("inbox", "payload", row.id, payload, verbatim_keys=verbatim_keys)
        await s.update(InboxRow, InboxRow.id == inbox_id, values={"payload": sealed})


async def pending(db: Database, older_than: timedelta, *, limit: int = 500) -> list[tuple[TenantId, InboxId]]:
    """What arrived from Slack at least so long ago and was never enqueued, oldest first, of all tenants."""
    async with db.across_tenants("sweep the inbox", readonly=True) as session:
        rows = await session.execute(
            select(InboxRow.tenant_id, InboxRow.id)
            .where(
                InboxRow.state == "received", InboxRow.source == "slack", InboxRow.received_at <= db.now() - older_than
            )
            .order_by(InboxRow.received_at, InboxRow.id)
            .limit(limit)
        )
        return [(TenantId(tenant_id), InboxId(inbox_id)) for tenant_id, inbox_id in rows]


async def tenants_waiting(db: Database, source: Source) -> list[TenantId]:
    """Of whom something of this source was not handled yet."""
    async with db.across_tenants("find arrivals that wait", readonly=True) as session:
        waits = select(InboxRow.tenant_id).where(InboxRow.state == "received", InboxRow.source == source).distinct()
        return [TenantId(tenant_id) for tenant_id in await session.scalars(waits)]


async def next_waiting(s: TenantSession, source: Source, *, limit: int) -> list[StoredArrival]:
    """What was not handled yet, oldest first. Whoever takes them holds the tenant's head, so that nobody else does."""
    rows = await s.all(
        select(InboxRow)
        .where(InboxRow.state == "received", InboxRow.source == source)
        .order_by(InboxRow.received_at, InboxRow.id)
        .limit(limit)
    )
    return [_stored(s, row) for row in rows]


async def count_notes(s: TenantSession, source: Source, beginning: str, *, since: datetime) -> int:
    """How many of a source were handled with such a note."""
    counted = (
        select(func.count())
        .select_from(InboxRow)
        .where(
            InboxRow.source == source,
            InboxRow.received_at >= since,
            type_coerce(InboxRow.note, String).startswith(beginning, autoescape=True),
        )
    )
    return int(await s.value(counted) or 0)


async def finish(
    s: TenantSession,
    arrival: StoredArrival,
    *,
    note: str | None = None,
    payload: Mapping[str, Any] | None = None,
    failed: bool = False,
) -> None:
    """Handled. `payload` replaces what is kept of it, redacted."""
    values: dict[str, Any] = {"state": "failed" if failed else "done", "changed_at": s.now()}
    values["note"] = None if note is None else s.redactor.redact(note)
    if payload is not None:
        values["payload"] = s.seal_json("inbox", "payload", arrival.id, dict(payload), verbatim_keys=frozenset())
    await s.update(InboxRow, InboxRow.id == arrival.id, values=values)


def _state(value: str) -> ArrivalState:
    match value:
        case "received" | "enqueued" | "done" | "failed":
            return value
        case _:
            raise ValueError(f"unknown state {value!r}")
