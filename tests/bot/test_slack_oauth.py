"""Workspaces install the app themselves: who may, what becomes of it, and what a stranger's browser cannot do."""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import httpx2
import pytest
from fakes.slack_oauth import CLIENT_ID, CLIENT_SECRET, SIGNING_SECRET, SlackOAuth, Team, slack_oauth
from starlette.applications import Starlette

from bot.demo.workspace import Workspace
from bot.manifest import bot_scopes, load_manifest
from bot.settings import Settings, SettingsError, load_settings
from bot.slack_clients import guarded_session, make_client
from bot.slack_oauth import STATE_S, install_routes
from store import audit
from store.database.session import Database
from store.ids import TenantId
from store.people import users
from store.tenancy.tenants import list_tenants, load_install, tenant_for_slack
from store.upkeep import erasure
from tests.bot.served import free_port, serving, store_of

HOST = "https://autoheal.example.com"
SCOPES = ",".join(sorted(bot_scopes(load_manifest())))
ACME = Team(id="T0ACME", name="Acme <b>Ltd</b>", token="xoxb-acme-1111")
OTHER = Team(id="T0OTHER", name="Other", token="xoxb-other-2222")


@dataclass(kw_only=True)
class Bench:
    """The two addresses before a real store, with a browser."""

    slack: SlackOAuth
    db: Database
    browser: httpx2.AsyncClient
    time: list[float]
    told: list[TenantId] = field(default_factory=list)

    async def begin(self) -> str:
        """Where Slack sends the browser back to, after somebody agreed."""
        sent = await self.browser.get("/slack/install")
        assert sent.status_code == 302
        assert "slack-app-oauth-state=" in sent.headers["set-cookie"]
        async with (
            aiohttp.ClientSession() as http,
            http.get(sent.headers["location"], allow_redirects=False) as agreed,
        ):
            assert agreed.status == 302, await agreed.text()
            return str(agreed.headers["location"])

    async def install(self, team: str) -> Any:
        self.slack.chosen = team
        return await self.browser.get(await self.begin())

    async def tenant(self, team: str, *, frozen_too: bool = False) -> TenantId | None:
        return await tenant_for_slack(self.db, enterprise_id=None, team_id=team, frozen_too=frozen_too)


@pytest.fixture
def settings_of(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Settings]:
    def made(slack: SlackOAuth | None = None, **more: str) -> Settings:
        given = {
            "AUTOHEAL_DATA": str(tmp_path),
            "AUTOHEAL_MODE": "http",
            "AUTOHEAL_PUBLIC_URL": HOST,
            "AUTOHEAL_SLACK_WORKSPACES": "T0ACME, T0ELSE",
            "SLACK_API_URL": slack.api_url if slack else "https://slack.com/api/",
            "SLACK_CLIENT_ID": CLIENT_ID,
            "SLACK_CLIENT_SECRET": CLIENT_SECRET,
            "SLACK_SIGNING_SECRET": SIGNING_SECRET,
            **more,
        }
        for name, value in given.items():
            monkeypatch.setenv(name, value)
        return load_settings()

    return made


@asynccontextmanager
async def benched(db: Database, settings: Settings, slack: SlackOAuth) -> AsyncIterator[Bench]:
    told: list[TenantId] = []
    time = [1_800_000_000.0]
    async with guarded_session(slack.api_url) as session:

        def client(token: Any) -> Any:
            return make_client(session, slack.api_url, token)

        routes = install_routes(settings, db, client, installed=told.append, now=lambda: time[0])
        transport = httpx2.ASGITransport(app=Starlette(routes=routes))
        async with httpx2.AsyncClient(transport=transport, base_url=HOST) as browser:
            yield Bench(slack=slack, db=db, browser=browser, time=time, told=told)


@pytest.fixture
async def bench(sqlite_database: Database, settings_of: Callable[..., Settings]) -> AsyncIterator[Bench]:
    redirect = f"{HOST}/slack/oauth_redirect"
    teams = {"T0ACME": ACME, "T0OTHER": OTHER}
    async with (
        slack_oauth(redirect_uris={redirect}, scopes=SCOPES, teams=teams) as slack,
        benched(sqlite_database, settings_of(slack), slack) as bench,
    ):
        yield bench


async def test_a_workspace_that_installs_the_app_is_a_tenant_whose_installer_administers_it(bench: Bench) -> None:
    page = await bench.install("T0ACME")
    assert page.status_code == 200
    assert "Autoheal is installed in Acme &lt;b&gt;Ltd&lt;/b&gt;" in page.text
    assert "/invite @autoheal" in page.text
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    tenant = await bench.tenant("T0ACME")
    assert tenant is not None
    assert bench.told == [tenant]
    async with bench.db.tenant(tenant, readonly=True) as s:
        install = await load_install(s)
        assert install is not None
        assert install.bot_token.reveal() == ACME.token
        assert set(install.scopes) == set(SCOPES.split(","))
        assert [one.slack_user_id for one in await users.admins(s)] == ["U0MIA"]
        assert "system.app.installed" in [entry.action for entry in await audit.trail(s)]
        assert s.redactor.redact(f"token {ACME.token}") == "token [redacted:own_secret]"


async def test_installing_again_is_the_same_tenant_with_its_new_token(bench: Bench) -> None:
    await bench.install("T0ACME")
    bench.slack.teams["T0ACME"] = Team(id="T0ACME", name="Acme", token="xoxb-acme-9999")
    assert (await bench.install("T0ACME")).status_code == 200
    tenant = await bench.tenant("T0ACME")
    assert tenant is not None
    assert bench.told == [tenant, tenant]
    async with bench.db.tenant(tenant, readonly=True) as s:
        install = await load_install(s)
    assert install is not None
    assert install.bot_token.reveal() == "xoxb-acme-9999"


async def test_a_workspace_that_uninstalled_the_app_is_welcomed_back(bench: Bench) -> None:
    await bench.install("T0ACME")
    tenant = await bench.tenant("T0ACME")
    assert tenant is not None
    await erasure.freeze(bench.db, tenant, actor=audit.SYSTEM)
    assert await bench.tenant("T0ACME") is None
    assert (await bench.install("T0ACME")).status_code == 200
    assert await bench.tenant("T0ACME") == tenant


async def test_a_workspace_that_was_not_named_is_refused_and_its_token_revoked(bench: Bench) -> None:
    before = await list_tenants(bench.db)
    page = await bench.install("T0OTHER")
    assert page.status_code == 403
    assert "does not serve T0OTHER" in page.text
    assert "AUTOHEAL_SLACK_WORKSPACES" in page.text
    assert bench.slack.revoked == [OTHER.token]
    assert await list_tenants(bench.db) == before
    assert bench.told == []


async def test_an_app_whose_tokens_rotate_is_refused_before_they_run_out(bench: Bench) -> None:
    more = {"refresh_token": "xoxe-1-abc", "expires_in": 43200}
    bench.slack.teams["T0ACME"] = Team(id="T0ACME", name="Acme", token="xoxb-rotating", more=more)
    page = await bench.install("T0ACME")
    assert page.status_code == 403
    assert "token rotation" in page.text
    assert bench.slack.revoked == ["xoxb-rotating"]
    assert await bench.tenant("T0ACME") is None


@pytest.mark.parametrize("how", ["another browser", "forged", "too old", "from the future", "no state", "no code"])
async def test_only_the_browser_that_began_ends_it_and_in_time(bench: Bench, how: str) -> None:
    bench.slack.chosen = "T0ACME"
    back = await bench.begin()
    state = parse_qs(urlsplit(back).query)["state"][0]
    match how:
        case "another browser":
            bench.browser.cookies.clear()
        case "forged":
            forged = f"word.{int(bench.time[0])}.{'0' * 64}"
            bench.browser.cookies.clear()
            bench.browser.cookies.set("slack-app-oauth-state", forged)
            back = back.replace(state, forged)
        case "too old":
            bench.time[0] += STATE_S + 1
        case "from the future":
            bench.time[0] -= 60
        case "no state":
            back = back.replace("state=", "stat=")
        case _:
            back = back.replace("code=", "cod=")
    page = await bench.browser.get(back)
    assert page.status_code in (400, 401)
    assert "Not installed" in page.text
    assert 'href="/slack/install"' in page.text
    assert "oauth.v2.access" not in bench.slack.asked
    assert await bench.tenant("T0ACME") is None


async def test_a_code_works_once_and_is_in_no_log(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "autoheal")
    bench.slack.chosen = "T0ACME"
    back = await bench.begin()
    code = parse_qs(urlsplit(back).query)["code"][0]
    bench.slack.codes.clear()
    page = await bench.browser.get(back)
    assert page.status_code == 401
    assert "Slack did not confirm" in page.text
    ours = [record.getMessage() for record in caplog.records if record.name.startswith(("autoheal", "slack"))]
    ours += [str(vars(record)) for record in caplog.records if record.name.startswith("autoheal")]
    assert ours
    assert not [line for line in ours if code in line or CLIENT_SECRET in line]


async def test_who_cancels_in_slack_is_told_that_nothing_happened(bench: Bench) -> None:
    page = await bench.browser.get("/slack/oauth_redirect?error=access_denied&state=x")
    assert page.status_code == 200
    assert "cancelled in Slack" in page.text
    page = await bench.browser.get("/slack/oauth_redirect?error=<script>alert(1)</script>")
    assert "<script>" not in page.text


def test_what_is_missing_is_named(settings_of: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch) -> None:
    settings_of().require_slack()
    monkeypatch.delenv("SLACK_CLIENT_SECRET")
    monkeypatch.delenv("AUTOHEAL_PUBLIC_URL")
    monkeypatch.delenv("AUTOHEAL_SLACK_WORKSPACES")
    monkeypatch.setenv("AUTOHEAL_MODE", "socket")
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-1")
    with pytest.raises(SettingsError) as wrong:
        load_settings().require_slack()
    for name in ("SLACK_CLIENT_SECRET", "AUTOHEAL_PUBLIC_URL", "AUTOHEAL_SLACK_WORKSPACES", "AUTOHEAL_MODE=http"):
        assert name in str(wrong.value)
    assert "exclude each other" in str(wrong.value)


def test_any_workspace_may_be_let_in(settings_of: Callable[..., Settings]) -> None:
    assert settings_of().may_install == {"T0ACME", "T0ELSE"}
    assert settings_of(AUTOHEAL_SLACK_WORKSPACES="any").may_install is None


@pytest.mark.slow
async def test_two_workspaces_with_people_of_the_same_ids_are_served_and_kept_apart(tmp_path: Path) -> None:
    port = free_port()
    host = f"http://127.0.0.1:{port}"
    data = tmp_path / "data"
    async with slack_oauth(redirect_uris={f"{host}/slack/oauth_redirect"}, scopes=SCOPES, app_url=host) as slack:
        spaces: dict[str, Workspace] = {}
        for id_ in ("T0FIRST", "T0SECOND"):
            space = Workspace(load_manifest(), delivery="http", request_url=f"{slack.url}/deliver/{id_}")
            await space.start()
            spaces[id_] = space
            slack.teams[id_] = Team(id=id_, name=id_.lower(), token=space.bot_token, workspace=space)
        settings = {
            "AUTOHEAL_DATA": str(data),
            "AUTOHEAL_MODE": "http",
            "AUTOHEAL_HTTP_PORT": str(port),
            "AUTOHEAL_PUBLIC_URL": host,
            "AUTOHEAL_SLACK_WORKSPACES": "any",
            "SLACK_API_URL": slack.api_url,
            "SLACK_CLIENT_ID": CLIENT_ID,
            "SLACK_CLIENT_SECRET": CLIENT_SECRET,
            "SLACK_SIGNING_SECRET": SIGNING_SECRET,
        }
        async with serving(tmp_path / "log", settings):
            for id_ in spaces:
                slack.chosen = id_
                async with httpx2.AsyncClient(base_url=host) as browser:
                    sent = await browser.get("/slack/install")
                    cookie = sent.headers["set-cookie"].partition(";")[0]
                    agreed = await browser.get(sent.headers["location"])
                    page = await browser.get(agreed.headers["location"], headers={"cookie": cookie})
                assert page.status_code == 200, page.text
            for id_, space in spaces.items():
                thread = await space.post("mia", "#incidents", f"@autoheal checkout is slow in {id_}")
                await space.wait_for(lambda w, t=thread: _is_answered(w, t), timeout=120)
        for id_, space in spaces.items():
            said = [one.text for one in space.messages("#incidents") if one.user == space.bot_user_id]
            assert said
            assert not [text for text in said if ({*spaces} - {id_}).pop() in text]
            assert space.violations == []
            await space.stop()
    async with store_of(data) as store:
        found = await list_tenants(store, "active")
        assert sorted(one.name for one in found) == ["t0first", "t0second"]


def _is_answered(workspace: Workspace, thread: str) -> bool:
    return any("I could not look" in m.text for m in workspace.messages("#incidents", thread))
