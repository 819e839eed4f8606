"""The tenant wall: what a session sees, writes and refuses."""

import asyncio
from typing import Any, cast

import pytest
from sqlalchemy import delete, exists, func, insert, literal_column, select, text, true, update
from sqlalchemy.orm import aliased

from store.database.schema import AuditRow, TenantRow, UserRow
from store.database.session import Database, TenantSession
from store.errors import CrossTenantWrite, RefusedStatement, UnknownTenant
from store.ids import TenantId, new_id
from store.people.users import Role, ensure_user, user, user_by_slack
from store.secrets.redaction import Redacted, Secret
from store.tenancy.tenants import create_tenant, list_tenants, tenant_for_slack

TwoTenants = tuple[TenantId, TenantId]


async def test_each_tenant_sees_its_own_people_though_slack_ids_are_shared(
    database: Database, two_tenants: TwoTenants
) -> None:
    found = []
    for tenant_id in two_tenants:
        async with database.tenant(tenant_id) as s:
            rows = await s.all(select(UserRow))
            assert {row.tenant_id for row in rows} == {tenant_id}
            found.append({row.id for row in rows})
    assert len(found[0]) == 3
    assert not found[0] & found[1]


async def test_anothers_row_is_not_found_by_its_id(database: Database, two_tenants: TwoTenants) -> None:
    async with database.tenant(two_tenants[1]) as s:
        theirs = await user_by_slack(s, "U0ADMIN")
    assert theirs is not None
    async with database.tenant(two_tenants[0]) as s:
        assert await user(s, theirs.id) is None
        assert await s.update(UserRow, UserRow.id == theirs.id, values={"role": "admin"}) == 0
        assert await s.delete(UserRow, UserRow.id == theirs.id) == 0


async def test_aliases_subqueries_and_aggregates_are_filtered_too(database: Database, two_tenants: TwoTenants) -> None:
    async with database.tenant(two_tenants[1]) as s:
        await ensure_user(s, slack_user_id="U0ONLYTHEIRS", role=Role.MEMBER)
    other = aliased(UserRow)
    async with database.tenant(two_tenants[0]) as s:
        assert await s.value(select(func.count(UserRow.id))) == 3
        assert await s.value(select(func.count()).select_from(UserRow)) == 3
        assert await s.value(select(func.count(other.id))) == 3
        theirs = exists(select(other.id).where(other.slack_user_id == "U0ONLYTHEIRS"))
        assert await s.all(select(UserRow).where(theirs)) == []
        within = UserRow.slack_user_id.in_(select(other.slack_user_id).where(other.slack_user_id == "U0ONLYTHEIRS"))
        assert await s.all(select(UserRow).where(within)) == []
        pairs = select(func.count(UserRow.id)).join(other, true())
        assert await s.value(pairs) == 9


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param(select(UserRow.__table__), id="a Core table"),
        pytest.param(select(UserRow.__table__.c.id), id="a Core column"),
        pytest.param(select(UserRow.id).join(UserRow.__table__.alias(), true()), id="a Core alias"),
        pytest.param(select(UserRow.id).join(AuditRow.__table__, true()), id="a joined Core table"),
        pytest.param(select(UserRow).where(exists(select(AuditRow.__table__.c.id))), id="a Core subquery"),
        pytest.param(select(func.count()).select_from(UserRow.__table__), id="a counted Core table"),
        pytest.param(
            select(UserRow.id, select(func.count()).select_from(UserRow.__table__).correlate(None).scalar_subquery()),
            id="a counted Core table beside an entity of the same name",
        ),
        pytest.param(
            update(UserRow).values(role=select(func.count()).select_from(UserRow.__table__).scalar_subquery()),
            id="a counted Core table as a new value",
        ),
        pytest.param(select(UserRow.id).join(UserRow.__table__, true()), id="a joined Core table of the same name"),
        pytest.param(select(UserRow).where(UserRow.id.op("= '' OR 1=1 OR ''=")("x")), id="an operator of one's own"),
        pytest.param(select(UserRow.id, func.set_config("app.tenant_id", "x", True)), id="a function that sets"),
        pytest.param(select(UserRow.id).prefix_with("x"), id="a prefix"),
        pytest.param(select(UserRow.id).with_hint(UserRow, "x"), id="a hint"),
        pytest.param(text("SELECT * FROM users"), id="text"),
        pytest.param(select(UserRow).from_statement(text("SELECT * FROM users")), id="an entity from text"),
        pytest.param(select(UserRow).where(text("1=1")), id="a text condition"),
        pytest.param(select(UserRow.id, literal_column("(SELECT 1)")), id="a literal column"),
        pytest.param(select(TenantRow), id="a table without a tenant"),
        pytest.param(insert(UserRow).values(id=new_id()), id="an insert"),
        pytest.param(update(cast("Any", UserRow.__table__)).values(role="admin"), id="a Core update"),
        pytest.param(delete(AuditRow), id="a delete in an append-only table"),
        pytest.param(update(AuditRow).values(target="x"), id="an update in an append-only table"),
    ],
)
async def test_statements_that_cannot_be_filtered_are_refused(
    sqlite_database: Database, two_tenants: TwoTenants, statement: Any
) -> None:
    async with sqlite_database.tenant(two_tenants[0]) as s:
        with pytest.raises(RefusedStatement):
            await s._session.execute(statement)


async def test_bulk_statements_by_primary_key_are_refused(sqlite_database: Database, two_tenants: TwoTenants) -> None:
    async with sqlite_database.tenant(two_tenants[0]) as s:
        with pytest.raises(RefusedStatement):
            await s._session.execute(update(UserRow), [{"tenant_id": two_tenants[1], "id": new_id(), "role": "admin"}])
        with pytest.raises(RefusedStatement):
            await s._session.execute(insert(UserRow), [{"tenant_id": two_tenants[1], "id": new_id()}])
        with pytest.raises(RefusedStatement):
            s._session.sync_session.connection()


async def test_what_the_database_would_compute_is_not_written(
    sqlite_database: Database, two_tenants: TwoTenants
) -> None:
    everybody = select(func.count()).select_from(cast("Any", UserRow.__table__)).scalar_subquery()
    async with sqlite_database.tenant(two_tenants[0]) as s:
        mine = await s.one(UserRow, UserRow.slack_user_id == "U0ADMIN")
        assert mine is not None
        mine.role = cast("Any", everybody)
        with pytest.raises(RefusedStatement):
            await s.save()
        s._session.expunge_all()
        with pytest.raises(RefusedStatement):
            await s.insert_if_absent(UserRow, {"id": new_id(), "slack_user_id": "UX", "role": everybody})


async def test_a_session_that_erases_reads_and_deletes_and_nothing_else(
    database: Database, two_tenants: TwoTenants
) -> None:
    from store.audit import SYSTEM, record

    for tenant_id in two_tenants:
        async with database.tenant(tenant_id) as s:
            await record(s, actor=SYSTEM, action="agent.tool.called", target="x")
    with pytest.raises(RefusedStatement):
        async with database.tenant(two_tenants[0]) as s:
            await s.delete(AuditRow)
    async with database.tenant(two_tenants[0], erasing=True) as s:
        for refused in (s.update(UserRow, values={"role": "admin"}), s.insert(UserRow(id=new_id()))):
            with pytest.raises(RefusedStatement):
                await refused
        s._session.expunge_all()
        assert await s.delete(AuditRow) == 1
        assert await s.delete(UserRow) == 3
        with pytest.raises(RuntimeError):
            s.seal_secret("users", "x", new_id(), Secret("x"))
    async with database.tenant(two_tenants[1]) as s:
        assert len(await s.all(select(AuditRow))) == 1
        assert len(await s.all(select(UserRow))) == 3


async def test_nothing_is_erased_under_an_empty_id(database: Database) -> None:
    with pytest.raises(UnknownTenant):
        async with database.tenant(TenantId(""), erasing=True):
            pass


async def test_a_row_of_another_tenant_is_not_written(database: Database, two_tenants: TwoTenants) -> None:
    def row(tenant_id: str | None) -> UserRow:
        now = database.now()
        return UserRow(
            tenant_id=tenant_id, id=new_id(), slack_user_id="UX", role="admin", created_at=now, role_changed_at=now
        )

    with pytest.raises(CrossTenantWrite):
        async with database.tenant(two_tenants[0]) as s:
            await s.insert(row(two_tenants[1]))
    with pytest.raises(CrossTenantWrite):
        async with database.tenant(two_tenants[0]) as s:
            await s.update(UserRow, values={"tenant_id": two_tenants[1]})
    async with database.tenant(two_tenants[0]) as s:
        mine = await s.one(UserRow, UserRow.slack_user_id == "U0ADMIN")
        assert mine is not None
        mine.tenant_id = two_tenants[1]
        with pytest.raises(CrossTenantWrite):
            await s.save()
        s._session.expunge_all()
    async with database.tenant(two_tenants[0]) as s:
        await s.insert(row(None))
        assert await s.one(UserRow, UserRow.slack_user_id == "UX") is not None


async def test_an_error_rolls_everything_back(database: Database, two_tenants: TwoTenants) -> None:
    async def interrupted() -> None:
        async with database.tenant(two_tenants[0]) as s:
            await ensure_user(s, slack_user_id="UGONE", role=Role.MEMBER)
            raise KeyError

    with pytest.raises(KeyError):
        await interrupted()
    async with database.tenant(two_tenants[0]) as s:
        assert await user_by_slack(s, "UGONE") is None


async def test_a_reading_session_does_not_write(database: Database, two_tenants: TwoTenants) -> None:
    async with database.tenant(two_tenants[0], readonly=True) as s:
        assert await user_by_slack(s, "U0ADMIN") is not None
    with pytest.raises(RefusedStatement):
        async with database.tenant(two_tenants[0], readonly=True) as s:
            await ensure_user(s, slack_user_id="UX", role=Role.MEMBER)


async def test_an_unknown_tenant_is_refused(database: Database) -> None:
    with pytest.raises(UnknownTenant):
        async with database.tenant(TenantId(new_id())):
            pass


async def test_plain_text_is_refused_where_content_goes(sqlite_database: Database, two_tenants: TwoTenants) -> None:
    async with sqlite_database.tenant(two_tenants[0]) as s:
        with pytest.raises(TypeError):
            s.seal("notes", "text", new_id(), "plain")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        Redacted("made by hand")


async def test_columns_take_redacted_text_or_one_word(sqlite_database: Database, case: Any) -> None:
    from sqlalchemy.exc import StatementError

    from store.database.schema import IncidentRow

    for values, reason in (
        ({"service": "plain text"}, "must pass a Redactor"),
        ({"channel_id": "two words"}, "no spaces"),
        ({"channel_id": "x" * 256}, "255"),
    ):
        with pytest.raises(StatementError, match=reason):
            async with sqlite_database.tenant(case.tenant_id) as s:
                await s.update(IncidentRow, values=values)
    async with sqlite_database.tenant(case.tenant_id) as s:
        assert await s.update(IncidentRow, values={"service": s.redactor.redact("plain text")}) == 1


async def test_a_secret_saved_a_moment_ago_is_redacted_everywhere_from_then_on(
    database: Database, two_tenants: TwoTenants
) -> None:
    from store.tenancy.connections import connections, disconnect, save_connection

    async with database.tenant(two_tenants[0]) as s:
        assert s.redactor.redact("hunter2-of-acme") == "hunter2-of-acme"
        await save_connection(s, connector="git", config={}, credentials={"token": Secret("hunter2-of-acme")})
        assert s.redactor.redact("it is hunter2-of-acme!") == "it is [redacted:own_secret]!"
    async with database.tenant(two_tenants[0]) as s:
        assert "hunter2" not in s.redactor.redact("hunter2-of-acme")
        assert await disconnect(s, (await connections(s))[0].id)
    async with database.tenant(two_tenants[0]) as s:
        assert s.redactor.redact("hunter2-of-acme") == "hunter2-of-acme"
    async with database.tenant(two_tenants[1]) as s:
        assert s.redactor.redact("hunter2-of-acme") == "hunter2-of-acme"


async def test_a_rolled_back_secret_is_forgotten(database: Database, two_tenants: TwoTenants) -> None:
    from store.tenancy.connections import save_connection

    async def interrupted() -> None:
        async with database.tenant(two_tenants[0]) as s:
            await save_connection(s, connector="git", config={}, credentials={"token": Secret("never-committed-1")})
            raise KeyError

    with pytest.raises(KeyError):
        await interrupted()
    async with database.tenant(two_tenants[0]) as s:
        assert s.redactor.redact("never-committed-1") == "never-committed-1"


async def test_a_cancelled_writer_leaves_nothing_and_blocks_nobody(database: Database, two_tenants: TwoTenants) -> None:
    entered = asyncio.Event()

    async def stuck() -> None:
        async with database.tenant(two_tenants[0]) as s:
            await ensure_user(s, slack_user_id="UCANCELLED", role=Role.MEMBER)
            entered.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(stuck())
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with database.tenant(two_tenants[0]) as s:
        assert await user_by_slack(s, "UCANCELLED") is None


async def test_times_without_a_zone_are_refused(sqlite_database: Database, two_tenants: TwoTenants) -> None:
    from sqlalchemy.exc import StatementError

    async def insert_naive(s: TenantSession) -> None:
        now = s.now().replace(tzinfo=None)
        await s.insert(UserRow(id=new_id(), slack_user_id="UX", role="admin", created_at=now, role_changed_at=now))

    with pytest.raises(StatementError, match="without a zone"):
        async with sqlite_database.tenant(two_tenants[0]) as s:
            await insert_naive(s)


async def test_routing_a_request_waits_for_no_writer(sqlite_database: Database) -> None:
    tenant = await create_tenant(sqlite_database, name="Acme")
    async with sqlite_database.tenant(tenant) as s:
        await ensure_user(s, slack_user_id="U1", role=Role.MEMBER)
        async with asyncio.timeout(60):
            assert await tenant_for_slack(sqlite_database, enterprise_id=None, team_id="T1") is None
            assert [one.id for one in await list_tenants(sqlite_database)] == [tenant]
