"""The operator's command for a workspace's settings."""

from pathlib import Path

import pytest

from bot.cli import main
from bot.opening import open_database
from bot.settings import SettingsError, load_settings
from bot.tenant_settings import parse_changes
from store import audit
from store.ids import TenantId
from store.tenancy.tenants import create_tenant, settings


async def made(folder: Path, monkeypatch: pytest.MonkeyPatch) -> TenantId:
    monkeypatch.setenv("AUTOHEAL_DATA", str(folder))
    async with open_database(load_settings()) as (db, _):
        return await create_tenant(db, name="Acme")


def test_changes_are_typed_and_unknown_ones_refused() -> None:
    assert parse_changes(["model=none", "daily_usd_cap=5", "triage_channels=C1,C2", "allow_external_channels=yes"]) == {
        "model": "none",
        "daily_usd_cap": 5.0,
        "triage_channels": ("C1", "C2"),
        "allow_external_channels": True,
    }
    for bad in ("colour=blue", "model", "daily_usd_cap=much", "allow_external_channels=perhaps"):
        with pytest.raises(SettingsError):
            parse_changes([bad])


async def test_a_change_is_stored_and_audited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import asyncio

    tenant = await made(tmp_path, monkeypatch)
    assert await asyncio.to_thread(main, ["tenant"]) == 0
    assert f"{tenant}  Acme" in capsys.readouterr().out
    assert await asyncio.to_thread(main, ["tenant", tenant, "autonomy=suggest", "model=none"]) == 0
    assert "autonomy = suggest" in capsys.readouterr().out
    async with open_database(load_settings()) as (db, _), db.tenant(tenant, readonly=True) as s:
        assert ((await settings(s)).autonomy, (await settings(s)).model) == ("suggest", "none")
        assert [entry.action for entry in await audit.trail(s)] == ["operator.settings.changed"]


@pytest.mark.parametrize("words", [["tenant", "nobody"], ["tenant", "TENANT", "model=gpt"]])
async def test_a_wrong_call_says_what_is_accepted(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import asyncio

    tenant = await made(tmp_path, monkeypatch)
    assert await asyncio.to_thread(main, [tenant if word == "TENANT" else word for word in words]) == 2
    assert "there is no tenant" in (said := capsys.readouterr().err) or "one of claude" in said
