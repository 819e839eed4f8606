"""Slack with several workspaces: its page for consent, `oauth.v2.access`, and each token's own workspace behind it.

A local workspace knows one team id, so for all but the first it is written over on the way, in both directions: people
and channels of the same id in two teams are what tenants have to be kept apart in.
"""

import hashlib
import hmac
import secrets
import time
from base64 import b64decode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode

import aiohttp
from aiohttp import web

from bot.demo.workspace import Workspace

CLIENT_ID = "11111.22222"
CLIENT_SECRET = "5dbb2c1a90e9f3b2a8d7c6e5f4a3b2c1"
SIGNING_SECRET = "8f742231b10e8888abcd99yyyzzz85a5"


@dataclass(kw_only=True)
class Team:
    """One workspace. `workspace` is None where nobody needs more of it than its token."""

    id: str
    name: str
    token: str
    workspace: Workspace | None = None
    more: dict[str, Any] = field(default_factory=dict)


@dataclass(kw_only=True)
class SlackOAuth:
    """`chosen` is the team that whoever consents picks; `redirect_uris` are those that the app declared."""

    redirect_uris: set[str] = field(default_factory=set)
    scopes: str = ""
    teams: dict[str, Team] = field(default_factory=dict)
    chosen: str = ""
    installer: str = "U0MIA"
    app_url: str = ""
    url: str = ""
    asked: list[str] = field(default_factory=list)
    revoked: list[str] = field(default_factory=list)
    codes: dict[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def api_url(self) -> str:
        return f"{self.url}/api/"

    async def authorize(self, request: web.Request) -> web.Response:
        """Somebody reads what the app wants, and agrees."""
        given = request.query
        uri = given.get("redirect_uri", "")
        if given.get("client_id") != CLIENT_ID or uri not in self.redirect_uris or not given.get("state"):
            return web.Response(status=400, text="bad_redirect_uri")
        if set(given.get("scope", "").split(",")) != set(self.scopes.split(",")):
            return web.Response(status=400, text="invalid_scope")
        code = secrets.token_hex(12)
        self.codes[code] = (self.chosen, uri)
        raise web.HTTPFound(f"{uri}?{urlencode({'code': code, 'state': given['state']})}")

    async def call(self, request: web.Request) -> web.Response:
        method = request.match_info["method"]
        self.asked.append(method)
        if method == "oauth.v2.access":
            return web.json_response(await self._access(request))
        raw = (await request.read()).decode()
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        token = token or parse_qs(raw).get("token", [""])[0]
        team = next((one for one in self.teams.values() if one.token == token), None)
        if team is None or token in self.revoked:
            return web.json_response({"ok": False, "error": "invalid_auth"})
        if method == "auth.revoke":
            self.revoked.append(token)
            return web.json_response({"ok": True, "revoked": True})
        if team.workspace is None:
            known = {"team_id": team.id, "team": team.name, "user_id": "U0BOT", "bot_id": "B0BOT"}
            return web.json_response({"ok": True, **known} if method == "auth.test" else {"ok": True, "members": []})
        return await self._passed_on(request, team, team.workspace, raw)

    async def _access(self, request: web.Request) -> dict[str, Any]:
        form = await request.post()
        scheme, _, basic = request.headers.get("authorization", "").partition(" ")
        if scheme != "Basic" or b64decode(basic).decode() != f"{CLIENT_ID}:{CLIENT_SECRET}":
            return {"ok": False, "error": "bad_client_secret"}
        chosen, uri = self.codes.pop(str(form.get("code")), ("", ""))
        if not chosen or form.get("redirect_uri") != uri:
            return {"ok": False, "error": "invalid_code"}
        team = self.teams[chosen]
        return {
            "ok": True,
            "access_token": team.token,
            "token_type": "bot",
            "scope": self.scopes,
            "bot_user_id": team.workspace.bot_user_id if team.workspace else "U0BOT",
            "app_id": "A0AUTOHEAL",
            "team": {"id": team.id, "name": team.name},
            "enterprise": None,
            "is_enterprise_install": False,
            "authed_user": {"id": self.installer},
            **team.more,
        }

    async def _passed_on(self, request: web.Request, team: Team, workspace: Workspace, raw: str) -> web.Response:
        kept = {"authorization", "content-type"}
        headers = {name: value for name, value in request.headers.items() if name.lower() in kept}
        async with (
            aiohttp.ClientSession() as http,
            http.request(
                request.method,
                f"{workspace.api_url}{request.match_info['method']}",
                params=request.query,
                data=raw.replace(team.id, workspace.team_id).encode(),
                headers=headers,
            ) as answer,
        ):
            said = (await answer.text()).replace(workspace.team_id, team.id)
            granted = {"x-oauth-scopes": answer.headers.get("x-oauth-scopes", "")}
            return web.Response(status=answer.status, text=said, content_type="application/json", headers=granted)

    async def deliver(self, request: web.Request) -> web.Response:
        """What a workspace has to tell, signed anew for its own team."""
        team = self.teams[request.match_info["team"]]
        assert team.workspace is not None
        body = (await request.read()).decode().replace(team.workspace.team_id, team.id)
        at = str(int(time.time()))
        digest = hmac.new(SIGNING_SECRET.encode(), f"v0:{at}:{body}".encode(), hashlib.sha256).hexdigest()
        headers = {
            "content-type": request.headers.get("content-type", "application/json"),
            "x-slack-request-timestamp": at,
            "x-slack-signature": f"v0={digest}",
        }
        async with (
            aiohttp.ClientSession() as http,
            http.post(f"{self.app_url}/slack/events", data=body.encode(), headers=headers) as answer,
        ):
            return web.Response(status=answer.status, body=await answer.read())


@asynccontextmanager
async def slack_oauth(**settings: Any) -> AsyncIterator[SlackOAuth]:
    slack = SlackOAuth(**settings)
    app = web.Application()
    app.router.add_get("/oauth/v2/authorize", slack.authorize)
    app.router.add_route("*", "/api/{method}", slack.call)
    app.router.add_post("/deliver/{team}", slack.deliver)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    slack.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield slack
    finally:
        await runner.cleanup()
