"""Backups come back whole, or not at all."""

import os
import re
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic.runtime.environment import EnvironmentContext
from sqlalchemy import Connection

from store.audit import events
from store.audit.event_days import open_event_days
from store.audit.event_relay import relay
from store.database import migrations
from store.database.engine import create_engine, parse_url
from store.database.session import Database
from store.database.walls.acting import owning
from store.database.walls.postgresql import ROLES
from store.errors import (
    BadBackup,
    MissingProgram,
    NoShredLedger,
    NotFound,
    RestoreRefused,
    UnknownTenant,
    WrongMasterKey,
)
from store.ids import TenantId, new_id
from store.keys.local_keys import LocalFileKeys
from store.keys.shredding import ShredLedger
from store.people import users
from store.tenancy.tenants import list_tenants
from store.upkeep.backups import KEEP_FOR, Backups, DeploymentData, restore
from store.upkeep.backups.postgresql import Programs
from store.upkeep.backups.sealed_file import SealedReader, SealedWriter, require_undamaged
from tests.conftest import Clock, StorePlace, postgres_programs, seed_tenant

_ALL = "SELECT * FROM {}"
Rows = dict[str, list[tuple[Any, ...]]]


def place_of(found: StorePlace, ledger: Path | ShredLedger, work: Path) -> DeploymentData:
    work.mkdir(exist_ok=True)
    return DeploymentData(
        content_url=found.url,
        keyring_url=found.keyring_url,
        ledger=ledger if isinstance(ledger, ShredLedger) else ShredLedger(ledger),
        work=work,
        programs=postgres_programs(),
        transient_schemas=("dbos",),
    )


def rows_of(found: StorePlace) -> Rows:
    """Every row of both databases, past all walls."""
    if found.url.startswith("sqlite"):
        rows: Rows = {}
        for url in (found.url, found.keyring_url):
            with sqlite3.connect(str(parse_url(url).database)) as lite:
                tables = lite.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
                rows |= {name: sorted(lite.execute(_ALL.format(name)), key=repr) for (name,) in tables}
        return rows
    with psycopg.connect(found.url) as full:
        names = full.execute(
            "SELECT relnamespace::regnamespace || '.' || relname FROM pg_class WHERE relkind = 'r' AND relnamespace IN "
            "('public'::regnamespace, to_regnamespace('autoheal_events'))"
        ).fetchall()
        return {name: sorted(full.execute(_ALL.format(name).encode()).fetchall(), key=repr) for (name,) in names}


@pytest.fixture
def ledger(store_place: StorePlace, tmp_path: Path) -> Path:
    if store_place.url.startswith("sqlite"):
        return Path(str(parse_url(store_place.keyring_url).database)).with_name("shred-ledger.jsonl")
    return tmp_path / "ledger" / "shred-ledger.jsonl"


@pytest.fixture
async def db(store_place: StorePlace, ledger: Path, clock: Clock) -> Any:
    opened = await Database.open(
        store_place.url,
        keyring_url=store_place.keyring_url,
        keys=LocalFileKeys(store_place.key_file),
        ledger=ledger,
        clock=clock,
    )
    yield opened
    await opened.close()


@pytest.fixture
def backups(store_place: StorePlace, ledger: Path, clock: Clock, tmp_path: Path) -> Backups:
    place = place_of(store_place, ledger, tmp_path / "work")
    return Backups(place, tmp_path / "backups", LocalFileKeys(store_place.key_file), clock)


@pytest.fixture
def elsewhere(store_place: StorePlace, tmp_path: Path, request: pytest.FixtureRequest) -> Any:
    """An empty place of the same kind."""
    if store_place.url.startswith("sqlite"):
        folder = tmp_path / "elsewhere"
        yield replace(
            store_place, url=f"sqlite:///{folder / 'store.db'}", keyring_url=f"sqlite:///{folder / 'keyring.db'}"
        )
        return
    server = request.getfixturevalue("postgres_server")
    base, _, query = server.partition("?")
    url = f"{base.rsplit('/', 1)[0]}/elsewhere?{query}"
    with psycopg.connect(server, autocommit=True) as full:
        full.execute("CREATE DATABASE elsewhere")
    yield replace(store_place, url=url, keyring_url=url)
    with psycopg.connect(server, autocommit=True) as full:
        full.execute("DROP DATABASE elsewhere WITH (FORCE)")


async def admin_of(db: Database, tenant_id: TenantId) -> str | None:
    async with db.tenant(tenant_id, readonly=True) as s:
        found = await users.user_by_slack(s, "U0ADMIN")
        return None if found is None else found.role


async def test_what_was_backed_up_comes_back_row_by_row_in_a_new_place(
    db: Database, backups: Backups, store_place: StorePlace, elsewhere: StorePlace, tmp_path: Path
) -> None:
    acme, globex = await seed_tenant(db, "Acme"), await seed_tenant(db, "Globex")
    before = rows_of(store_place)
    made = await backups.create()
    await seed_tenant(db, "Later")
    await db.keyring.shred(globex)
    assert rows_of(store_place) != before

    there = Backups(
        place_of(elsewhere, backups.place.ledger, tmp_path / "there"), backups.folder, backups.masters, backups.clock
    )
    restored = await restore(there, await there.find(made.id))

    after = rows_of(elsewhere)
    keys = next(name for name in before if name.endswith("data_keys"))
    marks = keys.replace("data_keys", "shred_mark")
    assert {name: rows for name, rows in after.items() if name not in (keys, marks)} == {
        name: rows for name, rows in before.items() if name not in (keys, marks)
    }
    assert restored.shredded == 1
    assert restored.set_aside is None
    reopened = await Database.open(
        elsewhere.url,
        keyring_url=elsewhere.keyring_url,
        keys=LocalFileKeys(elsewhere.key_file),
        ledger=backups.place.ledger,
        clock=backups.clock,
    )
    try:
        assert await admin_of(reopened, acme) == "admin"
        with pytest.raises(UnknownTenant):
            await admin_of(reopened, globex)
    finally:
        await reopened.close()


async def test_a_place_with_tenants_is_replaced_only_when_asked(
    db: Database, backups: Backups, store_place: StorePlace, clock: Clock
) -> None:
    acme = await seed_tenant(db, "Acme")
    made = await backups.create()
    later = await seed_tenant(db, "Later")
    await db.close()
    before = rows_of(store_place)
    with pytest.raises(RestoreRefused, match="--replace"):
        await restore(backups, made)
    assert rows_of(store_place) == before
    restored = await restore(backups, made, replace=True)
    assert (restored.set_aside is not None) == store_place.url.startswith("sqlite")
    reopened = await open_again(store_place, backups, clock)
    assert await admin_of(reopened, acme) == "admin"
    with pytest.raises(UnknownTenant):
        await admin_of(reopened, later)
    await reopened.close()


async def open_again(found: StorePlace, backups: Backups, clock: Clock) -> Database:
    return await Database.open(
        found.url,
        keyring_url=found.keyring_url,
        keys=LocalFileKeys(found.key_file),
        ledger=backups.place.ledger,
        clock=clock,
    )


def cut_off(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1000)


def flip_a_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def swap_for_other_text(path: Path) -> None:
    path.write_text("not a backup")


def of_a_newer_version(path: Path) -> None:
    path.write_bytes(re.sub(rb'("schema": ")\w', rb"\1z", path.read_bytes(), count=1))


HARMS = (cut_off, flip_a_bit, swap_for_other_text, of_a_newer_version)


@pytest.mark.parametrize(
    ("store_place", "part", "harm"),
    [
        *(("sqlite", part, harm) for part in ("content", "keyring") for harm in HARMS),
        ("postgres", "content", flip_a_bit),
        ("postgres", "keyring", cut_off),
    ],
    indirect=["store_place"],
)
async def test_a_damaged_backup_stops_and_loses_nothing(
    db: Database, backups: Backups, store_place: StorePlace, part: Any, harm: Callable[[Path], None]
) -> None:
    await seed_tenant(db, "Acme")
    made = await backups.create()
    await db.close()
    before = rows_of(store_place)
    harm(made.parts[part])
    found = await backups.find(made.id)
    with pytest.raises(BadBackup, match=r"use another|install the version|no backup"):
        await restore(backups, found, replace=True)
    with pytest.raises(BadBackup):
        await backups.prove(found)
    assert rows_of(store_place) == before
    assert list(backups.place.work.iterdir()) == []


async def test_tables_of_another_program_are_left_alone(
    db: Database, backups: Backups, elsewhere: StorePlace, tmp_path: Path
) -> None:
    await seed_tenant(db, "Acme")
    made = await backups.create()
    there = place_of(elsewhere, backups.place.ledger, tmp_path / "there")
    file = there.sqlite_file("content")
    if file is not None:
        file.parent.mkdir()
        with sqlite3.connect(file) as lite:
            lite.execute("CREATE TABLE notes (mine TEXT)")
    else:
        with psycopg.connect(elsewhere.url) as full:
            full.execute("CREATE TABLE notes (mine TEXT)")
    before = rows_of(elsewhere)
    with pytest.raises(RestoreRefused, match="not Autoheal's"):
        await restore(Backups(there, backups.folder, backups.masters, backups.clock), made, replace=True)
    assert rows_of(elsewhere) == before


async def test_without_its_ledger_nothing_is_restored(db: Database, backups: Backups, store_place: StorePlace) -> None:
    tenant = await seed_tenant(db, "Acme")
    made = await backups.create()
    await db.keyring.shred(tenant)
    await db.close()
    before = rows_of(store_place)
    backups.place.ledger.path.rename(backups.place.ledger.path.with_name("elsewhere"))
    with pytest.raises(NoShredLedger, match="no ledger, no restore"):
        await restore(backups, made, replace=True)
    assert rows_of(store_place) == before


async def test_another_master_key_or_deployment_opens_nothing(
    db: Database, backups: Backups, store_place: StorePlace, clock: Clock, tmp_path: Path
) -> None:
    await seed_tenant(db, "Acme")
    made = await backups.create()
    await db.close()
    others = Backups(backups.place, backups.folder, LocalFileKeys(tmp_path / "other.key"), clock)
    with pytest.raises(WrongMasterKey):
        await others.prove(made)
    named = Backups(replace(backups.place, deployment="ours"), backups.folder, backups.masters, clock)
    with pytest.raises(BadBackup, match="another deployment"):
        await restore(named, replace(made, deployment="theirs"), replace=True)


async def test_backups_are_private_and_forgotten_after_30_days(db: Database, backups: Backups, clock: Clock) -> None:
    await seed_tenant(db, "Acme")
    old = await backups.create()
    clock.advance(KEEP_FOR - timedelta(days=1))
    new = await backups.create()
    assert [one.id for one in await backups.known()] == [new.id, old.id]
    assert await backups.expire() == []
    clock.advance(timedelta(days=1, seconds=1))
    assert [one.id for one in await backups.expire()] == [old.id]
    assert [one.id for one in await backups.known()] == [new.id]
    assert (await backups.find("latest")).id == new.id
    with pytest.raises(NotFound, match="backup list"):
        await backups.find(old.id)
    for path in new.parts.values():
        assert path.stat().st_mode & 0o077 == 0
        assert b"SQLite format" not in path.read_bytes()
        assert b"PGDMP" not in path.read_bytes()


async def test_keys_and_content_are_never_in_one_archive(db: Database, backups: Backups, tmp_path: Path) -> None:
    tenant = await seed_tenant(db, "Acme")
    made = await backups.create()
    raw = {part: (await backups.open(made, part)).read(1 << 28) for part in made.parts}
    assert b"tenant_heads" in raw["content"]
    assert b"data_keys" not in raw["content"]
    assert b"tenant_heads" not in raw["keyring"]
    assert tenant


def test_a_server_without_fitting_programs_says_what_to_install(tmp_path: Path) -> None:
    old = tmp_path / "pg_dump"
    old.write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 9.6.1'\n")
    old.chmod(0o755)
    with pytest.raises(MissingProgram, match="postgresql-client-99"):
        Programs("postgresql://nobody@127.0.0.1/x", 99, [tmp_path]).dump(
            tmp_path / "out", schemas=["public"], tables=[], but=[]
        )


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3_500_000])
def test_a_sealed_file_gives_back_what_it_took(tmp_path: Path, size: int) -> None:
    path, key, data = tmp_path / "x.backup", os.urandom(32), os.urandom(size)
    with SealedWriter(path, {"a": 1}, key) as file:
        for at in range(0, size, 300_000):
            file.write(data[at : at + 300_000])
    require_undamaged(path)
    assert SealedReader(path, key).read(size + 1) == data
    with pytest.raises(BadBackup):
        SealedReader(path, os.urandom(32)).read(size + 1)


def test_a_sealed_file_that_failed_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), SealedWriter(tmp_path / "x.backup", {}, os.urandom(32)):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_pieces_of_a_sealed_file_cannot_be_left_out_or_reordered(tmp_path: Path) -> None:
    path, key = tmp_path / "x.backup", os.urandom(32)
    with SealedWriter(path, {}, key) as file:
        file.write(os.urandom(3 << 20))
    whole = path.read_bytes()
    start = len(b"AHBACKUP1\n") + 4 + 2
    piece = 4 + (1 << 20) + 16
    first, second, rest = (
        whole[start : start + piece],
        whole[start + piece : start + 2 * piece],
        whole[start + 2 * piece :],
    )
    for harmed in (second + first + rest, second + rest, first + rest, first + second + bytes(4)):
        path.write_bytes(whole[:start] + harmed)
        with pytest.raises(BadBackup):
            SealedReader(path, key).drain()


async def migrate_to(url: str, revision: str) -> None:
    """As an earlier version left the content database."""

    def upgrade(connection: Connection) -> None:
        scripts = migrations._scripts("content")
        with EnvironmentContext(
            migrations._config("content"),
            scripts,
            fn=lambda current, _context: scripts._upgrade_revs(revision, current),
            destination_rev=revision,
        ) as environment:
            environment.configure(connection=connection, version_table="autoheal_content_schema", render_as_batch=True)
            environment.run_migrations()

    engine = create_engine(url, pool_size=1)
    async with owning(engine).begin() as connection:
        await connection.run_sync(upgrade)
    await engine.dispose()


async def test_a_backup_of_an_earlier_version_is_migrated_when_it_is_put_back(tmp_path: Path, clock: Clock) -> None:
    old = tmp_path / "old"
    old.mkdir()
    found = StorePlace(
        url=f"sqlite:///{old / 'store.db'}",
        keyring_url=f"sqlite:///{old / 'keyring.db'}",
        key_file=tmp_path / "master.key",
    )
    await migrate_to(found.url, "0001")
    await migrations.migrate_keyring(found.keyring_url)
    tenant = new_id()
    with sqlite3.connect(old / "store.db") as lite:
        lite.execute(
            "INSERT INTO tenants (id, name, created_at) VALUES (?, 'Acme', '2026-01-01 00:00:00.000000')",
            (tenant.replace("-", ""),),
        )
    ledger = tmp_path / "ledger.jsonl"
    ShredLedger(ledger).begin(clock())
    made = await Backups(place_of(found, ledger, old), tmp_path / "b", LocalFileKeys(found.key_file), clock).create()
    assert made.schemas["content"] == "0001"
    new = tmp_path / "new"
    there = replace(found, url=f"sqlite:///{new / 'store.db'}", keyring_url=f"sqlite:///{new / 'keyring.db'}")
    await restore(Backups(place_of(there, ledger, new), tmp_path / "b", LocalFileKeys(found.key_file), clock), made)
    db = await Database.open(
        there.url, keyring_url=there.keyring_url, keys=LocalFileKeys(found.key_file), ledger=ledger, clock=clock
    )
    assert [one.name for one in await list_tenants(db)] == ["Acme"]
    await db.close()


@pytest.mark.slow
@pytest.mark.usefixtures("_migrated_postgres")
async def test_a_login_that_is_no_superuser_dumps_and_puts_back_every_tenants_rows(
    postgres_server: str, tmp_path: Path, clock: Clock
) -> None:
    with psycopg.connect(postgres_server, autocommit=True) as full:
        full.execute("CREATE ROLE keeper LOGIN PASSWORD 'keeper'")
        full.execute(f"GRANT {', '.join(ROLES)} TO keeper WITH INHERIT FALSE, SET TRUE".encode())
        full.execute("CREATE DATABASE kept OWNER keeper")
        full.execute("CREATE DATABASE again OWNER keeper")
    query = postgres_server.partition("?")[2]
    places = {}
    for name in ("kept", "again"):
        url = f"postgresql://keeper:keeper@/{name}?{query}"
        places[name] = StorePlace(url=url, keyring_url=url, key_file=tmp_path / "master.key")
    kept, again = places["kept"], places["again"]
    await migrations.migrate(kept.url)
    await migrations.migrate_keyring(kept.url)
    ledger = tmp_path / "ledger.jsonl"
    keys = LocalFileKeys(kept.key_file)
    db = await Database.open(kept.url, keyring_url=kept.url, keys=keys, ledger=ledger, clock=clock)
    days = open_event_days(kept.url, clock=clock)
    for name in ("Acme", "Globex"):
        tenant = await seed_tenant(db, name)
        async with db.tenant(tenant) as s:
            await events.emit(s, "ai.autoheal.app.installed.v1", "slack")
    await relay(db, days)
    await days.close()
    await db.close()
    assert sum(map(len, past_row_security(kept, postgres_server).values())) > 12
    made = await Backups(place_of(kept, ledger, tmp_path / "one"), tmp_path / "b", keys, clock).create()
    there = Backups(place_of(again, ledger, tmp_path / "two"), tmp_path / "b", keys, clock)
    for replaces in (False, True):
        await restore(there, made, replace=replaces)
        assert past_row_security(again, postgres_server) == past_row_security(kept, postgres_server)


def past_row_security(found: StorePlace, server: str) -> Rows:
    name = "kept" if "/kept?" in found.url else "again"
    return rows_of(replace(found, url=server.replace("/postgres?", f"/{name}?")))
