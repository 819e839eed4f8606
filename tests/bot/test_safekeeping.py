"""The day's backup is made once, made up when it was missed; and a person can put one back."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.cli import main
from bot.opening import open_database
from bot.safekeeping import DailyBackup, open_backups
from bot.settings import Settings, load_settings
from bot.timetable import Timetable
from store import audit
from store.ids import TenantId
from store.tenancy.tenants import create_tenant, list_tenants


@pytest.fixture
async def tenant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TenantId:
    monkeypatch.setenv("AUTOHEAL_DATA", str(tmp_path / "data"))
    async with open_database(load_settings()) as (db, _):
        return await create_tenant(db, name="Acme")


async def called(*words: str) -> int:
    return await asyncio.to_thread(main, ["backup", *words])


async def names() -> list[str]:
    async with open_database(load_settings()) as (db, _):
        return [one.name for one in await list_tenants(db, "active")]


async def test_a_day_has_one_backup_and_a_missed_one_is_made_up(tenant: TenantId, tmp_path: Path) -> None:
    settings = load_settings()
    time = datetime(2026, 11, 5, 2, 0, tzinfo=UTC)
    async with open_backups(settings) as backups:
        backups.clock = lambda: time
        daily = DailyBackup(settings=settings, backups=backups)
        assert await daily.keep() is not None  # yesterday's was due at 03:00
        time += timedelta(minutes=30)
        assert await daily.keep() is None
        time += timedelta(hours=1)
        assert await daily.keep() is not None
        time += timedelta(hours=20)
        assert await daily.keep() is None
        time += timedelta(days=31)
        assert await daily.keep() is not None
        assert len(await backups.known()) == 1


async def test_where_the_operator_makes_backups_the_timetable_makes_none(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path, backups="operator")
    async with open_backups(settings) as backups:
        timetable = Timetable()
        DailyBackup(settings=settings, backups=backups).plan(timetable)
        assert timetable._scheduler.get_jobs() == []


async def test_a_person_makes_lists_and_puts_back(
    tenant: TenantId, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await called("list") == 0
    assert "holds no backup" in capsys.readouterr().out
    assert await called("create") == 0
    said = capsys.readouterr().out
    assert "read back" in said
    assert "In no backup" in said
    async with open_database(load_settings()) as (db, _):
        await create_tenant(db, name="Later")
    assert await called("restore", "latest") == 2
    assert "--replace" in capsys.readouterr().err
    assert await names() == ["Acme", "Later"]
    assert await called("restore", "latest", "--replace") == 0
    assert "deleted after 30 days" in capsys.readouterr().out
    assert await names() == ["Acme"]
    async with open_database(load_settings()) as (db, _), db.tenant(tenant, readonly=True) as s:
        assert (await audit.trail(s))[-1].action == "operator.backup.restored"
    assert await called("restore", "20200101T000000Z-00000000") == 2
    assert "backup list" in capsys.readouterr().err
    assert await called("expire") == 0
    assert capsys.readouterr().out.startswith("0 backups")


async def test_the_whole_machine_comes_back_from_backups_master_key_and_ledger(
    tenant: TenantId, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    (data / "accounts.key").write_bytes(b"wrapped")
    assert await called("create") == 0
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    for name in ("master.key", "shred-ledger.jsonl"):
        (data / name).rename(fresh / name)
    monkeypatch.setenv("AUTOHEAL_DATA", str(fresh))
    monkeypatch.setenv("AUTOHEAL_BACKUP_FOLDER", str(data / "backups"))
    assert await called("restore", "latest") == 0
    assert await names() == ["Acme"]
    assert (fresh / "accounts.key").read_bytes() == b"wrapped"
    assert not (fresh / "backups").exists()
