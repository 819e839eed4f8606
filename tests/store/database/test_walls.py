"""The second wall: what the database itself shows and refuses, whatever SQL reaches it."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, Table, delete, event, func, insert, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.util import await_

from store.database import walls
from store.database.engine import create_engine
from store.database.migrations import migrate, migrate_keyring
from store.database.schema import UserRow
from store.database.session import Database
from store.database.walls.acting import DOOR_KEEPER, Acting, acting, for_tenant, owning
from store.database.walls.postgresql import ROLES
from store.database.walls.walled import walled_tables
from store.errors import SchemaMismatch
from store.ids import TenantId, new_id
from store.keys.local_keys import LocalFileKeys
from store.people.users import Role, ensure_user, user_by_slack
from store.tenancy.tenants import create_tenant, list_tenants
from tests.conftest import Clock, StorePlace, open_store, past_the_walls, seed_tenant
from tests.store.one_of_each import SHARED_ID, a_row, one_of_each, tables

TwoTenants = tuple[TenantId, TenantId]
REFUSED = "tenant wall refuses|row-level security|permission denied"


@asynccontextmanager
async def raw(db: Database, whom: Acting) -> AsyncIterator[AsyncConnection]:
    """SQL of any kind, as if every check in front of the database had failed."""
    async with acting(db._engine, whom).begin() as connection:
        yield connection


@pytest.fixture
async def filled(database: Database, two_tenants: TwoTenants) -> TwoTenants:
    """Both tenants have a row of each table, under the same id."""
    async with past_the_walls(database) as connection:
        for mark, tenant_id in zip(("a", "b"), two_tenants, strict=True):
            await connection.run_sync(one_of_each, tenant_id, mark)
    return two_tenants


async def counted(connection: AsyncConnection, table: Table, tenant_id: str) -> int:
    found = await connection.scalar(select(func.count()).select_from(table).where(table.c.tenant_id == tenant_id))
    return int(found or 0)


async def changed(connection: AsyncConnection, statement: Any) -> int:
    """How many rows, -1 where it was refused."""
    try:
        async with connection.begin_nested():
            result = await connection.execute(statement)
            return 1 if result.rowcount == -1 else int(result.rowcount)  # an insert is not always counted
    except DBAPIError as exc:
        assert any(part in str(exc) for part in REFUSED.split("|")), exc  # noqa: PT017 - its text is the point
        return -1


async def test_raw_sql_cannot_touch_another_tenants_row_in_any_table(database: Database, filled: TwoTenants) -> None:
    mine, theirs = filled
    async with past_the_walls(database) as owner:
        before = {table.name: (await owner.execute(table.select())).all() for table in tables()}
    async with raw(database, for_tenant(mine)) as connection:
        for table in tables():
            if database.dialect == "postgresql":
                assert await counted(connection, table, theirs) == 0, table.name
            changes = [
                insert(table).values(tenant_id=theirs, id=new_id(), **a_row(table, "c")),
                update(table).where(table.c.tenant_id == theirs).values(id=new_id()),
                delete(table).where(table.c.tenant_id == theirs),
                update(table).where(table.c.tenant_id == mine, table.c.id == SHARED_ID).values(tenant_id=theirs),
            ]
            if database.dialect == "sqlite":
                changes += [
                    insert(table).prefix_with("OR REPLACE").values(tenant_id=theirs, id=SHARED_ID, **a_row(table, "b")),
                    update(table).prefix_with("OR REPLACE").where(table.c.tenant_id == mine).values(tenant_id=theirs),
                ]
            for change in changes:
                assert await changed(connection, change) <= 0, (table.name, str(change))
    async with past_the_walls(database) as owner:
        assert before == {table.name: (await owner.execute(table.select())).all() for table in tables()}


async def test_replacing_a_row_that_is_unique_over_all_tenants_takes_no_others(
    sqlite_database: Database, two_tenants: TwoTenants
) -> None:
    mine, theirs = two_tenants
    installs = next(table for table in tables() if table.name == "slack_installs")
    values = a_row(installs, "T1")
    async with past_the_walls(sqlite_database) as owner:
        await owner.execute(insert(installs).values(tenant_id=theirs, id=new_id(), **values))
    async with raw(sqlite_database, for_tenant(mine)) as connection:
        replace = insert(installs).prefix_with("OR REPLACE").values(tenant_id=mine, id=new_id(), **values)
        assert await changed(connection, replace) == -1


@pytest.mark.parametrize("table", [walled.table for walled in walled_tables() if walled.append_only])
async def test_rows_that_are_only_added_leave_by_erasure_of_their_tenant_alone(
    database: Database, filled: TwoTenants, table: str
) -> None:
    mine, theirs = filled
    one = next(known for known in tables() if known.name == table)
    own = one.c.tenant_id == mine
    for whom in (for_tenant(mine), DOOR_KEEPER):
        async with raw(database, whom) as connection:
            assert await changed(connection, update(one).where(own).values(id=new_id())) == -1
            assert await changed(connection, delete(one).where(own)) == -1
    async with raw(database, for_tenant(mine, erasing=True)) as connection:
        assert await changed(connection, update(one).where(own).values(id=new_id())) == -1
        assert await changed(connection, delete(one).where(one.c.tenant_id == theirs)) <= 0
        assert await changed(connection, delete(one).where(own)) == 1
    if database.dialect == "sqlite":
        async with owning(database._engine).begin() as connection:
            assert await changed(connection, delete(one)) == -1


async def test_the_door_opens_to_what_the_models_grant(database: Database, filled: TwoTenants) -> None:
    by_name = {walled.table: walled for walled in walled_tables()}
    async with raw(database, DOOR_KEEPER) as connection:
        for table in tables():
            door, own = by_name[table.name].door, table.c.id == SHARED_ID
            for verb, change in (
                ("insert", insert(table).values(tenant_id=filled[0], id=new_id(), **a_row(table, "c"))),
                ("update", update(table).where(own).values(id=SHARED_ID)),
                ("delete", delete(table).where(own)),
            ):
                if verb not in door:
                    assert await changed(connection, change) == -1, (table.name, verb)
            if database.dialect == "postgresql" and "select" not in door:
                assert await changed(connection, select(table)) == -1, table.name


async def test_a_transaction_that_says_nothing_changes_nothing(sqlite_database: Database, two_tenants: Any) -> None:
    async with sqlite_database._engine.begin() as connection:
        for statement in (delete(UserRow), update(UserRow).values(role="admin")):
            assert await changed(connection, statement) == -1


async def test_another_program_cannot_write_to_the_file(sqlite_place: StorePlace) -> None:
    other = sqlite3.connect(sqlite_place.url.removeprefix("sqlite:///"))
    with pytest.raises(sqlite3.OperationalError, match="cur_tenant"):
        other.execute("DELETE FROM users")
    other.close()


# Reads on SQLite, which no trigger sees


class Reads:
    """What SQLite's own authorizer says each statement reads: tables, and those whose tenant it asks for."""

    def __init__(self) -> None:
        self.statement, self.seen = "", dict[str, dict[str, set[str]]]()

    def attach(self, raw: Any, _record: object) -> None:
        connection = raw._connection
        await_(connection._execute(connection._conn.set_authorizer, self._authorize))

    def begins(self, _c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        self.statement = statement

    def _authorize(self, action: int, table: str | None, column: str | None, _db: Any, inner: str | None) -> int:
        if action == sqlite3.SQLITE_READ and table and inner is None:  # not what a trigger reads
            self.seen.setdefault(self.statement, {}).setdefault(table, set()).add(column or "")
        return sqlite3.SQLITE_OK


async def test_every_statement_of_a_session_asks_for_the_tenant_of_each_table_it_reads(
    sqlite_place: StorePlace, clock: Clock
) -> None:
    from tests.store.test_worlds import OPERATIONS, Choices, World, answered, observed

    db = await open_store(sqlite_place, clock)
    reads = Reads()
    event.listen(db._engine.sync_engine, "connect", reads.attach)
    event.listen(db._engine.sync_engine, "before_cursor_execute", reads.begins)
    await db._engine.dispose()
    world = World(db=db, tenants={"A": await seed_tenant(db, "Acme")})
    for name in ("starts a thread", "opens an incident", "investigates", "finds", "proposes", "invites", *OPERATIONS):
        await answered(world, "A", OPERATIONS[name][1], Choices(a=0, b=0, known=new_id()))
    await observed(world, "A")
    await db.close()
    owned = {table.name for table in tables()}
    asked = [(sql, table, columns) for sql, read in reads.seen.items() for table, columns in read.items()]
    assert {table for _, table, _ in asked} >= owned
    for sql, table, columns in asked:
        if table in owned and not sql.startswith("INSERT"):  # which reads what it returns
            assert "tenant_id" in columns, sql


# One connection after another


@pytest.fixture
async def narrow(store_place: StorePlace, clock: Clock) -> AsyncIterator[Database]:
    """All transactions share one connection."""
    db = await Database.open(
        store_place.url,
        keyring_url=store_place.keyring_url,
        keys=LocalFileKeys(store_place.key_file),
        clock=clock,
        pool_size=1,
    )
    yield db
    await db.close()


async def told(db: Database) -> tuple[str, ...]:
    """What a connection from the pool has been told, when nobody tells it anything."""
    query = "SELECT cur_tenant()"
    if db.dialect == "postgresql":
        query = """SELECT current_setting('role'), COALESCE(current_setting('app.tenant_id', true), ''),
            COALESCE(current_setting('app.door', true), '')"""
    async with db._engine.connect() as connection:
        return tuple((await connection.execute(text(query))).one())


async def test_nothing_of_a_transaction_stays_on_its_connection(narrow: Database) -> None:
    nobody = ("none", "", "") if narrow.dialect == "postgresql" else ("",)
    tenant = await seed_tenant(narrow, "Acme")
    assert await told(narrow) == nobody

    async def fail(*, erasing: bool) -> None:
        async with narrow.tenant(tenant, erasing=erasing) as s:
            assert len(await s.all(select(UserRow))) == 3
            raise KeyError

    for erasing in (False, True):
        with pytest.raises(KeyError):
            await fail(erasing=erasing)
        assert await told(narrow) == nobody
    await list_tenants(narrow)
    assert await told(narrow) == nobody
    async with past_the_walls(narrow):
        pass
    assert await told(narrow) == nobody


async def test_tenants_that_take_turns_on_one_connection_see_their_own(narrow: Database) -> None:
    tenants = [await seed_tenant(narrow, name) for name in ("Acme", "Globex")]

    async def work(tenant_id: TenantId, number: int) -> None:
        async with narrow.tenant(tenant_id, readonly=number % 3 == 0) as s:
            if number % 3:
                await ensure_user(s, slack_user_id=f"U{number}", role=Role.MEMBER)
            seen = await s.all(select(UserRow))
            assert {row.tenant_id for row in seen} == {tenant_id}

    await asyncio.gather(*(work(tenants[number % 2], number) for number in range(20)))


@pytest.mark.parametrize("turns", range(6))
async def test_a_request_cancelled_at_any_point_leaves_the_connection_clean(narrow: Database, turns: int) -> None:
    mine, theirs = [await seed_tenant(narrow, name) for name in ("Acme", "Globex")]

    async def request() -> None:
        async with narrow.tenant(mine) as s:
            for number in range(50):
                await ensure_user(s, slack_user_id=f"U{number}", role=Role.MEMBER)

    task = asyncio.create_task(request())
    for _ in range(turns * 7):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert set(await told(narrow)) <= {"none", ""}
    async with narrow.tenant(theirs) as s:
        assert {row.tenant_id for row in await s.all(select(UserRow))} == {theirs}
    async with narrow.tenant(mine) as s:
        assert await user_by_slack(s, "U0") is None


# What is missing is found, and laid anew


async def gaps(place: StorePlace) -> list[str]:
    engine = create_engine(place.url, pool_size=1)
    async with engine.connect() as connection:
        found = await connection.run_sync(walls.missing)
    await engine.dispose()
    return found


async def as_owner(place: StorePlace, *statements: str) -> None:
    engine = create_engine(place.url, pool_size=1)
    async with owning(engine).begin() as connection:
        for statement in statements:
            await connection.execute(text(statement))
    await engine.dispose()


SQLITE_BREAKS = (
    "DROP TRIGGER wall_users_insert",
    "DROP TRIGGER wall_audit_delete",
    "CREATE TRIGGER wall_of_my_own AFTER INSERT ON users BEGIN DELETE FROM audit; END",
)
POSTGRESQL_BREAKS = (
    "DROP POLICY autoheal_app ON users",
    "ALTER POLICY autoheal_app ON users USING (true)",
    "ALTER POLICY autoheal_app ON users TO PUBLIC",
    "CREATE POLICY more ON users USING (true)",
    "ALTER TABLE users DISABLE ROW LEVEL SECURITY",
    "ALTER TABLE users NO FORCE ROW LEVEL SECURITY",
    "GRANT DELETE ON audit TO autoheal_app",
    "GRANT SELECT ON users TO PUBLIC",
    "GRANT SELECT ON users TO autoheal_door",
    "REVOKE INSERT ON users FROM autoheal_app",
)


async def _is_noticed_and_mended(place: StorePlace, clock: Clock, breaks: str) -> None:
    assert await gaps(place) == []
    await as_owner(place, breaks)
    assert len(await gaps(place)) == 1
    with pytest.raises(SchemaMismatch, match="autoheal migrate"):
        await open_store(place, clock)
    await migrate(place.url)
    assert await gaps(place) == []
    await (await open_store(place, clock)).close()


@pytest.mark.parametrize("breaks", SQLITE_BREAKS)
async def test_a_gap_in_the_triggers_stops_the_start(sqlite_place: StorePlace, clock: Clock, breaks: str) -> None:
    await _is_noticed_and_mended(sqlite_place, clock, breaks)


@pytest.mark.parametrize("breaks", POSTGRESQL_BREAKS)
async def test_a_gap_in_the_policies_stops_the_start(postgres_place: StorePlace, clock: Clock, breaks: str) -> None:
    await _is_noticed_and_mended(postgres_place, clock, breaks)


async def test_a_table_that_a_migration_rebuilds_gets_its_triggers_back(sqlite_place: StorePlace) -> None:
    from alembic.migration import MigrationContext
    from alembic.operations import Operations

    def rebuild(connection: Connection) -> None:
        with Operations(MigrationContext.configure(connection)).batch_alter_table("notes", recreate="always") as batch:
            batch.alter_column("taken_turn", nullable=True)

    engine = create_engine(sqlite_place.url, pool_size=1)
    async with owning(engine).begin() as connection:
        await connection.run_sync(rebuild)
    await engine.dispose()
    assert len(await gaps(sqlite_place)) == 3
    await migrate(sqlite_place.url)
    assert await gaps(sqlite_place) == []


# PostgreSQL's roles


@pytest.mark.parametrize(
    ("breaks", "mends", "said"),
    [
        ("ALTER ROLE autoheal_app BYPASSRLS", "ALTER ROLE autoheal_app NOBYPASSRLS", "rights of its own"),
        ("ALTER ROLE autoheal_app SUPERUSER", "ALTER ROLE autoheal_app NOSUPERUSER", "rights of its own"),
        ("GRANT pg_read_all_data TO autoheal_app", "REVOKE pg_read_all_data FROM autoheal_app", "member of others"),
        ("CREATE TABLE t (x int); ALTER TABLE t OWNER TO autoheal_app", "DROP TABLE t", "owns tables"),
        ("CREATE VIEW v AS SELECT * FROM users; GRANT SELECT ON v TO autoheal_app", "DROP VIEW v", "select in v"),
    ],
)
async def test_what_only_an_administrator_can_mend_is_named(
    postgres_place: StorePlace, breaks: str, mends: str, said: str
) -> None:
    with psycopg.connect(postgres_place.url, autocommit=True) as administrator:
        administrator.execute(breaks.encode())
        try:
            assert any(said in gap for gap in await gaps(postgres_place))
            with pytest.raises(SchemaMismatch, match=said):
                await migrate(postgres_place.url)
        finally:
            administrator.execute(mends.encode())
    assert await gaps(postgres_place) == []


async def test_the_roles_reach_no_partition_and_no_view(postgres_place: StorePlace, clock: Clock) -> None:
    db = await open_store(postgres_place, clock)
    made = (
        "CREATE TABLE days (tenant_id uuid, at date) PARTITION BY RANGE (at)",
        "CREATE TABLE days_1 PARTITION OF days FOR VALUES FROM ('2026-01-01') TO ('2026-01-02')",
        "CREATE VIEW everybody AS SELECT * FROM users",
    )
    try:
        await as_owner(postgres_place, *made)
        assert await gaps(postgres_place) == []
        for role in (for_tenant(new_id()), DOOR_KEEPER, for_tenant(new_id(), erasing=True)):
            for name in ("days_1", "everybody", "data_keys"):
                with pytest.raises(DBAPIError, match="permission denied"):
                    async with raw(db, role) as connection:
                        await connection.execute(text(f"SELECT * FROM {name}"))  # noqa: S608 - three names
    finally:
        await as_owner(postgres_place, "DROP VIEW everybody", "DROP TABLE days")
        await db.close()


@pytest.fixture
def two_logins(postgres_server: str, tmp_path: Any) -> Iterator[tuple[StorePlace, StorePlace]]:
    """A database as the documentation advises: an owner that is no superuser, and a login that owns nothing."""
    roles = ", ".join(ROLES)
    with psycopg.connect(postgres_server, autocommit=True) as administrator:
        for statement in (
            *(f"DO $$ BEGIN CREATE ROLE {r} NOLOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$" for r in ROLES),
            "CREATE ROLE landlord LOGIN",
            "CREATE ROLE lodger LOGIN NOINHERIT",
            f"GRANT {roles} TO landlord, lodger",
            "CREATE DATABASE house OWNER landlord",
        ):
            administrator.execute(statement.encode())
        yield tuple(  # type: ignore[misc]  # two of them
            StorePlace(
                url=_as_login(postgres_server, login),
                keyring_url=f"sqlite:///{tmp_path}/keyring.db",
                key_file=tmp_path / "master.key",
            )
            for login in ("landlord", "lodger")
        )
        administrator.execute(b"DROP DATABASE house WITH (FORCE)")
        administrator.execute(f"REVOKE {roles} FROM landlord, lodger".encode())
        administrator.execute(b"DROP ROLE landlord, lodger")


def _as_login(server: str, login: str) -> str:
    head, _, query = server.partition("?")
    return f"postgresql://{login}:@/house?{query}" if head else ""


async def test_a_login_that_owns_nothing_serves(two_logins: tuple[StorePlace, StorePlace], clock: Clock) -> None:
    landlord, lodger = two_logins
    with pytest.raises(SchemaMismatch, match="autoheal migrate"):
        await open_store(lodger, clock)
    await migrate(landlord.url)
    await migrate(landlord.url)
    await migrate_keyring(landlord.keyring_url)
    db = await open_store(lodger, clock)
    tenants = [await seed_tenant(db, name) for name in ("Acme", "Globex")]
    for tenant_id in tenants:
        async with db.tenant(tenant_id) as s:
            assert len(await s.all(select(UserRow))) == 3
    assert [one.name for one in await list_tenants(db)] == ["Acme", "Globex"]
    everything = text("SELECT count(*) FROM users")
    with pytest.raises(DBAPIError, match="permission denied"):
        async with db._engine.connect() as connection:
            await connection.execute(everything)
    await db.close()
    engine = create_engine(landlord.url, pool_size=1)
    async with engine.connect() as connection:
        assert await connection.scalar(everything) == 0  # the owner, unless it says that it acts as one
    async with owning(engine).connect() as connection:
        assert await connection.scalar(everything) == 6
    await engine.dispose()


async def test_a_login_that_may_not_make_roles_says_what_to_run(postgres_server: str, tmp_path: Any) -> None:
    with psycopg.connect(postgres_server, autocommit=True) as administrator:
        administrator.execute(b"CREATE ROLE tenant_of_none LOGIN")
        administrator.execute(b"CREATE DATABASE house OWNER tenant_of_none")
        try:
            url = _as_login(postgres_server, "tenant_of_none")
            with pytest.raises(SchemaMismatch, match=r"GRANT .*TO tenant_of_none") as refused:
                await migrate(url)
            told_to = str(refused.value).partition("administrator to run ")[2].partition(" Then run")[0]
            administrator.execute(told_to.encode())
            await migrate(url)
        finally:
            administrator.execute(b"DROP DATABASE house WITH (FORCE)")
            administrator.execute(b"DROP ROLE tenant_of_none")


async def test_a_login_that_may_make_roles_makes_them_for_itself(postgres_server: str) -> None:
    """On a server of its own no role is there yet; here they may be, so the login is given the power over them."""
    with psycopg.connect(postgres_server, autocommit=True) as administrator:
        administrator.execute(b"CREATE ROLE steward LOGIN CREATEROLE")
        administrator.execute(b"CREATE DATABASE house OWNER steward")
        try:
            for role in ROLES:
                if administrator.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)).fetchone():
                    administrator.execute(f"GRANT {role} TO steward WITH ADMIN TRUE, INHERIT FALSE, SET FALSE".encode())
            await migrate(_as_login(postgres_server, "steward"))
        finally:
            administrator.execute(b"DROP DATABASE house WITH (FORCE)")
            administrator.execute(b"DROP OWNED BY steward CASCADE")
            administrator.execute(b"DROP ROLE steward")


async def test_a_tenant_is_made_through_the_door_and_seen_by_its_own_session(database: Database) -> None:
    tenant_id = await create_tenant(database, name="Acme")
    async with raw(database, for_tenant(tenant_id)) as connection:
        seen = await connection.execute(text("SELECT count(*) FROM tenants"))
        assert seen.scalar() == 1
