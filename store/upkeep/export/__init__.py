"""Everything a tenant has, as JSON or as CSV, streamed: as much memory for a large tenant as for a small one.

Each page is a short transaction of its own, so an export is no snapshot: what is written meanwhile may be in it or not.
Secrets are in none; what is kept back is listed with the reason. Callers record the export in the audit log.
"""

import csv
import io
import json
import zipfile
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import select

from store.audit import events
from store.audit.event_days import Cursor, EventDays, StoredEvent
from store.database.schema import EventOutboxRow
from store.database.session import Database
from store.errors import UnknownTenant
from store.ids import TenantId
from store.tenancy.tenants import find_tenant
from store.upkeep.export.registry import ELSEWHERE, TABLES, Exported, kept_back

__all__ = ["ELSEWHERE", "FORMAT", "TABLES", "Exported", "export_csv", "export_json", "kept_back"]

FORMAT: Final = 1
_PAGE: Final = 50
"""Rows a transaction: an artifact may have megabytes."""
_EVENTS_A_PAGE: Final = 500
_EVENT_COLUMNS: Final = ("id", "time", "type", "subject", "sequence", "actortype", "actorid", "data")
_BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
Row = dict[str, Any]


async def export_json(db: Database, tenant_id: TenantId, *, days: EventDays) -> AsyncIterator[bytes]:
    """One object: `{"format", "exported_at", "tenant", "kept_back", "tables": {name: [row, ...]}}`.

    `days` holds the events that left the outbox. Raises UnknownTenant before the first piece.
    """
    about = {
        "format": FORMAT,
        "exported_at": db.now().isoformat(),
        "tenant": await _tenant(db, tenant_id),
        "kept_back": kept_back(),
    }
    yield (_dump(about)[:-1] + ', "tables": {').encode()
    before = ""
    for table in TABLES:
        yield f'{before}\n"{table.name}": ['.encode()
        async for piece in _as_json(_pages(db, tenant_id, table)):
            yield piece
        before = "],"
    yield f'{before}\n"events": ['.encode()
    async for piece in _as_json(_events(db, tenant_id, days)):
        yield piece
    yield b"]}}\n"


async def export_csv(db: Database, tenant_id: TenantId, *, days: EventDays) -> AsyncIterator[bytes]:
    """A zip with one CSV file (RFC 4180) a table. No cell begins a formula when a spreadsheet opens it: where a text
    begins like one, it gets a leading apostrophe. Raises UnknownTenant before the first piece.
    """
    tenant = await _tenant(db, tenant_id)
    out = _Pipe()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        about = [[{"what": what, "why": why} for what, why in kept_back().items()]]
        for name, columns, pages in (
            ("tenant", tuple(tenant), _one([[tenant]])),
            ("kept_back", ("what", "why"), _one(about)),
            *((table.name, table.columns, _pages(db, tenant_id, table)) for table in TABLES),
            ("events", _EVENT_COLUMNS, _events(db, tenant_id, days)),
        ):
            with archive.open(zipfile.ZipInfo(f"{name}.csv", _zip_time(db.now())), "w") as file:
                file.write(_csv([dict(zip(columns, columns, strict=True))], columns, header=True))
                async for page in pages:
                    file.write(_csv(page, columns))
                    yield out.taken()
    yield out.taken()


async def _tenant(db: Database, tenant_id: TenantId) -> Row:
    found = await find_tenant(db, tenant_id)
    if found is None:
        raise UnknownTenant("there is no such tenant")
    return {"id": found.id, "name": str.__str__(found.name), "created_at": found.created_at.isoformat()}


async def _pages(db: Database, tenant_id: TenantId, table: Exported) -> AsyncIterator[list[Row]]:
    """By id, which begins with the time: the next page starts behind the last row, whatever was written meanwhile."""
    after: str | None = None
    while True:
        chosen = select(table.entity).order_by(table.entity.id).limit(_PAGE)
        if after is not None:
            chosen = chosen.where(table.entity.id > after)
        async with db.tenant(tenant_id, readonly=True, frozen_too=True) as s:
            found = await s.all(chosen)
            page = [table.read(s, row) for row in found]
        if page:
            yield page
        if len(page) < _PAGE:
            return
        after = found[-1].id


async def _events(db: Database, tenant_id: TenantId, days: EventDays) -> AsyncIterator[list[Row]]:
    """By time; those that wait in the outbox come last, each once: an event moves from there to its day, never back."""
    async with db.tenant(tenant_id, readonly=True, frozen_too=True) as s:
        waiting = [events.stored(row) for row in await s.all(select(EventOutboxRow).order_by(EventOutboxRow.sequence))]
    seen = {event.id for event in waiting}
    until = db.now() + timedelta(days=1)
    after: Cursor | None = None
    while page := await days.query(tenant_id, _BEGINNING, until, limit=_EVENTS_A_PAGE, after=after):
        yield await _told(db, tenant_id, [event for event in page if event.id not in seen])
        after = (page[-1].time, page[-1].id)
    yield await _told(db, tenant_id, waiting)


async def _told(db: Database, tenant_id: TenantId, page: Sequence[StoredEvent]) -> list[Row]:
    async with db.tenant(tenant_id, readonly=True, frozen_too=True) as s:
        told = [json.loads(events.as_json(events.cloud_event(s, event))) for event in page]
    return [{column: event.get(column) for column in _EVENT_COLUMNS} for event in told]


async def _one(pages: Sequence[list[Row]]) -> AsyncIterator[list[Row]]:
    for page in pages:
        yield page


async def _as_json(pages: AsyncIterator[list[Row]]) -> AsyncIterator[bytes]:
    before = "\n"
    async for page in pages:
        if page:
            yield (before + ",\n".join(map(_dump, page))).encode("utf-8", "surrogatepass")
            before = ",\n"


def _csv(page: Sequence[Row], columns: Sequence[str], *, header: bool = False) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    for row in page:
        writer.writerow([row[column] if header else _cell(row[column]) for column in columns])
    return text.getvalue().encode("utf-8", "surrogatepass")


def _cell(value: Any) -> str | int | float:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case int() | float():
            return value
        case str():
            return f"'{value}" if value.startswith(_FORMULA) else value
    return _dump(value)  # begins with a bracket


def _dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _zip_time(at: datetime) -> tuple[int, int, int, int, int, int]:
    return (at.year, at.month, at.day, at.hour, at.minute, at.second)


class _Pipe(io.RawIOBase):
    """What a zip is written to: it cannot go back, and gives away what it has."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def taken(self) -> bytes:
        taken = b"".join(self._parts)
        self._parts.clear()
        return taken
