"""Deliveries: one row for each message that goes out, so that a repeated send edits instead of posting twice.

A row that was claimed and has no place in Slack is still due. `refused`: Slack will never take it there; somebody was
told by another way.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import or_, select

from store.database.schema import DeliveryRow
from store.database.session import TenantSession
from store.errors import NotFound
from store.ids import stable_id

DeliveryState = Literal["claimed", "sent", "refused"]


@dataclass(frozen=True, kw_only=True)
class StoredDelivery:
    """Claimed without `ts`: the message may have gone out; look in the channel before posting again."""

    key: str
    channel_id: str
    ts: str | None
    state: DeliveryState
    body_hash: str | None
    claimed_at: datetime
    is_new: bool


async def claim(s: TenantSession, key: str, channel_id: str) -> StoredDelivery:
    """Creates the delivery, or returns the one that is there; `is_new` tells which."""
    row_id = stable_id("delivery", s.tenant_id, key)
    values = {"id": row_id, "key": key, "channel_id": channel_id, "state": "claimed", "claimed_at": s.now()}
    added = await s.insert_if_absent(DeliveryRow, values)
    return _delivery(await _row(s, key), is_new=row_id in added)


async def complete(s: TenantSession, key: str, *, ts: str, body_hash: str, channel_id: str | None = None) -> None:
    """Notes where the message is and what it says now; call it again after an edit. Raises NotFound."""
    row = await _row(s, key)
    row.channel_id = channel_id or row.channel_id
    row.ts, row.body_hash, row.state, row.completed_at = ts, body_hash, "sent", s.now()
    await s.save()


async def delivery(s: TenantSession, key: str) -> StoredDelivery | None:
    row = await s.one(DeliveryRow, DeliveryRow.key == key)
    return None if row is None else _delivery(row, is_new=False)


async def lose(s: TenantSession, key: str) -> None:
    """The message is gone from Slack, or can be edited no more: it is still due, at a new place."""
    values = {"state": "claimed", "ts": None, "body_hash": None}
    await s.update(DeliveryRow, DeliveryRow.key == key, values=values)


async def refuse(s: TenantSession, key: str) -> None:
    """It cannot be said there. Nothing when it was said after all."""
    await s.update(DeliveryRow, DeliveryRow.key == key, DeliveryRow.ts.is_(None), values={"state": "refused"})


async def refused(s: TenantSession, since: datetime) -> list[StoredDelivery]:
    """What could not be said where it belongs, newest first."""
    rows = await s.all(
        select(DeliveryRow)
        .where(DeliveryRow.state == "refused", DeliveryRow.claimed_at >= since)
        .order_by(DeliveryRow.claimed_at.desc(), DeliveryRow.id)
    )
    return [_delivery(row, is_new=False) for row in rows]


async def due(s: TenantSession, *, of: Collection[str], since: datetime, limit: int = 500) -> list[str]:
    """Keys that were claimed since then and never sent, oldest first. `of`: how they begin."""
    rows = await s.all(
        select(DeliveryRow)
        .where(
            DeliveryRow.state == "claimed",
            DeliveryRow.claimed_at >= since,
            or_(*(DeliveryRow.key.startswith(f"{what}:", autoescape=True) for what in of)),
        )
        .order_by(DeliveryRow.claimed_at, DeliveryRow.id)
        .limit(limit)
    )
    return [row.key for row in rows]


async def _row(s: TenantSession, key: str) -> DeliveryRow:
    row = await s.one(DeliveryRow, DeliveryRow.key == key)
    if row is None:
        raise NotFound("no such delivery")
    return row


def _delivery(row: DeliveryRow, *, is_new: bool) -> StoredDelivery:
    return StoredDelivery(
        key=row.key,
        channel_id=row.channel_id,
        ts=row.ts,
        state=_state(row.state),
        body_hash=row.body_hash,
        claimed_at=row.claimed_at,
        is_new=is_new,
    )


def _state(value: str) -> DeliveryState:
    match value:
        case "claimed" | "sent" | "refused":
            return value
        case _:
            raise ValueError(f"unknown state {value!r}")
