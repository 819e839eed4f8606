"""Whoever holds the database, but not the signing key, cannot change the past unseen."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from store.audit import EMPTY_CHAIN, Actor, link, record
from store.audit.signed_checkpoints import SEED_LENGTH, CheckpointFile, SignedCheckpoint, Signer
from store.database.schema import Base
from store.database.session import Database
from store.ids import TenantId, new_id
from store.upkeep.audit_heads import AuditCheckpoints, ChainFinding, heads, verify_chains
from tests.conftest import past_the_walls

ACTOR = Actor(type="user", id="user-1")
AUDIT, HEADS = Base.metadata.tables["audit"], Base.metadata.tables["tenant_heads"]


@pytest.fixture
def signer() -> Signer:
    return Signer(bytes(range(SEED_LENGTH)))


@pytest.fixture
def checkpoint_file(tmp_path: Path) -> CheckpointFile:
    return CheckpointFile(tmp_path / "outside" / "anchors.jsonl")


async def _write(database: Database, tenant_id: TenantId, count: int) -> None:
    async with database.tenant(tenant_id) as s:
        for number in range(count):
            await record(s, actor=ACTOR, action="slack.command.used", target=f"t{number}")


async def _prepare(database: Database, two_tenants: Any, signer: Signer, file: CheckpointFile) -> AuditCheckpoints:
    """Both tenants have five entries; the heads at three and at five are signed."""
    checkpoints = AuditCheckpoints(database, signer, file)
    for count in (3, 2):
        for tenant_id in two_tenants:
            await _write(database, tenant_id, count)
        await checkpoints.sign()
    return checkpoints


async def _check(database: Database, signer: Signer, file: CheckpointFile) -> dict[TenantId, ChainFinding]:
    findings = await verify_chains(database, file.read(), signer.public_pem)
    return {finding.tenant_id: finding for finding in findings}


async def _rechain(connection: AsyncConnection, tenant_id: TenantId) -> None:
    """What a careful attacker does: every hash and the head fit again."""
    previous, sequence = EMPTY_CHAIN, 0
    own = AUDIT.c.tenant_id == tenant_id
    for row in (await connection.execute(select(AUDIT).where(own).order_by(AUDIT.c.sequence))).all():
        previous, sequence = link(previous, row), row.sequence  # type: ignore[arg-type] # it has the row's attributes
        await connection.execute(update(AUDIT).where(own, AUDIT.c.id == row.id).values(hash=previous))
    await connection.execute(
        update(HEADS).where(HEADS.c.tenant_id == tenant_id).values(audit_sequence=sequence, audit_hash=previous)
    )


async def test_untouched_chains_stand_and_say_against_what(
    database: Database, two_tenants: Any, signer: Signer, checkpoint_file: CheckpointFile
) -> None:
    await _prepare(database, two_tenants, signer, checkpoint_file)
    await _write(database, two_tenants[0], 1)
    found = await _check(database, signer, checkpoint_file)
    assert found[two_tenants[0]].ok
    assert found[two_tenants[0]].sentence == "6 entries, unbroken; held against 2 signed heads"
    assert found[two_tenants[1]].ok


async def _attack(connection: AsyncConnection, kind: str, a: TenantId, b: TenantId) -> None:
    own = AUDIT.c.tenant_id == a

    async def renumber(*moves: tuple[int, int]) -> None:
        for now, then in moves:
            await connection.execute(update(AUDIT).where(own, AUDIT.c.sequence == now).values(sequence=then))

    match kind:
        case "edit":
            await connection.execute(update(AUDIT).where(own, AUDIT.c.sequence == 2).values(actor_id="user-2"))
        case "delete":
            await connection.execute(delete(AUDIT).where(own, AUDIT.c.sequence == 2))
        case "delete and close the gap":
            await connection.execute(delete(AUDIT).where(own, AUDIT.c.sequence == 2))
            await renumber((3, 2), (4, 3), (5, 4))
        case "reorder":
            await renumber((2, 99), (3, 2), (99, 3))
        case "splice":
            of_b = select(AUDIT).where(AUDIT.c.tenant_id == b, AUDIT.c.sequence == 3)
            theirs = (await connection.execute(of_b)).one()
            await connection.execute(delete(AUDIT).where(own, AUDIT.c.sequence == 3))
            await connection.execute(insert(AUDIT).values(**{**theirs._asdict(), "tenant_id": a}))
        case "truncate":
            await connection.execute(delete(AUDIT).where(own, AUDIT.c.sequence > 4))
        case "truncate to a signed head":
            await connection.execute(delete(AUDIT).where(own, AUDIT.c.sequence > 3))
        case "rewrite":
            await connection.execute(update(AUDIT).where(own).values(target="nothing"))


ATTACKS = (
    "edit",
    "delete",
    "delete and close the gap",
    "reorder",
    "splice",
    "truncate",
    "truncate to a signed head",
    "rewrite",
)


@pytest.mark.parametrize("attack", ATTACKS)
async def test_every_change_of_the_past_is_found(
    database: Database, two_tenants: Any, signer: Signer, checkpoint_file: CheckpointFile, attack: str
) -> None:
    a, b = two_tenants
    await _prepare(database, two_tenants, signer, checkpoint_file)
    async with past_the_walls(database) as connection:
        await _attack(connection, attack, a, b)
    found = await _check(database, signer, checkpoint_file)
    assert not found[a].ok
    assert found[b].ok
    async with past_the_walls(database) as connection:
        await _rechain(connection, a)  # the careful attacker: now the database alone is without contradiction
    found = await _check(database, signer, checkpoint_file)
    assert not found[a].ok
    assert any(word in found[a].sentence for word in ("rewritten", "cut off", "missing"))
    assert found[b].ok


async def test_a_chain_that_vanished_is_missed_unless_its_keys_were_shredded(
    database: Database, two_tenants: Any, signer: Signer, checkpoint_file: CheckpointFile
) -> None:
    a = two_tenants[0]
    await _prepare(database, two_tenants, signer, checkpoint_file)
    async with past_the_walls(database) as connection:
        await connection.execute(delete(AUDIT).where(AUDIT.c.tenant_id == a))
        await connection.execute(
            update(HEADS).where(HEADS.c.tenant_id == a).values(audit_sequence=0, audit_hash=EMPTY_CHAIN)
        )
    found = await _check(database, signer, checkpoint_file)
    assert not found[a].ok
    assert "never closed" in found[a].sentence
    findings = await verify_chains(database, checkpoint_file.read(), signer.public_pem, shredded={a})
    assert not all(finding.ok for finding in findings)  # one of its keys was rotated away; it lives


async def test_a_closed_tenant_is_not_missed(
    sqlite_database: Database, signer: Signer, checkpoint_file: CheckpointFile, clock: Any
) -> None:
    closed = TenantId(new_id())
    checkpoint_file.append([signer.checkpoint(closed, 3, bytes(32), clock())])
    for shredded, ok in ((frozenset[str](), False), (frozenset({closed}), True)):
        findings = await verify_chains(sqlite_database, checkpoint_file.read(), signer.public_pem, shredded=shredded)
        assert [(finding.tenant_id, finding.ok) for finding in findings] == [(closed, ok)]


async def test_checkpoints_that_others_signed_or_changed_are_forged(
    database: Database, two_tenants: Any, signer: Signer, checkpoint_file: CheckpointFile
) -> None:
    await _prepare(database, two_tenants, signer, checkpoint_file)
    text = checkpoint_file.path.read_text()
    checkpoint_file.path.write_text(text.replace('"sequence":5', '"sequence":4', 1))
    found = await _check(database, signer, checkpoint_file)
    assert sorted(finding.ok for finding in found.values()) == [False, True]
    checkpoint_file.path.write_text(text)
    found = await _check(database, Signer(bytes(SEED_LENGTH)), checkpoint_file)
    assert all("forged" in finding.sentence for finding in found.values())


async def test_removed_entries_need_a_signed_note(
    database: Database, two_tenants: Any, signer: Signer, checkpoint_file: CheckpointFile, clock: Any
) -> None:
    a = two_tenants[0]
    await _prepare(database, two_tenants, signer, checkpoint_file)
    own = AUDIT.c.tenant_id == a
    async with past_the_walls(database) as connection:
        second = (await connection.execute(select(AUDIT.c.hash).where(own, AUDIT.c.sequence == 2))).scalar_one()
        await connection.execute(delete(AUDIT).where(own, AUDIT.c.sequence <= 2))
        await connection.execute(
            update(HEADS).where(HEADS.c.tenant_id == a).values(audit_base_sequence=2, audit_base_hash=second)
        )
    assert "no signed note" in (await _check(database, signer, checkpoint_file))[a].sentence
    checkpoint_file.append([signer.checkpoint(a, 2, second, clock(), "head")])
    assert not (await _check(database, signer, checkpoint_file))[a].ok  # a head is no permission to remove
    checkpoint_file.append([signer.checkpoint(a, 2, second, clock(), "base")])
    assert (await _check(database, signer, checkpoint_file))[a].ok


async def test_heads_are_signed_when_they_move_and_never_backwards(
    sqlite_database: Database,
    two_tenants: Any,
    signer: Signer,
    checkpoint_file: CheckpointFile,
    caplog: pytest.LogCaptureFixture,
) -> None:
    a = two_tenants[0]
    checkpoints = AuditCheckpoints(sqlite_database, signer, checkpoint_file)
    assert await checkpoints.sign() == []
    await _write(sqlite_database, a, 2)
    assert [(checkpoint.tenant_id, checkpoint.sequence) for checkpoint in await checkpoints.sign()] == [(a, 2)]
    assert await checkpoints.sign() == []
    again = AuditCheckpoints(sqlite_database, signer, checkpoint_file)  # another process reads what is there
    assert await again.sign() == []
    async with past_the_walls(sqlite_database) as connection:
        await connection.execute(update(HEADS).where(HEADS.c.tenant_id == a).values(audit_sequence=1))
    assert await again.sign() == []
    assert "audit.head.moved_back" in caplog.text
    assert len(checkpoint_file.read()) == 1
    assert [head.sequence for head in await heads(sqlite_database)] == [1]


async def _rewrite(database: Database, tenant_id: TenantId) -> None:
    async with past_the_walls(database) as connection:
        await connection.execute(update(AUDIT).where(AUDIT.c.tenant_id == tenant_id).values(target="nothing"))
        await _rechain(connection, tenant_id)


@pytest.mark.parametrize("line", ["old", "forged"])
async def test_a_line_at_the_end_of_the_file_has_nothing_signed_anew(  # noqa: PLR0917 -- fixtures
    sqlite_database: Database,
    two_tenants: Any,
    signer: Signer,
    checkpoint_file: CheckpointFile,
    clock: Any,
    caplog: pytest.LogCaptureFixture,
    line: str,
) -> None:
    a = two_tenants[0]
    await _prepare(sqlite_database, two_tenants, signer, checkpoint_file)
    before = checkpoint_file.read()
    old = next(checkpoint for checkpoint in before if (checkpoint.tenant_id, checkpoint.sequence) == (a, 3))
    forgery = Signer(bytes(SEED_LENGTH)).checkpoint(a, 1, bytes(32), clock())
    checkpoint_file.append([old if line == "old" else forgery])
    await _rewrite(sqlite_database, a)
    again = AuditCheckpoints(sqlite_database, signer, checkpoint_file)  # after a restart
    assert await again.sign() == []
    assert again.latest[a].sequence == 5
    assert "audit.head.moved_back" in caplog.text
    assert ("audit.head.forged" in caplog.text) == (line == "forged")
    assert len(checkpoint_file.read()) == len(before) + 1
    assert not (await _check(sqlite_database, signer, checkpoint_file))[a].ok


@pytest.mark.parametrize("kind", ["head", "base"])
async def test_one_entry_signed_with_two_hashes_is_a_rewritten_chain_whichever_comes_last(  # noqa: PLR0917 -- fixtures
    sqlite_database: Database,
    two_tenants: Any,
    signer: Signer,
    checkpoint_file: CheckpointFile,
    clock: Any,
    caplog: pytest.LogCaptureFixture,
    kind: Any,
) -> None:
    a, b = two_tenants
    await _prepare(sqlite_database, two_tenants, signer, checkpoint_file)
    true = checkpoint_file.read()
    other = signer.checkpoint(a, 3, bytes(32), clock(), kind)
    for lines in ([other, *true], [*true, other]):
        checkpoint_file.path.unlink()
        checkpoint_file.append(lines)
        found = await _check(sqlite_database, signer, checkpoint_file)
        assert found[a].sentence == "the chain was rewritten: entry 3 was signed with two different hashes"
        assert not found[a].ok
        assert found[b].ok
        caplog.clear()
        assert await AuditCheckpoints(sqlite_database, signer, checkpoint_file).sign() == []
        assert "audit.head.contradicted" in caplog.text


async def test_lines_may_be_repeated_and_out_of_order(
    sqlite_database: Database, two_tenants: Any, signer: Signer, checkpoint_file: CheckpointFile
) -> None:
    await _prepare(sqlite_database, two_tenants, signer, checkpoint_file)
    checkpoint_file.append(reversed(checkpoint_file.read()))
    assert all(finding.ok for finding in (await _check(sqlite_database, signer, checkpoint_file)).values())
    assert await AuditCheckpoints(sqlite_database, signer, checkpoint_file).sign() == []


def test_a_line_that_a_crash_cut_off_spoils_no_other(
    checkpoint_file: CheckpointFile, signer: Signer, clock: Any
) -> None:
    first, second = (signer.checkpoint(TenantId("t"), n, bytes(32), clock()) for n in (1, 2))
    checkpoint_file.append([first])
    with checkpoint_file.path.open("ab") as file:
        file.write(b'{"at":"2026')
    assert checkpoint_file.read() == [first]
    checkpoint_file.append([second])
    assert checkpoint_file.read() == [first, second]
    assert checkpoint_file.path.stat().st_mode & 0o077 == 0


def test_a_checkpoint_says_what_it_is(signer: Signer, clock: Any) -> None:
    checkpoint = signer.checkpoint(TenantId("t"), 7, b"\x01" * 32, clock())
    assert checkpoint == SignedCheckpoint(
        tenant_id=TenantId("t"), sequence=7, hash="01" * 32, at=clock().isoformat(), signature=checkpoint.signature
    )
