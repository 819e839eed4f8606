"""What is over goes; what is not stays; a crash in between costs nothing."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from store import audit, inbox
from store.audit.event_days import DAYS_AHEAD, EventDays, open_event_days
from store.audit.events import emit
from store.audit.signed_checkpoints import SEED_LENGTH, CheckpointFile, Signer
from store.database.engine import create_engine
from store.database.session import Database
from store.ids import InboxId, TenantId
from store.inbox import Arrival, Inbox
from store.upkeep.audit_heads import AuditCheckpoints, verify_chains
from store.upkeep.retention import AuditRetention, retire_arrivals, retire_events


@pytest.fixture
async def days(store_place: Any, clock: Any) -> AsyncIterator[EventDays]:
    opened = open_event_days(store_place.url, clock=clock)
    yield opened
    await opened.close()


async def test_event_days_end_after_90_days_and_14_stand_ready(
    database: Database, two_tenants: Any, days: EventDays, clock: Any
) -> None:
    async with database.tenant(two_tenants[0]) as s:
        await emit(s, "ai.autoheal.incident.opened.v1", "x")
    day = clock().date()
    assert await retire_events(database, days) == 0
    clock.advance(timedelta(days=90))
    assert await retire_events(database, days) == 0
    assert day in await days.inventory()
    clock.advance(timedelta(days=1))
    assert await retire_events(database, days) == 1
    assert day not in await days.inventory()
    assert (await days.inventory())[-1] == clock().date() + timedelta(days=DAYS_AHEAD)


async def _arrive(database: Database, tenant_id: TenantId, key: str, *, state: str) -> InboxId:
    recorded = await Inbox(database).record(
        tenant_id, Arrival(source="slack", external_id=key, kind="mention", payload={"text": "hello"})
    )
    if state == "done":
        async with database.tenant(tenant_id) as s:
            await inbox.mark(s, recorded.inbox_id, "done")
    return recorded.inbox_id


async def test_handled_arrivals_go_after_90_days(database: Database, two_tenants: Any, clock: Any) -> None:
    a, b = two_tenants
    old = [await _arrive(database, a, f"k{n}", state="done") for n in range(3)]
    open_one = await _arrive(database, a, "open", state="received")
    clock.advance(timedelta(days=91))
    young = await _arrive(database, b, "young", state="done")
    assert await retire_arrivals(database) == 3
    assert await retire_arrivals(database) == 0
    async with database.tenant(a) as s:
        assert [await inbox.arrival(s, inbox_id) for inbox_id in old] == [None] * 3
        assert await inbox.arrival(s, open_one) is not None
    async with database.tenant(b) as s:
        assert await inbox.arrival(s, young) is not None


@pytest.mark.parametrize("trick", ["a forged line", "a contradiction"])
async def test_an_audit_log_whose_signed_heads_were_meddled_with_is_left_as_it_is(  # noqa: PLR0917 -- fixtures
    sqlite_database: Database,
    two_tenants: Any,
    sqlite_place: Any,
    clock: Any,
    tmp_path: Path,
    trick: str,
) -> None:
    a, _ = two_tenants
    signer = Signer(bytes(SEED_LENGTH))
    checkpoints = AuditCheckpoints(sqlite_database, signer, CheckpointFile(tmp_path / "anchors.jsonl"))
    for tenant_id in two_tenants:
        async with sqlite_database.tenant(tenant_id) as s:
            for _n in range(3):
                await audit.record(s, actor=audit.SYSTEM, action="slack.command.used", target="x")
    await checkpoints.sign()
    by = Signer(b"\x01" * SEED_LENGTH) if trick == "a forged line" else signer
    checkpoints.file.append([by.checkpoint(a, 3, bytes(32), clock())])
    clock.advance(timedelta(days=400))
    owner = create_engine(sqlite_place.url, pool_size=1)
    retention = AuditRetention(db=sqlite_database, owner=owner, checkpoints=checkpoints)
    assert await retention.prune(timedelta(days=365)) == 1, "the other tenant's"
    await owner.dispose()
    async with sqlite_database.tenant(a) as s:
        assert [entry.sequence for entry in await audit.trail(s)] == [1, 2, 3]


async def test_the_audit_log_is_shortened_only_by_setting_and_still_verifies(
    database: Database, two_tenants: Any, store_place: Any, clock: Any, tmp_path: Path
) -> None:
    a, b = two_tenants
    checkpoints = AuditCheckpoints(database, Signer(bytes(SEED_LENGTH)), CheckpointFile(tmp_path / "anchors.jsonl"))
    owner = create_engine(store_place.url, pool_size=1)
    retention = AuditRetention(db=database, owner=owner, checkpoints=checkpoints)

    async def act(tenant_id: TenantId, count: int) -> None:
        async with database.tenant(tenant_id) as s:
            for _ in range(count):
                await audit.record(s, actor=audit.SYSTEM, action="slack.command.used", target="x")

    await act(a, 4)
    await checkpoints.sign()
    clock.advance(timedelta(days=400))
    await act(a, 2)
    await act(b, 2)
    await checkpoints.sign()
    assert await retention.prune(timedelta(days=365)) == 1
    assert await retention.prune(timedelta(days=365)) == 0
    async with database.tenant(a) as s:
        assert [entry.sequence for entry in await audit.trail(s)] == [5, 6, 7]
        assert (await audit.trail(s))[-1].action == "system.audit.pruned"
    await act(a, 1)
    findings = await verify_chains(database, checkpoints.file.read(), checkpoints.signer.public_pem)
    assert [finding.ok for finding in findings] == [True, True], findings
    clock.advance(timedelta(days=400))
    assert await retention.prune(timedelta(days=365)) == 2  # everything is old: only the note of that remains
    findings = await verify_chains(database, checkpoints.file.read(), checkpoints.signer.public_pem)
    assert [finding.ok for finding in findings] == [True, True], findings
    await owner.dispose()
