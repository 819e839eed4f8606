"""The audit log: every action by a person or an agent, in the transaction of the action, chained by hashes.

    h_n = SHA256("AHAUDIT1" | h_(n-1) | length | canonical JSON of the entry)

The entry holds the *ciphertext* of the details, so that the chain still verifies after a tenant's keys are gone. The
sequence has no gaps. An external effect writes two rows: started, with its fence, and finished, with its outcome.
Details name people by id, never by name.
"""

import base64
import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import select

from store.ids import new_id
from store.schema import AuditRow, TenantHeadRow
from store.session import TenantSession
from store.vocabulary import check_action

EMPTY_CHAIN = bytes(32)
_TAG = b"AHAUDIT1"
_PAGE = 500


@dataclass(frozen=True, kw_only=True)
class Actor:
    """Who acted. `id` is a user id, an investigation id, or a word for a part of the system."""

    type: Literal["user", "agent", "system"]
    id: str


SYSTEM = Actor(type="system", id="autoheal")


@dataclass(frozen=True, kw_only=True)
class AuditEntry:
    sequence: int
    at: datetime
    actor: Actor
    action: str
    target: str
    details: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class ChainReport:
    """`problem` says in one sentence what is wrong with the first bad entry, `at_sequence` which one it is."""

    ok: bool
    length: int
    head: str
    problem: str | None = None
    at_sequence: int | None = None


async def record(
    s: TenantSession, *, actor: Actor, action: str, target: str, details: dict[str, Any] | None = None
) -> AuditEntry:
    """Appends to the tenant's chain, in the caller's transaction. It locks the tenant's head until the commit, so call
    it last. Raises ValueError for an action that is not in the vocabulary.
    """
    check_action(action)
    head = await s.head()
    row_id = new_id()
    row = AuditRow(
        id=row_id,
        tenant_id=s.tenant_id,
        sequence=head.audit_sequence + 1,
        at=s.now(),
        actor_type=actor.type,
        actor_id=actor.id,
        action=action,
        target=target,
        details=s.seal_json("audit", "details", row_id, details or {}),
    )
    row.hash = link(head.audit_hash, row)
    await s.insert(row)
    head.audit_sequence, head.audit_hash = row.sequence, row.hash
    await s.save()
    return _entry(s, row)


async def trail(s: TenantSession, *, target: str | None = None, limit: int = 1000) -> list[AuditEntry]:
    """The entries about a target, or all of them; oldest first."""
    statement = select(AuditRow).order_by(AuditRow.sequence).limit(limit)
    if target is not None:
        statement = statement.where(AuditRow.target == target)
    return [_entry(s, row) for row in await s.all(statement)]


async def verify(s: TenantSession) -> ChainReport:
    """Recomputes the whole chain. It finds edits, gaps, reorders and a head that does not fit; cutting off the end
    together with the head can only be seen against a head kept elsewhere, so compare `head` with one.
    """
    previous, length = EMPTY_CHAIN, 0
    while True:
        rows = await s.all(select(AuditRow).where(AuditRow.sequence > length).order_by(AuditRow.sequence).limit(_PAGE))
        for row in rows:
            if row.sequence != length + 1:
                return _broken(length, previous, f"entry {length + 1} is missing", length + 1)
            if row.hash != link(previous, row):
                return _broken(length, previous, f"entry {row.sequence} was changed", row.sequence)
            previous, length = row.hash, row.sequence
        if len(rows) < _PAGE:
            break
    head = await s.one(TenantHeadRow, TenantHeadRow.id == s.tenant_id)
    if head is None or (head.audit_sequence, head.audit_hash) != (length, previous):
        return _broken(length, previous, "the chain ends before its recorded head", length + 1)
    return ChainReport(ok=True, length=length, head=previous.hex())


def link(previous: bytes, row: AuditRow) -> bytes:
    """The hash of an entry after `previous`."""
    entry = {
        "tenant_id": row.tenant_id,
        "id": row.id,
        "sequence": row.sequence,
        "at": row.at.astimezone(UTC).isoformat(timespec="microseconds"),
        "actor_type": row.actor_type,
        "actor_id": row.actor_id,
        "action": row.action,
        "target": row.target,
        "details": base64.b64encode(row.details).decode(),
    }
    canonical = json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()
    return hashlib.sha256(_TAG + previous + len(canonical).to_bytes(8, "big") + canonical).digest()


def _broken(length: int, head: bytes, problem: str, at_sequence: int) -> ChainReport:
    return ChainReport(ok=False, length=length, head=head.hex(), problem=problem, at_sequence=at_sequence)


def _entry(s: TenantSession, row: AuditRow) -> AuditEntry:
    return AuditEntry(
        sequence=row.sequence,
        at=row.at,
        actor=Actor(type=_actor_type(row.actor_type), id=row.actor_id),
        action=row.action,
        target=row.target,
        details=s.open_json("audit", "details", row.id, row.details),
    )


def _actor_type(value: str) -> Literal["user", "agent", "system"]:
    match value:
        case "user" | "agent" | "system":
            return value
        case _:
            raise ValueError(f"unknown actor type {value!r}")
