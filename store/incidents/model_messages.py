"""The append-only history between the agent and its model, one row a message."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from store.database.schema import ModelMessageRow
from store.database.session import TenantSession
from store.ids import InvestigationId, stable_id

Content = str | list[dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class ModelMessage:
    """`content` as the Messages API takes it; `meta` is the caller's (stop reason, usage)."""

    seq: int
    role: str
    content: Content
    meta: dict[str, Any]
    created_at: datetime


async def append_message(
    s: TenantSession,
    investigation_id: InvestigationId,
    *,
    seq: int,
    role: str,
    content: Content,
    meta: dict[str, Any] | None = None,
) -> bool:
    """False when `seq` is there already: what is written is never changed. Signatures and ids stay verbatim."""
    row_id = stable_id("model_message", s.tenant_id, investigation_id, str(seq))
    body = {"content": content, "meta": meta or {}}
    added = await s.insert_if_absent(
        ModelMessageRow,
        {
            "id": row_id,
            "investigation_id": investigation_id,
            "seq": seq,
            "role": role,
            "body": s.seal_json("model_messages", "body", row_id, body),
            "created_at": s.now(),
        },
    )
    return row_id in added


async def count_messages(s: TenantSession, investigation_id: InvestigationId) -> int:
    """How many there are, which is the next `seq`; nothing is decrypted for that."""
    counted = select(func.count(ModelMessageRow.id)).where(ModelMessageRow.investigation_id == investigation_id)
    return int(await s.value(counted))


async def messages(s: TenantSession, investigation_id: InvestigationId) -> list[ModelMessage]:
    """In the order of `seq`."""
    rows = await s.all(
        select(ModelMessageRow)
        .where(ModelMessageRow.investigation_id == investigation_id)
        .order_by(ModelMessageRow.seq)
    )
    return [_message(s, row) for row in rows]


def _message(s: TenantSession, row: ModelMessageRow) -> ModelMessage:
    body = s.open_json("model_messages", "body", row.id, row.body)
    return ModelMessage(
        seq=row.seq, role=row.role, content=body["content"], meta=body["meta"], created_at=row.created_at
    )
