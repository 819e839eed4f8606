"""The assembled process over signed HTTP, and what a crash between the acknowledgement and the queue leaves."""

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from bot.demo.workspace import Workspace
from bot.manifest import load_manifest
from handlers.slack.inbound.arrival import VERBATIM
from handlers.slack.inbound.payload import ParsedPayload, parse
from store import audit, inbox
from store.tenancy.tenants import list_tenants
from tests.bot.served import free_port, serving, settings_for, store_of

CHANNEL = "#incidents"
SECRET = "8f742231b10e8888abcd99yyyzzz85a5"


@pytest.fixture
async def port() -> int:
    return free_port()


@pytest.fixture
async def workspace(port: int) -> AsyncIterator[Workspace]:
    """Delivers over HTTP, signed with SECRET."""
    workspace = Workspace(
        load_manifest(),
        delivery="http",
        request_url=f"http://127.0.0.1:{port}/slack/events",
        signing_secret=SECRET,
    )
    await workspace.start()
    yield workspace
    await workspace.stop()


def http_settings(workspace: Workspace, data: Path, port: int) -> dict[str, str]:
    given = settings_for(
        workspace,
        data,
        AUTOHEAL_MODE="http",
        AUTOHEAL_HTTP_PORT=str(port),
        SLACK_SIGNING_SECRET=SECRET,
    )
    return {name: value for name, value in given.items() if name != "SLACK_APP_TOKEN"}


def mention(workspace: Workspace, event_id: str, ts: str) -> str:
    """What Slack sends for a mention by mia."""
    event = {
        "type": "app_mention",
        "user": workspace.users["mia"].id,
        "channel": workspace.channels["incidents"].id,
        "ts": ts,
        "text": f"<@{workspace.bot_user_id}> checkout is slow",
    }
    return json.dumps({"type": "event_callback", "event_id": event_id, "team_id": workspace.team_id, "event": event})


def signed(body: str, *, age_s: int = 0, secret: str = SECRET) -> dict[str, str]:
    at = str(int(time.time()) - age_s)
    digest = hmac.new(secret.encode(), f"v0:{at}:{body}".encode(), hashlib.sha256).hexdigest()
    return {
        "x-slack-request-timestamp": at,
        "x-slack-signature": f"v0={digest}",
        "content-type": "application/json",
    }


def answered(workspace: Workspace, thread: str) -> bool:
    return any("I could not look" in m.text for m in workspace.messages(CHANNEL, thread))


async def scraped(http: httpx2.AsyncClient, line: str) -> str:
    """The metrics, once they hold `line`: a run is counted when it has ended, a little after its last message."""
    async with asyncio.timeout(120):
        while line not in (metrics := (await http.get("/metrics")).text):  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    return metrics


@pytest.mark.slow
async def test_over_http_a_mention_is_answered_and_what_slack_did_not_send_is_refused(
    workspace: Workspace, port: int, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    async with serving(tmp_path / "log", http_settings(workspace, data, port)) as served:
        assert await workspace.verify_request_url()
        thread = await workspace.post("mia", CHANNEL, "@autoheal checkout is slow")
        await workspace.wait_for(lambda w: answered(w, thread), timeout=120)
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:

            async def send(body: str, headers: dict[str, str]) -> int:
                return (await http.post("/slack/events", content=body.encode(), headers=headers)).status_code

            body = mention(workspace, "Ev0FORGED", thread)
            assert await send(body, signed(body, secret="guessed")) == 401
            assert await send(body, signed(body, age_s=600)) == 401
            fresh = mention(workspace, "Ev0FRESH", thread)
            headers = signed(fresh)
            assert [await send(fresh, headers) for _ in range(2)] == [200, 401]
            assert (await http.get("/healthz")).status_code == 200
            assert (await http.get("/api/me")).status_code == 401
            metrics = await scraped(
                http, 'autoheal_workflow_runs_total{outcome="concluded",workflow="investigate"} 1.0'
            )
            assert "autoheal_ack_seconds_count" in metrics
        assert '"reason": "forged"' in served.said
    async with store_of(data) as store:
        (tenant,) = await list_tenants(store)
        async with store.tenant(tenant.id, readonly=True) as s:
            refused = [e.details["reason"] for e in await audit.trail(s) if e.action == "slack.request.refused"]
    assert refused == ["stale", "replayed"]
    assert workspace.violations == []


@pytest.mark.slow
async def test_what_was_acknowledged_but_never_queued_is_handled_at_the_next_start(
    workspace: Workspace, port: int, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    async with serving(tmp_path / "log", http_settings(workspace, data, port)):
        pass
    thread = await workspace.post("raj", CHANNEL, "checkout is slow, I will ask")
    parsed = parse(json.loads(mention(workspace, "Ev0LEFT", thread)))
    assert isinstance(parsed, ParsedPayload)
    async with store_of(data) as store:
        (tenant,) = await list_tenants(store)
        left = inbox.Arrival(
            source="slack",
            external_id="Ev0LEFT",
            kind=parsed.arrival.kind,
            payload=parsed.arrival.model_dump(mode="json", exclude_none=True),
            verbatim_keys=VERBATIM,
        )
        await inbox.Inbox(store).record(tenant.id, left)
    async with serving(tmp_path / "log", http_settings(workspace, data, port)):
        await workspace.wait_for(lambda w: answered(w, thread), timeout=120)
    assert sum("I could not look" in m.text for m in workspace.messages(CHANNEL, thread)) == 1


@pytest.mark.slow
async def test_in_socket_mode_the_web_side_listens_where_it_is_asked_to(port: int, tmp_path: Path) -> None:
    workspace = Workspace(load_manifest())
    await workspace.start()
    try:
        settings = settings_for(
            workspace,
            tmp_path / "data",
            AUTOHEAL_WEB="true",
            AUTOHEAL_HTTP_PORT=str(port),
            AUTOHEAL_METRICS_TOKEN="planted",
        )
        async with (
            serving(tmp_path / "log", settings),
            httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http,
        ):
            assert (await http.get("/healthz")).status_code == 200
            assert (await http.post("/slack/events")).status_code == 404
            assert (await http.get("/api/session")).status_code == 401
            assert (await http.post("/mcp", json={})).status_code == 401
            assert (await http.get("/metrics")).status_code == 403
            metrics = await http.get("/metrics", headers={"authorization": "Bearer planted"})
            assert "autoheal_queued 0.0" in metrics.text
    finally:
        await workspace.stop()
