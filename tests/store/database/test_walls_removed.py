"""Each guard between tenants is taken away in turn, and what it alone had kept apart comes together.

A guard whose removal nothing notices is either not needed or not tested. The other walls are taken down before, because
they would hide the gap.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import bindparam, delete, event, func, insert, select, text, true, update
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import Session, with_loader_criteria

from store.audit import SYSTEM, record
from store.database import isolation, tenant_head
from store.database.isolation import CHECKED_INSERT, BoundSession
from store.database.schema import AuditRow, Base, Owned, TenantHeadRow, UserRow
from store.database.session import Database, TenantSession
from store.database.walls import sqlite
from store.database.walls.acting import acting, for_tenant
from store.database.walls.walled import Walled, walled_tables
from store.errors import CorruptEnvelope, CrossTenantWrite, RefusedStatement
from store.ids import TenantId, new_id
from store.keys import vault
from store.keys.vault import DataKey, DataKeys, SealedPlace
from tests.conftest import past_the_walls
from tests.store.one_of_each import SHARED_ID, a_row, one_of_each, plain

TwoTenants = tuple[TenantId, TenantId]
USERS: Any = UserRow.__table__
HEADS: Any = TenantHeadRow.__table__
REFUSED = ("tenant wall refuses", "row-level security", "permission denied")


async def fill(database: Database, tenants: TwoTenants) -> None:
    async with past_the_walls(database) as owner:
        for mark, tenant_id in zip(("a", "b"), tenants, strict=True):
            await owner.run_sync(one_of_each, tenant_id, mark)


# The first wall


async def sees_all(s: TenantSession, _theirs: TenantId) -> bool:
    return len(await s.all(select(UserRow))) > 3


async def counts_all(s: TenantSession, _theirs: TenantId) -> bool:
    everybody = select(func.count()).select_from(USERS).correlate(None).scalar_subquery()
    return bool((await s._session.execute(select(UserRow.id, everybody))).all()[0][1] > 3)


async def reads_text(s: TenantSession, _theirs: TenantId) -> bool:
    return len(await s.all(select(UserRow).where(text("1=1 OR 1=1")))) > 3


async def runs_sql(s: TenantSession, _theirs: TenantId) -> bool:
    return int((await s._session.execute(text("SELECT count(*) FROM users"))).scalar_one()) > 3


async def takes_the_connection(s: TenantSession, _theirs: TenantId) -> bool:
    found = await s._session.run_sync(lambda own: own.connection().execute(text("SELECT count(*) FROM users")).scalar())
    return int(found or 0) > 3


def a_user(s: TenantSession, tenant_id: str) -> dict[str, Any]:
    now = s.now()
    own = {"tenant_id": tenant_id, "id": new_id(), "slack_user_id": "UX", "role": "admin"}
    return own | {"created_at": now, "role_changed_at": now}


async def adds_theirs(s: TenantSession, theirs: TenantId) -> bool:
    await s.insert(UserRow(**a_user(s, theirs)))
    return True


async def adds_theirs_in_bulk(s: TenantSession, theirs: TenantId) -> bool:
    statement = sqlite_insert(UserRow).values([a_user(s, theirs)])
    await s._session.execute(statement, execution_options={CHECKED_INSERT: True})
    return True


async def gives_away(s: TenantSession, theirs: TenantId) -> bool:
    given = {"tenant_id": theirs, "id": new_id(), "slack_user_id": "UX"}
    return await s.update(UserRow, UserRow.slack_user_id == "U0VIEWER", values=given) > 0


async def links_theirs(s: TenantSession, theirs: TenantId) -> bool:
    """An entry of ours moves the head of their chain."""
    await record(s, actor=SYSTEM, action="agent.tool.called", target="x")
    moved = select(HEADS.c.audit_sequence).where(HEADS.c.tenant_id == theirs)
    return bool(await s._session.run_sync(lambda own: Session.connection(own).execute(moved).scalar_one()) == 1)


async def rewrites_history(s: TenantSession, _theirs: TenantId) -> bool:
    await record(s, actor=SYSTEM, action="agent.tool.called", target="x")
    return await s.delete(AuditRow) > 0


Probe = Callable[[TenantSession, TenantId], Awaitable[bool]]
Removal = Callable[[pytest.MonkeyPatch], None]


def without(name: str, instead: Any = lambda *_: None) -> Removal:
    return lambda patch: patch.setattr(isolation, name, instead)


def deaf(patch: pytest.MonkeyPatch, name: str, listener: Any) -> None:
    event.remove(BoundSession, name, listener)
    patch.setattr(isolation, "_removed", (name, listener), raising=False)


FIRST_WALL: dict[str, tuple[Removal, Probe]] = {
    "loader criteria": (
        without("with_loader_criteria", lambda *_, **__: with_loader_criteria(Owned, lambda _: true())),
        sees_all,
    ),
    "refusal of unbound statements": (without("_refuse_unfiltered"), counts_all),
    "refusal of bare sources": (without("_refuse_bare_sources"), counts_all),
    "refusal of text": (without("_refuse_text"), reads_text),
    "the guard of statements": (lambda p: deaf(p, "do_orm_execute", isolation._guard_statement), runs_sql),
    "no raw connection": (lambda p: p.setattr(BoundSession, "connection", Session.connection), takes_the_connection),
    "the guard of flushes": (lambda p: deaf(p, "before_flush", isolation._guard_flush), adds_theirs),
    "the check of inserts": (without("_check_inserted"), adds_theirs_in_bulk),
    "refusal to change the tenant": (without("_refuse_rewrites"), gives_away),
    "the tenant of fixed statements": (
        lambda p: p.setattr(tenant_head, "_MOVE", update(HEADS).values(audit_sequence=bindparam("new_sequence"))),
        links_theirs,
    ),
    "append-only tables": (without("_refuse_rewrites"), rewrites_history),
}


async def breached(database: Database, tenants: TwoTenants, probe: Probe) -> bool:
    class Undo(Exception):
        pass

    outcome = False
    try:
        async with database.tenant(tenants[0]) as s:
            outcome = await probe(s, tenants[1])
            s._session.expunge_all()
            raise Undo  # noqa: TRY301 - what the probe did is undone
    except (Undo, RefusedStatement, CrossTenantWrite):
        return outcome


@pytest.mark.parametrize("guard", FIRST_WALL)
async def test_each_guard_of_the_session_is_needed(
    sqlite_database: Database, two_tenants: TwoTenants, monkeypatch: pytest.MonkeyPatch, guard: str
) -> None:
    remove, probe = FIRST_WALL[guard]
    async with past_the_walls(sqlite_database) as owner:
        for trigger in sqlite.triggers():
            await owner.execute(text(f"DROP TRIGGER {trigger}"))
    assert not await breached(sqlite_database, two_tenants, probe)
    remove(monkeypatch)
    try:
        assert await breached(sqlite_database, two_tenants, probe)
    finally:
        if lost := getattr(isolation, "_removed", None):
            event.listen(BoundSession, *lost)
    monkeypatch.undo()
    assert not await breached(sqlite_database, two_tenants, probe)


# The second wall


@dataclass(frozen=True, kw_only=True)
class Attack:
    """What a tenant's transaction tries at a table's rows of another tenant."""

    insert: Any
    update: Any
    delete: Any
    select: Any


def attack(walled: Walled, theirs: str) -> Attack:
    table = plain(Base.metadata.tables[walled.table])
    whose = table.c[walled.column or "id"] == theirs
    row = a_row(table, "c", text="y", number=2)
    owner = {} if walled.column == "id" else {"tenant_id": theirs}
    same = next(column for column in table.columns if column.name not in ("tenant_id", "id"))
    return Attack(
        insert=insert(table).values(id=new_id(), **owner, **row),
        update=update(table).where(whose).values({same.name: same}),
        delete=delete(table).where(whose),
        select=select(table).where(whose),
    )


async def through(connection: AsyncConnection, statement: Any) -> bool:
    """Whether the wall let it pass, though a constraint behind the wall may have stopped it."""
    try:
        async with connection.begin_nested():
            result = await connection.execute(statement)
            return bool(result.all()) if result.returns_rows else result.rowcount != 0
    except DBAPIError as exc:
        return not any(part in str(exc) for part in REFUSED)


async def test_each_trigger_is_needed(sqlite_database: Database, two_tenants: TwoTenants) -> None:
    await fill(sqlite_database, two_tenants)
    mine, theirs = two_tenants
    async with acting(sqlite_database._engine, for_tenant(mine)).begin() as connection:
        for walled in walled_tables():
            tried = attack(walled, theirs)
            for verb in ("insert", "update", "delete"):
                statement, name = getattr(tried, verb), f"wall_{walled.table}_{verb}"
                assert not await through(connection, statement), name
                savepoint = await connection.begin_nested()
                await connection.execute(text(f"DROP TRIGGER {name}"))
                assert await through(connection, statement), name
                await savepoint.rollback()


OPENED = "ALTER POLICY autoheal_app ON {table} USING (true) WITH CHECK (true)"
UNLOCKED = "ALTER TABLE {table} DISABLE ROW LEVEL SECURITY"


async def _as_tenant(connection: AsyncConnection, tenant_id: str) -> None:
    await connection.execute(
        text("SELECT set_config('role', 'autoheal_app', true), set_config('app.tenant_id', :tenant, true)"),
        {"tenant": tenant_id},
    )


@pytest.fixture
async def postgres_database(postgres_place: Any, clock: Any) -> Any:
    from tests.conftest import open_store

    db = await open_store(postgres_place, clock)
    yield db
    await db.close()


async def _tenants(database: Database) -> TwoTenants:
    from tests.conftest import seed_tenant

    return await seed_tenant(database, "Acme"), await seed_tenant(database, "Globex")


async def test_each_policy_is_needed(postgres_database: Database) -> None:
    mine, theirs = tenants = await _tenants(postgres_database)
    await fill(postgres_database, tenants)
    async with past_the_walls(postgres_database) as connection:
        for walled in (one for one in walled_tables() if one.column is not None):
            tried = attack(walled, theirs)
            verbs = [verb for verb in ("select", "insert", "update", "delete") if verb in walled.app]
            for removal in (None, OPENED, UNLOCKED):
                savepoint = await connection.begin_nested()
                if removal:
                    await connection.execute(text(removal.format(table=walled.table)))
                await _as_tenant(connection, mine)
                for verb in verbs:
                    passed = await through(connection, getattr(tried, verb))
                    assert passed == (removal is not None), (walled.table, verb, removal)
                await savepoint.rollback()


async def test_grants_alone_keep_history_as_it_is(postgres_database: Database) -> None:
    mine, _ = tenants = await _tenants(postgres_database)
    await fill(postgres_database, tenants)
    own = update(AuditRow.__table__).values(target="y")  # type: ignore[arg-type]
    async with past_the_walls(postgres_database) as connection:
        for granted in (False, True):
            savepoint = await connection.begin_nested()
            if granted:
                await connection.execute(text("GRANT UPDATE ON audit TO autoheal_app"))
            await _as_tenant(connection, mine)
            assert await through(connection, own) == granted
            await savepoint.rollback()


async def test_a_granted_partition_shows_everybody(postgres_database: Database) -> None:
    """Why nothing is granted on partitions: the parent's policy does not hold there."""
    mine, theirs = await _tenants(postgres_database)
    async with past_the_walls(postgres_database) as connection:
        for statement in (
            "CREATE TABLE d (tenant_id uuid, at date) PARTITION BY RANGE (at)",
            "CREATE TABLE d_1 PARTITION OF d FOR VALUES FROM ('2026-01-01') TO ('2026-01-02')",
            f"INSERT INTO d VALUES ('{theirs}', '2026-01-01')",  # noqa: S608 - an id of ours
            "ALTER TABLE d ENABLE ROW LEVEL SECURITY",
            "CREATE POLICY p ON d USING (tenant_id = current_setting('app.tenant_id')::uuid)",
            "GRANT SELECT ON d TO autoheal_app",
        ):
            await connection.execute(text(statement))
        for granted in (False, True):
            savepoint = await connection.begin_nested()
            if granted:
                await connection.execute(text("GRANT SELECT ON d_1 TO autoheal_app"))
            await _as_tenant(connection, mine)
            assert not await through(connection, text("SELECT * FROM d"))
            assert await through(connection, text("SELECT * FROM d_1")) == granted
            await savepoint.rollback()
        await connection.execute(text("DROP TABLE d"))


# What stands behind both


@pytest.mark.parametrize("pragma", ["recursive_triggers", "foreign_keys"])
async def test_each_setting_of_sqlite_is_needed(
    sqlite_database: Database, two_tenants: TwoTenants, pragma: str
) -> None:
    await fill(sqlite_database, two_tenants)
    mine, theirs = two_tenants
    if pragma == "recursive_triggers":
        installs = plain(Base.metadata.tables["slack_installs"])
        statement: Any = insert(installs).prefix_with("OR REPLACE")
        statement = statement.values(tenant_id=mine, id=new_id(), **a_row(installs, "b"))
    else:
        notes = plain(Base.metadata.tables["notes"])
        async with past_the_walls(sqlite_database) as owner:
            await owner.execute(text("PRAGMA defer_foreign_keys=ON"))
            await owner.execute(text("UPDATE notes SET id = id"))
        row = a_row(notes, "c") | {"investigation_id": await _their_own(sqlite_database, theirs)}
        statement = insert(notes).values(tenant_id=mine, id=new_id(), **row)
    for setting in ("ON", "OFF"):
        async with acting(sqlite_database._engine, for_tenant(mine)).connect() as connection:
            raw: Any = await connection.get_raw_connection()
            await raw.driver_connection.execute(f"PRAGMA {pragma}={setting}")
            async with connection.begin() as transaction:
                try:
                    result = await connection.execute(statement)
                    done = result.rowcount > 0
                except DBAPIError:
                    done = False
                await transaction.rollback()
            await raw.driver_connection.execute(f"PRAGMA {pragma}=ON")
        assert done == (setting == "OFF")


async def _their_own(database: Database, theirs: str) -> str:
    """The id of an investigation that only the other tenant has."""
    investigations = plain(Base.metadata.tables["investigations"])
    found = new_id()
    async with past_the_walls(database) as owner:
        await owner.execute(insert(investigations).values(tenant_id=theirs, id=found, **a_row(investigations, "d")))
    return found


PLACE = {"tenant_id": new_id(), "table": "notes", "column": "text", "row_id": SHARED_ID}


@pytest.mark.parametrize("part", PLACE)
def test_each_part_of_a_ciphertexts_place_is_needed(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    key = DataKey(dek_id=new_id(), secret=bytes(32))
    keys = DataKeys(current=key, by_id={key.dek_id: key})
    here, elsewhere = SealedPlace(**PLACE), SealedPlace(**(PLACE | {part: new_id()}))
    with pytest.raises(CorruptEnvelope):
        vault.unseal(keys, elsewhere, vault.seal(key, here, b"theirs"))
    bind = vault._associated

    def careless(place: SealedPlace, dek_id: bytes) -> bytes:
        return bind(SealedPlace(**(PLACE | {name: getattr(place, name) for name in PLACE if name != part})), dek_id)

    monkeypatch.setattr(vault, "_associated", careless)
    assert vault.unseal(keys, elsewhere, vault.seal(key, here, b"theirs")) == b"theirs"
