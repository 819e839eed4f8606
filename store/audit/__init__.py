"""The audit log: every action by a person or an agent, in the transaction of the action, chained by hashes.

    h_n = SHA256("AHAUDIT1" | h_(n-1) | length | canonical JSON of the entry)

The entry holds the *ciphertext* of the details, so that the chain still verifies after a tenant's keys are gone. The
sequence has no gaps. An external effect writes two rows: started, with its fence, and finished, with its outcome.
Details name people by id, never by name.
"""

import base64
import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import select

from store.audit.signed_checkpoints import SignedCheckpoint, contradictions
from store.audit.vocabulary import check_action
from store.database.schema import AuditRow, TenantHeadRow
from store.database.session import TenantSession
from store.ids import new_id

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
    """`problem` says in one sentence what is wrong with the first bad entry, `at_sequence` which one it is.

    `held_against`: against how many signed heads the chain was held.
    """

    ok: bool
    length: int
    head: str
    problem: str | None = None
    at_sequence: int | None = None
    held_against: int = 0


async def record(
    s: TenantSession, *, actor: Actor, action: str, target: str, details: dict[str, Any] | None = None
) -> AuditEntry:
    """Appends to the tenant's chain, in the caller's transaction. It locks the tenant's head until the commit, so call
    it last. Raises ValueError for an action that is not in the vocabulary.
    """
    check_action(action)
    row_id = new_id()
    row = AuditRow(
        id=row_id,
        tenant_id=s.tenant_id,
        at=s.now(),
        actor_type=actor.type,
        actor_id=actor.id,
        action=action,
        target=target,
        details=s.seal_json("audit", "details", row_id, details or {}),
    )
    await s.link_audit(row, link)
    return _entry(s, row)


async def trail(s: TenantSession, *, target: str | None = None, after: int = 0, limit: int = 1000) -> list[AuditEntry]:
    """The entries about a target, or all of them, with a sequence above `after`; oldest first."""
    statement = select(AuditRow).where(AuditRow.sequence > after).order_by(AuditRow.sequence).limit(limit)
    if target is not None:
        statement = statement.where(AuditRow.target == target)
    return [_entry(s, row) for row in await s.all(statement)]


async def recent(
    s: TenantSession, since: datetime, *, after: int = 0, actions: Collection[str] | None = None, limit: int = 500
) -> list[AuditEntry]:
    """The newest entries from `since` on, oldest first: behind the sequence `after`, and of these actions alone."""
    newest = select(AuditRow).where(AuditRow.sequence > after).order_by(AuditRow.sequence.desc()).limit(limit)
    if actions is not None:
        newest = newest.where(AuditRow.action.in_(sorted(actions)))
    return [_entry(s, row) for row in reversed(await s.all(newest)) if row.at >= since]


async def verify(s: TenantSession, *, checkpoints: Sequence[SignedCheckpoint] = ()) -> ChainReport:
    """Recomputes the whole chain. By itself it finds edits, gaps, reorders, entries of others, and a head that does not
    fit. A chain that was cut off together with its head, or rewritten, shows only against `checkpoints`: signed heads
    of this tenant, whose signatures the caller has checked.
    """
    head = await s.one(TenantHeadRow, TenantHeadRow.id == s.tenant_id)
    if head is None:
        return ChainReport(ok=False, length=0, head=EMPTY_CHAIN.hex(), problem="the head is missing", at_sequence=1)
    chain = _Chain(head, checkpoints)
    try:
        chain.begin(checkpoints)
        while rows := await s.all(
            select(AuditRow).where(AuditRow.sequence > chain.length).order_by(AuditRow.sequence).limit(_PAGE)
        ):
            for row in rows:
                chain.follow(row)
        chain.end(head)
    except _Broken as broken:
        return chain.report(problem=str(broken), at_sequence=broken.at_sequence)
    return chain.report()


class _Broken(Exception):
    def __init__(self, problem: str, at_sequence: int) -> None:
        super().__init__(problem)
        self.at_sequence = at_sequence


class _Chain:
    """How far the chain was followed. Each method raises _Broken at the first thing that is wrong."""

    def __init__(self, head: TenantHeadRow, checkpoints: Sequence[SignedCheckpoint]) -> None:
        self.previous = head.audit_base_hash or EMPTY_CHAIN
        self.length = head.audit_base_sequence
        self._signed = {
            checkpoint.sequence: checkpoint for checkpoint in checkpoints if checkpoint.sequence >= self.length
        }

    def begin(self, checkpoints: Sequence[SignedCheckpoint]) -> None:
        for other in contradictions(checkpoints):
            twice = f"the chain was rewritten: entry {other.sequence} was signed with two different hashes"
            raise _Broken(twice, other.sequence)
        base = ("base", self.length, self.previous.hex())
        if self.length and base not in [
            (checkpoint.kind, checkpoint.sequence, checkpoint.hash) for checkpoint in checkpoints
        ]:
            raise _Broken(f"entries 1 to {self.length} were removed, and no signed note says so", 1)

    def follow(self, row: AuditRow) -> None:
        if row.sequence != self.length + 1:
            raise _Broken(f"entry {self.length + 1} is missing", self.length + 1)
        if row.hash != link(self.previous, row):
            raise _Broken(f"entry {row.sequence} was changed", row.sequence)
        signed = self._signed.get(row.sequence)
        if signed is not None and signed.hash != row.hash.hex():
            rewritten = f"the chain was rewritten: entry {row.sequence} is not the one that was signed at {signed.at}"
            raise _Broken(rewritten, row.sequence)
        self.previous, self.length = row.hash, row.sequence

    def end(self, head: TenantHeadRow) -> None:
        last = max(self._signed, default=0)
        if last > self.length:
            signed = self._signed[last]
            cut = f"the end was cut off: entry {last} was signed at {signed.at}, the chain has {self.length}"
            raise _Broken(cut, self.length + 1)
        if (head.audit_sequence, head.audit_hash) != (self.length, self.previous):
            raise _Broken("the chain ends before its recorded head", self.length + 1)

    def report(self, problem: str | None = None, at_sequence: int | None = None) -> ChainReport:
        return ChainReport(
            ok=problem is None,
            length=self.length,
            head=self.previous.hex(),
            problem=problem,
            at_sequence=at_sequence,
            held_against=len(self._signed),
        )


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
