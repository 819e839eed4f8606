"""A tenant that leaves: stopped at once, back within seven days, gone after; the others do not notice."""

import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from store import audit
from store.audit import events
from store.audit.event_days import EventDays, open_event_days
from store.audit.event_relay import relay
from store.database.engine import create_engine
from store.database.keyring import Keyring
from store.database.migrations import migrate
from store.database.schema import Base, Owned
from store.database.session import Database
from store.database.walls.acting import owning
from store.errors import (
    KeyAccessDenied,
    KeyServiceUnreachable,
    NoShredLedger,
    StoreError,
    TenantFrozen,
    UnknownKey,
    UnknownTenant,
    WrongMasterKey,
)
from store.ids import ApprovalId, TenantId, new_id
from store.inbox import Arrival, Inbox, pending
from store.incidents import approvals, investigations
from store.keys.local_keys import LocalFileKeys
from store.people.users import Role, ensure_user
from store.secrets.redaction import Secret
from store.tenancy.connections import save_connection
from store.tenancy.tenants import SlackInstall, find_tenant, list_tenants, load_install, save_install, tenant_for_slack
from store.upkeep import erasure
from store.upkeep.erasure import FREEZE_FOR, close, deletion_order, due, freeze, restore
from tests.conftest import open_store, past_the_walls, seed_tenant

SLACK = audit.Actor(type="system", id="slack")
OPERATOR = audit.Actor(type="system", id="operator")


@pytest.fixture
async def database(store_place: Any, clock: Any, tmp_path: Path) -> AsyncIterator[Database]:
    """With a ledger, which the shared fixture has on SQLite only."""
    db = await Database.open(
        store_place.url,
        keyring_url=store_place.keyring_url,
        keys=LocalFileKeys(store_place.key_file),
        clock=clock,
        ledger=tmp_path / "apart" / "ledger.jsonl",
    )
    yield db
    await db.close()


@pytest.fixture
async def days(store_place: Any, clock: Any) -> AsyncIterator[EventDays]:
    opened = open_event_days(store_place.url, clock=clock)
    yield opened
    await opened.close()


def install(db: Database, team: str, token: str) -> SlackInstall:
    return SlackInstall(
        enterprise_id=None,
        team_id=team,
        is_enterprise_install=False,
        app_id="A0APP",
        bot_user_id="U0BOT",
        bot_token=Secret(token),
        installer_slack_id="U0ADMIN",
        scopes=("chat:write",),
        installed_at=db.now(),
    )


@pytest.fixture
async def busy(database: Database, case: Any, two_tenants: Any) -> Any:
    """The case, with an installation, a connection, a running investigation, two proposals (one undoes the other) and
    an arrival; the other tenant has an installation, too.
    """
    for tenant, team in zip(two_tenants, ("T0ACME", "T0GLOBEX"), strict=True):
        async with database.tenant(tenant) as s:
            await save_install(s, install(database, team, f"xoxb-token-of-{team}"))
            await save_connection(s, connector="git", config={}, credentials={"token": Secret(f"hunter2-of-{team}")})
            await events.emit(s, "ai.autoheal.app.installed.v1", "slack")
            await audit.record(s, actor=audit.SYSTEM, action="system.app.installed", target="slack")
    async with database.tenant(case.tenant_id) as s:
        await investigations.set_status(s, case.investigation_id, "running")
        first = ApprovalId(new_id())
        for approval, undone in ((first, None), (ApprovalId(new_id()), first)):
            await approvals.propose(
                s,
                id=approval,
                incident_id=case.incident_id,
                investigation_id=case.investigation_id,
                remediation="rollback_deployment",
                plan={"title": "t"},
                target="checkout",
                target_version="1",
                risk="medium",
                expires_at=s.now() + timedelta(hours=1),
                preview_read_at=s.now(),
                undo_of=undone,
            )
        await approvals.advance(
            s, first, to=approvals.ApprovalState.APPLYING, expect=[approvals.ApprovalState.PROPOSED]
        )
    arrival = Arrival(source="slack", external_id="Ev1", kind="mention", payload={"text": "hello"})
    await Inbox(database).record(case.tenant_id, arrival)
    return case


async def everything(db: Database, tenant: str, place: Any) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of a tenant, byte for byte, past the walls."""
    found = {}
    engine = create_engine(place.url, pool_size=1)
    async with owning(engine).connect() as connection:
        for table in Base.metadata.sorted_tables:
            if "tenant_id" in table.columns:
                rows = await connection.execute(table.select().where(table.c.tenant_id == tenant))
                if named := sorted((tuple(row) for row in rows), key=repr):
                    found[table.name] = named
    await engine.dispose()
    return found


async def test_freezing_stops_everything_at_once_and_refuses_sessions(
    database: Database, busy: Any, two_tenants: Any, store_place: Any, clock: Any
) -> None:
    tenant, other = two_tenants
    before = await everything(database, other, store_place)
    assert await freeze(database, tenant, actor=SLACK)
    assert not await freeze(database, tenant, actor=SLACK), "told twice, done once"
    for readonly in (True, False):
        with pytest.raises(TenantFrozen, match="frozen"):
            async with database.tenant(tenant, readonly=readonly):
                pass
    async with database.tenant(tenant, readonly=True, frozen_too=True) as s:
        left = await load_install(s)
        assert left is not None
        assert (left.bot_token.reveal(), left.scopes) == ("", ())
        run = await investigations.investigation(s, busy.investigation_id)
        assert run is not None
        assert run.status == "stopped"
        assert await investigations.stop_requested(s, busy.investigation_id)
        states = {found.state for found in await approvals.approvals_of_incident(s, busy.incident_id)}
        assert states == {"cancelled", "unknown"}
        actions = [entry.action for entry in await audit.trail(s)]
        assert {"slack.app.uninstalled", "slack.tenant.frozen", "slack.approval.cancelled"} <= set(actions)
        assert (await audit.verify(s)).ok
    assert await pending(database, timedelta(0)) == []
    assert await tenant_for_slack(database, enterprise_id=None, team_id="T0ACME") is None
    known = await find_tenant(database, tenant)
    assert known is not None
    assert (known.status, known.frozen_at, known.closes_at) == ("frozen", clock(), clock() + FREEZE_FOR)
    assert [one.id for one in await list_tenants(database)] == [other]
    assert await everything(database, other, store_place) == before


async def test_a_reinstall_within_seven_days_brings_everything_back(
    database: Database, busy: Any, two_tenants: Any, clock: Any
) -> None:
    tenant, _ = two_tenants
    await freeze(database, tenant, actor=SLACK)
    clock.advance(FREEZE_FOR - timedelta(seconds=1))
    assert await due(database) == []
    with pytest.raises(TenantFrozen, match="until"):
        await close(database, tenant, actor=audit.SYSTEM, days=None)
    assert await tenant_for_slack(database, enterprise_id=None, team_id="T0ACME", frozen_too=True) == tenant
    assert await restore(database, tenant)
    assert not await restore(database, tenant)
    async with database.tenant(tenant) as s:
        await save_install(s, install(database, "T0ACME", "xoxb-second-token"))
        assert await investigations.investigation(s, busy.investigation_id) is not None
        assert (await audit.trail(s))[-1].action == "system.tenant.restored"
    clock.advance(FREEZE_FOR)
    assert await due(database) == []


async def test_after_seven_days_all_of_it_is_gone_and_the_other_tenant_is_byte_for_byte_the_same(  # noqa: PLR0917 -- fixtures
    database: Database,
    busy: Any,
    two_tenants: Any,
    clock: Any,
    store_place: Any,
    days: EventDays,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(erasure, "BATCH", 3)
    tenant, other = two_tenants
    await relay(database, days)
    await freeze(database, tenant, actor=SLACK)
    before = await everything(database, other, store_place)
    clock.advance(FREEZE_FOR)
    (one,) = await due(database)
    closed = await close(database, one.id, actor=audit.SYSTEM, days=days)
    assert (closed.tenant_id, closed.keys) == (tenant, 1)
    assert closed.rows["approvals"] == 2
    assert closed.events > 0
    assert await everything(database, tenant, store_place) == {}
    assert await everything(database, other, store_place) == before
    since = clock() - timedelta(days=30)
    assert await days.query(tenant, since, clock() + timedelta(days=1), limit=10) == []
    assert await days.query(other, since, clock() + timedelta(days=1), limit=10)
    tomb = await find_tenant(database, tenant)
    assert tomb is not None
    assert (tomb.status, tomb.name, tomb.closed_at) == ("closed", "", clock())
    with pytest.raises(UnknownTenant):
        async with database.tenant(tenant, frozen_too=True):
            pass
    with pytest.raises(TenantFrozen, match="cannot come back"):
        await restore(database, tenant)
    assert (await close(database, tenant, actor=audit.SYSTEM, days=days, now=True)).rows == {}
    assert [found.id for found in await due(database)] == [tenant], "looked at once more"
    clock.advance(timedelta(days=1))
    assert await due(database) == []
    async with database.tenant(other) as s:
        assert (await audit.verify(s)).ok


async def test_the_operator_can_close_at_once(
    database: Database, busy: Any, two_tenants: Any, store_place: Any
) -> None:
    tenant, _ = two_tenants
    with pytest.raises(TenantFrozen):
        await close(database, tenant, actor=OPERATOR, days=None)
    closed = await close(database, tenant, actor=OPERATOR, days=None, now=True)
    assert closed.rows["audit"] > 0
    assert await everything(database, tenant, store_place) == {}
    with pytest.raises(UnknownTenant):
        await close(database, new_id(), actor=OPERATOR, days=None, now=True)  # type: ignore[arg-type] # never a tenant


async def _spoil(database: Database, tenant: TenantId, how: str, place: Any) -> None:
    """Nothing of the tenant can be read from here on."""
    table = Base.metadata.tables["connections"]
    envelope = table.c.credentials
    async with past_the_walls(database) as connection:
        found = (await connection.execute(select(envelope).where(table.c.tenant_id == tenant))).scalar_one()
        spoiled = {
            "a changed credential": found[:-1] + bytes([found[-1] ^ 1]),
            "no envelope at all": b"AH1",
            "a key that is gone": found[:3] + bytes(16) + found[19:],
        }.get(how, found)
        await connection.execute(update(table).where(table.c.tenant_id == tenant).values(credentials=spoiled))
    if how == "a lost master key":
        place.key_file.unlink()


@pytest.mark.parametrize("status", ["active", "frozen"])
@pytest.mark.parametrize(
    ("how", "error"),
    [
        ("a changed credential", None),
        ("no envelope at all", None),
        ("a key that is gone", UnknownKey),
        ("a lost master key", WrongMasterKey),
    ],
)
async def test_what_can_never_be_read_again_does_not_hinder_its_destruction(  # noqa: PLR0917 -- fixtures
    sqlite_place: Any,
    clock: Any,
    how: str,
    error: type[StoreError] | None,
    status: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    db = await open_store(sqlite_place, clock)
    tenant, other = await seed_tenant(db, "Acme"), await seed_tenant(db, "Globex")
    async with db.tenant(tenant) as s:
        await save_connection(s, connector="git", config={}, credentials={"token": Secret("hunter2-of-acme")})
    if status == "frozen":
        await freeze(db, tenant, actor=SLACK)
        clock.advance(FREEZE_FOR)
    await _spoil(db, tenant, how, sqlite_place)
    await db.close()
    db = await open_store(sqlite_place, clock)  # another process: it remembers no key and no redactor
    with nullcontext() if error is None else pytest.raises(error):
        async with db.tenant(tenant, frozen_too=True):
            pass
    closed = await close(db, tenant, actor=OPERATOR, days=None, now=status == "active")
    assert closed.keys == 1
    assert closed.rows["connections"] == 1
    assert error is None or error.__name__ in {getattr(record, "kind", None) for record in caplog.records}
    assert await everything(db, tenant, sqlite_place) == {}
    assert await everything(db, other, sqlite_place)
    tomb = await find_tenant(db, tenant)
    assert tomb is not None
    assert tomb.status == "closed"
    await db.close()


class Away(LocalFileKeys):
    """A key service that does not answer for a while."""

    error: StoreError | None = None

    async def unwrap(self, wrapped: bytes, *, context: Mapping[str, str]) -> bytes:
        if self.error is not None:
            raise self.error
        return await super().unwrap(wrapped, context=context)


@pytest.mark.parametrize("error", [KeyServiceUnreachable("away"), KeyAccessDenied("refused")])
async def test_a_closing_waits_for_a_key_service_that_comes_back(
    sqlite_place: Any, clock: Any, error: StoreError
) -> None:
    keys = Away(sqlite_place.key_file)
    db = await Database.open(sqlite_place.url, keyring_url=sqlite_place.keyring_url, keys=keys, clock=clock)
    tenant = await seed_tenant(db, "Acme")
    await freeze(db, tenant, actor=SLACK)
    clock.advance(FREEZE_FOR)
    keys.error = error
    with pytest.raises(type(error)):
        await close(db, tenant, actor=audit.SYSTEM, days=None)
    assert [one.id for one in await due(db)] == [tenant], "tried again at the next run"
    keys.error = None
    assert (await close(db, tenant, actor=audit.SYSTEM, days=None)).keys == 1
    await db.close()


@pytest.mark.parametrize(
    "where",
    [
        "_apply",
        "_delete_batch",
        pytest.param("_delete_rows", marks=pytest.mark.slow),
        pytest.param("_leave_tombstone", marks=pytest.mark.slow),
    ],
)
async def test_closing_goes_on_after_a_crash_anywhere(  # noqa: PLR0917 -- fixtures
    database: Database, busy: Any, two_tenants: Any, store_place: Any, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    tenant, _ = two_tenants
    holder: Any = Keyring if where == "_apply" else erasure
    real, calls = getattr(holder, where), 0

    async def dying(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == (9 if where == "_delete_batch" else 1):
            raise KeyboardInterrupt
        return await real(*arguments, **named)

    await database.keyring.admit()
    with monkeypatch.context() as patch:
        patch.setattr(holder, where, dying)
        with pytest.raises(KeyboardInterrupt):
            await close(database, tenant, actor=OPERATOR, days=None, now=True)
    with pytest.raises((TenantFrozen, UnknownTenant)):
        async with database.tenant(tenant):
            pass
    (one,) = await due(database)
    await close(database, one.id, actor=audit.SYSTEM, days=None)
    assert await everything(database, tenant, store_place) == {}
    tomb = await find_tenant(database, tenant)
    assert tomb is not None
    assert tomb.status == "closed"


async def test_a_restored_backup_of_a_closed_tenant_cannot_be_read(
    sqlite_place: Any, clock: Any, tmp_path: Path
) -> None:
    folder, ledger = Path(sqlite_place.url.removeprefix("sqlite:///")).parent, tmp_path / "apart" / "ledger.jsonl"

    async def opened() -> Database:
        keys = LocalFileKeys(sqlite_place.key_file)
        return await Database.open(
            sqlite_place.url, keyring_url=sqlite_place.keyring_url, keys=keys, clock=clock, ledger=ledger
        )

    db = await opened()
    tenant, other = await seed_tenant(db, "Acme"), await seed_tenant(db, "Globex")
    async with db.tenant(tenant) as s:
        await save_connection(s, connector="git", config={}, credentials={"token": Secret("hunter2-of-acme")})
    await db.close()
    shutil.copytree(folder, tmp_path / "backup")
    db = await opened()
    await close(db, tenant, actor=OPERATOR, days=None, now=True)
    await db.close()
    shutil.rmtree(folder)
    shutil.copytree(tmp_path / "backup", folder)
    await migrate(sqlite_place.url)
    db = await opened()
    with pytest.raises(UnknownTenant):
        async with db.tenant(tenant):
            pass
    async with db.tenant(other, readonly=True) as s:
        assert s.tenant_id == other
    await db.close()
    ledger.unlink()
    db = await opened()
    with pytest.raises(NoShredLedger):
        async with db.tenant(other):
            pass
    await db.close()


async def test_words_of_a_closed_tenant_are_not_left_in_the_files(sqlite_place: Any, clock: Any) -> None:
    db = await open_store(sqlite_place, clock)
    tenant = await seed_tenant(db, "VerySpecificName")
    async with db.tenant(tenant) as s:
        await ensure_user(s, slack_user_id="U0VERYSPECIFIC", role=Role.MEMBER)
    folder = Path(sqlite_place.url.removeprefix("sqlite:///")).parent
    words = (b"U0VERYSPECIFIC", b"VerySpecificName")
    assert any(word in path.read_bytes() for word in words for path in folder.glob("store.db*"))
    await close(db, tenant, actor=OPERATOR, days=None, now=True)
    await db.close()
    assert not [(path.name, word) for word in words for path in folder.glob("store.db*") if word in path.read_bytes()]


def test_every_table_of_a_tenant_is_deleted() -> None:
    owned = {mapper.class_ for mapper in Base.registry.mappers if issubclass(mapper.class_, Owned)}
    assert set(deletion_order()) == owned
    assert len(list(deletion_order())) == len(owned)
