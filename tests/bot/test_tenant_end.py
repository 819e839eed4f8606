"""Closing a tenant from the command line, and what is said about what stays."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from bot.cli import main
from bot.opening import open_database
from bot.settings import load_settings
from store.errors import UnknownTenant
from store.ids import TenantId
from store.secrets.redaction import Secret
from store.tenancy.tenants import SlackInstall, create_tenant, find_tenant, save_install


@pytest.fixture
async def revoked(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[list[str]]:
    """Slack, as far as `auth.revoke` goes: the tokens that were revoked."""
    tokens: list[str] = []

    async def revoke(request: web.Request) -> web.Response:
        assert request.path == "/api/auth.revoke"
        tokens.append(request.headers["authorization"].removeprefix("Bearer "))
        return web.json_response({"ok": True, "revoked": True})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", revoke)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    monkeypatch.setenv("SLACK_API_URL", f"http://127.0.0.1:{port}/api/")
    yield tokens
    await runner.cleanup()


@pytest.fixture
async def tenant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TenantId:
    monkeypatch.setenv("AUTOHEAL_DATA", str(tmp_path))
    async with open_database(load_settings()) as (db, _):
        made = await create_tenant(db, name="Acme")
        async with db.tenant(made) as s:
            await save_install(
                s,
                SlackInstall(
                    enterprise_id=None,
                    team_id="T0ACME",
                    is_enterprise_install=False,
                    app_id="A0APP",
                    bot_user_id="U0BOT",
                    bot_token=Secret("xoxb-of-acme"),
                    installer_slack_id="U0ADMIN",
                    scopes=(),
                    installed_at=db.now(),
                ),
            )
    return made


async def called(*words: str) -> int:
    return await asyncio.to_thread(main, ["tenant", *words])


async def test_closing_freezes_first_and_now_deletes(
    revoked: list[str], tenant: TenantId, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await called("close", tenant) == 0
    said = capsys.readouterr().out
    assert "Slack has revoked the token." in said
    assert "Frozen: nothing is done for this tenant any more. On " in said
    assert f"autoheal tenant close {tenant} --now" in said
    assert revoked == ["xoxb-of-acme"]
    assert await called() == 0
    assert f"{tenant}  Acme  (frozen)" in capsys.readouterr().out
    assert await called("close", tenant, "--now") == 0
    said = capsys.readouterr().out
    assert "1 data keys were destroyed" in said
    assert "cannot delete: the messages and charts that it posted stay in Slack" in " ".join(said.split())
    assert len(revoked) == 1
    async with open_database(load_settings()) as (db, _):
        known = await find_tenant(db, tenant)
        assert known is not None
        assert known.status == "closed"
        with pytest.raises(UnknownTenant):
            async with db.tenant(tenant):
                pass
    assert await called() == 0
    assert tenant not in capsys.readouterr().out
    assert await called("close", tenant) == 0
    assert "This tenant is closed." in capsys.readouterr().out


async def test_a_slack_that_does_not_answer_stops_nothing(
    tenant: TenantId, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLACK_API_URL", "http://127.0.0.1:1/api/")
    assert await called("close", tenant, "--now") == 0
    said = capsys.readouterr().out
    assert "remove the app in Slack under Manage apps" in said
    assert "Closed." in said


@pytest.mark.parametrize("words", [["close"], ["close", "nobody"], ["close", "a", "b", "--now"]])
async def test_a_wrong_call_says_what_is_accepted(
    words: list[str], tenant: TenantId, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await called(*words) == 2
    assert "autoheal tenant" in capsys.readouterr().err
