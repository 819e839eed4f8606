"""Everything the organisation has, to take away: streamed, without secrets, one at a time, on the record."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import Literal

from fastapi.responses import StreamingResponse

from agents.failure import log_failure
from agents.permission import Permission
from handlers.web.api_resource import ApiCall, ApiContext, Call, Context, Operation, Problem, Resource
from store import audit
from store.audit import events
from store.ids import TenantId, new_id
from store.upkeep.export import export_csv, export_json

log = logging.getLogger("autoheal.api")

_running: set[TenantId] = set()
_TYPES = {"json": ("application/json", "json"), "csv": ("application/zip", "zip")}


async def export(call: Call, context: Context, format: Literal["json", "csv"] = "json") -> StreamingResponse:  # noqa: A002 -- the parameter's name
    """JSON, or CSV files in a zip. What is kept back is listed in it, with the reason."""
    tenant, export_id = call.person.tenant_id, new_id()
    if tenant in _running:
        raise Problem(409, "export_running", "An export of your organisation is being read already.")
    actor = audit.Actor(type="user", id=call.person.user_id)
    async with context.db.tenant(tenant) as s:
        words = {"format": format}
        await events.emit(s, "ai.autoheal.export.created.v1", export_id, words, actor=actor)
        await audit.record(s, actor=actor, action=f"{call.source}.export.requested", target=export_id, details=words)
    media_type, ending = _TYPES[format]
    headers = {"Content-Disposition": f'attachment; filename="autoheal-export.{ending}"'}
    return StreamingResponse(_pieces(call, context, format, export_id), media_type=media_type, headers=headers)


async def _pieces(call: ApiCall, context: ApiContext, form: str, export_id: str) -> AsyncIterator[bytes]:
    """A failure on the way ends the connection early, so that half an export is not taken for a whole one."""
    tenant = call.person.tenant_id
    if tenant in _running:  # another began between the answer and its first piece
        raise ExportBroken
    _running.add(tenant)
    try:
        whole = export_json if form == "json" else export_csv
        async for piece in whole(context.db, tenant, days=context.days):
            yield piece
        async with context.db.tenant(tenant) as s:
            actor = audit.Actor(type="user", id=call.person.user_id)
            await events.emit(s, "ai.autoheal.export.downloaded.v1", export_id, actor=actor)
            await audit.record(s, actor=actor, action=f"{call.source}.export.downloaded", target=export_id)
    except Exception as exc:  # noqa: BLE001 -- the outer guard of a stream
        log_failure(log, "api.export_failed", exc, tenant=tenant)
        raise ExportBroken from None
    finally:
        _running.discard(tenant)


class ExportBroken(Exception):
    """The export ended in the middle; the log has the reference."""


RESOURCE = Resource(
    name="export",
    operations=(Operation(method="GET", path="/export", access=Permission.EXPORT, run=export),),
)
