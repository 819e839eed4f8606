"""Deliveries: one row for each message that goes out, so that a repeated send edits instead of posting twice."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from store.errors import NotFound
from store.ids import stable_id
from store.schema import DeliveryRow
from store.session import TenantSession

DeliveryState = Literal["claimed", "sent"]


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """Claimed without `ts`: the message may have gone out; look in the channel before posting again."""

    key: str
    channel_id: str
    ts: str | None
    state: DeliveryState
    body_hash: str | None
    claimed_at: datetime
    is_new: bool


async def claim(s: TenantSession, key: str, channel_id: str) -> Delivery:
    """Creates the delivery, or returns the one that is there; `is_new` tells which."""
    row_id = stable_id("delivery", s.tenant_id, key)
    values = {"id": row_id, "key": key, "channel_id": channel_id, "state": "claimed", "claimed_at": s.now()}
    added = await s.insert_if_absent(DeliveryRow, values)
    return _delivery(await _row(s, key), is_new=row_id in added)


async def complete(s: TenantSession, key: str, *, ts: str, body_hash: str) -> None:
    """Notes where the message is and what it says now; call it again after an edit. Raises NotFound."""
    row = await _row(s, key)
    row.ts, row.body_hash, row.state, row.completed_at = ts, body_hash, "sent", s.now()
    await s.save()


async def delivery(s: TenantSession, key: str) -> Delivery | None:
    row = await s.one(DeliveryRow, DeliveryRow.key == key)
    return None if row is None else _delivery(row, is_new=False)


async def _row(s: TenantSession, key: str) -> DeliveryRow:
    row = await s.one(DeliveryRow, DeliveryRow.key == key)
    if row is None:
        raise NotFound("no such delivery")
    return row


def _delivery(row: DeliveryRow, *, is_new: bool) -> Delivery:
    return Delivery(
        key=row.key,
        channel_id=row.channel_id,
        ts=row.ts,
        state="sent" if row.state == "sent" else "claimed",
        body_hash=row.body_hash,
        claimed_at=row.claimed_at,
        is_new=is_new,
    )
