"""What a stranger can send to the front door, and where Slack's session can be led."""

from collections.abc import AsyncIterator

import aiohttp
import httpx2
import pytest
from aiohttp import web
from starlette.applications import Starlette

from bot.slack_app import EVENTS_PATH, build_app, routes
from bot.slack_clients import EgressRefused, TenantClients, guarded_session
from handlers.slack.inbound.caller import Caller
from handlers.slack.inbound.intake import Intake
from store.database.session import Database
from store.secrets.redaction import Secret
from tests.conftest import Clock
from tests.handlers.inbound import SmallEngine

NOWHERE = "http://127.0.0.1:9/api/"


@pytest.fixture
async def stranger(sqlite_database: Database, clock: Clock) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of the front door that knows no secret."""
    async with guarded_session(NOWHERE) as session:
        clients = TenantClients(db=sqlite_database, session=session, api_url=NOWHERE, clock=clock)
        caller = Caller(db=sqlite_database, clients=clients, clock=clock)
        intake = Intake(db=sqlite_database, workspaces=caller, queue=SmallEngine())
        app = build_app(
            intake=intake, session=session, api_url=NOWHERE, signing_secret=Secret("s3cr3t" * 5), clock=lambda: 0.0
        )
        transport = httpx2.ASGITransport(app=Starlette(routes=routes(app)))
        async with httpx2.AsyncClient(transport=transport, base_url="http://autoheal") as http:
            yield http


@pytest.mark.parametrize(
    ("content_type", "prefix"),
    [("application/json", ""), ("application/x-www-form-urlencoded", "payload=")],
)
@pytest.mark.parametrize("body", ["[" * 200_000, '{"a":' * 100_000, "9" * 900_000])
async def test_an_unsigned_document_without_bottom_is_refused(
    stranger: httpx2.AsyncClient, content_type: str, prefix: str, body: str
) -> None:
    answer = await stranger.post(EVENTS_PATH, content=prefix + body, headers={"content-type": content_type})
    assert answer.status_code == 401


async def test_no_redirect_header_leads_the_session_elsewhere() -> None:
    reached: list[str] = []

    async def elsewhere(request: web.Request) -> web.Response:
        reached.append(request.path)
        return web.Response()

    async def redirect(request: web.Request) -> web.Response:
        port = request.url.port
        return web.Response(status=302, headers={request.match_info["header"]: f"http://localhost:{port}/elsewhere"})

    app = web.Application()
    app.router.add_get("/elsewhere", elsewhere)
    app.router.add_get("/redirect/{header}", redirect)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    async with guarded_session(f"http://127.0.0.1:{port}/api/") as session:
        for header in ("Location", "URI"):
            with pytest.raises(EgressRefused):
                await session.get(f"http://127.0.0.1:{port}/redirect/{header}")
    await runner.cleanup()
    assert reached == []


async def test_a_response_address_in_clear_text_is_refused() -> None:
    async with guarded_session("https://slack.com/api/") as session:
        with pytest.raises(EgressRefused):
            await session.post("http://hooks.slack.com/commands/1", json={})
        with pytest.raises(aiohttp.ClientError):  # let through, and stopped by its proxy, which is not there
            await session.post("https://hooks.slack.com:0/x", proxy="http://127.0.0.1:1", json={})
