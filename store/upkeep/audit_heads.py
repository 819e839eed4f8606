"""The heads of all audit chains: signed outside the database when they move; and the chains, held against those."""

import asyncio
import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, Protocol

from sqlalchemy import select

from store import audit
from store.audit.signed_checkpoints import CheckpointFile, SignedCheckpoint, Signer, contradictions, forged, newest
from store.database.schema import TenantHeadRow
from store.database.session import Database
from store.errors import StoreError, UnknownTenant
from store.ids import TenantId
from store.tenancy import tenants

_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Head:
    tenant_id: TenantId
    sequence: int
    hash: bytes


@dataclass(frozen=True, kw_only=True)
class ChainFinding:
    """What a check of one tenant's chain found, as a sentence for people."""

    tenant_id: TenantId
    ok: bool
    sentence: str


async def heads(db: Database) -> list[Head]:
    """Of all tenants that have entries."""
    async with db.across_tenants("read the heads of the audit chains", readonly=True) as session:
        rows = await session.execute(
            select(TenantHeadRow.tenant_id, TenantHeadRow.audit_sequence, TenantHeadRow.audit_hash)
            .where(TenantHeadRow.audit_sequence > 0)
            .order_by(TenantHeadRow.tenant_id)
        )
        return [Head(tenant_id=TenantId(tenant), sequence=number, hash=digest) for tenant, number, digest in rows]


class PostsHeads(Protocol):
    """How a signed head reaches a tenant's own channel; filled in from above."""

    async def post_head(self, tenant: TenantId, *, key: str, channel: str, text: str) -> None:
        """Once per key, however often it is called."""


class AuditCheckpoints:
    """Signs heads that moved and appends them to the file. One a process."""

    def __init__(self, db: Database, signer: Signer, file: CheckpointFile) -> None:
        self._db = db
        self.signer = signer
        self.file = file
        self.latest: dict[TenantId, SignedCheckpoint] = {}
        self._was_read = False
        self._posted: dict[TenantId, date] = {}

    async def sign(self) -> list[SignedCheckpoint]:
        """The heads that were signed now. A head that does not continue the signed one is reported, not signed."""
        if not self._was_read:
            ours, _ = await self.signed()
            self.latest, self._was_read = newest(ours), True
        at = self._db.now()
        moved = [
            self.signer.checkpoint(head.tenant_id, head.sequence, head.hash, at)
            for head in await heads(self._db)
            if self._moved(head)
        ]
        if moved:
            await asyncio.to_thread(self.file.append, moved)
            self.latest |= {checkpoint.tenant_id: checkpoint for checkpoint in moved}
        return moved

    async def signed(self) -> tuple[list[SignedCheckpoint], frozenset[TenantId]]:
        """The file's lines that we signed, and the tenants of which there are others too. Raises CorruptCheckpoints.

        Who can write to the file may forge, copy and mix lines: one counts by its signature, never by its place.
        """
        lines = await asyncio.to_thread(self.file.read)
        foreign = frozenset(await asyncio.to_thread(forged, lines, self.signer.public_pem))
        ours = [checkpoint for checkpoint in lines if checkpoint not in foreign]
        suspects = frozenset(checkpoint.tenant_id for checkpoint in foreign)
        for tenant_id in suspects:
            _log.error("action=audit.head.forged tenant=%s: run `autoheal audit verify`", tenant_id)
        for tenant_id in {checkpoint.tenant_id for checkpoint in contradictions(ours)}:
            _log.error("action=audit.head.contradicted tenant=%s: run `autoheal audit verify`", tenant_id)
        return ours, suspects

    async def post(self, posts: PostsHeads) -> int:
        """Posts the newest signed head of each tenant that named a channel for it, once a day. Returns how many."""
        today, posted = self._db.now().date(), 0
        for tenant_id, last in list(self.latest.items()):
            if self._posted.get(tenant_id) == today:
                continue
            try:
                async with self._db.tenant(tenant_id, readonly=True) as s:
                    channel = (await tenants.settings(s)).audit_channel
            except StoreError as exc:  # frozen or closed: nobody listens
                _log.info("action=audit.head.not_posted tenant=%s kind=%s", tenant_id, type(exc).__name__)
                channel = None
            if channel is not None:
                head = f"entry {last.sequence}, hash `{last.hash}`, signed at {last.at}: `{last.signature}`"
                await posts.post_head(tenant_id, key=f"audit-head:{today}", channel=channel, text=f"Audit log: {head}")
                posted += 1
            self._posted[tenant_id] = today
        return posted

    def _moved(self, head: Head) -> bool:
        known = self.latest.get(head.tenant_id)
        if known is None or head.sequence > known.sequence:
            return True
        if (head.sequence, head.hash.hex()) != (known.sequence, known.hash):
            _log.error("action=audit.head.moved_back tenant=%s: run `autoheal audit verify`", head.tenant_id)
        return False


async def verify_chains(
    db: Database,
    checkpoints: Sequence[SignedCheckpoint],
    public_pem: bytes,
    *,
    only: TenantId | None = None,
    shredded: Collection[str] = (),
) -> list[ChainFinding]:
    """One finding a tenant, of all that are in the database or in the checkpoints. `shredded`: tenants in the ledger of
    destroyed keys; those that have no key left are not expected. Raises CorruptCheckpoints.
    """
    unsigned = {checkpoint.tenant_id for checkpoint in forged(checkpoints, public_pem)}
    present = {head.tenant_id for head in await heads(db)}
    tenants = sorted(present | {checkpoint.tenant_id for checkpoint in checkpoints}) if only is None else [only]
    findings = []
    for tenant_id in tenants:
        own = [checkpoint for checkpoint in checkpoints if checkpoint.tenant_id == tenant_id]
        if tenant_id in unsigned:
            findings.append(_bad(tenant_id, "a signed head was forged or changed: its signature is not ours"))
        elif tenant_id in shredded and not await _has_keys(db, tenant_id):
            findings.append(ChainFinding(tenant_id=tenant_id, ok=True, sentence="closed: its keys are destroyed"))
        elif tenant_id not in present and own:
            findings.append(_bad(tenant_id, "its head is gone, though heads were signed and it was never closed"))
        else:
            findings.append(await _verify(db, tenant_id, own))
    return findings


async def _has_keys(db: Database, tenant_id: TenantId) -> bool:
    try:
        await db.keyring.data_keys(tenant_id)
    except UnknownTenant:
        return False
    return True


async def _verify(db: Database, tenant_id: TenantId, checkpoints: Sequence[SignedCheckpoint]) -> ChainFinding:
    try:
        async with db.tenant(tenant_id, readonly=True, frozen_too=True) as s:
            report = await audit.verify(s, checkpoints=checkpoints)
    except UnknownTenant:
        return _bad(tenant_id, "there is no such tenant, or its keys are missing")
    if report.problem is not None:
        return _bad(tenant_id, report.problem)
    held = (
        f"held against {report.held_against} signed heads"
        if report.held_against
        else "no signed head to hold it against"
    )
    return ChainFinding(tenant_id=tenant_id, ok=True, sentence=f"{report.length} entries, unbroken; {held}")


def _bad(tenant_id: TenantId, sentence: str) -> ChainFinding:
    return ChainFinding(tenant_id=tenant_id, ok=False, sentence=sentence)
