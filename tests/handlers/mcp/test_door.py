"""Who is let in, what they are shown, and what is written down of it."""

import json

import httpx2
import pytest
from mcp import MCPError

from store.people.users import Role
from tests.handlers.mcp.caller import Door, refused, told

HEADERS = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
LIST = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_both_generations_of_the_protocol_are_spoken(door: Door, mode: str) -> None:
    async with door.client(mode=mode) as client:
        names = [one.name for one in (await client.list_tools()).tools]
        assert names == ["answer", "evidence", "incidents", "investigate", "propose"]
        assert await told(client, "incidents") == "No incident is open that you may see."
    assert (await door.rig.actions())[-1] == "mcp.tool.called"


async def test_a_token_is_shown_and_may_call_what_its_role_and_scopes_cover(door: Door) -> None:
    for role, scopes in ((Role.VIEWER, ("read",)), (Role.ADMIN, ("read",)), (Role.VIEWER, ("read", "investigate"))):
        async with door.client(role, scopes) as client:
            assert [one.name for one in (await client.list_tools()).tools] == ["evidence", "incidents"]
            assert await refused(client, "investigate", question="checkout fails", channel="C1")
    assert door.said.messages == {}
    assert (await door.rig.actions()).count("mcp.access.refused") == 3


async def test_nothing_is_told_to_who_has_no_token(door: Door) -> None:
    token, _ = await door.token(Role.MEMBER, "read")
    async with httpx2.AsyncClient(headers=HEADERS) as wire:
        for sent in ({}, {"authorization": f"Bearer {token}x"}, {"authorization": f"Basic {token}"}):
            answer = await wire.post(door.url, json=LIST, headers=sent)
            assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
            assert "tools" not in answer.text
        known = {"authorization": f"Bearer {token}"}
        assert (await wire.post(door.url, json=LIST, headers=known)).json()["result"]["tools"]
        foreign = await wire.post(door.url, json=LIST, headers={**known, "origin": "https://evil.example"})
        assert (foreign.status_code, foreign.json()["error"]["code"]) == (403, "foreign_origin")
        assert (await wire.get(door.url, headers=known)).status_code == 405
        large = await wire.post(door.url, content=json.dumps(LIST) + " " * 70_000, headers=known)
        assert large.status_code == 413


async def test_there_is_no_session_to_guess(door: Door) -> None:
    token, _ = await door.token(Role.MEMBER, "read")
    begin = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"},
        },
    }
    async with httpx2.AsyncClient(headers={**HEADERS, "authorization": f"Bearer {token}"}) as wire:
        answer = await wire.post(door.url, json=begin)
        assert answer.json()["result"]["serverInfo"]["name"] == "autoheal"
        assert "mcp-session-id" not in answer.headers


async def test_another_tenants_token_sees_its_own_tenant_alone(door: Door) -> None:
    await door.rig.ask()
    async with door.client(tenant=door.rig.other) as client:
        assert await told(client, "incidents") == "No incident is open that you may see."
        assert "no such incident" in await refused(client, "evidence", incident="1")
    async with door.client() as client:
        assert "#1 checkout fails" in await told(client, "incidents")


async def test_arguments_that_cannot_be_used_are_named_and_never_repeated(door: Door) -> None:
    async with door.client() as client:
        words = await refused(client, "evidence", incident="1", result="drop table", more="x")
        assert "result: " in words
        assert "more: " in words
        assert "drop table" not in words
        with pytest.raises(MCPError):
            await client.read_resource("file:///etc/passwd")
        assert "There is no tool" in await refused(client, "approve", approval="1")


async def test_who_calls_too_often_waits(door: Door) -> None:
    async with door.client() as client:
        for _ in range(10):
            await refused(client, "propose", incident="9", remedy="restart_service")
        assert "10 times an hour" in await refused(client, "propose", incident="9", remedy="restart_service")


async def test_our_own_fault_is_a_reference_and_never_its_text(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("planted detail")

    async with door.client() as client:
        await told(client, "incidents")
        monkeypatch.setattr("tests.handlers.mcp.caller.SeesOpen.among", broken)
        words = await refused(client, "incidents")
    assert "reference" in words
    assert "planted" not in words
