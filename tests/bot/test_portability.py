"""The operator hands a tenant its data."""

import asyncio
import json
import zipfile
from pathlib import Path

import pytest

from bot.cli import main
from bot.opening import open_database
from bot.settings import load_settings
from store.ids import TenantId
from store.secrets.redaction import Secret
from store.tenancy.connections import save_connection
from store.tenancy.tenants import create_tenant


@pytest.fixture
async def tenant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TenantId:
    monkeypatch.setenv("AUTOHEAL_DATA", str(tmp_path / "data"))
    async with open_database(load_settings()) as (db, _):
        made = await create_tenant(db, name="Acme")
        async with db.tenant(made) as s:
            await save_connection(
                s, connector="git", config={"root": "/srv"}, credentials={"token": Secret("hunter2-of-acme")}
            )
    return made


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def called(*words: str) -> int:
    return await asyncio.to_thread(main, ["export", *words])


async def test_a_tenant_gets_its_data_without_its_secrets_and_the_audit_log_says_so(
    tenant: TenantId, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "acme.json"
    assert await called(tenant, "--out", str(out)) == 0
    assert "hand it over safely" in capsys.readouterr().out
    assert out.stat().st_mode & 0o077 == 0
    told = json.loads(out.read_text())
    assert told["tables"]["connections"][0]["config"] == {"root": "/srv"}
    assert told["tables"]["audit"][-1]["action"] == "operator.export.created"
    assert told["tables"]["events"][-1]["type"] == "ai.autoheal.export.created.v1"
    assert "hunter2" not in out.read_text()
    archive = tmp_path / "acme.zip"
    assert await called(tenant, "--format", "csv", "--out", str(archive)) == 0
    with zipfile.ZipFile(archive) as opened:
        assert "connections.csv" in opened.namelist()
        assert not any(b"hunter2" in opened.read(name) for name in opened.namelist())
    assert names_in(tmp_path) == ["acme.json", "acme.zip", "data"]


async def test_an_unknown_tenant_or_folder_is_named(
    tenant: TenantId, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await called("01a20000-0000-7000-8000-000000000000", "--out", str(tmp_path / "x")) == 2
    assert "autoheal tenant" in capsys.readouterr().err
    assert await called(tenant, "--out", str(tmp_path / "none" / "x")) == 2
    assert "there is no folder" in capsys.readouterr().err
