"""The statements that pass by the guard of the session keep its rules themselves."""

from typing import Any

import pytest

from store import audit
from store.audit import SYSTEM, record, trail, verify
from store.database.schema import AuditRow, UserRow
from store.database.session import Database
from store.errors import RefusedStatement
from store.ids import TenantId, new_id

TwoTenants = tuple[TenantId, TenantId]


async def test_each_tenant_has_a_chain_of_its_own(database: Database, two_tenants: TwoTenants) -> None:
    for tenant_id in (*two_tenants, two_tenants[0]):
        async with database.tenant(tenant_id) as s:
            await record(s, actor=SYSTEM, action="agent.tool.called", target="x")
    for tenant_id, length in zip(two_tenants, (2, 1), strict=True):
        async with database.tenant(tenant_id, readonly=True) as s:
            report = await verify(s)
            assert (report.ok, report.length) == (True, length)


async def test_an_entry_is_the_sessions_own_whatever_it_says(database: Database, two_tenants: TwoTenants) -> None:
    mine, theirs = two_tenants
    async with database.tenant(mine) as s:
        row_id = new_id()
        row = AuditRow(
            id=row_id,
            tenant_id=theirs,
            at=s.now(),
            actor_type="system",
            actor_id="autoheal",
            action="agent.tool.called",
            target="x",
            details=s.seal_json("audit", "details", row_id, {}),
        )
        await s.link_audit(row, audit.link)
    for tenant_id, length in ((mine, 1), (theirs, 0)):
        async with database.tenant(tenant_id, readonly=True) as s:
            assert len(await trail(s)) == length
            assert (await verify(s)).ok


@pytest.mark.parametrize("how", ["readonly", "erasing"])
async def test_who_may_not_write_links_nothing(database: Database, two_tenants: TwoTenants, how: str) -> None:
    row: Any = AuditRow(id=new_id())
    with pytest.raises(RefusedStatement, match="only reads"):
        async with database.tenant(two_tenants[0], **{how: True}) as s:
            await s.link_audit(row, audit.link)


async def test_what_was_changed_before_is_written_first(database: Database, two_tenants: TwoTenants) -> None:
    """Whoever changes a row and then appends locks them in this order, though nobody said `save`."""
    async with database.tenant(two_tenants[0]) as s:
        user = await s.one(UserRow, UserRow.slack_user_id == "U0VIEWER")
        assert user is not None
        user.role = "member"
        await record(s, actor=SYSTEM, action="agent.tool.called", target="x")
        assert not s._session.sync_session.dirty
