"""The chain has no gaps and shows every change."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import text

from store import audit
from store.audit import Actor, record, trail, verify
from store.database.session import Database
from store.ids import TenantId
from tests.conftest import past_the_walls

ACTOR = Actor(type="agent", id="investigation-1")


async def _write(database: Database, tenant_id: TenantId, count: int) -> None:
    async with database.tenant(tenant_id) as s:
        for number in range(count):
            await record(s, actor=ACTOR, action="agent.tool.called", target=f"t{number}", details={"n": number})


async def _tamper(database: Database, statement: str, **values: Any) -> None:
    async with past_the_walls(database) as session:
        if database.dialect == "sqlite" and "tenant" in values:
            values["tenant"] = values["tenant"].replace("-", "")
        await session.execute(text(statement), values)


async def test_an_untouched_chain_verifies(database: Database, two_tenants: Any) -> None:
    for tenant_id in two_tenants:
        await _write(database, tenant_id, 3)
    async with database.tenant(two_tenants[0]) as s:
        report = await verify(s)
        assert (report.ok, report.length) == (True, 3)
        assert [entry.sequence for entry in await trail(s)] == [1, 2, 3]
        assert (await trail(s, target="t1"))[0].details == {"n": 1}


async def test_parallel_writers_leave_no_gap(database: Database, two_tenants: Any) -> None:
    await asyncio.gather(*(_write(database, two_tenants[0], 2) for _ in range(10)))
    async with database.tenant(two_tenants[0]) as s:
        report = await verify(s)
    assert (report.ok, report.length) == (True, 20)


async def test_a_rolled_back_action_leaves_no_entry(database: Database, two_tenants: Any) -> None:
    async def interrupted() -> None:
        async with database.tenant(two_tenants[0]) as s:
            await record(s, actor=ACTOR, action="agent.effect.started", target="x")
            raise KeyError

    with pytest.raises(KeyError):
        await interrupted()
    await _write(database, two_tenants[0], 1)
    async with database.tenant(two_tenants[0]) as s:
        assert (await verify(s)).length == 1


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("UPDATE audit SET target = 'other' WHERE tenant_id = :tenant AND sequence = 2", "entry 2 was changed"),
        ("UPDATE audit SET actor_id = 'x' WHERE tenant_id = :tenant AND sequence = 3", "entry 3 was changed"),
        ("DELETE FROM audit WHERE tenant_id = :tenant AND sequence = 2", "entry 2 is missing"),
        ("DELETE FROM audit WHERE tenant_id = :tenant AND sequence = 4", "before its recorded head"),
        ("UPDATE audit SET sequence = 9 - sequence WHERE tenant_id = :tenant", "entry 1 is missing"),
        ("UPDATE audit SET sequence = -sequence WHERE tenant_id = :tenant", "before its recorded head"),
        ("UPDATE tenant_heads SET audit_sequence = 3 WHERE tenant_id = :tenant", "before its recorded head"),
    ],
)
async def test_tampering_is_found(database: Database, two_tenants: Any, statement: str, problem: str) -> None:
    for tenant_id in two_tenants:
        await _write(database, tenant_id, 4)
    await _tamper(database, statement, tenant=two_tenants[0])
    async with database.tenant(two_tenants[0]) as s:
        report = await verify(s)
    assert not report.ok
    assert report.problem is not None
    assert problem in report.problem
    async with database.tenant(two_tenants[1]) as s:
        assert (await verify(s)).ok


async def test_details_moved_between_entries_are_found(database: Database, two_tenants: Any) -> None:
    await _write(database, two_tenants[0], 2)
    await _tamper(
        database,
        "UPDATE audit SET details = (SELECT a.details FROM audit a WHERE a.tenant_id = :tenant AND a.sequence = 2) "
        "WHERE tenant_id = :tenant AND sequence = 1",
        tenant=two_tenants[0],
    )
    async with database.tenant(two_tenants[0]) as s:
        assert (await verify(s)).at_sequence == 1


async def test_actions_outside_the_vocabulary_are_refused(sqlite_database: Database, two_tenants: Any) -> None:
    async with sqlite_database.tenant(two_tenants[0]) as s:
        for action in ("tool.called", "agent.tool.invented", "nobody.tool.called", "agent.tool", "agent.tool.called.x"):
            with pytest.raises(ValueError, match="vocabulary"):
                await record(s, actor=ACTOR, action=action, target="x")
        assert (await verify(s)).head == audit.EMPTY_CHAIN.hex()
