"""Slack's side of the process: signed HTTP on the real Bolt app, the guarded session, Socket Mode, the adoption of a
workspace.
"""

import asyncio
import hashlib
import hmac
import json
import logging
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlencode

import aiohttp
import httpx2
import pytest
from aiohttp import web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from starlette.applications import Starlette

from bot.slack_app import EVENTS_PATH, MOST_BYTES, build_app, check_signature, routes
from bot.slack_clients import EgressRefused, SlackNotReady, TenantClients, guarded_session, make_client, tenant_of_token
from handlers.slack.inbound.caller import Caller
from handlers.slack.inbound.intake import Intake
from store import inbox
from store.audit import trail
from store.database.arrivals import Arrivals
from store.database.schema import InboxRow
from store.database.session import Database
from store.errors import NotFound, TenantFrozen
from store.ids import InboxId, TenantId
from store.people import users
from store.people.users import Role
from store.secrets.redaction import Secret
from store.tenancy import tenants
from store.tenancy.tenants import SlackInstall, load_install, save_install
from tests.conftest import Clock
from tests.handlers.inbound import Slack, SmallEngine

SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
NOW = 1_794_000_000.0


def signed(body: str, *, at: float = NOW, secret: str = SECRET, retry: int = 0) -> dict[str, str]:
    base = f"v0:{int(at)}:{body}".encode()
    return {
        "x-slack-request-timestamp": str(int(at)),
        "x-slack-signature": "v0=" + hmac.new(secret.encode(), base, hashlib.sha256).hexdigest(),
        "content-type": "application/json",
        **({"x-slack-retry-num": str(retry)} if retry else {}),
    }


def mention(event_id: str = "Ev1", *, team: str = "T1", text: str = "<@U0BOT> checkout is down") -> str:
    event = {"type": "app_mention", "user": "U1", "channel": "C1", "ts": "1794000000.000100", "text": text}
    return json.dumps({"type": "event_callback", "event_id": event_id, "team_id": team, "event": event})


@dataclass(kw_only=True)
class Front:
    """The Bolt app over HTTP, with a store behind it and an engine that only notes what it is given."""

    db: Database
    tenant: TenantId
    intake: Intake
    engine: SmallEngine
    http: httpx2.AsyncClient

    async def send(self, body: str, headers: Mapping[str, str]) -> int:
        return (await self.http.post(EVENTS_PATH, content=body.encode(), headers=dict(headers))).status_code

    async def kept(self) -> list[InboxRow]:
        await self.intake.settle()
        async with self.db.tenant(self.tenant, readonly=True) as s:
            return list(await s.all(select(InboxRow)))

    async def refusals(self) -> list[str]:
        async with self.db.tenant(self.tenant, readonly=True) as s:
            return [e.details["reason"] for e in await trail(s) if e.action == "slack.request.refused"]


async def connect_slack(db: Database, team: str = "T1") -> TenantId:
    tenant = await tenants.create_tenant(db, name="Acme")
    async with db.tenant(tenant) as s:
        await save_install(
            s,
            SlackInstall(
                enterprise_id=None,
                team_id=team,
                is_enterprise_install=False,
                app_id="",
                bot_user_id="U0BOT",
                bot_token=Secret("xoxb-1234567890-abcdefghijkl"),
                installer_slack_id="U1",
                scopes=(),
                installed_at=db.now(),
            ),
        )
    return tenant


@pytest.fixture
async def front(sqlite_database: Database, clock: Clock) -> AsyncIterator[Front]:
    db = sqlite_database
    tenant = await connect_slack(db)
    session = guarded_session("http://127.0.0.1:9/api/")
    clients = TenantClients(db=db, session=session, api_url="http://127.0.0.1:9/api/", clock=clock)
    engine = SmallEngine()
    intake = Intake(db=db, workspaces=Caller(db=db, clients=clients, clock=clock), queue=engine)
    app = build_app(
        intake=intake,
        session=session,
        api_url="http://127.0.0.1:9/api/",
        signing_secret=Secret(SECRET),
        clock=lambda: NOW,
    )
    transport = httpx2.ASGITransport(app=Starlette(routes=routes(app)))
    async with httpx2.AsyncClient(transport=transport, base_url="http://autoheal") as http:
        yield Front(db=db, tenant=tenant, intake=intake, engine=engine, http=http)
    await intake.settle()
    await session.close()


async def test_a_signed_mention_is_on_disk_before_it_is_acknowledged_and_queued_under_its_own_id(front: Front) -> None:
    assert await front.send(mention(), signed(mention())) == 200
    assert front.db.arrivals is not None
    (waiting,) = await front.db.arrivals.waiting(front.tenant)  # read by the thread that wrote it, ahead of the move
    (row,) = await front.kept()
    assert (row.id, row.external_id, row.kind, row.state) == (waiting.id, "Ev1", "mention", "received")
    assert front.engine.started == {f"t:{front.tenant}:receive:{row.id}": (front.tenant, row.id)}


@pytest.mark.parametrize(
    "headers",
    [
        signed(mention(), secret="another"),
        signed(mention("Ev2")),
        {**signed(mention()), "x-slack-request-timestamp": "soon"},
        {**signed(mention()), "x-slack-signature": "v0=é"},
        {"content-type": "application/json"},
    ],
)
async def test_a_forged_request_is_refused_and_leaves_no_trace_in_the_tenant(
    front: Front, headers: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, logger="autoheal.intake"):
        raw = {name.encode(): value.encode("utf-8") for name, value in headers.items()}
        answer = await front.http.post(EVENTS_PATH, content=mention().encode(), headers=list(raw.items()))
    assert answer.status_code == 401
    assert front.intake.counts["refused_forged"] == 1
    assert await front.kept() == []
    assert await front.refusals() == []
    assert "checkout" not in caplog.text


@pytest.mark.parametrize("age_s", [301, -301, 86_400])
async def test_a_stale_request_is_refused_and_recorded_for_its_tenant(front: Front, age_s: int) -> None:
    assert await front.send(mention(), signed(mention(), at=NOW - age_s)) == 401
    assert await front.refusals() == ["stale"]
    assert await front.kept() == []


async def test_a_replay_is_refused_and_recorded_and_done_once(front: Front) -> None:
    headers = signed(mention())
    assert [await front.send(mention(), headers) for _ in range(3)] == [200, 401, 401]
    assert await front.refusals() == ["replayed", "replayed"]
    assert len(await front.kept()) == 1


async def test_slacks_own_retry_of_what_arrived_is_acknowledged_and_done_once(front: Front) -> None:
    await front.send(mention(), signed(mention()))
    assert await front.send(mention(), signed(mention(), at=NOW - 60, retry=1)) == 200
    assert len(await front.kept()) == 1
    assert await front.refusals() == []


async def test_a_retry_whose_first_delivery_was_lost_is_taken(front: Front) -> None:
    headers = signed(mention(), retry=2)
    assert await front.send(mention(), headers) == 200
    assert len(await front.kept()) == 1


async def test_an_engine_that_is_away_loses_nothing(front: Front) -> None:
    front.engine.failing = True
    assert await front.send(mention(), signed(mention())) == 200
    await front.intake.settle()
    assert [row.state for row in await front.kept()] == ["received"]
    assert front.intake.counts["enqueue_failed"] == 1
    assert len(await inbox.pending(front.db, timedelta(0))) == 1


async def test_what_cannot_be_written_down_is_not_acknowledged(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    await front.send(mention("Ev0"), signed(mention("Ev0")))  # the workspace is remembered from now on
    with monkeypatch.context() as patch:
        patch.setattr(front.db, "arrivals", Arrivals(Path("/no/such/folder/store.db")))
        assert await front.send(mention(), signed(mention())) == 500
    assert await front.send(mention(), signed(mention())) == 200  # delivered again, it is kept


async def test_secrets_in_a_message_are_not_kept_and_addresses_of_the_answer_are(front: Front) -> None:
    fields = {
        "command": "/autoheal",
        "text": "investigate password=hunter2hunter2",
        "team_id": "T1",
        "user_id": "U1",
        "channel_id": "C1",
        "trigger_id": "13345224609.738474920.8088930838d88f008e0",
        "response_url": "https://hooks.slack.com/commands/T1/397700885554/96rGlfmibIGlgcZRskXaIFfN",
    }
    body = urlencode(fields)
    headers = signed(body) | {"content-type": "application/x-www-form-urlencoded"}
    assert await front.send(body, headers) == 200
    (row,) = await front.kept()
    async with front.db.tenant(front.tenant, readonly=True) as s:
        stored = await inbox.arrival(s, InboxId(row.id))
    assert stored is not None
    assert "hunter2" not in json.dumps(stored.payload)
    assert stored.payload["response_url"] == fields["response_url"]
    assert stored.payload["trigger_id"] == stored.external_id == fields["trigger_id"]


async def test_an_unknown_workspace_is_told_so_and_nothing_is_kept(front: Front) -> None:
    body = urlencode({"command": "/autoheal", "text": "help", "team_id": "T9", "user_id": "U1", "channel_id": "C1"})
    headers = signed(body) | {"content-type": "application/x-www-form-urlencoded"}
    answer = await front.http.post(EVENTS_PATH, content=body.encode(), headers=headers)
    assert answer.status_code == 200
    assert "not connected to this workspace" in answer.json()["text"]
    assert front.intake.counts["refused_unknown_workspace"] == 1
    assert await front.kept() == []


async def test_slacks_address_check_is_answered_when_signed(front: Front) -> None:
    body = json.dumps({"type": "url_verification", "challenge": "3eZbrw1aB"})
    answer = await front.http.post(EVENTS_PATH, content=body.encode(), headers=signed(body))
    assert answer.json()["challenge"] == "3eZbrw1aB"
    assert await front.send(body, signed(body, secret="another")) == 401


@pytest.mark.parametrize(
    ("content", "status"), [(b"\xff\xfe", 401), (b"{not json", 401), (b"[1]", 401), (b"x" * (MOST_BYTES + 1), 413)]
)
async def test_what_is_no_payload_is_turned_away(front: Front, content: bytes, status: int) -> None:
    headers = {"content-type": "application/json"}
    assert (await front.http.post(EVENTS_PATH, content=content, headers=headers)).status_code == status


@pytest.mark.parametrize(
    "content", ["[1]", "null", "7", '"x"', "[" * 5000, '{"event": [1]', "", "payload=[1]", "payload="]
)
@pytest.mark.parametrize("kind", ["application/json", "application/x-www-form-urlencoded"])
async def test_what_is_signed_and_no_payload_is_one_line_of_log(
    front: Front, caplog: pytest.LogCaptureFixture, content: str, kind: str
) -> None:
    with caplog.at_level(logging.INFO):
        assert await front.send(content, signed(content) | {"content-type": kind}) in (200, 400)
    ours = [record for record in caplog.records if record.name.startswith("autoheal")]
    assert len(ours) <= 1
    assert all(record.exc_info is None for record in ours)


WORDS = (
    *("type", "event", "event_id", "event_time", "team_id", "team", "user", "channel", "text", "blocks", "ts", "view"),
    *("attachments", "state", "values", "actions", "container", "authorizations", "command", "value", "enterprise"),
    *("selected_option", "elements", "fields", "user_id", "channel_id", "trigger_id"),
)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(WORDS),
            inner,
            max_size=6,
        ),
    ),
    max_leaves=25,
)
KINDS = st.sampled_from(["event_callback", "block_actions", "view_submission", "url_verification", "x"])


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(body=JSON, kind=KINDS, event=st.sampled_from(["message", "app_mention", "app_uninstalled", "tokens_revoked"]))
async def test_whatever_slack_may_send_is_answered(front: Front, body: object, kind: str, event: str) -> None:
    fields = {"type": kind, "event_id": "Ev1", "team_id": "T1", **(body if isinstance(body, dict) else {"event": body})}
    if isinstance(fields.get("event"), dict):
        fields["event"] = {"type": event, **fields["event"]}
    text = json.dumps(fields)
    assert await front.send(text, signed(text, retry=1)) < 500


@pytest.mark.parametrize("event_id", ["", "x" * 300, None, 7])
async def test_an_empty_event_id_is_no_id(front: Front, event_id: object) -> None:
    body = json.dumps({**json.loads(mention()), "event_id": event_id})
    assert [await front.send(body, signed(body)) for _ in range(2)] == [200, 200]
    assert front.intake.counts["refused_unreadable"] == 2
    assert await front.kept() == []


async def test_a_body_that_does_not_come_is_not_waited_for(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.slack_app.BODY_S", 0.05)

    async def drops() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.sleep(5)

    headers = {**signed(mention()), "content-length": "100"}
    answer = await front.http.post(EVENTS_PATH, content=drops(), headers=headers)
    assert answer.status_code == 408


async def test_many_mentions_at_once_are_each_kept_once(front: Front) -> None:
    bodies = [mention(f"Ev{n}") for n in range(40)] * 2
    answers = await asyncio.gather(*(front.send(body, signed(body, retry=1)) for body in bodies))
    assert set(answers) == {200}
    assert len(await front.kept()) == 40


async def test_without_a_signing_secret_every_request_over_http_is_refused(front: Front) -> None:
    session = guarded_session("http://127.0.0.1:9/api/")
    app = build_app(
        intake=front.intake,
        session=session,
        api_url="http://127.0.0.1:9/api/",
        signing_secret=None,
        clock=lambda: NOW,
    )
    transport = httpx2.ASGITransport(app=Starlette(routes=routes(app)))
    async with httpx2.AsyncClient(transport=transport, base_url="http://autoheal") as http:
        answer = await http.post(EVENTS_PATH, content=mention().encode(), headers=signed(mention(), secret=""))
        assert answer.status_code == 401
    await session.close()


def test_a_signature_binds_time_and_body() -> None:
    headers = signed("body")
    given = {"timestamp": headers["x-slack-request-timestamp"], "signature": headers["x-slack-signature"]}
    secret = Secret(SECRET)
    assert check_signature(secret, **given, body=b"body", now=NOW + 300) == "good"
    assert check_signature(secret, **given, body=b"body", now=NOW + 301) == "stale"
    assert check_signature(secret, **given, body=b"Body", now=NOW) == "forged"
    assert check_signature(secret, timestamp="-1", signature=given["signature"], body=b"body", now=NOW) == "forged"


# The way out


@pytest.fixture
async def elsewhere() -> AsyncIterator[str]:
    """A server that redirects to another host."""

    async def away(_: web.Request) -> web.Response:
        raise web.HTTPFound("http://localhost:1/steal")

    app = web.Application()
    app.router.add_route("*", "/api/{rest}", away)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/api/"
    await runner.cleanup()


async def test_the_session_reaches_slacks_host_only_redirects_included(elsewhere: str) -> None:
    async with guarded_session(elsewhere) as session:
        for url in ("http://localhost:1/", "https://slack.com/api/auth.test", f"{elsewhere}auth.test"):
            with pytest.raises(EgressRefused):
                await session.get(url)


async def test_a_subdomain_is_slacks_and_a_look_alike_is_not() -> None:
    async with guarded_session("https://slack.com/api/") as session:
        with pytest.raises(aiohttp.ClientError):  # let through, and stopped by the test's own network guard
            await session.get("https://hooks.slack.com:0/x", proxy="http://127.0.0.1:1")
        for url in ("https://hooks.slack.com.evil.example/", "https://evilslack.com/", "http://169.254.169.254/"):
            with pytest.raises(EgressRefused):
                await session.get(url)


# Tenants and tokens


async def test_a_tenant_without_a_working_install_has_no_client(sqlite_database: Database, clock: Clock) -> None:
    tenant = await tenants.create_tenant(sqlite_database, name="Acme")
    async with guarded_session("http://127.0.0.1:9/api/") as session:
        clients = TenantClients(db=sqlite_database, session=session, api_url="http://127.0.0.1:9/api/", clock=clock)
        with pytest.raises(NotFound):
            await clients.client_for(tenant)


async def test_adopting_twice_is_one_tenant_with_the_owner_as_admin(slack: Slack) -> None:
    token = Secret(slack.workspace.bot_token)
    again = await tenant_of_token(slack.db, make_client(slack.session, slack.workspace.api_url, token), token)
    assert (again.tenant_id, again.team, again.bot_user_id) == (slack.tenant, "Northwind Shop", "U0AUTOHEAL")
    async with slack.db.tenant(slack.tenant, readonly=True) as s:
        assert [(one.slack_user_id, one.role) for one in await users.admins(s)] == [("U0OLGA", Role.ADMIN)]
        assert [e.action for e in await trail(s)] == ["system.app.installed", "system.role.granted"]


async def test_a_refused_token_says_which_variable_to_mend(slack: Slack) -> None:
    token = Secret("xoxb-not-this-one")
    with pytest.raises(SlackNotReady, match="SLACK_BOT_TOKEN"):
        await tenant_of_token(slack.db, make_client(slack.session, slack.workspace.api_url, token), token)


async def test_uninstalling_destroys_the_token_and_stops_what_runs(slack: Slack) -> None:
    await slack.workspace.post("mia", "incidents", "@autoheal checkout is failing")
    await slack.handled(1)
    slack.workspace.uninstall()
    await slack.handled(2)
    async with slack.db.tenant(slack.tenant, readonly=True, frozen_too=True) as s:
        install = await load_install(s)
        actions = [entry.action for entry in await trail(s)]
    assert install is not None
    assert install.bot_token.reveal() == ""
    assert actions.count("slack.app.uninstalled") == 1
    assert any(":investigate:" in one for one in slack.engine.cancelled)
    with pytest.raises(TenantFrozen):
        async with slack.db.tenant(slack.tenant):
            pass


async def test_installing_again_brings_the_tenant_back(slack: Slack) -> None:
    slack.workspace.uninstall()
    await slack.until(lambda: slack.intake.counts.total() >= 2)
    await slack.handled(1)
    assert await tenants.tenant_for_slack(slack.db, enterprise_id=None, team_id="T0AUTOHEAL") is None
    slack.workspace._state.installed = True
    token = Secret(slack.workspace.bot_token)
    again = await tenant_of_token(slack.db, make_client(slack.session, slack.workspace.api_url, token), token)
    assert again.tenant_id == slack.tenant
    slack.caller.forget()
    await slack.workspace.post("mia", "incidents", "@autoheal checkout is failing")
    await slack.until(lambda: slack.engine.of("investigate"))


async def test_a_dropped_connection_is_opened_again_and_events_flow(slack: Slack) -> None:
    await slack.workspace.refresh_connections()
    await slack.workspace.post("mia", "incidents", "@autoheal checkout is failing")
    await slack.handled(1)
    assert len(slack.engine.of("investigate")) == 1


async def test_an_invitation_is_answered_to_the_inviter_alone(slack: Slack) -> None:
    slack.workspace.invite("mia", "general")
    await slack.handled(1)
    assert "Your role is member" in slack.private("general", "mia")[0]
    assert slack.said("general") == []
