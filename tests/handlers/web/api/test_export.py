"""Taking one's data away."""

import io
import json
import zipfile
from typing import Any

import pytest

from handlers.web.api import export as module
from store import audit
from store.secrets.redaction import Secret
from store.tenancy.connections import save_connection
from tests.handlers.web.api.api import Api, error


@pytest.fixture(autouse=True)
async def connection(api: Api) -> None:
    async with api.db.tenant(api.tenant) as s:
        await save_connection(s, connector="git", config={}, credentials={"token": Secret("planted-credential")})


async def test_an_export_holds_the_organisations_own_and_no_secret(api: Api) -> None:
    async with api.program(api.admin, "export") as client:
        answer = await client.get("/export?format=json")
    exported = json.loads(answer.content)
    assert answer.headers["content-disposition"] == 'attachment; filename="autoheal-export.json"'
    assert exported["tenant"]["id"] == api.tenant
    assert {one["email"] for one in exported["tables"]["accounts"]} >= {"admin@acme.example"}
    assert "planted-credential" not in answer.text
    assert "$2b$" not in answer.text
    async with api.db.tenant(api.tenant, readonly=True) as s:
        actions = [entry.action for entry in await audit.trail(s)]
    assert actions == ["api.export.requested", "api.export.downloaded"]


async def test_csv_is_a_zip_of_files(api: Api) -> None:
    async with api.browser(api.admin) as client:
        answer = await client.get("/export?format=csv")
        wrong = await client.get("/export?format=xml")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert b"admin@acme.example" in archive.read("accounts.csv")
    assert error(wrong) == "unreadable"


async def test_half_an_export_is_not_taken_for_a_whole_one(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: Any, **__: Any) -> Any:
        yield b"{"
        raise KeyError("planted-credential")

    monkeypatch.setattr(module, "export_json", broken)
    async with api.browser(api.admin) as client:
        with pytest.raises(module.ExportBroken):
            await client.get("/export")
    assert "api.export_failed" in caplog.text
    assert "planted-credential" not in caplog.text


async def test_one_export_at_a_time(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_running", {api.tenant})
    async with api.browser(api.admin) as client:
        assert error(await client.get("/export")) == "export_running"
