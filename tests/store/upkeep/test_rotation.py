"""A data key is rotated while others write; nothing is lost, nothing is left behind, and the audit is not touched."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from store import audit
from store.database.keyring import KNOWN_AFTER
from store.database.schema import AuditRow, InvestigationRow, NoteRow
from store.database.session import Database
from store.errors import CorruptEnvelope, UnknownKey
from store.ids import NoteId, new_id
from store.incidents.investigations import add_note, investigation, save_verdict
from store.keys import vault
from store.secrets.redaction import Secret
from store.tenancy.connections import connections, credentials, save_connection
from store.upkeep import rotation
from store.upkeep.rotation import begin_rotation, continue_rotation, rotations, sealed_columns
from tests.conftest import open_store

OPERATOR = audit.Actor(type="system", id="operator")


async def envelopes(db: Database, tenant: Any) -> dict[tuple[str, str, str], bytes]:
    found = {}
    async with db.tenant(tenant, readonly=True) as s:
        for entity, columns in sealed_columns():
            for row in await s.all(select(entity)):
                for name in columns:
                    if getattr(row, name) is not None:
                        found[entity.__name__, row.id, name] = getattr(row, name)
    return found


async def test_rotation_under_load_reseals_every_row_and_loses_no_write(
    database: Database, case: Any, two_tenants: Any, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotation, "BATCH", 5)
    tenant, other = two_tenants
    async with database.tenant(tenant) as s:
        connection = await save_connection(
            s, connector="git", config={"a": 1}, credentials={"token": Secret("hunter2-of-acme")}
        )
        await audit.record(s, actor=audit.SYSTEM, action="system.app.installed", target="slack", details={"n": 1})
        for number in range(12):
            note = NoteId(new_id())
            await add_note(
                s, case.investigation_id, note_id=note, text=s.redactor.redact(f"note {number}"), by=case.member
            )
    others = await envelopes(database, other)
    before = (await database.keyring.versions(tenant))[-1].dek_id
    assert await begin_rotation(database, tenant, actor=OPERATOR)
    assert not await begin_rotation(database, tenant, actor=OPERATOR), "one at a time"
    waiting = await continue_rotation(database, tenant)
    assert (waiting.done, waiting.resealed, waiting.until) == (False, 0, clock() + KNOWN_AFTER)
    assert await rotations(database) == [tenant]
    clock.advance(KNOWN_AFTER)

    verdicts = 0

    async def write() -> None:
        nonlocal verdicts
        for number in range(8):
            async with database.tenant(tenant) as s:
                await save_verdict(s, case.investigation_id, {"n": number})
                await add_note(
                    s, case.investigation_id, note_id=NoteId(new_id()), text=s.redactor.redact("late"), by=case.member
                )
            verdicts = number
            await asyncio.sleep(0)

    one, two, _ = await asyncio.gather(
        continue_rotation(database, tenant), continue_rotation(database, tenant), write()
    )
    assert one.resealed + two.resealed > 0
    assert not one.done
    clock.advance(KNOWN_AFTER)
    while not (passed := await continue_rotation(database, tenant)).done:
        assert passed.resealed
    old, new = await database.keyring.versions(tenant)
    assert (old.dek_id, old.retired_at, new.retired_at) == (before, clock(), None)
    assert await rotations(database) == []
    assert {vault.key_of(blob) for blob in (await envelopes(database, tenant)).values()} == {new.dek_id}
    assert await envelopes(database, other) == others
    async with database.tenant(tenant, readonly=True) as s:
        assert (await credentials(s, connection.id))["token"].reveal() == "hunter2-of-acme"
        run = await investigation(s, case.investigation_id)
        assert run is not None
        assert run.verdict == {"n": verdicts}
        notes = [s.open("notes", "text", row.id, row.text) for row in await s.all(select(NoteRow))]
        assert sorted(notes) == sorted([*(f"note {n}" for n in range(12)), *["late"] * 8])
        assert (await audit.verify(s)).ok
        first_entry = (await s.all(select(AuditRow).order_by(AuditRow.sequence)))[0]
        assert vault.key_of(first_entry.details) == before, "audit rows keep their key"
        assert await audit.trail(s)


async def test_a_replica_that_has_not_read_the_keyring_again_meets_no_row_it_cannot_open(
    database: Database, store_place: Any, case: Any, two_tenants: Any, clock: Any
) -> None:
    tenant = two_tenants[0]
    replica = await open_store(store_place, clock)
    async with replica.tenant(tenant, readonly=True) as s:
        await investigation(s, case.investigation_id)
    await begin_rotation(database, tenant, actor=OPERATOR)
    for _ in range(7):
        await continue_rotation(database, tenant)
        async with database.tenant(tenant) as s:
            await save_verdict(s, case.investigation_id, {"by": "database"})
        async with replica.tenant(tenant) as s:
            assert await investigation(s, case.investigation_id) is not None
            await save_verdict(s, case.investigation_id, {"by": "replica"})
        clock.advance(timedelta(minutes=1))
    await replica.close()


async def test_an_interrupted_rotation_is_seen_and_goes_on(
    database: Database, case: Any, two_tenants: Any, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant = two_tenants[0]
    async with database.tenant(tenant) as s:
        await save_connection(s, connector="git", config={}, credentials={"token": Secret("hunter2-of-acme")})
    await begin_rotation(database, tenant, actor=OPERATOR, at_once=True)
    real, calls = rotation._reseal_table, 0

    async def dying(*arguments: Any) -> int:
        nonlocal calls
        calls += 1
        if calls == 4:
            raise KeyboardInterrupt
        return await real(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(rotation, "_reseal_table", dying)
        with pytest.raises(KeyboardInterrupt):
            await continue_rotation(database, tenant)
    assert await rotations(database) == [tenant]
    clock.advance(KNOWN_AFTER)
    while not (await continue_rotation(database, tenant)).done:
        pass
    assert await rotations(database) == []
    async with database.tenant(tenant, readonly=True) as s:
        assert len(await connections(s)) == 1


async def test_a_corrupt_envelope_stops_the_rotation_by_name_and_changes_nothing_else(
    database: Database, case: Any, two_tenants: Any, clock: Any
) -> None:
    tenant = two_tenants[0]
    async with database.tenant(tenant) as s:
        row = await s.one(InvestigationRow)
        assert row is not None
        good = row.question
        await s.update(InvestigationRow, values={"question": good[:-1] + bytes([good[-1] ^ 1])})
    await begin_rotation(database, tenant, actor=OPERATOR, at_once=True)
    clock.advance(KNOWN_AFTER)
    with pytest.raises(CorruptEnvelope, match=rf"investigations.question of row {row.id}"):
        await continue_rotation(database, tenant)
    async with database.tenant(tenant) as s:
        await s.update(InvestigationRow, values={"question": good})
    while not (await continue_rotation(database, tenant)).done:
        pass


async def test_ciphertext_of_another_tenant_is_not_sealed_anew(
    database: Database, case: Any, two_tenants: Any, clock: Any
) -> None:
    mine, theirs = two_tenants
    stolen = next(iter((await envelopes(database, theirs)).values()))
    async with database.tenant(mine) as s:
        row = await s.one(InvestigationRow)
        assert row is not None
        await s.update(InvestigationRow, values={"question": stolen})
    await begin_rotation(database, mine, actor=OPERATOR, at_once=True)
    clock.advance(KNOWN_AFTER)
    with pytest.raises(UnknownKey):
        await continue_rotation(database, mine)


def test_every_sealed_column_is_found() -> None:
    found = {(entity.__name__, name) for entity, names in sealed_columns() for name in names}
    assert {("ConnectionRow", "credentials"), ("SlackInstallRow", "bot_token"), ("ApprovalRow", "outcome")} <= found
    assert not any(entity == "AuditRow" for entity, _ in found)
