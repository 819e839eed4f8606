"""What goes wrong is told without what was sent and without our insides; headers are on every answer."""

from typing import Any

import pytest

from handlers.web.api_app import HSTS
from handlers.web.credential import COOKIE
from store.database.session import Database
from store.people.users import Role, set_role
from tests.handlers.web.api.api import OWN_PAGE, Api, error, open_api
from tests.store.accounts import GOOD

CANARY = "Canary-in-the-mine"


@pytest.fixture
async def api(sqlite_database: Database, two_tenants: Any) -> Api:
    return await open_api(sqlite_database, two_tenants[0])


async def test_every_answer_carries_the_security_headers(api: Api) -> None:
    async with api.browser(api.viewer) as client:
        answers = [
            await client.get("/me"),
            await client.get("/people"),
            await client.get("/nothing-here"),
            await client.put("/session"),
            await client.post("/session", content=b"{"),
            await client.get("/openapi.json"),
        ]
    assert [answer.status_code for answer in answers] == [200, 403, 404, 405, 422, 200]
    for answer in answers:
        assert answer.headers["strict-transport-security"] == HSTS
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"
        assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    ("content", "field"),
    [
        (f'{{"email": "{CANARY}"', "body"),
        (f'{{"email": ["{CANARY}"], "password": "x"}}', "body.email"),
        (f'{{"email": "a@b.cc", "password": {{"{CANARY}": 1}}}}', "body.password"),
        (f'{{"email": "a@b.cc", "password": "x", "{CANARY}": 1}}', "body"),
        (f'{{"email": "a@b.cc", "password": "x", "organisation": "{CANARY}"}}', "body.organisation"),
        (f'{{"email": "{CANARY}{"x" * 300}", "password": "x"}}', "body.email"),
    ],
)
async def test_a_validation_error_names_the_field_and_never_the_value(api: Api, content: str, field: str) -> None:
    async with api.nobody(**OWN_PAGE, **{"content-type": "application/json"}) as client:
        answer = await client.post("/session", content=content.encode())
    assert answer.status_code == 422
    assert [one["field"] for one in answer.json()["error"]["fields"]] == [field]
    assert CANARY not in answer.text


async def test_what_is_too_large_is_not_read(api: Api) -> None:
    async def endless() -> Any:
        yield b"{"
        pytest.fail("the body was read")

    async with api.nobody(**OWN_PAGE) as client:
        assert (await client.post("/session", json={"email": "x" * 70_000})).status_code == 413
        assert (await client.post("/session", content=endless())).status_code == 411
        assert (await client.post("/session", content=b"{}", headers={"content-length": "9e9"})).status_code == 413
        both = {"content-length": "2", "transfer-encoding": "chunked"}
        assert (await client.post("/session", content=endless(), headers=both)).status_code == 411


async def test_rights_that_are_taken_while_the_body_is_held_back_are_gone(api: Api) -> None:
    admitted: list[bytes] = [b'{"email": "friend@acme.example", "role": "admin"}']

    async def held_back() -> Any:
        yield admitted[0][:10]
        async with api.db.tenant(api.tenant) as s:
            await set_role(s, api.member, Role.ADMIN)
            await set_role(s, api.admin, Role.VIEWER)
        yield admitted[0][10:]

    async with api.browser(api.admin) as client:
        headers = {"content-length": str(len(admitted[0])), "content-type": "application/json"}
        answer = await client.post("/invitations", content=held_back(), headers=headers)
    assert (answer.status_code, error(answer)) == (403, "role")


async def test_our_bug_is_a_reference_and_the_log_has_it_too(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from store.people import web_sessions

    async def broken(*_: Any, **__: Any) -> Any:
        raise KeyError(CANARY)

    async with api.browser(api.viewer) as client:
        monkeypatch.setattr(web_sessions, "sessions_of", broken)
        answer = await client.get("/sessions")
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "failed")
    assert answer.json()["error"]["reference"] in caplog.text
    assert CANARY not in answer.text + caplog.text


async def test_the_description_covers_every_operation_and_says_who_may(api: Api) -> None:
    async with api.nobody() as client:
        described = (await client.get("/openapi.json")).json()
    operations = [one for path in described["paths"].values() for one in path.values()]
    assert all("Permission: " in one["description"] or "Anybody." in one["description"] for one in operations)
    assert len({one["operationId"] for one in operations}) == len(operations)


async def test_the_whole_way_on_both_databases(database: Database, two_tenants: Any) -> None:
    api = await open_api(database, two_tenants[0])
    async with api.nobody(**OWN_PAGE) as client:
        mia = {"email": "admin@acme.example", "password": GOOD.reveal()}
        assert (await client.post("/session", json=mia)).status_code == 200
        assert COOKIE in client.cookies
        made = (await client.post("/tokens", json={"name": "CI", "scopes": ["read"]})).json()
        invited = await client.post("/invitations", json={"email": "raj@acme.example"})
        assert invited.status_code == 201
        async with api.nobody(authorization=f"Bearer {made['token']}") as program:
            assert (await program.get("/organisation")).json()["name"] == "Acme"
        assert (await client.delete(f"/people/{api.viewer}")).status_code == 200
        assert (await client.delete("/session")).status_code == 200
        assert (await client.get("/session")).status_code == 401
