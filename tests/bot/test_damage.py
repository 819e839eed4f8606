"""Folders of which something is missing are refused, and nothing is made beside the remains."""

import asyncio
import hashlib
import shutil
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import text

from bot.assemble import engine_settings
from bot.damage import DamagedFolder, damages, require_master_key, told_damage
from bot.opening import open_database
from bot.settings import Settings, load_settings
from bot.upkeep import open_signer
from bot.web_side import open_account_keys
from store import audit
from store.audit.signed_checkpoints import CheckpointFile
from store.tenancy.tenants import create_tenant
from store.upkeep.audit_heads import AuditCheckpoints
from store.upkeep.backups import restore_marker
from tests.conftest import Clock, StorePlace, open_store, past_the_walls
from tests.store.accounts import make_account


async def _begin(settings: Settings) -> None:
    """A deployment with a tenant, work in the engine and signed heads."""
    async with open_database(settings) as (db, keys):
        tenant = await create_tenant(db, name="Acme")
        await open_account_keys(settings, keys)
        await make_account(db, tenant)
        async with db.tenant(tenant) as s:
            await audit.record(s, actor=audit.SYSTEM, action="system.app.installed", target="slack")
        await engine_settings(settings, keys)
        await AuditCheckpoints(db, await open_signer(settings, keys), CheckpointFile(settings.checkpoint_path)).sign()
    with sqlite3.connect(settings.data / "engine.db") as engine:
        engine.execute("CREATE TABLE workflow_status (id TEXT)")
        engine.execute("INSERT INTO workflow_status VALUES ('t:1')")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("damage") / "data"
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("AUTOHEAL_DATA", str(folder))
        asyncio.run(_begin(load_settings()))
    return folder


@pytest.fixture
def settings(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A copy of the whole folder, to be damaged."""
    shutil.copytree(whole, tmp_path / "data")
    monkeypatch.setenv("AUTOHEAL_DATA", str(tmp_path / "data"))
    return load_settings()


def _contents(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file() and not path.name.endswith(("-wal", "-shm")))
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


async def _refused(settings: Settings) -> str:
    before = _contents(settings.data)
    with pytest.raises(DamagedFolder) as refused:
        async with open_database(settings):
            pass
    assert _contents(settings.data) == before, "something was made or changed"
    return str(refused.value)


async def test_a_whole_folder_opens(settings: Settings) -> None:
    assert list(damages(settings, whole=True)) == []
    async with open_database(settings):
        pass


async def test_a_new_folder_opens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOHEAL_DATA", str(tmp_path / "new"))
    for _ in range(2):
        async with open_database(load_settings()):
            pass


async def test_a_start_that_was_interrupted_before_anything_was_stored_opens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    for name in ("autoheal.db", "keyring.db", "engine.db", "arrivals.db"):
        (folder / name).touch(mode=0o600)
    monkeypatch.setenv("AUTOHEAL_DATA", str(folder))
    async with open_database(load_settings()):
        pass


@pytest.mark.parametrize("how", ["missing", "empty"])
@pytest.mark.parametrize("name", ["autoheal.db", "keyring.db", "master.key", "engine.key", "audit.key", "accounts.key"])
async def test_what_is_missing_is_named_with_what_to_do(settings: Settings, name: str, how: str) -> None:
    path = settings.data / name
    for leftover in settings.data.glob(f"{name}-*"):
        leftover.unlink()
    path.unlink()
    if how == "empty":
        path.touch(mode=0o600)
    said = await _refused(settings)
    assert f"{path} is missing" in said
    assert "copy" in said


@pytest.mark.parametrize("name", ["autoheal.db", "keyring.db", "engine.db"])
@pytest.mark.parametrize("how", ["bad pages", "no database"])
async def test_a_damaged_database_is_named(settings: Settings, name: str, how: str) -> None:
    path = settings.data / name
    for leftover in settings.data.glob(f"{name}-*"):
        leftover.unlink()
    content = bytearray(path.read_bytes())
    if how == "bad pages":
        content[4096:] = b"\xff" * (len(content) - 4096)
    else:
        content[:100] = b"x" * 100
    path.write_bytes(content)
    said = await _refused(settings)
    assert f"{path} is damaged" in said
    assert "autoheal backup restore" in said


async def test_keys_that_a_server_needs_are_missed_too(
    postgres_place: StorePlace, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTOHEAL_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("AUTOHEAL_DATABASE_URL", postgres_place.url)
    monkeypatch.setenv("AUTOHEAL_KEYRING_URL", postgres_place.url)
    settings = load_settings()
    (tmp_path / "data").mkdir()
    assert list(damages(settings)) == []
    db = await open_store(postgres_place, clock)
    try:
        await make_account(db, await create_tenant(db, name="Acme"))
        async with past_the_walls(db) as owner:
            await owner.execute(text("CREATE SCHEMA dbos"))
            await owner.execute(text("CREATE TABLE dbos.workflow_status (id text)"))
            await owner.execute(text("INSERT INTO dbos.workflow_status VALUES ('t:1')"))
            await owner.commit()
    finally:
        await db.close()
    engine, accounts = damages(settings)
    assert f"{tmp_path}/data/engine.key is missing, but the engine's schema holds work" in engine
    assert "drop the schema dbos" in engine
    assert "accounts.key is missing, but there are accounts" in accounts
    with pytest.raises(DamagedFolder, match=r"engine\.key is missing"):
        async with open_database(settings):
            pass
    assert list((tmp_path / "data").iterdir()) == []


async def test_an_interrupted_restore_stops_a_start(settings: Settings) -> None:
    restore_marker(settings.data).touch()
    assert "interrupted" in await _refused(settings)
    restore_marker(settings.data).unlink()
    async with open_database(settings):
        pass


def test_a_new_master_key_is_not_made_for_any_command(settings: Settings) -> None:
    (settings.data / "master.key").unlink()
    with pytest.raises(DamagedFolder, match="a new key would open nothing"):
        require_master_key(settings)
    assert not (settings.data / "master.key").exists()


def test_damage_that_is_met_later_is_told(tmp_path: Path) -> None:
    broken = tmp_path / "broken.db"
    broken.write_bytes(b"x" * 5000)
    with pytest.raises(sqlite3.DatabaseError) as met:
        sqlite3.connect(broken).execute("SELECT 1 FROM sqlite_master")
    assert "is damaged" in str(told_damage(met.value))
    assert told_damage(ValueError()) is None
